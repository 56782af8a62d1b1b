"""What to measure: the rules, each against what it would be by brute force or on average."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.gaussian_dp import COST_UNIT
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.marginal.selection import Scores, choose_batch, choose_tree, distances
from dpsynth.mechanisms.prices import MEAN_ABS, Prices
from dpsynth.models.junction_tree import tree_cells

PRICES = Prices(cost=COST_UNIT, sensitivity=1.0)


def test_shares_are_those_that_make_the_sum_of_noise_least():
    cells = {("a", "b"): 12.0, ("a", "c"): 300.0, ("b", "c"): 40.0}

    def noise(costs):
        return sum(MEAN_ABS * cells[c] * PRICES.stddev(int(costs[c])) for c in cells)

    best = noise(PRICES.shared(cells))
    assert PRICES.noise(sum(k ** (2 / 3) for k in cells.values())) == pytest.approx(best, rel=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(200):
        other = rng.dirichlet(np.ones(3)) * PRICES.cost
        assert noise(dict(zip(cells, other, strict=True))) >= best * (1 - 1e-6)


@pytest.mark.parametrize("pairs", [1, 2, 45, 300])
def test_scores_of_pure_noise_do_not_tell_pairs_apart(pairs):
    rng = np.random.default_rng(pairs)
    names = [(str(i), "x") for i in range(pairs)]
    found = [Scores(dict(zip(names, rng.normal(50, 7, pairs), strict=True)), 7.0).tell_apart() for _ in range(400)]
    told = [Scores(dict(zip(names, rng.normal(0, 7, pairs), strict=True)), 7.0).tell_apart() for _ in range(400)]
    assert np.mean(found if pairs > 1 else told) < 0.08


def test_scores_beyond_their_noise_do():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = rng.normal(0, 7, 100) + np.where(np.arange(100) < 10, 40, 0)
        assert Scores({(str(i), "x"): v for i, v in enumerate(values)}, 7.0).tell_apart()


def test_a_distance_that_noise_made_negative_is_no_gain():
    assert Scores({("a", "b"): 7.5, ("a", "c"): -5.0}, 1.0).gains() == {("a", "b"): 7.5, ("a", "c"): 0}


def test_distances_are_those_of_the_counts_and_one_charge():
    rng = np.random.default_rng(2)
    domain = Domain.of({"a": 3, "b": 4, "c": 2})
    codes = {a: rng.integers(0, n, 500) for a, n in domain.sizes}
    pairs = list(itertools.combinations(domain.attributes, 2))
    accountant = Accountant(Budget(100.0, 1e-2), unsafe_seed=0)
    guess = {c: np.full(domain.shape(c), 500 / domain.cells(c)) for c in pairs}
    answers = PrivateTable.from_codes(codes, domain).marginals(pairs)
    (scores,) = distances([(answers, guess)], accountant, accountant.cost_left // 2)
    assert [line["kind"] for line in accountant.ledger.entries()].count("charge") == 1
    for a, b in pairs:
        exact = np.zeros(domain.shape((a, b)))
        np.add.at(exact, (codes[a], codes[b]), 1)
        error = np.abs(exact - np.rint(guess[a, b])).sum()
        assert scores.values[a, b] == pytest.approx(error, abs=6 * scores.stddev)


def random_offer(seed, columns=5):
    rng = np.random.default_rng(seed)
    domain = Domain.of({f"c{i}": int(k) for i, k in enumerate(rng.integers(2, 9, columns))})
    pairs = list(itertools.combinations(domain.attributes, 2))
    cells = {c: float(domain.cells(c)) for c in pairs}
    unit = PRICES.noise(1.0)
    return domain, {c: float(g) for c, g in zip(pairs, rng.gamma(0.7, 150 * unit, len(pairs)), strict=True)}, cells


def worth(chosen, gains, cells):
    """What is removed of each gain, where an estimate leaves 1 / sqrt(1/gain^2 + 1/noise^2) of it."""
    costs = PRICES.shared({c: cells[c] for c in chosen})
    noise = {c: MEAN_ABS * cells[c] * PRICES.stddev(costs[c]) for c in chosen}
    return sum(gains[c] - (gains[c] ** -2 + noise[c] ** -2) ** -0.5 for c in chosen)


@pytest.mark.parametrize("seed", range(15))
def test_a_batch_is_nearly_the_best_of_all_subsets(seed):
    domain, gains, cells = random_offer(seed)
    chosen = choose_batch(gains, cells, PRICES, effort=0.0, domain=domain, held=[], max_cells=10**9)
    subsets = itertools.chain(*(itertools.combinations(gains, k) for k in range(len(gains) + 1)))
    best = max(worth(s, gains, cells) for s in subsets)
    assert worth(chosen, gains, cells) >= 0.95 * best


@pytest.mark.parametrize("max_cells", [1, 100, 500, 5000])
def test_a_batch_leaves_the_junction_tree_small_enough(max_cells):
    domain, gains, cells = random_offer(1, columns=8)
    chosen = choose_batch(gains, cells, PRICES, effort=0.0, domain=domain, held=[], max_cells=max_cells)
    assert not chosen or tree_cells(domain, chosen) <= max_cells
    if max_cells == 5000:
        assert len(chosen) > 8


def test_what_shares_the_budget_makes_noise_dearer():
    domain, gains, cells = random_offer(2, columns=8)
    few, many = (
        choose_batch(gains, cells, PRICES, effort=e, domain=domain, held=[], max_cells=10**9) for e in (2000.0, 0.0)
    )
    assert len(few) < len(many)


@pytest.mark.parametrize("seed", range(10))
def test_a_tree_is_the_best_spanning_forest_when_all_of_it_is_worth_its_noise(seed):
    _, gains, _ = random_offer(seed)
    gains = {c: 1e6 + g for c, g in gains.items()}
    cells = dict.fromkeys(gains, 4.0)
    trees = [t for t in itertools.combinations(gains, 4) if len({x for c in t for x in c}) == 5 and acyclic(t)]
    assert math.fsum(gains[c] for c in choose_tree(gains, cells, PRICES, columns=5)) == pytest.approx(
        max(math.fsum(gains[c] for c in t) for t in trees)
    )


def acyclic(pairs):
    parts = {}
    for a, b in pairs:
        left, right = parts.get(a, {a}), parts.get(b, {b})
        if left & right:
            return False
        for x in left | right:
            parts[x] = left | right
    return True
