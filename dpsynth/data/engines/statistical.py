"""Files of SPSS, Stata and SAS, read by pyreadstat (Apache-2.0).

Dates are numbers in them, which the column's format makes dates; pyreadstat's own conversion fails
for a date beyond the year 9999, and its decoding for one byte that says nothing. So numbers are
turned into times here, and texts are read as bytes.
"""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.data.engines.labels import Codes, Decode, labels_of, moments, number_text, texts
from dpsynth.data.engines.source import Source, form_of
from dpsynth.schema.columns import Column, Datetime, Identifier, Numeric, SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.statistical import FAMILIES, TimeFormat, time_format
from dpsynth.schema.table import Schema

_READERS = {
    ".sav": "read_sav",
    ".zsav": "read_sav",
    ".dta": "read_dta",
    ".sas7bdat": "read_sas7bdat",
    ".xpt": "read_xport",
}
_ROWS = 200_000
"""How many rows are turned into Arrow at once."""

_BYTES = "ISO-8859-1"
"""In it every byte is a sign: no text, label or name makes a reader fail."""

_ENCODING_RECORD = re.compile(
    rb"\x07\0{3}\x14\0{3}\x01\0{3}[\x01-\x40]\0{3}([\w-]+)"
    rb"|\0{3}\x07\0{3}\x14\0{3}\x01\0{3}[\x01-\x40]([\w-]+)"
    rb"|\xe7\x03\0{6}|\0\0\x03\xe7\0{4}"
)
"""Where an SPSS file, of either order of bytes, names its encoding; or where its rows begin."""

_LARGEST = 1e17
"""Seconds, beyond every year that a schema can state."""


