"""Weights: how much each pair of columns matters. Public settings, and charged answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.mechanisms.marginal.workload import Workload

MIN_WEIGHT = 1e-6
"""Of the largest: a pair bought for less would have a share of the budget that buys no noise."""

_RARE = 0.2
"""A level is rare that has fewer rows than this part of an even share, times 2 / k^2 in a column
of k levels: of two levels, a tenth of a half. One of many rare levels is no class that anybody asks
for. At 0.05 a rare class among five columns keeps .54 instead of .82 of what sets it apart, and
tables without one are 1 to 3 % nearer on triples at epsilon 10.
"""

_SEEN = 4.0
"""Standard deviations of its noise that a level must have in rows, to count as rare. Without it a
level that nobody has, such as the undeclared cell, is the rarest of all: 22 near-binary columns
were 30 % farther on triples at epsilon 1.
"""


def pair_weights(
    workload: Workload, domain: Domain, pairs: Collection[Clique]
) -> dict[Clique, float]:
    """How much each pair matters to the workload, 1 on average; 0 throughout where none does.

    A weight above 0 is MIN_WEIGHT of the largest or more, so that every pair bought has a share
    of the budget.
    """
    importance = workload.importance(domain)
    weights = {(a, b): max(importance[a] + importance[b], 0.0) for a, b in pairs}
    least = MIN_WEIGHT * max(weights.values(), default=0.0)
    weights = {c: max(w, least) if w > 0 else 0.0 for c, w in weights.items()}
    mean = sum(weights.values()) / max(len(weights), 1)
    return {c: w / mean if mean > 0 else 0.0 for c, w in weights.items()}


def rarity(
    masses: Mapping[str, np.ndarray], noise: Mapping[str, np.ndarray], target: str | None
) -> dict[str, np.ndarray]:
    """What a row of each level of each column counts: 1, or more in a rare level.

    Measured by rows alone, what 500 frauds do is nothing beside the noise of a thousand common
    cells. So a row of a level that is rare by _RARE counts for more, as if the level had as many
    rows as that; and every level of the target counts alike, however many rows it has: what is
    wanted is the distribution of the other columns *given* the target. A level that may be
    nothing but noise counts 1.

    masses, noise: estimated counts of each column's bins, and the standard deviations of their
    measurements. target: the workload's.
    """
    return {
        a: _counts(mass, noise[a], 1.0 if a == target else 2 * _RARE / mass.size**2)
        for a, mass in masses.items()
    }


def _counts(mass: np.ndarray, noise: np.ndarray, rare: float) -> np.ndarray:
    counts = np.maximum(1.0, rare * mass.mean() / np.maximum(mass, 1.0))
    return np.where(mass > _SEEN * noise, counts, 1.0)


def with_rare_levels(
    weights: Mapping[Clique, float], rare: Mapping[str, np.ndarray]
) -> dict[Clique, float]:
    """The weights of pairs, each times what its cells count on average: as the rarer of their two
    levels does.
    """
    return {
        (a, b): w * float(np.maximum.outer(rare[a], rare[b]).mean())
        for (a, b), w in weights.items()
    }
