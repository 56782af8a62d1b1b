"""Delta and Iceberg tables, read in parts by deltalake and pyiceberg, at one version.

The version is that of the first look, whatever is written meanwhile. Who asks a store or a
catalogue is said by the environment, or by the object that is given.

At the opening only what a table's schema says is looked at: its log also has the least and the
largest values of each file, and deltalake cannot read all of them, so that one row would decide
whether a table opens. For the same reason each file of Delta is read by its own types.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs

from dpsynth.data.engines.arrow import without_views
from dpsynth.data.engines.folders import joined
from dpsynth.data.engines.source import ROWS_OF_A_PART, Rows, Source, recut
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.table import Schema

_Batches: TypeAlias = Callable[[list[str]], Iterable[pa.Table]]


class _Lake(NamedTuple):
    """A kind of table: its package and class, what finds one by an address, and what reads one."""

    title: str
    extra: str
    package: str
    kind: str
    found: Callable[[str, int | None], Any]
    reader: Callable[[Any], tuple[pa.Schema, _Batches]]


def lake_of(data: object) -> str | None:
    """The kind of table that an address or an object is, as its extra is called; None for others.

    No package is imported: who gives an object has imported its package.
    """
    for name, lake in _LAKES.items():
        module = sys.modules.get(lake.package)
        if isinstance(data, str) and re.match(rf"\s*{name}(\+\w+)?://", data):
            return name
        if module is not None and isinstance(data, getattr(module, lake.kind, ())):
            return name
    return None


def open_lake(data: Any, schema: Schema | None = None) -> Source:
    """The source of a Delta or Iceberg table, of which names, types and version have been read.

    Raises
    ------
    SchemaError
        Where its package is absent, and where the table cannot be opened. It repeats nothing of the
        address or the object.
    """
    lake = _LAKES[str(lake_of(data))]
    opened: tuple[pa.Schema, _Batches] | None = None
    with _without_panic():
        table = lake.found(*_divided(data)) if isinstance(data, str) else data
        opened = lake.reader(table)
    if opened is None:  # raised here: the context of an exception would quote the address
        raise SchemaError(_fault(lake, data))
    types, batches = opened

    def parts(columns: Sequence[str]) -> Iterator[pa.Table]:
        wanted = [name for name in types.names if name in {*columns}] or types.names[:1]
        tables = (without_views(table.select(wanted)) for table in batches(wanted))
        for _, alike in itertools.groupby(tables, lambda table: table.schema):
            yield from recut(alike)

    def read() -> Rows:
        return joined([*parts(types.names)] or [types.empty_table()])

    types = without_views(types.empty_table()).schema.remove_metadata()
    return Source(types.names, read, types, parts=parts)


@contextlib.contextmanager
def _without_panic() -> Iterator[None]:
    """Whatever goes wrong within is nobody's concern: a panic of Rust is no Exception."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        pass


def lake_fault(data: Any) -> str:
    """The sentence that says that a table could not be read to its end."""
    return _fault(_LAKES[str(lake_of(data))], data)


def _fault(lake: _Lake, data: Any) -> str:
    if find_spec(lake.package.partition(".")[0]) is None:
        return (
            f"{lake.title} tables are read by {lake.package.partition('.')[0]}, which is not"
            f" installed: pip install 'dpsynth[{lake.extra}]'"
        )
    which = "its place"
    if isinstance(data, str) and _VERSION in data:
        which += f" and the version, which may be gone ({_VERSION}... left out is the newest)"
    return (
        f"the {lake.title} table cannot be read: check {which}, that the credentials of the"
        " environment may read it, and that it uses no deletion vectors or equality deletes"
    )


def _divided(address: str) -> tuple[str, int | None]:
    """The place and the version, where one is named: ?version=12."""
    place, _, version = address.strip().partition(_VERSION)
    return place, int(version) if version else None


_VERSION = "?version="


def _delta(place: str, version: int | None) -> Any:
    """delta:///claims is a folder in this folder, delta:////data/claims another one."""
    from deltalake import DeltaTable

    local = place.removeprefix("delta:///")
    path = unquote(local) if local != place else place.removeprefix("delta+")
    return DeltaTable(path, version=version)


