"""Ties: where each row of several tables belongs, by the keys that lead from one table to the next, up to the root.

Neighbours: a unit is all rows of the root table that have one id, with every row whose keys lead there in one step or
several. A row without a key, or with a key that no row has, leads nowhere, and is left out. One that leads to two
units, as a key came twice, is of both and comes and goes with either; it is left out, too: else what is said of one
unit would hang on whether the other is there.

Stability: to whom a row belongs, which row of the table above it hangs on, and which one comes before it, follows from
rows of its own unit alone. A unit that comes or goes leaves all of this as it was for every other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dpsynth.door.bounding import hashed
from dpsynth.door.codes import Coding, codes_of
from dpsynth.door.ids import NO_ID, Numbering, digest
from dpsynth.door.keeping import Held, Read

NOWHERE, SEVERAL = -1, -2
"""In the place of a unit's number: the row leads to none, or to two."""


class Tie(NamedTuple):
    """How the rows of a table hang on those of another; all of it public.

    parent: the table. key: its column with the keys. column: the table's own, with the key of the row that a row hangs
    on. order: the columns by which rows that hang on one row follow each other, with their codings: the first is that
    of the moments, whose last cell is that of what is missing; the others decide between rows of one moment.
    """

    parent: str
    key: str
    column: str
    order: tuple[tuple[str, Coding], ...] = ()


@dataclass(frozen=True, eq=False)
class Placed:
    """A table, and where its rows belong: arrays with an entry for each row, in the order in which they are read.

    lengths, marks: of the parts: how many rows, and a hash of their keys; None where the table is held. units: the
    number of the unit, NOWHERE or SEVERAL. above: the row of the table above. before: the row before it among those of
    the same row above, -1 for none. places: how many come before. moments: the cells of its order. said: a hash of what
    the row says.
    """

    read: Read
    tie: Tie | None
    marking: str
    lengths: list[int]
    marks: list[bytes | None]
    units: np.ndarray
    above: np.ndarray
    before: np.ndarray
    places: np.ndarray
    moments: np.ndarray | None
    said: np.ndarray

    def parts(self, columns: Sequence[str]) -> Iterator[Any]:
        """The parts of the table with these columns, or more. ValueError where it has other rows than it had."""
        count = 0
        for part in self.read([*dict.fromkeys([*columns, self.marking])]):
            alike = count < len(self.lengths) and len(part) == self.lengths[count]
            if not alike or (self.marks[count] is not None and self.marks[count] != digest(part[self.marking])):
                raise ValueError("the table has other rows than when they were linked")
            count += 1
            yield part
        if count < len(self.lengths):
            raise ValueError("the table has fewer rows than when they were linked")


