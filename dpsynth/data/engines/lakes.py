"""Delta and Iceberg tables, read in parts by deltalake and pyiceberg, at one version.

The version is that of the first look, whatever is written meanwhile. Who asks a store or a
catalogue is said by the environment, or by the object that is given.
"""

from __future__ import annotations

import contextlib
import copy
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote

import pyarrow as pa

from dpsynth.data.engines.arrow import without_views
from dpsynth.data.engines.source import Source, recut
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.table import Schema

_Batches: TypeAlias = Callable[[list[str]], Iterable[pa.RecordBatch]]


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
    with contextlib.suppress(Exception):
        table = lake.found(*_divided(data)) if isinstance(data, str) else data
        opened = lake.reader(table)
    if opened is None:  # raised here: the context of an exception would quote the address
        raise SchemaError(_fault(lake))
    types, batches = opened

    def parts(columns: Sequence[str]) -> Iterator[pa.Table]:
        wanted = [name for name in types.names if name in {*columns}] or types.names[:1]
        tables = (pa.Table.from_batches([each]) for each in batches(wanted))
        yield from recut(without_views(table.select(wanted)) for table in tables)

    def read() -> pa.Table:
        return pa.concat_tables([types.empty_table(), *parts(types.names)])

    types = without_views(types.empty_table()).schema.remove_metadata()
    return Source(types.names, read, types, parts=parts)


def lake_fault(data: Any) -> str:
    """The sentence that says that a table could not be read to its end."""
    return _fault(_LAKES[str(lake_of(data))])


def _fault(lake: _Lake) -> str:
    if find_spec(lake.package.partition(".")[0]) is None:
        return (
            f"{lake.title} tables are read by {lake.package.partition('.')[0]}, which is not"
            f" installed: pip install 'dpsynth[{lake.extra}]'"
        )
    return (
        f"the {lake.title} table cannot be read: check its place and its version, that the"
        " credentials of the environment may read it, and that it uses no deletion vectors or"
        " equality deletes"
    )


def _divided(address: str) -> tuple[str, int | None]:
    """The place and the version, where one is named: ?version=12."""
    place, _, version = address.strip().partition("?version=")
    return place, int(version) if version else None


def _delta(place: str, version: int | None) -> Any:
    """delta:///claims is a folder in this folder, delta:////data/claims another one."""
    from deltalake import DeltaTable

    local = place.removeprefix("delta:///")
    path = unquote(local) if local != place else place.removeprefix("delta+")
    return DeltaTable(path, version=version)


def _of_delta(table: Any) -> tuple[pa.Schema, _Batches]:
    dataset = table.to_pyarrow_dataset()  # of the files of this version
    return dataset.schema, lambda columns: dataset.to_batches(columns=columns)


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

    def batches(columns: list[str]) -> Iterable[pa.RecordBatch]:
        found = table.scan(snapshot_id=number, selected_fields=tuple(columns))
        return found.to_arrow_batch_reader()

    return types, batches


_LAKES = {
    "delta": _Lake("Delta", "delta", "deltalake", "DeltaTable", _delta, _of_delta),
    "iceberg": _Lake("Iceberg", "iceberg", "pyiceberg.table", "Table", _iceberg, _of_iceberg),
}
