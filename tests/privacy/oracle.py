"""Slow, obvious, exact: the Gaussian curve and the rounded Gaussian in arithmetic of hundreds of digits."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
from mpmath import mp
from scipy.special import ndtr

MP = mp.clone()
MP.dps = 200

WIDE = mp.clone()
WIDE.prec = 3000


def delta(epsilon, mu_squared: Fraction):
    """The exact delta of mu-GDP at epsilon (Balle and Wang, arXiv 1805.06530, Thm 8), with 200 digits."""
    mu = MP.sqrt(MP.mpf(mu_squared.numerator) / mu_squared.denominator)
    eps = MP.mpf(epsilon)
    return MP.ncdf(mu / 2 - eps / mu) - MP.exp(eps) * MP.ncdf(-mu / 2 - eps / mu)


def upper_tail(x):
    """Q(x) of the standard normal, with 3000 bits."""
    return WIDE.erfc(WIDE.mpf(x) / WIDE.sqrt(2)) / 2


def rounded_gaussian_pmf(k: np.ndarray, stddev: float, shift: float = 0.0) -> np.ndarray:
    """P(round(N(shift, stddev^2)) = k), from differences of upper tails, which keep their relative precision."""
    far, near = (np.abs(k - shift) + 0.5) / stddev, (np.abs(k - shift) - 0.5) / stddev
    return ndtr(-near) - ndtr(-far)


def movements(cells: int, k: int, adjacency: str) -> list[np.ndarray]:
    """All that one unit of at most k records can do to the counts of a marginal."""
    bundles = [np.array(d) for d in product(range(k + 1), repeat=cells) if sum(d) <= k]
    if adjacency == "add-remove":
        return [s * d for d in bundles for s in (-1, 1)]
    return [d - e for d in bundles for e in bundles]
