"""Rows of a Spark DataFrame where they lie: bounded, coded and counted in Spark's tasks.

A task gives an Arrow table of counts as its result, which Spark takes once from the attempt that it
commits; nothing else leaves a task. What goes wrong in one says nothing: the result is a mark.
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from dpsynth.data.engines.source import Rows
from dpsynth.data.engines.spark_scans import Scan
from dpsynth.door.shares import Pieces, Shares, Work

_PIECES = "number int, piece binary"
_FAILED = -1
"""The number of a piece that says that a task failed."""
_ROWS = 1 << 19
"""Rows of a table that a task works on at a time."""
_GROUPS = 4
"""Groups of units for each share, so that shares are of about one size."""

_Change: TypeAlias = Callable[[Rows], Rows]
_Opened: TypeAlias = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.Table]]


@dataclass(frozen=True, eq=False)
class SparkTable:
    """A DataFrame of Spark, and how its rows are changed first. scan: where tasks read files."""

    frame: Any = field(repr=False)
    scan: Scan | None = None
    changes: tuple[tuple[_Change, Callable[[Sequence[str]], Sequence[str]]], ...] = ()

    def changed(
        self, change: _Change, needed: Callable[[Sequence[str]], Sequence[str]]
    ) -> SparkTable:
        """The rows after one more change of each."""
        return replace(self, changes=(*self.changes, (change, needed)))

    def shares(self, columns: Sequence[str]) -> Shares:
        """These columns of it, and no others."""
        raw = columns
        for _, needed in reversed(self.changes):
            raw = needed(raw)
        names = [each.name for each in self.frame.schema.fields if each.name in {*raw}]
        changes = tuple(change for change, _ in self.changes)
        shares = int(self.frame.sparkSession.conf.get("spark.sql.shuffle.partitions"))
        read: _Opened = partial(_tables, names)
        frame, in_files = pruned(self.frame, names), self.scan is not None
        if self.scan is not None:
            frame, read = self.scan.frame, self.scan.tables(names)
        opened = partial(_changed, read, changes, [*columns])
        return _SparkShares(frame, opened, _GROUPS * shares, in_files)


@dataclass(frozen=True, eq=False)
class _SparkShares:
    """Shares that a DataFrame of Spark has, and what is made of them. held: what it needs kept.

    in_files: tasks read the rows of their share from files, where they are kept already.
    """

    frame: Any = field(repr=False)
    opened: _Opened
    groups: int
    in_files: bool
    works: tuple[Work, ...] = ()
    held: tuple[_Persisted, ...] = ()

    def made(self, work: Work) -> Shares:
        return replace(self, works=(*self.works, work))

    def gathered(self) -> Shares:
        divided = self._done().repartition("number")
        return replace(self, frame=divided, opened=_pieces, works=(), in_files=False)

    def kept(self) -> Shares:
        if self.in_files:  # read again in a fraction of the time that Spark's copy takes
            return replace(self, in_files=False)
        kept = _Persisted(self._done())
        return replace(self, frame=kept.frame, opened=_pieces, works=(), held=(*self.held, kept))

    def told(self, work: Callable[[Iterator[pa.Table]], pa.Table]) -> list[pa.Table]:
        rows = replace(self, works=(*self.works, partial(_result, work)))._done().collect()
        if any(row["number"] == _FAILED for row in rows):
            raise ValueError("a task failed")
        return [_table(pa.py_buffer(row["piece"])) for row in rows]

    def _done(self) -> Any:
        return self.frame.mapInArrow(partial(_task, self.opened, self.works), _PIECES)


class _Persisted:
    """A DataFrame that Spark keeps for as long as this is there."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame.persist()
        weakref.finalize(self, _forget, self.frame).atexit = False


def _forget(frame: Any) -> None:
    with contextlib.suppress(Exception):
        frame.unpersist()


def _task(
    opened: _Opened, works: Sequence[Work], batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """What a task does. Whatever goes wrong with the rows comes out as one mark."""
    from pyspark import TaskContext

    share = TaskContext.get().partitionId()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            numbered: Pieces = ((0, table) for table in opened(batches))
            for work in works:
                numbered = work(share, (table for _, table in numbered))
            for number, table in numbered:
                yield _piece(number, table)
    except Exception:
        with contextlib.suppress(Exception):
            for _ in batches:  # a task that leaves batches unread ends its worker
                pass
        yield _row(_FAILED, b"")


def _result(
    work: Callable[[Iterator[pa.Table]], pa.Table], share: int, parts: Iterator[pa.Table]
) -> Pieces:
    yield 0, work(parts)


def _piece(number: int, table: pa.Table) -> pa.RecordBatch:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return _row(number, sink.getvalue())


def _row(number: int, piece: Any) -> pa.RecordBatch:
    ends = pa.array([0, len(piece)], pa.int32()).buffers()[1]
    pieces = pa.Array.from_buffers(pa.binary(), 1, [None, ends, pa.py_buffer(piece)])
    return pa.RecordBatch.from_arrays([pa.array([number], pa.int32()), pieces], ["number", "piece"])


def _table(piece: pa.Buffer) -> pa.Table:
    return pa.ipc.open_stream(piece).read_all()


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    for batch in batches:
        for number, piece in zip(batch["number"].to_pylist(), batch["piece"], strict=True):
            if number == _FAILED:
                raise ValueError("a task failed")
            yield _table(piece.as_buffer())


def _tables(names: list[str], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows that Spark gives a task, some at a time, under their own names."""
    for some in _in_lots(batches):
        yield pa.Table.from_batches(some).rename_columns(names).combine_chunks()


def _changed(
    read: _Opened,
    changes: Sequence[_Change],
    columns: list[str],
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.Table]:
    """The tables of a task after all changes, with these columns."""
    for table in read(batches):
        rows: Rows = table
        for change in changes:
            rows = change(rows)
        assert isinstance(rows, pa.Table)
        yield rows.select(columns)


def _in_lots(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches until they have many rows: Spark's own size of a batch says nothing of the counts."""
    lot: list[pa.RecordBatch] = []
    for batch in batches:
        lot.append(batch)
        if sum(map(len, lot)) >= _ROWS:
            yield lot
            lot = []
    if lot:
        yield lot


def pruned(frame: Any, names: Sequence[str]) -> Any:
    """These columns, by their place: names may hold dots, or differ in case alone."""
    given = [each.name for each in frame.schema.fields]
    places = [f"c{given.index(name)}" for name in names]
    return frame.toDF(*(f"c{place}" for place in range(len(given)))).select(*places)
