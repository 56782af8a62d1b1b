"""SensitiveRows: coded private rows, closed to reading. Charges train on them, teachers vote, programs get them."""

from __future__ import annotations

import numpy as np

from dpsynth.base.closed import Closed, closed
from dpsynth.kernel.unit import PrivacyUnit

_BOUNDED = object()
"""Shown to a constructor by code that has bounded its rows: `door/bounded.py`, and what is made of its rows."""


class SensitiveRows(Closed):
    """The codes of some columns, one row a record; no unit has more than `protects.max_records` rows.

    sizes: how many codes each column has, which is public. How many rows there are is not. A code outside them is
    brought to the nearest one. Rows of a unit with an id column come from `door/table.py` alone.
    """

    _closed_because = "private rows are read by a charge only: accountant.charge(event, purpose).redeem(rows, ...)"
    __slots__ = ("__codes", "protects", "sizes")
    protects: PrivacyUnit
    sizes: tuple[int, ...]

    def __init__(
        self, codes: np.ndarray, *, sizes: tuple[int, ...], protects: PrivacyUnit, shown: object = None
    ) -> None:
        _require_bounded(protects, shown)
        if codes.ndim != 2 or codes.shape[1] != len(sizes) or codes.dtype.kind not in "iu":
            raise TypeError(f"rows are integer codes, one column for each of {len(sizes)} sizes")
        put = object.__setattr__
        last = np.minimum(np.array(sizes, dtype=np.int64) - 1, np.iinfo(codes.dtype).max).astype(codes.dtype)
        put(self, "_SensitiveRows__codes", np.clip(codes, codes.dtype.type(0), last))
        put(self, "sizes", sizes)
        put(self, "protects", protects)

    def __repr__(self) -> str:
        return f"SensitiveRows({len(self.sizes)} columns, {self.protects.describe()})"

    __array__ = __bool__ = __len__ = __iter__ = __getitem__ = __contains__ = __format__ = closed
    __eq__ = __ne__ = closed
    __setattr__ = __delattr__ = closed
    __hash__ = None  # type: ignore[assignment]


def _exact_codes(rows: SensitiveRows) -> np.ndarray:
    """The exact codes. Called in this package only, in `training/` and `programs/`."""
    if not isinstance(rows, SensitiveRows):
        raise TypeError(f"private rows are read as SensitiveRows, got {type(rows).__name__}: use table.rows()")
    codes: np.ndarray = object.__getattribute__(rows, "_SensitiveRows__codes")
    return codes


def _require_bounded(unit: PrivacyUnit, shown: object) -> None:
    """TypeError for rows of people (a unit with ids) that no bounding has seen."""
    if unit.id_column is not None and shown is not _BOUNDED:
        raise TypeError("rows of a unit with an id column must be bounded by the door: bound_table or bound_arrays")
