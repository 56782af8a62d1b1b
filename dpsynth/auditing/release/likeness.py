"""Whether the values of the release and of the real records are the same kind of thing.

A column whose values the two tables spell in two ways, or state in two units, makes every record of
the release a stranger, and hides copies. No attack would notice: so such columns are looked for,
and a release with one of them does not pass.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from dpsynth.auditing.attacks.records import is_ordered
from dpsynth.data.engines.files import Rows
from dpsynth.data.engines.files import column as values_of
from dpsynth.evaluation.reading import as_numbers, missing_and_outside
from dpsynth.schema.columns import Categorical, Column
from dpsynth.schema.table import Schema

_MIN_VALUES = 20
"""Fewer say nothing of a column."""
_FAR = 0.95
"""From which Kolmogorov-Smirnov distance on two ordered columns hardly meet."""
_FEW = 0.1
"""Up to which share of values that are also real ones a column without a schema hardly meets."""
_DECLARE = "write both tables' values in the same way and unit, and give a schema that reads them"


def unlike_columns(
    tables: Mapping[str, Rows], schema: Schema, mixed: Collection[str] | None = None
) -> tuple[str, ...]:
    """A sentence for each column whose synthetic and real values hardly meet, or are not read.

    mixed: where the schema comes from the values of these tables, the columns of which the release
    has other types of values; None where the schema was given.
    """
    found = []
    for name, column in schema.coded.items():
        values = {title: values_of(rows, name) for title, rows in tables.items()}
        if mixed is not None and name in mixed:
            found.append(
                f"column {name!r} has other types of values in the release than in the real tables"
                f" (numbers, moments, texts): {_DECLARE}"
            )
        elif (title := _unread(values, column)) is not None:
            found.append(
                f"column {name!r} of {title} has values that the schema cannot read, which count as"
                " missing: write them as the schema says, or correct the schema"
            )
        elif _hardly_meet(values, column, drafted=mixed is not None):
            found.append(
                f"the synthetic and the real values of column {name!r} hardly meet, so that copies"
                f" would not be seen: {_DECLARE}, or leave the column out of all tables"
            )
    return tuple(found)


def _unread(values: Mapping[str, object], column: Column) -> str | None:
    """The first table of which most values are not missing and still not read.

    Where a column has `other=`, real values that are no category are nothing strange.
    """
    for title, cells in values.items():
        if title != "synthetic" and isinstance(column, Categorical) and column.other is not None:
            continue
        missing, _ = missing_and_outside(cells, column, None)
        unread = np.isnan(as_numbers(cells, column)) & ~missing
        if unread.sum() > (~missing).sum() / 2:
            return title
    return None


def _hardly_meet(values: Mapping[str, object], column: Column, *, drafted: bool) -> bool:
    read = {title: as_numbers(cells, column) for title, cells in values.items()}
    known = {title: x[~np.isnan(x)] for title, x in read.items()}
    synthetic = known.pop("synthetic")
    real = np.concatenate([*known.values()])
    if min(synthetic.size, real.size) < _MIN_VALUES:
        return False
    if is_ordered(column):
        return _distance(synthetic, real) >= _FAR
    if isinstance(column, Categorical) and column.other is not None:
        return False
    meeting = float(np.isin(synthetic, real).mean())
    return meeting < _usual(known) / 2 or (drafted and meeting < _FEW)


def _usual(real: Mapping[str, np.ndarray]) -> float:
    """The share of the holdout's values that are also values of training records."""
    holdout = real.get("holdout", np.empty(0))
    return float(np.isin(holdout, real["train"]).mean()) if holdout.size else 1.0


def _distance(x: np.ndarray, y: np.ndarray) -> float:
    """The Kolmogorov-Smirnov distance: the largest gap between the shares up to any value."""
    at = np.concatenate([x, y])
    shares = [np.searchsorted(np.sort(z), at, "right") / z.size for z in (x, y)]
    return float(np.abs(shares[0] - shares[1]).max())
