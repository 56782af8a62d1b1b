"""Raw rows from a data frame, an Arrow table or a file."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from csv import QUOTE_MINIMAL, QUOTE_NONE
from csv import Error as csv_error
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from dpsynth.base.places import expanded
from dpsynth.base.real_records import STAMP, carries
from dpsynth.data.engines.dialects import Dialect, dialect_of
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema

Rows: TypeAlias = pd.DataFrame | pa.Table

_BROKEN = (OSError, pa.ArrowException, UnicodeError, OverflowError)
"""What pyarrow and Python raise for a file that is damaged, or of another format."""

_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]+:/|(password|passwd|pwd)\s*=", re.IGNORECASE)
"""An address such as postgresql://, of which Path keeps one stroke, or a database's settings."""

_PATTERN = re.compile(r"[*?]|\[.+\]")
"""What a shell replaces by the names of files."""

_SMALLEST_BLOCK = 1 << 20
"""Bytes, as in pyarrow's own default."""

_WRITTEN_AT_ONCE = 1 << 17
"""Rows of which the text is held in memory when they are written to a CSV file."""

_LARGEST_BLOCK = 2**31 - 1
"""Bytes; pyarrow counts them in 32 bits."""


@dataclass(frozen=True)
class Source:
    """Rows that may not have been read yet.

    names: of the columns, which are public. read: returns the rows.
    """

    names: list[Any]
    read: Callable[[], Rows]


def open_source(data: Any, schema: Schema | None = None) -> Source:
    """The source of a data frame, an Arrow table or a file, whose rows are read later.

    Parameters
    ----------
    data : pandas.DataFrame, pyarrow.Table, str, pathlib.Path or another table
        Rows, or the path of a .csv or .parquet file; a .csv file may be compressed, and end in
        .csv.gz or .csv.zst. Another table, such as a polars.DataFrame, has the method
        `__arrow_c_stream__`, by which it becomes an Arrow table when it is read.
    schema : Schema or None
        Says how a CSV file is written, and what its columns are called. Without it a CSV file is
        read as its header line divides.

    Returns
    -------
    Source
        With the names of the columns; of a file nothing else has been read. Its `read` raises
        whatever the rows make it raise, such as pyarrow.ArrowInvalid for a line with a field too
        many.

    Raises
    ------
    SchemaError
        Where the names cannot be read. It quotes nothing of the file.

    Notes
    -----
    Whole numbers as names, which pandas gives where nobody named the columns, are read as text: 0
    is "0", as in a schema.
    """
    if isinstance(data, (pd.DataFrame, pa.Table)):
        given = column_names(data)
        _refuse_real_records(given, getattr(data, "attrs", {}))
        titles = [str(name) if _is_number(name) else name for name in given]
        return Source(titles, lambda: data if titles == given else data.set_axis(titles, axis=1))
    if hasattr(data, "__arrow_c_stream__") and not isinstance(data, pa.RecordBatchReader):
        return _of_stream(data)
    if not isinstance(data, (str, Path)):
        raise SchemaError(
            "data must be a DataFrame of pandas or polars, a pyarrow Table, another table that"
            f" Arrow can read again and again, or a path, got {kind_of(data)}: convert it first, as"
            " by its to_pandas(), read_all() or collect()"
        )
    path = expanded(data)
    _refuse_what_is_no_file(path)
    opened = _open_csv if is_csv(path) else _open_parquet
    source = None
    with contextlib.suppress(*_BROKEN):
        source = opened(path, schema)
    if source is not None:
        _refuse_real_records(source.names, {} if is_csv(path) else _parquet_attrs(path))
        return source
    # Raised here, outside of any `except`: the context of an exception would quote the file.
    raise _unreadable(path)


def _of_stream(data: Any) -> Source:
    """A table of another package, which hands its columns to Arrow."""
    with contextlib.suppress(Exception):
        return Source(pa.RecordBatchReader.from_stream(data).schema.names, lambda: pa.table(data))
    # Raised here, as below.
    raise _unreadable(data)


def _refuse_real_records(names: list[Any], attrs: Mapping[Any, Any]) -> None:
    """SchemaError for a table that carries the stamp."""
    if carries(names, attrs):
        raise SchemaError(
            f"the table is stamped as one that contains real records ({STAMP}): it is for training"
            " beside real data, so give the real rows by themselves, or synthetic ones"
        )


def _parquet_attrs(path: Path) -> Mapping[Any, Any]:
    """The attributes of the frame that pandas wrote to this file; none of another's."""
    from pyarrow import parquet

    with contextlib.suppress(*_BROKEN, ValueError, TypeError, AttributeError):
        written = (parquet.read_schema(path).metadata or {}).get(b"pandas", b"{}")
        return dict(json.loads(written).get("attributes", {}))
    return {}


def _is_number(name: object) -> bool:
    return isinstance(name, (int, np.integer)) and not isinstance(name, bool)


def kind_of(data: Any) -> str:
    """The type and the package that has it: several packages have a DataFrame."""
    kind = type(data)
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"


