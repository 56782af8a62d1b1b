"""DataFrames of Spark: rows are bounded, coded and counted in Spark's tasks, and never collected.

A task gives an Arrow table of counts as its result, which Spark takes once from the attempt that it
commits; nothing else leaves a task. What goes wrong in one says nothing: the result is a mark.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from dpsynth.base.versions import versions
from dpsynth.data.engines.source import Rows, Source
from dpsynth.door.shares import Pieces, Shares, Work
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.table import Schema

_PIECES = "number int, piece binary"
_FAILED = -1
"""The number of a piece that says that a task failed."""
_ROWS = 1 << 19
"""Rows of a table that a task works on at a time."""
_SIMPLE = frozenset(
    {
        *("string", "char", "varchar", "boolean", "tinyint", "smallint", "int", "bigint"),
        *("float", "double", "decimal", "date", "timestamp", "timestamp_ntz", "binary"),
    }
)
_MIXING = frozenset({"GlobalLimit", "LocalLimit", "Offset", "Tail", "Sample"})
"""Steps of a plan by which one row decides about others."""
_EXCHANGES = ("Exchange", "ShuffleExchange", "CustomShuffleReader")
_CHECKSUMS = "spark.sql.shuffle.orderIndependentChecksum.enabled"
_RETRIES = "spark.sql.shuffle.orderIndependentChecksum.enableFullRetryOnMismatch"

_Change: TypeAlias = Callable[[Rows], Rows]
_Opened: TypeAlias = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.Table]]


def is_spark(data: object) -> bool:
    """Whether this is a DataFrame of Spark. Spark is not imported: who has one has done so."""
    return type(data).__module__.startswith("pyspark.sql.") and type(data).__name__ == "DataFrame"


def spark_fault() -> str:
    """The sentence that says that a DataFrame of Spark could not be read."""
    return "the Spark DataFrame cannot be read: see in Spark whether its count() ends without error"


def open_spark(frame: Any, schema: Schema | None) -> Source:
    """The source of a DataFrame of Spark, of which no row has been read.

    Raises
    ------
    SchemaError
        Where its plan may give other rows when a task is tried again, where one row decides about
        others, and where the workers lack this package.
    """
    if type(frame).__module__.startswith("pyspark.sql.connect"):
        raise SchemaError(
            "the DataFrame is of Spark Connect, whose plan cannot be checked: use a classic"
            " session, or write the table to Parquet and give the path"
        )
    if frame.isStreaming:
        raise SchemaError(
            "the DataFrame is a stream, which has other rows each time: write it to a table first"
        )
    names = [each.name for each in frame.schema.fields]
    wanted = names
    if schema is not None:
        wanted = [name for name in names if name in {*schema.coded, *schema.unit.columns}]
    _refuse_types(frame, wanted, schema)
    if schema is not None and wanted:
        _refuse_plan(_pruned(frame, wanted), with_ids=schema.unit.id_column is not None)
        _refuse_other_workers(frame)
    types = pa.schema([(each.name, _arrow_type(each)) for each in frame.schema.fields])
    return Source(names, partial(_collected, frame), types, spread=SparkTable(frame))


@dataclass(frozen=True, eq=False)
class SparkTable:
    """A DataFrame of Spark, and how its rows are changed before anything else."""

    frame: Any = field(repr=False)
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
        opened = partial(_tables, names, changes, [*columns])
        return _SparkShares(_pruned(self.frame, names), opened, self._groups())

    def _groups(self) -> int:
        return 2 * int(self.frame.sparkSession.conf.get("spark.sql.shuffle.partitions"))


@dataclass(frozen=True, eq=False)
class _SparkShares:
    frame: Any = field(repr=False)
    opened: _Opened
    groups: int
    works: tuple[Work, ...] = ()

    def made(self, work: Work) -> Shares:
        return replace(self, works=(*self.works, work))

    def gathered(self) -> Shares:
        return _SparkShares(self._done().repartition("number"), _pieces, self.groups)

    def kept(self) -> Shares:
        kept = _SparkShares(self._done().persist(), _pieces, self.groups)
        weakref.finalize(kept, _forget, kept.frame)
        return _Kept(kept)

    def told(self, work: Callable[[Iterator[pa.Table]], pa.Table]) -> list[pa.Table]:
        rows = replace(self, works=(*self.works, partial(_result, work)))._done().collect()
        if any(row["number"] == _FAILED for row in rows):
            raise ValueError("a task failed")
        return [_table(row["piece"]) for row in rows]

    def _done(self) -> Any:
        return self.frame.mapInArrow(partial(_task, self.opened, self.works), _PIECES)


@dataclass(frozen=True, eq=False)
class _Kept:
    """Shares that are kept as long as anything that is made of them."""

    shares: _SparkShares
    works: tuple[Work, ...] = ()

    @property
    def groups(self) -> int:
        return self.shares.groups

    def made(self, work: Work) -> Shares:
        return replace(self, works=(*self.works, work))

    def gathered(self) -> Shares:
        return replace(self.shares, works=self.works).gathered()

    def kept(self) -> Shares:
        kept = replace(self.shares, works=self.works).kept()
        object.__setattr__(kept, "before", self)
        return kept

    def told(self, work: Callable[[Iterator[pa.Table]], pa.Table]) -> list[pa.Table]:
        return replace(self.shares, works=self.works).told(work)


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
            tables = opened(batches)
            numbered: Pieces = ((0, table) for table in tables)
            for work in works:
                numbered = work(share, (table for _, table in numbered))
            for number, table in numbered:
                yield _piece(number, table)
    except Exception:
        yield pa.RecordBatch.from_pydict(
            {"number": pa.array([_FAILED], pa.int32()), "piece": [b""]}
        )


def _result(
    work: Callable[[Iterator[pa.Table]], pa.Table], share: int, parts: Iterator[pa.Table]
) -> Pieces:
    yield 0, work(parts)


def _piece(number: int, table: pa.Table) -> pa.RecordBatch:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    piece = pa.array([sink.getvalue().to_pybytes()], pa.binary())
    return pa.RecordBatch.from_pydict({"number": pa.array([number], pa.int32()), "piece": piece})


def _table(piece: bytes) -> pa.Table:
    return pa.ipc.open_stream(piece).read_all()


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    for batch in batches:
        for number, piece in zip(batch["number"].to_pylist(), batch["piece"], strict=True):
            if number == _FAILED:
                raise ValueError("a task failed")
            yield pa.ipc.open_stream(piece.as_buffer()).read_all()


def _tables(
    names: list[str],
    changes: Sequence[_Change],
    columns: list[str],
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.Table]:
    """The rows of a task, some at a time, with these columns."""
    for some in _in_lots(batches):
        rows: Rows = pa.Table.from_batches(some).rename_columns(names).combine_chunks()
        for change in changes:
            rows = change(rows)
        assert isinstance(rows, pa.Table)
        yield rows.select(columns)


def _in_lots(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    lot: list[pa.RecordBatch] = []
    for batch in batches:
        lot.append(batch)
        if sum(map(len, lot)) >= _ROWS:
            yield lot
            lot = []
    if lot:
        yield lot


def _pruned(frame: Any, names: Sequence[str]) -> Any:
    """These columns, by their place: names may hold dots, or differ in case alone."""
    given = [each.name for each in frame.schema.fields]
    places = [f"c{given.index(name)}" for name in names]
    return frame.toDF(*(f"c{place}" for place in range(len(given)))).select(*places)


def _refuse_types(frame: Any, wanted: Sequence[str], schema: Schema | None) -> None:
    for each in frame.schema.fields:
        kind = each.dataType.simpleString().partition("(")[0].partition("<")[0]
        if schema is not None and each.name in wanted and kind not in _SIMPLE:
            raise SchemaError(
                f"column {each.name!r} of the Spark DataFrame is of a type that has not one plain"
                " value a row: cast it to a string or a number, or leave it out"
            )


def _arrow_type(each: Any) -> pa.DataType:
    from pyspark.sql.pandas.types import to_arrow_type

    with contextlib.suppress(Exception):
        return to_arrow_type(each.dataType)
    return pa.null()


def _refuse_plan(frame: Any, with_ids: bool) -> None:
    """SchemaError for a plan of which a task that is tried again may give other rows."""
    query = frame._jdf.queryExecution()
    plan = query.optimizedPlan()
    if not plan.deterministic():
        raise SchemaError(
            "the plan of the Spark DataFrame draws at random, or numbers rows: write it to Parquet"
            " first, so that all passes see one table"
        )
    if _MIXING & {*_nodes(plan)}:
        raise SchemaError(
            "the plan of the Spark DataFrame has a limit or a sample, by which one person's rows"
            " decide about another's: write it to Parquet first, if that table is to be protected"
        )
    conf = frame.sparkSession.conf
    if with_ids or (_on(conf, _CHECKSUMS) and _on(conf, _RETRIES)):
        return
    if any(name.startswith(_EXCHANGES) for name in _nodes(query.executedPlan())):
        raise SchemaError(
            "the plan of the Spark DataFrame moves rows between tasks, and a task that is tried"
            " again could count rows twice or never: write it to Parquet first, or give the unit"
            f" an id_column, or set {_CHECKSUMS} and {_RETRIES} to true where Spark has them"
        )


def _on(conf: Any, name: str) -> bool:
    return str(conf.get(name, "false")).lower() == "true"


def _nodes(plan: Any) -> Iterator[str]:
    """The names of all steps of a plan, those of a cached table and of an adaptive plan too."""
    name = str(plan.nodeName())
    yield name
    if name.startswith("AdaptiveSparkPlan"):
        yield from _nodes(plan.executedPlan())
    if name.startswith("InMemoryTableScan"):
        yield from _nodes(plan.relation().cacheBuilder().cachedPlan())
    children = plan.children()
    for place in range(children.size()):
        yield from _nodes(children.apply(place))


def _refuse_other_workers(frame: Any) -> None:
    """SchemaError where the workers do not have this package in this version."""
    found = None
    with contextlib.suppress(Exception):
        probe = frame.sparkSession.range(1).mapInArrow(_versions, "said string")
        found = [row["said"] for row in probe.collect()]
    if found != [_said()]:
        raise SchemaError(
            "the workers of Spark do not have dpsynth, Python, numpy and pyarrow in the versions of"
            " this process: install the same on all machines, and see PYSPARK_PYTHON"
        )


def _versions(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    list(batches)
    yield pa.RecordBatch.from_pydict({"said": [_said()]})


def _said() -> str:
    return f"{sys.version_info[:2]} {sorted(versions().items())}"


def _collected(frame: Any) -> Rows:
    """All rows here, for their owner: no fit calls it."""
    found = frame.toArrow() if hasattr(frame, "toArrow") else None
    return pa.Table.from_batches(frame._collect_as_arrow()) if found is None else found
