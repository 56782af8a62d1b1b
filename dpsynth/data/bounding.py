"""Contribution bounding: each unit keeps at most max_records rows, so that the bound is enforced and not assumed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.data.values import as_bytes, as_python, is_null
from dpsynth.privacy.unit import PrivacyUnit


def bounded_rows(ids: pd.Series[Any] | pa.ChunkedArray, unit: PrivacyUnit) -> np.ndarray:
    """Positions of the rows to keep, ascending: at most unit.max_records for each value of `ids`.

    Stability: which rows of a unit are kept depends on the number and order of *its own* rows alone, so adding or
    removing one unit leaves every other unit's rows as they were. A unit with n > k rows keeps k spread evenly over
    its history (the first k would favour the past). Rows without an id count as one unit together.
    """
    unit_of_row = _group(ids)
    order = np.argsort(unit_of_row, kind="stable")
    counts = np.bincount(unit_of_row) if len(order) else np.zeros(0, dtype=np.intp)
    rows_of_unit = counts[unit_of_row[order]]
    rank = np.arange(len(order)) - (np.cumsum(counts) - counts)[unit_of_row[order]]
    k = unit.max_records
    keep = (rows_of_unit <= k) | ((rank + 1) * k // rows_of_unit > rank * k // rows_of_unit)
    return np.sort(order[keep])


def _group(ids: pd.Series[Any] | pa.ChunkedArray) -> np.ndarray:
    """A number for each row's unit; rows without an id share one. Whether two ids are one depends on them alone."""
    if isinstance(ids, pd.Series) and isinstance(ids.dtype, pd.ArrowDtype):
        ids = pa.chunked_array(ids.array.__arrow_array__())
    if isinstance(ids, pa.ChunkedArray):
        return _group_arrow(ids)
    if isinstance(ids.dtype, np.dtype) and ids.dtype.kind in "iub":
        return np.unique(ids.to_numpy(), return_inverse=True)[1]
    return _number(ids.astype(object))


def _group_arrow(ids: pa.ChunkedArray) -> np.ndarray:
    kind = ids.type
    if pa.types.is_dictionary(kind):
        return _group_arrow(ids.cast(kind.value_type))
    whole = ids.combine_chunks()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        whole = as_bytes(whole)
    elif not pa.types.is_integer(kind):
        return _number(map(as_python, ids))
    return np.asarray(whole.dictionary_encode().indices.fill_null(-1), dtype=np.intp) + 1


def _number(ids: Iterable[object]) -> np.ndarray:
    """0 for a missing id, and for any other a number of its own."""
    numbers: dict[str | None, int] = {None: 0}
    return np.array([numbers.setdefault(_key(v), len(numbers)) for v in ids], dtype=np.intp)


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
