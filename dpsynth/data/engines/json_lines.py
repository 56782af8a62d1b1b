"""JSON lines: a record in each line, whose columns are named by the schema.

Which keys a record has is a part of that record, so the file itself names no column: what would be
said of the file before anything is paid for would hang on its rows. A key that a record lacks is a
missing value, and a key that the schema does not have is not read. A line that is no record is a
record without values. That a record has the stamp of real records, or that the file is one list, is
said by rows too: whoever reads them is told, and a fit ends behind the wall.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.engines.dialects import compression_of, created, opened
from dpsynth.data.engines.source import Source, markers_of, of_cells, refuse_real_records, unmarked
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema


def open_json_lines(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A file of JSON lines, of which no record has been read."""
    if schema is None:
        raise SchemaError(
            f"{path} names its columns in each record, which is not public: give a schema, which"
            " names them, or save the table as .parquet"
        )
    compression_of(path)  # OSError for a file that nobody may open
    names = [*dict.fromkeys((*schema.columns, *schema.unit.columns))]
    markers = markers_of(names, schema, schema.file)
    return Source(names, lambda: _read(path, names, markers))


def _read(path: Path, names: list[str], markers: tuple[frozenset[str], ...]) -> pd.DataFrame:
    """SchemaError for one list, and for a record that is stamped. It quotes nothing of the file."""
    with opened(path, compression_of(path)) as file:
        lines = iter(_lines(file))
        first = next(lines, b"")
        if first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
            raise SchemaError(f"{path} is one list, and no JSON lines: write one record a line")
        whole = chain((first,) if first else (), lines)
        records = [_values(line, names, markers) for line in whole]
    return of_cells(records, names)


def _lines(file: Iterable[bytes]) -> Iterable[bytes]:
    return (line for line in file if line.strip())


def _values(line: bytes, names: list[str], markers: tuple[frozenset[str], ...]) -> tuple[Any, ...]:
    """The values of one record, in the order of the names; SchemaError for one that is stamped."""
    try:
        record = json.loads(line.decode("utf-8-sig", "surrogateescape"))
    except (ValueError, RecursionError):
        record = None
    found = record if isinstance(record, dict) else {}
    refuse_real_records(found, {})
    values = map(found.get, names)
    return tuple(_single(unmarked(value, of)) for value, of in zip(values, markers, strict=True))


def _single(value: Any) -> Any:
    """A value as it is; a list or a record as a text that nobody declares."""
    return "\0" if isinstance(value, dict | list) else value


def copy_lines(path: Path, sides: Iterable[bool], one: Path, other: Path) -> None:
    """Copies each record as it is into the first file, or into the other where its side says so."""
    compression = compression_of(path)
    with (
        opened(path, compression) as file,
        created(one, compression) as first,
        created(other, compression) as second,
    ):
        for line, side in zip(_lines(file), sides, strict=True):
            (second if side else first).write(line if line.endswith(b"\n") else line + b"\n")


def write_json_lines(rows: pd.DataFrame, path: Path) -> None:
    """Writes a record a line; a missing value is null, and a time is text."""
    columns = [rows[name].astype(object) for name in rows.columns]
    names = [str(name) for name in rows.columns]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for values in zip(*columns, strict=True):
            record = dict(zip(names, map(_plain, values), strict=True))
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value
