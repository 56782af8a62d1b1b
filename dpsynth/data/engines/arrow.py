"""Parquet and Feather files, whose footers state names and types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from dpsynth.data.engines.object_stores import native
from dpsynth.data.engines.source import LARGE, ROWS_OF_A_PART, Source, recut, unchanged
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema


def open_parquet(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A Parquet file, of which the footer has been read."""
    from pyarrow import parquet

    with native(path) as file:
        footer = parquet.read_metadata(file)
    types = footer.schema.to_arrow_schema()
    check = unchanged(path)

    def parts(columns: Sequence[str]) -> Iterator[pa.Table]:
        check()
        wanted = [name for name in types.names if name in {*columns}]
        texts = [name for name in wanted if pa.types.is_string(types.field(name).type)]
        with native(path) as file:
            rows = parquet.ParquetFile(file, read_dictionary=texts)
            batches = rows.iter_batches(ROWS_OF_A_PART, columns=wanted or types.names[:1])
            yield from recut(without_views(pa.Table.from_batches([each])) for each in batches)
        check()

    def read() -> pa.Table:
        with native(path) as file:
            return without_views(parquet.read_table(file))

    large = path.stat().st_size > LARGE or footer.num_rows > 2 * ROWS_OF_A_PART
    return Source(
        types.names,
        read,
        types,
        parts=parts if large else None,
    )


def open_feather(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A Feather file, which is Arrow's own format, or an Arrow stream in a file."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"FEA1"):
        raise SchemaError(
            f"{path} is of the first version of Feather: write it anew, as by"
            " pyarrow.feather.write_feather"
        )
    opened: Any = pa.ipc.open_file if start == b"ARROW1" else pa.ipc.open_stream

    def read() -> pa.Table:
        with native(path) as file, opened(file) as reader:
            return without_views(reader.read_all())

    check = unchanged(path)

    def parts(columns: Sequence[str]) -> Iterator[pa.Table]:
        check()
        with native(path) as file, opened(file) as reader:
            wanted = [name for name in reader.schema.names if name in {*columns}]
            tables = (pa.Table.from_batches([batch]) for batch in _batches(reader))
            names = wanted or reader.schema.names[:1]
            yield from recut(without_views(table.select(names)) for table in tables)
        check()

    with native(path) as file, opened(file) as reader:
        large = parts if path.stat().st_size > LARGE else None
        return Source(reader.schema.names, read, reader.schema, parts=large)


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        yield from map(reader.get_batch, range(reader.num_record_batches))
    else:
        yield from reader


def without_views(table: pa.Table) -> pa.Table:
    """The same values, with texts in the layout in which they can be compared as bytes."""
    plain = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
    if plain.keys().isdisjoint(table.schema.types):
        return table
    columns = [
        column.cast(plain[column.type]) if column.type in plain else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, table.column_names)
