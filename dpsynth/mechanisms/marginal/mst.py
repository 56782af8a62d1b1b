"""MST: measure the pairs of a maximum spanning tree (McKenna, Miklau, Sheldon, arXiv 2108.04978), all-Gaussian.

Differences from the paper: pairs are scored all at once under Gaussian noise instead of one by one by the exponential
mechanism, so that the whole run is one Gaussian filter; columns are binned to what the noise lets be seen; a pair is
bought only while it is expected to remove more error than its own noise adds; and the budget is shared among the
pairs bought in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.table import PrivateTable
from dpsynth.mechanisms.base import check_shares, first_look, measure_all
from dpsynth.mechanisms.marginal.binned import Binned
from dpsynth.mechanisms.marginal.independent import rest_on_columns
from dpsynth.mechanisms.marginal.selection import Prices, choose_tree, distances
from dpsynth.models.base import Model
from dpsynth.models.engines import estimate_exactly


@dataclass(frozen=True)
class MST:
    """Settings: the parts of the budget that go to the row count, to the one-way marginals, and to the choice of
    pairs. What is left measures the pairs.
    """

    total_share: float = 0.01
    oneway_share: float = 0.25
    select_share: float = 0.05

    def __post_init__(self) -> None:
        check_shares(total=self.total_share, oneway=self.oneway_share, select=self.select_share)

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A tree of pairs over bins, refined to cells; independent columns where no pair is worth its noise."""
        budget = accountant.cost_left
        look = first_look(
            table, accountant, total_cost=int(budget * self.total_share), oneway_cost=int(budget * self.oneway_share)
        )
        select_cost = int(budget * self.select_share)
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
