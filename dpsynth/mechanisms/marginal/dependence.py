"""Dependence: what there is to gain at a pair of columns, told from a noisy score. Public
mathematics.

A score is the L1 distance of a pair's counts from an estimate. Three things are in it: dependence
that the estimate lacks; chance, as even of independent columns no cell holds exactly what is
expected of it; and the noise of the score. Of a wide pair chance alone makes tens of thousands of
rows, where all that 500 rare rows can add is a thousand. So chance is computed and taken out, and
what is left is drawn towards what the scores of all pairs suggest, as far as their noise bids.
Where the scores show nothing, little is left of each, and no pair is worth its price.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dpsynth.base.domain import Clique
from dpsynth.mechanisms.marginal.selection import Scores
from dpsynth.mechanisms.prices import MEAN_ABS

TEXTURE = 0.5
"""The part of chance that is no gain where dependence is paid for already. The rest is how the rows
of this table happen to fall: it counts in distances from the table.
"""

_LEAST, _STEP = -5.0, 0.25
"""The support of the prior: powers of 2 of how much larger a score is than chance makes it."""

_ROUNDS = 60
"""Of expectation-maximisation."""


def dependence(
    scores: Scores,
    estimates: Mapping[Clique, np.ndarray],
    errors: Mapping[str, np.ndarray],
    *,
    chance: float = 1.0,
) -> dict[Clique, float]:
    """What there is to gain at each pair, in rows: what its score shows beyond chance and noise.

    Parameters
    ----------
    scores : Scores
        Noisy distances of counts from the estimates.
    estimates : mapping of tuple of str to ndarray
        Expected counts of each pair.
    errors : mapping of str to ndarray
        For each column the standard deviations of its estimated counts, in rows.
    chance : float
        The part of what chance makes of a pair that is no gain.

    Returns
    -------
    dict of tuple of str to float
        For each pair that has a score, 0 or more.

    Examples
    --------
    >>> pair = {("a", "b"): np.full((2, 2), 100.0)}
    >>> known = {"a": np.zeros(2), "b": np.zeros(2)}
    >>> [round(dependence(Scores({("a", "b"): x}, 2.0), pair, known)["a", "b"]) for x in (16, 160)]
    [4, 167]
    """
    expected = [by_chance(estimates[c], errors[c[0]], errors[c[1]], chance) for c in scores.values]
    found = np.array(list(scores.values.values()))
    gains = _beyond(found, np.maximum(expected, 1e-3), scores.stddev) if found.size else found
    return dict(zip(scores.values, gains.tolist(), strict=True))


def by_chance(
    estimate: np.ndarray, error_a: np.ndarray, error_b: np.ndarray, part: float = 1.0
) -> float:
    """How far counts lie from an estimate if nothing is wrong with it but its columns' errors.

    Given both columns, a cell of e rows, in levels that hold shares p and q of all, has the
    variance e (1 - p) (1 - q): nearly nothing where one level holds nearly all. An error of a
    column is spread over the levels of the other.

    part: of the first, what counts; of the errors all does.
    """
    expected = np.maximum(estimate, 0.0)
    shares = expected / max(float(expected.sum()), 1.0)
    a, b = shares.sum(axis=1), shares.sum(axis=0)
    variance = expected * np.multiply.outer(1 - a, 1 - b).clip(0.0)
    fallen = part * np.minimum(2 * variance, MEAN_ABS * np.sqrt(variance))
    missed = MEAN_ABS * np.hypot(np.multiply.outer(error_a, b), np.multiply.outer(a, error_b))
    return float(np.minimum(2 * expected, np.hypot(fallen, missed)).sum())


def _beyond(found: np.ndarray, chance: np.ndarray, stddev: float) -> np.ndarray:
    """Posterior means of dependence, which adds to chance in squares: d = sqrt(score^2 - chance^2).

    Empirical Bayes as in `models.histogram`: the prior of score / chance - 1 is the one that makes
    the scores likeliest, smoothed by one pair spread over its support.
    """
    most = math.log2(max(1.0, float(np.max(found / chance))))
    ratios = np.append(0.0, 2.0 ** np.arange(_LEAST, most + 2 * _STEP, _STEP))
    exponent = -0.5 * ((found[:, None] - chance[:, None] * (1 + ratios)) / stddev) ** 2
    likelihood = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    prior = np.full(ratios.size, 1 / ratios.size)
    for _ in range(_ROUNDS):
        counts = prior * ((1 / (likelihood @ prior)) @ likelihood) + 1 / ratios.size
        prior = counts / counts.sum()
    posterior = likelihood * prior
    dependent = posterior @ np.sqrt(ratios * (ratios + 2)) / posterior.sum(axis=1)
    return np.asarray(chance * dependent)
