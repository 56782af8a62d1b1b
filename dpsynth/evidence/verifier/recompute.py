r"""What charges cost, computed a second time: the mathematics of the independent verifier.

It imports nothing but Python's standard library, and shares no formula with the rest of the
package: where the kernel composes loss distributions on a grid and rounds up, this evaluates

    delta(e) = 1 / (2 pi i)  int  M(z) e^(-z e) / (z (z + 1))  dz,       M(z) = E[e^(z loss)],

over Re z = t > 0 (Zhu, Dong and Wang, arXiv 2106.08567; Alghamdi et al., arXiv 2208.09595), which
is delta itself to about nine digits. M is the product over mechanisms, F(z + 1) for a unit removed
and F(-z) for one added, with F(s) = int n(x) r(x)^s dx, r(x) = 1 - q + q e^((2x - 1) / 2 s^2); the
trapezoidal rule converges geometrically.
"""

from __future__ import annotations

import cmath
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from statistics import NormalDist
from typing import Any

KEPT = 2.0**-28  # of delta: what events may lack of a Gaussian curve, in all
LACKING = 2.0**-60  # what one training may lack of its Gaussian curve
MAX_EPSILON = 100.0  # figures above this are shown as this: nothing is private there
_MAX_TERMS = 4000  # of the integral: more would take minutes
_MAX_SUMS = 2**15  # of answers, one by one; further ones are rounded down to a grid
_NEGLIGIBLE = 30.0  # e^-30 is left out of an integral: far below the nine digits wanted
_BISECTIONS = 50
Record = Mapping[str, Any]
Floats = tuple[float, ...]


class Undecided(Exception):
    """The figures can be neither confirmed nor refuted."""


@dataclass(frozen=True)
class Cost:
    """mu^2 of the curves that stand for events, what these may lack, epsilons without a curve."""

    squared: Fraction = Fraction(0)
    lacking: float = 0.0
    epsilon: float = 0.0


def cost_of(events: Iterable[Record]) -> Cost:
    costs = [price(event) for event in events]
    lacking = math.fsum(c.lacking for c in costs)
    epsilon = math.fsum(c.epsilon for c in costs)
    return Cost(sum((c.squared for c in costs), start=Fraction(0)), lacking, epsilon)


def price(event: Record) -> Cost:
    """What one event costs; ValueError for one that no certificate names."""
    match event:
        case {"event": "gaussian", "noise_multiplier": float(s)} if s > 0 and len(event) == 2:
            return Cost(1 / Fraction(s) ** 2)
        case {"event": "discovery", "noise_multiplier": float(s), "delta": float(own)}:
            if s > 0 and 0 < own < 1 and len(event) == 3:
                return Cost(1 / Fraction(s) ** 2, lacking=own)
        case {"event": "external_program", "epsilon": float(e), "delta": float(own)}:
            if 0 < e <= MAX_EPSILON and 0 <= own < 1 and len(event) == 3:
                return Cost(lacking=own, epsilon=e)
        case {"event": "dp_sgd", "rate": float(q), "noise_multiplier": float(s), "steps": int(n)}:
            if 0 < q <= 1 <= n and s > 0 and len(event) == 4:
                return _trained(q, s, n)
    raise ValueError(f"no event is known that reads {event}")


def _trained(q: float, s: float, n: int) -> Cost:
    """What n steps of training cost: as if nothing were sampled, or less."""
    unsampled = Cost(n / Fraction(s) ** 2)
    if q == 1 or s < 0.1:  # with so little noise the sampling hides next to nothing
        return unsampled
    if (squared := _training(q, s, n)) is None:
        raise Undecided("a training has too few steps for its cost to be recomputed here")
    return Cost(squared, LACKING) if squared < unsampled.squared else unsampled


@cache
def _training(q: float, s: float, n: int) -> Fraction | None:
    """mu^2 whose curve is not below that of the training at eight epsilons, from below.

    None where an integral has too many terms; also kept, since it takes seconds to find.
    """
    needed = 0.0
    for removed in (True, False):
        part = Mix(0.0, ((q, s, n),), removed)
        # beyond this epsilon Chernoff's bound says that nothing is left to cover
        tries = [1.3**k for k in range(-12, 20)]
        far = min((part.log_moment(t).real - math.log(4 * LACKING)) / t for t in tries)
        for epsilon in (far * k / 8 for k in range(1, 9)):
            try:
                wanted = part.delta(epsilon) - LACKING
            except Undecided:
                return None
            needed = max(needed, _least_mu(epsilon, wanted))
    return Fraction(needed) ** 2


