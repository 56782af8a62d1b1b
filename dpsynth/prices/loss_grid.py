"""Privacy losses of one step, on a grid, moved up only: what `pld.py` composes, and why it errs on the safe side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri_exp

MIN_NOISE = 0.02
"""Of a noise multiplier: with less nothing is private, a grid would have no end, and no loss is found here."""

MASS_ERROR = 1e-12  # relative: what a mass on the grid may err by, and is raised by
ROUNDOFF = 2.0**-53
_MAX_STEP_POINTS = 1 << 17
_FINE = 0.006  # of a step's standard deviation: the grid then adds a hundred-thousandth to the variance
_PIECE = 0.1  # of the noise's standard deviation, and of the distance over which the loss bends
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True, eq=False)
class Losses:
    """One step: masses[i] of the loss (first + i) * width under P, and `infinite`, that of an infinite loss."""

    first: int
    masses: np.ndarray
    infinite: float


@dataclass(frozen=True)
class Sampled:
    """`steps` Gaussian steps, each on a Poisson sample of this rate; rate 1 is the Gaussian mechanism.

    Rates below a millionth count as a millionth, noise above 2^40 as 2^40.
    """

    rate: float
    noise_multiplier: float
    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", max(self.rate, 1e-6))
        object.__setattr__(self, "noise_multiplier", min(self.noise_multiplier, 2.0**40))

    @property
    def variance(self) -> float:
        """About that of the loss of one step."""
        precision = self.noise_multiplier**-2
        return min(self.rate**2 * math.expm1(min(precision, 50)), precision + precision**2 / 4)

    @property
    def reach(self) -> float:
        """About the largest loss of one step that is told from infinity."""
        far = 12 * self.noise_multiplier + 0.5  # where few take part, losses stay small for long
        return float(np.abs(_log_ratio(np.array([far, 1 - far]), self.rate, self.noise_multiplier)).max())

    def losses(self, width: float, tail: float, removed: bool) -> Losses:
        """The loss of one step on the grid of this width. tail: how much mass may become infinite."""
        q, s, sign = self.rate, self.noise_multiplier, 1 if removed else -1
        far = s * -float(ndtri_exp(math.log(max(tail, 1e-300))))
        low, high = -far, 1 + far if removed else far
        loss = sign * _log_ratio(np.array([low, high]), q, s)
        first, last = math.floor(loss.min() / width), math.ceil(loss.max() / width)
        inner = _where(sign * width * np.arange(first, last + 1), q, s)
        piece = _PIECE * min(s, s * s)
        edges = np.concatenate([inner, np.linspace(low, high, 2 + math.ceil((high - low) / piece))])
        edges = np.sort(edges[(edges >= low) & (edges <= high)])
        middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2

        lower = np.floor(sign * _log_ratio(middle, q, s) / width)
        x = middle + half * _NODES[:, None]
        density = np.exp(-np.square(x / s) / 2)
        if removed:
            density = (1 - q) * density + q * np.exp(-np.square((x - 1) / s) / 2)
        density *= _WEIGHTS[:, None] * (half / (s * math.sqrt(2 * math.pi)))
        above = sign * _log_ratio(x, q, s) - lower * width
        rounding = 64 * ROUNDOFF * (1 + abs(math.log(q)) + float(np.abs(loss).max()) + (far + 1) / s**2)
        share = np.clip(np.expm1(-above - rounding) / math.expm1(-width), 0, 1)

        index = lower.astype(np.int64) - first
        upper, total = (density * share).sum(axis=0), density.sum(axis=0)
        masses = np.bincount(index + 1, upper, last - first + 2) + np.bincount(index, total - upper, last - first + 2)
        lowest = float(ndtr(-far / s))
        masses[1] += lowest
        return Losses(first, masses * (1 + MASS_ERROR), lowest)


def grid_width(variance: float, steps: int, reach: float) -> float:
    """Fine against a step's standard deviation, as far as the points of one step and of all remain manageable.

    variance: of all steps together. reach: of the farthest one.
    """
    return max(_FINE * math.sqrt(variance / steps), reach / _MAX_STEP_POINTS, 1e-12)


def _log_ratio(x: np.ndarray, q: float, s: float) -> np.ndarray:
    """log(1 - q + q e^((2x - 1) / 2s^2))."""
    exponent = (2 * x - 1) / (2 * s * s)
    return exponent if q == 1 else np.logaddexp(math.log1p(-q), math.log(q) + exponent)


def _where(loss: np.ndarray, q: float, s: float) -> np.ndarray:
    """The x at which `_log_ratio` is `loss`; -inf where it is never so small."""
    inside = np.expm1(np.minimum(loss, 700.0)) / q
    return s * s * np.log1p(np.maximum(inside, -1.0), out=np.full(loss.shape, -np.inf), where=inside > -1) + 0.5
