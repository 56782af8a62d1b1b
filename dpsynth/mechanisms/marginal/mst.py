"""MST: measure the pairs of a maximum spanning tree (McKenna, Miklau, Sheldon, arXiv 2108.04978),
all-Gaussian.

Differences from the paper: pairs are scored all at once under Gaussian noise instead of one by one
by the exponential mechanism, so that the whole run is one Gaussian filter; columns are binned to
what the noise lets be seen; a pair is bought only while it is expected to remove more error than
its own noise adds; and the budget is shared among the pairs bought in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dpsynth.base.domain import Domain
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Event
from dpsynth.kernel.table import PrivateTable
from dpsynth.mechanisms.allocation import (
    SCORES,
    Allocation,
    Footprint,
    again_part,
    first_parts,
    footprint,
    most_in_a_tree,
    pairs_part,
    scores_part,
)
from dpsynth.mechanisms.base import Mechanism, allocated_look, check_shares, measure_all
from dpsynth.mechanisms.marginal.binned import Binned
from dpsynth.mechanisms.marginal.independent import rest_on_columns
from dpsynth.mechanisms.marginal.selection import choose_tree, distances
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.base import Model
from dpsynth.models.engines import estimate_exactly

_SLOWEST = 20.0
"""Seconds of our slowest table."""


@dataclass(frozen=True)
class MST(Mechanism):
    """Settings: the parts of the budget that go to the row count, to the one-way marginals, and to
    the choice of pairs. What is left measures the pairs.
    """

    total_share: float = 0.01
    oneway_share: float = 0.25
    select_share: float = 0.05

    def __post_init__(self) -> None:
        check_shares(total=self.total_share, oneway=self.oneway_share, select=self.select_share)

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        total, oneway, select = (
            int(cost * s) for s in (self.total_share, self.oneway_share, self.select_share)
        )
        rest = cost - total - oneway - select
        most = most_in_a_tree(domain)
        return Allocation(
            (
                *first_parts(domain, total=total, oneway=oneway),
                scores_part(domain, select, (0, min(1, most))),
                pairs_part(rest, (0, most)),
                again_part(domain, rest, (0, 1)),
            )
        )

    def footprint(self, domain: Domain, rows: int) -> Footprint:
        return footprint(domain, rows, pairs=True, slowest=_SLOWEST)

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A tree of pairs over bins, refined to cells; independent columns where no pair is worth
        its noise.
        """
        allocation = self.allocation(accountant.cost_left, table.domain)
        look = allocated_look(table, accountant, allocation)
        select_cost = allocation.cost(SCORES)
        prices = Prices(accountant.cost_left - select_cost, table.unit.count_sensitivity(2)[1])

        # SELECT
        binned = Binned.of(table, look, prices)
        scores = distances(binned.answers, binned.independent(), accountant, select_cost)
        gains = scores.gains() if scores.tell_apart() else {}
        cells = {c: float(binned.domain.cells(c)) for c in gains}
        tree = choose_tree(gains, cells, prices, columns=len(table.domain.attributes))
        if not tree:
            return rest_on_columns(table, accountant, look)

        # MEASURE
        costs = prices.shared({c: cells[c] for c in tree})
        costs[tree[-1]] = accountant.cost_left - sum(costs[c] for c in tree[:-1])
        measurements = [*binned.oneways(look), *measure_all(accountant, binned.answers, costs)]

        # GENERATE
        return binned.refined(estimate_exactly(binned.domain, measurements, total=look.rows), look)
