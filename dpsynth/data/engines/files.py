"""Raw rows from a data frame, an Arrow table, a file or several files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.base.credentials import CREDENTIALS
from dpsynth.base.places import expanded
from dpsynth.data.engines.arrow import open_feather, open_parquet, without_views
from dpsynth.data.engines.delimited import open_csv
from dpsynth.data.engines.folders import open_parts, parts_of
from dpsynth.data.engines.json_lines import open_json_lines
from dpsynth.data.engines.known_frames import known_source
from dpsynth.data.engines.object_stores import in_store, is_in_store, place_in_store
from dpsynth.data.engines.source import (
    Rows,
    Source,
    refuse_nested,
    refuse_real_records,
    unchanged,
    written_attrs,
)
from dpsynth.data.engines.statistical import open_statistical
from dpsynth.data.engines.tables import table_fault, table_source
from dpsynth.data.engines.workbooks import open_workbook
from dpsynth.data.engines.zones import in_zones
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema

__all__ = [
    "Rows",
    "Source",
    "column",
    "column_names",
    "ending_of",
    "is_several",
    "kind_of",
    "open_rows",
    "open_source",
    "take_rows",
]

_BROKEN = (OSError, pa.ArrowException, UnicodeError, OverflowError)
"""What pyarrow and Python raise for a file that is damaged, or of another format."""


@dataclass(frozen=True)
class _Kind:
    """A kind of file: what people call it, its reader, and what that raises for a damaged file."""

    title: str
    open: Callable[[Path, Schema | None, FileFormat | None], Source]
    broken: tuple[type[Exception], ...] = _BROKEN


_TEXT = _Kind("CSV", open_csv)
_FEATHER = _Kind("Feather", open_feather)
_RECORDS = _Kind("JSON lines", open_json_lines)
_EXCEL = _Kind("an Excel workbook", open_workbook, (Exception,))
_SPSS = _Kind("SPSS", open_statistical, (Exception,))
_SAS = _Kind("SAS", open_statistical, (Exception,))
_KINDS = {
    ".csv": _TEXT,
    ".csv.gz": _TEXT,
    ".csv.zst": _TEXT,
    ".parquet": _Kind("PARQUET", open_parquet),
    ".feather": _FEATHER,
    ".arrow": _FEATHER,
    **{
        f"{end}{packed}": _RECORDS
        for end in (".jsonl", ".ndjson")
        for packed in ("", ".gz", ".zst")
    },
    ".xlsx": _EXCEL,
    ".xlsm": _EXCEL,
    ".sav": _SPSS,
    ".zsav": _SPSS,
    ".dta": _Kind("Stata", open_statistical, (Exception,)),
    ".sas7bdat": _SAS,
    ".xpt": _SAS,
}
"""Files that are read, by the ending of their name."""

_PARTS = (".parquet", ".csv", ".csv.gz", ".csv.zst", ".feather", ".arrow")
"""Files of which several may be one table."""

_LISTED = ".csv, .parquet, .feather, .jsonl, .xlsx, .sav, .dta, .sas7bdat or .xpt"

_ADDRESS = re.compile(r"^\s*([a-z][a-z0-9+.-]+:)+/", re.IGNORECASE)
"""An address such as postgresql://, of which Path keeps one stroke, or a database's settings."""

_PATTERN = re.compile(r"[*?]|\[.+\]")
"""What a shell replaces by the names of files."""


