"""Shares: a table whose rows lie on other machines. Each share of it is bounded, coded and counted there.

What is sent there is what bounds, codes and counts in memory. With ids, all rows of a unit come into one share, by the
key of its id as `ids` makes it, so that a share bounds its units as memory does. Whoever runs the shares is trusted for
one thing: `told` gives what came of each share once, however often it was tried. The rest is checked at each telling:
all rows came over that were sent, once; no two shares have rows of one unit; and all tellings are of the same rows.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pyarrow as pa

from dpsynth.door.codes import Coding
from dpsynth.door.ids import units
from dpsynth.door.keeping import bounds_of, ids_of
from dpsynth.kernel.unit import PrivacyUnit

Pieces: TypeAlias = Iterator[tuple[int, pa.Table]]
Work: TypeAlias = Callable[[int, Iterator[pa.Table]], Pieces]
"""Makes numbered pieces of the pieces of a share, which has a number, too."""

_MARK = b"dpsynth"
_VALUES = 1 << 22
"""Values of a piece that is kept, so that it has megabytes whatever the columns are."""


class Shares(Protocol):
    """Pieces of a table, in shares on other machines. Nothing is done before `told`."""

    @property
    def groups(self) -> int:
        """So many groups of units are told apart, so that a share can have whole ones. Public."""
        ...

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
    first: list[list[Any]]

    @classmethod
    def of(
        cls, table: Spread, unit: PrivacyUnit, dates: Mapping[str, Coding], records: Mapping[str, Coding]
    ) -> SpreadTable:
        """The rows of a table, bounded as in memory. Nothing is read before the first telling."""
        shares = table.shares([*dict.fromkeys([*records, *unit.columns])])
        if unit.id_column is None:
            return cls(shares.made(_all_kept).kept(), [])
        divided = shares.made(partial(_divided, unit, dates, shares.groups)).gathered()
        return cls(divided.made(partial(_bounded, unit, dates, records, shares.groups)).kept(), [])

    def made(self, work: Callable[[pa.Table], pa.Table]) -> SpreadTable:
        """What becomes of each piece, kept beside it."""
        return SpreadTable(self.kept.made(partial(_each, work)).kept(), self.first)

    def told(self, work: Callable[[Iterator[pa.Table]], pa.Table]) -> list[pa.Table]:
        """What `work` returns of each share. ValueError where these are not the shares of the first telling."""
        found = self.kept.told(partial(_noted, work))
        marks = sorted(mark for table in found for mark in json.loads(table.schema.metadata[_MARK]))
        _check(list(map(_Mark._make, marks)))
        if self.first and self.first[0] != marks:
            raise ValueError("the table has other rows than when they were bounded")
        self.first[:] = [marks]
        return found


class _Mark(NamedTuple):
    """Of a kept piece. sums: of rows, and of hashes of what tells them apart.

    The first piece of a share with ids has more. groups: of units in the share. came: sums of all rows that came to it.
    sent: for each share that told it so, its number and the sums of all rows that were sent from there.
    """

    share: int
    place: int
    sums: list[int]
    groups: list[int] = []  # noqa: RUF012  # of a NamedTuple that goes through JSON; never changed
    came: list[int] = [0, 0]  # noqa: RUF012
    sent: list[list[int]] = []  # noqa: RUF012


def _check(marks: Sequence[_Mark]) -> None:
    """ValueError where rows were counted twice or not at all, or lie in another share than others of their unit."""
    if len({mark[:2] for mark in marks}) < len(marks):
        raise ValueError("a piece was told twice")
    groups = [group for mark in marks for group in mark.groups]
    if len({*groups}) < len(groups):
        raise ValueError("rows of one unit lie in two shares")
    sent = [each for mark in marks for each in mark.sent]
    if len({share for share, *_ in sent}) < len(sent):
        raise ValueError("a share was sent twice")
    if _added([mark.came for mark in marks]) != _added([sums for _, *sums in sent]):
        raise ValueError("other rows came than were sent")


def _added(sums: Sequence[Sequence[int]]) -> list[int]:
    return [sum(each[0] for each in sums), sum(each[1] for each in sums) % (1 << 64)]


def _divided(
    unit: PrivacyUnit, dates: Mapping[str, Coding], groups: int, share: int, parts: Iterator[pa.Table]
) -> Pieces:
    """The rows of each group of units apart, and then, in a piece without rows, the sums of all of them."""
    found: dict[int, list[pa.Table]] = {}
    sums = []
    for part in map(_plain, parts):
        hashes = _hashes(part, unit, dates)
        group = (hashes % np.uint64(groups)).astype(np.int64)
        order = np.argsort(group, kind="stable")
        rows, starts = part.take(pa.array(order)), np.searchsorted(group[order], np.arange(groups + 1))
        for number in np.flatnonzero(np.diff(starts)).tolist():
            found.setdefault(number, []).append(rows.slice(starts[number], starts[number + 1] - starts[number]))
        sums.append([len(part), int(hashes.sum())])
        none = part.slice(0, 0)
    for number, pieces in sorted(found.items()):
        yield from ((number, table) for table in _joined(pieces))
    if sums:
        yield share % groups, none.replace_schema_metadata({_MARK: json.dumps([share, *_added(sums)])})


def _plain(table: pa.Table) -> pa.Table:
    """The same values without dictionaries, of which each piece would hold all."""
    kinds = [each.value_type if pa.types.is_dictionary(each) else each for each in table.schema.types]
    return table.cast(pa.schema(zip(table.column_names, kinds, strict=True)))


def _hashes(part: pa.Table, unit: PrivacyUnit, dates: Mapping[str, Coding]) -> np.ndarray:
    """For each row a hash of whose it is, which follows from the key of that id alone; uint64."""
    keys, number = units(ids_of(part, unit, dates))
    return np.array([zlib.crc32(key) for key in keys], dtype=np.uint64)[number]


def _joined(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """The same rows, in as few tables as there are types: what a column holds in one part may decide its type there."""
    alike: dict[str, list[pa.Table]] = {}
    for table in tables:
        alike.setdefault(str(table.schema.remove_metadata()), []).append(table)
    return [pa.concat_tables(each).combine_chunks() for each in alike.values()]


def _bounded(
    unit: PrivacyUnit,
    dates: Mapping[str, Coding],
    records: Mapping[str, Coding],
    groups: int,
    share: int,
    parts: Iterator[pa.Table],
) -> Pieces:
    """The rows of whole units that are kept, in marked pieces. All rows of the share are held."""
    pieces = [*parts]
    marks = [(each.schema.metadata or {}).get(_MARK) for each in pieces]
    tables = _joined(pieces)
    hashes = [_hashes(table, unit, dates) for table in tables]
    all_hashes = np.concatenate([np.zeros(0, dtype=np.uint64), *hashes])
    there = np.unique(all_hashes % np.uint64(groups)).tolist()
    came = [len(all_hashes), int(all_hashes.sum())]
    more: tuple[Any, ...] = (there, came, sorted(json.loads(mark) for mark in marks if mark is not None))
    place = 0
    for table, each, (kept, _) in zip(tables, hashes, bounds_of(lambda _: tables, unit, dates, records), strict=True):
        places = np.flatnonzero(kept)
        length = _length(table)
        for start in range(0, max(1, len(places)), length):
            some = places[start : start + length]
            yield 0, _marked(table.take(pa.array(some)), share, place, int(each[some].sum()), *more)
            place, more = place + 1, ()


def _all_kept(share: int, parts: Iterator[pa.Table]) -> Pieces:
    """All rows of a share, in marked pieces."""
    place = 0
    for part in parts:
        length = _length(part)
        for start in range(0, len(part), length):
            piece = part.slice(start, length)
            yield 0, _marked(piece, share, place, zlib.crc32(_written(piece)))
            place += 1


def _length(table: pa.Table) -> int:
    return max(1, _VALUES // max(1, table.num_columns))


def _written(table: pa.Table) -> Any:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _marked(table: pa.Table, share: int, place: int, total: int, *more: Any) -> pa.Table:
    """A piece with its mark, of texts each written once."""
    mark = _Mark(share, place, [len(table), total], *more)
    compact = [
        column.dictionary_encode().unify_dictionaries() if pa.types.is_string(column.type) else column
        for column in table.columns
    ]
    return pa.table(compact, table.column_names, metadata={_MARK: json.dumps(mark)})


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
