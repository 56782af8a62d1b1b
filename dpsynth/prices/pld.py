r"""Privacy loss distributions: what the steps of a training cost together, never less than the truth.

**What is composed.** For neighbours with output distributions P and Q, the loss is log(P/Q) of an output drawn from P,
and delta(epsilon) = E[(1 - e^(epsilon - loss))_+]. Steps fixed beforehand add their losses independently (Sommer,
Meiser and Mohammadi, PoPETs 2019; Koskela, Jaelkoe and Honkela, arXiv 1906.03049). Each is stood for by a pair that
dominates it: ((1 - q) N(0, s^2) + q N(1, s^2), N(0, s^2)) for a unit removed, and the same pair swapped for one added
(Zhu, Dong and Wang, arXiv 2106.08567).

**Why no figure is below the truth.** Every approximation moves losses up, or is bounded and added to delta.

1. *Grid.* A loss between two multiples of h is split among them so that P and Q both keep their mass, a spread that
   only raises every delta ("connect the dots": Doroshenko et al., arXiv 2207.04380): what lies l above the lower point
   gives it all but (1 - e^-l) / (1 - e^-h). These shares are integrated by an 8-point Gauss-Legendre rule over pieces
   on which density and loss are analytic well beyond their ends, which errs by less than `MASS_ERROR` of a mass.
   Shares and masses are raised by what that and the rounding of a loss may be.
2. *Tails* of one step: high losses become infinite, low ones the lowest of the grid.
3. *Composition* is a power of a Fourier transform of the *tilted* masses p e^(t loss) / M(t), so that rounding is
   relative to Chernoff's bound M(t) e^(-t epsilon), and not to 1. Rounding is bounded in the 2-norm, and what the
   circular transform loses beyond its window by Chernoff's inequality; what it wraps around can only add.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from dpsynth.prices.loss_grid import ROUNDOFF, Losses, Sampled, grid_width

MAX_POINTS = 1 << 20
"""Of a Fourier transform: 8 MB. What would need more gets a coarser grid, which costs tightness only."""

TAIL = 1e-9  # of the delta in question: what the tails of single steps may cost
_WINDOW_TAIL = math.log(1e-13)
_FARTHEST = 300.0  # in exponents: no further from the mean are figures made


@dataclass(frozen=True, eq=False)
class Curve:
    """deltas[i] bounds delta at epsilons[i] (ascending) from above, tightly near the delta that it was made for."""

    epsilons: np.ndarray
    deltas: np.ndarray

    def at(self, epsilons: np.ndarray) -> np.ndarray:
        """The bound at any epsilons: that at the grid point before, 1 where there is none."""
        before = np.searchsorted(self.epsilons, epsilons, side="right") - 1
        return np.where(before < 0, 1.0, self.deltas[np.maximum(before, 0)])

    def epsilon(self, delta: float) -> float:
        """The smallest epsilon >= 0 found at which the bound is no more than delta; infinity if there is none.

        Between grid points the bound is convex in e^epsilon, as the true curve is: a chord lies above it.
        """
        good = np.flatnonzero(self.deltas <= delta)
        if good.size == 0:
            return math.inf
        i = int(good[0])
        if i == 0 or self.epsilons[i] <= 0:
            return max(0.0, float(self.epsilons[i]))
        rise, width = self.deltas[i - 1] - self.deltas[i], self.epsilons[i] - self.epsilons[i - 1]
        back = (delta - self.deltas[i]) / rise if math.isfinite(rise) else 0.0
        found = self.epsilons[i] + math.log1p(back * math.expm1(-width))
        return max(0.0, float(min(found, self.epsilons[i]) * (1 + 1e-12)))


def curves(part: Sampled, deltas: Sequence[float], removed: bool) -> list[Curve]:
    """All steps of a training, for a unit removed or one added: a curve for each delta, tight near it."""
    tail = min(deltas) * TAIL / part.steps

    def compose(width: float) -> Composition:
        return Composition(part.losses(width, tail, removed), width, part.steps)

    return curves_on(compose, grid_width(part.steps * part.variance, part.steps, part.reach), deltas)


def curves_on(compose: Callable[[float], Composition], width: float, deltas: Sequence[float]) -> list[Curve]:
    """The curves on a grid of this width, or on the next coarser one that MAX_POINTS are enough for."""
    while True:
        composed = compose(width)
        made = [composed.curve(delta) for delta in deltas]
        if None not in made:
            return [one for one in made if one is not None]
        width *= 4


class Composition:
    """The sum of `steps` independent losses. K(t) is the logarithm of its moment-generating function."""

    def __init__(self, losses: Losses, width: float, steps: int) -> None:
        kept = losses.masses > 0
        self.width = width
        self.steps = steps
        self.infinite = steps * losses.infinite
        self.last = steps * (losses.first + losses.masses.size - 1)
        self._logs = np.log(losses.masses[kept])
        self._loss = width * (losses.first + np.flatnonzero(kept))

    def cumulants(self, t: float) -> tuple[float, float, float]:
        """K(t) and its first two derivatives: mean and variance of the sum tilted by e^(t loss)."""
        value, mean, variance = self._moments(t)
        return self.steps * value, self.steps * mean, self.steps * variance

    def transform(self, t: float, points: int) -> tuple[np.ndarray, int, float]:
        """Fourier transform of the tilted masses; by how many points they are moved; how rounding of a step counts."""
        value, mean, _ = self._moments(t)
        centre = round(mean / self.width)
        index = np.rint(self._loss / self.width).astype(np.int64) - centre
        one = np.bincount(index % points, np.exp(self._logs + t * self._loss - value), points)
        return rfft(one) ** self.steps, self.steps * centre, self.steps * float(np.linalg.norm(one))

    def curve(self, delta: float) -> Curve | None:
        """The curve of the sum, tight near this delta; None where the grid is too fine for MAX_POINTS."""
        if self.infinite >= 1:
            return Curve(np.zeros(1), np.ones(1))
        t = self._toward(delta)
        low, high = self._window(t)
        if not (high - low) / self.width < MAX_POINTS:
            return None
        start = math.floor(low / self.width)
        points = next_fast_len(math.ceil(high / self.width) - start + 2, real=True)
        masses, error = self._masses(t, start, points)
        value, mean, _ = self.cumulants(t)

        # delta(e) = sum over losses l > e of p (1 - e^(e - l)), p = masses e^(K - t l); all of it over e^(K - t mean)
        loss = self.width * (start + np.arange(points))
        apart = loss - mean
        kept = slice(*np.searchsorted(apart, (-_FARTHEST / max(t, 1.0), _FARTHEST)))
        epsilons, beyond, clipped = loss[kept], apart[kept], np.maximum(apart, apart[kept][0])
        weights = masses * np.exp(-t * clipped)
        above = _sums_from(weights)[kept]
        deltas = above - np.exp(beyond) * _sums_from(weights * np.exp(-clipped))[kept]
        deltas += 4 * points * ROUNDOFF * np.abs(above)
        far = self.width * np.arange(points)
        gain = float(np.linalg.norm(np.exp(-t * far) * -np.expm1(-far)))
        deltas += np.exp(-t * beyond) * (error * gain + 2 * math.exp(_WINDOW_TAIL))
        deltas *= math.exp(min(700.0, value - t * mean))
        deltas = deltas * (1 + 8 * ROUNDOFF * self.steps) + self.infinite
        deltas = np.where(np.isfinite(deltas), deltas, np.inf)
        largest = self.width * self.last
        deltas[epsilons >= largest] = self.infinite
        if largest > epsilons[-1]:
            return Curve(np.append(epsilons, largest), np.append(deltas, self.infinite))
        return Curve(epsilons, deltas)

    def _moments(self, t: float) -> tuple[float, float, float]:
        """Of one step: the logarithm of the moment-generating function; mean and variance of the tilted loss."""
        logs = self._logs + t * self._loss
        top = float(logs.max())
        weights = np.exp(logs - top)
        total = float(weights.sum())
        mean = float(weights @ self._loss) / total
        return top + math.log(total), mean, float(weights @ np.square(self._loss - mean)) / total

    def _toward(self, delta: float) -> float:
        """The t at which Chernoff's bound K(t) - t K'(t) is log delta, or the largest that this grid can bear."""

        def too_small(t: float) -> bool:
            value, mean, _ = self.cumulants(t)
            return value - t * mean > math.log(delta)

        low, high = 0.0, 0.25
        while too_small(high) and high * self.width < 0.1:
            low, high = high, 1.5 * high
        for _ in range(5):
            middle = (low + high) / 2
            low, high = (middle, high) if too_small(middle) else (low, middle)
        return high

    def _window(self, t: float) -> tuple[float, float]:
        """Where all of the tilted loss lies but e^_WINDOW_TAIL on either side, by Chernoff's inequality."""
        value, mean, variance = self.cumulants(t)
        usual = math.sqrt(-2 * _WINDOW_TAIL / (variance + self.width**2))

        def end(side: int) -> float:
            tilts = [usual * 2.0**k for k in (-6, -4, -2, -1, 0)]
            further = [self.cumulants(t + side * s)[0] - value - side * s * mean for s in tilts]
            return mean + side * min((f - _WINDOW_TAIL) / s for f, s in zip(further, tilts, strict=True))

        return end(-1), end(1)

    def _masses(self, t: float, start: int, points: int) -> tuple[np.ndarray, float]:
        """Masses of the tilted sum at start, start + 1, ... grid points, and the 2-norm of their error, at most."""
        spectrum, moved, steps_error = self.transform(t, points)
        masses = np.roll(irfft(spectrum, points), -((start - moved) % points))
        rounding = 8 * ROUNDOFF * math.log2(points)
        relative = rounding + 8 * ROUNDOFF * self.steps
        return masses, 2 * rounding * steps_error + relative * float(np.linalg.norm(masses))


def _sums_from(x: np.ndarray) -> np.ndarray:
    """At i the sum of x from i on."""
    return np.cumsum(x[::-1])[::-1]
