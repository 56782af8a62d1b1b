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

MAX_PAIR_CELLS = 1_000_000
"""Larger pairs are not counted: they would take memory without end, and no budget makes so many
cells worth it.
"""


@dataclass(frozen=True)
class Prices:
    """What noise a budget buys for counts.

    Parameters
    ----------
    cost : int
        The budget, in units of `gaussian_dp.COST_UNIT`.
    sensitivity : float
        How far one unit moves the counts of a marginal, as an L2 norm.

    Examples
    --------
    >>> prices = Prices(cost=1_000_000, sensitivity=1.0)
    >>> shares = prices.shared({("a", "b"): 8.0, ("b", "c"): 1.0})
    >>> [round(share / prices.cost, 3) for share in shares.values()]
    [0.8, 0.2]
    >>> prices.even_stddev(4) / prices.stddev(prices.cost)
    2.0
    """

    cost: int
    sensitivity: float

    def stddev(self, cost: int) -> float:
        """Standard deviation of a cell measured for this cost."""
        return self.sensitivity / currencies.mu_of(cost) if cost > 0 else math.inf

    def even_stddev(self, parts: int) -> float:
        """Standard deviation of a cell when the budget is shared evenly."""
        return self.stddev(self.cost // max(parts, 1))

    def shared(self, cells: Mapping[Clique, float]) -> dict[Clique, int]:
        """Shares that minimise the sum of the L1 noise of all marginals.

        The sum is over i of cells_i / sqrt(share_i), up to a factor; by Lagrange's condition
        share_i goes as cells_i^(2/3).
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
    """Pairs of columns of two cells or more, which have MAX_PAIR_CELLS together at most."""
    pairs = itertools.combinations(domain.attributes, 2)
    return [c for c in pairs if min(domain.shape(c)) > 1 and domain.cells(c) <= MAX_PAIR_CELLS]
