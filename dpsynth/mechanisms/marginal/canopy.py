"""Canopy: a tree of pairs first, then one batch of whatever pairs the tree does not explain.

Against independent columns every pair of a family of related columns looks worth measuring, though a few would
explain the rest. So half of the measuring budget goes to a maximum spanning tree (as MST does), a model is fitted to
it, and all pairs are scored again *against that model*. The other half buys a batch in closed form: the pairs whose
remaining error is largest for what they cost, as long as the junction tree of them all stays small enough for exact
inference. Everything that is charged for is Gaussian, so the whole run is one Gaussian filter.

What was tried besides and left out, with the figures, stands in CHANGELOG.md under "Design".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.table import PrivateTable
from dpsynth.mechanisms.base import FirstLook, check_shares, first_look, measure, measure_all
from dpsynth.mechanisms.marginal.binned import Binned
from dpsynth.mechanisms.marginal.independent import look_at_rest, rest_on_columns
from dpsynth.mechanisms.marginal.known import Known, beside, check_known, with_known
from dpsynth.mechanisms.marginal.selection import Prices, choose_batch, choose_tree, distances, within_reach
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.engines import estimate_exactly
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.projection import MOST_CELLS

_BELIEVED = 0.5
"""The part of a measurement's noise that is left in the model: the estimator believes small cells only in part."""

_COLUMN = 3.0
"""What the noise of a column counts beside that of a pair: every marginal that holds the column has it too."""

LEAST_WEIGHT = 1e-6


@dataclass(frozen=True)
class Canopy:
    """Settings.

    total_share, oneway_share, select_share: the parts of the budget that go to the row count, to the one-way
    marginals, and to the choice of pairs. tree_share: of what is left, the part that measures the tree.
    most_cells: of a pair, and of the junction tree that a batch may lead to; 8 bytes each, of which a fit holds a few
    copies.
    workload: how much each pair matters.
    known: marginals that cost nothing; the tree connects what they leave apart, the batch mends what they get wrong.
    """

    workload: Workload = field(default_factory=Workload)
    total_share: float = 0.01
    oneway_share: float = 0.1
    select_share: float = 0.05
    tree_share: float = 0.5
    most_cells: int = 1_000_000
    known: tuple[Known, ...] = ()

    def __post_init__(self) -> None:
        check_shares(total=self.total_share, oneway=self.oneway_share, select=self.select_share)
        check_shares(tree=self.tree_share)
        if self.most_cells < 1:
            raise ValueError(f"most_cells must be 1 or more, got {self.most_cells}")

    def check(self, domain: Domain) -> None:
        """ValueError, before any charge, where the workload or what is known does not fit the domain."""
        self.workload.check(domain)
        check_known(self.known, domain, self.most_cells)

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A graphical model over bins, refined to cells; independent columns where no pair is worth its noise."""
        self.check(table.domain)
        budget = accountant.cost_left
        look = first_look(
            table, accountant, total_cost=int(budget * self.total_share), oneway_cost=int(budget * self.oneway_share)
        )
        look = with_known(look, self.known)
        select_cost = int(budget * self.select_share) // 2
        sensitivity = table.unit.count_sensitivity(2)[1]
        measuring = accountant.cost_left - 2 * select_cost
        binned = Binned.of(table, look, Prices(measuring, sensitivity), beside(self.known))
        weights = pair_weights(self.workload, table.domain, binned.answers)
        cells = {c: w * binned.domain.cells(c) for c, w in weights.items()}

        # TREE
        estimates = binned.independent()
        if binned.known:
            estimates = _estimates(binned, _model(binned, look, []))
        scores = distances({c: binned.answers[c] for c in estimates}, estimates, accountant, select_cost)
        gains = scores.gains() if scores.tell_apart() else {}
        prices = Prices(int(measuring * self.tree_share), sensitivity)
        small = (c for c in gains if binned.domain.cells(c) <= self.most_cells)
        gains = {c: weights[c] * gains[c] for c in small if weights[c] > 0}
        tree = choose_tree(
            gains, cells, prices, columns=len(table.domain.attributes), joined=[k.clique for k in binned.known]
        )
        if not tree and not binned.known:
            return rest_on_columns(table, accountant, look)
        pairs = measure_all(accountant, binned.answers, prices.shared({c: cells[c] for c in tree}))
        model = _model(binned, look, pairs)

        # BATCH, and the columns once more
        columns = {(a,): _COLUMN * n for a, n in table.domain.sizes}
        effort = sum(k ** (2 / 3) for k in columns.values())
        batch = self._batch(binned, model, weights, accountant, select_cost, sensitivity, effort) or tree
        if not batch:
            look = look_at_rest(table, accountant, look)
            return binned.refined(_model(binned, look, pairs, warm=model), look)
        costs = Prices(accountant.cost_left, sensitivity).shared(columns | {c: cells[c] for c in batch})
        answers = table.marginals(list(columns))
        again = {c[0]: measure(accountant, c, answers[c], costs.pop(c)) for c in columns}
        look = look.again(again)
        costs[batch[-1]] = accountant.cost_left - sum(costs[c] for c in batch[:-1])
        pairs += measure_all(accountant, binned.answers, costs)

        # GENERATE
        return binned.refined(_model(binned, look, pairs, warm=model), look)

    def _batch(
        self,
        binned: Binned,
        model: GraphicalModel,
        weights: Mapping[Clique, float],
        accountant: Accountant,
        cost: int,
        sensitivity: float,
        effort: float,
    ) -> list[Clique]:
        """Scores every pair against the model, for `cost`, and chooses what to measure with all that is left."""
        estimates = _estimates(binned, model)
        scores = distances({c: binned.answers[c] for c in estimates}, estimates, accountant, cost)
        return choose_batch(
            {c: weights[c] * g for c, g in scores.gains().items()},
            {c: weights[c] * binned.domain.cells(c) for c in estimates},
            Prices(accountant.cost_left, _BELIEVED * sensitivity),
            effort=effort,
            domain=binned.domain,
            held=[c for c in model.potentials if len(c) > 1],
            most_cells=self.most_cells,
        )


def _model(
    binned: Binned, look: FirstLook, measurements: list[LinearMeasurement], warm: GraphicalModel | None = None
) -> GraphicalModel:
    measurements = [*binned.oneways(look), *binned.held(look), *measurements]
    return estimate_exactly(binned.domain, measurements, total=look.rows, warm=warm)


def _estimates(binned: Binned, model: GraphicalModel) -> dict[Clique, np.ndarray]:
    """What the model says of every pair that it can be asked for: a model of known marginals may be too wide."""
    return model.project_all(within_reach(model.tree, binned.answers, MOST_CELLS))


def pair_weights(workload: Workload, domain: Domain, pairs: Collection[Clique]) -> dict[Clique, float]:
    """How much each pair matters to the workload, 1 on average; 0 throughout where none does.

    A weight above 0 is LEAST_WEIGHT of the largest or more, so that every pair bought has a share of the budget.
    """
    importance = workload.importance(domain)
    weights = {(a, b): max(importance[a] + importance[b], 0.0) for a, b in pairs}
    least = LEAST_WEIGHT * max(weights.values(), default=0.0)
    weights = {c: max(w, least) if w > 0 else 0.0 for c, w in weights.items()}
    mean = sum(weights.values()) / max(len(weights), 1)
    return {c: w / mean if mean > 0 else 0.0 for c, w in weights.items()}
