"""CSV files, compressed or not, in the form that the schema or the header line states."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dpsynth.data.engines.dialects import Dialect, compression_of, dialect_of
from dpsynth.data.engines.row_ends import row_blocks
from dpsynth.data.engines.source import LARGE, Source, form_of, named_by, recut, unchanged
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema

_ENDS = re.compile(rb"[\r\n]")
_PACKED = 8
"""How many times its size a compressed file may have, at a guess."""


def open_csv(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A CSV file, of which the header line and the first bytes have been read.

    Without a header line the first bytes are of a record, and nothing has been read.
    """
    declared = form_of(schema, form)
    if not declared.header:
        names = named_by(path, schema)
        return _source(path, names, lambda: dialect_of(path, schema, form), declared)
    dialect = dialect_of(path, schema, form)
    if schema is None:
        delimiter = None if dialect.delimiter == "," else dialect.delimiter
        encoding = None if dialect.encoding == "utf-8" else dialect.encoding
        declared = replace(declared, delimiter=delimiter, encoding=encoding)
    return _source(path, [*dialect.names], lambda: dialect, declared)


def _source(
    path: Path, names: list[str], dialect: Callable[[], Dialect], form: FileFormat
) -> Source:
    check = unchanged(path)

    def parts(columns: Sequence[str]) -> Iterator[pa.Table]:
        check()
        written = dialect()
        wanted = [name for name in written.names if name in {*columns}] or [*written.names[:1]]
        yield from recut(_in_blocks(path, written, wanted))
        check()

    packed = compression_of(path, form.header) is not None
    large = path.stat().st_size * (_PACKED if packed else 1) > LARGE
    return Source(
        names, lambda: read_csv(path, dialect()), form=form, parts=parts if large else None
    )


def _in_blocks(path: Path, dialect: Dialect, columns: Sequence[str] = ()) -> Iterator[pa.Table]:
    """Some columns of a CSV file, or all, block by block."""
    with closing(dialect.stream(path)) as text:
        for number, block in enumerate(row_blocks(text, LARGE, dialect)):
            if not number and not _ENDS.search(
                block
            ):  # a header line alone, which Arrow wants ended
                block += b"\n"
            rows = csv.read_csv(
                pa.BufferReader(block),
                read_options=csv.ReadOptions(
                    block_size=len(block) + 1,
                    use_threads=False,
                    skip_rows=0 if number else dialect.first_lines,
                    column_names=[*dialect.names] if number or not dialect.header else None,
                ),
                parse_options=dialect.rules,
                convert_options=_as_text(dialect, columns),
            )
            yield _unmarked(rows, dialect) if dialect.missing else rows


def read_csv(path: Path, dialect: Dialect) -> pa.Table:
    """The rows of a CSV file."""
    none = [pa.array([], pa.string())] * len(dialect.names)
    empty = pa.Table.from_arrays(none, [*dialect.names])
    return pa.concat_tables([empty, *_in_blocks(path, dialect)])


def _unmarked(rows: pa.Table, dialect: Dialect) -> pa.Table:
    """The rows with nulls in place of missing markers, in all columns that are no ids."""
    markers = pa.array(dialect.missing, pa.string())
    for place, name in enumerate(rows.column_names):
        if name not in dialect.ids:
            values = rows.column(place)
            marked = pc.is_in(values, value_set=markers)
            rows = rows.set_column(place, name, pc.if_else(marked, None, values))
    return rows


def _as_text(dialect: Dialect, wanted: Sequence[str] = ()) -> csv.ConvertOptions:
    """All columns are text and an empty field is null, so that no value decides how others read.

    Bytes that are not UTF-8 do not make it fail.
    """
    return csv.ConvertOptions(
        column_types=dict.fromkeys(dialect.names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        check_utf8=False,
        include_columns=[*wanted],
    )
