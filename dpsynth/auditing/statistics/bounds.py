"""Lower bounds on privacy loss from counts of right and wrong guesses.

A mechanism is run `n` times on each of two neighbouring tables, and a rule that was fixed before these runs guesses
which table it was. `false`: runs on the first table taken for the second; `true`: runs on the second taken for it.
Every bound holds with probability 1 - alpha, whatever the mechanism, and is 0 where nothing can be said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import ndtr, ndtri

from dpsynth.auditing.statistics.intervals import Estimate, area_under_curve

_NUISANCE = 0.02
"""The part of alpha for not knowing the false-positive rate (Berger and Boos 1994)."""
_GRID = 17
_MOST = 20.0
_HALVINGS = 30


@dataclass(frozen=True)
class Counts:
    """How often a rule said "the second table": in `false` of n0 runs on the first, in `true` of n1 on the second."""

    false: int
    n0: int
    true: int
    n1: int

    def __post_init__(self) -> None:
        if not (0 <= self.false <= self.n0 and 0 <= self.true <= self.n1 and self.n0 and self.n1):
            raise ValueError(f"counts must lie between 0 and the number of runs, which must be 1 or more, got {self}")


def mu_point(counts: Counts) -> float:
    """Phi^-1 of the true- less that of the false-positive rate, with half a run added to each count."""
    return float(_gap(np.array(counts.true), np.array(counts.false), counts))


def mu_lower(counts: Counts, alpha: float) -> float:
    """The largest mu that is refuted at level alpha: the exact test of "mu-GDP" inverted.

    Under mu-GDP the true-positive rate is at most Phi(Phi^-1(p) + mu), p the false-positive rate. The p-value of mu is
    the largest probability, over p in an interval that holds it but for a small part of alpha, of a gap (`mu_point`)
    at least as large as the one seen, plus that part. Valid for claims of Gaussian DP only.
    """
    if _gdp_p_value(counts, 0.0, alpha) > alpha:
        return 0.0
    low, high = 0.0, _MOST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _gdp_p_value(counts, middle, alpha) <= alpha else (low, middle)
    return low


def mu_by_area(first: np.ndarray, second: np.ndarray, alpha: float) -> Estimate:
    """mu as the scores of the runs on the two tables show it, and bounds on either side that each err with alpha.

    Under mu-GDP no score has an area under the curve above Phi(mu / sqrt 2), as its curve lies below the Gaussian one;
    so sqrt(2) Phi^-1 of a lower bound on the area bounds mu from below, whatever the score. That of DeLong is for
    hundreds of runs and more, not exact as `mu_lower` is. Every run counts by how far it lies, not by its side alone:
    worth a third more runs where both worlds are Gaussian. Decide which of the two bounds counts before seeing either.
    """
    member = np.arange(first.size + second.size) >= first.size
    area = area_under_curve(np.concatenate([first, second]), member, confidence=1 - 2 * alpha)
    value, low, high = (math.sqrt(2) * float(ndtri(x)) for x in (area.value, area.low, area.high))
    return Estimate(value, max(0.0, low), high)


def spread_of_mu(counts: Counts) -> float:
    """The standard error of `mu_point`, by the rates seen (delta method)."""
    sides = ((counts.false, counts.n0), (counts.true, counts.n1))
    rates = [((hits + 0.5) / (n + 1), n) for hits, n in sides]
    return math.sqrt(sum(p * (1 - p) / n / float(stats.norm.pdf(ndtri(p))) ** 2 for p, n in rates))


def epsilon_lower(counts: Counts, delta: float, alpha: float) -> float:
    """The largest epsilon that is refuted, at this delta, for any mechanism: two Clopper-Pearson bounds of alpha / 2.

    (epsilon, delta)-DP bounds both true <= e^epsilon false + delta and 1 - false <= e^epsilon (1 - true) + delta.
    """
    most = (
        float(stats.beta.isf(alpha / 2, counts.false + 1, counts.n0 - counts.false))
        if counts.false < counts.n0
        else 1.0
    )
    least = float(stats.beta.ppf(alpha / 2, counts.true, counts.n1 - counts.true + 1)) if counts.true else 0.0
    ratios = ((least - delta) / most, (1 - most - delta) / (1 - least))
    return max(0.0, *(math.log(r) for r in ratios if r > 0), 0.0)


def one_run(canaries: int, guesses: int, right: int, delta: float, alpha: float) -> float:
    """The largest epsilon that is refuted by one run (Steinke, Nasr, Jagielski, arXiv 2305.08846, Thm 3.1).

    canaries: records of which each was included by a coin of its own. guesses: of them guessed at; right: correctly.
    """
    if not 0 <= right <= guesses <= canaries:
        raise ValueError(f"right <= guesses <= canaries must hold, got {right}, {guesses}, {canaries}")

    def refuted(epsilon: float) -> bool:
        return _one_run_p_value(canaries, guesses, right, epsilon, delta) <= alpha

    if not refuted(0.0):
        return 0.0
    low, high = 0.0, _MOST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


def most_epsilon(n0: int, n1: int, delta: float, alpha: float) -> float:
    """What `epsilon_lower` says when every guess is right: no audit of so many runs can show more."""
    return epsilon_lower(Counts(0, n0, n1, n1), delta, alpha)


def power(mu: float, claimed: float, runs: int, alpha: float) -> float:
    """About how likely `mu_lower` is to refute `claimed` when mu is the truth, with as many runs on each table.

    Normal approximation at the threshold mu / 2, where the estimate's variance is 2 p (1 - p) / (n phi(mu/2)^2).
    """
    p = float(ndtr(-mu / 2))
    spread = math.sqrt(2 * p * (1 - p) / runs) / float(stats.norm.pdf(mu / 2))
    return float(ndtr((mu - claimed) / spread - ndtri(1 - alpha)))


def power_of_events(epsilon: float, delta: float, runs: int, alpha: float) -> float:
    """How likely `epsilon_lower` is to refute (epsilon, delta) when the truth is a count with Laplace noise for twice
    epsilon, and the event is the plainest that shows it: the larger count is reached, with probability 1/2 on the one
    table and e^(-2 epsilon) / 2 on the other. As many runs on each table.
    """
    times = np.arange(runs + 1)
    most = np.append(stats.beta.isf(alpha / 2, times[:-1] + 1, runs - times[:-1]), 1.0)
    least = np.append(0.0, stats.beta.ppf(alpha / 2, times[1:], runs - times[1:] + 1))
    needed = np.searchsorted(least, delta + math.exp(epsilon) * most, side="right")
    found = stats.binom.pmf(times, runs, math.exp(-2 * epsilon) / 2) @ stats.binom.sf(needed - 1, runs, 0.5)
    return float(found)


def _gap(true: np.ndarray, false: np.ndarray, counts: Counts) -> np.ndarray:
    found: np.ndarray = ndtri((true + 0.5) / (counts.n1 + 1)) - ndtri((false + 0.5) / (counts.n0 + 1))
    return found


def _gdp_p_value(counts: Counts, mu: float, alpha: float) -> float:
    spare = _NUISANCE * alpha
    seen = float(_gap(np.array(counts.true), np.array(counts.false), counts))
    false = np.arange(counts.n0 + 1)
    needed = (counts.n1 + 1) * ndtr(seen + ndtri((false + 0.5) / (counts.n0 + 1))) - 0.5
    least = np.ceil(needed - 1e-6)  # for each number of false positives the fewest true ones with a gap so large
    low = float(stats.beta.ppf(spare / 2, counts.false, counts.n0 - counts.false + 1)) if counts.false else 0.0
    high = (
        1.0
        if counts.false == counts.n0
        else float(stats.beta.isf(spare / 2, counts.false + 1, counts.n0 - counts.false))
    )
    rates = ndtr(np.linspace(ndtri(max(low, 1e-12)), ndtri(min(high, 1 - 1e-12)), _GRID))
    worst = 0.0
    for rate in rates:
        near = np.abs(false - counts.n0 * rate) <= 9 * math.sqrt(counts.n0 * rate * (1 - rate)) + 9
        beyond = stats.binom.sf(least[near] - 1, counts.n1, ndtr(ndtri(rate) + mu))
        worst = max(worst, float(stats.binom.pmf(false[near], counts.n0, rate) @ beyond))
    return worst + spare


def _one_run_p_value(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """P[Bin(r, q) >= v] + 2 m delta max_i P[v - i <= Bin(r, q) < v] / i, with q = 1 / (1 + e^-epsilon)."""
    q = 1 / (1 + math.exp(-epsilon))
    beyond = float(stats.binom.sf(right - 1, guesses, q))
    below = np.cumsum(stats.binom.pmf(np.arange(right - 1, -1, -1), guesses, q))
    steepest = float(np.max(below / np.arange(1, right + 1), initial=0.0))
    return min(1.0, beyond + 2 * canaries * delta * steepest)
