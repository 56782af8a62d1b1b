r"""Composition and conversion: what events cost together, as (epsilon, delta).

**Gaussian differential privacy.** Releasing f(D) + N(0, (sigma * l2)^2) is mu-GDP with mu = 1 / sigma, where sigma is
the noise multiplier and l2 bounds how far f moves between neighbours (Dong, Roth, Su, "Gaussian differential
privacy", JRSS-B 2022, Thm 1). Mechanisms that are mu_i-GDP, each chosen after seeing the former outputs, compose to
mu-GDP when the *sum of mu_i^2 never exceeds mu^2* (Smith and Thakurta, arXiv 2210.17520, Thm 1: the Gaussian filter is
free). So this module adds mu^2, exactly, and converts once.

**Conversion** (Balle and Wang, arXiv 1805.06530, Thm 8): mu-GDP is (epsilon, delta)-DP if and only if

    delta >= Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu).

**Rounding.** Costs are integers in units of 2^-120 of mu^2, rounded up; conversions are evaluated with 100
digits and then moved by a relative 1e-12 against ourselves, far more than the evaluation and bisection error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from mpmath import mp as _default_mp
from mpmath import mpf

COST_UNIT = 2**120
"""A cost is a whole number of 2^-120ths of mu^2; sums of costs are exact."""

_BISECTIONS = 90
AGAINST_US = 1e-12
"""Relative: what conversions are moved by against ourselves, far more than evaluation and bisection err."""
_HOPELESS = COST_UNIT << 20
"""mu above 1,000: epsilon would be hundreds of thousands, and nothing is private."""

_mp = _default_mp.clone()  # arithmetic of our own: no other thread and no caller changes its precision
_mp.dps = 100


@lru_cache(maxsize=1024)
def gaussian_cost(noise_multiplier: float) -> int:
    """mu^2 = 1 / noise_multiplier^2, in cost units, rounded up."""
    return -(-COST_UNIT // Fraction(noise_multiplier) ** 2)


@lru_cache(maxsize=1024)
def noise_multiplier_for(cost: int) -> float:
    """The smallest double whose cost does not exceed `cost`; infinity when there is nothing to spend."""
    if cost <= 0:
        return math.inf
    guess = math.sqrt(COST_UNIT / cost)
    while gaussian_cost(guess) > cost:
        guess = math.nextafter(guess, math.inf)
    while gaussian_cost(below := math.nextafter(guess, 0)) <= cost:
        guess = below
    return guess


def gaussian_delta(epsilon: float, cost: int) -> float:
    """The smallest delta at which events of this total cost are (epsilon, delta)-DP, rounded up."""
    if not epsilon >= 0:
        raise ValueError(f"epsilon must be a number, 0 or more, got {epsilon!r}")
    if cost == 0:
        return 0.0
    return 1.0 if cost > _HOPELESS else min(1.0, _round_up(_delta(_mp.mpf(epsilon), _mu(cost))))


@lru_cache(maxsize=256)
def gaussian_epsilon(cost: int, delta: float) -> float:
    """The smallest epsilon >= 0 at which events of this total cost are (epsilon, delta)-DP, rounded up.

    Infinity when there is none (delta <= 0), or when it would be in the hundreds of thousands.
    """
    if cost == 0:
        return 0.0
    if not delta > 0 or cost > _HOPELESS:
        return math.inf
    mu, wanted = _mu(cost), _mp.mpf(delta)

    def is_private(epsilon: mpf) -> bool:
        return bool(_delta(epsilon, mu) <= wanted)

    if is_private(_mp.mpf(0)):
        return 0.0
    high = _mp.mpf(1)
    while not is_private(high):
        high *= 2
    return _round_up(_bisect(is_private, safe=high, unsafe=_mp.mpf(0) if high == 1 else high / 2))


@lru_cache(maxsize=256)
def gaussian_budget(epsilon: float, delta: float) -> int:
    """The largest total cost that is (epsilon, delta)-DP, in cost units, rounded down; 0 when there is none."""
    if not delta > 0:
        return 0
    eps, wanted = _mp.mpf(epsilon), _mp.mpf(delta)

    def is_private(mu: mpf) -> bool:
        return bool(_delta(eps, mu) <= wanted)

    high = _mp.mpf(1)
    while is_private(high):
        high *= 2
    low = high / 2
    while not is_private(low):
        low /= 2
    mu = _bisect(is_private, safe=low, unsafe=2 * low) * (1 - AGAINST_US)
    return int(_mp.floor(mu**2 * COST_UNIT))


def _mu(cost: int) -> mpf:
    return _mp.sqrt(_mp.mpf(cost) / COST_UNIT)


def _delta(epsilon: mpf, mu: mpf) -> mpf:
    return _tail(epsilon / mu - mu / 2) - _mp.exp(epsilon) * _tail(epsilon / mu + mu / 2)


def _tail(x: mpf) -> mpf:
    """Phi(-x), to full relative precision."""
    return _mp.erfc(x / _mp.sqrt(2)) / 2


def _bisect(is_safe: Callable[[mpf], bool], *, safe: mpf, unsafe: mpf) -> mpf:
    """The safe end of an interval in which safety changes, after it was halved until 2^-90 of it is left."""
    for _ in range(_BISECTIONS):
        middle = (safe + unsafe) / 2
        safe, unsafe = (middle, unsafe) if is_safe(middle) else (safe, middle)
    return safe


def _round_up(x: mpf) -> float:
    return math.nextafter(float(x * (1 + AGAINST_US)), math.inf)
