"""Prices: what noise a cost buys for counts, and which pairs of columns are counted at all. Public
arithmetic.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from dpsynth.accounting import currencies
from dpsynth.base.domain import Clique, Domain

MEAN_ABS = math.sqrt(2 / math.pi)
"""The mean of |N(0, 1)|."""

MOST_PAIR_CELLS = 1_000_000
"""Larger pairs are not counted: they would take memory without end, and no budget makes so many
cells worth it.
"""


@dataclass(frozen=True)
class Prices:
    """What noise a budget of `cost` buys for counts of this sensitivity."""

    cost: int
    sensitivity: float

    def stddev(self, cost: int) -> float:
        """Standard deviation of a cell measured for this cost."""
        return self.sensitivity / currencies.mu_of(cost) if cost > 0 else math.inf

    def even_stddev(self, parts: int) -> float:
        """Standard deviation of a cell when the budget is shared evenly."""
        return self.stddev(self.cost // max(parts, 1))

    def shared(self, cells: Mapping[Clique, float]) -> dict[Clique, int]:
        """Shares that minimise the sum of the L1 noise,  sum_i cells_i / sqrt(share_i):  share_i ~
        cells_i^(2/3).
        """
        if not cells:
            return {}
        weights = {c: k ** (2 / 3) for c, k in cells.items()}
        unit = self.cost / sum(weights.values())
        return {c: int(w * unit) for c, w in weights.items()}

    def noise(self, effort: float) -> float:
        """The sum of the L1 noise under these shares; `effort` is the sum of cells_i^(2/3)."""
        return MEAN_ABS * effort**1.5 * self.stddev(self.cost)


def informative_pairs(domain: Domain) -> list[Clique]:
    """Pairs of columns of which neither is a single cell, and which have MOST_PAIR_CELLS together
    at most.
    """
    pairs = itertools.combinations(domain.attributes, 2)
    return [c for c in pairs if min(domain.shape(c)) > 1 and domain.cells(c) <= MOST_PAIR_CELLS]
