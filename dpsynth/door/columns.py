"""A raw column as values, each by itself, whatever container holds it.

One record can change the container of a whole column: a missing value turns whole numbers into floats, a word turns
datetimes into objects. If what is read of a value hung on its container, that record would move the rows of others. So
nothing is inferred of several values: containers come apart into pieces, and `ids` and `codes` read a value in a piece
as they read it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Piece: TypeAlias = tuple[list[Any] | np.ndarray, np.ndarray | None]
"""Values, and for each row the place of its value, -1 where it has none; None where row i has value i.

Values are Python objects in a list, or an array of numbers (dtype kind i, u or f) or of datetimes (M).
"""

_EPOCH = date(1970, 1, 1).toordinal()
_MASKED = (pd.arrays.ArrowExtensionArray, pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)
_NS = 10**9
_UNITS = {"W": 604_800 * _NS, "D": 86_400 * _NS, "h": 3_600 * _NS, "m": 60 * _NS, "s": _NS, "ms": 10**6, "us": 10**3}
"""Nanoseconds in the units of datetime64; finer ones divide, and months have no fixed length."""
_PARTS = {"ns": 1, "ps": 10**3, "fs": 10**6, "as": 10**9}
_MONTHS = {"Y": 12, "M": 1}
_FAR = 12 * 20_000  # months after 1970, beyond any bound


def pieces(column: Any) -> Iterator[Piece]:
    """The pieces of a list, a numpy array, a pandas Series, Index or array, or an Arrow array, chunked or not."""
    if isinstance(column, pa.ChunkedArray):
        for chunk in column.chunks:
            yield _of_arrow(chunk)
    elif isinstance(column, pa.Array):
        yield _of_arrow(column)
    elif isinstance(column, pd.Series | pd.Index):
        yield from pieces(column.array)
    elif isinstance(column, pd.Categorical):
        yield _looked_up(objects(pieces(column.categories)), None, np.asarray(column.codes))
    elif isinstance(column, _MASKED):
        yield from pieces(column.__arrow_array__())
    elif isinstance(column, pd.arrays.DatetimeArray):
        yield (column if column.tz is None else column.tz_convert(None)).to_numpy(), None
    elif isinstance(column, pd.arrays.NumpyExtensionArray | pd.arrays.SparseArray | np.ndarray):
        yield _of_numpy(np.asarray(column))
    else:
        yield _one_by_one(column)


def _of_numpy(values: np.ndarray) -> Piece:
    if values.dtype.kind in "iufM":
        return values, None
    if values.dtype.kind == "b":
        return [False, True], values.astype(np.intp)
    return _one_by_one(values)


def _one_by_one(values: Iterable[Any]) -> Piece:
    """Objects as they are, but bytes as text; a text that comes again has one place, and is told by ==."""
    found: list[Any] = []
    texts: dict[str, int] = {}
    places: list[int] = []
    for each in values:
        value = _text(each) if isinstance(each, bytes) else each
        place = texts.setdefault(value, len(found)) if type(value) is str else len(found)
        if place == len(found):
            found.append(value)
        places.append(place)
    return found, np.array(places, dtype=np.intp)


def _of_arrow(values: Any) -> Piece:
    kind, types = values.type, pa.types
    if isinstance(values, pa.ExtensionArray):
        return _of_arrow(values.storage)
    if types.is_run_end_encoded(kind):
        return _of_arrow(pc.run_end_decode(values))
    if types.is_dictionary(kind):
        return _looked_up(*_of_arrow(values.dictionary), _indices(values.indices))
    if types.is_boolean(kind):
        return [False, True], _indices(values)
    if types.is_floating(kind) or types.is_date(kind) or types.is_timestamp(kind):
        return values.to_numpy(zero_copy_only=False), None
    if types.is_integer(kind):
        valid = values.is_valid().to_numpy(zero_copy_only=False)
        places = None if valid.all() else np.where(valid, np.arange(len(valid)), -1)
        return values.fill_null(0).to_numpy(zero_copy_only=False), places
    if types.is_string(kind) or types.is_large_string(kind):  # compared as bytes: they need not be UTF-8
        found = values.view(pa.binary() if types.is_string(kind) else pa.large_binary()).dictionary_encode()
        return [_text(raw) for raw in found.dictionary.to_pylist()], _indices(found.indices)
    return [_python(value) for value in values], None


def _looked_up(values: list[Any] | np.ndarray, places: np.ndarray | None, indices: np.ndarray) -> Piece:
    """Values of a dictionary, each row having the index of its entry; -1 stands for none."""
    entries = np.arange(len(values)) if places is None else places
    return values, np.append(entries, -1)[indices]


def objects(parts: Iterable[Piece]) -> list[Any]:
    """The values of all rows, however many pieces they come in."""
    found: list[Any] = []
    for values, places in parts:
        entries = [*values, None]
        found += entries[:-1] if places is None else [entries[place] for place in places]
    return found


def _indices(values: Any) -> np.ndarray:
    indices: np.ndarray = values.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return indices


def _text(raw: bytes | None) -> str | None:
    """Text of bytes that ought to be UTF-8; others stay apart, and match nothing that a schema can declare.

    All bytes are read as text: one record of bytes turns a whole Arrow column of texts into bytes.
    """
    return None if raw is None else raw.decode("utf-8", "surrogateescape")


def utf_8(text: str) -> bytes:
    """The bytes that a text was read from, or would be."""
    try:
        return str.encode(text, "utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, which no bytes are read as
        return str.encode(text, "utf-8", "surrogatepass")


def _python(value: Any) -> object:
    """An Arrow scalar as Python has it, bytes as text. What cannot be had as Python goes by its bytes, if any."""
    try:
        found = value.as_py()
        return _text(found) if isinstance(found, bytes) else found
    except Exception:
        return Unreadable(value)


class Unreadable:
    """An Arrow value that is nothing in Python."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return repr(self._value.as_buffer().to_pybytes())


