"""Bounds of a numeric column: public ones, and learned ones where the schema leaves them open."""

from __future__ import annotations

import math
from decimal import Decimal

from dpsynth.schema.columns import LARGEST, LATTICE, Numeric

_ROUNDING = 1e-9
"""In steps. A step such as 0.1 is not exact in float64: so close to a step, a number is on it."""

_MAX_DECIMALS = 300
"""Beyond about 308 decimal places float64 has only subnormal numbers, and `round` may fail."""


def settled_bounds(column: Numeric, learned: tuple[float, float] | None) -> tuple[float, float]:
    """The column's public bounds, and in place of an open one the learned bound.

    Learned bounds are moved outwards to a step. ValueError where a learned bound is needed and is
    not there, or is not finite.
    """
    if column.low is not None and column.high is not None:
        return column.low, column.high
    if learned is None:
        raise ValueError(
            "a Numeric column without low or high needs bounds=(low, high), learned by a charged"
            " query: pass them"
        )
    low, high = (float(bound) for bound in learned)
    if not -math.inf < low <= high < math.inf:
        raise ValueError(
            f"bounds must be two finite numbers, the lower first, got {learned}: learn them again"
        )
    if column.low is not None:
        low = column.low
    if column.high is not None:
        high = column.high
    return _outward(column, low, high)


def decimals(*numbers: float) -> int:
    """How many decimal places write all of these numbers exactly as Python writes them."""
    exponents = (Decimal(repr(number)).as_tuple().exponent for number in numbers)
    places = (-exponent for exponent in exponents if isinstance(exponent, int))
    return min(_MAX_DECIMALS, max(0, *places))


def _outward(column: Numeric, low: float, high: float) -> tuple[float, float]:
    """The bounds on the column's steps and within its limits; a public bound stays as it is."""
    spacing = column.spacing
    limit = LARGEST if spacing is None else LATTICE * spacing
    low, high = (min(max(bound, -limit), limit) for bound in (low, high))
    if spacing is not None:
        # Steps are counted from a public bound where there is one, else from zero.
        public = [bound for bound in (column.low, column.high) if bound is not None]
        anchor = public[0] if public else 0
        digits = decimals(anchor, spacing)
        down = math.floor((low - anchor) / spacing + _ROUNDING)
        up = math.ceil((high - anchor) / spacing - _ROUNDING)
        low = round(anchor + down * spacing, digits)
        high = round(anchor + up * spacing, digits)
    # A learned bound on the wrong side of a public one is moved to it.
    if column.high is None:
        return low, max(low, high)
    return min(low, high), high
