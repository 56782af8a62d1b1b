"""DPAuditor: is a claim of differential privacy refuted by what the mechanism does on neighbouring tables?

The mechanism is run many times on each table of a pair. The first runs teach a rule that tells the two worlds apart:
a linear one, which is the likelihood ratio where noise is Gaussian; its threshold is fixed then. The other runs are
counted, and the counts bound the privacy loss from below. Nothing but "refuted" is ever certain: a claim that stands
was not refuted, by these pairs, this rule and so many runs.

A claim of Gaussian DP is tested as such (`bounds.mu_lower`); any other by `bounds.epsilon_lower`, which is looser but
assumes nothing. alpha is shared among the pairs, so that a true claim is refuted with probability alpha at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from dpsynth.auditing.bounds import Counts, epsilon_lower, most_epsilon, mu_lower, mu_point, power
from dpsynth.auditing.claim import PrivacyClaim, epsilon_of_mu
from dpsynth.auditing.outcomes import Features, features, outcome
from dpsynth.auditing.pairs import Pair
from dpsynth.report import render

VERSION = 1

FitSample = Callable[[pd.DataFrame, np.random.Generator], Any]
Access = Literal["black-box", "white-box"]
Statistic = Callable[[Any], float]

_SEED = 20240607


@dataclass(frozen=True)
class PairResult:
    """counts: of the runs that were not used for learning. mu_point, mu_lower: None without a Gaussian claim.

    epsilon_lower: at the claim's delta (1e-5 where it has none), by Clopper-Pearson. most_epsilon: what it would be if
    every guess were right. power: about how likely this audit refutes a mechanism whose mu is twice the claimed one.
    """

    pair: str
    counts: Counts
    mu_point: float | None
    mu_lower: float | None
    epsilon_lower: float
    most_epsilon: float
    power: float | None
    refuted: bool


@dataclass(frozen=True, repr=False)
class DPAuditResult:
    """What the pairs showed together. alpha: the chance that a true claim is refuted."""

    claim: PrivacyClaim
    access: str
    runs: int
    alpha: float
    pairs: tuple[PairResult, ...]

    @property
    def refuted(self) -> bool:
        return any(p.refuted for p in self.pairs)

    @property
    def mu_lower(self) -> float | None:
        """The largest bound on mu; None without a Gaussian claim."""
        return max((p.mu_lower for p in self.pairs if p.mu_lower is not None), default=None)

    @property
    def epsilon_lower(self) -> float:
        """The largest bound on epsilon: of a Gaussian claim by way of mu."""
        if self.mu_lower is not None:
            return epsilon_of_mu(self.mu_lower, _delta(self.claim))
        return max(p.epsilon_lower for p in self.pairs)

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data, with the version `dpsynth_dp_audit: 1`."""
        found = {"refuted": self.refuted, "mu_lower": self.mu_lower, "epsilon_lower": self.epsilon_lower}
        return {"dpsynth_dp_audit": VERSION, **found, **asdict(self)}

    def to_frame(self) -> pd.DataFrame:
        """One row for each pair."""
        rows = [{**asdict(p.counts), **{k: v for k, v in asdict(p).items() if k != "counts"}} for p in self.pairs]
        return pd.DataFrame(rows).set_index("pair")

    def to_json(self) -> str:
        return render.to_json(self.record)

    def summary(self) -> str:
        """A few lines for a terminal."""
        verdict = "REFUTED" if self.refuted else "not refuted"
        delta = _delta(self.claim)
        lines = [
            f"claim {verdict}: {_words(self.claim)}; {self.access}, {self.runs} runs on each table of a pair,"
            f" alpha {self.alpha:g}",
            f"  epsilon is at least {self.epsilon_lower:.3g} at delta {delta:g}",
        ]
        for p in self.pairs:
            found = f"epsilon at least {p.epsilon_lower:.3g}, of {p.most_epsilon:.3g} that could be shown"
            if p.mu_lower is not None and p.power is not None:
                found = (
                    f"mu about {p.mu_point:.3g}, at least {p.mu_lower:.3g}; twice the mu is found with {p.power:.0%}"
                )
            lines.append(f"  {'REFUTED ' if p.refuted else ''}{p.pair}: {found}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()


class DPAuditor:
    """fit_sample: takes a table and a generator for whatever is not privacy noise, and returns what the mechanism
    shows: a DataFrame (black-box), or noisy measurements as arrays or a mapping of them (white-box).

    claim: what is to be refuted. pairs: of neighbouring tables (`pairs.worst_case_pairs`). statistic: from an output to
    a number that is higher for the second table, when the likelihood ratio is known; by default a rule is learned from
    the first `train_share` of the runs.
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
        alpha: float = 0.05,
        train_share: float = 0.2,
        seed: int | None = None,
    ) -> None:
        if access not in ("black-box", "white-box"):
            raise ValueError(f'access must be "black-box" or "white-box", got {access!r}')
        if not pairs or not 0 < alpha < 1 or not 0 < train_share < 1 or runs * min(train_share, 1 - train_share) < 2:
            raise ValueError("an audit needs a pair, alpha and train_share between 0 and 1, and runs for both parts")
        self.fit_sample, self.claim, self.pairs, self.access = fit_sample, claim, tuple(pairs), access
        self.runs, self.statistic, self.alpha, self.train_share = runs, statistic, alpha, train_share
        self.seed = _SEED if seed is None else seed

    def run(self) -> DPAuditResult:
        """Runs the mechanism 2 * runs * pairs times."""
        found = [self._audit(i, pair) for i, pair in enumerate(self.pairs)]
        return DPAuditResult(self.claim, self.access, self.runs, self.alpha, tuple(found))

    def _audit(self, number: int, pair: Pair) -> PairResult:
        outputs = [self._outputs(number, world, table) for world, table in enumerate((pair.first, pair.second))]
        learning = max(2, round(self.train_share * self.runs))
        scores = self._scores(outputs, learning)
        threshold = _threshold(scores[0][:learning], scores[1][:learning], self.claim)
        first, second = (s[learning:] > threshold for s in scores)
        return self._result(pair.name, Counts(int(first.sum()), first.size, int(second.sum()), second.size))

    def _outputs(self, number: int, world: int, table: pd.DataFrame) -> list[Any]:
        streams = [np.random.default_rng([self.seed, number, world, run]) for run in range(self.runs)]
        return [outcome(lambda rng=rng: self.fit_sample(table.copy(), rng)) for rng in streams]  # type: ignore[misc]

    def _scores(self, outputs: Sequence[Sequence[Any]], learning: int) -> list[np.ndarray]:
        if self.statistic is not None:
            return [np.array([self.statistic(found) for found in world], dtype=np.float64) for world in outputs]
        named: list[list[Features]] = [[features(found) for found in world] for world in outputs]
        names = sorted({name for world in named for one in world[:learning] for name in one})
        tables = [np.array([[one.get(name, 0.0) for name in names] for one in world]) for world in named]
        weights = _direction(*(t[:learning] for t in tables))
        return [t @ weights for t in tables]

    def _result(self, name: str, counts: Counts) -> PairResult:
        alpha, delta, mu = self.alpha / len(self.pairs), _delta(self.claim), self.claim.mu
        epsilon = epsilon_lower(counts, delta, alpha)
        most = most_epsilon(counts.n0, counts.n1, delta, alpha)
        if mu is None:
            refuted = self.claim.epsilon is not None and epsilon > self.claim.epsilon
            return PairResult(name, counts, None, None, epsilon, most, None, refuted)
        least = mu_lower(counts, alpha)
        found = power(2 * mu, mu, min(counts.n0, counts.n1), alpha)
        return PairResult(name, counts, mu_point(counts), least, epsilon, most, found, least > mu)


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
        return epsilon_lower(Counts(false, first.size, true, second.size), _delta(claim), 0.5)

    return max(steps, key=bound)


def _delta(claim: PrivacyClaim) -> float:
    return 1e-5 if claim.delta is None else claim.delta


def _words(claim: PrivacyClaim) -> str:
    said = [] if claim.epsilon is None else [f"epsilon {claim.epsilon:g} at delta {claim.delta:g}"]
    said += [] if claim.mu is None else [f"mu {claim.mu:.4g}"]
    return ", ".join(said)
