"""DPAuditor: do runs on neighbouring tables refute a claim of differential privacy?

The mechanism is run many times on each table of a pair. The first runs teach a rule that tells the
two worlds apart: a linear one, which is the likelihood ratio where noise is Gaussian; its threshold
is fixed then. The other runs are counted, and the counts bound the privacy loss from below. Nothing
but "refuted" is ever certain: a claim that stands was not refuted, by these pairs, this rule and so
many runs.

A claim of Gaussian DP is tested as such (`bounds.mu_lower`); any other by `bounds.epsilon_lower`,
which is looser but assumes nothing. alpha is shared among the pairs, so that a true claim is
refuted with probability alpha at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.outcomes import NEAR, Features, features, outcome
from dpsynth.auditing.mechanism.pairs import Pair
from dpsynth.auditing.mechanism.queries import Target
from dpsynth.auditing.mechanism.refutation import ENOUGH, DPAuditResult, PairResult, delta_of
from dpsynth.auditing.statistics.epsilon_bounds import (
    Counts,
    epsilon_lower,
    max_epsilon,
    mu_lower,
    mu_point,
    power,
    power_of_events,
)

FitSample = Callable[[pd.DataFrame, np.random.Generator], Any]
Access = Literal["black-box", "white-box"]
Statistic = Callable[[Any], float]

_SEED = 20240607
"""Any number: it fixes what is not privacy noise, so that an audit can be repeated."""
_FOLDS = 2
_FEWEST_TO_CHOOSE = 8
"""Runs on each table from which on the features are chosen: 4 in each fold."""
_MAX_THRESHOLDS = 200
"""That are tried where none is known; more change little, as the bound is coarse there."""
_TINY = 1e-300
"""Keeps a division by zero from happening where two worlds do not vary at all."""


class DPAuditor:
    """Runs a mechanism on neighbouring tables and bounds its privacy loss from below.

    Parameters
    ----------
    fit_sample : callable
        Takes a table and a generator for whatever is not privacy noise, and returns what the
        mechanism shows: a DataFrame (black-box), or noisy measurements as arrays or a mapping of
        them (white-box).
    claim : PrivacyClaim
        What is to be refuted.
    pairs : sequence of Pair
        Neighbouring tables, such as `pairs.worst_case_pairs` gives.
    access : {"black-box", "white-box"}
        What `fit_sample` shows; stated in the result.
    runs : int
        On each table of each pair.
    statistic : callable, optional
        From an output to a number that is higher for the second table, where the likelihood ratio
        is known. By default a linear rule is learned from the first `train_share` of the runs.
    threshold : float, optional
        Of the statistic, where it is known too, as 0 is for the logarithm of a likelihood ratio.
        Then nothing is learned, and all runs are counted.
    alpha : float
        The chance that a true claim is refuted, all pairs together.
    train_share : float
        The share of the runs from which the rule and its threshold are learned.
    seed : int, optional
        Of the generators that `fit_sample` is given; None is a fixed one.

    Raises
    ------
    ValueError
        There are no pairs or too few runs, or an argument is out of its range.

    Examples
    --------
    Half of the noise that a claim of mu = 1 asks for is found out:

    >>> import numpy as np, pandas as pd
    >>> from dpsynth.auditing.claim import PrivacyClaim
    >>> from dpsynth.auditing.mechanism.pairs import Pair
    >>> pair = Pair("one more", pd.DataFrame({"a": [0, 0]}), pd.DataFrame({"a": [0, 0, 0]}))
    >>> def count(table, rng):
    ...     return {"rows": len(table) + 0.5 * rng.normal()}
    >>> DPAuditor(count, PrivacyClaim(mu=1.0), [pair], "white-box", runs=500).run().verdict
    'FAIL'
    """

    def __init__(
        self,
        fit_sample: FitSample,
        claim: PrivacyClaim,
        pairs: Sequence[Pair],
        access: Access = "black-box",
        *,
        runs: int = 1000,
        statistic: Statistic | None = None,
        threshold: float | None = None,
        alpha: float = 0.05,
        train_share: float = 0.2,
        seed: int | None = None,
    ) -> None:
        if access not in ("black-box", "white-box"):
            raise ValueError(f'access must be "black-box" or "white-box", got {access!r}')
        shares = 0 < alpha < 1 and 0 < train_share < 1
        if not pairs or not shares or runs * min(train_share, 1 - train_share) < 2:
            raise ValueError(
                "an audit needs a pair of tables or more, alpha and train_share between 0 and 1,"
                " and at least 2 runs for learning and 2 for counting, got"
                f" {len(pairs)} pairs, alpha {alpha!r}, train_share {train_share!r}, {runs!r} runs"
            )
        if threshold is not None and statistic is None:
            raise ValueError(
                "a threshold belongs to a statistic, and none was given: give both, or leave out"
                " the threshold"
            )
        self.fit_sample = fit_sample
        self.claim = claim
        self.pairs = tuple(pairs)
        self.access = access
        self.runs = runs
        self.statistic = statistic
        self.threshold = threshold
        self.alpha = alpha
        self.train_share = train_share
        self.seed = _SEED if seed is None else seed

    def run(self) -> DPAuditResult:
        """Runs the mechanism 2 * runs * pairs times.

        Returns
        -------
        DPAuditResult
            The counts and bounds of each pair, and the verdict of all together.
        """
        found = [self._audit(i, pair) for i, pair in enumerate(self.pairs)]
        return DPAuditResult(self.claim, self.access, self.runs, self.alpha, tuple(found))

    def _audit(self, number: int, pair: Pair) -> PairResult:
        outputs = [
            self._outputs(number, world, table)
            for world, table in enumerate((pair.first, pair.second))
        ]
        learning = max(2, round(self.train_share * self.runs)) if self.threshold is None else 0
        first, second = self._scores(outputs, learning, pair.targets)
        threshold = self.threshold
        if threshold is None:
            threshold = _threshold(first[:learning], second[:learning], self.claim)
        # Only runs that taught nothing are counted: the bounds hold for a rule that was fixed.
        counts = Counts(
            false=int((first[learning:] > threshold).sum()),
            n0=first.size - learning,
            true=int((second[learning:] > threshold).sum()),
            n1=second.size - learning,
        )
        return self._result(pair.name, counts)

    def _outputs(self, number: int, world: int, table: pd.DataFrame) -> list[Any]:
        """What each run on one table shows, exceptions included."""
        found = []
        for run in range(self.runs):
            rng = np.random.default_rng([self.seed, number, world, run])
            found.append(outcome(partial(self.fit_sample, table.copy(), rng)))
        return found

    def _scores(
        self,
        outputs: Sequence[Sequence[Any]],
        learning: int,
        targets: Sequence[Target],
    ) -> list[np.ndarray]:
        """For each table a score of each run; by the given statistic, or by a learned rule."""
        if self.statistic is not None:
            return [
                np.array(list(map(self.statistic, world)), dtype=np.float64) for world in outputs
            ]
        named: list[list[Features]] = []
        for world in outputs:
            named.append([features(found, targets) for found in world])
        # A feature that is first seen after the rule was learned has no weight in it.
        learned: set[str] = set()
        for world in named:
            learned.update(*world[:learning])
        names = sorted(learned)
        first, second = (_as_table(world, names) for world in named)
        weights = _rule(names, first[:learning], second[:learning])
        return [first @ weights, second @ weights]

    def _result(self, name: str, counts: Counts) -> PairResult:
        """The bounds that the counts give, at this pair's share of alpha (Bonferroni)."""
        alpha = self.alpha / len(self.pairs)
        delta = delta_of(self.claim)
        runs = min(counts.n0, counts.n1)
        epsilon = epsilon_lower(counts, delta, alpha)
        most = max_epsilon(counts.n0, counts.n1, delta, alpha)
        mu = self.claim.mu
        if mu is None:
            claimed = math.inf if self.claim.epsilon is None else self.claim.epsilon
            able = power_of_events(claimed, delta, runs, alpha)
            verdict = _verdict(epsilon > claimed, able >= ENOUGH)
            return PairResult(name, counts, None, None, epsilon, most, able, verdict)
        least = mu_lower(counts, alpha)
        able = power(2 * mu, mu, runs, alpha)
        verdict = _verdict(least > mu, able >= ENOUGH)
        return PairResult(name, counts, mu_point(counts), least, epsilon, most, able, verdict)


