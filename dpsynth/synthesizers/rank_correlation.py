"""Rank correlation of two columns by counts of their groups, and what noise of these does to it.

Each group has a public score, so that the correlation is a smooth function of the counts alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def rank_correlation(
    counts: np.ndarray, public: np.ndarray, without: Sequence[np.ndarray], stddev: float
) -> tuple[float, float]:
    """The correlation of the scores of two columns, and the standard deviation that noise gives it.

    The score of a group is its middle rank in the public table. With standardised scores u and v a
    row more in cell (i, j) moves the correlation r by (u_i v_j - r (u_i^2 + v_j^2) / 2) / n (the
    influence of one row; Devlin, Gnanadesikan and Kettenring, Biometrika 62, 1975), so that noise
    of independent counts moves it by the root of the sum of their squares (the delta method).

    Parameters
    ----------
    counts : ndarray
        Shape (groups, groups): rows, with noise, so that some may be below 0.
    public : ndarray
        Of the same shape, without negative entries: what the scores follow from.
    without : sequence of ndarray
        For each column the groups that have no number, which are left out.
    stddev : float
        Of the noise of each count.

    Returns
    -------
    tuple of float
        NaN and infinity where the counts do not stand out from their noise.

    Examples
    --------
    >>> table = np.array([[40.0, 10.0], [10.0, 40.0]])
    >>> found, noise = rank_correlation(table, table, [np.array([], int)] * 2, 2.0)
    >>> round(found, 3), round(noise, 4)
    (0.6, 0.0466)
    """
    kept = [np.setdiff1d(np.arange(n), out) for n, out in zip(counts.shape, without, strict=True)]
    table, public = counts[np.ix_(*kept)], public[np.ix_(*kept)]
    rows = float(table.sum())
    if rows <= 0:
        return math.nan, math.inf
    apart, spread = [], []
    for axis in (0, 1):
        scores, sums = _middle(public.sum(axis=1 - axis)), table.sum(axis=1 - axis)
        apart.append(scores - float(scores @ sums) / rows)
        spread.append(float(apart[-1] ** 2 @ sums) / rows)
    if min(spread) <= 0:
        return math.nan, math.inf
    u, v = (d / math.sqrt(each) for d, each in zip(apart, spread, strict=True))
    found = float(u @ table @ v) / rows
    moves = (np.outer(u, v) - found * np.add.outer(u**2, v**2) / 2) / rows
    return found, stddev * math.sqrt(float((moves**2).sum()))


def _middle(shares: np.ndarray) -> np.ndarray:
    """The middle rank of each group, 0 to 1."""
    whole = max(float(shares.sum()), 1e-300)
    return (np.cumsum(shares) - shares / 2) / whole