def _least_mu(epsilon: float, delta: float) -> float:
    """The mu at which a Gaussian curve has this delta, from below."""
    low, high = 0.0, 64.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        less = Mix(middle**2).delta(epsilon) < delta
        low, high = (middle, high) if less else (low, middle)
    return low


def pure_squared(epsilon: float) -> float:
    """mu^2 of the Gaussian curve below randomised response, where both errors are equal."""
    return (2 * NormalDist().inv_cdf(1 / (1 + math.exp(epsilon)))) ** 2


@cache
def affordable(epsilon: float, delta: float) -> float:
    """mu^2 of the Gaussian noise that an (epsilon, delta) can bear."""
    return _least_mu(epsilon, delta) ** 2


def left(budget: Record) -> tuple[float, float]:
    """epsilon and delta that are left for noise, without what is kept for programs."""
    delta = budget["delta"] * (1 - KEPT) - budget["programs_delta"]
    return max(0.0, budget["epsilon"] - budget["programs_epsilon"]), delta


def best_guess(budget: Record) -> float:
    """How often the best guess of two candidates is right: half, and half their total variation."""
    squared = affordable(*left(budget))
    if budget["programs_epsilon"]:
        squared += pure_squared(budget["programs_epsilon"])
    return min(1.0, (1 + Mix(squared).delta(0.0)) / 2 + float(budget["programs_delta"]))


def worst_delta(events: Sequence[Record], epsilon: float) -> float:
    """delta of a list of events fixed beforehand: the worse of a unit removed and one added."""
    if epsilon >= MAX_EPSILON:
        return 0.0
    return max(Mix.of(events, removed).delta(epsilon) for removed in (True, False))


def renyi(events: Sequence[Record], order: int) -> float:
    """Renyi divergence of noise and trainings: the logarithm of a moment, over order - 1."""
    return Mix.of(events, True).log_moment(order - 1.0).real / (order - 1)


