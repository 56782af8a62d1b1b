"""Trial: what one attack achieved, as a statistic for the joint test and as an estimate for people.

| trial      | of an attack that             | estimate                                           |
|------------|-------------------------------|----------------------------------------------------|
| ranking    | scores every record           | pairs told apart; training records named           |
| hits       | is right or wrong on a record | rate on training records less rate on the holdout  |
| predicates | points at records by a rule   | rules that isolate a training record, less holdout |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from dpsynth.auditing.statistics.intervals import (
    Estimate,
    area_under_curve,
    rate_at,
    rate_difference,
    relative_risk,
    wilson,
)
from dpsynth.auditing.statistics.permutation import Linear, Statistic, rank_sum, top_share

FPR = 0.01
_DECIMALS = 9
"""Scores are rounded, so that equal records have equal scores."""

MIN_KIND = 10
"""Records that there must be of either kind to measure a rate or an area: fewer have none."""

MIN_GROUP = 60
"""Records, of both kinds together, that a subgroup must have to be looked at."""


@dataclass(frozen=True)
class Measured:
    """What an attack achieved.

    estimate: of the effect. details: further numbers for the report, by name, in percent where they
    are rates.
    """

    estimate: Estimate
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Trial:
    """One attack and what is measured of it.

    threat: "membership", "attribute", "singling out", "linkability" or "near-copies". measure: what
    is estimated: "auc", "tpr" or "gap". measured: gives the estimate, from the labels. share: the
    part of all records that it is about. widest: the largest part that it may be about.
    may_pass: else it counts only if it fails: it has too few records or rules to rule out a leak,
    and enough to find one that a wider attack would thin out.
    """

    threat: str
    attack: str
    measure: str
    statistic: Statistic
    measured: Callable[[np.ndarray], Measured]
    share: float = 1.0
    widest: float = 1.0
    may_pass: bool = True


NO_GAP = Estimate(math.nan, -1.0, 1.0)
"""A difference of rates of which nothing is known."""


def too_few(member: np.ndarray) -> bool:
    """Whether there are too few training or too few holdout records to measure anything."""
    return min(int(member.sum()), int((~member).sum())) < MIN_KIND


def ranking(
    threat: str,
    attack: str,
    scores: np.ndarray,
    among: np.ndarray | None = None,
) -> list[Trial]:
    """A trial of the area under the curve, and one of the beginning of the curve.

    among: booleans, the records of a subgroup.
    """
    scores = np.round(scores, _DECIMALS)
    chosen = np.ones(scores.size, dtype=bool) if among is None else among

    def area(member: np.ndarray) -> Measured:
        if too_few(member[chosen]):
            return Measured(Estimate(math.nan, 0.0, 1.0), _sizes(member[chosen]))
        return Measured(area_under_curve(scores[chosen], member[chosen]), _sizes(member[chosen]))

    def beginning(member: np.ndarray) -> Measured:
        found = rate_at(scores, member, FPR)
        if found is None:
            return Measured(Estimate(math.nan, 0.0, 1.0), _sizes(member))
        return Measured(found[0], {"false-positive rate": found[1].value, **_sizes(member)})

    statistic = rank_sum(scores, among)
    share = float(chosen.mean())
    trials = [Trial(threat, attack, "auc", statistic, area, share, share)]
    if among is None:
        trials.append(Trial(threat, attack, "tpr", top_share(scores, FPR), beginning))
    return trials


def hits(threat: str, attack: str, right: np.ndarray) -> Trial:
    """A trial of guesses that are right or wrong.

    right: for each record 1 where the attack was right, 0 where wrong, or the chance that its guess
    was right.
    """
    weights = np.asarray(right, dtype=np.float64)

    def gap(member: np.ndarray) -> Measured:
        inside = wilson(float(weights[member].sum()), int(member.sum()))
        outside = wilson(float(weights[~member].sum()), int((~member).sum()))
        return _against_control(inside, outside, member)

    return Trial(threat, attack, "gap", Linear(weights - weights.mean()), gap)


def predicates(
    threat: str,
    attack: str,
    matches: sparse.csr_array,
    rng: np.random.Generator,
) -> Trial:
    """matches: (rules, records), 1 where a record meets a rule.

    A rule succeeds when one record alone meets it.
    """

    def gap(member: np.ndarray) -> Measured:
        """Counted among equally many records of both kinds: fewer records are easier to isolate."""
        few = int(min(member.sum(), (~member).sum()))
        inside = _alone(matches, rng.permutation(np.flatnonzero(member))[:few])
        outside = _alone(matches, rng.permutation(np.flatnonzero(~member))[:few])
        rules = matches.shape[0]
        found = _against_control(wilson(inside, rules), wilson(outside, rules), member)
        return Measured(found.estimate, {**found.details, "rules": rules})

    return Trial(threat, attack, "gap", _Isolated(matches), gap)


class _Isolated:
    """Rules that isolate a member, less those that isolate another record."""

    def __init__(self, matches: sparse.csr_array) -> None:
        self._matches = matches.astype(np.float32)
        self._met = np.asarray(self._matches.sum(axis=1)).reshape(-1, 1)

    def of(self, member: np.ndarray) -> np.ndarray:
        inside = self._matches @ member
        outside = self._met - inside
        found: np.ndarray = (inside == 1).sum(axis=0, dtype=np.float64)
        found -= (outside == 1).sum(axis=0)
        return found


def _alone(matches: sparse.csr_array, records: np.ndarray) -> int:
    return int((np.asarray(matches[:, records].sum(axis=1)) == 1).sum())


def _against_control(inside: Estimate, outside: Estimate, member: np.ndarray) -> Measured:
    if too_few(member):
        return Measured(NO_GAP, _sizes(member))
    risk = relative_risk(inside, outside)
    details = {
        "rate on training records": inside.value,
        "rate on the holdout": outside.value,
        # Unbounded below where nearly all could be learned without the release: cut at -1.
        "relative risk": min(max(risk.value, -1.0), 1.0),
        "relative risk, low": min(max(risk.low, -1.0), 1.0),
        "relative risk, high": min(max(risk.high, -1.0), 1.0),
    }
    return Measured(rate_difference(inside, outside), {**details, **_sizes(member)})


def _sizes(member: np.ndarray) -> dict[str, float]:
    return {"training records": int(member.sum()), "holdout records": int((~member).sum())}