def _as_table(runs: Sequence[Features], names: Sequence[str]) -> np.ndarray:
    """The named numbers of each run, shape (runs, names); 0 for what a run does not show."""
    return np.array([[run.get(name, 0.0) for name in names] for run in runs])


def _verdict(refuted: bool, able: bool) -> str:
    if refuted:
        return "FAIL"
    return "PASS" if able else "INCONCLUSIVE"


def _rule(names: Sequence[str], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A direction in all features, or in the few that are about the record or the row count.

    first, second: shape (runs, features). The one is taken that tells the worlds apart better on
    runs that it did not learn from, since each feature that says nothing makes a learned direction
    worse.
    """
    chosen: np.ndarray | slice = slice(None)
    few = np.array([_is_about_the_record(name) for name in names], dtype=bool)
    if few.any() and len(first) >= _FEWEST_TO_CHOOSE:
        everything = np.ones(len(names), dtype=bool)
        chosen = max(
            (everything, few),
            key=lambda used: _separation(first[:, used], second[:, used]),
        )
    weights = np.zeros(len(names))
    weights[chosen] = _direction(first[:, chosen], second[:, chosen])
    return weights


def _is_about_the_record(feature: str) -> bool:
    """Whether a feature counts rows like the pair's record, or all rows (see `outcomes`)."""
    padded = f" {feature}"  # a mapping's features have its key before them
    return f" {NEAR}" in padded or padded.endswith(" rows")


def _separation(first: np.ndarray, second: np.ndarray) -> float:
    """How far a direction that one half of the runs taught separates the other half.

    It is the gap between the two worlds, in standard deviations of that other half.
    """
    gap = 0.0
    variance = 0.0
    for fold in range(_FOLDS):
        learn = np.arange(len(first)) % _FOLDS != fold
        weights = _direction(first[learn], second[learn])
        weights = weights / max(float(np.linalg.norm(weights)), _TINY)
        low = first[fold::_FOLDS] @ weights
        high = second[fold::_FOLDS] @ weights
        gap += float(high.mean() - low.mean())
        variance += float(low.var() + high.var())
    return gap / math.sqrt(variance + _TINY)


def _direction(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Fisher's linear discriminant: the log likelihood ratio of two Gaussians with one covariance.

    first, second: shape (runs, features). Features are standardised, and the covariance is shrunk
    towards independence the more, the fewer the runs. A feature that is constant in each world and
    differs outweighs all others.
    """
    gap = second.mean(axis=0) - first.mean(axis=0)
    centred = np.concatenate([first - first.mean(axis=0), second - second.mean(axis=0)])
    spread = centred.std(axis=0)
    # Where nothing varies but rounding, a thousandth of the gap stands for the spread: the gap is
    # then 1,000 deviations wide.
    varies = spread > 1e-9 * (1 + np.abs(gap))
    scale = np.where(varies, spread, 1e-3 * np.abs(gap))
    used = scale > 0
    weights = np.zeros(gap.size)
    if used.any():
        z = centred[:, used] / scale[used]
        covariance = z.T @ z / len(z)
        covariance[np.diag_indices_from(covariance)] = 1.0
        # Half of features / runs, and 0.02 so that equal columns have an inverse. Too much or too
        # little costs power only: the threshold is fixed before the runs that count.
        shrink = min(0.9, 0.02 + z.shape[1] / len(z) / 2)
        covariance = (1 - shrink) * covariance + shrink * np.eye(len(covariance))
        weights[used] = np.linalg.solve(covariance, gap[used] / scale[used]) / scale[used]
    return weights


def _threshold(first: np.ndarray, second: np.ndarray, claim: PrivacyClaim) -> float:
    """Halfway between the worlds for a Gaussian claim; for any other where epsilon is bounded best.

    first, second: scores of the runs for learning.
    """
    middle = float(first.mean() + second.mean()) / 2
    if claim.mu is not None:
        return middle
    values = np.unique(np.concatenate([first, second]))
    between = (values[1:] + values[:-1]) / 2
    tried = between[:: max(1, values.size // _MAX_THRESHOLDS)].tolist()

    def bound(threshold: float) -> float:
        false = int((first > threshold).sum())
        true = int((second > threshold).sum())
        counts = Counts(false, first.size, true, second.size)
        # At level 1/2 the bound is about the best guess: nothing is concluded from it.
        return epsilon_lower(counts, delta_of(claim), 0.5)

    return max([middle, *tried], key=bound)
