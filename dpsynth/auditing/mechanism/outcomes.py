"""Everything that a run shows, as named numbers: values, but also row counts, types, and errors.

An exception is an output like any other: a fit that fails for some tables only tells which tables
these are. So are the number of rows and the dtype of a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.auditing.mechanism.queries import Target, combinations, counts

Features = dict[str, float]

_MAX_VALUES = 50
"""Distinct values up to which each has a feature: 200 runs for learning bear no more features."""
_MAX_COUNTS = 64
"""Combinations of columns that are asked about: all of them for 6 columns, as 2^6 = 64."""
NEAR = "like "
"""How the names of features begin that are about a target."""


def outcome(run: Callable[[], Any]) -> Any:
    """What a run returns, or the exception that it ends in."""
    try:
        return run()
    except Exception as error:
        return error


def features(found: Any, targets: Sequence[Target] = ()) -> Features:
    """Named numbers of what a mechanism shows.

    It may be a DataFrame, an array, a number, a mapping from names to these, or an exception.

    targets: records of which it is asked whether they were there; rows that agree with one are
    counted.
    """
    if isinstance(found, Exception):
        return {f"exception {type(found).__name__}: {found}": 1.0}
    if isinstance(found, pd.DataFrame):
        return _of_table(found) | _near(found, targets)
    if isinstance(found, Mapping):
        named: Features = {}
        for name, part in found.items():
            for key, number in features(part, targets).items():
                named[f"{name} {key}"] = number
        return named
    values = np.asarray(found, dtype=np.float64).reshape(-1)
    return {"length": float(values.size), **{f"value {i}": float(x) for i, x in enumerate(values)}}


def _of_table(table: pd.DataFrame) -> Features:
    rows = len(table)
    found: Features = {"rows": float(rows)}
    texts: list[list[str]] = []
    for name in table.columns:
        column = table[name]
        found[f"dtype {name} {column.dtype}"] = 1.0
        found[f"missing {name}"] = float(column.isna().sum())
        if isinstance(column.dtype, pd.CategoricalDtype):
            found[f"categories {name}"] = float(len(column.dtype.categories))
        elif pd.api.types.is_numeric_dtype(column.dtype) and column.notna().any():
            numbers = column.dropna().astype(np.float64)
            found[f"least {name}"] = numbers.min()
            found[f"mean {name}"] = numbers.mean()
            found[f"most {name}"] = numbers.max()
        texts.append([str(value) for value in column])
        found |= _shares(texts[-1], f"{name} =")
    if rows and len(texts) > 1:
        found |= _shares(map("|".join, zip(*texts, strict=True)), "row =")
    return found


def _near(table: pd.DataFrame, targets: Sequence[Target]) -> Features:
    found: Features = {}
    for i, target in enumerate(targets):
        names = tuple(target.values)
        asked = combinations(names, _MAX_COUNTS)
        numbers = counts(target.agreement(table), names, asked).tolist()
        for combination, number in zip(asked, numbers, strict=True):
            found[f"{NEAR}{i} in {' x '.join(combination)}"] = number
    return found


def _shares(texts: Iterable[str], what: str) -> Features:
    """The share of each value; none for more than 50 values, which would be parts of numbers."""
    times = Counter(texts)
    if len(times) > _MAX_VALUES:
        return {f"{what} distinct": float(len(times))}
    return {f"{what} {value}": count / times.total() for value, count in times.items()}
