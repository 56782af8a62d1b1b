"""Canopy: what the batch adds to the tree, what a target changes, rare levels, few rows, what it refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.sensitive import _integers
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.marginal import canopy
from dpsynth.mechanisms.marginal.canopy import Canopy, pair_weights
from dpsynth.mechanisms.marginal.independent import Independent
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


RARE = Domain.of({"amount": 300, "v1": 300, "hour": 24, "fraud": 2})


def frauds(seed, rows=280_000, rate=0.0018):
    """500 rows of a class that knows the first 6 of 24 hours only; of common rows v1 depends on the amount."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < rate
    amount = np.where(fraud, rng.normal(180, 40, rows), rng.normal(90, 30, rows))
    codes = {
        "amount": amount.astype(int),
        "v1": np.where(fraud, rng.normal(80, 40, rows), amount + rng.normal(70, 15, rows)).astype(int),
        "hour": np.where(fraud, rng.integers(0, 6, rows), rng.integers(0, 24, rows)),
        "fraud": fraud.astype(int),
    }
    return PrivateTable.from_codes(codes, RARE)


def night(mechanism, seed):
    """The share of frauds before 6 h; without dependence .25."""
    model = mechanism.fit(frauds(seed), Accountant(Budget(1.0, 1e-6), unsafe_seed=seed))
    hours = model.project(("fraud", "hour"))[1]
    return float(hours[:6].sum() / hours.sum())


def pair_charges(mechanism, table, seed=1, epsilon=1.0):
    """For each measured pair the part of the budget that went to it."""
    accountant = Accountant(Budget(epsilon, 1e-6), unsafe_seed=seed)
    mechanism.fit(table, accountant)
    lines = [line for line in accountant.ledger.entries() if line["kind"] == "charge"]
    costs = [line["event"]["noise_multiplier"] ** -2 for line in lines]
    found = {}
    for line, cost in zip(lines, costs, strict=True):
        if " x " in line["purpose"]:
            found[line["purpose"]] = found.get(line["purpose"], 0.0) + cost / sum(costs)
    return found


def test_what_depends_on_a_rare_class_is_kept():
    shares = [night(Canopy(), seed) for seed in range(5)]
    assert min(shares) > 0.7
    assert np.mean([night(MST(), seed) for seed in range(5)]) < 0.6


def paid_for_frauds(workload=None):
    charges = pair_charges(Canopy(workload=workload or Workload()), frauds(1))
    return sum(cost for purpose, cost in charges.items() if "fraud" in purpose)


def test_pairs_with_a_rare_level_get_more_of_the_budget_since_it_is_rare(monkeypatch):
    rare = paid_for_frauds()
    monkeypatch.setattr(canopy, "rarity", lambda masses, noise, target: {a: np.ones(m.size) for a, m in masses.items()})
    assert rare > 1.2 * paid_for_frauds()


def test_a_target_changes_what_is_charged_for_a_rare_class():
    assert paid_for_frauds(Workload(target="fraud")) > 1.05 * paid_for_frauds()
    assert np.mean([night(Canopy(workload=Workload(target="fraud")), seed) for seed in range(5)]) > 0.8


def unrelated(seed, rows, columns=10, size=5):
    rng = np.random.default_rng(seed)
    codes = {f"x{i}": rng.integers(0, size, rows) for i in range(columns)}
    return PrivateTable.from_codes(codes, Domain.of(dict.fromkeys(codes, size)))


@pytest.mark.parametrize("rows", [1000, 10_000])
def test_where_nothing_depends_and_rows_are_few_little_is_paid_for_pairs(rows):
    paid = [sum(pair_charges(Canopy(), unrelated(seed, rows), seed).values()) for seed in range(6)]
    assert np.mean(paid) < 0.1


def related(seed, strength, rows=1000, columns=10, size=4):
    """Each column follows the one before it in a part of the rows."""
    rng = np.random.default_rng(seed)
    codes = {"x0": rng.integers(0, size, rows)}
    for i in range(1, columns):
        codes[f"x{i}"] = np.where(rng.random(rows) < strength, codes[f"x{i - 1}"], rng.integers(0, size, rows))
    return PrivateTable.from_codes(codes, Domain.of(dict.fromkeys(codes, size)))


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.8])
def test_a_thousand_rows_are_no_worse_off_than_with_a_tree_or_with_single_columns(strength):
    tables = [related(seed, strength) for seed in range(6)]
    mean = {m: np.mean([error(m, table) for table in tables]) for m in (Canopy(), MST(), Independent())}
    assert mean[Canopy()] < 1.08 * min(mean[MST()], mean[Independent()])


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


def test_the_cells_of_a_column_are_read_once_though_they_are_measured_twice(monkeypatch):
    rows = ring(5_000)
    read, real = [], PrivateTable.marginals

    def marginals(table, cliques):
        read.extend(c for c in cliques if len(c) == 1)
        return real(table, cliques)

    monkeypatch.setattr(PrivateTable, "marginals", marginals)
    accountant = Accountant(Budget(1.0, 1e-9), unsafe_seed=1)
    Canopy().fit(rows, accountant)
    charges = [line for line in accountant.ledger.entries() if line["kind"] == "charge"]
    assert [line["purpose"] for line in charges].count("measure x0") == 2
    assert sorted(read) == [(a,) for a in rows.domain.attributes]
