"""AIM: what it measures, what it leaves, and how large its model may grow."""

from __future__ import annotations

import itertools
import json
import logging

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.gaussian_dp import COST_UNIT
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.marginal import aim, selection
from dpsynth.mechanisms.marginal.aim import AIM, Choice, acyclic, candidates
from dpsynth.mechanisms.marginal.mst import MST
from dpsynth.mechanisms.marginal.selection import Scores, within_reach
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.mechanisms.prices import Prices
from dpsynth.models import projection
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.junction_tree import tree_cells
from dpsynth.testing import BlindAccountant

BUDGET = Budget(1.0, 1e-6)


def table_of(codes):
    return PrivateTable.from_codes(codes, Domain.of({a: int(c.max()) + 1 for a, c in codes.items()}))


def chain(rows, seed, columns=6, cells=4):
    """Each column mostly repeats the one before."""
    rng = np.random.default_rng(seed)
    codes = {"c0": rng.integers(0, cells, rows)}
    for i in range(1, columns):
        fresh = rng.integers(0, cells, rows)
        codes[f"c{i}"] = np.where(rng.random(rows) < 0.7, codes[f"c{i - 1}"], fresh)
    return codes


def measured(accountant):
    """The cliques of two or more columns that charges measured, in order."""
    purposes = (line["purpose"] for line in accountant.ledger.entries() if line["kind"] == "charge")
    return [tuple(p.removeprefix("measure ").split(" x ")) for p in purposes if " x " in p]


def fitted(mechanism, codes, budget=BUDGET, seed=0):
    accountant = Accountant(budget, unsafe_seed=seed)
    return mechanism.fit(table_of(codes), accountant), accountant


def test_a_dependence_that_takes_three_columns_to_see_is_found_where_the_workload_wants_it():
    rng = np.random.default_rng(0)
    codes = {a: rng.integers(0, 2, 20_000) for a in "abde"}
    codes["c"] = codes["a"] ^ codes["b"]
    exact = np.zeros((2, 2, 2))
    np.add.at(exact, (codes["a"], codes["b"], codes["c"]), 1)
    errors = {}
    for degree in (2, 3):
        model, _ = fitted(AIM(Workload(degree=degree)), codes)
        errors[degree] = np.abs(model.project(("a", "b", "c")) - exact).sum() / 20_000
    assert errors[3] < 0.1
    assert errors[2] > 0.9


def test_a_cycle_that_no_tree_holds_is_learned():
    codes = chain(20_000, 1)
    rng = np.random.default_rng(2)
    codes["c0"] = np.where(rng.random(20_000) < 0.5, codes["c5"], codes["c0"])
    pairs = list(itertools.combinations(codes, 2))
    exact = {}
    for pair in pairs:
        exact[pair] = np.zeros((4, 4))
        np.add.at(exact[pair], (codes[pair[0]], codes[pair[1]]), 1)
    errors = {}
    for mechanism in (MST(), AIM()):
        model, _ = fitted(mechanism, codes)
        errors[type(mechanism)] = sum(np.abs(model.project(c) - exact[c]).sum() for c in pairs)
    assert errors[AIM] < 0.6 * errors[MST]


def test_the_target_of_the_workload_is_measured_more():
    rng = np.random.default_rng(3)
    codes = {f"c{i}": rng.integers(0, 3, 5_000) for i in range(8)}
    for i in range(1, 8):
        codes[f"c{i}"] = np.where(rng.random(5_000) < 0.4, codes["c0"], codes[f"c{i}"])
    plain, aimed = (fitted(AIM(w), codes)[1] for w in (Workload(2), Workload(2, target="c7", target_weight=50.0)))
    share = [np.mean(["c7" in c for c in measured(a)]) for a in (plain, aimed)]
    assert share[1] > 1.5 * share[0]


