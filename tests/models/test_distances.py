"""Total variation against the slow and obvious sum, and the laws of bins."""

from __future__ import annotations

import itertools
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.base.domain import Domain
from dpsynth.models.distances import (
    all_ways,
    choose_bins,
    compared_columns,
    compared_pairs,
    equal_mass,
    frequencies,
    most_frequent,
    some_sets,
    total_variation,
)

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=60).map(np.array)
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=30)
DOMAIN = Domain.of({"a": 3, "b": 4})


def codes(rows):
    return {"a": np.array([a for a, _ in rows], dtype=np.uint8), "b": np.array([b for _, b in rows], dtype=np.uint8)}


@given(ROWS, ROWS)
def test_total_variation_is_half_the_summed_difference(x, y):
    found = total_variation(*(frequencies(codes(r), ("a", "b"), DOMAIN) for r in (x, y)))
    if not x or not y:
        assert found == (0 if x == y else 1)
        return
    p, q = Counter(x), Counter(y)
    assert found == pytest.approx(sum(abs(p[c] / len(x) - q[c] / len(y)) for c in {*p, *q}) / 2)


@given(ROWS, ROWS, ROWS)
def test_total_variation_is_a_distance(x, y, z):
    p, q, r = (frequencies(codes(rows), ("b", "a"), DOMAIN) for rows in (x, y, z))
    assert total_variation(p, p) == 0
    assert total_variation(p, q) == total_variation(q, p)
    assert 0 <= total_variation(p, q) <= 1
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r) + 1e-12


@given(ROWS, ROWS)
def test_fewer_columns_are_never_farther_apart(x, y):
    pair, single = (total_variation(*(frequencies(codes(r), c, DOMAIN) for r in (x, y))) for c in (("a", "b"), ("a",)))
    assert single <= pair + 1e-12


@given(COUNTS, st.integers(3, 20))
def test_bins_of_equal_mass_are_runs_numbered_without_gaps(counts, most):
    bins = equal_mass(counts, most)
    assert bins[0] == 0
    assert set(np.diff(bins).tolist()) <= {0, 1}
    assert bins[-1] + 1 <= most
    if counts.size <= most:
        assert bins.tolist() == list(range(counts.size))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60).map(np.array), st.integers(3, 20))
def test_a_bin_is_heavier_than_an_even_share_only_because_of_its_last_cell(counts, most):
    bins = equal_mass(counts, most)
    last = bins[-1]
    for b in range(last):
        inside = counts[bins == b]
        assert inside[:-1].sum() < max(1, counts[bins >= b].sum() / (most - b))


def test_a_spike_stands_alone_and_the_tail_is_still_resolved():
    counts = np.array([3, 2, 9000, *[5] * 100])
    bins = equal_mass(counts, 12)
    assert np.flatnonzero(bins == bins[2]).tolist() == [2]
    assert len(set(bins[3:].tolist())) >= 9


def test_values_beyond_all_real_ones_have_a_bin_of_their_own():
    bins = equal_mass(np.array([0, 0, *[10] * 30, *[0] * 30]), 20)
    assert bins[1] == 0 < bins[2]
    assert bins[31] < bins[32] == bins[-1] == 19


def test_without_rows_the_cells_are_shared_evenly():
    assert np.bincount(equal_mass(np.zeros(40, dtype=int), 20)).tolist() == [2] * 20


@given(COUNTS, st.integers(2, 20))
def test_the_most_frequent_categories_stay_apart(counts, most):
    bins = most_frequent(counts, most)
    assert bins.max() < most
    if counts.size > most:
        alone = counts[bins < most - 1]
        assert len(alone) == most - 1
        assert alone.min() >= counts[bins == most - 1].max()


@settings(max_examples=50)
@given(COUNTS, st.integers(0, 1), st.integers(3, 20))
def test_special_cells_keep_a_bin_of_their_own(counts, special, most):
    ordered = counts.size - special
    bins = choose_bins(counts, ordered, most)
    assert set(bins.tolist()) == set(range(bins.max() + 1))
    assert bins.max() < most
    if special and ordered:
        assert np.flatnonzero(bins == bins[-1]).tolist() == [counts.size - 1]


def test_triples_are_the_same_whatever_the_order_of_the_names():
    names = tuple(f"c{i:02d}" for i in range(20))
    ways = all_ways(names)
    assert [len(ways[k]) for k in (1, 2, 3)] == [20, 190, 200]
    assert ways[3] == all_ways(names[::-1])[3]
    every = list(itertools.combinations(sorted(names), 3))
    chosen = np.random.default_rng(20240607).choice(len(every), 200, replace=False)
    assert ways[3] == [every[i] for i in sorted(chosen)]


@pytest.mark.parametrize(("columns", "size"), [(6, 1), (9, 2), (9, 3), (12, 4), (30, 3)])
def test_sets_drawn_without_listing_them_are_those_drawn_from_the_list(columns, size):
    names = tuple(f"c{i:02d}" for i in range(columns))
    every = list(itertools.combinations(names, size))
    for most in (1, 5, len(every) - 1, len(every)):
        chosen = np.random.default_rng(7).choice(len(every), most, replace=False)
        drawn = some_sets(names, size, most, np.random.default_rng(7))
        assert drawn == [every[i] for i in sorted(chosen)]


def test_triples_of_many_columns_are_never_listed():
    names = tuple(f"c{i:04d}" for i in range(2000))  # 1.3 thousand million triples
    tracemalloc.start()
    triples = some_sets(names, 3, 200, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len({*triples}) == 200
    assert all(a < b < c for a, b, c in triples)
    assert peak < 1 << 20


def test_few_columns_have_no_pairs_or_triples():
    assert list(all_ways(("a",))) == [1]
    assert list(all_ways(("a", "b"))) == [1, 2]


@pytest.mark.parametrize("columns", [1, 2, 99, 100])
def test_all_pairs_of_a_hundred_columns_are_compared(columns):
    names = tuple(f"c{i}" for i in range(columns))
    assert compared_pairs(names) == tuple(itertools.combinations(names, 2))
    assert compared_columns(names) == names


def test_of_more_columns_as_many_pairs_are_compared_whatever_their_order():
    names = tuple(f"c{i}" for i in range(130))
    pairs = compared_pairs(names)
    assert len({*pairs}) == len(pairs) == 4_950
    assert list(pairs) == sorted(pairs, key=lambda p: (names.index(p[0]), names.index(p[1])))
    assert all(names.index(a) < names.index(b) for a, b in pairs)
    turned = compared_pairs(names[::-1])
    assert {frozenset(p) for p in turned} == {frozenset(p) for p in pairs}
    assert {*compared_columns(names)} == {*compared_columns(names[::-1])}
    assert len(compared_columns(names)) == 100
    assert len({a for p in pairs for a in p}) == 130
