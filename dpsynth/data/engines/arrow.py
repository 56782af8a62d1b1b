"""Parquet and Feather files, whose footers state names and types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from dpsynth.data.engines.source import Source
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema


def open_parquet(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A Parquet file, of which the footer has been read."""
    from pyarrow import parquet

    types = parquet.read_schema(path)
    return Source(types.names, lambda: without_views(parquet.read_table(path)), types)


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
        with pa.OSFile(str(path)) as file, opened(file) as reader:
            return without_views(reader.read_all())

    with pa.OSFile(str(path)) as file, opened(file) as reader:
        return Source(reader.schema.names, read, reader.schema)


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
