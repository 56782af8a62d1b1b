"""SensitiveRows: coded private rows, closed to reading. Charges train on them, teachers vote, programs get them."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from dpsynth.kernel.unit import PrivacyUnit


class SensitiveRows:
    """The codes of some columns, one row a record; already bounded to `protects.max_records` rows a unit.

    sizes: how many codes each column has, which is public. How many rows there are is not.
    """

    __slots__ = ("__codes", "protects", "sizes")
    protects: PrivacyUnit
    sizes: tuple[int, ...]

    def __init__(self, codes: np.ndarray, *, sizes: tuple[int, ...], protects: PrivacyUnit) -> None:
        if codes.ndim != 2 or codes.shape[1] != len(sizes) or codes.dtype.kind not in "iu":
            raise TypeError(f"rows are integer codes, one column for each of {len(sizes)} sizes")
        put = object.__setattr__
        put(self, "_SensitiveRows__codes", codes)
        put(self, "sizes", sizes)
        put(self, "protects", protects)

    def __repr__(self) -> str:
        return f"SensitiveRows({len(self.sizes)} columns, {self.protects.describe()})"

    def _closed(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("private rows are read by a charge only: accountant.charge(event, purpose).redeem(rows, ...)")

    __array__ = __bool__ = __len__ = __iter__ = __getitem__ = __contains__ = __format__ = _closed
    __eq__ = __ne__ = _closed
    __reduce__ = __reduce_ex__ = __getstate__ = __copy__ = __deepcopy__ = _closed
    __setattr__ = __delattr__ = _closed
    __hash__ = None  # type: ignore[assignment]


def _exact_codes(rows: SensitiveRows) -> np.ndarray:
    """The exact codes. Called in this package only, by `dpsgd.py`, `programs.py` and `teachers.py`."""
    codes: np.ndarray = object.__getattribute__(rows, "_SensitiveRows__codes")
    return codes
