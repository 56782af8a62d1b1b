"""How many records decide a finding, from their numbers and before its outcome is known.

A finding passes when its whole interval lies within the limit. Where a release gives nothing away,
the chance of that follows from the numbers of training and holdout records alone. They decide the
finding when it is 99 % or more: a report has dozens of findings, and all must pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import stats
from scipy.special import ndtri

from dpsynth.auditing.release.audit_policy import AuditPolicy
from dpsynth.auditing.release.trial import FPR
from dpsynth.auditing.statistics.intervals import (
    clopper_pearson,
    lenient_count,
    rate_difference,
    wilson,
)

POWER = 0.99
"""The chance of passing from which so many records are said to decide a finding."""
MAX_NEEDED = 10_000_000
"""Records of each kind: a finding so near to its limit that more are needed is never decided."""
_SIDE = float(ndtri(0.975))
"""Standard errors from an estimate to an end of its interval."""
_LUCK = float(ndtri(POWER))
"""Standard errors that an estimate stays below, in 99 % of releases."""
WIDER = 1 + _LUCK / _SIDE
"""From half an interval to what its end stays below, in 99 % of releases."""


def area_decided(train: float, holdout: float, limit: float) -> bool:
    """Whether so many records decide an area under the curve (Mann and Whitney's variance)."""
    spread = math.sqrt((train + holdout + 1) / (12 * train * holdout))
    return 0.5 + (_SIDE + _LUCK) * spread <= limit


def beginning_decided(train: int, holdout: int, limit: float) -> bool:
    """Whether so many records decide the true positives at 1 % false ones.

    Where nothing is given away, the number of members above the k-th highest non-member is
    Beta-binomial, whatever the attack; here by its normal approximation.
    """
    tail = 0.0125  # of each side: see `intervals.rate_at`
    k = lenient_count(holdout, FPR, tail)
    if k is None or holdout < 3 / FPR:
        return False
    spread = stats.betabinom.std(train, k, holdout - k + 1)
    hits = min(train, train * k / (holdout + 1) + _LUCK * spread)
    return clopper_pearson(hits, train, 1 - 2 * tail).high <= limit


def gap_decided(trials: float, rate: float, limit: float) -> bool:
    """Whether so many trials on training records, and on the holdout, decide a difference of rates.

    rate: of both, where nothing is given away.
    """
    found = wilson(rate * trials, trials)
    return WIDER * rate_difference(found, found).high <= limit


def fewest(decided: Callable[[int], bool]) -> int | None:
    """The smallest number that decides, to a percent; None where not even ten million do.

    decided: once it is true, it is for all larger numbers, or nearly.
    """
    high = 1
    while not decided(high):
        high *= 2
        if high > MAX_NEEDED:
            return None
    low = high // 2
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high


def each(train: float, holdout: float) -> float:
    """The number of each kind that makes an interval as wide as these two numbers do."""
    return 2 / (1 / train + 1 / holdout)


def holdout_beside(train: int, needed: int) -> int | None:
    """The holdout that, beside so many training records, is worth `needed` of each kind."""
    rest = 2 / needed - 1 / train
    return math.ceil(1 / rest) if rest > 0 and 1 / rest <= MAX_NEEDED else None


SHARES = {0.1: "tenth", 0.2: "fifth", 1 / 3: "third", 0.5: "half"}
"""Of the records, and their names."""


@dataclass(frozen=True)
class Parts:
    """Which parts of the attacks stand alone, as so many records decide them.

    isolated: the share of the records that is looked at as the most isolated; None: no share.
    fewest_rules: of fewer than this all rules of singling out are taken together.
    """

    isolated: float | None
    fewest_rules: int

    @classmethod
    def of(cls, train: int, holdout: int, policy: AuditPolicy) -> Parts:
        """What so many records decide, before anything is known of them.

        Where they do not decide an attack on all records, the report cannot pass, and no part need
        be larger: a tenth, and few rules, show most.
        """
        area = area_decided(train, holdout, policy.auc)
        if not (area and beginning_decided(train, holdout, policy.tpr)):
            return cls(min(SHARES), 0)
        decided = [s for s in SHARES if area_decided(s * train, s * holdout, policy.auc)]
        rules = fewest(lambda n: gap_decided(n, 0.5, policy.singling_out))
        return cls(min(decided, default=None), MAX_NEEDED if rules is None else rules)
