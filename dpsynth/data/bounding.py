"""Contribution bounding: each unit keeps at most max_records rows, so that the bound is enforced and not assumed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

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
    if isinstance(ids, pa.ChunkedArray):
        indices = ids.combine_chunks().dictionary_encode().indices
        return np.asarray(indices.fill_null(-1), dtype=np.intp) + 1
    keys = ids.map(_key, na_action="ignore") if ids.dtype == object else ids
    numbers, _ = pd.factorize(keys, use_na_sentinel=True)
    return np.asarray(numbers, dtype=np.intp) + 1


def _key(value: Any) -> str:
    """A text that tells this id from others, made from it alone: in Python 1, 1.0 and True are equal, "1" is not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{type(value).__name__} {value!r}"
