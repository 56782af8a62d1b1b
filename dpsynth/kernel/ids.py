"""Whose record a row is: each id as bytes that are made from it alone, whatever container holds it.

One record can change the container of a whole column: a missing id turns integers into floats, a word turns moments
into objects. So no id is read by way of another type than its own, and nothing is inferred from several ids. Ids that
say the same whole number, text, bytes or moment have the same bytes in every container; those of any other kind go by
their type and what Python writes for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Parts: TypeAlias = Iterator[tuple[list[bytes], np.ndarray]]
"""Pieces of a column, each as keys and, for every row, the position of its key."""

NO_ID = b""
"""The key of rows without an id: they are one unit."""

_UNREADABLE = b"unreadable"
_ARROWS = (
    pd.arrays.ArrowExtensionArray,
    pd.arrays.IntegerArray,
    pd.arrays.FloatingArray,
    pd.arrays.BooleanArray,
)


def units(ids: Any) -> tuple[list[bytes], np.ndarray]:
    """The keys of all units, and for each row the number of its unit.

    ids: a list, a numpy array of one dimension, a pandas Series, Index or array, or an Arrow array, chunked or not.
    """
    numbers: dict[bytes, int] = {}
    rows = [np.zeros(0, dtype=np.intp)]
    for keys, places in _parts(ids):
        known = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp)
        rows.append(known[places])
    return list(numbers), np.concatenate(rows)


def key(value: object) -> bytes:
    """The bytes of one id: a letter for its kind, and what it says. An id that cannot be written goes by its type."""
    try:
        if value is None or value is pd.NA or value is pd.NaT:
            return NO_ID
        if isinstance(value, str):
            return b"t" + str.encode(value, "utf-8", "surrogatepass")
        if isinstance(value, bytes):
            return b"b" + bytes(value)
        if isinstance(value, date | np.datetime64):
            return _moment(value)
        return _number_or_other(value.item() if isinstance(value, np.generic) else value)
    except Exception:
        return _UNREADABLE + type(value).__name__.encode("utf-8", "surrogatepass")


def _number_or_other(value: Any) -> bytes:
    if isinstance(value, complex | np.complexfloating) and value.imag == 0:  # one makes all of an array complex
        value = value.real
    if isinstance(value, int) or (isinstance(value, float | np.floating) and value.is_integer()):
        return b"i%x" % int(value)
    if value != value:  # NaN, NaT
        return NO_ID
    return b"o" + f"{type(value).__name__} {value!r}".encode("utf-8", "surrogatepass")


def _moment(value: Any) -> bytes:
    """Nanoseconds since the year 1, in UTC where the moment has a zone; a date is its midnight."""
    if isinstance(value, np.datetime64):
        if np.isnat(value):
            return NO_ID
        value = pd.Timestamp(value)
    seconds, rest = value.toordinal() * 86_400, 0
    if isinstance(value, datetime):
        seconds += value.hour * 3600 + value.minute * 60 + value.second
        offset = value.utcoffset()
        micro = 0 if offset is None else (offset.days * 86_400 + offset.seconds) * 10**6 + offset.microseconds
        rest = (value.microsecond - micro) * 1000 + getattr(value, "nanosecond", 0)
    return b"m%x" % (seconds * 10**9 + rest)


def _parts(ids: Any) -> Parts:
    if isinstance(ids, pa.ChunkedArray):
        for chunk in ids.chunks:
            yield _of_arrow(chunk)
    elif isinstance(ids, pa.Array):
        yield _of_arrow(ids)
    elif isinstance(ids, pd.Series | pd.Index):
        yield from _parts(ids.array)
    elif isinstance(ids, pd.api.extensions.ExtensionArray):
        yield from _of_pandas(ids)
    elif isinstance(ids, np.ndarray):
        yield _of_numpy(ids)
    else:
        yield _one_by_one(ids)


def _of_pandas(ids: Any) -> Parts:
    if isinstance(ids, pd.Categorical):
        names, numbers = units(ids.categories)
        codes = np.asarray(ids.codes)
        yield [*names, NO_ID], np.where(codes < 0, len(names), np.append(numbers, 0)[codes])
    elif isinstance(ids, _ARROWS):
        yield from _parts(ids.__arrow_array__())
    elif isinstance(ids, pd.arrays.DatetimeArray):
        yield _of_numpy((ids if ids.tz is None else ids.tz_convert(None)).to_numpy())
    elif isinstance(ids, pd.arrays.NumpyExtensionArray):
        yield _of_numpy(ids.to_numpy())
    else:
        yield _one_by_one(ids)


def _of_numpy(ids: np.ndarray) -> tuple[list[bytes], np.ndarray]:
    if ids.dtype.kind not in "biufM":
        return _one_by_one(ids)
    distinct, places = np.unique(ids, return_inverse=True)
    return [key(value) for value in distinct], places.reshape(-1)


def _one_by_one(ids: Iterable[object]) -> tuple[list[bytes], np.ndarray]:
    keys = [key(value) for value in ids]
    return keys, np.arange(len(keys))


def _of_arrow(ids: Any) -> tuple[list[bytes], np.ndarray]:
    kind, types = ids.type, pa.types
    if isinstance(ids, pa.ExtensionArray):
        return _of_arrow(ids.storage)
    if types.is_run_end_encoded(kind):
        return _of_arrow(pc.run_end_decode(ids))
    if types.is_dictionary(kind):
        keys, numbers = _of_arrow(ids.dictionary)
        return [*keys, NO_ID], np.append(numbers, len(keys))[_places(ids.indices)]
    letter = b"b" if _is_bytes(kind) else b"t"
    if types.is_string(kind) or types.is_large_string(kind):  # compared as bytes: they need not be UTF-8
        ids = ids.view(pa.binary() if types.is_string(kind) else pa.large_binary())
    elif not (types.is_integer(kind) or _is_bytes(kind)):
        return _one_by_one(map(_as_python, ids))
    found = ids.dictionary_encode()
    words = found.dictionary.to_pylist()
    keys = [NO_ID if w is None else key(w) if isinstance(w, int) else letter + w for w in words]
    return [*keys, NO_ID], _places(found.indices)


def _is_bytes(kind: Any) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def _places(indices: Any) -> np.ndarray:
    """Positions in the dictionary; -1, its last entry, where there is no value."""
    return np.asarray(indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False))


def _as_python(value: Any) -> object:
    """An Arrow scalar as Python has it; texts as their bytes say, and what cannot be had stands for itself."""
    try:
        return value.as_py()
    except Exception:
        return _Unreadable(value)


class _Unreadable:
    """What Arrow cannot write as Python goes by its bytes if it has any, else by its type alone."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return repr(self._value.as_buffer().to_pybytes())
