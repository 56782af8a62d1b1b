"""Intervals for ratios of noisy sums, for quantiles, and for coefficients of a logistic regression.

Public mathematics on estimates with Gaussian noise of a known covariance.
"""

from __future__ import annotations

import math

import numpy as np

Interval = tuple[float, float]

_STEPS = 50
_FLAT = 1e-10


def fieller(
    top: float,
    bottom: float,
    covariance: np.ndarray,
    z: float,
    limits: Interval,
    sampling: float = 0.0,
) -> Interval:
    """All ratios that two noisy sums are compatible with.

    A ratio r is, where |top - r bottom| is at most z standard deviations of itself (Fieller, JRSS-B
    16, 1954). Where the bottom does not stand out from its noise, every ratio is.

    Parameters
    ----------
    top, bottom : float
        Estimates of two sums.
    covariance : ndarray
        Shape (2, 2), of their noise.
    z : float
        Standard deviations.
    limits : tuple of float
        Where any ratio lies.
    sampling : float
        The variance that the draw of the rows adds to top - r bottom.

    Returns
    -------
    tuple of float
        The least and the greatest of these ratios, within the limits.

    Examples
    --------
    >>> low, high = fieller(30.0, 100.0, np.diag([4.0, 4.0]), 2.0, (0.0, 1.0))
    >>> round(low, 3), round(high, 3)
    (0.259, 0.342)
    >>> fieller(1.0, 2.0, np.diag([4.0, 4.0]), 2.0, (0.0, 1.0))
    (0.0, 1.0)
    """
    a = bottom**2 - z**2 * covariance[1, 1]
    b = top * bottom - z**2 * covariance[0, 1]
    c = top**2 - z**2 * (covariance[0, 0] + sampling)
    if a <= 0:
        return limits
    root = math.sqrt(max(b * b - a * c, 0.0))
    low, high = ((b - root) / a, (b + root) / a) if bottom > 0 else limits
    return _within(low, limits), _within(high, limits)


def _within(value: float, limits: Interval) -> float:
    return float(min(max(value, limits[0]), limits[1]))


def design_of(patterns: np.ndarray) -> np.ndarray:
    """The intercept and the predictors of patterns, whose first column is the outcome."""
    return np.column_stack([np.ones(len(patterns)), patterns[:, 1:]])


def logistic(
    design: np.ndarray, ones: np.ndarray, zeros: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Coefficients of a logistic regression on counted patterns, and the inverse of its Hessian.

    They solve sum over patterns of (ones - (ones + zeros) p(x)) x = 0, by Newton's method. The
    equation is linear in the counts, so that counts with noise, negative ones among them, solve it
    as well where the Hessian stays positive.

    Parameters
    ----------
    design : ndarray
        Shape (patterns, coefficients).
    ones, zeros : ndarray
        Shape (patterns,): rows of each pattern with and without the outcome.

    Returns
    -------
    tuple of ndarray, or None
        Shapes (coefficients,) and (coefficients, coefficients); None where there is no solution.

    Examples
    --------
    >>> design = np.array([[1.0, 0.0], [1.0, 1.0]])
    >>> found, _ = logistic(design, np.array([10.0, 60.0]), np.array([90.0, 40.0]))
    >>> found.round(3), np.log([10 / 90, 60 / 40 * 9]).round(3)
    (array([-2.197,  2.603]), array([-2.197,  2.603]))
    """
    found = np.zeros(design.shape[1])
    rows = ones + zeros
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        hessian = (design.T * (rows * p * (1 - p))) @ design
        try:
            np.linalg.cholesky(hessian)
            step = np.linalg.solve(hessian, design.T @ (ones - rows * p))
        except np.linalg.LinAlgError:
            return None
        found = found + step * min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < _FLAT:
            return found, np.linalg.inv(hessian)
    return None
