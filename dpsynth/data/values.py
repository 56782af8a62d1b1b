"""What a raw value says, whatever container holds it.

Privacy
-------
One record can change the container of a whole column: a missing value turns integers into floats, a word turns
numbers into text or objects. If a code depended on the container, that record would move other people's codes, and
no noise scaled to one record would cover it. So reading is *per value*: each value is read as a number, a moment or
a category by itself, and the fast paths for arrays agree with the slow one value by value. Hence

    read(a + b) == read(a) + read(b)        for any two columns in any containers.

Reading never raises because of a value: what cannot be read is NaN, or the code for unreadable values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from numbers import Complex, Real
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dpsynth.schema.columns import EPOCH, number_of_text

_SECOND = timedelta(seconds=1)
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15, "as": 10**18}
_SECONDS = {"m": 60, "h": 3_600, "D": 86_400, "W": 604_800}
_YEARS = {"Y": 1, "M": 12}
_FAR = 20_000  # years after 1970, beyond any bound
_UNREADABLE = object()


class Reader(Protocol):
    """Codes of values in the three forms that containers come down to. Law: codes of one value agree."""

    def objects(self, values: Iterable[object]) -> np.ndarray:
        """Codes of Python objects; None is missing."""
        ...

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """Codes of float64 numbers; NaN is missing."""
        ...

    def moments(self, values: np.ndarray) -> np.ndarray:
        """Codes of float64 seconds since 1970 UTC; NaN is missing."""
        ...


def read(values: Any, reader: Reader) -> np.ndarray:
    """The reader's codes for a pandas Series or Index, an Arrow array, a numpy array or a list; one for each value."""
    with np.errstate(all="ignore"):  # a long double beyond any double is infinite, which is what it ought to be
        return _read(values, reader)


def _read(values: Any, reader: Reader) -> np.ndarray:
    if isinstance(values, pa.ChunkedArray):
        chunks = [_read_arrow(chunk, reader) for chunk in values.chunks]
        return np.concatenate([*chunks, reader.objects([])])
    if isinstance(values, pa.Array):
        return _read_arrow(values, reader)
    if isinstance(values, pd.Index) or (isinstance(values, np.ndarray) and values.dtype.kind in "biuf"):
        values = pd.Series(values, dtype=values.dtype)
    if isinstance(values, pd.Series):
        return _read_series(values, reader)
    return _read_objects(np.fromiter(values, dtype=object), reader)


def number(value: object) -> float:
    """The float64 that a value says; NaN if it says none. True is 1; text is read as Python reads it."""
    kind = type(value)
    if kind is float:
        return value  # type: ignore[return-value]
    if isinstance(value, str):
        parsed = number_of_text(value)
        return {"true": 1.0, "false": 0.0}.get(str.lower(value), parsed) if math.isnan(parsed) else parsed
    if isinstance(value, bool | np.bool_):
        return float(value)
    return plain_number(value)


def plain_number(value: object) -> float:
    """The float64 that a number says; NaN for anything else, text and truth values too."""
    if isinstance(value, bool | np.bool_ | np.timedelta64):  # numpy counts a time span among the integers
        return math.nan
    try:
        if isinstance(value, Real | Decimal):
            return float(value)
        if isinstance(value, Complex) and value.imag == 0:  # one complex number makes all its column complex
            return float(value.real)
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]
    except Exception:  # a number that will not be converted, such as a signalling NaN
        return math.nan
    return math.nan


def moment(value: object) -> float:
    """Whole seconds since 1970-01-01 UTC that a value says; NaN if it says none. Numbers are no moments.

    Text is ISO-8601 with hyphens: "2020-01-31", "2020-01-31T12:00:00Z". A moment without a zone is taken as UTC.
    """
    try:
        if isinstance(value, str):
            text = str.strip(value)
            return _seconds(datetime.fromisoformat(text)) if text[4:5] == "-" else math.nan
        if isinstance(value, pd.Timestamp):
            return float(datetime64_seconds(np.asarray(value.asm8).reshape(1))[0])
        if isinstance(value, np.datetime64):
            return float(datetime64_seconds(np.asarray(value).reshape(1))[0])
        if isinstance(value, datetime):
            return _seconds(value)  # NaT, a datetime too, fails to be counted
        if isinstance(value, date):
            return _seconds(datetime(value.year, value.month, value.day))
    except Exception:  # a text that is no date, a time zone that fails
        return math.nan
    return math.nan


