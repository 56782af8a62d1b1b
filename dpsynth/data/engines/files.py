"""Where raw rows come from: a data frame, an Arrow table, or a file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from dpsynth.schema.columns import SchemaError

Rows: TypeAlias = pd.DataFrame | pa.Table

_BROKEN = (OSError, pa.ArrowException, UnicodeError, OverflowError)
_RULES = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
_LARGEST_BLOCK = 2**31 - 1
"""Bytes; pyarrow counts them in 32 bits."""


@dataclass(frozen=True)
class Source:
    """Rows that may not have been read yet. names: of the columns, which are public. read: the rows themselves."""

    names: list[Any]
    read: Callable[[], Rows]


def open_source(data: Any) -> Source:
    """A pandas DataFrame, a pyarrow Table, or a .csv or .parquet file, of which the names of the columns are read only.

    Raises SchemaError, which quotes nothing of the file, when these cannot be read. `read` raises whatever its rows
    make it raise, such as pyarrow.ArrowInvalid for a line with a field too many.
    """
    if isinstance(data, (pd.DataFrame, pa.Table)):
        return Source(column_names(data), lambda: data)
    if not isinstance(data, (str, Path)):
        raise SchemaError(
            f"data must be a DataFrame, an Arrow table or a path, got {type(data).__name__}: convert it first"
        )
    path = Path(data)
    readers = {".csv": (_csv_names, _read_csv), ".parquet": (_parquet_names, _read_parquet)}
    if path.suffix.lower() not in readers:
        raise SchemaError(f"{path} must be a .csv or .parquet file: convert it first")
    if not path.exists():
        raise SchemaError(f"{path} does not exist: give the path of a .csv or .parquet file")
    names, read = readers[path.suffix.lower()]
    with contextlib.suppress(*_BROKEN):
        return Source(names(path), lambda: read(path))
    # Raised out here, where no exception that quotes the file is attached as its context.
    raise _unreadable(path)


def open_rows(data: Any) -> Rows:
    """The rows of a pandas DataFrame, a pyarrow Table, or a .csv or .parquet file, for the data owner's own eyes.

    A CSV file is read as text, so that no value decides how others are read; an empty field is a missing value.
    Raises SchemaError, which quotes nothing of the file, when it cannot be read: which may be because of a value, so
    no fit calls this.
    """
    source = open_source(data)
    with contextlib.suppress(*_BROKEN):
        return source.read()
    raise _unreadable(data)


def _unreadable(path: Any) -> SchemaError:
    return SchemaError(f"{path} cannot be read as {Path(path).suffix[1:].upper()}: check the file's format")


def take_rows(rows: Rows, positions: Any) -> Rows:
    """The rows at these positions, in this order."""
    return rows.take(pa.array(positions)) if isinstance(rows, pa.Table) else rows.iloc[positions]


def column_names(rows: Rows) -> list[Any]:
    return list(rows.column_names if isinstance(rows, pa.Table) else rows.columns)


def column(rows: Rows, name: str) -> Any:
    """One column: a Series or a ChunkedArray."""
    return rows[name] if isinstance(rows, pd.DataFrame) else rows.column(name)


def _csv_names(path: Path) -> list[str]:
    """The names in a CSV file's first line, which may hold line breaks in quotes; what follows is not looked at."""
    with path.open(encoding="latin-1", newline="") as file:  # each byte a character, whatever the encoding is
        line = file.readline()
        while line.count('"') % 2 and (more := file.readline()):
            line += more
    with csv.open_csv(pa.BufferReader(line.encode("latin-1")), parse_options=_RULES) as reader:
        names: list[str] = reader.schema.names
        return names


def _read_csv(path: Path) -> pa.Table:
    """The whole file in one block, so that no line is cut; of a larger file than a block can be, as much as can be."""
    size = min(_LARGEST_BLOCK, max(1 << 20, path.stat().st_size + 1))
    whole = csv.ReadOptions(block_size=size, use_threads=False)
    return csv.read_csv(path, read_options=whole, parse_options=_RULES, convert_options=_as_text(_csv_names(path)))


def _as_text(names: list[str]) -> csv.ConvertOptions:
    """No value decides how others are read: all columns are text, an empty field is null, bad UTF-8 is let through."""
    return csv.ConvertOptions(
        column_types={name: pa.string() for name in names},
        null_values=[""],
        strings_can_be_null=True,
        check_utf8=False,
    )


def _read_parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    return parquet.read_table(path)


def _parquet_names(path: Path) -> list[str]:
    from pyarrow import parquet

    names: list[str] = parquet.read_schema(path).names
    return names
