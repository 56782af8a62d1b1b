"""Bounded: raw rows that have been through the bounding, which is the only way into private tables and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.base.closed import Closed, closed
from dpsynth.door.bounding import bounded_rows
from dpsynth.door.codes import Coding, codes_of
from dpsynth.door.ids import Joint
from dpsynth.kernel.rows import _BOUNDED
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.kernel.wall import behind_the_wall


class Bounded(Closed):
    """Raw rows, closed, of which no unit has more than `unit.max_records`. `bound_table` and `bound_arrays` make them.

    Rows of a unit without an id column are bounded as they are: any max_records of them are one unit.
    """

    _closed_because = "bounded rows cannot be copied or read: make a PrivateTable or SensitiveRows of them"
    __slots__ = ("__rows", "unit")
    unit: PrivacyUnit

    def __init__(self, rows: tuple[Any, ...], unit: PrivacyUnit, shown: object) -> None:
        if shown is not _BOUNDED:
            raise TypeError("bounded rows are made by bound_table and bound_arrays only")
        object.__setattr__(self, "_Bounded__rows", rows)
        object.__setattr__(self, "unit", unit)

    def __repr__(self) -> str:
        return f"Bounded({self.unit.describe()})"

    __iter__ = __len__ = __getitem__ = __setattr__ = __delattr__ = closed


def bound_table(read: Callable[[], Any], unit: PrivacyUnit, dates: Mapping[str, Coding] = {}) -> Bounded:
    """The rows of the DataFrame or Arrow table that `read` returns, by the ids in its own columns. RowsError.

    dates: for each column of dates in the unit the coding of its periods.
    """

    def work() -> Bounded:
        table = read()
        return _bounded((table,), ids_of(table, unit, dates), unit)

    return behind_the_wall(work)


def ids_of(table: Any, unit: PrivacyUnit, dates: Mapping[str, Coding] = {}) -> Any:
    """Whose each row of a table is: its column of ids, several as one, or None where the unit has none."""
    found = [codes_of(table[c], dates[c]) if period else table[c] for c, period in unit.parts]
    return Joint(tuple(found)) if len(found) > 1 else found[0] if found else None


def bound_arrays(arrays: tuple[np.ndarray, ...], ids: Any, unit: PrivacyUnit) -> Bounded:
    """The rows of arrays of one length, by an id for each row; None where the unit has no ids. RowsError."""
    return behind_the_wall(lambda: _bounded(arrays, ids, unit))


def _bounded(rows: tuple[Any, ...], ids: Any, unit: PrivacyUnit) -> Bounded:
    if (ids is None) != (unit.id_column is None):
        raise ValueError("ids are given if, and only if, the unit has an id column")
    if ids is not None:
        kept = bounded_rows(ids, unit)
        if {len(ids)} != {len(part) for part in rows}:
            raise ValueError("there must be one id for each row")
        rows = tuple(_taken(part, kept) for part in rows)
    return Bounded(rows, unit, _BOUNDED)


def _taken(rows: Any, kept: np.ndarray) -> Any:
    if isinstance(rows, pd.DataFrame):
        return rows.iloc[kept]
    if isinstance(rows, pa.Table):
        mask = np.zeros(len(rows), dtype=bool)
        mask[kept] = True
        return rows.filter(pa.array(mask))
    return rows[kept]


def _raw(bounded: Bounded) -> tuple[Any, ...]:
    """The rows themselves. Called in this package only, behind the wall."""
    if type(bounded) is not Bounded:
        raise TypeError(f"bounded rows are wanted, got {type(bounded).__name__}: use bound_table or bound_arrays")
    rows: tuple[Any, ...] = object.__getattribute__(bounded, "_Bounded__rows")
    return rows
