"""Files of SPSS, Stata and SAS, read by pyreadstat (Apache-2.0).

Dates are numbers in them, which the column's format makes dates; pyreadstat's own conversion fails
for a date beyond the year 9999, and its decoding for one byte that says nothing. So numbers are
turned into times here, and texts are read as bytes.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.data.engines.labels import labelled
from dpsynth.data.engines.source import Source, form_of
from dpsynth.schema.columns import SchemaError, text_of_number
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

_LARGEST = 1e17
"""Seconds, beyond every year that a schema can state."""


def open_statistical(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A file of one of these programs, whose dictionary of columns has been read."""
    declared = form_of(schema, form).encoding
    reader = getattr(_package(path), _READERS[path.suffix.lower()])
    _, facts = reader(str(path), metadataonly=True, encoding=declared)
    convert = {name: _converter(path, name, facts, declared, schema) for name in facts.column_names}

    def read() -> pa.Table:
        parts = [_part(part, convert) for part in _parts(path, reader)]
        return pa.concat_tables(parts)

    return Source([*facts.column_names], read, _part({}, convert).schema)


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
            encoding="ISO-8859-1",
        )
        found = max(map(len, part.values()), default=0)
        start += found
        yield part


Converter = Callable[[Any], pa.Array]


def _part(values: Mapping[str, Any], convert: Mapping[str, Converter]) -> pa.Table:
    return pa.table({name: make(values.get(name, ())) for name, make in convert.items()})


def _converter(
    path: Path, name: str, facts: Any, declared: str | None, schema: Schema | None
) -> Converter:
    """Makes an Arrow column of raw values, by what the file's dictionary says of the column."""
    column = None if schema is None else schema.columns.get(name)
    says = labelled(name, column, facts.variable_value_labels.get(name, {}))
    if facts.readstat_variable_types[name] == "string":
        decode = _decoder(declared or facts.file_encoding)
        texts: dict[str | None, str] = {str(code): label for code, label in says.items()}
        return lambda raw: _texts((decode(text) for text in raw), texts)
    if says:
        return lambda raw: _texts(
            map(_number_text, raw), {_number_text(c): t for c, t in says.items()}
        )
    format = facts.original_variable_types[name]
    if meant := time_format(FAMILIES[path.suffix.lower()], format):
        return lambda raw: _times(raw, meant)
    return lambda raw: pa.array(_numbers(raw), from_pandas=True)


def _numbers(raw: Any) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in raw], dtype=np.float64)


def _times(raw: Any, meant: TimeFormat) -> pa.Array:
    seconds = np.floor(np.clip(_numbers(raw) * meant.unit, -_LARGEST, _LARGEST))
    missing = np.isnan(seconds)
    times = meant.origin + np.where(missing, 0, seconds).astype("timedelta64[s]")
    return pa.array(times, mask=missing)


def _texts(texts: Any, says: Mapping[str | None, str]) -> pa.Array:
    """Texts with labels in the place of codes; an empty text is a missing value there."""
    found = [None if text is None or not text.strip() else says.get(text, text) for text in texts]
    return pa.array(found, pa.string())


def _number_text(code: Any) -> str | None:
    """A number as the text that a category of text matches."""
    if code is None or isinstance(code, str) or code != code:
        return code if isinstance(code, str) else None
    return text_of_number(float(code)) or repr(code)


def _decoder(encoding: str | None) -> Callable[[str | None], str | None]:
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
