"""Lower bounds on privacy loss from counts of right and wrong guesses.

A mechanism is run `n` times on each of two neighbouring tables, and a rule that was fixed before
these runs guesses which table it was. `false`: runs on the first table taken for the second;
`true`: runs on the second taken for it. Every bound holds with probability 1 - alpha, whatever the
mechanism, and is 0 where nothing can be said.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import ndtr, ndtri

from dpsynth.auditing.statistics.intervals import Estimate, area_under_curve

_NUISANCE = 0.02
"""The part of alpha for not knowing the false-positive rate (Berger and Boos 1994)."""
_GRID = 17
"""False-positive rates at which the nuisance interval is searched for the largest p-value."""
_MOST = 20.0
"""No bound above this is looked for: a loss so large cannot be shown by any number of runs."""
_HALVINGS = 30
"""Of the interval from 0 to _MOST: the bound is found to 20 / 2^30, about 2e-8."""


@dataclass(frozen=True)
class Counts:
    """How often a rule said "the second table".

    In `false` of n0 runs on the first table, in `true` of n1 runs on the second.
    """

    false: int
    n0: int
    true: int
    n1: int

    def __post_init__(self) -> None:
        within = 0 <= self.false <= self.n0 and 0 <= self.true <= self.n1
        if not (within and self.n0 and self.n1):
            raise ValueError(
                "counts must lie between 0 and the number of runs, which must be 1 or more, got"
                f" {self}"
            )


def mu_point(counts: Counts) -> float:
    """Phi^-1 of the true-positive rate less Phi^-1 of the false-positive rate.

    Half a run is added to each count.
    """
    return float(_gap(np.array(counts.true), np.array(counts.false), counts))


def mu_lower(counts: Counts, alpha: float) -> float:
    """The largest mu that is refuted at level alpha: the exact test of "mu-GDP" inverted.

    Under mu-GDP the true-positive rate is at most Phi(Phi^-1(p) + mu), p the false-positive rate.
    The p-value of mu is the largest probability, over p in an interval that holds it but for a
    small part of alpha, of a gap (`mu_point`) at least as large as the one seen, plus that part.
    Valid for claims of Gaussian DP only.
    """
    return _largest_refuted(lambda mu: _gdp_p_value(counts, mu, alpha) <= alpha)


def mu_by_area(first: np.ndarray, second: np.ndarray, alpha: float) -> Estimate:
    """mu as the scores of the runs on the two tables show it, with a bound on either side.

    Each bound errs with probability alpha.

    Under mu-GDP no score has an area under the curve above Phi(mu / sqrt 2), as its curve lies
    below the Gaussian one; so sqrt(2) Phi^-1 of a lower bound on the area bounds mu from below,
    whatever the score. That of DeLong is for hundreds of runs and more, not exact as `mu_lower` is.
    Every run counts by how far it lies, not by its side alone: worth a third more runs where both
    worlds are Gaussian. Decide which of the two bounds counts before seeing either.
    """
    member = np.arange(first.size + second.size) >= first.size
    area = area_under_curve(np.concatenate([first, second]), member, confidence=1 - 2 * alpha)
    value, low, high = (math.sqrt(2) * float(ndtri(x)) for x in (area.value, area.low, area.high))
    return Estimate(value, max(0.0, low), high)


def spread_of_mu(counts: Counts) -> float:
    """The standard error of `mu_point`, by the rates seen (delta method)."""
    variance = 0.0
    for hits, n in ((counts.false, counts.n0), (counts.true, counts.n1)):
        p = (hits + 0.5) / (n + 1)
        # The derivative of Phi^-1 at p is 1 / phi(Phi^-1(p)).
        density = float(stats.norm.pdf(ndtri(p)))
        variance += p * (1 - p) / n / density**2
    return math.sqrt(variance)


def epsilon_lower(counts: Counts, delta: float, alpha: float) -> float:
    """The largest epsilon that is refuted, at this delta, for any mechanism.

    It follows from two Clopper-Pearson bounds of alpha / 2.

    (epsilon, delta)-DP bounds both true <= e^epsilon false + delta and 1 - false <= e^epsilon (1 -
    true) + delta.
    """
    most_false = _upper(counts.false, counts.n0, alpha / 2)
    least_true = _lower(counts.true, counts.n1, alpha / 2)
    ratios = (
        (least_true - delta) / most_false,
        (1 - most_false - delta) / (1 - least_true),
    )
    return max(0.0, *(math.log(ratio) for ratio in ratios if ratio > 0), 0.0)


def one_run(canaries: int, guesses: int, right: int, delta: float, alpha: float) -> float:
    """The largest epsilon that one run refutes.

    By Steinke, Nasr, Jagielski, arXiv 2305.08846, Thm 3.1.

    canaries: records of which each was included by a coin of its own. guesses: of them guessed at;
    right: correctly.
    """
    if not 0 <= right <= guesses <= canaries:
        raise ValueError(
            f"right <= guesses <= canaries must hold, got {right}, {guesses}, {canaries}"
        )

    def refuted(epsilon: float) -> bool:
        return _one_run_p_value(canaries, guesses, right, epsilon, delta) <= alpha

    return _largest_refuted(refuted)


def max_epsilon(n0: int, n1: int, delta: float, alpha: float) -> float:
    """What `epsilon_lower` says when every guess is right: so many runs can show no more."""
    return epsilon_lower(Counts(0, n0, n1, n1), delta, alpha)


def power(mu: float, claimed: float, runs: int, alpha: float) -> float:
    """About how likely `mu_lower` is to refute `claimed` when mu is the truth.

    With as many runs on each table.

    Normal approximation at the threshold mu / 2, where the estimate's variance is 2 p (1 - p) / (n
    phi(mu/2)^2).
    """
    p = float(ndtr(-mu / 2))
    spread = math.sqrt(2 * p * (1 - p) / runs) / float(stats.norm.pdf(mu / 2))
    return float(ndtr((mu - claimed) / spread - ndtri(1 - alpha)))


def power_of_events(epsilon: float, delta: float, runs: int, alpha: float) -> float:
    """How likely `epsilon_lower` is to refute (epsilon, delta) at twice the epsilon.

    The truth is then a count with Laplace noise for twice epsilon, and the event is the plainest
    that shows it: the larger count is reached, with probability 1/2 on the one table and
    e^(-2 epsilon) / 2 on the other. As many runs on each table.
    """
    times = np.arange(runs + 1)
    # The two Clopper-Pearson bounds of `epsilon_lower`, for every possible count.
    most_false = np.append(stats.beta.isf(alpha / 2, times[:-1] + 1, runs - times[:-1]), 1.0)
    least_true = np.append(0.0, stats.beta.ppf(alpha / 2, times[1:], runs - times[1:] + 1))
    # For each number of false positives the fewest true ones that refute the claim.
    needed = np.searchsorted(least_true, delta + math.exp(epsilon) * most_false, side="right")
    chance_false = stats.binom.pmf(times, runs, math.exp(-2 * epsilon) / 2)
    chance_refuted = stats.binom.sf(needed - 1, runs, 0.5)
    return float(chance_false @ chance_refuted)


def _largest_refuted(refuted: Callable[[float], bool]) -> float:
    """The largest loss from 0 to _MOST that is refuted, by bisection from below; 0 if none is."""
    if not refuted(0.0):
        return 0.0
    low = 0.0
    high = _MOST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if refuted(middle):
            low = middle
        else:
            high = middle
    return low


def _lower(hits: int, n: int, tail: float) -> float:
    """The lower Clopper-Pearson bound of a rate, which errs with probability `tail`."""
    return float(stats.beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0


def _upper(hits: int, n: int, tail: float) -> float:
    """The upper Clopper-Pearson bound of a rate, which errs with probability `tail`."""
    return float(stats.beta.isf(tail, hits + 1, n - hits)) if hits < n else 1.0


def _gap(true: np.ndarray, false: np.ndarray, counts: Counts) -> np.ndarray:
    true_rate = (true + 0.5) / (counts.n1 + 1)
    false_rate = (false + 0.5) / (counts.n0 + 1)
    found: np.ndarray = ndtri(true_rate) - ndtri(false_rate)
    return found


def _gdp_p_value(counts: Counts, mu: float, alpha: float) -> float:
    """The p-value of "mu-GDP" against the gap that was seen (see `mu_lower`)."""
    false = np.arange(counts.n0 + 1)
    least_true = _least_true(false, counts)
    # Berger and Boos: the largest p-value over an interval for the false-positive rate p, plus the
    # probability that p lies outside of it.
    outside = _NUISANCE * alpha
    low = _lower(counts.false, counts.n0, outside / 2)
    high = _upper(counts.false, counts.n0, outside / 2)
    # The ends are kept where Phi^-1 is finite; the grid is even in Phi^-1(p).
    ends = ndtri(max(low, 1e-12)), ndtri(min(high, 1 - 1e-12))
    worst = 0.0
    for rate in ndtr(np.linspace(*ends, _GRID)):
        spread = math.sqrt(counts.n0 * rate * (1 - rate))
        # Counts beyond nine deviations have less than 1e-15 of the probability.
        near = np.abs(false - counts.n0 * rate) <= 9 * spread + 9
        chance_false = stats.binom.pmf(false[near], counts.n0, rate)
        highest_true_rate = ndtr(ndtri(rate) + mu)
        beyond = stats.binom.sf(least_true[near] - 1, counts.n1, highest_true_rate)
        worst = max(worst, float(chance_false @ beyond))
    return worst + outside


def _least_true(false: np.ndarray, counts: Counts) -> np.ndarray:
    """For each number of false positives the fewest true ones with a gap as large as the one seen.

    That is `_gap` solved for the true positives; 1e-6 of a run keeps rounding from asking for one
    more than were seen.
    """
    seen = mu_point(counts)
    true_rate = ndtr(seen + ndtri((false + 0.5) / (counts.n0 + 1)))
    needed = (counts.n1 + 1) * true_rate - 0.5
    found: np.ndarray = np.ceil(needed - 1e-6)
    return found


def _one_run_p_value(
    canaries: int,
    guesses: int,
    right: int,
    epsilon: float,
    delta: float,
) -> float:
    """The p-value of so many right guesses, with q = 1 / (1 + e^-epsilon).

    P[Bin(r, q) >= v] + 2 m delta max_i P[v - i <= Bin(r, q) < v] / i
    """
    q = 1 / (1 + math.exp(-epsilon))
    beyond = float(stats.binom.sf(right - 1, guesses, q))
    below = np.cumsum(stats.binom.pmf(np.arange(right - 1, -1, -1), guesses, q))
    steepest = float(np.max(below / np.arange(1, right + 1), initial=0.0))
    return min(1.0, beyond + 2 * canaries * delta * steepest)
