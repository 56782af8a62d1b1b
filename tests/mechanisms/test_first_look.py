"""A first look at the pairs of a wide table: what it finds, what it asks, what it costs, and what a plan says of it."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

import dpsynth
from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.sensitive import _integers
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms import prices
from dpsynth.mechanisms.marginal import first_look
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.dependence import by_chance
from dpsynth.mechanisms.marginal.first_look import FirstLook, _halves, _taken, look_rounds, most_scored
from dpsynth.mechanisms.marginal.known import Known
from dpsynth.mechanisms.marginal.mst import MST
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.mechanisms.prices import cells_of_pairs, cells_to_count, in_parts, informative_pairs, is_wide
from dpsynth.testing import BlindAccountant, check_mechanism, outcome

WIDE = Path(__file__).parents[2] / "benchmarks" / "results" / "wide.json"
MUCH = Budget(60.0, 1e-6)
FITS = [MST(), Canopy(), Canopy(workload=Workload(target="c3")), Canopy(max_cells=1)]


@pytest.fixture(autouse=True)
def few_pairs_are_many(monkeypatch):
    monkeypatch.setattr(prices, "MOST_PAIRS", 20)


def couples(columns=40, rows=4000, seed=0, unit=None, noise=0.3):
    """Columns in an order of chance, of which each follows one other; and who follows whom."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(columns).tolist()
    codes = {f"c{i}": rng.integers(0, 2 + i % 3, rows) for i in range(columns)}
    pairs = []
    for i, j in zip(order[::2], order[1::2], strict=True):
        follows = codes[f"c{i}"] % (2 + j % 3)
        codes[f"c{j}"] = np.where(rng.random(rows) < noise, codes[f"c{j}"], follows)
        pairs.append(tuple(f"c{k}" for k in sorted((i, j))))
    ids = None if unit is None else np.arange(rows) // 2
    domain = Domain.of({f"c{i}": 2 + i % 3 for i in range(columns)})
    return PrivateTable.from_codes(codes, domain, unit, ids), pairs


def looked(table, accountant, cost=None, always=()):
    """What a look finds whose columns are known as they are."""
    counts = table.marginals([(a,) for a in table.domain.attributes])
    masses = {c[0]: _integers(x).astype(float) for c, x in counts.items()}
    noise = {a: np.zeros(mass.size) for a, mass in masses.items()}
    cost = cost or accountant.cost_left // max(1, look_rounds(len(masses)))
    return FirstLook(accountant, cost, frozenset(always)).pairs(table, masses, noise, 1.0)


@pytest.mark.parametrize("mechanism", FITS, ids=repr)
def test_a_fit_that_looks_first_keeps_the_laws_of_mechanisms(mechanism):
    schema = dpsynth.Schema({f"c{i}": dpsynth.Categorical([*"abcd"][: 2 + i % 3]) for i in range(8)})
    check_mechanism(mechanism, schema=schema)


@pytest.mark.parametrize("mechanism", FITS, ids=repr)
def test_where_no_charge_looks_two_tables_are_asked_alike(mechanism):
    budget = Budget(1.0, 1e-6)
    one, other = (
        outcome(mechanism, couples(10, rows, seed)[0], BlindAccountant(budget)) for rows, seed in ((9, 1), (900, 2))
    )
    assert one == other
    assert "look at pairs" in str(one)


def test_each_column_finds_the_one_that_it_depends_on():
    table, pairs = couples()
    found = looked(table, Accountant(MUCH, unsafe_seed=1))
    assert {*pairs} <= {*found}
    assert len(found) <= most_scored(table.domain) < len(informative_pairs(table.domain)) / 4
    assert found == [c for c in informative_pairs(table.domain) if c in {*found}]


def test_the_best_of_all_pairs_are_found_as_by_brute_force():
    table, _ = couples(30, noise=0.8, seed=4)
    answers = table.marginals(informative_pairs(table.domain))
    exact = {}
    for (a, b), x in answers.items():
        counts = _integers(x)
        expected = np.multiply.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
        exact[a, b] = np.abs(counts - np.rint(expected)).sum() - 0.8 * counts.size
    found = looked(table, Accountant(Budget(100.0, 1e-6), unsafe_seed=2))
    best = {max((c for c in exact if a in c), key=exact.__getitem__) for a in table.domain.attributes}
    assert {c for c in best if exact[c] > 900} <= {*found}


def test_a_look_that_sees_nothing_finds_no_more_than_chance():
    table, pairs = couples()
    found = [{*looked(table, Accountant(Budget(1e-3, 1e-6), unsafe_seed=s))} & {*pairs} for s in range(5)]
    assert np.mean([len(each) for each in found]) < 0.5 * len(pairs)


def test_each_round_is_one_charge_of_which_a_unit_moves_no_score_further_than_its_records():
    unit = PrivacyUnit("id", 2)
    table, _ = couples(unit=unit)
    accountant = Accountant(MUCH, unsafe_seed=1)
    before = accountant.cost_left
    looked(table, accountant)
    charges = [line["purpose"] for line in accountant.ledger.entries() if line["kind"] == "charge"]
    assert len(charges) == look_rounds(40)
    assert charges[0] == "look at pairs in 160 blocks"
    assert accountant.cost_left < 1e-9 * before


