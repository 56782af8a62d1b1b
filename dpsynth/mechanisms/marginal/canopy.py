"""Canopy: a tree of pairs first, then one batch of whatever pairs the tree does not explain.

Against independent columns every pair of a family of related columns looks worth measuring, though
a few would explain the rest. So half of the measuring budget goes to a maximum spanning tree (as
MST does), a model is fitted to it, and all pairs are scored again *against that model*. The other
half buys a batch in closed form: the pairs whose remaining error is largest for what they cost, as
long as the junction tree of them all stays small enough for exact inference. Everything that is
charged for is Gaussian, so the whole run is one Gaussian filter.

What was tried besides and left out, with the figures, stands in docs/decisions/mechanisms.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dpsynth.base.domain import Clique, Domain
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
from dpsynth.mechanisms.footprint import Footprint, Pace, footprint
from dpsynth.mechanisms.marginal.binned import Binned
from dpsynth.mechanisms.marginal.independent import measure_rest, rest_on_columns
from dpsynth.mechanisms.marginal.known import (
    Known,
    StartsFromKnown,
    beside,
    check_known,
    with_known,
)
from dpsynth.mechanisms.marginal.selection import (
    Scores,
    choose_batch,
    choose_tree,
    distances,
    within_reach,
)
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.mechanisms.oneway import (
    OneWayMeasurements,
    allocated_oneways,
    check_shares,
    measure,
    measure_all,
)
from dpsynth.mechanisms.prices import Prices, informative_pairs
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.engines import estimate_exactly
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.projection import MAX_CELLS

_BELIEVED = 0.5
"""The part of a measurement's noise that is left in the model, as the estimator believes small
cells only in part. The ablation "all of the noise counts against a pair" sets it to 1
(benchmarks/results/ablation.json).
"""

_COLUMN = 3.0
"""What the noise of a column counts beside that of a pair: every marginal that holds the column has
it, too. The ablation "columns get little of the second look" all but removes it.
"""

MIN_WEIGHT = 1e-6
"""Of the largest: a pair bought for less would have a share of the budget that buys no noise."""

PACE = Pace(0.0000169, 1.91, 0.637)
"""benchmarks/results/forecast.json."""


@dataclass(frozen=True)
class Canopy(StartsFromKnown):
    """A tree of pairs first, then one batch of the pairs that the tree does not explain.

    Parameters
    ----------
    workload : Workload
        How much each pair matters: by the columns that it is of.
    total_share, oneway_share, select_share : float
        The parts of the budget that go to the row count, to the one-way marginals, and to the
        choice of pairs, half of it for the tree and half for the batch.
    tree_share : float
        Of what is left, the part that measures the tree.
    max_cells : int
        Of a pair, and of the junction tree that a batch may lead to; 8 bytes each, of which a fit
        holds a few copies.
    known : tuple of Known
        Marginals that cost nothing; the tree connects what they leave apart, the batch mends what
        they get wrong.

    Raises
    ------
    ValueError
        For shares that leave nothing, and for max_cells below 1.

    Examples
    --------
    >>> from dpsynth import Domain, Workload
    >>> mechanism = Canopy(workload=Workload(target="job"), max_cells=100_000)
    >>> domain = Domain.of({"age": 100, "job": 12, "sex": 2})
    >>> [(part.what, part.costs[1]) for part in mechanism.allocation(1_000_000, domain).parts]
    [('the row count', 10000), ('every column', 33333), ('scores of all pairs', 25000),
     ('a pair of columns', 865000), ('a column or the row count, again', 865000)]
    """

    workload: Workload = field(default_factory=Workload)
    total_share: float = 0.01
    oneway_share: float = 0.1
    select_share: float = 0.05
    tree_share: float = 0.5
    max_cells: int = 1_000_000
    known: tuple[Known, ...] = ()

    def __post_init__(self) -> None:
        check_shares(total=self.total_share, oneway=self.oneway_share, select=self.select_share)
        check_shares(tree=self.tree_share)
        if self.max_cells < 1:
            raise ValueError(f"max_cells must be 1 or more, got {self.max_cells}")

    def check(self, domain: Domain) -> None:
        """ValueError, before any charge, where the workload or what is known does not fit."""
        self.workload.check(domain)
        check_known(self.known, domain, self.max_cells)

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        total = int(cost * self.total_share)
        oneway = int(cost * self.oneway_share)
        select = int(cost * self.select_share) // 2  # once for the tree, once for the batch
        rest = cost - total - oneway - select
        most = most_in_a_tree(domain)
        return Allocation(
            (
                *first_parts(domain, total=total, oneway=oneway),
                scores_part(domain, select, (0, 2 * min(1, most))),
                pairs_part(rest, (0, most + len(informative_pairs(domain)))),
                again_part(domain, rest, (0, 1)),
            )
        )

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        return footprint(domain, rows, prices, pairs=True, pace=PACE, model_cells=self.max_cells)

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A graphical model over bins, refined to cells; columns only where no pair is worth it."""
        self.check(table.domain)
        run = _Run.begun(self, table, accountant)
        tree, tree_prices = run.select_tree()
        if not tree and not run.binned.known:
            return rest_on_columns(table, accountant, run.oneway)
        run.measure_tree(tree, tree_prices)
        # Where the model explains every pair, what is left measures the tree once more.
        batch = run.select_batch() or tree
        if batch:
            run.measure_batch_and_columns(batch)
        else:
            run.oneway = measure_rest(table, accountant, run.oneway)
        return run.generate()


