"""The area under the ROC curve by counts in groups of scores, and what noise of these does to it.

Public mathematics on estimates with Gaussian noise of a known covariance. With P_k rows that have
the outcome and N_k that do not in group k of the scores, the area is

    A = sum over k of P_k (sum over j < k of N_j + t_k N_k) / (P N),

the share of pairs of which the row with the outcome has the higher score (Bamber, J. Math. Psych.
12, 1975). t_k is 1/2 where all rows of a group have one score; else it lies between 0 and 1, so
that the area has two ends. One unit moves each count, and not the area, so that its noise follows
from theirs; the area itself moves by up to 1 / min(P, N) (Boyd, Lantz and Page, "Differential
privacy for classifier evaluation", AISec 2015), which is private.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Interval = tuple[float, float]

CLEAR = 5.0
"""Standard deviations of their noise that the rows with and without the outcome must have each."""


@dataclass(frozen=True)
class Area:
    """An area under the curve.

    Parameters
    ----------
    value : float
        From 0 to 1; NaN where the counts do not stand out from their noise.
    noise, sampling : tuple of Interval
        Where it lies, by the noise alone and by the draw of the rows as well.

    Examples
    --------
    >>> Area(0.8, (0.75, 0.85), (0.7, 0.9)).value
    0.8
    """

    value: float
    noise: Interval
    sampling: Interval


def area(
    counts: np.ndarray, covariance: np.ndarray, one_score: np.ndarray, z: float, alike: int = 1
) -> Area:
    """The area by noisy counts, with its intervals.

    The product of two counts with noise is off by the covariance of their noise on average, which
    is taken away; its variance is that of its linear part (the delta method) and of the product of
    both noises. Sampling has the variance of DeLong, DeLong and Clarke-Pearson (Biometrics 44,
    1988).

    Parameters
    ----------
    counts : ndarray
        Shape (2, groups): rows with the outcome, and without; groups from the lowest score up.
    covariance : ndarray
        Shape (2 * groups, 2 * groups): of the noise of the counts, flattened.
    one_score : ndarray
        Shape (groups,): whether all rows of a group have one score, as bools.
    z : float
        Standard deviations that an interval reaches to both sides.
    alike : int
        How many rows of one unit may be alike, which are drawn together.

    Returns
    -------
    Area
        (0, 1) for what cannot be told.

    Examples
    --------
    >>> counts = np.array([[10.0, 30.0, 60.0], [60.0, 30.0, 10.0]])
    >>> found = area(counts, np.diag(np.full(6, 4.0)), np.ones(3, bool), 1.645)
    >>> round(found.value, 3), [round(end, 3) for end in found.noise]
    (0.825, [0.8, 0.85])
    """
    size = counts.shape[1]
    rows = counts.sum(axis=1)
    blocks = covariance.reshape(2, size, 2, size)
    spread = [float(np.sqrt(max(blocks[i, :, i, :].sum(), 0.0))) for i in (0, 1)]
    if any(held <= CLEAR * noise or held <= 0 for held, noise in zip(rows, spread, strict=True)):
        return Area(math.nan, (0.0, 1.0), (0.0, 1.0))
    ends = []
    for tied in (0.0, 0.5, 1.0):
        wins = np.tril(np.ones((size, size)), -1) + np.diag(np.where(one_score, 0.5, tied))
        ends.append(_one(counts, rows, blocks, covariance, wins))
    value = ends[1][0]
    found: list[Interval] = []
    for variances in ([e[1] for e in ends], [e[1] + alike * e[2] for e in ends]):
        low = ends[0][0] - z * math.sqrt(variances[0])
        found.append((max(low, 0.0), min(ends[2][0] + z * math.sqrt(variances[2]), 1.0)))
    return Area(min(max(value, 0.0), 1.0), found[0], found[1])


def _one(
    counts: np.ndarray,
    rows: np.ndarray,
    blocks: np.ndarray,
    covariance: np.ndarray,
    wins: np.ndarray,
) -> tuple[float, float, float]:
    """The area with these parts of pairs won, its variance by noise, and that by sampling."""
    (have, lack), pairs = counts, float(rows[0] * rows[1])
    product = float(have @ wins @ lack) - float((wins * blocks[0, :, 1, :]).sum())
    value = product / pairs
    below, above = wins @ lack / rows[1], have @ wins / rows[0]
    moves = np.concatenate([(below - value) / rows[0], (above - value) / rows[1]])
    second = float(((wins @ blocks[1, :, 1, :]) * (blocks[0, :, 0, :] @ wins)).sum()) / pairs**2
    noise = max(float(moves @ covariance @ moves), 0.0) + max(second, 0.0)
    drawn = [
        float(np.maximum(own, 0) @ (places - value) ** 2) / held**2
        for own, places, held in zip(counts, (below, above), rows, strict=True)
    ]
    return value, noise, sum(drawn)


def best_number(have: float, lack: float, stddev: float, z: float, most: int) -> int:
    """How many groups of scores give the narrowest interval: many have more noise, few more ties.

    For k groups with equally many rows the noise of the area is about stddev sqrt(k / 8) times the
    root of 1 / P^2 + 1 / N^2, and ties leave 1 / (2 k) open to both sides.

    Examples
    --------
    >>> [best_number(2000.0, 8000.0, stddev, 1.645, 1000) for stddev in (10.0, 1.0)]
    [48, 223]
    """
    numbers = np.arange(2, max(most, 2) + 1)
    both = math.hypot(1 / max(have, 1.0), 1 / max(lack, 1.0))
    width = z * stddev * both * np.sqrt(numbers / 8) + 1 / (2 * numbers)
    return int(numbers[np.argmin(width)])