@dataclass(frozen=True)
class Mix:
    """Gaussian noise, trainings (rate, noise, steps), responses (epsilon), or failure, together."""

    mu_squared: float
    trainings: tuple[tuple[float, float, int], ...] = ()
    removed: bool = True
    responses: tuple[float, ...] = ()
    failing: float = 0.0

    @classmethod
    def of(cls, events: Sequence[Record], removed: bool) -> Mix:
        noise = [e for e in events if "noise_multiplier" in e and e.get("rate", 1) == 1]
        squared = sum(e.get("steps", 1) / Fraction(e["noise_multiplier"]) ** 2 for e in noise)
        trained = Counter[tuple[float, float]]()
        for event in events:
            if event.get("rate", 1) < 1:
                trained[event["rate"], event["noise_multiplier"]] += event["steps"]
        failing = -math.expm1(math.fsum(math.log1p(-e.get("delta", 0.0)) for e in events))
        trainings = tuple((rate, noise, steps) for (rate, noise), steps in trained.items())
        responses = tuple(e["epsilon"] for e in events if "epsilon" in e)
        return cls(float(squared), trainings, removed, responses, failing)

    def delta(self, epsilon: float) -> float:
        curved = self.mu_squared or self.trainings
        found = self._contour(epsilon) if curved else self._answers(epsilon)
        return self.failing + (1 - self.failing) * found

    def _contour(self, epsilon: float) -> float:
        t = self._saddle(epsilon)
        base = self.log_moment(t).real
        if base - t * epsilon < math.log(LACKING / 16):
            return math.exp(base - t * epsilon)  # Chernoff's bound, below all that matters
        step = self._step(epsilon, t, self._height(t, epsilon))
        total, quiet = 0.5 / (t * (t + 1)), 0
        for k in range(1, _MAX_TERMS):
            z = complex(t, k * step)
            term = cmath.exp(self.log_moment(z) - base - 1j * k * step * epsilon) / (z * (z + 1))
            total += term.real
            quiet = quiet + 1 if abs(term) < 1e-11 * abs(total) else 0
            if quiet > 20:  # terms turn, so that one alone may be small by chance
                return math.exp(base - t * epsilon) * total * step / math.pi
        raise Undecided("a training has too few steps for the whole cost to be recomputed here")

    def _height(self, t: float, epsilon: float) -> float:
        """The logarithm of the integrand where the contour crosses the real line."""
        return self.log_moment(t).real - t * epsilon - math.log(t * (t + 1))

    def _saddle(self, epsilon: float) -> float:
        """The t at which the integrand is least on the real line: its contour cancels least."""
        low, high = -6.0, 10.0 if self.trainings else 40.0  # of log t
        for _ in range(30):
            first = low + 0.38 * (high - low)
            second = low + 0.62 * (high - low)
            left, right = (self._height(math.exp(log), epsilon) for log in (first, second))
            low, high = (low, second) if left < right else (first, high)
        return math.exp(low)

    def _step(self, epsilon: float, t: float, top: float) -> float:
        """The step of the rule. What repeats further off weighs at most e^-30 (Chernoff)."""
        ways = (t / 4, t, 4 * t, 1.0)
        falls = [self.log_moment(t + u).real - (t + u) * epsilon - top for u in ways]
        ahead = [(fall + _NEGLIGIBLE) / u for fall, u in zip(falls, ways, strict=True)]
        behind = (_NEGLIGIBLE - min(0.0, top)) / t
        return 2 * math.pi / max(behind, min(ahead))

    def _answers(self, epsilon: float) -> float:
        """Responses alone: all their losses one by one; very many are rounded down to a grid."""
        grid = sum(self.responses) / 2**16
        sums = {0.0: 1.0}
        for e in self.responses:
            former, sums = sums, {}
            for (loss, share), more in itertools.product(former.items(), (e, -e)):
                exactly = len(former) < _MAX_SUMS
                total = loss + more
                total = round(total, 12) if exactly else math.floor(total / grid) * grid
                sums[total] = sums.get(total, 0.0) + share / (1 + math.exp(-more))
        return math.fsum(-p * math.expm1(min(0.0, epsilon - loss)) for loss, p in sums.items())

    def log_moment(self, z: complex) -> complex:
        """log M(z)."""
        total = z * (z + 1) * self.mu_squared / 2
        for q, s, n in self.trainings:
            total += n * _log_sampled(z + 1 if self.removed else -z, q, s)
        for e in self.responses:
            total += z * e + cmath.log(1 + cmath.exp(-(2 * z + 1) * e)) - math.log1p(math.exp(-e))
        return total


def _log_sampled(power: complex, q: float, s: float) -> complex:
    """log F(power) by the trapezoidal rule, x in units of s; its step follows how r^power turns."""
    turning = min(0.1, 0.3 * s) * (abs(power.imag) / s + 10) / 6
    finer = math.ceil(math.log2(max(1.0, turning)))
    top, weights, ratios = _nodes(power.real, q, s, finer)
    return top + cmath.log(sum(map(cmath.rect, weights, (power.imag * ratio for ratio in ratios))))


@lru_cache(maxsize=256)
def _nodes(power: float, q: float, s: float, finer: int) -> tuple[float, Floats, Floats]:
    """top; weights of the nodes, the real power included, over e^top; log r there. None weigh 0."""
    step = min(0.1, 0.3 * s) / 2**finer
    first = -12 + min(0.0, power / s)  # 12 deviations beyond where the mass lies
    last = 12 + max(0.0, power / s)
    found = []
    for k in range(int((last - first) / step) + 2):
        x = first + k * step
        odds = x / s - 0.5 / s**2
        ratio = math.log1p(q * math.expm1(odds)) if odds < 30 else odds + math.log(q)
        found.append((power * ratio - x * x / 2, ratio))
    top = max(height for height, _ in found)
    kept = [(height, ratio) for height, ratio in found if height > top - 40]
    weights = tuple(math.exp(height - top) * step / math.sqrt(2 * math.pi) for height, _ in kept)
    return top, weights, tuple(ratio for _, ratio in kept)
