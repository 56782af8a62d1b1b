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
   on which density and loss are analytic well beyond their ends, which errs by less than `_MASS_ERROR` of a mass.
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
from scipy.special import expit, ndtr, ndtri_exp

MOST_POINTS = 1 << 20
"""Of a Fourier transform: 8 MB. What would need more gets a coarser grid, which costs tightness only."""

LEAST_NOISE = 0.02
"""Of a noise multiplier: with less nothing is private, and a grid would have no end."""

_MOST_STEP_POINTS = 1 << 17
_FINE = 0.006  # of a step's standard deviation: the grid then adds a hundred-thousandth to the variance
_PIECE = 0.1  # of the noise's standard deviation, and of the distance over which the loss bends
_TAIL = 1e-9  # of the delta in question: what the tails of single steps may cost
_WINDOW_TAIL = math.log(1e-13)
_MASS_ERROR = 1e-12
_ROUNDOFF = 2.0**-53
_FARTHEST = 300.0  # in exponents: no further from the mean are figures made
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True)
class Sampled:
    """`steps` Gaussian steps, each on a Poisson sample of this rate; rate 1 is the Gaussian mechanism.

    Rates below a millionth count as a millionth, noise above 2^40 as 2^40, noise below LEAST_NOISE as none.
    """

    rate: float
    noise_multiplier: float
    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", max(self.rate, 1e-6))
        object.__setattr__(self, "noise_multiplier", min(self.noise_multiplier, 2.0**40))


@dataclass(frozen=True)
class Bounded:
    """`steps` mechanisms that are (epsilon, delta)-DP, and of which nothing else is known."""

    epsilon: float
    delta: float
    steps: int


Part = Sampled | Bounded


@dataclass(frozen=True, eq=False)
class Losses:
    """One step: masses[i] of the loss (first + i) * width under P, and `infinite`, that of an infinite loss."""

    first: int
    masses: np.ndarray
    infinite: float
    steps: int


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
    width = _grid_width(parts)
    tail = min(deltas) * _TAIL / sum(part.steps for part in parts)
    while True:
        losses = [one_step(part, width, tail, removed) for part in parts]
        made = [_composed(losses, width, delta) for delta in deltas]
        if None not in made:
            return [one for one in made if one is not None]
        width *= 4


def one_step(part: Part, width: float, tail: float, removed: bool) -> Losses:
    """The loss of one step of a part on the grid of this width. tail: how much mass may become infinite."""
    if isinstance(part, Bounded):
        return _randomised_response(part, width)
    if part.noise_multiplier < LEAST_NOISE:
        return Losses(0, np.zeros(1), 1.0, part.steps)
    return _sampled(part, width, tail, removed)


def _sampled(part: Sampled, width: float, tail: float, removed: bool) -> Losses:
    q, s, sign = part.rate, part.noise_multiplier, 1 if removed else -1
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
    rounding = 64 * _ROUNDOFF * (1 + abs(math.log(q)) + float(np.abs(loss).max()) + (far + 1) / s**2)
    share = np.clip(np.expm1(-above - rounding) / math.expm1(-width), 0, 1)

    index = lower.astype(np.int64) - first
    upper, total = (density * share).sum(axis=0), density.sum(axis=0)
    masses = np.bincount(index + 1, upper, last - first + 2) + np.bincount(index, total - upper, last - first + 2)
    lowest = float(ndtr(-far / s))
    masses[1] += lowest
    return Losses(first, masses * (1 + _MASS_ERROR), lowest, part.steps)


def _log_ratio(x: np.ndarray, q: float, s: float) -> np.ndarray:
    """log(1 - q + q e^((2x - 1) / 2s^2))."""
    exponent = (2 * x - 1) / (2 * s * s)
    return exponent if q == 1 else np.logaddexp(math.log1p(-q), math.log(q) + exponent)


def _where(loss: np.ndarray, q: float, s: float) -> np.ndarray:
    """The x at which `_log_ratio` is `loss`; -inf where it is never so small."""
    inside = np.expm1(np.minimum(loss, 700.0)) / q
    return s * s * np.log1p(np.maximum(inside, -1.0), out=np.full(loss.shape, -np.inf), where=inside > -1) + 0.5


def _randomised_response(part: Bounded, width: float) -> Losses:
    upper = float(expit(part.epsilon))
    first = math.floor(-part.epsilon / width)
    masses = np.zeros(math.floor(part.epsilon / width) - first + 2)
    for loss, mass in ((part.epsilon, upper), (-part.epsilon, 1 - upper)):
        index = math.floor(loss / width)
        share = math.expm1(-(loss - index * width) - 8 * _ROUNDOFF * (1 + part.epsilon)) / math.expm1(-width)
        share = min(1.0, max(0.0, share))
        masses[index - first] += mass * (1 - share)
        masses[index - first + 1] += mass * share
    return Losses(first, masses * (1 - part.delta) * (1 + _MASS_ERROR), part.delta, part.steps)


def _grid_width(parts: Sequence[Part]) -> float:
    """Fine against a step's standard deviation, as far as the points of one step and of all remain manageable."""
    variance = sum(part.steps * _variance(part) for part in parts)
    steps = sum(part.steps for part in parts)
    widest = max(_reach(part) for part in parts)
    return max(_FINE * math.sqrt(variance / steps), widest / _MOST_STEP_POINTS, 1e-12)


def _variance(part: Part) -> float:
    """About that of the loss of one step."""
    if isinstance(part, Bounded):
        return part.epsilon**2
    precision = max(part.noise_multiplier, LEAST_NOISE) ** -2
    return min(part.rate**2 * math.expm1(min(precision, 50)), precision + precision**2 / 4)


def _reach(part: Part) -> float:
    """About the largest loss of one step that is told from infinity."""
    if isinstance(part, Bounded):
        return 2 * part.epsilon
    s = max(part.noise_multiplier, LEAST_NOISE)
    return 12 / s + 0.5 / s**2


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
        transform = 8 * _ROUNDOFF * math.log2(points)
        return masses, 2 * transform * error + (transform + 8 * _ROUNDOFF * factors) * float(np.linalg.norm(masses))


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
    deltas = above - np.exp(apart[kept]) * divided + 4 * points * _ROUNDOFF * np.abs(above)
    steps = width * np.arange(points)
    gain = float(np.linalg.norm(np.exp(-t * steps) * -np.expm1(-steps)))
    deltas += np.exp(-t * apart[kept]) * (error * gain + 2 * math.exp(_WINDOW_TAIL))
    factor = 1 + 8 * _ROUNDOFF * sum(part.steps for part in losses)
    deltas = deltas * math.exp(min(700.0, value - t * mean)) * factor + infinite
    largest = width * sum(part.steps * (part.first + part.masses.size - 1) for part in losses)
    if largest > loss[kept][-1]:
        return Curve(np.append(loss[kept], largest), np.append(np.where(np.isfinite(deltas), deltas, np.inf), infinite))
    deltas[loss[kept] >= largest] = infinite
    return Curve(loss[kept], np.where(np.isfinite(deltas), deltas, np.inf))


def _sums_from(x: np.ndarray) -> np.ndarray:
    """At i the sum of x from i on."""
    return np.cumsum(x[::-1])[::-1]
