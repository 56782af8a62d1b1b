"""MST: measure the pairs of a maximum spanning tree, all-Gaussian.

After McKenna, Miklau and Sheldon, "Winning the NIST contest" (arXiv 2108.04978): one-way marginals
first, then a maximum spanning tree of the pairs that independent columns get most wrong, then a
model of all that was measured.

Differences from the paper: pairs are scored all at once under Gaussian noise instead of one by one
by the exponential mechanism, so that the whole run is one Gaussian filter; columns are binned to
what the noise lets be seen, where the paper merges rare values; a pair is bought only while it is
expected to remove more error than its own noise adds; and the budget is shared among the pairs
bought in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dpsynth.base.domain import Clique, Domain
from dpsynth.base.progress import stage
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Event
from dpsynth.mechanisms.allocation import (
    SCORES,
    Allocation,
    again_part,
    first_parts,
    most_in_a_tree,
    pairs_part,
    scores_part,
)
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.footprint import Footprint, Pace, footprint
from dpsynth.mechanisms.marginal.binned import Binned
from dpsynth.mechanisms.marginal.first_look import (
    FirstLook,
    look_cost,
    look_parts,
    most_scored,
)
from dpsynth.mechanisms.marginal.independent import rest_on_columns
from dpsynth.mechanisms.marginal.selection import choose_tree, distances
from dpsynth.mechanisms.oneway import (
    OneWayMeasurements,
    allocated_oneways,
    check_shares,
    measure_all,
)
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.engines import estimate_exactly

_PACE = Pace(0.000288, 1.63, 0.216)
"""benchmarks/results/forecast.json."""

_WIDE = 0.005
"""benchmarks/results/wide.json: seconds for each column of a wide table."""


@dataclass(frozen=True)
class MST(Mechanism):
    """Measures every column, and the pairs of one tree of columns.

    Parameters
    ----------
    total_share, oneway_share, select_share : float
        The parts of the budget that go to the row count, to the one-way marginals, and to the
        choice of pairs; of a wide table, as much again to a first look at them. What is left
        measures the pairs.

    Raises
    ------
    ValueError
        For shares that leave nothing for the pairs.

    Examples
    --------
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"age": 100, "job": 12, "sex": 2})
    >>> [(part.what, part.charges) for part in MST().allocation(1_000_000, domain).parts]
    [('the row count', (1, 1)), ('every column', (3, 3)), ('scores of all pairs', (0, 1)),
     ('a pair of columns', (0, 2)), ('a column or the row count, again', (0, 4))]
    """

    total_share: float = 0.01
    oneway_share: float = 0.25
    select_share: float = 0.05

    def __post_init__(self) -> None:
        check_shares(total=self.total_share, oneway=self.oneway_share, select=self.select_share)

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        total = int(cost * self.total_share)
        oneway = int(cost * self.oneway_share)
        select = int(cost * self.select_share)
        looks = look_parts(domain, select)
        rest = cost - total - oneway - select - sum(p.charges[1] * p.costs[1] for p in looks)
        most = most_in_a_tree(domain)
        return Allocation(
            (
                *first_parts(domain, total=total, oneway=oneway),
                *looks,
                scores_part(most_scored(domain), select, (0, min(1, most))),
                pairs_part(rest, (0, most)),
                again_part(domain, rest, (0, 1)),
            )
        )

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        return footprint(domain, rows, prices, pairs=True, pace=_PACE, wide=_WIDE)

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A tree of pairs over bins, refined to cells; columns only where no pair is worth it."""
        allocation = self.allocation(accountant.cost_left, table.domain)
        oneway = allocated_oneways(table, accountant, allocation)
        select_cost = allocation.cost(SCORES)
        left = accountant.cost_left - select_cost - look_cost(allocation)
        prices = Prices(left, table.unit.count_sensitivity(2)[1])
        binned = Binned.of(table, oneway, prices, look=FirstLook.of(allocation, accountant))
        tree = _select(binned, prices, accountant, select_cost)
        if not tree:
            return rest_on_columns(table, accountant, oneway)
        pairs = _measure(binned, tree, prices, accountant)
        return _generate(binned, oneway, pairs)


def _select(binned: Binned, prices: Prices, accountant: Accountant, cost: int) -> list[Clique]:
    """SELECT: a spanning forest of the pairs that independent columns get most wrong.

    Scores that noise alone might explain choose none.
    """
    stage("choosing a tree of pairs")
    (scores,) = distances([(binned.answers, binned.independent())], accountant, cost)
    gains = scores.gains() if scores.tell_apart() else {}
    cells = {c: float(binned.domain.cells(c)) for c in gains}
    return choose_tree(gains, cells, prices, columns=len(binned.domain.attributes))


def _measure(
    binned: Binned, tree: list[Clique], prices: Prices, accountant: Accountant
) -> list[LinearMeasurement]:
    """MEASURE: every pair of the tree, one charge for each, with all that is left."""
    costs = prices.shared({c: float(binned.domain.cells(c)) for c in tree})
    # The last pair has the crumbs that rounding left of the shares.
    costs[tree[-1]] = accountant.cost_left - sum(costs[c] for c in tree[:-1])
    return measure_all(accountant, binned.answers, costs)


def _generate(binned: Binned, oneway: OneWayMeasurements, pairs: list[LinearMeasurement]) -> Model:
    """GENERATE: a model of columns and pairs, refined from bins to cells."""
    stage("fitting a model to the measurements")
    measurements = [*binned.oneways(oneway), *pairs]
    model = estimate_exactly(binned.domain, measurements, total=oneway.rows)
    return binned.refined(model, oneway, pairs)