def is_null(value: object) -> bool:
    """Whether a value is a missing one: None, NaN, NA or NaT."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    try:
        return isinstance(value, Complex | Decimal) and bool(value != value)
    except Exception:  # a signalling NaN
        return True


def datetime64_seconds(values: np.ndarray) -> np.ndarray:
    """Seconds since 1970 of a datetime64 array of any unit, rounded down; float64, NaN for NaT.

    Beyond the year 9999 only the order is kept, as moments are clipped to bounds before it.
    """
    unit, count = np.datetime_data(values.dtype)
    missing = np.isnat(values)
    counts = np.where(missing, 0, values.astype(np.int64))
    if unit in _PER_SECOND:
        whole = counts if (unit, count) == ("s", 1) else _scaled(counts, count, _PER_SECOND[unit])
        seconds = whole.astype(np.float64)
    elif unit in _SECONDS:
        seconds = counts.astype(np.float64) * (count * _SECONDS[unit])
    elif unit in _YEARS:
        limit = _FAR * _YEARS[unit] // count
        near = np.clip(counts, -limit, limit) * count
        seconds = near.astype(f"datetime64[{unit}]").astype("datetime64[s]").astype(np.float64)
    else:
        return np.full(len(values), np.nan)
    return np.where(missing, np.nan, seconds)


def _scaled(counts: np.ndarray, count: int, per_second: int) -> np.ndarray:
    if count == 1:
        return counts // per_second
    return np.array([int(c) * count // per_second for c in counts], dtype=np.float64)


def _seconds(value: datetime) -> float:
    offset = value.utcoffset() or timedelta(0)
    return float((value.replace(tzinfo=None) - EPOCH - offset) // _SECOND)


def _read_series(values: pd.Series[Any], reader: Reader) -> np.ndarray:
    dtype: Any = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _take(read(dtype.categories, reader), values.cat.codes.to_numpy(), reader)
    if isinstance(values.array, pd.arrays.ArrowExtensionArray):  # texts too, whose bytes need not be UTF-8
        return read(values.array.__arrow_array__(), reader)
    if isinstance(dtype, pd.SparseDtype):
        return read(pd.Series(np.asarray(values)), reader)
    if isinstance(dtype, pd.StringDtype):
        return _read_distinct(np.asarray(values.array, dtype=object), reader)
    if isinstance(dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert(None)
        return reader.moments(datetime64_seconds(values.to_numpy()))
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        return reader.moments(datetime64_seconds(values.to_numpy()))
    if pd.api.types.is_bool_dtype(dtype):
        return _take(
            reader.objects([False, True]), np.where(values.isna(), -1, values.fillna(False)).astype(int), reader
        )
    if pd.api.types.is_any_real_numeric_dtype(dtype):
        plain = isinstance(dtype, np.dtype)
        return reader.numbers(values.to_numpy(np.float64) if plain else values.to_numpy(np.float64, na_value=np.nan))
    return _read_objects(values.astype(object).to_numpy(), reader)


def _read_arrow(values: Any, reader: Reader) -> np.ndarray:
    """Codes of one Arrow array; types that say nothing to any column (nested, binary, durations) are unreadable."""
    kind, types = values.type, pa.types
    if isinstance(values, pa.ExtensionArray):
        return _read_arrow(values.storage, reader)
    if types.is_dictionary(kind):
        return _take(_read_arrow(values.dictionary, reader), _indices(values.indices), reader)
    if types.is_run_end_encoded(kind):
        return _read_arrow(pc.run_end_decode(values), reader)
    if types.is_boolean(kind):
        return _take(reader.objects([False, True]), _indices(values), reader)
    if types.is_integer(kind) or types.is_floating(kind):
        return reader.numbers(np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64))
    if types.is_timestamp(kind) or types.is_date(kind):
        return reader.moments(datetime64_seconds(values.to_numpy(zero_copy_only=False)))
    if types.is_string(kind) or types.is_large_string(kind):
        distinct = as_bytes(values).dictionary_encode()
        return _take(reader.objects(map(as_text, distinct.dictionary.to_pylist())), _indices(distinct.indices), reader)
    if types.is_decimal(kind) or str(kind) == "string_view":
        return reader.objects(map(as_python, values))
    unreadable = reader.objects([_UNREADABLE])
    return _take(unreadable, np.where(values.is_valid().to_numpy(zero_copy_only=False), 0, -1), reader)


def _read_objects(values: np.ndarray, reader: Reader) -> np.ndarray:
    if pd.api.types.infer_dtype(values, skipna=True) == "string":  # text and nulls only: equal means the same
        return _read_distinct(values, reader)
    return reader.objects(values)


def _read_distinct(values: np.ndarray, reader: Reader) -> np.ndarray:
    """Codes of texts and nulls, each text read once. A dict tells texts apart; pandas 2 confuses some with NUL."""
    places: dict[str, int] = {}
    indices = [places.setdefault(str.__str__(v), len(places)) if isinstance(v, str) else -1 for v in values]
    return _take(reader.objects(places), np.array(indices, dtype=np.int64), reader)


def as_bytes(texts: Any) -> Any:
    """The bytes of an Arrow array of strings: comparing them needs no valid UTF-8."""
    return texts.view(pa.binary() if pa.types.is_string(texts.type) else pa.large_binary())


def as_text(raw: bytes | None) -> str | None:
    """Text from bytes that ought to be UTF-8; others stay apart, and match nothing that a schema can declare."""
    return None if raw is None else raw.decode("utf-8", "surrogateescape")


def as_python(value: Any) -> object:
    """An Arrow scalar as Python has it; what cannot be had is unreadable."""
    try:
        return value.as_py()
    except Exception:
        return _UNREADABLE


def _take(codes: np.ndarray, indices: np.ndarray, reader: Reader) -> np.ndarray:
    """codes[indices], where index -1 is a missing value."""
    found: np.ndarray = np.append(codes, reader.objects([None]))[indices]
    return found


def _indices(values: Any) -> np.ndarray:
    indices: np.ndarray = values.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return indices
