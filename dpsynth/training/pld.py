r"""Privacy loss distributions: what mechanisms that were fixed beforehand cost together, never less than the truth.

**What is composed.** For neighbours with output distributions P and Q, the loss is log(P/Q) of an output drawn from P,
and delta(epsilon) = E[(1 - e^(epsilon - loss))_+]. Mechanisms fixed beforehand add their losses independently (Sommer,
Meiser and Mohammadi, PoPETs 2019; Koskela, Jaelkoe and Honkela, arXiv 1906.03049). Each is stood for by a pair that
dominates it: a step of sampled training by ((1 - q) N(0, s^2) + q N(1, s^2), N(0, s^2)) for a unit removed, and by the
same pair swapped for one added (Zhu, Dong and Wang, arXiv 2106.08567); a Gaussian by the same with q = 1; any
(epsilon, delta)-DP mechanism by randomised response, and an infinite loss of probability delta.

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
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from dpsynth.training.loss_grid import ROUNDOFF, Losses, Part, grid_width, one_step

MOST_POINTS = 1 << 20
"""Of a Fourier transform: 8 MB. What would need more gets a coarser grid, which costs tightness only."""

_TAIL = 1e-9  # of the delta in question: what the tails of single steps may cost
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


def epsilon(parts: Sequence[Part], delta: float) -> float:
    """An epsilon, hardly above the smallest, for which all parts together are (epsilon, delta)-DP; or infinity."""
    return max(curves(parts, [delta], removed)[0].epsilon(delta) for removed in (True, False)) if parts else 0.0


def curves(parts: Sequence[Part], deltas: Sequence[float], removed: bool) -> list[Curve]:
    """All parts together, for a unit removed or one added: a curve for each delta, tight near it."""
    width = grid_width(parts)
    tail = min(deltas) * _TAIL / sum(part.steps for part in parts)
    while True:
        losses = [one_step(part, width, tail, removed) for part in parts]
        made = [_composed(losses, width, delta) for delta in deltas]
        if None not in made:
            return [one for one in made if one is not None]
        width *= 4


class _Tilted:
    """The steps tilted by e^(t loss): K(t), the logarithm of the moment-generating function of all steps, and more."""

    def __init__(self, losses: Sequence[Losses], width: float) -> None:
        self._parts = []
        for part in losses:
            kept = part.masses > 0
            self._parts.append((part, np.log(part.masses[kept]), width * (part.first + np.flatnonzero(kept))))
        self.width = width
        self._bounds = dict[float, float]()

    def cumulants(self, t: float) -> tuple[float, float, float]:
        """K(t) and its first two derivatives: mean and variance of the tilted loss."""
        found = np.zeros(3)
        for part, logs, loss in self._parts:
            found += np.multiply(part.steps, _moments(logs + t * loss, loss))
        return float(found[0]), float(found[1]), float(found[2])

    def toward(self, delta: float) -> float:
        """The t at which Chernoff's bound K(t) - t K'(t) is log delta, or the largest that this grid can bear."""
        wanted, low, high = math.log(delta), 0.0, 0.25
        while self._bound(high) > wanted and high * self.width < 0.1:
            low, high = high, 1.5 * high
        for _ in range(5):
            middle = (low + high) / 2
            low, high = (middle, high) if self._bound(middle) > wanted else (low, middle)
        return high

    def _bound(self, t: float) -> float:
        if t not in self._bounds:
            value, mean, _ = self.cumulants(t)
            self._bounds[t] = value - t * mean
        return self._bounds[t]

    def window(self, t: float) -> tuple[float, float]:
        """Where all of the tilted loss lies but e^_WINDOW_TAIL on either side, by Chernoff's inequality."""
        value, mean, variance = self.cumulants(t)
        usual = math.sqrt(-2 * _WINDOW_TAIL / (variance + self.width**2))
        ends = []
        for side in (-1, 1):
            tilts = [usual * 2.0**k for k in (-6, -4, -2, -1, 0)]
            further = [self.cumulants(t + side * s)[0] - value - side * s * mean for s in tilts]
            ends.append(mean + side * min((f - _WINDOW_TAIL) / s for f, s in zip(further, tilts, strict=True)))
        return ends[0], ends[1]

    def power(self, t: float, start: int, points: int) -> tuple[np.ndarray, float]:
        """Masses of the tilted sum at start, start + 1, ... grid points, and the 2-norm of their error, at most."""
        spectrum, shift, error, factors = np.ones(points // 2 + 1, dtype=complex), 0, 0.0, 0
        for part, logs, loss in self._parts:
            value, mean, _ = _moments(logs + t * loss, loss)
            centre = round(mean / self.width)
            index = np.rint(loss / self.width).astype(np.int64) - centre
            one = np.bincount(index % points, np.exp(logs + t * loss - value), points)
            spectrum *= rfft(one) ** part.steps
            shift += centre * part.steps
            error += part.steps * float(np.linalg.norm(one))
            factors += part.steps
        masses = np.roll(irfft(spectrum, points), -((start - shift) % points))
        transform = 8 * ROUNDOFF * math.log2(points)
        return masses, 2 * transform * error + (transform + 8 * ROUNDOFF * factors) * float(np.linalg.norm(masses))


def _moments(logs: np.ndarray, loss: np.ndarray) -> tuple[float, float, float]:
    """Logarithm of the sum of e^logs, mean and variance of the loss under these weights."""
    top = float(logs.max(initial=-np.inf))
    if top == -np.inf:
        return -math.inf, 0.0, 0.0
    weights = np.exp(logs - top)
    total = float(weights.sum())
    mean = float(weights @ loss) / total
    return top + math.log(total), mean, float(weights @ np.square(loss - mean)) / total


def _composed(losses: Sequence[Losses], width: float, delta: float) -> Curve | None:
    """The curve of all losses; None where the grid is too fine for MOST_POINTS."""
    infinite = sum(part.steps * part.infinite for part in losses)
    if infinite >= 1:
        return Curve(np.zeros(1), np.ones(1))
    tilted = _Tilted(losses, width)
    t = tilted.toward(delta)
    low, high = tilted.window(t)
    if not (high - low) / width < MOST_POINTS:
        return None
    start = math.floor(low / width)
    points = next_fast_len(math.ceil(high / width) - start + 2, real=True)
    masses, error = tilted.power(t, start, points)
    value, mean, _ = tilted.cumulants(t)

    # delta(e) = sum over losses l > e of p (1 - e^(e - l)), and p = masses e^(K - t l); all of it over e^(K - t mean)
    loss = width * (start + np.arange(points))
    kept = slice(*np.searchsorted(loss - mean, (-_FARTHEST / max(t, 1.0), _FARTHEST)))
    apart = loss - mean
    weights = masses * np.exp(-t * np.maximum(apart, apart[kept][0]))
    above, divided = _sums_from(weights)[kept], _sums_from(weights * np.exp(-np.maximum(apart, apart[kept][0])))[kept]
    deltas = above - np.exp(apart[kept]) * divided + 4 * points * ROUNDOFF * np.abs(above)
    steps = width * np.arange(points)
    gain = float(np.linalg.norm(np.exp(-t * steps) * -np.expm1(-steps)))
    deltas += np.exp(-t * apart[kept]) * (error * gain + 2 * math.exp(_WINDOW_TAIL))
    factor = 1 + 8 * ROUNDOFF * sum(part.steps for part in losses)
    deltas = deltas * math.exp(min(700.0, value - t * mean)) * factor + infinite
    largest = width * sum(part.steps * (part.first + part.masses.size - 1) for part in losses)
    if largest > loss[kept][-1]:
        return Curve(np.append(loss[kept], largest), np.append(np.where(np.isfinite(deltas), deltas, np.inf), infinite))
    deltas[loss[kept] >= largest] = infinite
    return Curve(loss[kept], np.where(np.isfinite(deltas), deltas, np.inf))


def _sums_from(x: np.ndarray) -> np.ndarray:
    """At i the sum of x from i on."""
    return np.cumsum(x[::-1])[::-1]