@dataclass(frozen=True, eq=False)
class _Keys:
    """The keys of a table: for each its number, to which unit it leads, and the first row that has it."""

    numbering: Numbering
    units: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, numbering: Numbering, numbers: np.ndarray, units: np.ndarray) -> _Keys:
        """numbers: of the key of each row."""
        size = len(numbering.keys)
        least, most = np.full(size, np.iinfo(np.int64).max), np.full(size, np.iinfo(np.int64).min)
        leads = units != NOWHERE
        np.minimum.at(least, numbers[leads], units[leads])
        np.maximum.at(most, numbers[leads], units[leads])
        owners = np.where(least > most, NOWHERE, np.where(least == most, least, SEVERAL))
        rows, owned = np.full(size, -1), np.flatnonzero(units >= 0)[::-1]
        rows[numbers[owned]] = owned  # the first row comes last, and stays
        if NO_ID in numbering.keys:
            owners[numbering.keys.index(NO_ID)] = NOWHERE
        return cls(numbering, owners, rows)

    def led(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For rows with these keys the unit, and the row that they hang on; keys that no row has lead nowhere."""
        known = np.minimum(numbers, len(self.units))
        return np.append(self.units, NOWHERE)[known], np.append(self.rows, -1)[known]


class Root(NamedTuple):
    """The table whose rows the others hang on, and its column of ids."""

    table: str
    key: str


def placed(
    reads: Mapping[str, Read], root: Root, ties: Mapping[str, Tie], records: Mapping[str, Mapping[str, Coding]]
) -> tuple[dict[str, Placed], list[bytes]]:
    """Where the rows of all tables belong, and the id of each unit. One reading of each table.

    reads: the root first, and each table after the one above it. records: codings of what rows say, by which those of a
    unit are told apart; where they say the same, their order decides.
    """
    found: dict[str, Placed] = {}
    keys: dict[str, _Keys] = {}
    ids: list[bytes] = []
    for name, read in reads.items():
        tie = ties.get(name)
        own = next((each.key for each in ties.values() if each.parent == name), None)
        leading, marking = (Numbering(), root.key) if tie is None else (keys[tie.parent].numbering, tie.column)
        table = _read_once(read, marking, leading, own, () if tie is None else tie.order, records.get(name, {}))
        if tie is None:
            ids = leading.keys
            units, above = table.leading, np.full(len(table.leading), -1)
        else:
            units, above = keys[tie.parent].led(table.leading)
        before, places = _in_order(units, above, table.order, table.said)
        moments = table.order[0] if len(table.order) else None
        arrays = (units, above, before, places, moments, table.said)
        found[name] = Placed(read, tie, marking, table.lengths, table.marks, *arrays)
        if own is not None:
            keys[name] = _Keys.of(table.numbering, table.keys, units)
    return found, ids


class _Table(NamedTuple):
    """What is read of a table. leading: for each row the number of the key that it has of a row above; the root's of
    its id. numbering, keys: of its own keys. order: a line for each column of its order. The others as in Placed.
    """

    lengths: list[int]
    marks: list[bytes | None]
    leading: np.ndarray
    numbering: Numbering
    keys: np.ndarray
    order: np.ndarray
    said: np.ndarray


def _read_once(
    read: Read,
    marking: str,
    leading: Numbering,
    own: str | None,
    order: Sequence[tuple[str, Coding]],
    said: Mapping[str, Coding],
) -> _Table:
    lengths: list[int] = []
    marks: list[bytes | None] = []
    numbering = Numbering()
    leads, keys = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    orders, hashes = [np.zeros((len(order), 0), dtype=np.int64)], [np.zeros(0, dtype=np.uint64)]
    for part in read([*dict.fromkeys([marking, *([own] if own else []), *dict(order), *said])]):
        lengths.append(len(part))
        marks.append(None if isinstance(read, Held) else digest(part[marking]))
        leads.append(leading.of(part[marking]))
        if own is not None:
            keys.append(numbering.of(part[own]))
        codes = [codes_of(part[column], coding) for column, coding in order]
        orders.append(np.array(codes, dtype=np.int64).reshape(len(order), len(part)))
        hashes.append(hashed([*codes, *(codes_of(part[c], said[c]) for c in sorted(said))], len(part)))
    whole = (np.concatenate(leads), numbering, np.concatenate(keys), np.concatenate(orders, axis=1))
    return _Table(lengths, marks, *whole, np.concatenate(hashes))


def _in_order(
    units: np.ndarray, above: np.ndarray, ordering: np.ndarray, said: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each row the row before it among those of the same row above, and how many come before it."""
    rows = np.flatnonzero(units >= 0)
    order = rows[np.lexsort((said[rows], *ordering[::-1, rows], above[rows]))]
    first = np.ones(len(order), dtype=bool)
    first[1:] = above[order[1:]] != above[order[:-1]]
    starts = np.flatnonzero(first)
    before, places = np.full(len(units), -1), np.zeros(len(units), dtype=np.int64)
    before[order[1:]] = np.where(first[1:], -1, order[:-1])
    places[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return before, places
