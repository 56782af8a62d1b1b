"""Is it more than chance? One joint permutation test over all attacks.

If a release says nothing about who was in it, its training records and its holdout are
exchangeable: every way to deal the labels "train" and "holdout" to the same records is equally
likely. No attack looks at these labels, so dealing them anew, once for all attacks together, gives
the joint distribution of their results under "nothing was learned", and with it an exact
family-wise error rate, however the attacks depend on each other (Westfall and Young 1993; step-down
max-T, Romano and Wolf 2005). The largest standardised result is compared, so that an attack which
repeats another costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from scipy import stats

_BATCH = 500
"""Deals that are in memory together: the labels of 10,000 records are 20 MB of float32."""
_NOTHING = 1e-12
"""Weights are at most about 1: what is nearer to their mean is a rounding error of the mean."""
_TIE = 1e-4
"""Of a standardised result: results that rounding may have told apart count as equal, against us.
"""


class Statistic(Protocol):
    """A result of an attack as a function of who was a member.

    Law: it sees the records and the release, no labels.
    """

    def of(self, member: np.ndarray) -> np.ndarray:
        """member: float32 zeros and ones of shape (records, deals).

        One number for each deal, up = more leaks.
        """
        ...


class Linear:
    """The sum of the members' weights, less what it is on average. weights: one for each record."""

    def __init__(self, weights: np.ndarray) -> None:
        centred = weights - np.mean(weights)
        self.weights = np.where(np.abs(centred) > _NOTHING, centred, 0).astype(np.float32)

    def of(self, member: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.weights @ member
        return found


def rank_sum(scores: np.ndarray, among: np.ndarray | None = None) -> Linear:
    """The area under the curve of a ranking, but for a constant.

    among: booleans, the records that count.
    """
    chosen = np.ones(scores.size, dtype=bool) if among is None else among
    weights = np.zeros(scores.size)
    ranks = stats.rankdata(scores[chosen])
    weights[chosen] = (ranks - ranks.mean()) / max(1, ranks.size)
    return Linear(weights)


def top_share(scores: np.ndarray, share: float) -> Linear:
    """How many of the first `share` of the records of a ranking are members.

    Ties at the end count in part.
    """
    count = max(1, round(share * scores.size))
    threshold = np.partition(scores, scores.size - count)[scores.size - count]
    above = scores > threshold
    tied = scores == threshold
    return Linear(above + tied * ((count - above.sum()) / tied.sum()))


def joint_test(
    statistics: Sequence[Statistic], member: np.ndarray, deals: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The p-value of each statistic alone, and the one adjusted for all of them together.

    member: booleans. deals: how many random deals of the labels; no p-value is below 1 / (deals +
    1).
    """
    of = _all_of(statistics)
    seen = of(member.astype(np.float32)[:, None])
    dealt = [of(_deal(member, size, rng)) for size in _batches(deals)]
    # Column 0 is what was seen. It is standardised together with the deals, being one of them when
    # nothing was learned: that keeps the test exact.
    everything = np.concatenate([seen, *dealt], axis=1)
    spread = everything.std(axis=1)
    scale = np.where(spread > 0, spread, 1.0)
    z = (everything - everything.mean(axis=1, keepdims=True)) / scale[:, None]
    z[:, 0] -= _TIE
    at_least_as_large = (z[:, 1:] >= z[:, :1]).sum(axis=1)
    alone = (1 + at_least_as_large) / (deals + 1)
    return alone, _step_down(z, deals)


def _step_down(z: np.ndarray, deals: int) -> np.ndarray:
    """Adjusted p-values, best result first.

    The best is compared with the maximum of all, the next with that of all but the best.
    """
    order = np.argsort(-z[:, 0], kind="stable")  # the best result first
    # In each deal the maximum over a result and all that are worse.
    rest = np.maximum.accumulate(z[order[::-1], 1:], axis=0)[::-1]
    adjusted = (1 + (rest >= z[order, :1]).sum(axis=1)) / (deals + 1)
    found = np.empty(len(order))
    # No result gets a smaller p-value than a better one.
    found[order] = np.maximum.accumulate(adjusted)
    return found


def _all_of(statistics: Sequence[Statistic]) -> Callable[[np.ndarray], np.ndarray]:
    """All statistics at once, shape (statistics, deals); the linear ones by one matrix product."""
    linear = [i for i, s in enumerate(statistics) if isinstance(s, Linear)]
    weights = np.stack([s.weights for s in statistics if isinstance(s, Linear)]) if linear else None

    def of(labels: np.ndarray) -> np.ndarray:
        found = np.empty((len(statistics), labels.shape[1]))
        if weights is not None:
            found[linear] = weights @ labels
        for i, statistic in enumerate(statistics):
            if not isinstance(statistic, Linear):
                found[i] = statistic.of(labels)
        return found

    return of


def _deal(member: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permuted(np.broadcast_to(member, (size, member.size)).astype(np.float32), axis=1).T


def _batches(deals: int) -> list[int]:
    return [_BATCH] * (deals // _BATCH) + ([deals % _BATCH] if deals % _BATCH else [])
