"""Bounded: raw rows that have been through the bounding, which is the only way into private tables and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dpsynth.base.closed import Closed, closed
from dpsynth.door.bounding import bounded_rows, chosen, crowded, hashed
from dpsynth.door.codes import Coding, codes_of
from dpsynth.door.ids import Joint, Numbering, digest
from dpsynth.kernel.rows import _BOUNDED
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.kernel.wall import behind_the_wall

Read: TypeAlias = Callable[[Sequence[str]], Iterable[Any]]
"""Reads a table anew, in parts: DataFrames or Arrow tables with these columns, or more. Each time they are
the same rows, in the same order and the same parts; a reader that sees another table raises.
"""


class Held:
    """Reads a table once, and holds it: whatever is read of it later is the same."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = cache(read)

    def __call__(self, columns: Sequence[str]) -> list[Any]:
        return [self._read()]


class _Part(NamedTuple):
    """Of a part of a table: for each row whether it is kept, and a hash of the ids; None where the table is held."""

    kept: np.ndarray
    ids: bytes | None


class _Table(NamedTuple):
    read: Read
    unit: PrivacyUnit
    dates: Mapping[str, Coding]
    parts: list[_Part] | None = None
    """None where the unit has no ids: all rows are kept."""


class Bounded(Closed):
    """Raw rows, closed, of which no unit has more than `unit.max_records`. `bound_table` and `bound_arrays` make them.

    Rows of a unit without an id column are bounded as they are: any max_records of them are one unit.
    """

    _closed_because = "bounded rows cannot be copied or read: make a PrivateTable or SensitiveRows of them"
    __slots__ = ("__rows", "unit")
    unit: PrivacyUnit

    def __init__(self, rows: tuple[Any, ...] | _Table, unit: PrivacyUnit, shown: object) -> None:
        if shown is not _BOUNDED:
            raise TypeError("bounded rows are made by bound_table and bound_arrays only")
        object.__setattr__(self, "_Bounded__rows", rows)
        object.__setattr__(self, "unit", unit)

    def __repr__(self) -> str:
        return f"Bounded({self.unit.describe()})"

    __iter__ = __len__ = __getitem__ = __setattr__ = __delattr__ = closed


def bound_table(
    read: Read, unit: PrivacyUnit, dates: Mapping[str, Coding] = {}, records: Mapping[str, Coding] = {}
) -> Bounded:
    """The rows of a table, by the ids in its own columns. Without ids nothing is read yet. RowsError.

    dates: for each column of dates in the unit the coding of its periods. records: codings of the columns by which rows
    of a unit are told apart, where it has too many; where they say the same, the order of rows decides.
    """
    if unit.id_column is None:
        return Bounded(_Table(read, unit, dates), unit, _BOUNDED)
    parts = behind_the_wall(lambda: _bounds(read, unit, dates, records))
    return Bounded(_Table(read, unit, dates, parts), unit, _BOUNDED)


def _bounds(read: Read, unit: PrivacyUnit, dates: Mapping[str, Coding], records: Mapping[str, Coding]) -> list[_Part]:
    """One reading, whether or not anybody has too many rows."""
    numbering = Numbering()
    numbers, hashes, said = [], [], [np.zeros(0, dtype=np.uint64)]
    for part in read([*records, *unit.columns]):
        ids = ids_of(part, unit, dates)
        numbers.append(numbering.of(ids).astype(np.int32))
        hashes.append(None if isinstance(read, Held) else digest(ids))
        said.append(hashed([codes_of(part[name], records[name]) for name in sorted(records)], len(part)))
    number = np.concatenate([np.zeros(0, dtype=np.int32), *numbers])
    many = crowded(number, unit)
    kept = ~many
    kept[many] = chosen(numbering.keys, number[many], np.concatenate(said)[many], unit)
    return [*map(_Part, np.split(kept, np.cumsum([*map(len, numbers)])[:-1]), hashes)]


def _taken(table: _Table, columns: Sequence[str]) -> Iterator[tuple[Any, np.ndarray | slice]]:
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
        if before.ids not in (None, digest(ids_of(part, table.unit, table.dates))):
            raise ValueError("the table has other rows than when they were bounded")
        yield part, before.kept
    if next(left, None) is not None:
        raise ValueError("the table has fewer rows than when they were bounded")


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
        rows = tuple(part[kept] for part in rows)
    return Bounded(rows, unit, _BOUNDED)


def _raw(bounded: Bounded) -> Any:
    """The arrays of bounded rows, or their table. Called in this package only, behind the wall."""
    if type(bounded) is not Bounded:
        raise TypeError(f"bounded rows are wanted, got {type(bounded).__name__}: use bound_table or bound_arrays")
    return object.__getattribute__(bounded, "_Bounded__rows")


def _parts(bounded: Bounded, columns: Sequence[str]) -> Iterator[tuple[Any, np.ndarray | slice]]:
    """A table read anew, with these columns or more: each part, and which of its rows are kept. Called as `_raw` is."""
    table = _raw(bounded)
    if not isinstance(table, _Table):
        raise TypeError("a table is wanted, got arrays: use bound_table")
    yield from _taken(table, columns)
