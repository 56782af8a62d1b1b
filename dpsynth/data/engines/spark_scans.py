"""Plain scans of Parquet files: Spark's tasks read them by pyarrow, as a fit of their path does.

Spark itself makes a row of each record, and an Arrow table of these again, which takes several
times as long as all that a fit does with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlparse

import pyarrow as pa

from dpsynth.data.engines.arrow import without_views
from dpsynth.data.engines.spark_plans import steps

_PARQUET = "org.apache.spark.sql.execution.datasources.parquet.ParquetFileFormat"
_ROWS = 1 << 19
"""Rows that a task reads at a time."""
_TASKS = 4
"""For each core at the least, where there are row groups for them."""


class _Piece(NamedTuple):
    """Some row groups of a file, which had this size and time at the first look."""

    path: str
    state: tuple[int, int]
    groups: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Scan:
    """The tasks of a scan. frame: of the numbers of tasks. instants: columns of times in UTC."""

    frame: Any = field(repr=False)
    shares: Sequence[Sequence[_Piece]]
    instants: frozenset[str]

    def tables(self, names: Sequence[str]) -> Callable[[Iterator[pa.RecordBatch]], Iterator[Any]]:
        """What makes tables with these columns of the numbers of a task."""
        return partial(_read, self.shares, [*names], self.instants)


def scan_of(frame: Any, names: Sequence[str]) -> Scan | None:
    """The tasks of a plain scan; None for every other frame.

    A scan is plain that reads all rows of Parquet files which have these columns, on a file system
    that this process sees as the workers do.
    """
    from pyarrow import parquet

    plan = frame._jdf.queryExecution().optimizedPlan()
    places = [urlparse(each) for each in frame.inputFiles()] if _is_plain(plan) else []
    paths = sorted(unquote(place.path) for place in places)
    if not paths or not all(place.scheme == "file" for place in places):
        return None
    if not all(Path(path).is_file() for path in paths):
        return None
    kinds = {each.name: each.dataType.simpleString() for each in frame.schema.fields}
    pieces: list[_Piece] = []
    for path in paths:
        state, footer = _state(path), parquet.read_metadata(path)
        if not _alike(footer.schema.to_arrow_schema(), {name: kinds[name] for name in names}):
            return None
        pieces += [_Piece(path, state, (group,)) for group in range(footer.num_row_groups)]
    spark = frame.sparkSession
    tasks = _tasks(len(pieces), spark.sparkContext.defaultParallelism)
    ends = [task * len(pieces) // tasks for task in range(tasks + 1)]
    shares = [_together(pieces[start:end]) for start, end in itertools.pairwise(ends)]
    instants = frozenset(name for name in names if kinds[name] == "timestamp")
    return Scan(spark.range(0, tasks, 1, tasks), shares, instants)


def _tasks(pieces: int, cores: int) -> int:
    """So many that none has half as much again as another: all cores end at about one time."""
    most = _TASKS * cores
    return max(1, pieces if pieces < 2 * most else most)


def _is_plain(plan: Any) -> bool:
    """Whether a plan reads Parquet files, and at most leaves columns out."""
    return all(_reads(step) or _leaves_out(step) for step in steps(plan))


def _reads(step: Any) -> bool:
    if not str(step.nodeName()).startswith("LogicalRelation"):
        return False
    relation = step.relation()
    if relation.getClass().getSimpleName() != "HadoopFsRelation":
        return False
    parquet = relation.fileFormat().getClass().getName() == _PARQUET
    return parquet and relation.partitionSchema().isEmpty()


def _leaves_out(step: Any) -> bool:
    if str(step.nodeName()) != "Project":
        return False
    columns = step.projectList()
    found = {columns.apply(i).getClass().getSimpleName() for i in range(columns.size())}
    return found == {"AttributeReference"}


def _alike(types: pa.Schema, kinds: Mapping[str, str]) -> bool:
    """Whether a file has these columns, and no instants where Spark has local times."""
    return all(
        name in types.names
        and not (kind == "timestamp_ntz" and getattr(types.field(name).type, "tz", None))
        for name, kind in kinds.items()
    )


def _together(pieces: Sequence[_Piece]) -> list[_Piece]:
    """The same row groups, those of one file together."""
    return [
        _Piece(path, state, tuple(group for each in alike for group in each.groups))
        for (path, state), alike in itertools.groupby(pieces, key=lambda piece: piece[:2])
    ]


def _state(path: str) -> tuple[int, int]:
    facts = Path(path).stat()
    return facts.st_size, facts.st_mtime_ns


def _read(
    shares: Sequence[Sequence[_Piece]],
    names: list[str],
    instants: frozenset[str],
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.Table]:
    """The rows of a task. ValueError for a file that was written since the first look."""
    from pyarrow import parquet

    for number in [number for batch in batches for number in batch["id"].to_pylist()]:
        for path, state, groups in shares[number]:
            if _state(path) != state:
                raise ValueError("the file was written while it was read")
            types = parquet.read_schema(path)
            texts = [name for name in names if pa.types.is_string(types.field(name).type)]
            with parquet.ParquetFile(
                path, read_dictionary=texts, coerce_int96_timestamp_unit="us"
            ) as file:
                for batch in file.iter_batches(
                    _ROWS, row_groups=[*groups], columns=names or types.names[:1], use_threads=False
                ):
                    yield without_views(_in_utc(pa.Table.from_batches([batch]), instants))
            if _state(path) != state:
                raise ValueError("the file was written while it was read")


def _in_utc(table: pa.Table, instants: frozenset[str]) -> pa.Table:
    """The same times, as instants where Spark has such: not all types of Parquet say so."""
    for place, column in enumerate(table.schema):
        kind = column.type
        if column.name in instants and pa.types.is_timestamp(kind) and kind.tz is None:
            utc = table.column(place).cast(pa.timestamp(kind.unit, "UTC"))
            table = table.set_column(place, column.name, utc)
    return table