def is_missing(value: object) -> bool:
    """Whether a value is None, NA, NaT or a floating-point NaN."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, float | complex | np.inexact) and bool(value != value)


def is_number(value: object) -> bool:
    """Whether a value is a whole or a floating-point number; a complex one without an imaginary part is one too.

    Truth values are none, nor are time spans, which numpy counts among the integers.
    """
    if isinstance(value, complex | np.complexfloating):  # one complex number makes all of an array complex
        return value.imag == 0
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool | np.timedelta64)


def real(value: Any) -> float:
    """The float64 nearest to a number; infinite beyond all of them."""
    try:
        return float(value.real)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def nanoseconds(value: Any) -> int:
    """Whole nanoseconds since 1970 UTC of a date, a datetime, a Timestamp or a datetime64; a date is its midnight."""
    if isinstance(value, pd.Timestamp):  # may lie beyond the years of Python, as in an array; in UTC
        value = value.asm8
    if isinstance(value, np.datetime64):
        unit, count = np.datetime_data(value.dtype)
        steps = int(value.astype(np.int64)) * count
        if unit in _MONTHS:
            months = min(max(steps * _MONTHS[unit], -_FAR), _FAR)
            return int(np.datetime64(months, "M").astype("datetime64[D]").astype(np.int64)) * _UNITS["D"]
        return steps * _UNITS[unit] if unit in _UNITS else steps // _PARTS[unit]
    ns = (value.toordinal() - _EPOCH) * _UNITS["D"]
    if isinstance(value, datetime):
        clock = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
        clock -= value.utcoffset() or timedelta(0)
        ns += clock // timedelta(microseconds=1) * 1000
    return ns


def seconds(datetimes: np.ndarray) -> np.ndarray:
    """Whole seconds since 1970 UTC of a datetime64 array, rounded down; float64, NaN for NaT."""
    unit, count = np.datetime_data(datetimes.dtype)
    missing = np.isnat(datetimes)
    whole = np.where(missing, 0, datetimes.astype(np.int64))
    if count == 1 and unit in ("s", "ms", "us", "ns"):
        per_second = _NS // _UNITS.get(unit, 1)
        return np.where(missing, np.nan, (whole // per_second).astype(np.float64))
    if count == 1 and unit == "D":
        return np.where(missing, np.nan, whole.astype(np.float64) * 86_400)
    return np.array([np.nan if np.isnat(m) else nanoseconds(m) // _NS for m in datetimes], dtype=np.float64)
