"""MST: measure the pairs of a maximum spanning tree (McKenna, Miklau, Sheldon, arXiv 2108.04978), all-Gaussian.

Differences from the paper: pairs are scored all at once under Gaussian noise instead of one by one by the exponential
mechanism, so that the whole run is one Gaussian filter; columns are binned to what the noise lets be seen; a pair is
bought only while it is expected to remove more error than its own noise adds; and the budget is shared among the
pairs bought in closed form.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dpsynth.data.table import PrivateTable
from dpsynth.domain import Clique, Domain
from dpsynth.encode.bins import choose_bins
from dpsynth.mechanisms.base import check_shares, first_look, measure
from dpsynth.mechanisms.independent import independent_model
from dpsynth.models.base import Model
from dpsynth.models.inference import estimate
from dpsynth.models.refined import RefinedModel
from dpsynth.privacy import curves
from dpsynth.privacy.accountant import Accountant
from dpsynth.privacy.events import Gaussian
from dpsynth.privacy.sensitive import Sensitive

_MEAN_ABS = math.sqrt(2 / math.pi)


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
        masses = look.masses()
        bins = choose_bins(table.domain, masses, prices.even_stddev(len(table.domain.attributes) - 1))
        binned = table.coarsen(bins)
        answers = binned.marginals(informative_pairs(binned.domain))
        scores = dependence(answers, _shares(masses, bins), look.rows, accountant, select_cost)
        tree = choose_tree(scores, binned.domain, prices)
        if not tree:
            left = accountant.cost_left
            look = look.combined(first_look(table, accountant, total_cost=left // 50, oneway_cost=left - left // 50))
            return independent_model(table.domain, look.masses(), look.rows)

        # MEASURE
        measurements = look.binned(bins)
        costs = prices.shared({c: binned.domain.cells(c) for c in tree})
        for clique in tree[:-1]:
            measurements.append(measure(accountant, clique, answers[clique], costs[clique]))
        measurements.append(measure(accountant, tree[-1], answers[tree[-1]], accountant.cost_left))

        # GENERATE
        return RefinedModel(table.domain, estimate(binned.domain, measurements, total=look.rows), bins, masses)


@dataclass(frozen=True)
class Prices:
    """What noise a budget of `cost` buys for counts of this sensitivity."""

    cost: int
    sensitivity: float

    def stddev(self, cost: int) -> float:
        """Standard deviation of a cell measured for this cost."""
        return self.sensitivity / curves.mu_of(cost) if cost > 0 else math.inf

    def even_stddev(self, parts: int) -> float:
        """Standard deviation of a cell when the budget is shared evenly."""
        return self.stddev(self.cost // max(parts, 1))

    def shared(self, cells: Mapping[Clique, int]) -> dict[Clique, int]:
        """Shares that minimise the sum of the L1 noise,  sum_i cells_i / sqrt(share_i):  share_i ~ cells_i^(2/3)."""
        weights = {c: k ** (2 / 3) for c, k in cells.items()}
        unit = self.cost / sum(weights.values())
        return {c: int(w * unit) for c, w in weights.items()}


def informative_pairs(domain: Domain) -> list[Clique]:
    """Pairs of columns of which neither is a single cell."""
    return [c for c in itertools.combinations(domain.attributes, 2) if min(domain.shape(c)) > 1]


def dependence(
    answers: Mapping[Clique, Sensitive],
    shares: Mapping[str, np.ndarray],
    rows: float,
    accountant: Accountant,
    cost: int,
) -> dict[Clique, float]:
    """For each pair the noisy L1 distance between its counts and those of independent columns; one charge."""
    if not answers:
        return {}
    errors = [x.l1_error(rows * np.multiply.outer(shares[a], shares[b])) for (a, b), x in answers.items()]
    charge = accountant.charge(Gaussian.spending(cost), f"choose among {len(errors)} pairs")
    scores, _ = charge.gaussian(Sensitive.stack(errors))
    return dict(zip(answers, scores.tolist(), strict=True))


def choose_tree(scores: Mapping[Clique, float], domain: Domain, prices: Prices) -> list[Clique]:
    """A spanning forest of high total gain, a gain being a pair's score less the L1 noise its measurement adds.

    The noise depends on how many pairs share the budget: start from an even share among all columns, then drop what
    is not worth its noise and share again, until nothing is dropped.
    """
    cells = {c: domain.cells(c) for c in scores}
    even = prices.even_stddev(len(domain.attributes) - 1)
    gain = {c: s - _MEAN_ABS * even * cells[c] for c, s in scores.items()}
    chosen = _spanning_forest(sorted(gain, key=lambda c: -gain[c]))
    while chosen:
        costs = prices.shared({c: cells[c] for c in chosen})
        noise = {c: _MEAN_ABS * prices.stddev(costs[c]) * cells[c] for c in chosen}
        worst = min(chosen, key=lambda c: scores[c] - noise[c])
        if scores[worst] > noise[worst]:
            break
        chosen.remove(worst)
    return chosen


def _spanning_forest(pairs: list[Clique]) -> list[Clique]:
    """Kruskal: the pairs in this order, less those that would close a cycle."""
    component = {a: a for pair in pairs for a in pair}

    def root(a: str) -> str:
        while component[a] != a:
            a = component[a]
        return a

    chosen: list[Clique] = []
    for a, b in pairs:
        if root(a) != root(b):
            component[root(a)] = root(b)
            chosen.append((a, b))
    return chosen


def _shares(masses: Mapping[str, np.ndarray], bins: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The distribution of each column over its bins."""
    held = {a: np.bincount(bins[a], masses[a]) for a in bins}
    return {a: h / h.sum() if h.sum() > 0 else np.full(h.size, 1 / h.size) for a, h in held.items()}
