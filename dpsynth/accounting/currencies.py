"""Views: what events cost in the currencies of other accountants. They gate nothing."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from mpmath import mp as _default_mp
from scipy.special import logsumexp

from dpsynth.kernel.gaussian_dp import AGAINST_US, COST_UNIT

_mp = _default_mp.clone()  # arithmetic of our own: no other thread and no caller changes its precision
_mp.dps = 100


def pure_cost(epsilon: float) -> int:
    """mu^2 for mu = 2 Phi^-1(e^epsilon / (1 + e^epsilon)), of which any epsilon-DP mechanism is; in cost units.

    Such a mechanism is no worse than randomised response (Kairouz, Oh and Viswanath, arXiv 1311.0776, Thm 3). Its
    trade-off curve and the Gaussian one pass the point at which both errors are equal, the latter below its chords.
    """
    mu = 2 * _mp.sqrt(2) * _mp.erfinv(_mp.tanh(_mp.mpf(epsilon) / 2)) * (1 + AGAINST_US)
    return int(_mp.ceil(mu**2 * COST_UNIT))


def zcdp(cost: int) -> float:
    """rho of zero-concentrated DP (Bun and Steinke, arXiv 1605.02065, Prop. 1.6): mu^2 / 2. A view for the reader."""
    return float(Fraction(cost, 2 * COST_UNIT))


def gaussian_rdp(cost: int, order: float) -> float:
    """Renyi divergence of this order (Mironov, arXiv 1702.07476, Prop. 7): order * mu^2 / 2. A view for the reader."""
    return order * zcdp(cost)


def mu_of(cost: int) -> float:
    """mu of Gaussian DP, to double precision. A view for the reader: sums are made of costs."""
    return math.sqrt(Fraction(cost, COST_UNIT))


def sampled_rdp(rate: float, noise_multiplier: float, steps: int, order: int) -> float:
    """Renyi divergence of a whole order, 2 or more (Mironov, Talwar and Zhang, arXiv 1908.10530, eq. 8): for a reader.

    log of sum_k C(a, k) (1 - q)^(a - k) q^k e^(k (k - 1) / 2 s^2), over a - 1, for each step.
    """
    if rate == 1:
        return steps * order / (2 * noise_multiplier**2)
    k = np.arange(order + 1)
    choose = np.array([math.log(math.comb(order, int(i))) for i in k])
    terms = choose + (order - k) * math.log1p(-rate) + k * math.log(rate) + k * (k - 1) / (2 * noise_multiplier**2)
    return steps * float(logsumexp(terms)) / (order - 1)
