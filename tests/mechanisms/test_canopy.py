"""Canopy: what the batch adds to the tree, what a target changes, what it refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.sensitive import _integers
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.marginal.canopy import Canopy, pair_weights
from dpsynth.mechanisms.marginal.mst import MST
from dpsynth.mechanisms.marginal.workload import Workload


def ring(rows, columns=6, size=4, seed=0):
    """Each column follows the one before it and the one at the other side of the ring: no tree holds all of it."""
    rng = np.random.default_rng(seed)
    codes = {"x0": rng.integers(0, size, rows)}
    for i in range(1, columns):
        follow = np.where(rng.random(rows) < 0.5, codes[f"x{i - 1}"], codes[f"x{i // 2}"])
        codes[f"x{i}"] = np.where(rng.random(rows) < 0.6, follow, rng.integers(0, size, rows))
    return PrivateTable.from_codes(codes, Domain.of(dict.fromkeys(codes, size)))


def error(mechanism, table, epsilon=1.0, cliques=None):
    cliques = cliques or list(itertools.combinations(table.domain.attributes, 2))
    model = mechanism.fit(table, Accountant(Budget(epsilon, 1e-9), unsafe_seed=1))
    answers = table.marginals(cliques)
    return np.mean([np.abs(model.project(c) - _integers(answers[c])).sum() for c in cliques])


def test_the_batch_removes_most_of_what_a_tree_leaves():
    table = ring(50_000)
    assert error(Canopy(), table) < 0.4 * error(MST(), table)


@pytest.mark.parametrize(("max_cells", "columns"), [(1, 1), (16, 2)])
def test_no_cells_for_a_batch_leave_a_tree_and_none_for_a_pair_single_columns(max_cells, columns):
    table = ring(50_000)
    model = Canopy(max_cells=max_cells).fit(table, Accountant(Budget(1.0, 1e-9), unsafe_seed=1))
    assert max(len(node) for node in model.coarse.tree.nodes) == columns


@pytest.mark.parametrize("weight", [1e12, 1e-12])
def test_a_workload_of_extremes_is_a_workload_like_any_other(weight):
    accountant = Accountant(Budget(1.0, 1e-6), unsafe_seed=1)
    Canopy(workload=Workload(weights={("x0", "x1"): weight})).fit(ring(2000), accountant)
    assert accountant.spent().epsilon == pytest.approx(1.0, rel=1e-9)


def test_the_junction_tree_keeps_its_limit():
    model = Canopy(max_cells=200).fit(ring(50_000), Accountant(Budget(10.0, 1e-9), unsafe_seed=1))
    assert 100 < model.coarse.tree.cells <= 200


def test_a_target_makes_its_pairs_count_more():
    domain = Domain.of(dict.fromkeys("abcd", 3))
    pairs = list(itertools.combinations("abcd", 2))
    even = pair_weights(Workload(), domain, pairs)
    aimed = pair_weights(Workload(target="d"), domain, pairs)
    assert set(even.values()) == {1.0}
    assert np.mean(list(aimed.values())) == pytest.approx(1)
    assert min(w for c, w in aimed.items() if "d" in c) > max(w for c, w in aimed.items() if "d" not in c)


def test_a_target_brings_its_marginals_nearer():
    table = ring(3000, columns=10)
    held = [c for c in itertools.combinations(table.domain.attributes, 2) if "x9" in c]
    plain, aimed = (
        np.mean([error(Canopy(workload=w), ring(3000, 10, seed=s), 0.5, held) for s in range(6)])
        for w in (Workload(), Workload(target="x9", target_weight=1000.0))
    )
    assert aimed < plain


def test_pairs_of_no_weight_are_not_measured():
    weights = dict.fromkeys(itertools.combinations(["x0", "x1", "x2"], 3), 0.0)
    workload = Workload(weights=weights)
    model = Canopy(workload=workload).fit(ring(5000, columns=3), Accountant(Budget(1.0, 1e-9), unsafe_seed=1))
    assert model.coarse.tree.cells <= 3


@pytest.mark.parametrize(
    "settings",
    [{"workload": Workload(target="nobody")}, {"max_cells": 0}, {"tree_share": 1.0}, {"oneway_share": 0.99}],
)
def test_what_it_cannot_do_is_refused_before_anything_is_charged(settings):
    accountant = Accountant(Budget(1.0, 1e-9))
    with pytest.raises(ValueError, match=r"nobody|max_cells|share"):
        Canopy(**settings).fit(ring(10), accountant)
    assert accountant.spent().epsilon == 0
