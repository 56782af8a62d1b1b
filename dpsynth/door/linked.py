"""Linked rows: what a row of one of several tables says, with what those say that it hangs on and that come before it.

Whose each row is stands in `ties`. All that a row says here comes from rows of its own unit: its own values, those of
the rows above it, of the row before it, and how many rows, from which moment on, hang on it. So a unit that comes or
goes brings or takes its own rows of a table and changes no other; of these at most `unit.max_records` are used, chosen
by its id and its own rows. That is what `PrivateTable.marginals` has the sensitivity of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dpsynth.base.closed import Closed, closed
from dpsynth.door.bounded import Bounded, _Table
from dpsynth.door.bounding import chosen, crowded
from dpsynth.door.codes import Coding, codes_of
from dpsynth.door.keeping import Part, Read
from dpsynth.door.ties import Placed, Root, Tie, placed
from dpsynth.kernel.rows import _BOUNDED
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.kernel.wall import behind_the_wall


class Own(NamedTuple):
    """A column of the rows themselves."""

    column: str


class Children(NamedTuple):
    """How many rows of another table hang on each row."""

    table: str


class First(NamedTuple):
    """In which stretch of so many moments the first row of another table lies that hangs on each row; NaN for none."""

    table: str
    stretch: int = 1


class Moment(NamedTuple):
    """In which stretch of so many moments each row lies; modulo `cycle`, where that is given. NaN for none."""

    stretch: int = 1
    cycle: int | None = None


class Gap(NamedTuple):
    """How many stretches lie between each row and the one before it; NaN for the first row, and for no moment."""

    stretch: int = 1


class Place(NamedTuple):
    """How many rows come before each, of those that hang on the same row."""


Value: TypeAlias = Own | Children | First | Moment | Gap | Place


class Above(NamedTuple):
    """What the row says that a row hangs on, in one step or several, in cells of a coding."""

    table: str
    value: Value
    coding: Coding


class Before(NamedTuple):
    """What the row before a row says, in cells of a coding; what is missing for the first."""

    value: Value
    coding: Coding


class Cells:
    """The coding of what is in cells already, as `Above` and `Before` are."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.null = self.bad = size - 1

    @property
    def numbers(self) -> Cells:
        return self

    @property
    def datetimes(self) -> Cells:
        return self

    def of(self, number: float) -> int:
        return int(number)

    def at(self, numbers: np.ndarray) -> np.ndarray:
        return numbers.astype(np.int64)

    def code(self, value: Any) -> int:
        return self.bad


class LinkedRows(Closed):
    """Rows of several tables, closed, each with the unit that it belongs to. `link_tables` makes them."""

    _closed_because = "linked rows cannot be copied or read: ask for bounded rows of a table"
    __slots__ = ("__ids", "__tables", "root")
    __tables: Mapping[str, Placed]
    __ids: Sequence[bytes]
    root: Root

    def __init__(self, tables: Mapping[str, Placed], ids: Sequence[bytes], root: Root, shown: object) -> None:
        if shown is not _BOUNDED:
            raise TypeError("linked rows are made by link_tables only")
        object.__setattr__(self, "_LinkedRows__tables", tables)
        object.__setattr__(self, "_LinkedRows__ids", ids)
        object.__setattr__(self, "root", root)

    def rows(self, table: str, values: Mapping[str, Value | Above | Before], unit: PrivacyUnit) -> Bounded:
        """The rows of one table, of which no unit has more than `unit.max_records`. RowsError.

        values: what they say, each under the name by which it is asked for; `Cells` reads what is `Above` and `Before`.
        """
        if unit.id_column != self.root.key:
            raise ValueError(f"linked rows are of every {self.root.key!r}, got a unit of {unit.name}: name the root's")
        return behind_the_wall(lambda: _bounded(self.__tables, self.__ids, table, values, unit))

    def __repr__(self) -> str:
        return f"LinkedRows({len(self.__tables)} tables of every {self.root.key!r})"

    __iter__ = __len__ = __getitem__ = __setattr__ = __delattr__ = closed


