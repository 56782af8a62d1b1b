"""What every mechanism promises. A new one joins by being added to MECHANISMS."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.gaussian_dp import COST_UNIT
from dpsynth.kernel.sensitive import _integers
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.marginal.aim import AIM
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.independent import Independent, independent_model
from dpsynth.mechanisms.marginal.mst import MST
from dpsynth.mechanisms.marginal.selection import choose_tree
from dpsynth.mechanisms.oneway import measure_oneways
from dpsynth.mechanisms.prices import Prices
from dpsynth.testing import BlindAccountant, check_mechanism, outcome

MECHANISMS = [Independent(), MST(), MST(oneway_share=0.5), Canopy(), Canopy(max_cells=1), AIM()]
BUDGET = Budget(1.0, 1e-6)
DOMAIN = Domain(
    (("age", 101), ("sex", 3), ("job", 15), ("flag", 2), ("one", 1)), (("age", tuple([1.0] * 60 + [2.0] * 40)),)
)

every_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS, ids=repr)


def random_table(rows, seed, domain=DOMAIN, unit=None):
    """Rows with a dependence: job follows age, flag follows job."""
    rng = np.random.default_rng(seed)
    codes = {a: rng.integers(0, n, rows) for a, n in domain.sizes}
    if {"age", "job", "flag"} <= set(domain.attributes):
        codes["job"] = np.where(rng.random(rows) < 0.8, codes["age"] // 7, codes["job"])
        codes["flag"] = np.where(rng.random(rows) < 0.9, codes["job"] % 2, codes["flag"])
    return PrivateTable.from_codes(codes, domain, unit)


@every_mechanism
def test_it_keeps_the_laws_that_authors_of_mechanisms_test(mechanism):
    check_mechanism(mechanism)


def interferes(mechanism):
    """Whether two unrelated tables of different length can be told apart when no charge looks at them."""
    reserve = mechanism.reserve(BUDGET)
    one = outcome(mechanism, random_table(10, seed=1), BlindAccountant(BUDGET, reserve=reserve))
    other = outcome(mechanism, random_table(2999, seed=2), BlindAccountant(BUDGET, reserve=reserve))
    return one != other


@every_mechanism
def test_what_comes_out_depends_on_the_rows_through_charges_only(mechanism):
    assert not interferes(mechanism)


class Peeks(Mechanism):
    """A mutant: measures, but opens an exact count for its row count."""

    def fit(self, table, accountant):
        oneway = measure_oneways(
            table, accountant, total_cost=accountant.cost_left // 2, oneway_cost=accountant.cost_left // 2
        )
        return independent_model(table.domain, oneway.masses(), float(_integers(table.marginals([()])[()])))


class StopsEarly(Mechanism):
    """A mutant: how much it spends depends on an exact count."""

    def fit(self, table, accountant):
        share = 3 if _integers(table.marginals([("sex",)])["sex",]).max() > 100 else 2
        cost = accountant.cost_left // share
        oneway = measure_oneways(table, accountant, total_cost=cost, oneway_cost=cost)
        return independent_model(table.domain, oneway.masses(), 10.0)


class Tells(Mechanism):
    """A mutant: what it says of its outcome for the certificate depends on an exact count."""

    def fit(self, table, accountant):
        model = Independent().fit(table, accountant)
        return replace(model, outcome=f"fitted to {float(_integers(table.marginals([()])[()])):.0f} rows")


@pytest.mark.parametrize("mutant", [Peeks(), StopsEarly(), Tells()], ids=lambda m: type(m).__name__)
def test_the_wall_of_non_interference_is_no_paint(mutant):
    assert interferes(mutant)


EDGES = {
    "no rows": random_table(0, 0),
    "one row": random_table(1, 0),
    "one attribute": random_table(50, 0, Domain.of({"a": 7})),
    "one cell": random_table(50, 0, Domain.of({"a": 1})),
    "all cells alone": random_table(50, 0, Domain.of({"a": 1, "b": 1})),
    "wide column": random_table(50, 0, Domain.of({"a": 20_000, "b": 3})),
    "many binary columns": random_table(50, 0, Domain.of({f"c{i}": 2 for i in range(40)})),
}


@every_mechanism
@pytest.mark.parametrize("table", EDGES.values(), ids=EDGES.keys())
@pytest.mark.parametrize("epsilon", [1e-3, 50.0])
def test_every_table_can_be_fitted_and_sampled(mechanism, table, epsilon):
    model = mechanism.fit(table, Accountant(Budget(epsilon, 1e-9)))
    assert model.total >= 1
    for rows in (0, 1, 100):
        codes = model.sample(rows, np.random.default_rng(0))
        assert set(codes) == set(table.domain.attributes)
        for a, n in table.domain.sizes:
            assert len(codes[a]) == rows
            assert np.all((codes[a] >= 0) & (codes[a] < n))


@every_mechanism
def test_projections_agree_with_one_another(mechanism):
    model = mechanism.fit(random_table(2000, 0), Accountant(BUDGET))
    for a, b in itertools.permutations(DOMAIN.attributes, 2):
        pair = model.project((a, b))
        assert pair.shape == DOMAIN.shape((a, b))
        assert np.all(pair >= 0)
        np.testing.assert_allclose(pair.sum(axis=1), model.project((a,)), atol=1e-6 * model.total)
        np.testing.assert_allclose(pair, model.project((b, a)).T, atol=1e-6 * model.total)
    assert model.project(()) == pytest.approx(model.total)


def test_mst_finds_dependence_that_independent_columns_lack():
    table = random_table(20_000, 3)
    exact = _integers(table.marginals([("job", "flag")])["job", "flag"])
    errors = {
        type(m).__name__: np.abs(m.fit(table, Accountant(BUDGET)).project(("job", "flag")) - exact).sum()
        for m in (Independent(), MST(), Canopy())
    }
    assert max(errors["MST"], errors["Canopy"]) < 0.2 * errors["Independent"]


def test_mst_buys_the_pairs_that_are_worth_their_noise_and_no_others():
    prices = Prices(cost=COST_UNIT, sensitivity=1.0)
    noise = 16 * math.sqrt(2 / math.pi) * prices.even_stddev(3)
    scores = {("a", "b"): 9 * noise, ("b", "c"): 0.5 * noise, ("a", "c"): 5 * noise, ("c", "d"): 0.1 * noise}
    cells = dict.fromkeys(scores, 16.0)
    assert set(choose_tree(scores, cells, prices, columns=4)) == {("a", "b"), ("a", "c")}
    assert choose_tree(dict.fromkeys(scores, 0.4 * noise / 3), cells, prices, columns=4) == []


@pytest.mark.parametrize("mechanism", [MST(), Canopy()], ids=repr)
def test_without_a_tree_columns_are_independent_and_the_budget_is_spent(mechanism, monkeypatch):
    monkeypatch.setattr(f"{type(mechanism).__module__}.choose_tree", lambda *_, **__: [])
    accountant = Accountant(BUDGET)
    model = mechanism.fit(random_table(500, 0), accountant)
    assert accountant.spent().epsilon == pytest.approx(BUDGET.epsilon, rel=1e-9)
    np.testing.assert_allclose(
        model.project(("job", "flag")) * model.total, np.outer(model.project(("job",)), model.project(("flag",)))
    )


def test_with_much_budget_the_counts_come_back():
    table = random_table(5000, 4)
    model = MST().fit(table, Accountant(Budget(100.0, 1e-2)))
    exact = _integers(table.marginals([("sex",)])["sex",])
    np.testing.assert_allclose(model.project(("sex",)), exact, atol=0.01 * exact.sum())