def test_what_is_wanted_for_public_reasons_is_scored_whatever_is_seen():
    table, _ = couples(24)
    always = {table.domain.ordered((a, "c5")) for a in table.domain.attributes if a != "c5"}
    assert Canopy(workload=Workload(target="c5"))._always(table.domain) == always
    assert always <= {*looked(table, Accountant(Budget(1e-3, 1e-6), unsafe_seed=1), always=always)}
    known = Known(("c1", "c2", "c7"), np.ones((3, 4, 3)), 1.0, "a census")
    assert Canopy(known=(known,))._always(table.domain) == {("c1", "c2"), ("c1", "c7"), ("c2", "c7")}


def test_columns_of_one_cell_and_columns_alone_need_no_look():
    codes = {f"c{i}": np.zeros(50, dtype=int) for i in range(30)}
    table = PrivateTable.from_codes(codes, Domain.of(dict.fromkeys(codes, 1)))
    accountant = Accountant(MUCH, unsafe_seed=1)
    assert looked(table, accountant, cost=1) == []
    assert [line for line in accountant.ledger.entries() if line["kind"] == "charge"] == []
    for sizes in (dict.fromkeys(codes, 1), {"c0": 9}, {**dict.fromkeys(codes, 1), "c3": 4}):
        assert not is_wide(Domain.of(sizes))


@pytest.mark.parametrize("columns", [1, 3, 4, 5, 8, 9, 17, 245, 1000])
def test_halving_ends_with_single_columns_after_the_rounds_that_are_said(columns):
    ends = np.linspace(0, columns, 5).astype(int).tolist()
    blocks = [*itertools.pairwise(ends)]
    for _ in range(look_rounds(columns)):
        halves = [*_halves(blocks)]
        assert [j for start, end in halves for j in range(start, end)] == [*range(columns)]
        blocks = halves
    assert max(end - start for start, end in blocks) == 1


def test_what_is_taken_off_is_about_what_chance_makes_of_a_pair():
    rng = np.random.default_rng(0)
    masses = {f"c{i}": rng.dirichlet(np.full(n, 3.0)) * 50_000 for i, n in enumerate((2, 8, 30, 9))}
    noise = {a: np.full(m.size, 40.0) for a, m in masses.items()}
    taken = _taken([*masses], masses, noise, 0.0)
    for i, j in itertools.combinations(range(4), 2):
        a, b = f"c{i}", f"c{j}"
        chance = by_chance(np.multiply.outer(masses[a], masses[b]) / 50_000, noise[a], noise[b])
        assert taken[i, j] == taken[j, i] == pytest.approx(chance, rel=0.25)
    dearer = _taken([*masses], masses, noise, 10.0) - taken
    assert dearer[1, 2] == pytest.approx(10 * 240 * math.sqrt(2 / math.pi), abs=2)


def test_parts_hold_each_pair_once_and_few_cells(monkeypatch):
    domain = Domain.of({f"c{i}": 2 + 7 * (i % 9) for i in range(40)})
    monkeypatch.setattr(prices, "CELLS_AT_ONCE", 50_000)
    parts = [*in_parts(domain, informative_pairs(domain))]
    assert [c for part in parts for c in part] == informative_pairs(domain)
    assert len(parts) > 3
    assert all(sum(cells_to_count(domain.cells(c)) for c in part[:-1]) < 50_000 for part in parts)


@pytest.mark.parametrize("size", [2, 3, 8, 16, 100, 128])
def test_a_joint_table_has_as_many_cells_as_are_said(size):
    from dpsynth.base.cover import cover

    domain = Domain.of({f"c{i}": size for i in range(30)})
    pairs = informative_pairs(domain)
    joints = sum(map(domain.cells, cover(domain, pairs)))
    assert 0.5 * joints < len(pairs) * cells_to_count(size * size) < 2 * joints


def test_pairs_are_counted_without_their_names():
    domain = Domain.of({"a": 1, "b": 3, "c": 2000, "d": 700, "e": 2})
    assert sorted(cells_of_pairs(domain)) == sorted(map(domain.cells, informative_pairs(domain)))
    assert cells_of_pairs(Domain.of({"a": 1})).size == 0


def test_the_wide_tables_that_were_measured_took_what_their_plans_say(monkeypatch):
    monkeypatch.setattr(prices, "MOST_PAIRS", 30_000)
    results = json.loads(WIDE.read_text())["results"]
    levels, rows = results.pop("levels"), results.pop("rows")
    assert "1000" in {case.split()[0] for case in results}
    for case, found in results.items():
        columns, epsilon = int(case.split()[0]), float(case.split()[-1])
        schema = dpsynth.Schema({f"c{i}": dpsynth.Categorical([*range(levels)]) for i in range(columns)})
        for mechanism, took in found.items():
            plan = dpsynth.Synthesizer(schema, mechanism, epsilon=epsilon, delta=1e-9, ledger=None).plan(rows=rows)
            assert plan.seconds[0] <= took["CPU s"] <= plan.seconds[1]
            assert 0.3 * plan.megabytes < took["peak MB"] < plan.megabytes
            assert (first_look.FIRST_LOOK in [q.what for q in plan.queries]) == (mechanism != "independent")
