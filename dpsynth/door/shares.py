"""Shares: a table whose rows lie on other machines. Each share of it is bounded, coded and counted there.

What is sent there is what bounds, codes and counts in memory. With ids, all rows of a unit come into one share, by the
key of its id as `ids` makes it, so that a share bounds its units as memory does. Whoever runs the shares is trusted for
one thing: `told` gives what came of each share once, however often it was tried. All else is checked at each telling:
no piece comes twice, no two shares have rows of one unit, and all tellings are of the same rows.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pyarrow as pa

from dpsynth.door.bounding import hashed
from dpsynth.door.codes import Coding, codes_of
from dpsynth.door.ids import NO_ID, units
from dpsynth.door.keeping import Held, bounds_of, ids_of
from dpsynth.kernel.unit import PrivacyUnit

Pieces: TypeAlias = Iterator[tuple[int, pa.Table]]
Work: TypeAlias = Callable[[int, Iterator[pa.Table]], Pieces]
"""Makes numbered pieces of the pieces of a share, which has a number, too."""

_MARK = b"dpsynth"
_ROWS = 1 << 19
"""Rows of a piece that is kept."""

_Mark: TypeAlias = tuple[int, int, list[int], int, int]
"""Of a piece: its share, its place there, the groups of units in the share, its rows, and a hash of what they say."""


class Shares(Protocol):
    """Pieces of a table, in shares on other machines. Nothing is done before `told`."""

    groups: int
    """So many groups of units are told apart, so that a share can have whole ones. Public."""

    def made(self, work: Work) -> Shares:
        """What `work` makes of each share, in as many shares."""
        ...

    def gathered(self) -> Shares:
        """The same pieces, those with one number in one share."""
        ...

    def kept(self) -> Shares:
        """The same pieces, kept where they are from their first telling on; those that are lost are made anew."""
        ...

    def told(self, work: Callable[[Iterator[pa.Table]], pa.Table]) -> list[pa.Table]:
        """What `work` returns of each share, once, whatever was tried before. It raises where any of it failed."""
        ...


@runtime_checkable
class Spread(Protocol):
    """A table that lies in shares."""

    def shares(self, columns: Sequence[str]) -> Shares:
        """These columns of it, and no others."""
        ...


class SpreadTable(NamedTuple):
    """Bounded rows in shares, and what the first telling said of them."""

    kept: Shares
    first: list[list[_Mark]]

    @classmethod
    def of(
        cls, table: Spread, unit: PrivacyUnit, dates: Mapping[str, Coding], records: Mapping[str, Coding]
    ) -> SpreadTable:
        """The rows of a table, bounded as in memory. Nothing is read before the first telling."""
        shares = table.shares([*dict.fromkeys([*records, *unit.columns])])
        if unit.id_column is not None:
            shares = shares.made(partial(_divided, unit, dates, shares.groups)).gathered()
        return cls(shares.made(partial(_bounded, unit, dates, records, shares.groups)).kept(), [])

    def made(self, work: Callable[[pa.Table], pa.Table]) -> SpreadTable:
        """What becomes of each piece, kept beside it."""
        return SpreadTable(self.kept.made(partial(_each, work)).kept(), self.first)

    def told(self, work: Callable[[Iterator[pa.Table]], pa.Table]) -> list[pa.Table]:
        """What `work` returns of each share. ValueError where these are not the shares of the first telling."""
        found = self.kept.told(partial(_noted, work))
        marks = sorted(mark for table in found for mark in json.loads(table.schema.metadata[_MARK]))
        groups = [group for _, groups in {(mark[0], (*mark[2],)) for mark in marks} for group in groups]
        if len({(*mark[:2],) for mark in marks}) < len(marks) or len({*groups}) < len(groups):
            raise ValueError("a piece came twice, or rows of one unit lie in two shares")
        if self.first and self.first[0] != marks:
            raise ValueError("the table has other rows than when they were bounded")
        self.first[:] = [marks]
        return found


def _divided(
    unit: PrivacyUnit, dates: Mapping[str, Coding], groups: int, share: int, parts: Iterator[pa.Table]
) -> Pieces:
    """The rows of each group of units apart."""
    for part in parts:
        group = _groups(part, unit, dates, groups)
        order = np.argsort(group, kind="stable")
        rows, starts = part.take(pa.array(order)), np.searchsorted(group[order], np.arange(groups + 1))
        for number in np.flatnonzero(np.diff(starts)).tolist():
            yield number, rows.slice(starts[number], starts[number + 1] - starts[number])


def _groups(part: pa.Table, unit: PrivacyUnit, dates: Mapping[str, Coding], groups: int) -> np.ndarray:
    """For each row the group of its unit, which follows from the key of its id alone."""
    keys, number = units(ids_of(part, unit, dates))
    return np.array([zlib.crc32(key) % groups for key in [*keys, NO_ID]], dtype=np.int64)[number]


def _bounded(
    unit: PrivacyUnit,
    dates: Mapping[str, Coding],
    records: Mapping[str, Coding],
    groups: int,
    share: int,
    parts: Iterator[pa.Table],
) -> Pieces:
    """The rows that are kept, in marked pieces. With ids all rows of the share are held, else those of a piece."""
    there: list[int] = []
    if unit.id_column is not None:
        whole = [*parts]
        if not whole:
            return
        table = pa.concat_tables(whole)
        there = np.unique(_groups(table, unit, dates, groups)).tolist()
        (kept,) = bounds_of(Held(lambda: table), unit, dates, records)
        table = table.take(pa.array(np.flatnonzero(kept.kept)))
        parts = (table.slice(start, _ROWS) for start in range(0, len(table), _ROWS))
    for place, part in enumerate(parts):
        said = hashed([codes_of(part[name], records[name]) for name in sorted(records)], len(part))
        mark = (share, place, there, len(part), int(said.sum()))
        compact = [_compact(column) for column in part.columns]
        yield 0, pa.table(compact, part.column_names, metadata={_MARK: json.dumps(mark)})


def _compact(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column, of texts each written once."""
    return column.dictionary_encode().unify_dictionaries() if pa.types.is_string(column.type) else column


def _each(work: Callable[[pa.Table], pa.Table], share: int, parts: Iterator[pa.Table]) -> Pieces:
    for part in parts:
        yield 0, work(part).replace_schema_metadata(part.schema.metadata)


def _noted(work: Callable[[Iterator[pa.Table]], pa.Table], parts: Iterator[pa.Table]) -> pa.Table:
    """What `work` returns, with the marks of the pieces that it was given."""
    marks = []

    def noting() -> Iterator[pa.Table]:
        for part in parts:
            marks.append(json.loads(part.schema.metadata[_MARK]))
            yield part

    found = work(noting())
    return found.replace_schema_metadata({_MARK: json.dumps(marks)})
