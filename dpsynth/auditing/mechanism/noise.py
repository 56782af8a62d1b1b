"""Mechanism audit: is the noise what the ledger says? White-box, in milliseconds.

For whoever may look at exact values: noisy answers are compared with the exact ones. A few hundred
numbers show noise that is half of what was paid for (76 are enough), where runs on neighbouring
tables would take thousands. What this cannot see is everything outside the noise: domains, row
counts, errors. `dp.DPAuditor` is for that.

* scale: residuals in units of the claimed deviation; a sum of squares too small for chi-squared
  refutes.
* shape: their distribution function; so does a Kolmogorov-Smirnov distance from uniform that is too
  large.
* independence: the correlation of neighbouring residuals.
* reuse: two answers with the same residuals.
* grid: noisy values that lie between two steps of their unit, and so may have low-order bits of the
  exact ones.
* sensitivity: a query that moves farther between neighbouring tables than was declared.
* budget: charges that add up to more than the budget, in arithmetic of its own.
* sampling: batches that were not drawn by one coin for each record, though they are billed as if
  they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import ndtr, ndtri

from dpsynth.auditing.claim import epsilon_of_mu
from dpsynth.auditing.mechanism.noise_report import Check, MechanismAudit
from dpsynth.auditing.mechanism.pairs import Pair
from dpsynth.kernel.budget import Budget

_ROUNDING = 1 + 1e-9
"""What doubles may lose in a few operations, many times over; no breach is so small."""
_TESTS = 4
"""Checks that share alpha: of scale, shape, independence and reuse. The others leave nothing to
chance.
"""
_FEWEST_BATCHES = 10
_FEWEST_DRAWS = 100
"""For which `check_sampling` takes binomial numbers for nearly normal ones: the least number of
batches and of records, and the least expected number of records drawn and not drawn.
"""


@dataclass(frozen=True, eq=False)
class Answer:
    """A noisy answer beside the exact one.

    Parameters
    ----------
    noisy, exact : ndarray
        Of one shape, in the units of the answer.
    stddev : float or ndarray
        The standard deviation of the noise, as claimed.
    unit : float or ndarray, optional
        The step of the grid that noise is rounded to; None for noise that is claimed to be
        continuous.

    Examples
    --------
    >>> import numpy as np
    >>> answer = Answer(noisy=np.array([41.0, 18.0]), exact=np.array([40.0, 20.0]), stddev=5.0)
    >>> float(answer.unit)
    1.0
    """

    noisy: np.ndarray
    exact: np.ndarray
    stddev: float | np.ndarray
    unit: float | np.ndarray | None = 1.0


def audit_noise(answers: Sequence[Answer], *, alpha: float = 1e-6, seed: int = 0) -> MechanismAudit:
    """Is the noise in these answers what was claimed? The first five checks.

    Parameters
    ----------
    answers : sequence of Answer
        Those of one run or more.
    alpha : float
        The chance that sound noise fails any check.
    seed : int
        Of the numbers that spread a rounded residual evenly over its step.

    Returns
    -------
    MechanismAudit

    Raises
    ------
    ValueError
        There is no number among the answers.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> exact = np.full(500, 40.0)
    >>> noisy = exact + np.rint(rng.normal(scale=5.0, size=500))
    >>> audit_noise([Answer(noisy, exact, stddev=5.0)]).verdict
    'PASS'
    >>> audit_noise([Answer(noisy, exact, stddev=10.0)]).verdict
    'FAIL'
    """
    if not any(np.size(answer.noisy) for answer in answers):
        raise ValueError("an audit of noise needs answers: give those of one run or more")
    rng = np.random.default_rng(seed)
    levels = np.concatenate([_levels(answer, rng) for answer in answers])
    z = ndtri(np.clip(levels, 1e-16, 1 - 1e-16))  # where Phi^-1 is finite
    each = alpha / _TESTS
    checks = (
        _scale(z, each),
        _shape(levels, each),
        _independence(z, each),
        _reuse(answers, each),
        _grid(answers),
    )
    return MechanismAudit(checks, alpha, _power(z.size, each))


def probe_sensitivity(
    query: Callable[[pd.DataFrame], np.ndarray],
    pairs: Iterable[Pair],
    l2: float,
) -> Check:
    """Does a query move by at most l2, in the 2-norm, on these neighbouring tables?

    Parameters
    ----------
    query : callable
        From a table to its exact answer.
    pairs : iterable of Pair
        Neighbouring tables.
    l2 : float
        The declared sensitivity, in the units of the answer.

    Returns
    -------
    Check
        Its detail names the pair with the largest move.
    """
    moves = {}
    for pair in pairs:
        difference = np.subtract(query(pair.second), query(pair.first))
        moves[pair.name] = float(np.linalg.norm(difference))
    name, most = max(moves.items(), key=lambda item: item[1])
    detail = f"moves by {most:.4g}, where at most {l2:.4g} was declared ({name})"
    return Check("sensitivity", most <= l2 * _ROUNDING, None, detail)


def check_budget(noise_multipliers: Iterable[float], budget: Budget) -> Check:
    """Do Gaussian charges compose to the budget?

    Computed in doubles, apart from the exact arithmetic of the ledger: the mu^2 of Gaussian noise
    is 1 / multiplier^2, and mu^2 adds (Dong, Roth and Su, JRSS-B 2022, section 3).

    Parameters
    ----------
    noise_multipliers : iterable of float
        The standard deviation of each charge's noise in units of its sensitivity.
    budget : Budget
        What they may add up to.

    Returns
    -------
    Check
    """
    mu = math.sqrt(math.fsum(1 / m**2 for m in noise_multipliers))
    epsilon = epsilon_of_mu(mu, budget.delta)
    holds = epsilon <= budget.epsilon * _ROUNDING
    detail = f"epsilon {epsilon:.6g} of {budget.epsilon:.6g} at delta {budget.delta:g}"
    return Check("budget", holds, None, detail)


def check_sampling(batches: np.ndarray, rate: float, alpha: float = 1e-6) -> Check:
    """Were records put into batches by coins of this rate?

    The sizes of batches, and how often each record is in one, scatter as binomial numbers do.
    Shuffled records and batches of one size, which amplify privacy less, do not.

    Parameters
    ----------
    batches : ndarray of bool, shape (batches, records)
        Which record is in which batch.
    rate : float
        The chance of each record to be in a batch, as billed.
    alpha : float
        The chance that sound batches fail.

    Returns
    -------
    Check

    Raises
    ------
    ValueError
        There are too few batches, records or draws to tell.
    """
    drawn = np.asarray(batches, dtype=np.float64)
    enough = (
        drawn.ndim == 2
        and 0 < rate < 1
        and min(drawn.shape) >= _FEWEST_BATCHES
        and drawn.size * rate * (1 - rate) >= _FEWEST_DRAWS
    )
    if not enough:
        raise ValueError(
            "batches must have the shape (batches, records) with 10 of each or more, a rate between"
            " 0 and 1, and batches x records x rate x (1 - rate) of 100 or more, got shape"
            f" {drawn.shape} and rate {rate!r}: give more batches or more records"
        )
    of_records = _binomial(drawn.sum(axis=0), drawn.shape[0], rate)
    of_sizes = _binomial(drawn.sum(axis=1), drawn.shape[1], rate)
    both = min(1.0, 2 * min(of_records, of_sizes))  # Bonferroni
    detail = (
        f"p = {of_sizes:.2g} for the sizes of batches,"
        f" {of_records:.2g} for how often a record is in one"
    )
    return Check("sampling", both > alpha, both, detail)


def _binomial(times: np.ndarray, trials: int, rate: float) -> float:
    """The two-sided p-value of the scatter of binomial numbers.

    Their sum of squares is taken for a multiple of chi-squared with the right mean and variance
    (Satterthwaite).
    """
    variance = trials * rate * (1 - rate)
    total = float(np.square(times - trials * rate).sum() / variance)
    # The square of a standardised binomial number has mean 1 and variance 2 + its excess kurtosis,
    # (1 - 6 rate (1 - rate)) / variance = 1 / variance - 6 / trials.
    unit = 1 + (1 / variance - 6 / trials) / 2
    degrees = times.size / unit
    below = stats.chi2.cdf(total / unit, degrees)
    above = stats.chi2.sf(total / unit, degrees)
    return 2 * float(min(below, above))


def _levels(answer: Answer, rng: np.random.Generator) -> np.ndarray:
    """The value of its distribution function for each residual: uniform, if the claim is true.

    A rounded one stands for all numbers that round to it, so a level is drawn evenly between those
    of its ends.
    """
    residual = np.ravel(np.subtract(answer.noisy, answer.exact))
    stddev = np.broadcast_to(answer.stddev, np.shape(answer.noisy)).ravel()
    if answer.unit is None:
        return np.asarray(ndtr(residual / stddev))
    half = np.broadcast_to(answer.unit, np.shape(answer.noisy)).ravel() / 2
    low = ndtr((residual - half) / stddev)
    high = ndtr((residual + half) / stddev)
    return np.asarray(low + rng.random(residual.size) * (high - low))


def _scale(z: np.ndarray, alpha: float) -> Check:
    """Only noise that is too small is refuted: more of it leaks less."""
    total = float(np.square(z).sum())
    p = float(stats.chi2.cdf(total, z.size))
    detail = f"{math.sqrt(total / z.size):.4g} times the claimed deviation, in {z.size} numbers"
    return Check("scale", p > alpha, p, detail)


def _power(numbers: int, alpha: float) -> float:
    """The probability that the check of the scale finds noise of half the deviation.

    Its sum of squares is a quarter of what sound noise would have.
    """
    return float(stats.chi2.cdf(4 * stats.chi2.ppf(alpha, numbers), numbers))


def _shape(levels: np.ndarray, alpha: float) -> Check:
    found = stats.kstest(levels, "uniform")
    p = float(found.pvalue)
    return Check("shape", p > alpha, p, f"largest distance {found.statistic:.4g}")


def _independence(z: np.ndarray, alpha: float) -> Check:
    """The sum of products of neighbours has mean 0 and variance n - 1."""
    if z.size < 3:
        return Check("independence", True, 1.0, "too few numbers to say")
    standard = float(z[1:] @ z[:-1]) / math.sqrt(z.size - 1)
    p = float(2 * stats.norm.sf(abs(standard)))
    correlation = standard / math.sqrt(z.size - 1)
    return Check("independence", p > alpha, p, f"correlation of neighbours {correlation:.4g}")


def _reuse(answers: Sequence[Answer], alpha: float) -> Check:
    """Do two answers have the same noise?

    Only answers so long and so noisy are compared that chance repeats one with probability alpha at
    most.
    """
    # Two of n answers are alike by chance with a probability below n^2 times that of one pair.
    bar = 2 * math.log(len(answers)) - math.log(alpha)
    long = [answer for answer in answers if _surprise(answer) > bar]
    repeats = len(long) - len({_noise_of(answer) for answer in long})
    detail = f"{repeats} of {len(long)} long answers repeat the noise of another"
    return Check("reuse", repeats == 0, None, detail)


def _noise_of(answer: Answer) -> bytes:
    """The residuals in units of the deviation, without the last digits, which rounding changes."""
    residuals = np.subtract(answer.noisy, answer.exact) / answer.stddev
    return np.ravel(np.round(residuals, 9)).tobytes()


def _surprise(answer: Answer) -> float:
    """-log of the chance that noise like this comes twice.

    It is 1 / (2 sqrt(pi) s) for each number, with the deviation s in units of the grid.
    """
    if answer.unit is None:
        return math.inf
    steps = np.broadcast_to(np.divide(answer.stddev, answer.unit), np.shape(answer.noisy))
    return float(np.log(np.maximum(2 * math.sqrt(math.pi) * steps, 1.0)).sum())


def _grid(answers: Sequence[Answer]) -> Check:
    off = 0
    for answer in answers:
        if answer.unit is not None:
            unit = np.broadcast_to(answer.unit, np.shape(answer.noisy))
            steps = np.ravel(answer.noisy) / np.ravel(unit)
            between = np.abs(steps - np.rint(steps)) > 1e-9 * (1 + np.abs(steps))
            off += int(between.sum())
    return Check("grid", off == 0, None, f"{off} values lie between two steps of their grid")