def link_tables(
    reads: Mapping[str, Read], root: Root, ties: Mapping[str, Tie], records: Mapping[str, Mapping[str, Coding]] = {}
) -> LinkedRows:
    """The rows of several tables, each with the unit that it belongs to; see `ties.placed`. RowsError."""
    tables, ids = behind_the_wall(lambda: placed(reads, root, ties, records))
    return LinkedRows(tables, ids, root, _BOUNDED)


def _bounded(
    tables: Mapping[str, Placed],
    ids: Sequence[bytes],
    name: str,
    values: Mapping[str, Value | Above | Before],
    unit: PrivacyUnit,
) -> Bounded:
    table = tables[name]
    kept = table.units >= 0
    number = table.units[kept]
    many = crowded(number, unit)
    among = ~many
    among[many] = chosen(ids, number[many], table.said[kept][many], unit)
    kept[kept] = among
    parts = [Part(each, None) for each in np.split(kept, np.cumsum(table.lengths)[:-1])] if table.lengths else []
    own = {asked: value.column for asked, value in values.items() if isinstance(value, Own)}
    made = {asked: _made(tables, name, value) for asked, value in values.items() if not isinstance(value, Own)}
    return Bounded(_Table(partial(_read, table, own, made), unit, {}, parts), unit, _BOUNDED)


@dataclass(frozen=True, eq=False)
class _Joined:
    """A part of a table: its own columns by the names that they are asked for, and columns that were made."""

    part: Any
    own: Mapping[str, str]
    made: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, asked: Any) -> Any:
        return self.made[asked] if asked in self.made else self.part[self.own[asked]]


def _read(
    table: Placed, own: Mapping[str, str], made: Mapping[str, np.ndarray], columns: Sequence[str]
) -> Iterator[_Joined]:
    start = 0
    for part in table.parts([own[asked] for asked in columns if asked in own]):
        end = start + len(part)
        yield _Joined(part, own, {asked: each[start:end] for asked, each in made.items()})
        start = end


def _made(tables: Mapping[str, Placed], name: str, value: Value | Above | Before) -> np.ndarray:
    """An entry for each row of a table: numbers, or cells."""
    table = tables[name]
    match value:
        case Above(above, inner, coding):
            rows, at = table.above, table.tie
            while at is not None and at.parent != above:
                rows, at = np.append(tables[at.parent].above, -1)[rows], tables[at.parent].tie
            if at is None:
                raise ValueError("the rows hang on no row of that table")
            return np.append(_cells(tables, above, inner, coding), coding.null)[rows]
        case Before(inner, coding):
            return np.append(_cells(tables, name, inner, coding), coding.null)[table.before]
        case Children(child):
            below = tables[child]
            return np.bincount(below.above[below.units >= 0], minlength=len(table.units))
        case First(child, stretch):
            below, first = tables[child], np.full(len(table.units), np.nan)
            rows = np.flatnonzero((below.units >= 0) & (below.places == 0))
            first[below.above[rows]] = _stretches(below, stretch)[rows]
            return first
        case Moment(stretch, cycle):
            stretches = _stretches(table, stretch)
            return stretches if cycle is None else stretches % cycle
        case Gap(stretch):
            stretches = np.append(_stretches(table, stretch), np.nan)
            return stretches[:-1] - stretches[table.before]
        case Place():
            return table.places
    raise TypeError(f"a value of linked rows is wanted, got {type(value).__name__}")


def _stretches(table: Placed, stretch: int) -> np.ndarray:
    """For each row the number of its stretch of moments; NaN where its moment cannot be read."""
    if table.moments is None or table.tie is None:
        raise ValueError("the rows have no order")
    return np.where(table.moments < table.tie.order[0][1].null, table.moments // stretch, np.nan)


def _cells(tables: Mapping[str, Placed], name: str, value: Value, coding: Coding) -> np.ndarray:
    """What each row of a table says, in cells of a coding."""
    if not isinstance(value, Own):
        return codes_of(_made(tables, name, value), coding)
    parts = [codes_of(part[value.column], coding) for part in tables[name].parts([value.column])]
    return np.concatenate([np.zeros(0, dtype=np.uint8), *parts])
