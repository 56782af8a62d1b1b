"""DPAuditor: is a claim of differential privacy refuted by what the mechanism does on neighbouring tables?

The mechanism is run many times on each table of a pair. The first runs teach a rule that tells the two worlds apart:
a linear one, which is the likelihood ratio where noise is Gaussian; its threshold is fixed then. The other runs are
counted, and the counts bound the privacy loss from below. Nothing but "refuted" is ever certain: a claim that stands
was not refuted, by these pairs, this rule and so many runs.

A claim of Gaussian DP is tested as such (`bounds.mu_lower`); any other by `bounds.epsilon_lower`, which is looser but
assumes nothing. alpha is shared among the pairs, so that a true claim is refuted with probability alpha at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.outcomes import NEAR, Features, features, outcome
from dpsynth.auditing.mechanism.pairs import Pair
from dpsynth.auditing.mechanism.queries import Target
from dpsynth.auditing.mechanism.refutation import ENOUGH, DPAuditResult, PairResult, delta_of
from dpsynth.auditing.statistics.bounds import (
    Counts,
    epsilon_lower,
    most_epsilon,
    mu_lower,
    mu_point,
    power,
    power_of_events,
)

FitSample = Callable[[pd.DataFrame, np.random.Generator], Any]
Access = Literal["black-box", "white-box"]
Statistic = Callable[[Any], float]

_SEED = 20240607
_FOLDS = 2


class DPAuditor:
    """fit_sample: takes a table and a generator for whatever is not privacy noise, and returns what the mechanism
    shows: a DataFrame (black-box), or noisy measurements as arrays or a mapping of them (white-box).

    claim: what is to be refuted. pairs: of neighbouring tables (`pairs.worst_case_pairs`). statistic: from an output to
    a number that is higher for the second table, when the likelihood ratio is known; by default a rule is learned from
    the first `train_share` of the runs. threshold: of the statistic, when it is known too, as 0 is for the logarithm of
    a likelihood ratio; then nothing is learned, and all runs are counted.
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
        if not pairs or not 0 < alpha < 1 or not 0 < train_share < 1 or runs * min(train_share, 1 - train_share) < 2:
            raise ValueError("an audit needs a pair, alpha and train_share between 0 and 1, and runs for both parts")
        self.fit_sample, self.claim, self.pairs, self.access = fit_sample, claim, tuple(pairs), access
        if threshold is not None and statistic is None:
            raise ValueError("a threshold is of a statistic: give both, or let both be learned")
        self.runs, self.statistic, self.threshold = runs, statistic, threshold
        self.alpha, self.train_share = alpha, train_share
        self.seed = _SEED if seed is None else seed

    def run(self) -> DPAuditResult:
        """Runs the mechanism 2 * runs * pairs times."""
        found = [self._audit(i, pair) for i, pair in enumerate(self.pairs)]
        return DPAuditResult(self.claim, self.access, self.runs, self.alpha, tuple(found))

    def _audit(self, number: int, pair: Pair) -> PairResult:
        outputs = [self._outputs(number, world, table) for world, table in enumerate((pair.first, pair.second))]
        learning = 0 if self.threshold is not None else max(2, round(self.train_share * self.runs))
        scores = self._scores(outputs, learning, pair.targets)
        threshold = self.threshold
        if threshold is None:
            threshold = _threshold(scores[0][:learning], scores[1][:learning], self.claim)
        first, second = (s[learning:] > threshold for s in scores)
        return self._result(pair.name, Counts(int(first.sum()), first.size, int(second.sum()), second.size))

    def _outputs(self, number: int, world: int, table: pd.DataFrame) -> list[Any]:
        streams = [np.random.default_rng([self.seed, number, world, run]) for run in range(self.runs)]
        return [outcome(lambda rng=rng: self.fit_sample(table.copy(), rng)) for rng in streams]  # type: ignore[misc]

    def _scores(self, outputs: Sequence[Sequence[Any]], learning: int, targets: Sequence[Target]) -> list[np.ndarray]:
        if self.statistic is not None:
            return [np.array([self.statistic(found) for found in world], dtype=np.float64) for world in outputs]
        named: list[list[Features]] = [[features(found, targets) for found in world] for world in outputs]
        names = sorted({name for world in named for one in world[:learning] for name in one})
        tables = [np.array([[one.get(name, 0.0) for name in names] for one in world]) for world in named]
        weights = _rule(names, *(t[:learning] for t in tables))
        return [t @ weights for t in tables]

    def _result(self, name: str, counts: Counts) -> PairResult:
        alpha, delta, mu = self.alpha / len(self.pairs), delta_of(self.claim), self.claim.mu
        epsilon, runs = epsilon_lower(counts, delta, alpha), min(counts.n0, counts.n1)
        most = most_epsilon(counts.n0, counts.n1, delta, alpha)
        if mu is None:
            claimed = math.inf if self.claim.epsilon is None else self.claim.epsilon
            found = power_of_events(claimed, delta, runs, alpha)
            verdict = _verdict(epsilon > claimed, found >= ENOUGH)
            return PairResult(name, counts, None, None, epsilon, most, found, verdict)
        least, found = mu_lower(counts, alpha), power(2 * mu, mu, runs, alpha)
        verdict = _verdict(least > mu, found >= ENOUGH)
        return PairResult(name, counts, mu_point(counts), least, epsilon, most, found, verdict)


