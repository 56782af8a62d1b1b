"""Partial rows made whole: rows of which some values are given, and the others drawn.

Each row is completed from the model's distribution of the rows that have its known values
(`models/completing.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.scale import Scale, near
from dpsynth.data.tables.check import missing_in
from dpsynth.data.tables.codec import Codec
from dpsynth.data.tables.written import as_declared
from dpsynth.data.values import read_numbers, steps_of
from dpsynth.models.base import ConditionError, Evidence
from dpsynth.models.completing import completed
from dpsynth.schema.columns import SECONDS
from dpsynth.schema.table import Categorical, Column, Datetime, Numeric
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.sampled_rows import Origin

_ROUNDING = 1e-6
"""In steps: decimal steps such as 0.1 are not exact."""

LEAST = 1e-9
"""What each cell has of a node at least where real rows are completed: none is impossible."""


def rows_given(
    origin: Origin,
    given: pd.DataFrame,
    cases: Sequence[Case],
    each: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """For each partial row so many whole ones, in its place; a missing value is one to be drawn.

    cases: a condition that all rows meet, of one case without relations.
    """
    if len(cases) != 1 or cases[0].relations:
        raise ConditionError(
            "given has partial rows, and where must be tests of single columns joined by `and`"
            " beside them: draw each alternative by itself"
        )
    given = given.iloc[np.repeat(np.arange(len(given)), each)].reset_index(drop=True)
    for name in given.columns:
        if name not in origin.codecs:
            raise ConditionError(
                f"given has a column {name!r}, which cannot be sampled: use columns of"
                f" {sorted(origin.codecs)}"
            )
    codes = {name: np.full(len(given), -1, dtype=np.int64) for name in origin.codecs}
    for name in given.columns:
        codes[name] = _codes_given(origin, name, given[name], cases[0])
    evidence, parts = origin.request(cases[0])
    drawn = completed(origin.model, codes, rng, evidence)
    rows = origin.decoded(drawn, {**parts, **origin.free(parts)}, rng)
    for name in given.columns:
        rows[name] = _as_given(rows[name], given[name], origin.schema.coded[name])
    return origin.whole(rows, rng)


def filled_in(
    origin: Origin, table: pd.DataFrame, columns: Sequence[str], rng: np.random.Generator
) -> pd.DataFrame:
    """The table with a value drawn wherever one of these columns has none; all others stay.

    Among text it is written as the schema declares. What cannot be read as the schema declares
    counts as unknown, and stays as it is.
    """
    known = {
        name: _codes(origin.codecs[name], table[name]) for name in table if name in origin.codecs
    }
    absent = {name: missing_in(origin.schema.coded[name], table[name]) for name in known}
    known = {name: np.where(absent[name], -1, each) for name, each in known.items()}
    codes = {name: np.full(len(table), -1, dtype=np.int64) for name in origin.codecs} | known
    for name, column in origin.schema.coded.items():
        nullable = getattr(column, "nullable", False)
        if name in known and name not in columns and nullable:
            codes[name] = np.asarray(origin.codecs[name].encode(table[name]), dtype=np.int64)
    evidence: Evidence = {name: valid_cells(origin.codecs[name]) for name in columns}
    drawn = completed(origin.model, codes, rng, evidence, LEAST)
    rows = origin.decoded(drawn, origin.free(), rng)
    spelled = as_declared(rows, origin.schema)
    found = table.copy()
    for name in columns:
        text = pd.api.types.infer_dtype(table[name]) == "string"
        values = spelled[name].astype(str) if text else rows[name]
        found[name] = filled(table[name], absent[name], values)
    return found


def valid_cells(codec: Codec) -> np.ndarray:
    """A weight for each cell: 1 for those of values, 0 for that of missing ones."""
    return (np.arange(codec.size) < len(codec.ends()[0])).astype(float)


def _codes(codec: Codec, values: pd.Series[Any]) -> np.ndarray:
    """The cell of each value, -1 where it is missing or cannot be read."""
    codes = np.asarray(codec.encode(values), dtype=np.int64)
    return np.where(codes < len(codec.ends()[0]), codes, -1)


def _codes_given(origin: Origin, name: str, values: pd.Series[Any], case: Case) -> np.ndarray:
    """The cells of given values; ConditionError for one that the schema or the case excludes."""
    column, codec = origin.schema.coded[name], origin.codecs[name]
    known = ~missing_in(column, values)
    codes = np.where(known, _codes(codec, values), -1)
    odd = known & ((codes < 0) | ~_declared(values, column, origin.bounds.get(name)))
    if odd.any():
        raise ConditionError(
            f"given has {int(odd.sum())} values of {name!r} that the schema does not allow, the"
            f" first in row {int(np.argmax(odd))}: change them, or leave them empty"
        )
    exact = _as_given(codec.decode(np.maximum(codes, 0), np.random.default_rng(0)), values, column)
    for term in case.terms:
        against = known & ~term.holds(exact) if term.column == name else np.zeros(1, dtype=bool)
        if against.any():
            raise ConditionError(
                f"given has {int(against.sum())} values of {name!r} that do not meet where, the"
                f" first in row {int(np.argmax(against))}: change one or the other"
            )
    return codes


def _declared(
    values: pd.Series[Any], column: Column, bounds: tuple[float, float] | None
) -> np.ndarray:
    """For each known value whether it is one that a release may have."""
    match column:
        case Numeric():
            numbers = read_numbers(values, column)
            low, high = bounds or (column.low, column.high)
            scale = Scale(column)
            on_step = near(numbers, scale.snapped(numbers), _ROUNDING * (scale.spacing or 1))
            return np.asarray((low <= numbers) & (numbers <= high) & on_step)
        case Datetime():
            steps = steps_of(values, column)
            return np.asarray((column.steps[0] <= steps) & (steps <= column.steps[1]))
        case Categorical() if column.other is not None:
            names = {str(each) for each in column.categories}
            return np.asarray(values.astype(str).isin(names))
    return np.ones(len(values), dtype=bool)


def _as_given(drawn: pd.Series[Any], values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    """The drawn values, and where one was given exactly that one, in the same dtype."""
    known = ~missing_in(column, values)
    out = drawn.copy()
    if isinstance(column, Numeric):
        out[known] = read_numbers(values, column)[known].astype(drawn.dtype.name.lower())
    elif isinstance(column, Datetime):  # a cell of all others holds one value
        seconds = steps_of(values, column)[known] * SECONDS[column.resolution]
        out[known] = seconds.astype("datetime64[s]").astype(drawn.dtype)
    return out


def filled(values: pd.Series[Any], absent: np.ndarray, drawn: pd.Series[Any]) -> pd.Series[Any]:
    """The values with drawn ones in the places of absent ones; the dtype stays where it can."""
    out = values.astype(object)
    out[absent] = drawn.astype(object).to_numpy()[absent]
    try:
        return out.astype(values.dtype)
    except (TypeError, ValueError):
        return out.infer_objects()
