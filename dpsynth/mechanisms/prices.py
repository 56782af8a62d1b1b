"""Prices: what noise a cost buys for counts, and which pairs of columns are counted at all. Public
arithmetic.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dpsynth.accounting import currencies
from dpsynth.base.cover import JOINT_CELLS
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


MOST_PAIRS = 30_000
"""So many are all scored: those of 245 columns. Of more a first look chooses."""

CELLS_AT_ONCE = 1 << 25
"""Of the joint tables in which the pairs of a wide table are counted: 256 megabytes."""


def informative_pairs(domain: Domain) -> list[Clique]:
    """Pairs of columns of two cells or more, which have MAX_PAIR_CELLS together at most."""
    several = [(a, n) for a, n in domain.sizes if n > 1]
    pairs = itertools.combinations(several, 2)
    return [(a, b) for (a, n), (b, m) in pairs if n * m <= MAX_PAIR_CELLS]


def cells_of_pairs(domain: Domain) -> np.ndarray:
    """How many cells each informative pair has, in no order."""
    sizes = np.array([n for _, n in domain.sizes if n > 1], dtype=np.int64)
    cells = [n * sizes[i + 1 :] for i, n in enumerate(sizes)]
    found = np.concatenate([np.zeros(0, dtype=np.int64), *cells])
    return found[found <= MAX_PAIR_CELLS]


def is_wide(domain: Domain) -> bool:
    """Whether a table of this domain has too many pairs to score all of them."""
    columns = len(domain.attributes)
    return columns * (columns - 1) // 2 > MOST_PAIRS and cells_of_pairs(domain).size > MOST_PAIRS


def in_parts(domain: Domain, pairs: Sequence[Clique]) -> Iterator[list[Clique]]:
    """Pairs in parts, each of which is counted in CELLS_AT_ONCE or a little more."""
    part: list[Clique] = []
    held = 0.0
    for pair in pairs:
        part.append(pair)
        held += cells_to_count(domain.cells(pair))
        if held >= CELLS_AT_ONCE:
            yield part
            part, held = [], 0.0
    if part:
        yield part


@lru_cache
def cells_to_count(cells: int) -> float:
    """About how many cells of a joint table a pair of so many takes to be counted: see `cover`."""
    of_each = math.sqrt(max(cells, 2))
    columns = max(2, int(math.log(JOINT_CELLS) / math.log(of_each) + 1e-9))
    return float(max(cells, of_each**columns / math.comb(columns, 2)))
