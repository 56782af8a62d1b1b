"""Selection: which pairs of columns to measure. Public mathematics, but for `distances`, which is
one charge.

Everything here is about L1 errors in rows. A pair's *score* is how far its counts are from what is
believed of them, as a noisy answer; its *price* is the L1 error that the noise of its own
measurement would add.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base import progress
from dpsynth.base.domain import Clique, Domain
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.mechanisms.prices import MEAN_ABS, Prices
from dpsynth.models.junction_tree import JunctionTree, tree_cells
from dpsynth.models.projection import MAX_CELLS

MAX_FAILURES = 300
"""Pairs tried in vain before a tree is taken to be full: all of 25 columns, seconds of 250."""


@dataclass(frozen=True, eq=False)
class Scores:
    """For each pair a noisy distance, in rows, and the standard deviation of that noise."""

    values: Mapping[Clique, float]
    stddev: float

    def tell_apart(self) -> bool:
        """Whether the scores differ by more than their noise makes them differ.

        A chi-square test of equal scores at two standard deviations: P scores of pure noise have a
        variance of stddev^2 (1 +- sqrt(2 / P)). Where it finds nothing, to choose among the pairs
        is to choose at random.
        """
        if len(self.values) < 2:
            return bool(self.values) and max(self.values.values()) > 2 * self.stddev
        spread = float(np.var(list(self.values.values()), ddof=1))
        return spread > self.stddev**2 * (1 + 2 * math.sqrt(2 / len(self.values)))

    def gains(self) -> dict[Clique, float]:
        """What there is to gain at each pair: its score, or nothing."""
        return {pair: max(score, 0.0) for pair, score in self.values.items()}


Look = tuple[Mapping[Clique, Sensitive], Mapping[Clique, np.ndarray]]
"""Counts of pairs, and an estimate of each."""


def distances(looks: Sequence[Look], accountant: Accountant, cost: int) -> list[Scores]:
    """For each pair of each look the noisy L1 distance, in rows, of its counts from the estimate;
    one charge.
    """
    errors = [x.l1_error(estimates[c]) for answers, estimates in looks for c, x in answers.items()]
    if not errors:
        return [Scores({}, math.inf) for _ in looks]
    charge = accountant.charge(Gaussian.spending(cost), f"choose among {len(errors)} pairs")
    values, stddev = charge.gaussian(Sensitive.stack(errors))
    found, noise = iter(values.tolist()), float(np.max(stddev))
    return [Scores({c: next(found) for c in answers}, noise) for answers, _ in looks]


def choose_tree(
    gains: Mapping[Clique, float],
    cells: Mapping[Clique, float],
    prices: Prices,
    columns: int,
    joined: Iterable[Clique] = (),
) -> list[Clique]:
    """A spanning forest of high total worth: of gains, less the L1 noise that measuring adds.

    The noise depends on how many pairs share the budget: start from an even share among all
    columns, then drop what is not worth its noise and share again, until nothing is dropped.

    gains, cells: of each pair, weighted alike. joined: columns that are connected already; the
    forest connects the rest.
    """
    even = prices.even_stddev(columns - 1)
    worth = {c: g - MEAN_ABS * even * cells[c] for c, g in gains.items()}
    chosen = _spanning_forest(sorted(worth, key=lambda c: -worth[c]), joined)
    while chosen:
        costs = prices.shared({c: cells[c] for c in chosen})
        noise = {c: MEAN_ABS * prices.stddev(costs[c]) * cells[c] for c in chosen}
        worst = min(chosen, key=lambda c: gains[c] - noise[c])
        if gains[worst] > noise[worst]:
            break
        chosen.remove(worst)
    return chosen


def choose_batch(
    gains: Mapping[Clique, float],
    cells: Mapping[Clique, float],
    prices: Prices,
    *,
    effort: float,
    domain: Domain,
    held: Sequence[Clique],
    max_cells: int,
) -> list[Clique]:
    """Pairs to be measured together: the best gain for the effort first.

    A pair joins while it makes `_removed` larger.

    gains, cells: of each pair, weighted alike. effort: of what shares the budget with them, see
    `Prices.noise`. held: cliques that the model has already. max_cells: of the junction tree that
    holds them all; a pair that would outgrow it is passed over, and after MAX_FAILURES of these
    the tree is taken to be full.
    """
    positive = (c for c in gains if gains[c] > 0)
    order = sorted(positive, key=lambda c: -gains[c] / cells[c] ** (2 / 3))
    chosen: list[Clique] = []
    found, efforts = np.zeros((2, 0))
    best = _removed(found, efforts, prices, effort)
    failures = 0
    for place, pair in enumerate(order):
        progress.share(max(place / len(order), failures / MAX_FAILURES))
        more_found = np.append(found, gains[pair])
        more_efforts = np.append(efforts, cells[pair] ** (2 / 3))
        total = _removed(more_found, more_efforts, prices, effort)
        if not total > best:
            continue
        if pair not in held and tree_cells(domain, [*held, *chosen, pair]) > max_cells:
            failures += 1
            if failures == MAX_FAILURES:
                break
            continue
        found, efforts, best = more_found, more_efforts, total
        chosen.append(pair)
    return chosen


def removed(gains: np.ndarray, noise: np.ndarray) -> float:
    """What measuring removes of these errors, all of them L1 and in rows.

    An estimate draws what it measured towards what it believed before, as far as the noise bids.
    Of an error g and noise n that leaves g n / sqrt(g^2 + n^2): less than either.
    """
    return float(np.sum(gains * (1 - noise / np.hypot(gains, noise))))


def _removed(gains: np.ndarray, efforts: np.ndarray, prices: Prices, effort: float) -> float:
    """What a batch of these gains removes, less the noise of what shares the budget with it."""
    everything = effort + float(efforts.sum())
    if everything == 0:
        return 0.0
    of_each = prices.noise(everything) / everything
    return removed(gains, of_each * efforts) - of_each * effort


def within_reach(tree: JunctionTree, cliques: Iterable[Clique], limit: int) -> list[Clique]:
    """The cliques that the tree can be asked for, and made to hold, by tables of `limit` cells.

    To join columns of several nodes takes, at each step of the way, a table of all of them and the
    separator. Where ways meet, a projection may also pass through one of the whole node and all but
    two of them.
    """
    domain = tree.domain
    limit = min(limit, MAX_CELLS)
    widest = max(map(domain.cells, tree.separators))
    largest = max(map(domain.cells, tree.nodes))

    def near(clique: Clique) -> bool:
        if tree.host(clique) is not None:
            return True
        sizes = sorted(domain.shape(clique))
        if largest * math.prod(sizes[2:]) > MAX_CELLS:
            return False
        return widest * math.prod(sizes) <= limit or all(
            domain.cells(domain.ordered((*s, *clique))) <= limit
            for s in _separators_between(tree, clique)
        )

    return [c for c in cliques if near(c)]


def _separators_between(tree: JunctionTree, clique: Clique) -> list[Clique]:
    """Those met on the way from the home of each attribute to the others."""
    passed: Counter[int] = Counter()
    for attribute in clique:
        node = tree.homes[attribute]
        while node > 0:
            passed[node] += 1
            node = tree.parents[node]
    return [tree.separators[node] for node, times in passed.items() if times < len(clique)]


def _spanning_forest(pairs: Iterable[Clique], joined: Iterable[Clique]) -> list[Clique]:
    """Kruskal: the pairs in this order, less those that close a cycle with what is joined
    already.
    """
    component: dict[str, str] = {}

    def root(a: str) -> str:
        while component.setdefault(a, a) != a:
            a = component[a]
        return a

    for clique in joined:
        for a in clique[1:]:
            component[root(a)] = root(clique[0])
    chosen: list[Clique] = []
    for a, b in pairs:
        if root(a) != root(b):
            component[root(a)] = root(b)
            chosen.append((a, b))
    return chosen