def test_where_columns_are_independent_nothing_is_bought_and_the_budget_goes_to_the_columns():
    rng = np.random.default_rng(4)
    codes = {f"c{i}": rng.integers(0, 3, 300) for i in range(6)}
    model, accountant = fitted(AIM(), codes, Budget(0.3, 1e-6))
    assert measured(accountant) == []
    assert accountant.spent().epsilon == pytest.approx(0.3, rel=1e-9)
    pair = model.project(("c0", "c1"))
    np.testing.assert_allclose(pair * model.total, np.outer(pair.sum(1), pair.sum(0)))


def test_scores_that_noise_explains_buy_nothing_whatever_the_rows():
    accountant = BlindAccountant(Budget(0.01, 1e-6))
    AIM().fit(table_of(chain(2_000, 5)), accountant)
    assert measured(accountant) == []


@pytest.mark.parametrize("cells", [1, 200, 5_000])
def test_the_model_is_no_larger_than_it_may_be(cells):
    model, accountant = fitted(AIM(max_model_cells=cells), chain(20_000, 6, columns=9, cells=6), Budget(20.0, 1e-6))
    assert bool(measured(accountant)) == (cells > 1)
    assert model.coarse.tree.cells <= max(cells, 54)
    assert accountant.spent().epsilon == pytest.approx(20.0, rel=1e-9)


def test_the_model_grows_as_the_budget_is_spent(monkeypatch):
    cells = []
    estimate = aim.estimate_exactly

    def watched(*given, **named):
        cells.append(estimate(*given, **named).tree.cells)
        return estimate(*given, **named)

    monkeypatch.setattr(aim, "estimate_exactly", watched)
    fitted(AIM(max_model_cells=200), chain(20_000, 6, columns=9, cells=6), Budget(20.0, 1e-6))
    assert cells[0] == 54
    assert cells[1] <= 100 < 150 < cells[-1] <= 200


def test_noise_is_halved_when_it_hides_what_is_left_to_learn():
    _, accountant = fitted(AIM(rounds=16), chain(20_000, 7))
    events = [e for e in accountant.ledger.entries() if e["kind"] == "charge" and " x " in e["purpose"]]
    noise = [e["event"]["noise_multiplier"] for e in events]
    assert noise == sorted(noise, reverse=True)
    levels = list(dict.fromkeys(noise))
    assert levels[1] == pytest.approx(levels[0] / 2)


def test_a_column_that_the_table_lacks_is_refused_before_anything_is_charged():
    accountant = Accountant(BUDGET)
    with pytest.raises(ValueError, match="lacks: name one of"):
        AIM(Workload(target="income")).fit(table_of(chain(100, 0)), accountant)
    assert accountant.spent().epsilon == 0


def test_many_columns_are_measured_by_pairs():
    few, many = (Domain.of({f"c{i}": 2 for i in range(n)}) for n in (28, 29))
    assert {len(c) for c in candidates(Workload(), few)} == {2, 3}
    assert {len(c) for c in candidates(Workload(), many)} == {2}
    assert len(candidates(Workload(), few)) <= aim.MAX_CANDIDATES


def test_candidates_are_of_columns_with_several_cells():
    domain = Domain.of({"a": 2, "one": 1, "b": 3, "c": 2})
    assert set(candidates(Workload(), domain)) == {("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")}


def test_a_batch_is_the_best_without_a_cycle():
    ranked = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d", "e"), ("e", "a"), ("f", "b"), ("d", "f", "g")]
    assert acyclic(ranked) == [("a", "b"), ("b", "c"), ("c", "d", "e"), ("f", "b")]


