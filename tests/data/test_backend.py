"""The counting kernel against the obvious way to count."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.base.cover import cover
from dpsynth.base.domain import Domain
from dpsynth.door.counting import MemoryBackend, count


class Pieces:
    """A backend that cuts a table into partitions."""

    def __init__(self, codes, cuts):
        self.codes, self.cuts = codes, cuts

    def partitions(self, attributes):
        rows = len(next(iter(self.codes.values())))
        for start, end in itertools.pairwise([0, *self.cuts, rows]):
            yield {a: self.codes[a][start:end] for a in attributes}


def obvious(codes, domain, clique):
    table = np.zeros(domain.shape(clique), dtype=np.int64)
    rows = len(next(iter(codes.values())))
    for i in range(rows):
        table[tuple(codes[a][i] for a in clique)] += 1
    return table


@st.composite
def tables(draw):
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    rows = draw(st.integers(0, 30))
    seed = draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    domain = Domain.of({f"a{i}": n for i, n in enumerate(sizes)})
    codes = {a: rng.integers(0, n, rows).astype(np.uint8) for a, n in domain.sizes}
    cliques = [c for k in range(4) for c in itertools.permutations(domain.attributes, k)]
    chosen = draw(st.lists(st.sampled_from(cliques), min_size=1, max_size=8, unique=True))
    return domain, codes, chosen


@settings(max_examples=150, deadline=None)
@given(tables())
def test_counts_are_those_of_counting_one_by_one(table):
    domain, codes, cliques = table
    counts = count(MemoryBackend(codes, domain), domain, cliques)
    for clique in cliques:
        np.testing.assert_array_equal(counts[clique], obvious(codes, domain, clique))


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(0, 30))
def test_counts_add_over_partitions(table, cut):
    domain, codes, cliques = table
    rows = len(codes["a0"])
    whole = count(MemoryBackend(codes, domain), domain, cliques)
    parts = count(Pieces(codes, [min(cut, rows)]), domain, cliques)
    for clique in cliques:
        np.testing.assert_array_equal(whole[clique], parts[clique])


def test_counts_are_right_when_rows_fill_several_blocks():
    rng = np.random.default_rng(1)
    domain = Domain.of({"a": 7, "b": 300, "c": 70_000, "d": 2})
    codes = {a: rng.integers(0, n, 40_000).astype(np.int32) for a, n in domain.sizes}
    pairs = list(itertools.combinations(domain.attributes, 2))
    counts = count(MemoryBackend(codes, domain), domain, pairs)
    for a, b in pairs:
        if domain.cells((a, b)) < 10**7:
            expected = np.zeros(domain.shape((a, b)), dtype=np.int64)
            np.add.at(expected, (codes[a], codes[b]), 1)
            np.testing.assert_array_equal(counts[a, b], expected)


def test_every_pair_is_covered_by_a_joint_table():
    domain = Domain.of({f"a{i}": 2 + i for i in range(12)})
    pairs = list(itertools.combinations(domain.attributes, 2))
    joints = cover(domain, pairs)
    assert all(any(set(p) <= set(j) for j in joints) for p in pairs)
    assert len(joints) < len(pairs) / 3


def test_a_code_outside_the_domain_counts_in_the_nearest_cell():
    domain = Domain.of({"a": 3})
    counts = count(MemoryBackend({"a": np.array([-5, 0, 1, 99])}, domain), domain, [("a",)])
    np.testing.assert_array_equal(counts["a",], [2, 1, 1])


@pytest.mark.parametrize(
    ("codes", "error"),
    [({}, ValueError), ({"a": np.array([0]), "b": np.array([0, 1])}, ValueError), ({"a": np.array([0.5])}, TypeError)],
    ids=["missing attribute", "different lengths", "not integers"],
)
def test_codes_of_the_wrong_structure_are_refused(codes, error):
    with pytest.raises(error):
        MemoryBackend(codes, Domain.of({"a": 2, "b": 2} if "b" in codes else {"a": 2}))


@pytest.mark.parametrize(
    "proposed",
    [
        [("a", "b", "c")],
        [("a", "b"), ("c",)],
        [("b", "a"), ("a", "b"), ("c", "b")],
        [("a", "a"), ("a", "b", "c")],
        [("c",)],
        [],
    ],
    ids=str,
)
def test_a_proposal_of_joint_tables_leads_to_the_true_counts_or_to_none(proposed, monkeypatch):
    domain = Domain.of({"a": 3, "b": 2, "c": 4})
    codes = {a: np.random.default_rng(7).integers(0, n, 500) for a, n in domain.sizes}
    cliques = [("a", "b"), ("b", "a"), ("c",), ("b",)]
    truth = count(MemoryBackend(codes, domain), domain, cliques)
    monkeypatch.setattr("dpsynth.door.counting.cover", lambda *_: proposed)
    try:
        found = count(MemoryBackend(codes, domain), domain, cliques)
    except (ValueError, IndexError):
        return
    assert all(np.array_equal(found[clique], truth[clique]) for clique in cliques)
