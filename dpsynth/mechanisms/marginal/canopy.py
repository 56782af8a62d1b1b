"""Canopy: a tree of pairs first, then one batch of whatever pairs the tree does not explain.

Against independent columns every pair of a family of related columns looks worth measuring, though
a few would explain the rest. So up to half of the measuring budget goes to a maximum spanning tree
(as MST does), a model is fitted to it, and all pairs are scored again *against that model*. The
rest buys a batch in closed form: the pairs whose remaining error is largest for what they cost, as
long as the junction tree of them all stays small enough for exact inference. How much of that half
the tree is worth depends on what its pairs are seen to remove beside what the columns lose: on a
thousand rows little or nothing. Pairs with a rare level, and those of the target, count more
(`weights`). Everything that is charged for is Gaussian, so the whole run is one Gaussian filter.

What was tried besides and left out, with the figures, stands in docs/decisions/mechanisms.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

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
from dpsynth.mechanisms.footprint import Footprint, Pace, footprint
from dpsynth.mechanisms.marginal.binned import FEW_BINS, Binned
from dpsynth.mechanisms.marginal.dependence import TEXTURE, dependence
from dpsynth.mechanisms.marginal.first_look import (
    FirstLook,
    look_cost,
    look_parts,
    most_scored,
)
from dpsynth.mechanisms.marginal.independent import measure_rest, rest_on_columns
from dpsynth.mechanisms.marginal.known import (
    Known,
    StartsFromKnown,
    beside,
    check_known,
    with_known,
)
from dpsynth.mechanisms.marginal.lacking import CELLS
from dpsynth.mechanisms.marginal.selection import (
    choose_batch,
    choose_tree,
    distances,
    removed,
    within_reach,
)
from dpsynth.mechanisms.marginal.weights import pair_weights, rarity, with_rare_levels
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.mechanisms.oneway import (
    OneWayMeasurements,
    allocated_oneways,
    check_shares,
    count_columns,
    measure_all,
    measure_columns,
)
from dpsynth.mechanisms.prices import MEAN_ABS, Prices
from dpsynth.models.base import LinearMeasurement, Model, RoughMeasurement
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

_PARTS = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Of what a tree may cost: a small table is worth less of it, or nothing."""

_TRIPLES = 0.75
"""What the noise of a column counts beside that of a pair, for each other column, where it is
decided how much a tree may cost. At 1.25 two tables are 1 % farther on triples at epsilon 0.1; at
0.5 the worst of 20 seeds on 1,000 rows is 3 % farther at epsilon 1.
"""

PACE = Pace(0.0000191, 1.87, 0.641)
"""benchmarks/results/forecast.json."""

_WIDE = 0.02
"""benchmarks/results/wide.json: seconds for each column of a wide table."""


