"""Contribution bounding: each unit keeps at most max_records rows, so that the bound is enforced and not assumed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.data.values import as_bytes, as_python, as_text, is_null
from dpsynth.kernel.unit import PrivacyUnit


def bounded_rows(ids: pd.Series[Any] | pa.ChunkedArray, unit: PrivacyUnit) -> np.ndarray:
    """Positions of the rows to keep, ascending: at most unit.max_records for each value of `ids`.

    Stability: which rows of a unit are kept depends on its own id and on the number and order of *its own* rows alone,
    so adding or removing one unit leaves every other unit's rows as they were. A unit with too many rows keeps those
    whose hash of id and place is smallest: no place is favoured over all units. Rows without an id are one unit.
    """
    number, hashes = _group(ids)
    by_unit = np.argsort(number, kind="stable")
    place = _rank(number[by_unit])
    score = _mixed(hashes[number[by_unit]] + place.astype(np.uint64) * _ODD)
    by_score = by_unit[np.lexsort((score, number[by_unit]))]
    return np.sort(by_score[_rank(number[by_score]) < unit.max_records])


_ODD = np.uint64(0x9E3779B97F4A7C15)


def _rank(sorted_numbers: np.ndarray) -> np.ndarray:
    """For each row, how many rows of its unit stand before it; rows of a unit stand together."""
    counts = np.bincount(sorted_numbers, minlength=1)
    return np.arange(sorted_numbers.size) - (np.cumsum(counts) - counts)[sorted_numbers]


def _mixed(x: np.ndarray) -> np.ndarray:
    """Bits spread over the whole word (the finaliser of splitmix64: Steele, Lea, Flood, OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _group(ids: pd.Series[Any] | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """A number for each row's unit, and for each number a hash of the unit's id; rows without an id share one.

    Whether two ids are one unit depends on them alone, and so does a unit's hash, whatever container other ids force.
    """
    if isinstance(ids, pd.Series) and isinstance(ids.dtype, pd.ArrowDtype):
        ids = pa.chunked_array(ids.array.__arrow_array__())
    if isinstance(ids, pa.ChunkedArray):
        return _group_arrow(ids)
    if isinstance(ids.dtype, np.dtype) and ids.dtype.kind in "iub":
        values, number = np.unique(ids.to_numpy(), return_inverse=True)
        return number, _hashes(map(_key, values.tolist()))
    return _number(ids.astype(object))


def _group_arrow(ids: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    kind = ids.type
    if pa.types.is_dictionary(kind):
        return _group_arrow(ids.cast(kind.value_type))
    whole = ids.combine_chunks()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        whole = as_bytes(whole)
    elif not pa.types.is_integer(kind):
        return _number(map(as_python, ids))
    encoded = whole.dictionary_encode()
    distinct = [as_text(v) if isinstance(v, bytes) else v for v in encoded.dictionary.to_pylist()]
    number = np.asarray(encoded.indices.fill_null(-1), dtype=np.intp) + 1
    return number, _hashes([None, *map(_key, distinct)])


def _number(ids: Iterable[object]) -> tuple[np.ndarray, np.ndarray]:
    numbers: dict[str | None, int] = {None: 0}
    number = np.array([numbers.setdefault(_key(v), len(numbers)) for v in ids], dtype=np.intp)
    return number, _hashes(numbers)


def _hashes(keys: Iterable[str | None]) -> np.ndarray:
    raw = [zlib.crc32((key or "").encode("utf-8", "surrogatepass")) for key in keys]
    return _mixed(np.array(raw, dtype=np.uint64))


def _key(value: object) -> str | None:
    """A text that tells an id from others, made from it alone: for Python 1 == 1.0 == True, and "1" differs.

    An id that cannot be written down goes by its type, so that all such rows are one unit: never too many rows.
    """
    try:
        if is_null(value):
            return None
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, float) and plain.is_integer():
            plain = int(plain)
        written = hex(plain) if isinstance(plain, int) and not isinstance(plain, bool) else repr(plain)
        return f"{type(plain).__name__} {written}"
    except Exception:
        return f"unwritable {type(value).__name__}"