def _of_delta(table: Any) -> tuple[pa.Schema, _Batches]:
    _refuse_other_layouts(table.protocol(), table.metadata())
    types, keys = pa.schema(table.schema().to_arrow()), table.metadata().partition_columns
    place, version = table.table_uri, table.version()
    options = table._storage_options  # which an object was made with

    def batches(columns: list[str]) -> Iterator[pa.Table]:
        from deltalake import DeltaTable

        found: Any = None
        with _without_panic():
            now = DeltaTable(place, version=version, storage_options=options)
            files = _files_of(now)
            found = pa.table(now.get_add_actions(flatten=True)).sort_by("path")
        if found is None:
            raise ValueError("the log of the table cannot be read")
        for number, path in enumerate(found["path"].to_pylist()):
            values = {name: found[f"partition.{name}"][number] for name in keys}
            with files.open_input_file(unquote(path)) as opened:
                yield from _of_file(opened, columns, values, types)

    return types, batches


def _refuse_other_layouts(protocol: Any, metadata: Any) -> None:
    """ValueError for a table whose files do not say by themselves what its rows are."""
    features = {*(protocol.reader_features or ())}
    mapping = metadata.configuration.get("delta.columnMapping.mode", "none")
    if protocol.min_reader_version > 3 or features - {"timestampNtz"} or mapping != "none":
        raise ValueError("the table has deletion vectors, or columns of other names than its files")


def _files_of(table: Any) -> pa.fs.FileSystem:
    """The files of a Delta table, by their paths from its folder on."""
    from deltalake.fs import DeltaStorageHandler

    sizes = table._table.get_add_file_sizes()
    handler = DeltaStorageHandler.from_table(table._table, table._storage_options, sizes)
    return pa.fs.PyFileSystem(handler)


def _of_file(
    opened: Any, columns: list[str], values: dict[str, pa.Scalar], types: pa.Schema
) -> Iterator[pa.Table]:
    """The rows of one file, with the values that its folder is called by. A column that was added
    to the table later is missing.
    """
    from pyarrow import parquet

    file = parquet.ParquetFile(opened)
    held = [name for name in file.schema_arrow.names if name in columns and name not in values]
    for batch in file.iter_batches(ROWS_OF_A_PART, columns=held or file.schema_arrow.names[:1]):
        found = {name: batch.column(name) for name in held}
        for name in {*columns}.difference(held):
            value = values[name] if name in values else pa.scalar(None, types.field(name).type)
            found[name] = pa.repeat(value, len(batch))
        yield pa.table(found)


def _iceberg(place: str, version: int | None) -> Any:
    """iceberg://catalogue/space.table, of a catalogue that pyiceberg's own settings describe."""
    from pyiceberg.catalog import load_catalog

    catalogue, _, name = place.removeprefix("iceberg://").partition("/")
    table = load_catalog(catalogue).load_table(name)
    return table if version is None else _Snapshot(table, version)


class _Snapshot(NamedTuple):
    table: Any
    number: int


def _of_iceberg(given: Any) -> tuple[pa.Schema, _Batches]:
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    table, number = given if isinstance(given, _Snapshot) else (copy.copy(given), None)
    if number is None and (now := table.current_snapshot()) is not None:
        number = now.snapshot_id
    whole = table.scan(snapshot_id=number)
    list(whole.plan_files())  # what cannot be read is refused before anything is charged
    types = schema_to_pyarrow(whole.projection(), include_field_ids=False)

    def batches(columns: list[str]) -> Iterator[pa.Table]:
        found = table.scan(snapshot_id=number, selected_fields=tuple(columns))
        yield from (pa.Table.from_batches([each]) for each in found.to_arrow_batch_reader())

    return types, batches


_LAKES = {
    "delta": _Lake("Delta", "delta", "deltalake", "DeltaTable", _delta, _of_delta),
    "iceberg": _Lake("Iceberg", "iceberg", "pyiceberg.table", "Table", _iceberg, _of_iceberg),
}
