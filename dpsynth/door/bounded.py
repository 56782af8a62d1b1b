"""Bounded: raw rows that have been through the bounding, which is the only way into private tables and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from dpsynth.base.closed import Closed, closed
from dpsynth.door.bounding import bounded_rows
from dpsynth.door.codes import Coding
from dpsynth.door.ids import digest
from dpsynth.door.keeping import Part, Read, bounds_of, ids_of
from dpsynth.door.shares import Spread, SpreadTable
from dpsynth.kernel.rows import _BOUNDED
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.kernel.wall import behind_the_wall

Taken: TypeAlias = Iterator[tuple[Any, np.ndarray | slice]]
"""Parts of a table, and which of the rows of each are kept."""


class _Table(NamedTuple):
    read: Read
    unit: PrivacyUnit
    dates: Mapping[str, Coding]
    parts: list[Part] | None = None
    """None where the unit has no ids: all rows are kept."""


class Bounded(Closed):
    """Raw rows, closed, of which no unit has more than `unit.max_records`. `bound_table` and `bound_arrays` make them.

    Rows of a unit without an id column are bounded as they are: any max_records of them are one unit.
    """

    _closed_because = "bounded rows cannot be copied or read: make a PrivateTable or SensitiveRows of them"
    __slots__ = ("__rows", "unit")
    unit: PrivacyUnit

    def __init__(self, rows: tuple[Any, ...] | _Table | SpreadTable, unit: PrivacyUnit, shown: object) -> None:
        if shown is not _BOUNDED:
            raise TypeError("bounded rows are made by bound_table and bound_arrays only")
        object.__setattr__(self, "_Bounded__rows", rows)
        object.__setattr__(self, "unit", unit)

    def __repr__(self) -> str:
        return f"Bounded({self.unit.describe()})"

    __iter__ = __len__ = __getitem__ = __setattr__ = __delattr__ = closed


def bound_table(
    read: Read | Spread, unit: PrivacyUnit, dates: Mapping[str, Coding] = {}, records: Mapping[str, Coding] = {}
) -> Bounded:
    """The rows of a table, by the ids in its own columns. Without ids nothing is read yet, nor in shares. RowsError.

    dates: for each column of dates in the unit the coding of its periods. records: codings of the columns by which rows
    of a unit are told apart, where it has too many; where they say the same, the order of rows decides.
    """
    if isinstance(read, Spread):
        return Bounded(behind_the_wall(lambda: SpreadTable.of(read, unit, dates, records)), unit, _BOUNDED)
    if unit.id_column is None:
        return Bounded(_Table(read, unit, dates), unit, _BOUNDED)
    parts = behind_the_wall(lambda: bounds_of(read, unit, dates, records))
    return Bounded(_Table(read, unit, dates, parts), unit, _BOUNDED)


def _taken(table: _Table, columns: Sequence[str]) -> Taken:
    """Each part, and which of its rows are kept. ValueError where a table does not have the ids that it had.

    All rows are coded, and then some taken: not every column of Arrow or pandas can be filtered.
    """
    if table.parts is None:
        yield from ((part, slice(None)) for part in table.read(columns))
        return
    left = iter(table.parts)
    for part in table.read([*columns, *table.unit.columns]):
        before = next(left, None)
        if before is None or len(part) != len(before.kept):
            raise ValueError("the table has other rows than when they were bounded")
        if before.ids is not None and before.ids != digest(ids_of(part, table.unit, table.dates)):
            raise ValueError("the table has other rows than when they were bounded")
        yield part, before.kept
    if next(left, None) is not None:
        raise ValueError("the table has fewer rows than when they were bounded")


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
        rows = tuple(part[kept] for part in rows)
    return Bounded(rows, unit, _BOUNDED)


def _raw(bounded: Bounded) -> Any:
    """The arrays of bounded rows, or their table. Called in this package only, behind the wall."""
    if type(bounded) is not Bounded:
        raise TypeError(f"bounded rows are wanted, got {type(bounded).__name__}: use bound_table or bound_arrays")
    return object.__getattribute__(bounded, "_Bounded__rows")


def _parts(bounded: Bounded, columns: Sequence[str]) -> Taken:
    """A table read anew, with these columns or more: each part, and which of its rows are kept. Called as `_raw` is."""
    table = _raw(bounded)
    if not isinstance(table, _Table):
        raise TypeError("a table is wanted that is read here, got arrays or shares: use bound_table")
    yield from _taken(table, columns)


def _told(bounded: Bounded, columns: Sequence[str], work: Callable[[Taken], pa.Table]) -> list[pa.Table]:
    """What `work` returns of the parts of a table, and of those of each share of one. Called as `_raw` is.

    With ids it is given all rows of a unit together.
    """
    table = _raw(bounded)
    if isinstance(table, SpreadTable):
        return table.told(partial(_of_share, work))
    return [work(_parts(bounded, columns))]


def _of_share(work: Callable[[Taken], pa.Table], parts: Iterator[pa.Table]) -> pa.Table:
    return work((part, slice(None)) for part in parts)