@dataclass(frozen=True)
class Canopy(StartsFromKnown):
    """A tree of pairs first, then one batch of the pairs that the tree does not explain.

    Parameters
    ----------
    workload : Workload
        How much each pair matters: by the columns that it is of.
    total_share, oneway_share, select_share : float
        The parts of the budget that go to the row count, to the one-way marginals, and to the
        choice of pairs, half of it for the tree and half for the batch; of a wide table, as much
        again to a first look at its pairs.
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
        looks = look_parts(domain, 2 * select)
        rest = cost - total - oneway - select - sum(p.charges[1] * p.costs[1] for p in looks)
        most = most_in_a_tree(domain)
        pairs = most_scored(domain, self._always(domain))
        return Allocation(
            (
                *first_parts(domain, total=total, oneway=oneway),
                *looks,
                scores_part(2 * pairs, select, (0, 2 * min(1, most))),
                pairs_part(rest, (0, most + pairs)),
                again_part(domain, rest, (0, 1)),
            )
        )

    def _always(self, domain: Domain) -> set[Clique]:
        """Pairs that are scored without a first look: of the target, and of what is known."""
        target = self.workload.target
        found = {domain.ordered((a, target)) for a in domain.attributes if target not in (None, a)}
        for k in self.known:
            found |= {domain.ordered(c) for c in itertools.combinations(k.clique, 2)}
        return found

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        return footprint(
            domain, rows, prices, pairs=True, pace=PACE, model_cells=self.max_cells, wide=_WIDE
        )

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A graphical model over bins, refined to cells; columns only where no pair is worth it."""
        self.check(table.domain)
        run = _Run.begun(self, table, accountant)
        tree, tree_prices = run.select_tree()
        if not tree and not run.binned.known:
            return rest_on_columns(table, accountant, run.oneway)
        run.measure_tree(tree, tree_prices)
        batch = run.select_batch()
        # What holds the target is measured with both halves; and all of the tree is where the
        # model explains every pair.
        again = [c for c in tree if self.workload.target in c or not batch]
        batch += [c for c in again if c not in batch]
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
    columns: what each column counts when all are measured again beside pairs. others: in how many
    pairs a column's noise counts: all of its pairs, or those of a wide table that are scored.
    only_missing: pairs of which only what is missing is to be measured; rough: these, measured.
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
    columns: Mapping[Clique, float]
    others: float
    pairs: list[LinearMeasurement] = field(default_factory=list)
    rough: list[RoughMeasurement] = field(default_factory=list)
    only_missing: list[Clique] = field(default_factory=list)
    model: GraphicalModel | None = None

    @classmethod
    def begun(cls, settings: Canopy, table: PrivateTable, accountant: Accountant) -> _Run:
        """MEASURE the row count and every column; bin the columns to what the noise lets be
        seen.
        """
        allocation = settings.allocation(accountant.cost_left, table.domain)
        oneway = with_known(allocated_oneways(table, accountant, allocation), settings.known)
        select_cost = allocation.cost(SCORES)
        measuring = accountant.cost_left - 2 * select_cost - look_cost(allocation)
        prices = Prices(measuring, table.unit.count_sensitivity(2)[1])
        look = FirstLook.of(allocation, accountant, settings._always(table.domain))
        binned = Binned.of(table, oneway, prices, beside(settings.known), look)
        workload = settings.workload
        rare = rarity(binned.masses, binned.noise(oneway), workload.target)
        weights = pair_weights(workload, table.domain, binned.answers)
        weights = with_rare_levels(weights, rare)
        cells = {c: w * binned.domain.cells(c) for c, w in weights.items()}
        columns = len(table.domain.attributes)
        return cls(
            settings,
            table,
            accountant,
            oneway,
            binned,
            select_cost,
            measuring,
            weights,
            cells,
            {(a,): _COLUMN * n * float(rare[a].mean()) for a, n in table.domain.sizes},
            columns - 1 if look is None else 2 * len(weights) / columns,
        )

    def select_tree(self) -> tuple[list[Clique], Prices]:
        """SELECT a tree of the pairs that independent columns get most wrong; and its prices.

        Where something is known, what it says takes the place of independent columns.
        """
        stage("choosing a tree of pairs")
        binned = self.binned
        estimates = binned.independent()
        if binned.known:
            estimates = _estimates(binned, _model(binned, self.oneway, []))
        errors = binned.errors(self.oneway, binned.masses, few=0.0)
        (scores,) = distances([(binned.answers, estimates)], self.accountant, self.select_cost)
        gains = dependence(scores, estimates, errors, chance=1.0)
        small = (c for c in gains if binned.domain.cells(c) <= self.settings.max_cells)
        worth = {c: self.weights[c] * gains[c] for c in small if self.weights[c] > 0}
        joined = [k.clique for k in binned.known]
        columns = len(self.table.domain.attributes)
        found: list[tuple[float, list[Clique], Prices]] = []
        for part in _PARTS:
            prices = Prices(
                int(self.measuring * self.settings.tree_share * part), self._sensitivity
            )
            tree = choose_tree(worth, self.cells, prices, columns=columns, joined=joined)
            found.append((self._benefit(tree, worth, prices), tree, prices))
        _, tree, prices = max(found, key=lambda one: one[0])
        return tree, prices

    def _benefit(self, tree: list[Clique], worth: Mapping[Clique, float], prices: Prices) -> float:
        """What a tree removes at these prices, less what the columns lose for it; in rows."""
        costs = prices.shared({c: self.cells[c] for c in tree})
        noise = np.array([MEAN_ABS * prices.stddev(costs[c]) * self.cells[c] for c in tree])
        gains = np.array([worth[c] for c in tree])
        first = int(self.settings.oneway_share * self.measuring)
        left = Prices(first + self.measuring - prices.cost, self._sensitivity)
        lost = left.noise(sum(n ** (2 / 3) for _, n in self.binned.domain.sizes))
        return removed(gains, noise) - _TRIPLES * self.others * lost

    def measure_tree(self, tree: list[Clique], prices: Prices) -> None:
        """MEASURE the tree, and fit a model to it."""
        costs = prices.shared({c: self.cells[c] for c in tree})
        self.pairs = measure_all(self.accountant, self.binned.answers, costs)
        self.model = _model(self.binned, self.oneway, self.pairs)

    def select_batch(self) -> list[Clique]:
        """SELECT the pairs that the model gets most wrong, to be measured with all that is left.

        Every column is measured again beside them, and so has its effort in the price. Pairs of
        bins come first, as they need the same room in the tree.
        """
        assert self.model is not None
        stage("choosing more pairs")
        binned, lacking = self.binned, self.binned.lacking
        estimates = _estimates(binned, self.model)
        held = [c for c in self.model.potentials if len(c) > 1]
        rough = lacking.estimates({c: e for c, e in estimates.items() if c not in held})
        fitted = {a: self.model.project((a,)) for a in binned.masses}
        errors = binned.errors(self.oneway, fitted, few=FEW_BINS)
        looks = [({c: binned.answers[c] for c in estimates}, estimates)]
        looks.append(({c: lacking.answers[c] for c in rough}, rough))
        scores = distances(looks, self.accountant, self.select_cost)
        gains = dependence(scores[0], estimates, errors, chance=TEXTURE)
        of_missing = dependence(scores[1], rough, lacking.errors(errors), chance=TEXTURE)
        effort = sum(k ** (2 / 3) for k in self.columns.values())
        batch = self._chosen(gains, self.cells, effort, held)
        for c in batch:
            of_missing.pop(c, None)
        cells = {c: self.weights[c] * CELLS for c in of_missing}
        effort += sum(self.cells[c] ** (2 / 3) for c in batch)
        self.only_missing = self._chosen(of_missing, cells, effort, [*held, *batch])
        self.cells = {**self.cells, **cells}
        return batch + self.only_missing

    def _chosen(
        self,
        gains: Mapping[Clique, float],
        cells: Mapping[Clique, float],
        effort: float,
        held: list[Clique],
    ) -> list[Clique]:
        """The pairs that are worth their noise, and fit into a tree with what is held."""
        return choose_batch(
            {c: self.weights[c] * gain for c, gain in gains.items()},
            cells,
            Prices(self.accountant.cost_left, _BELIEVED * self._sensitivity),
            effort=effort,
            domain=self.binned.domain,
            held=held,
            max_cells=self.settings.max_cells,
        )

    def measure_batch_and_columns(self, batch: list[Clique]) -> None:
        """MEASURE every column once more, and the batch, for all that is left."""
        accountant = self.accountant
        columns = dict(self.columns)
        prices = Prices(accountant.cost_left, self._sensitivity)
        costs = prices.shared(columns | {c: self.cells[c] for c in batch})
        blocks = self.binned.blocks
        counts = {c: self.oneway.counts[c] for c in columns}
        answers = count_columns(self.table, counts, blocks)
        of_columns = {c[0]: costs.pop(c) for c in columns}
        again = measure_columns(accountant, answers, of_columns, blocks)
        self.oneway = self.oneway.again(again)
        # The last pair has the crumbs that rounding left of the shares.
        costs[batch[-1]] = accountant.cost_left - sum(costs[c] for c in batch[:-1])
        roughly = {c: costs.pop(c) for c in batch if c in self.only_missing}
        self.pairs += measure_all(accountant, self.binned.answers, costs)
        self.rough = self.binned.lacking.measured(accountant, roughly)

    def generate(self) -> Model:
        """GENERATE: the model of all that was measured, refined from bins to cells."""
        model = _model(self.binned, self.oneway, self.pairs, self.rough, warm=self.model)
        return self.binned.refined(model, self.oneway, [*self.pairs, *self.rough])

    @property
    def _sensitivity(self) -> float:
        """Of a pair's counts: how far one unit moves them, as an L2 norm."""
        return self.table.unit.count_sensitivity(2)[1]


def _model(
    binned: Binned,
    oneway: OneWayMeasurements,
    measurements: list[LinearMeasurement],
    rough: Sequence[RoughMeasurement] = (),
    warm: GraphicalModel | None = None,
) -> GraphicalModel:
    """The model of the columns, of what is known, and of these measurements."""
    stage("fitting a model to the measurements")
    everything = [*binned.oneways(oneway), *binned.held(oneway), *measurements]
    return estimate_exactly(binned.domain, everything, total=oneway.rows, warm=warm, rough=rough)


def _estimates(binned: Binned, model: GraphicalModel) -> dict[Clique, np.ndarray]:
    """What the model says of every pair that it can be asked for.

    A model of known marginals may be too wide for some.
    """
    return model.project_all(within_reach(model.tree, binned.answers, MAX_CELLS))