def open_source(data: Any, schema: Schema | None = None, form: FileFormat | None = None) -> Source:
    """The source of a data frame, an Arrow table or a file, whose rows are read later.

    Parameters
    ----------
    data : pandas.DataFrame, pyarrow.Table, str, pathlib.Path or another table
        Rows, or the path of a file: .csv (or .csv.gz, .csv.zst), .parquet, .feather, .jsonl, .xlsx,
        .sav, .dta, .sas7bdat or .xpt; or a folder, or a pattern such as "2024-*.parquet", of
        Parquet, CSV or Arrow files with the same columns; also in an object store, such as
        "s3://clinic/visits". Another table, such as a polars.DataFrame, has
        the method `__arrow_c_stream__`, by which it becomes an Arrow table when it is read; a lazy
        frame, or a table of modin or Dask, is read by narwhals where that is installed. What
        `partitions` gives, a `Database`, and a Delta or Iceberg table are read in parts; a
        DataFrame of Spark where it lies.
    schema : Schema or None
        Says how a file is written, and what its columns are called. Without it a CSV file is read
        as its header line divides.
    form : FileFormat or None
        How a file is written, where there is no schema yet.

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
    return in_zones(_source_of(data, schema, form), schema)


def _source_of(data: Any, schema: Schema | None, form: FileFormat | None) -> Source:
    if (table := table_source(data, schema)) is not None:
        return table
    if isinstance(data, (pd.DataFrame, pa.Table)):
        given = column_names(data)
        refuse_real_records(given, _attrs(data))
        titles = [str(name) if _is_number(name) else name for name in given]
        types = data.schema if isinstance(data, pa.Table) else None
        refuse_nested(types, schema)
        return Source(titles, lambda: _titled(_apart(data), titles))
    if hasattr(data, "__arrow_c_stream__") and not isinstance(data, pa.RecordBatchReader):
        return _of_stream(data, schema)
    if not isinstance(data, (str, Path)):
        if (known := known_source(data)) is not None:
            return known
        raise SchemaError(
            "data must be a DataFrame of pandas or polars, a pyarrow Table, another table that"
            f" Arrow can read again and again, or a path, got {kind_of(data)}: convert it first, as"
            " by its to_pandas(), read_all() or collect()"
        )
    path = place_in_store(data) if is_in_store(data) else expanded(data)
    _refuse_address(path)
    source = _open_path(path, schema, form)
    refuse_nested(source.types, schema)
    return source


def _apart(rows: Rows) -> Rows:
    """The rows as they are now, whatever is written into the frame later."""
    return rows if isinstance(rows, pa.Table) else rows.copy(deep=False)


def _is_address(text: str) -> bool:
    return _ADDRESS.search(text) is not None or CREDENTIALS.search(text) is not None


def _open_path(path: Path, schema: Schema | None, form: FileFormat | None) -> Source:
    """The source of a file, or of several."""
    if is_several(path):
        return open_parts(path, _parts(path), lambda part: _open_part(part, schema, form))
    _refuse_what_is_no_file(path)
    return _open_file(path, schema, form)


def _open_part(path: Path, schema: Schema | None, form: FileFormat | None) -> Source:
    """One of several files, with local times: where types of files differ, values of a column are
    taken apart, and a time loses its zone.
    """
    return in_zones(_open_file(path, schema, form), schema)


def is_several(path: Path) -> bool:
    """Whether a path is a folder, or a pattern, for several files."""
    return path.is_dir() or (_PATTERN.search(str(path)) is not None and not path.exists())


def _open_file(path: Path, schema: Schema | None, form: FileFormat | None) -> Source:
    kind = _KINDS[ending_of(path)]
    if in_store(path) and kind.open in (open_statistical, open_workbook):
        raise SchemaError(f"{path} is read where it lies on a disk only: copy it to this machine")
    try:
        check = unchanged(path)
        source = kind.open(path, schema, form)
        refuse_real_records(source.names, written_attrs(source.types))
        return replace(source, read=lambda: _read_whole(source, check))
    except SchemaError:
        raise
    except kind.broken:
        pass
    # Raised here, outside of any `except`: the context of an exception would quote the file.
    raise unreadable(path)


def _read_whole(source: Source, check: Callable[[], None]) -> Rows:
    """All rows of a file that has not been written since it was opened; else it raises."""
    check()
    rows = source.read()
    check()
    return rows


def _parts(place: Path) -> list[Path]:
    """The files of one table; SchemaError where there are none, or files of several kinds."""
    paths = parts_of(place)
    if not paths:
        raise SchemaError(
            f"{place} has no file: give a folder or a pattern of the Parquet, CSV or Arrow files"
            " of one table"
        )
    kinds = {_KINDS[ending_of(path)] if ending_of(path) in _PARTS else None for path in paths}
    if len(kinds) != 1 or None in kinds:
        raise SchemaError(
            f"{place} must have files of one kind, all of them Parquet, all CSV or all Arrow: leave"
            " only the files of the table there"
        )
    return paths


def _titled(data: Rows, titles: list[Any]) -> Rows:
    if isinstance(data, pa.Table):
        return without_views(data)
    return data if titles == list(data.columns) else data.set_axis(titles, axis=1)


def _of_stream(data: Any, schema: Schema | None) -> Source:
    """A table of another package, which hands its columns to Arrow."""
    types = None
    with contextlib.suppress(Exception):
        types = pa.RecordBatchReader.from_stream(data).schema
    if types is None:  # raised here, as above
        raise unreadable(data)
    refuse_nested(types, schema)
    refuse_real_records(types.names, written_attrs(types))
    return Source(types.names, lambda: without_views(pa.table(data)), types)


def _attrs(data: Rows) -> Mapping[Any, Any]:
    return data.attrs if isinstance(data, pd.DataFrame) else written_attrs(data.schema)


def _is_number(name: object) -> bool:
    return isinstance(name, (int, np.integer)) and not isinstance(name, bool)


def kind_of(data: Any) -> str:
    """The type and the package that has it: several packages have a DataFrame."""
    kind = type(data)
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"


def _refuse_address(path: Path) -> None:
    """SchemaError for an address. It repeats none, and no password."""
    if not in_store(path) and _is_address(str(path)) and not path.exists():
        raise SchemaError(
            "data were given as an address of a kind that is not read: write a database as"
            " postgresql://host/database?table=claims, duckdb:///file?table=claims or"
            " sqlite:///file?table=claims, a folder of an object store as the text"
            " s3://bucket/folder or gs://bucket/folder, or export the table to a .csv or .parquet"
            " file"
        )


def _refuse_what_is_no_file(path: Path) -> None:
    """SchemaError where this is no file of a kind that is read."""
    if path.suffix.lower() == ".xls":
        raise SchemaError(f"{path} is of the Excel of before 2007: save it as .xlsx or CSV")
    if ending_of(path) not in _KINDS and not path.suffix and not path.exists():
        raise SchemaError(f"{path} does not exist: give the path of a file or of a folder")
    if ending_of(path) not in _KINDS:
        raise SchemaError(f"{path} must end in {_LISTED}: convert it first")
    if not path.exists():
        raise SchemaError(
            f"{path} does not exist: give the path of a file, such as .csv or .parquet"
        )


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
        Where the file cannot be read, or its rows are stamped as ones that contain real records. It
        quotes nothing of the file.
    """
    source = open_source(data, schema)
    try:
        return source.read()
    except SchemaError:  # which quotes nothing of the file
        raise
    except Exception:
        pass
    raise unreadable(data)


