"""Several mechanisms that were fixed beforehand, as one privacy loss distribution: the sum of theirs.

`dpsynth/training/pld.py` composes equal steps, and says why no figure is below the truth. Here compositions of several
kinds are added: Gaussian noise is a step that everybody takes part in; any (epsilon, delta)-DP mechanism is no worse
than randomised response and an infinite loss of probability delta (Kairouz, Oh and Viswanath, arXiv 1311.0776, Thm 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from dpsynth.training.loss_grid import LEAST_NOISE, MASS_ERROR, ROUNDOFF, Losses, Sampled, grid_width
from dpsynth.training.pld import TAIL, Composition, Curve, curves_on


@dataclass(frozen=True)
class Bounded:
    """`steps` mechanisms that are (epsilon, delta)-DP, and of which nothing else is known."""

    epsilon: float
    delta: float
    steps: int

    @property
    def variance(self) -> float:
        return self.epsilon**2

    @property
    def reach(self) -> float:
        return 2 * self.epsilon

    def losses(self, width: float, tail: float, removed: bool) -> Losses:
        """Those of randomised response on the grid of this width, which are the same for both orders."""
        upper = float(expit(self.epsilon))
        first = math.floor(-self.epsilon / width)
        masses = np.zeros(math.floor(self.epsilon / width) - first + 2)
        for loss, mass in ((self.epsilon, upper), (-self.epsilon, 1 - upper)):
            index = math.floor(loss / width)
            above = loss - index * width
            share = math.expm1(-above - 8 * ROUNDOFF * (1 + self.epsilon)) / math.expm1(-width)
            share = min(1.0, max(0.0, share))
            masses[index - first] += mass * (1 - share)
            masses[index - first + 1] += mass * share
        return Losses(first, masses * (1 - self.delta) * (1 + MASS_ERROR), self.delta)


Part = Sampled | Bounded


class Together(Composition):
    """The sum of several compositions on one grid: cumulants add, and Fourier transforms are multiplied."""

    def __init__(self, parts: Sequence[Composition]) -> None:
        self._parts = parts
        self.width = parts[0].width
        self.steps = sum(part.steps for part in parts)
        self.infinite = sum(part.infinite for part in parts)
        self.last = sum(part.last for part in parts)

    def cumulants(self, t: float) -> tuple[float, float, float]:
        values, means, variances = zip(*(part.cumulants(t) for part in self._parts), strict=True)
        return sum(values), sum(means), sum(variances)

    def transform(self, t: float, points: int) -> tuple[np.ndarray, int, float]:
        spectra, moved, errors = zip(*(part.transform(t, points) for part in self._parts), strict=True)
        return np.prod(spectra, axis=0), sum(moved), sum(errors)


def epsilon(parts: Sequence[Part], delta: float) -> float:
    """An epsilon, hardly above the smallest, for which all parts together are (epsilon, delta)-DP; or infinity."""
    if not parts:
        return 0.0
    if any(isinstance(part, Sampled) and part.noise_multiplier < LEAST_NOISE for part in parts):
        return math.inf
    return max(curves(parts, [delta], removed)[0].epsilon(delta) for removed in (True, False))


def curves(parts: Sequence[Part], deltas: Sequence[float], removed: bool) -> list[Curve]:
    """All parts together, for a unit removed or one added: a curve for each delta, tight near it."""
    steps = sum(part.steps for part in parts)
    tail = min(deltas) * TAIL / steps

    def compose(width: float) -> Composition:
        return Together([Composition(part.losses(width, tail, removed), width, part.steps) for part in parts])

    variance = sum(part.steps * part.variance for part in parts)
    return curves_on(compose, grid_width(variance, steps, max(part.reach for part in parts)), deltas)