def _refuse_what_is_no_file(path: Path) -> None:
    """SchemaError where this is no .csv or .parquet file. It repeats no address and no password."""
    if _ADDRESS.search(str(path)) and not path.exists():
        raise SchemaError(
            "data were given as an address, and neither databases nor servers can be read yet:"
            " export the table to a .csv or .parquet file, and give its path"
        )
    if path.is_dir():
        raise SchemaError(
            f"{path} is a folder, and a table is read from one file: write its parts into one .csv"
            " or .parquet file"
        )
    if _PATTERN.search(str(path)) and not path.exists():
        raise SchemaError(
            f"{path} is a pattern for several files, and a table is read from one: write them into"
            " one .csv or .parquet file"
        )
    if not is_csv(path) and path.suffix.lower() != ".parquet":
        raise SchemaError(f"{path} must be a .csv or .parquet file: convert it first")
    if not path.exists():
        raise SchemaError(f"{path} does not exist: give the path of a .csv or .parquet file")


def open_rows(data: Any, schema: Schema | None = None) -> Rows:
    """The rows of a data frame, an Arrow table or a file, for the data owner only.

    A CSV file is read as text, so that no value decides how others are read; an empty field is a
    missing value. No fit calls this, as a value can make it fail.

    Parameters
    ----------
    data : pandas.DataFrame, pyarrow.Table, str, pathlib.Path or another table
        As `open_source` takes them.
    schema : Schema or None
        As `open_source` takes it.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        What was given, or an Arrow table of the rows.

    Raises
    ------
    SchemaError
        Where the file cannot be read. It quotes nothing of the file.
    """
    source = open_source(data, schema)
    with contextlib.suppress(*_BROKEN):
        return source.read()
    raise _unreadable(data)


def _unreadable(data: Any) -> SchemaError:
    if not isinstance(data, (str, Path)):
        return SchemaError(f"{kind_of(data)} cannot be read by pyarrow: convert it first")
    kind = "CSV" if is_csv(Path(data)) else Path(data).suffix[1:].upper()
    return SchemaError(f"{data} cannot be read as {kind}: check the file's format")


def is_csv(path: Path) -> bool:
    """Whether a file's name says that it is CSV, compressed or not."""
    return path.name.lower().endswith((".csv", ".csv.gz", ".csv.zst"))


def write_rows(
    rows: pd.DataFrame,
    path: Path,
    form: FileFormat,
    as_text: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    """Writes synthetic rows to a .csv file, which has this form, or to a .parquet file.

    as_text: how the values of some rows stand in a CSV file; asked for block by block.
    """
    if path.suffix.lower() != ".csv":
        rows.to_parquet(path, index=False)
        return
    try:
        _write_csv(rows, path, form, as_text)
        return
    except (csv_error, UnicodeEncodeError):
        pass
    raise SchemaError(
        f"{path} cannot be written as the schema's file section says, as a value holds its"
        " delimiter or a sign that its encoding lacks: declare a quote or another encoding, or"
        " write .parquet"
    )


def _write_csv(
    rows: pd.DataFrame,
    path: Path,
    form: FileFormat,
    as_text: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    with path.open("w", encoding=form.encoding or "utf-8", newline="") as file:
        file.write("\n" * form.skip_lines)
        for start in range(0, max(1, len(rows)), _WRITTEN_AT_ONCE):
            as_text(rows.iloc[start : start + _WRITTEN_AT_ONCE]).to_csv(
                file,
                index=False,
                header=form.header and start == 0,
                sep=form.delimiter or ",",
                quotechar=form.quote or '"',
                quoting=QUOTE_MINIMAL if form.quote else QUOTE_NONE,
                lineterminator="\n",  # on every system
            )


def take_rows(rows: Rows, positions: Any) -> Rows:
    """The rows at these positions, in this order."""
    return rows.take(pa.array(positions)) if isinstance(rows, pa.Table) else rows.iloc[positions]


def column_names(rows: Rows) -> list[Any]:
    """The names of the columns, in order."""
    return list(rows.column_names if isinstance(rows, pa.Table) else rows.columns)


def column(rows: Rows, name: str) -> Any:
    """One column: a Series or a ChunkedArray."""
    return rows[name] if isinstance(rows, pd.DataFrame) else rows.column(name)


def _open_csv(path: Path, schema: Schema | None) -> Source:
    dialect = dialect_of(path, schema)
    return Source([*dialect.names], lambda: _read_csv(path, dialect))


def _read_csv(path: Path, dialect: Dialect) -> pa.Table:
    """The rows of a CSV file, read in one block where they fit, so that no line is cut in two."""
    text = dialect.text(path)
    whole = csv.ReadOptions(
        block_size=min(_LARGEST_BLOCK, max(_SMALLEST_BLOCK, text.size() + 1)),
        use_threads=False,
        skip_rows=dialect.first_lines,
        column_names=None if dialect.header else [*dialect.names],
    )
    return csv.read_csv(
        text,
        read_options=whole,
        parse_options=dialect.rules,
        convert_options=_as_text(dialect),
    )


def _as_text(dialect: Dialect) -> csv.ConvertOptions:
    """All columns are text and an empty field is null, so that no value decides how others read.

    Bytes that are not UTF-8 do not make it fail.
    """
    return csv.ConvertOptions(
        column_types=dict.fromkeys(dialect.names, pa.string()),
        null_values=["", *dialect.missing],
        strings_can_be_null=True,
        check_utf8=False,
    )


def _open_parquet(path: Path, schema: Schema | None) -> Source:
    return Source(_parquet_names(path), lambda: _read_parquet(path))


def _read_parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    return parquet.read_table(path)


def _parquet_names(path: Path) -> list[str]:
    from pyarrow import parquet

    names: list[str] = parquet.read_schema(path).names
    return names
