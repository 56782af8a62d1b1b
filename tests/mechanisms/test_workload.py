"""Workload: counting agrees with listing, and what makes no sense is refused with a sentence."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.mechanisms.marginal.workload import Workload

SMALL = Domain.of({"a": 2, "b": 5, "c": 3, "d": 7, "e": 4, "f": 30})
WORKLOADS = {
    "default": Workload(),
    "columns": Workload(degree=1),
    "by fours": Workload(degree=4),
    "target": Workload(target="c"),
    "limit": Workload(max_cells=100),
    "limit and target": Workload(degree=4, target="e", target_weight=0.5, max_cells=90),
    "a column over the limit": Workload(degree=2, max_cells=20),
    "stated": Workload(target="a", weights={("c", "b"): 5.0, ("d", "a", "e"): 7.0}),
    "removed": Workload(degree=2, weights=dict.fromkeys(itertools.combinations("abcde", 2), 0.0)),
    "beyond the degree": Workload(degree=2, weights={("a", "b", "c", "d"): 2.0, ("f",): 3.0}),
    "one too large": Workload(max_cells=100, weights={("f", "d", "b"): 1.5, ("a", "f"): 0.0}),
}

every_workload = pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS.keys())


def listed(workload, domain):
    """The workload by its words: the largest cliques that fit, then what is stated."""
    fits = [
        c
        for size in range(1, min(workload.degree, len(domain.attributes)) + 1)
        for c in itertools.combinations(domain.attributes, size)
        if size == 1 or domain.cells(c) <= workload.max_cells
    ]
    largest = [c for c in fits if not any(set(c) < set(other) for other in fits)]
    weights = {c: workload.target_weight if workload.target in c else 1.0 for c in largest}
    weights.update({domain.ordered(c): w for c, w in workload.weights})
    return {c: w for c, w in weights.items() if w > 0}


@every_workload
def test_the_marginals_are_the_largest_that_fit_and_those_stated(workload):
    assert workload.marginals(SMALL) == listed(workload, SMALL)


@every_workload
def test_what_a_clique_weighs_is_what_the_paper_sums(workload):
    wanted = listed(workload, SMALL)
    for size in range(5):
        for clique in itertools.combinations(SMALL.attributes, size):
            summed = sum(w * len(set(clique) & set(c)) for c, w in wanted.items())
            assert workload.weight(clique, SMALL) == pytest.approx(summed, abs=1e-9)


@every_workload
@pytest.mark.parametrize("degree", [1, 2, 4])
def test_candidates_are_the_parts_of_the_marginals(workload, degree):
    parts = {
        part
        for c in listed(workload, SMALL)
        for size in range(1, degree + 1)
        for part in itertools.combinations(c, size)
    }
    found = workload.candidates(SMALL, degree=degree)
    assert set(found) == parts
    assert [len(c) for c in found] == sorted(len(c) for c in found)
    assert found == {c: workload.weight(c, SMALL) for c in parts}


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_fewer_columns_than_the_degree_are_wanted_all_together(columns):
    domain = Domain.of(dict.fromkeys("abc"[:columns], 3))
    assert Workload(degree=4).marginals(domain) == {domain.attributes: 1.0}
    assert Workload(degree=4).weight(domain.attributes, domain) == columns


def test_random_domains_are_counted_as_they_are_listed():
    rng = np.random.default_rng(0)
    for _ in range(30):
        domain = Domain.of({f"c{i}": int(n) for i, n in enumerate(rng.integers(1, 40, size=7))})
        workload = Workload(int(rng.integers(1, 5)), f"c{rng.integers(7)}", 3.0, (), int(rng.integers(5, 3000)))
        wanted = listed(workload, domain)
        assert workload.marginals(domain) == wanted
        counted = {a: sum(w for c, w in wanted.items() if a in c) for a in domain.attributes}
        assert workload.importance(domain) == pytest.approx(counted)


def test_hundreds_of_columns_are_counted_without_a_list():
    domain = Domain.of({f"c{i}": 2 + i % 97 for i in range(250)})
    workload = Workload(target="c249")
    importance = workload.importance(domain)
    assert importance["c0"] == 249 * 248 / 2 + 3 * 248
    assert importance["c249"] == 4 * 249 * 248 / 2
    limited = Workload(max_cells=20_000).importance(domain)
    assert limited["c96"] < limited["c48"] < limited["c0"] == 249 * 248 / 2
    assert len(workload.candidates(domain, degree=2)) == 250 + 250 * 249 // 2


def test_the_target_weighs_as_much_as_all_the_others_among_fifteen_columns():
    domain = Domain.of({f"c{i}": 4 for i in range(15)})
    weights = Workload(target="c3").marginals(domain)
    assert sum(w for c, w in weights.items() if "c3" in c) == sum(w for c, w in weights.items() if "c3" not in c)


def test_a_workload_is_a_plain_value():
    workload = Workload(target="a", weights={("b", "a"): 2})
    assert workload == Workload(target="a", weights=((("b", "a"), 2.0),))
    assert hash(workload) == hash(Workload(target="a", weights=((("b", "a"), 2.0),)))
    settings = json.loads(json.dumps(asdict(workload)))
    assert Workload(**settings) == workload


@pytest.mark.parametrize("workload", [Workload(target="income"), Workload(weights={("a", "income"): 1.0})])
def test_a_column_that_the_table_lacks_is_named(workload):
    for question in (workload.check, workload.marginals, workload.importance, workload.candidates):
        with pytest.raises(ValueError, match="names 'income', which the table lacks: name one of"):
            question(SMALL)


@pytest.mark.parametrize(("target", "instead"), [("seen", "week of seen', 'hour of seen'"), ("left", "seen to left'")])
def test_a_column_that_is_modelled_by_others_is_named_with_these(target, instead):
    domain = Domain.of({"week of seen": 4, "hour of seen": 24, "seen to left": 9, "sex": 2})
    with pytest.raises(ValueError, match=f"which a fit models by '{instead}.*: name one of these"):
        Workload(target=target).check(domain)


@pytest.mark.parametrize(
    "settings",
    [
        {"degree": 0},
        {"degree": 5},
        {"degree": True},
        {"degree": 2.0},
        {"max_cells": 0},
        {"max_cells": 1e6},
        {"target": 3},
        {"target_weight": 0},
        {"target_weight": -1.0},
        {"target_weight": float("nan")},
        {"target_weight": "4"},
        {"weights": {("a", "b"): -1.0}},
        {"weights": {("a", "a"): 1.0}},
        {"weights": {(): 1.0}},
        {"weights": {"ab": 1.0}},
        {"weights": {("a",): float("inf")}},
        {"weights": {("a", "b"): 1.0, ("b", "a"): 2.0}},
        {"weights": [("a", "b", "c")]},
    ],
    ids=repr,
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"workload|max_cells|target|weight"):
        Workload(**settings)