def test_a_batch_holds_no_candidate_below_its_noise_and_fits_the_model():
    domain = Domain.of({f"c{i}": 5 for i in range(8)})
    rng = np.random.default_rng(8)
    choice = Choice(domain, candidates(Workload(), domain), Prices(COST_UNIT, 1.0), 1000.0)
    scores = Scores({c: float(rng.uniform(0, 200)) for c in choice.weights}, 1.0)
    bought = [("c0", "c1"), ("c1", "c2"), ("c2", "c3"), ("c3", "c4"), ("c0", "c4")]
    for limit in (400, 700, 10_000):
        batch = choice.batch(scores, bought, limit, COST_UNIT)
        assert batch == acyclic(batch)
        assert tree_cells(domain, [*bought, *batch]) <= limit
        assert all(scores.values[c] > choice.noise(c, COST_UNIT) for c in batch)
    assert sum(len(c) - 1 for c in batch) == 7
    assert choice.batch(scores, bought, limit, COST_UNIT // 10**6) == []


def test_a_candidate_whose_noise_exceeds_the_table_is_not_scored():
    domain = Domain.of({"a": 4, "b": 4, "c": 50})
    choice = Choice(domain, candidates(Workload(), domain), Prices(COST_UNIT, 1.0), 100.0)
    assert choice.pool(choice.weights, COST_UNIT) == [("a", "b")]


def models(number):
    """Random models of small and large columns, with nodes of several columns and long ways between them."""
    rng = np.random.default_rng(9)
    for _ in range(number):
        domain = Domain.of({f"c{i}": int(n) for i, n in enumerate(rng.choice([2, 3, 9], size=9))})
        pairs = [domain.ordered(rng.choice(domain.attributes, 2, replace=False)) for _ in range(10)]
        yield GraphicalModel.of(domain, 1.0, {c: np.zeros(domain.shape(c)) for c in pairs})


def passes(model, clique):
    try:
        model.project(clique)
    except ValueError:
        return False
    return True


def test_whatever_is_within_reach_can_be_projected(monkeypatch):
    """Under limits so small that much cannot be; and most of what can be is within reach."""
    refused = passed = reached = 0
    for model, times in zip(models(60), itertools.cycle([1, 3, 8]), strict=False):
        most = times * max(model.domain.cells(node) for node in model.tree.nodes)
        for module in (selection, projection):
            monkeypatch.setattr(module, "MAX_CELLS", most)
        cliques = [c for k in (2, 3, 4) for c in itertools.combinations(model.domain.attributes, k)]
        possible = {c for c in cliques if passes(model, c)}
        near = set(within_reach(model.tree, cliques, most))
        assert near <= possible
        assert {c for c in cliques if model.tree.host(c) is not None} <= near
        pairs = {c for c in possible if len(c) == 2}
        refused, passed, reached = (
            refused + len(cliques) - len(possible),
            passed + len(pairs),
            reached + len(near & pairs),
        )
    assert refused > 1_000
    assert reached > 0.8 * passed


@pytest.mark.parametrize(
    "settings",
    [{"workload": "income"}, {"rounds": 0}, {"rounds": 2.5}, {"max_model_cells": True}, {"select_share": 1.0}],
    ids=repr,
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"Workload|whole number|shares"):
        AIM(**settings)


def test_the_certificate_holds_the_workload():
    rows = pd.DataFrame(chain(500, 0, columns=3))
    schema = dpsynth.Schema({c: dpsynth.Categorical(range(4)) for c in rows})
    workload = Workload(target="c1", weights={("c0", "c2"): 3.0})
    synthesizer = dpsynth.Synthesizer(schema, "aim", epsilon=1.0, delta=1e-6, workload=workload, ledger=None).fit(rows)
    mechanism = json.loads(synthesizer.certificate.to_json())["mechanism"]
    assert mechanism["name"] == "aim"
    assert Workload(**mechanism["settings"]["workload"]) == workload


def test_the_share_of_the_rounds_that_is_told_follows_the_budget_and_ends_at_all_of_it(caplog):
    with caplog.at_level(logging.DEBUG, logger="dpsynth"):
        _, accountant = fitted(AIM(), chain(20_000, 0))
    stages = [getattr(record, "stage", None) for record in caplog.records]
    rounds = caplog.records[stages.index("measuring round after round") :]
    shares = np.array([record.done for record in rounds if hasattr(record, "done")])
    assert len(measured(accountant)) > 5
    assert np.all(np.diff(shares) >= 0)
    assert shares[0] < 0.5
    assert shares[-1] == pytest.approx(1, abs=1e-9)