def _verdict(refuted: bool, able: bool) -> str:
    return "FAIL" if refuted else "PASS" if able else "INCONCLUSIVE"


def _rule(names: Sequence[str], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A direction in all features, or in those only that are about the record in question, or about the row count.

    first, second: shape (runs, features). The one is taken that tells the worlds apart better on runs that it did not
    learn from, since each feature that says nothing makes a learned direction worse.
    """
    few = np.array([f" {NEAR}" in f" {name}" or f" {name}".endswith(" rows") for name in names], dtype=bool)
    choices = [np.ones(len(names), dtype=bool), few] if few.any() and len(first) >= _FOLDS * 4 else []
    chosen = max(choices, key=lambda used: _separation(first[:, used], second[:, used]), default=slice(None))
    weights = np.zeros(len(names))
    weights[chosen] = _direction(first[:, chosen], second[:, chosen])
    return weights


def _separation(first: np.ndarray, second: np.ndarray) -> float:
    """The gap between the worlds along a direction learned from one half of the runs, in deviations of the other."""
    gap = variance = 0.0
    for fold in range(_FOLDS):
        (kept, held), (other, out) = ((w[np.arange(len(w)) % _FOLDS != fold], w[fold::_FOLDS]) for w in (first, second))
        weights = _direction(kept, other)
        weights = weights / max(float(np.linalg.norm(weights)), 1e-300)
        low, high = held @ weights, out @ weights
        gap, variance = gap + float(high.mean() - low.mean()), variance + float(low.var() + high.var())
    return gap / math.sqrt(variance + 1e-300)


def _direction(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Fisher's linear discriminant: the log likelihood ratio of two Gaussians with one covariance.

    first, second: shape (runs, features). Features are standardised, and the covariance is shrunk towards independence
    the more, the fewer the runs. A feature that is constant in each world and differs outweighs all others.
    """
    gap = second.mean(axis=0) - first.mean(axis=0)
    centred = np.concatenate([first - first.mean(axis=0), second - second.mean(axis=0)])
    spread = centred.std(axis=0)
    scale = np.where(spread > 1e-9 * (1 + np.abs(gap)), spread, 1e-3 * np.abs(gap))
    used = scale > 0
    weights = np.zeros(gap.size)
    if used.any():
        z = centred[:, used] / scale[used]
        covariance = z.T @ z / len(z)
        covariance[np.diag_indices_from(covariance)] = 1.0
        shrink = min(0.9, 0.02 + z.shape[1] / len(z) / 2)
        covariance = (1 - shrink) * covariance + shrink * np.eye(len(covariance))
        weights[used] = np.linalg.solve(covariance, gap[used] / scale[used]) / scale[used]
    return weights


def _threshold(first: np.ndarray, second: np.ndarray, claim: PrivacyClaim) -> float:
    """Halfway between the worlds for a Gaussian claim; else where the runs for learning bound epsilon best."""
    middle = float(first.mean() + second.mean()) / 2
    if claim.mu is not None:
        return middle
    values = np.unique(np.concatenate([first, second]))
    steps = [middle, *((values[1:] + values[:-1]) / 2)[:: max(1, values.size // 200)].tolist()]

    def bound(threshold: float) -> float:
        false, true = int((first > threshold).sum()), int((second > threshold).sum())
        return epsilon_lower(Counts(false, first.size, true, second.size), delta_of(claim), 0.5)

    return max(steps, key=bound)
