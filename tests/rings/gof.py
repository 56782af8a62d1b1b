"""Goodness of fit of a sample to the rounded Gaussian: chi-square on cells of 25 expected draws or more."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import chi2, kstest, norm

from tests.rings import oracle

MAX_CELLS = 4001


def p_value(draws: np.ndarray, stddev: float) -> float:
    """Chi-square where the support is small; Kolmogorov-Smirnov where rounding is finer than the sample can see."""
    if 12 * stddev < MAX_CELLS:
        return chi_square(draws, stddev)
    return float(kstest(draws, norm(scale=stddev).cdf, mode="asymp").pvalue)


def chi_square(draws: np.ndarray, stddev: float) -> float:
    reach = math.ceil(8 * stddev) + 2
    k = np.arange(-reach, reach + 1)
    expected = draws.size * oracle.rounded_gaussian_pmf(k, stddev)
    observed = np.bincount(np.clip(draws + reach, 0, 2 * reach), minlength=2 * reach + 1)
    middle = np.flatnonzero(expected >= 25)
    first, last = middle[0], middle[-1]
    merge = np.clip(np.arange(k.size), first, last) - first
    o, e = np.bincount(merge, observed), np.bincount(merge, expected)
    return float(chi2.sf(((o - e) ** 2 / e).sum(), o.size - 1))