def unreadable(data: Any) -> SchemaError:
    """The error of a table that cannot be read. It quotes nothing of it: raise it outside of any
    `except`, whose exception may.
    """
    if (fault := table_fault(data)) is not None:
        return SchemaError(fault)
    if not isinstance(data, (str, Path)) and not in_store(data):
        return SchemaError(f"{kind_of(data)} cannot be read by pyarrow: convert it first")
    kind = _KINDS.get(ending_of(Path(str(data))))
    if kind is _TEXT:
        return SchemaError(
            f"{data} cannot be read as CSV: look for lines with more or fewer fields than its"
            " header line, and for an encoding or a delimiter that the schema's file section does"
            " not declare"
        )
    title = "a table" if kind is None else kind.title
    return SchemaError(f"{data} cannot be read as {title}: check the file's format")


def ending_of(path: Path) -> str:
    """The ending that says what kind of file it is, with that of its compression: ".csv.gz"."""
    name = path.name.lower()
    packed = next((end for end in (".gz", ".zst") if name.endswith(end)), "")
    return Path(name.removesuffix(packed)).suffix + packed


def take_rows(rows: Rows, positions: Any) -> Rows:
    """The rows at these positions, in this order."""
    return rows.take(pa.array(positions)) if isinstance(rows, pa.Table) else rows.iloc[positions]


def column_names(rows: Rows) -> list[Any]:
    """The names of the columns, in order."""
    return list(rows.column_names if isinstance(rows, pa.Table) else rows.columns)


def column(rows: Rows, name: str) -> Any:
    """One column: a Series or a ChunkedArray."""
    return rows[name] if isinstance(rows, pd.DataFrame) else rows.column(name)