@dataclass(eq=False)
class _Run:
    """One fit as it goes: what has been measured, the model of it, and the prices of the rest.

    select_cost: of each of two charges for scores. measuring: what is left for everything else.
    weights, cells: of each pair, how much it matters and how many cells it has, weighted.
    """

    settings: Canopy
    table: PrivateTable
    accountant: Accountant
    oneway: OneWayMeasurements
    binned: Binned
    select_cost: int
    measuring: int
    weights: Mapping[Clique, float]
    cells: Mapping[Clique, float]
    pairs: list[LinearMeasurement] = field(default_factory=list)
    model: GraphicalModel | None = None

    @classmethod
    def begun(cls, settings: Canopy, table: PrivateTable, accountant: Accountant) -> _Run:
        """MEASURE the row count and every column; bin the columns to what the noise lets be
        seen.
        """
        allocation = settings.allocation(accountant.cost_left, table.domain)
        oneway = with_known(allocated_oneways(table, accountant, allocation), settings.known)
        select_cost = allocation.cost(SCORES)
        measuring = accountant.cost_left - 2 * select_cost
        prices = Prices(measuring, table.unit.count_sensitivity(2)[1])
        binned = Binned.of(table, oneway, prices, beside(settings.known))
        weights = pair_weights(settings.workload, table.domain, binned.answers)
        cells = {c: w * binned.domain.cells(c) for c, w in weights.items()}
        return cls(
            settings, table, accountant, oneway, binned, select_cost, measuring, weights, cells
        )

    def select_tree(self) -> tuple[list[Clique], Prices]:
        """SELECT a tree of the pairs that independent columns get most wrong; and its prices.

        Where something is known, what it says takes the place of independent columns.
        """
        binned = self.binned
        estimates = binned.independent()
        if binned.known:
            estimates = _estimates(binned, _model(binned, self.oneway, []))
        scores = self._scores(estimates)
        # Scores that noise alone might explain choose no tree.
        gains = scores.gains() if scores.tell_apart() else {}
        small = (c for c in gains if binned.domain.cells(c) <= self.settings.max_cells)
        worth = {c: self.weights[c] * gains[c] for c in small if self.weights[c] > 0}
        prices = Prices(int(self.measuring * self.settings.tree_share), self._sensitivity)
        columns = len(self.table.domain.attributes)
        joined = [k.clique for k in binned.known]
        return choose_tree(worth, self.cells, prices, columns=columns, joined=joined), prices

    def measure_tree(self, tree: list[Clique], prices: Prices) -> None:
        """MEASURE the tree, and fit a model to it."""
        costs = prices.shared({c: self.cells[c] for c in tree})
        self.pairs = measure_all(self.accountant, self.binned.answers, costs)
        self.model = _model(self.binned, self.oneway, self.pairs)

    def select_batch(self) -> list[Clique]:
        """SELECT the pairs that the model gets most wrong, to be measured with all that is left.

        Every column is measured again beside them, and so has its effort in the price.
        """
        assert self.model is not None
        estimates = _estimates(self.binned, self.model)
        scores = self._scores(estimates)
        domain = self.binned.domain
        return choose_batch(
            {c: self.weights[c] * gain for c, gain in scores.gains().items()},
            {c: self.weights[c] * domain.cells(c) for c in estimates},
            Prices(self.accountant.cost_left, _BELIEVED * self._sensitivity),
            effort=sum(k ** (2 / 3) for k in self._columns.values()),
            domain=domain,
            held=[c for c in self.model.potentials if len(c) > 1],
            max_cells=self.settings.max_cells,
        )

    def measure_batch_and_columns(self, batch: list[Clique]) -> None:
        """MEASURE every column once more, and the batch, for all that is left."""
        accountant = self.accountant
        columns = self._columns
        prices = Prices(accountant.cost_left, self._sensitivity)
        costs = prices.shared(columns | {c: self.cells[c] for c in batch})
        answers = self.table.marginals(list(columns))
        again = {c[0]: measure(accountant, c, answers[c], costs.pop(c)) for c in columns}
        self.oneway = self.oneway.again(again)
        # The last pair has the crumbs that rounding left of the shares.
        costs[batch[-1]] = accountant.cost_left - sum(costs[c] for c in batch[:-1])
        self.pairs += measure_all(accountant, self.binned.answers, costs)

    def generate(self) -> Model:
        """GENERATE: the model of all that was measured, refined from bins to cells."""
        model = _model(self.binned, self.oneway, self.pairs, warm=self.model)
        return self.binned.refined(model, self.oneway)

    def _scores(self, estimates: Mapping[Clique, np.ndarray]) -> Scores:
        """How far each estimated pair's counts are from the estimate; one charge."""
        answers = {c: self.binned.answers[c] for c in estimates}
        return distances(answers, estimates, self.accountant, self.select_cost)

    @property
    def _columns(self) -> dict[Clique, float]:
        """What each column counts when all are measured again beside pairs."""
        return {(a,): _COLUMN * n for a, n in self.table.domain.sizes}

    @property
    def _sensitivity(self) -> float:
        """Of a pair's counts: how far one unit moves them, as an L2 norm."""
        return self.table.unit.count_sensitivity(2)[1]


def _model(
    binned: Binned,
    oneway: OneWayMeasurements,
    measurements: list[LinearMeasurement],
    warm: GraphicalModel | None = None,
) -> GraphicalModel:
    """The model of the columns, of what is known, and of these measurements."""
    everything = [*binned.oneways(oneway), *binned.held(oneway), *measurements]
    return estimate_exactly(binned.domain, everything, total=oneway.rows, warm=warm)


def _estimates(binned: Binned, model: GraphicalModel) -> dict[Clique, np.ndarray]:
    """What the model says of every pair that it can be asked for.

    A model of known marginals may be too wide for some.
    """
    return model.project_all(within_reach(model.tree, binned.answers, MAX_CELLS))


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
