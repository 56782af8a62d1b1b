"""Where raw rows come from: a data frame, an Arrow table, or a file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from dpsynth.schema.columns import SchemaError

Rows: TypeAlias = pd.DataFrame | pa.Table


def open_rows(data: Any) -> Rows:
    """The rows of a pandas DataFrame, a pyarrow Table, or a .csv or .parquet file.

    A CSV file is read as text, so that no value decides how others are read; an empty field is a missing value.
    Raises SchemaError, which quotes nothing of the file, when it cannot be read.
    """
    if isinstance(data, (pd.DataFrame, pa.Table)):
        return data
    if not isinstance(data, (str, Path)):
        raise SchemaError(f"data must be a DataFrame, an Arrow table or a path, got {type(data).__name__}")
    path = Path(data)
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix.lower() not in readers:
        raise SchemaError(f"{path} must be a .csv or .parquet file")
    if not path.exists():
        raise SchemaError(f"{path} does not exist")
    with contextlib.suppress(OSError, pa.ArrowException, UnicodeError):
        return readers[path.suffix.lower()](path)
    # Raised out here, where no exception that quotes the file is attached as its context.
    raise SchemaError(f"{path} cannot be read as {path.suffix[1:].upper()}: check the file's format")


def take_rows(rows: Rows, positions: Any) -> Rows:
    """The rows at these positions, in this order."""
    return rows.take(pa.array(positions)) if isinstance(rows, pa.Table) else rows.iloc[positions]


def column_names(rows: Rows) -> list[Any]:
    return list(rows.column_names if isinstance(rows, pa.Table) else rows.columns)


def column(rows: Rows, name: str) -> Any:
    """One column: a Series or a ChunkedArray."""
    return rows[name] if isinstance(rows, pd.DataFrame) else rows.column(name)


def _read_csv(path: Path) -> pa.Table:
    whole = csv.ReadOptions(block_size=max(1 << 20, path.stat().st_size + 1), use_threads=False)
    rules = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    with csv.open_csv(path, read_options=whole, parse_options=rules, convert_options=_as_text([])) as reader:
        names = reader.schema.names
    return csv.read_csv(path, read_options=whole, parse_options=rules, convert_options=_as_text(names))


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