def open_statistical(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A file of one of these programs, whose dictionary of columns has been read."""
    declared = form_of(schema, form)
    reader = getattr(_package(path), _READERS[path.suffix.lower()])
    _, facts = reader(str(path), metadataonly=True, encoding=_BYTES)
    decode = _decoder(declared.encoding or _stated_encoding(path, reader))
    names = [decode(name) or name for name in facts.column_names]
    read_labels = declared.value_labels == "read"
    convert = {
        raw: _converter(_Variable(path, raw, facts, decode, read_labels), _column(name, schema))
        for raw, name in zip(facts.column_names, names, strict=True)
    }

    def read() -> pa.Table:
        parts = [_part(part, convert) for part in _parts(path, reader)]
        return pa.concat_tables(parts).rename_columns(names)

    return Source(names, read, _part({}, convert).rename_columns(names).schema)


def _column(name: str, schema: Schema | None) -> Column | None:
    """What a schema declares; an id column that it does not declare is an identifier."""
    return None if schema is None else schema.columns.get(name, Identifier())


def _stated_encoding(path: Path, reader: Callable[..., Any]) -> str | None:
    """The encoding that a file states, if any, whether or not its labels can be read in it."""
    with contextlib.suppress(Exception):
        encoding: str | None = reader(str(path), metadataonly=True)[1].file_encoding
        return encoding
    if FAMILIES[path.suffix.lower()] != "spss":
        return None
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as raw:
        found = _ENCODING_RECORD.search(raw)
        name: bytes | None = None if found is None else found[1] or found[2]
    return None if name is None else name.decode("ascii")


def _package(path: Path) -> Any:
    try:
        import pyreadstat
    except ImportError:
        raise SchemaError(
            f"{path} needs pyreadstat, which is not installed: pip install 'dpsynth[stat]', or take"
            " CSV or .parquet"
        ) from None
    return pyreadstat


def _parts(path: Path, reader: Callable[..., Any]) -> Iterator[Mapping[str, Any]]:
    """The values of each column, so many rows at a time. In ISO-8859-1 each byte is a sign."""
    found, start = _ROWS, 0
    while found == _ROWS:
        part, _ = reader(
            str(path),
            row_offset=start,
            row_limit=_ROWS,
            output_format="dict",
            disable_datetime_conversion=True,
            encoding=_BYTES,
        )
        found = max(map(len, part.values()), default=0)
        start += found
        yield part


Converter = Callable[[Any], pa.Array]


def _part(values: Mapping[str, Any], convert: Mapping[str, Converter]) -> pa.Table:
    return pa.table({name: make(values.get(name, ())) for name, make in convert.items()})


@dataclass(frozen=True)
class _Variable:
    """A column of a file, by its raw name, and how texts and labels in it are read."""

    path: Path
    raw: str
    facts: Any
    decode: Decode
    read_labels: bool

    @property
    def is_text(self) -> bool:
        return bool(self.facts.readstat_variable_types[self.raw] == "string")

    @property
    def labels(self) -> Codes:
        found = self.facts.variable_value_labels.get(self.raw, {}) if self.read_labels else {}
        return labels_of(found, self.decode)

    @property
    def times(self) -> TimeFormat | None:
        format = self.facts.original_variable_types[self.raw]
        return time_format(FAMILIES[self.path.suffix.lower()], format)


def _converter(variable: _Variable, column: Column | None) -> Converter:
    """Makes an Arrow column of raw values, by what the schema says of it.

    Where labels are read, whether there are any decides nothing of a value that has none: numbers
    are the same in an Arrow column of numbers and one of texts, and all others are texts.
    """
    labels, decode, meant = variable.labels, variable.decode, variable.times
    if variable.is_text:
        return lambda raw: texts(map(decode, raw), labels, _same)
    if variable.read_labels and isinstance(column, Datetime):
        return lambda raw: moments(raw, _moments(raw, meant), labels, column)
    as_text = bool(labels) or not isinstance(column, Numeric | None)
    if variable.read_labels and as_text:
        write = _time_text(meant) if meant else _number_writer(column)
        return lambda raw: texts(raw, labels, write)
    if meant:
        return lambda raw: _times(raw, meant)
    return lambda raw: pa.array(_numbers(raw), from_pandas=True)


def _same(text: str | None) -> str | None:
    return text


def _number_writer(column: Column | None) -> Callable[[Any], str | None]:
    """Writes numbers with the decimal mark by which the column's texts are read."""
    mark = column.mark if isinstance(column, Numeric) else "."
    return lambda number: (number_text(number) or "").replace(".", mark)


def _time_text(meant: TimeFormat) -> Callable[[Any], str | None]:
    """Writes times as ISO 8601 has them, also beyond the years of Python."""

    def write(raw: Any) -> str | None:
        time = _times([raw], meant).to_numpy(zero_copy_only=False)[0]
        return None if np.isnat(time) else str(time)

    return write


def _moments(raw: Any, meant: TimeFormat | None) -> pa.Array:
    """The times; a number says none."""
    return pa.nulls(len(raw), pa.timestamp("s")) if meant is None else _times(raw, meant)


def _numbers(raw: Any) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in raw], dtype=np.float64)


def _times(raw: Any, meant: TimeFormat) -> pa.Array:
    seconds = np.floor(np.clip(_numbers(raw) * meant.unit, -_LARGEST, _LARGEST))
    missing = np.isnan(seconds)
    times = meant.origin + np.where(missing, 0, seconds).astype("timedelta64[s]")
    return pa.array(times, mask=missing)


def _decoder(encoding: str | None) -> Decode:
    """Reads a text whose bytes are signs. Where no encoding is stated it is UTF-8, else cp1252."""
    known = encoding if encoding is not None and _is_known(encoding) else None

    def decode(text: str | None) -> str | None:
        if text is None:
            return None
        raw = text.encode("latin-1", "replace")
        if known is not None:
            return raw.decode(known, "replace")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("cp1252", "replace")

    return decode


def _is_known(encoding: str) -> bool:
    try:
        codecs.lookup(encoding)
    except LookupError:
        return False
    return True


_CLOCK = slice(92, 109)
"""Where the header of an SPSS file states when it was written."""

_NO_TIME = b"01 Jan 8000:00:00"


def write_sav(rows: pd.DataFrame, path: Path) -> None:
    """Writes rows of numbers, texts and times into a new SPSS file, without the time of writing."""
    _package(path).write_sav(rows, str(path))
    raw = bytearray(path.read_bytes())
    raw[_CLOCK] = _NO_TIME
    path.write_bytes(raw)
