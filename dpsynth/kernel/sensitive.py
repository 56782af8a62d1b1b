"""Sensitive: an exact function of private records, with its sensitivity, closed to reading.

**Guarantee.** Between neighbouring tables the value moves by at most `l1` in the 1-norm and `l2` in the 2-norm.
`PrivateTable` makes Sensitive values from counts with the bound of its privacy unit; the three transformations below
are the whole list of what may be done to one before a charge reads it, and each proves its own bound, so no
mechanism ever states a sensitivity. Values are integers, so no private floating-point number exists before noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dpsynth.base.closed import Closed, closed
from dpsynth.base.numbers import positive
from dpsynth.kernel.unit import PrivacyUnit

_FARTHEST = 1e150
"""No sensitivity and no scale is larger: products and sums of squares stay finite, whatever the counts."""

_LARGEST = 2**52
"""Integers are clipped to this size, and so are estimates: exact in a double, and far from the end of an int64."""

_PARTS = tuple(2**power for power in range(9))
"""Into how many parts an estimate may divide a count: as powers of two they divide a unit exactly."""


class Sensitive(Closed):
    """`scale` times an array of integers, neither of which moves further than it says. Its shape and scale are public.

    protects: the privacy unit that l1 and l2 are about; None where nobody said.
    code: the name of the function from outside the rings that computed it from raw rows (`base/code_name.py`), if any.
    """

    _closed_because = "a Sensitive value is read by a charge only: accountant.charge(event, purpose).gaussian(value)"
    __slots__ = ("__integers", "code", "l1", "l2", "protects", "scale", "shape")
    code: str | None
    l1: float
    l2: float
    protects: PrivacyUnit | None
    shape: tuple[int, ...]
    scale: np.ndarray

    def __init__(
        self,
        integers: np.ndarray,
        *,
        l1: float,
        l2: float,
        scale: float | np.ndarray = 1.0,
        protects: PrivacyUnit | None = None,
        code: str | None = None,
    ):
        array = np.asarray(integers)
        if array.dtype.kind not in "iu" or not np.can_cast(array.dtype, np.int64):
            raise TypeError("a Sensitive value holds integers: bring estimates to the integer grid first")
        if not 0 < l2 <= l1 <= _FARTHEST:
            raise ValueError(f"sensitivities must satisfy 0 < l2 <= l1 <= 1e150, got l1={l1:g}, l2={l2:g}")
        scales = np.array(scale, dtype=np.float64)
        if scales.shape not in ((), array.shape) or not bool(np.all((scales > 0) & (scales <= _FARTHEST))):
            raise ValueError(f"a scale must lie in (0, 1e150] and have shape () or {array.shape}, got {scales.shape}")
        scales.setflags(write=False)
        put = object.__setattr__
        put(self, "_Sensitive__integers", np.clip(array.astype(np.int64), -_LARGEST, _LARGEST))
        put(self, "code", code)
        put(self, "l1", float(l1))
        put(self, "l2", float(l2))
        put(self, "protects", protects)
        put(self, "shape", array.shape)
        put(self, "scale", scales)

    def l1_error(
        self, estimate: np.ndarray, weight: float = 1.0, *, among: np.ndarray | None = None, parts: int = 1
    ) -> Sensitive:
        """weight * sum of |x - e|, one score: how badly a public estimate fits.

        e is the estimate, rounded to whole 1/parts of a count; among: the cells that are summed over, as bools of the
        shape of x, by default all.
        Sensitivity: | ||x - e|| - ||x' - e|| | <= ||x - x'||_1 <= l1 by the triangle inequality, and no more over some
        of the cells; times the weight. It is summed in integers parts * x - parts * e, of the unit weight / parts.
        Each |x - e| is cut where the sum could outgrow an integer; a cut brings no two values further apart.
        """
        if self.scale.ndim or self.scale != 1.0:
            raise ValueError("l1_error is for counts, not for scores")
        if isinstance(parts, bool) or parts not in _PARTS:
            raise ValueError(f"parts must be a power of two from 1 to 256, got {parts!r}")
        guess = np.asarray(estimate, dtype=np.float64)
        if guess.shape != self.shape or not np.isfinite(guess).all():
            raise ValueError(f"an estimate must be finite and of shape {self.shape}, got shape {guess.shape}")
        kept = np.ones(self.shape, dtype=bool) if among is None else np.asarray(among)
        if kept.shape != self.shape or kept.dtype != bool:
            raise ValueError(f"cells must be bools of shape {self.shape}, got {kept.dtype} of {kept.shape}")
        factor = positive("weight", weight)
        whole = np.rint(parts * np.clip(guess, -_LARGEST, _LARGEST)).astype(np.int64)
        errors = np.abs(parts * _integers(self) - whole)[kept]
        bound = _up(factor * self.l1)
        total = np.minimum(errors, 2**62 // max(1, errors.size)).sum()
        return Sensitive(total, l1=bound, l2=bound, scale=factor / parts, protects=self.protects, code=self.code)

    @staticmethod
    def largest(values: Sequence[Sensitive], less: Sequence[int] | np.ndarray) -> Sensitive:
        """The largest of single values of one scale, each after a public integer is taken from its own: one score.

        Sensitivity: |max_i (x_i - c_i) - max_i (y_i - c_i)| <= max_i |x_i - y_i|, so at most the largest l1 of them.
        """
        parts, taken = list(values), np.asarray(less)
        _require_alike(parts)
        if any(x.shape for x in parts) or len({float(x.scale) for x in parts}) > 1:
            raise ValueError("largest needs single values of one scale")
        if taken.shape != (len(parts),) or taken.dtype.kind not in "iu":
            raise ValueError(f"what is taken off must be {len(parts)} integers, got {taken.dtype} of {taken.shape}")
        first, bound = parts[0], max(x.l1 for x in parts)
        left = np.array([int(_integers(x)) for x in parts]) - np.clip(taken, -_LARGEST, _LARGEST).astype(np.int64)
        return Sensitive(left.max(), l1=bound, l2=bound, scale=first.scale, protects=first.protects, code=first.code)

    @staticmethod
    def stack(values: Sequence[Sensitive]) -> Sensitive:
        """All values, flattened one after another, to be released at once.

        Sensitivity: one unit moves each part by its own bound at most, so l1 adds and l2 adds in squares.
        """
        parts = list(values)
        _require_alike(parts)
        l1 = _up(math.fsum(x.l1 for x in parts))
        l2 = _up(math.sqrt(_up(math.fsum(_up(x.l2 * x.l2) for x in parts))))
        return Sensitive(
            np.concatenate([_integers(x).reshape(-1) for x in parts]),
            l1=l1,
            l2=min(l1, l2),
            scale=np.concatenate([np.broadcast_to(x.scale, x.shape).reshape(-1) for x in parts]),
            protects=parts[0].protects,
            code=parts[0].code,
        )

    def __repr__(self) -> str:
        return f"Sensitive(shape={self.shape}, l1={self.l1:g}, l2={self.l2:g})"

    __array__ = __float__ = __int__ = __index__ = __complex__ = __bool__ = __len__ = __iter__ = __getitem__ = closed
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __format__ = closed
    __setattr__ = __delattr__ = closed
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None


def _integers(x: Sensitive) -> np.ndarray:
    """The exact integers. Called in this package only: here by transformations, in `accountant.py` by a charge."""
    array: np.ndarray = object.__getattribute__(x, "_Sensitive__integers")
    return array


def _require_alike(parts: Sequence[Sensitive]) -> None:
    """Refuses values of which no single one can be made."""
    if not parts or not all(isinstance(x, Sensitive) for x in parts):
        raise TypeError("one Sensitive value or more is needed, and nothing else")
    if len({(x.protects, x.code) for x in parts}) > 1:
        raise ValueError("values must protect one privacy unit and be computed by one function")


def _up(x: float) -> float:
    return math.nextafter(x, math.inf)
