"""What events cost in the terms of other accountants, for readers. No charge depends on it."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from mpmath import mp as _default_mp
from scipy.special import logsumexp

from dpsynth.kernel.gaussian_dp import AGAINST_US, COST_UNIT

# Arithmetic of our own: no other thread and no caller changes its precision.
_mp = _default_mp.clone()
_mp.dps = 100  # decimal digits: far more than the figures have, so that rounding is at the end


def pure_cost(epsilon: float) -> int:
    """The mu^2 of Gaussian DP that any epsilon-DP mechanism has at most, in cost units.

    mu is 2 Phi^-1(e^epsilon / (1 + e^epsilon)). Such a mechanism is no worse than randomised
    response (Kairouz, Oh and Viswanath, arXiv 1311.0776, Thm 3). Both trade-off curves pass through
    the point at which the two errors are equal; elsewhere the Gaussian one, which is convex, lies
    below the straight lines of randomised response.
    """
    mu = 2 * _mp.sqrt(2) * _mp.erfinv(_mp.tanh(_mp.mpf(epsilon) / 2)) * (1 + AGAINST_US)
    return int(_mp.ceil(mu**2 * COST_UNIT))


def zcdp(cost: int) -> float:
    """The rho of zero-concentrated DP (Bun and Steinke, arXiv 1605.02065, Prop. 1.6): mu^2 / 2."""
    return float(Fraction(cost, 2 * COST_UNIT))


def gaussian_rdp(cost: int, order: float) -> float:
    """The Renyi divergence of an order (Mironov, arXiv 1702.07476, Prop. 7): order * mu^2 / 2."""
    return order * zcdp(cost)


def mu_of(cost: int) -> float:
    """The mu of Gaussian DP, to double precision. Sums are made of costs, not of this."""
    return math.sqrt(Fraction(cost, COST_UNIT))


def sampled_rdp(rate: float, noise_multiplier: float, steps: int, order: int) -> float:
    """The Renyi divergence of training on samples, of a whole order a, 2 or more.

    For each step it is log(sum_k C(a, k) (1 - q)^(a - k) q^k e^(k (k - 1) / (2 s^2))) / (a - 1),
    with q the rate and s the noise multiplier (Mironov, Talwar and Zhang, arXiv 1908.10530, eq. 8).
    """
    if rate == 1:
        return steps * order / (2 * noise_multiplier**2)
    k = np.arange(order + 1)
    choose = np.array([math.log(math.comb(order, int(i))) for i in k])
    terms = (
        choose
        + (order - k) * math.log1p(-rate)
        + k * math.log(rate)
        + k * (k - 1) / (2 * noise_multiplier**2)
    )
    return steps * float(logsumexp(terms)) / (order - 1)
