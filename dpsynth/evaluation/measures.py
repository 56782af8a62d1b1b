"""How good predictions are, with what each row adds, so that differences have intervals.

A measure's influence is its derivative by the weight of each row (Hampel, 1974): the variance of
the measure is that of the influence's mean, and that of a difference of two measures on the same
rows is that of the difference of their influences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, t


@dataclass(frozen=True, eq=False)
class Measured:
    """A measure on rows, and its influence of shape (rows,), which has the mean 0.

    freedom: degrees of freedom of the influence's variance; 0 where it cannot be told.
    """

    value: float
    influence: np.ndarray
    freedom: int


def area(truth: np.ndarray, score: np.ndarray) -> Measured:
    """Area under the ROC curve. truth: 0 or 1; score: higher where 1 is likelier; shape (rows,).

    By placements (DeLong, DeLong and Clarke-Pearson, 1988): the share of the other class that a row
    is on the right side of. It is 1/2 where there is one class only.
    """
    positive = truth == 1
    n, ones = len(truth), int(positive.sum())
    if ones in (0, n):
        return Measured(0.5, np.zeros(n), 0)
    ranks = rankdata(score)
    placed = np.empty(n)
    placed[positive] = (ranks[positive] - rankdata(score[positive])) / (n - ones)
    placed[~positive] = 1 - (ranks[~positive] - rankdata(score[~positive])) / ones
    value = float(placed[positive].mean())
    share = np.where(positive, ones / n, 1 - ones / n)
    fewer = np.where(positive, _unbiased(ones), _unbiased(n - ones))
    return Measured(value, (placed - value) / share * fewer, min(ones, n - ones) - 1)


def _unbiased(rows: int) -> float:
    """What makes the variance of so many rows that of rows less one."""
    return math.sqrt(rows / max(rows - 1, 1))


def balanced_accuracy(truth: np.ndarray, guess: np.ndarray) -> Measured:
    """The mean over the classes that occur of the share of their rows that are guessed right."""
    classes, place, counts = np.unique(truth, return_inverse=True, return_counts=True)
    right = (truth == guess).astype(np.float64)
    recall = np.bincount(place, right) / counts
    influence = (right - recall[place]) / (len(classes) * counts[place] / len(truth))
    influence *= np.sqrt(counts / np.maximum(counts - 1, 1))[place]
    return Measured(float(recall.mean()), influence, len(truth) - len(classes))


def explained(truth: np.ndarray, guess: np.ndarray) -> Measured:
    """R squared: the share of the variance that the predictions explain; below 0 if they harm."""
    scale = float(max(np.abs(truth).max(), np.abs(guess).max())) or 1.0  # no square overflows
    truth, guess = truth / scale, guess / scale
    errors, spread = (truth - guess) ** 2, (truth - truth.mean()) ** 2
    variance, error = float(spread.mean()), float(errors.mean())
    if variance == 0:
        return Measured(0.0, np.zeros(len(truth)), 0)
    influence = -(errors - error) / variance + error * (spread - variance) / variance**2
    return Measured(1 - error / variance, influence, len(truth) - 1)


Measure = Callable[[np.ndarray, np.ndarray], Measured]


@dataclass(frozen=True)
class Difference:
    """A difference with a 90 % interval."""

    value: float
    low: float
    high: float


def difference(ours: Sequence[Measured], theirs: Sequence[Measured]) -> Difference:
    """The mean difference of two measures, each trained several times, on the same rows.

    Two things vary: which rows the measure is taken on, and what was trained. The variances add up;
    the degrees of freedom are those of Satterthwaite (1946). Where the rows do not tell, as with
    one row of a class, it is everything that measures up to 1 allow.
    """
    pairs = list(zip(ours, theirs, strict=True))
    gaps = np.array([one.value - other.value for one, other in pairs])
    mean = float(gaps.mean())
    influence = np.mean([one.influence - other.influence for one, other in pairs], axis=0)
    freedom = min(min(one.freedom, other.freedom) for one, other in pairs)
    if freedom < 1:
        return Difference(mean, min(mean, -1.0), max(mean, 1.0))
    of_rows = float(influence.var()) / len(influence)
    of_training = float(gaps.var(ddof=1)) / len(gaps) if len(gaps) > 1 else 0.0
    variance = of_rows + of_training
    squares = of_rows**2 / freedom + (of_training**2 / (len(gaps) - 1) if of_training else 0.0)
    reach = float(t.ppf(0.95, variance**2 / squares)) * math.sqrt(variance) if squares else 0.0
    return Difference(mean, mean - reach, mean + reach)


def beyond(measured: Sequence[Measured], chance: float) -> Difference:
    """By how much a measure, trained several times, is above that of a guess."""
    guess = [Measured(chance, np.zeros(len(one.influence)), one.freedom) for one in measured]
    return difference(measured, guess)
