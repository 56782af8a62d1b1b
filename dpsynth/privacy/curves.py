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

from mpmath import mp, mpf

COST_UNIT = 2**120
"""A cost is a whole number of 2^-120ths of mu^2; sums of costs are exact."""

_DIGITS = 100
_BISECTIONS = 90
_AGAINST_US = mpf(10) ** -12


def gaussian_cost(noise_multiplier: float) -> int:
    """mu^2 = 1 / noise_multiplier^2, in cost units, rounded up."""
    return -(-COST_UNIT // Fraction(noise_multiplier) ** 2)


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
    if cost == 0:
        return 0.0
    with mp.workdps(_DIGITS):
        return _round_up(_delta(mpf(epsilon), _mu(cost)))


@lru_cache(maxsize=256)
def gaussian_epsilon(cost: int, delta: float) -> float:
    """The smallest epsilon >= 0 at which events of this total cost are (epsilon, delta)-DP, rounded up."""
    if cost == 0:
        return 0.0
    with mp.workdps(_DIGITS):
        mu, wanted = _mu(cost), mpf(delta)

        def is_private(epsilon: mpf) -> bool:
            return bool(_delta(epsilon, mu) <= wanted)

        if is_private(mpf(0)):
            return 0.0
        high = mpf(1)
        while not is_private(high):
            high *= 2
        return _round_up(_bisect(is_private, safe=high, unsafe=mpf(0) if high == 1 else high / 2))


@lru_cache(maxsize=256)
def gaussian_budget(epsilon: float, delta: float) -> int:
    """The largest total cost that is (epsilon, delta)-DP, in cost units, rounded down; 0 when there is none."""
    if delta <= 0:
        return 0
    with mp.workdps(_DIGITS):
        eps, wanted = mpf(epsilon), mpf(delta)

        def is_private(mu: mpf) -> bool:
            return bool(_delta(eps, mu) <= wanted)

        high = mpf(1)
        while is_private(high):
            high *= 2
        low = high / 2
        while not is_private(low):
            low /= 2
        mu = _bisect(is_private, safe=low, unsafe=2 * low) * (1 - _AGAINST_US)
        return int(mp.floor(mu**2 * COST_UNIT))


def zcdp(cost: int) -> float:
    """rho of zero-concentrated DP (Bun and Steinke, arXiv 1605.02065, Prop. 1.6): mu^2 / 2. A view for the reader."""
    return float(Fraction(cost, 2 * COST_UNIT))


def rdp(cost: int, order: float) -> float:
    """Renyi divergence of this order (Mironov, arXiv 1702.07476, Prop. 7): order * mu^2 / 2. A view for the reader."""
    return order * zcdp(cost)


def mu_of(cost: int) -> float:
    """mu of Gaussian DP, to double precision. A view for the reader: sums are made of costs."""
    return math.sqrt(Fraction(cost, COST_UNIT))


def _mu(cost: int) -> mpf:
    return mp.sqrt(mpf(cost) / COST_UNIT)


def _delta(epsilon: mpf, mu: mpf) -> mpf:
    return mp.ncdf(mu / 2 - epsilon / mu) - mp.exp(epsilon) * mp.ncdf(-mu / 2 - epsilon / mu)


def _bisect(is_safe: Callable[[mpf], bool], *, safe: mpf, unsafe: mpf) -> mpf:
    """The safe end of an interval in which safety changes, after it was halved until 2^-90 of it is left."""
    for _ in range(_BISECTIONS):
        middle = (safe + unsafe) / 2
        safe, unsafe = (middle, unsafe) if is_safe(middle) else (safe, middle)
    return safe


def _round_up(x: mpf) -> float:
    return math.nextafter(float(x * (1 + _AGAINST_US)), math.inf)
