"""The privacy loss of several mechanisms together that were chosen beforehand: the sum of theirs.

`dpsynth/prices/pld.py` composes equal steps, and says why no figure is below the truth. Here
compositions of several kinds are added. Gaussian noise is a step in which everybody takes part. Any
(epsilon, delta)-DP mechanism is no worse than randomised response together with an infinite loss of
probability delta (Kairouz, Oh and Viswanath, arXiv 1311.0776, Thm 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from dpsynth.prices.loss_grid import (
    MASS_ERROR,
    MIN_NOISE,
    ROUNDOFF,
    Losses,
    Sampled,
    grid_width,
)
from dpsynth.prices.pld import TAIL, Composition, Curve, curves_on


@dataclass(frozen=True)
class Bounded:
    """`steps` mechanisms, each of them (epsilon, delta)-DP, of which nothing more is known."""

    epsilon: float
    delta: float
    steps: int

    @property
    def variance(self) -> float:
        """Of a step's loss at most: it lies within epsilon of 0."""
        return self.epsilon**2

    @property
    def reach(self) -> float:
        """The distance between a step's least and largest finite loss."""
        return 2 * self.epsilon

    def losses(self, width: float, tail: float, removed: bool) -> Losses:
        """The losses of randomised response on the grid of this width.

        They are the same for a unit removed and one added, and have no tail.
        """
        upper = float(expit(self.epsilon))  # the probability of the true answer
        first = math.floor(-self.epsilon / width)
        masses = np.zeros(math.floor(self.epsilon / width) - first + 2)
        for loss, mass in ((self.epsilon, upper), (-self.epsilon, 1 - upper)):
            index = math.floor(loss / width)
            above = loss - index * width
            # The mass goes to the grid points on both sides as `pld.py` says (1. Grid), and to the
            # upper one a little more than that: as much as the loss may be rounded by.
            rounding = 8 * ROUNDOFF * (1 + self.epsilon)
            share = math.expm1(-above - rounding) / math.expm1(-width)
            share = min(1.0, max(0.0, share))
            masses[index - first] += mass * (1 - share)
            masses[index - first + 1] += mass * share
        return Losses(first, masses * (1 - self.delta) * (1 + MASS_ERROR), self.delta)


Part = Sampled | Bounded
"""Equal steps of one kind."""


class Together(Composition):
    """The sum of several compositions on one grid.

    Their cumulants are added, and their Fourier transforms multiplied.
    """

    def __init__(self, parts: Sequence[Composition]) -> None:
        self._parts = parts
        self.width = parts[0].width
        self.steps = sum(part.steps for part in parts)
        self.infinite = sum(part.infinite for part in parts)
        self.last = sum(part.last for part in parts)

    def cumulants(self, t: float) -> tuple[float, float, float]:
        each = [part.cumulants(t) for part in self._parts]
        values, means, variances = zip(*each, strict=True)
        return sum(values), sum(means), sum(variances)

    def transform(self, t: float, points: int) -> tuple[np.ndarray, int, float]:
        each = [part.transform(t, points) for part in self._parts]
        spectra, moved, errors = zip(*each, strict=True)
        return np.prod(spectra, axis=0), sum(moved), sum(errors)


def epsilon(parts: Sequence[Part], delta: float) -> float:
    """An epsilon, near the smallest, at which all parts together are (epsilon, delta)-DP.

    Infinity where noise is so little that there is none.
    """
    if not parts:
        return 0.0
    if any(isinstance(part, Sampled) and part.noise_multiplier < MIN_NOISE for part in parts):
        return math.inf
    return max(curves(parts, [delta], removed)[0].epsilon(delta) for removed in (True, False))


def curves(parts: Sequence[Part], deltas: Sequence[float], removed: bool) -> list[Curve]:
    """The privacy curves of all parts together, for a unit removed or one added.

    There is one for each delta, and near that delta it is tight.
    """
    steps = sum(part.steps for part in parts)
    tail = min(deltas) * TAIL / steps

    def compose(width: float) -> Composition:
        each = [(part.losses(width, tail, removed), part.steps) for part in parts]
        return Together([Composition(losses, width, count) for losses, count in each])

    variance = sum(part.steps * part.variance for part in parts)
    width = grid_width(variance, steps, max(part.reach for part in parts))
    return curves_on(compose, width, deltas)
