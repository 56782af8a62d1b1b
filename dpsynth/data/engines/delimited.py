"""CSV files, compressed or not, in the form that the schema or the header line states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dpsynth.data.engines.dialects import Dialect, dialect_of
from dpsynth.data.engines.source import Source, form_of, named_by
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema

_SMALLEST_BLOCK = 1 << 20
"""Bytes, as in pyarrow's own default."""

_LARGEST_BLOCK = 2**31 - 1
"""Bytes; pyarrow counts them in 32 bits."""


def open_csv(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A CSV file, of which the header line and the first bytes have been read.

    Without a header line the first bytes are of a record, and nothing has been read.
    """
    declared = form_of(schema, form)
    if not declared.header:
        names = named_by(path, schema)
        return Source(names, lambda: read_csv(path, dialect_of(path, schema, form)), form=declared)
    dialect = dialect_of(path, schema, form)
    if schema is None:
        delimiter = None if dialect.delimiter == "," else dialect.delimiter
        encoding = None if dialect.encoding == "utf-8" else dialect.encoding
        declared = replace(declared, delimiter=delimiter, encoding=encoding)
    return Source([*dialect.names], lambda: read_csv(path, dialect), form=declared)


def read_csv(path: Path, dialect: Dialect) -> pa.Table:
    """The rows of a CSV file, read in one block where they fit, so that no line is cut in two."""
    text = dialect.text(path)
    whole = csv.ReadOptions(
        block_size=min(_LARGEST_BLOCK, max(_SMALLEST_BLOCK, text.size() + 1)),
        use_threads=False,
        skip_rows=dialect.first_lines,
        column_names=None if dialect.header else [*dialect.names],
    )
    rows = csv.read_csv(
        text,
        read_options=whole,
        parse_options=dialect.rules,
        convert_options=_as_text(dialect),
    )
    return _unmarked(rows, dialect) if dialect.missing else rows


def _unmarked(rows: pa.Table, dialect: Dialect) -> pa.Table:
    """The rows with nulls in place of missing markers, in all columns that are no ids."""
    markers = pa.array(dialect.missing, pa.string())
    for place, name in enumerate(rows.column_names):
        if name not in dialect.ids:
            values = rows.column(place)
            marked = pc.is_in(values, value_set=markers)
            rows = rows.set_column(place, name, pc.if_else(marked, None, values))
    return rows


def _as_text(dialect: Dialect) -> csv.ConvertOptions:
    """All columns are text and an empty field is null, so that no value decides how others read.

    Bytes that are not UTF-8 do not make it fail.
    """
    return csv.ConvertOptions(
        column_types=dict.fromkeys(dialect.names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        check_utf8=False,
    )
