"""Samples follow the model exactly, row by row, and count more evenly than independent draws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from dpsynth.domain import Domain
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.joint import JointModel
from dpsynth.models.sampling import shuffle_within
from tests.models.cases import CASES, DOMAIN, potentials

SMALL = Domain.of({"a": 2, "b": 3, "c": 2})
SHAPES = {
    "chain": [("a", "b"), ("b", "c")],
    "fork": [("a", "b"), ("a", "c")],
    "cycle": [("a", "b"), ("b", "c"), ("c", "a")],
}


def cells(codes, domain):
    return np.ravel_multi_index([codes[a] for a in domain.attributes], domain.shape(domain.attributes))


def chi_square(counts, shares):
    expected = counts.sum() * shares
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("cliques", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(
    "evidence", [None, {"a": np.array([0.2, 1.0]), "c": np.array([1.0, 3.0])}], ids=["free", "given"]
)
def test_rows_follow_the_model_and_a_distortion_of_3_percent_would_show(cliques, evidence):
    tables = potentials(SMALL, cliques, seed=4, scale=0.5)
    model, joint = GraphicalModel.of(SMALL, 1.0, tables), JointModel.of(SMALL, 1.0, tables).table
    for axis, a in enumerate(SMALL.attributes):
        joint = joint * np.expand_dims(
            (evidence or {}).get(a, np.ones(SMALL.size(a))), [i for i in range(3) if i != axis]
        )
    shares = joint.ravel() / joint.sum()
    rng, counts = np.random.default_rng(5), np.zeros(shares.size)
    for _ in range(2500):  # 40 rows at a time: few enough that rounding would show
        counts += np.bincount(cells(model.sample(40, rng, evidence), SMALL), minlength=shares.size)
    limit = stats.chi2.isf(1e-3, shares.size - 1)
    assert chi_square(counts, shares) < limit
    for sign in itertools.product([1, -1], repeat=2):
        wrong = shares * (1 + 0.03 * np.resize([*sign, -sign[0], -sign[1]], shares.size))
        assert chi_square(counts, wrong / wrong.sum()) > limit


@pytest.mark.parametrize("row", [0, 2])
def test_each_single_row_follows_the_model(row):
    tables = potentials(SMALL, SHAPES["fork"], seed=6, scale=1.0)
    model, shares = GraphicalModel.of(SMALL, 1.0, tables), JointModel.of(SMALL, 1.0, tables).table.ravel()
    rng = np.random.default_rng(7)
    drawn = [cells({a: c[row : row + 1] for a, c in model.sample(3, rng).items()}, SMALL)[0] for _ in range(3000)]
    statistic = chi_square(np.bincount(drawn, minlength=shares.size), shares)
    assert statistic < stats.chi2.isf(1e-3, shares.size - 1)


@pytest.mark.parametrize("cliques", CASES.values(), ids=CASES)
def test_given_its_separator_each_cell_of_a_node_is_rounded_up_or_down(cliques):
    model = GraphicalModel.of(DOMAIN, 1.0, potentials(DOMAIN, cliques, seed=8))
    codes = model.sample(10_000, np.random.default_rng(9))
    for node, separator, belief in zip(model.tree.nodes, model.tree.separators, model.beliefs, strict=True):
        counts = np.zeros(belief.shape)
        np.add.at(counts, tuple(codes[a] for a in node), 1)
        counts, belief = (t.reshape(DOMAIN.cells(separator), -1) for t in (counts, belief))
        expected = counts.sum(1, keepdims=True) * belief / belief.sum(1, keepdims=True)
        assert np.abs(counts - expected).max() < 1 + 1e-6


def test_one_way_counts_are_within_a_few_rows_of_expectation():
    domain = Domain.of({f"x{i}": 10 for i in range(8)})
    model = GraphicalModel.of(
        domain, 100_000.0, potentials(domain, list(itertools.pairwise(domain.attributes)), seed=1)
    )
    codes = model.sample(100_000, np.random.default_rng(2))
    for a in domain.attributes:
        assert np.abs(np.bincount(codes[a], minlength=10) - model.project((a,))).max() < 12  # plain draws: about 200


def test_attributes_that_share_a_separator_are_independent_given_it():
    domain = Domain.of({"a": 1, "b": 2, "c": 2})
    model = GraphicalModel.of(domain, 1.0, {("a", "b"): np.zeros((1, 2)), ("a", "c"): np.zeros((1, 2))})
    rng = np.random.default_rng(3)
    both = [int((c["b"] & c["c"]).sum()) for c in (model.sample(40, rng) for _ in range(2000))]
    # Of 40 rows 20 have b and 20 have c: the number with both is hypergeometric.
    expected = stats.hypergeom(40, 20, 20)
    assert np.mean(both) == pytest.approx(10, abs=4 * expected.std() / math.sqrt(2000))
    assert np.var(both) == pytest.approx(expected.var(), rel=0.15)


def test_the_same_generator_gives_the_same_rows_and_another_gives_others():
    model = GraphicalModel.of(DOMAIN, 1.0, potentials(DOMAIN, CASES["cycle"], seed=1))
    one, two, three = (model.sample(100, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all((one[a] == two[a]).all() for a in DOMAIN.attributes)
    assert any((one[a] != three[a]).any() for a in DOMAIN.attributes)


@pytest.mark.parametrize("cliques", CASES.values(), ids=CASES)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_any_number_of_rows_can_be_had(cliques, n):
    model = GraphicalModel.of(DOMAIN, 1.0, potentials(DOMAIN, cliques, seed=1))
    codes = model.sample(n, np.random.default_rng(1), {"b": np.array([0.0, 1.0, 0.0])})
    assert tuple(codes) == DOMAIN.attributes
    assert all(c.shape == (n,) and (c < DOMAIN.size(a)).all() for a, c in codes.items())
    assert (codes["b"] == 1).all()


def test_a_negative_number_of_rows_is_refused():
    with pytest.raises(ValueError, match="0 or more, got -1"):
        GraphicalModel.of(DOMAIN, 1.0, {}).sample(-1, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        ({"b": np.zeros(3)}, "no mass to the evidence on b"),
        ({"a": np.array([0.0, 1.0]), "b": np.array([0.0, 0.0, 1.0])}, "no mass to the evidence on a, b"),
        ({"b": np.ones(2)}, "one weight of 0 or more for each of its 3 cells"),
        ({"b": np.array([1.0, -1.0, 1.0])}, "one weight of 0 or more"),
        ({"b": np.array([1.0, np.nan, 1.0])}, "one weight of 0 or more"),
        ({"q": np.ones(2)}, "attributes of the domain, got 'q'"),
    ],
)
def test_evidence_that_cannot_be_met_is_refused_in_a_sentence(evidence, message):
    never = np.where(np.arange(6).reshape(2, 3) == 5, -2000.0, 0.0)  # (1, 2) has no mass in a double
    model = GraphicalModel.of(DOMAIN, 1.0, {("a", "b"): never})
    with pytest.raises(ValueError, match=message):
        model.sample(5, np.random.default_rng(1), evidence)


@pytest.mark.parametrize(("size", "dtype"), [(256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.int32)])
def test_codes_take_the_smallest_type_that_holds_them(size, dtype):
    codes = GraphicalModel.of(Domain.of({"x": size}), 1.0, {}).sample(3 * size, np.random.default_rng(1))["x"]
    assert codes.dtype == dtype
    assert (np.bincount(codes, minlength=size) == 3).all()


@pytest.mark.parametrize("number", [2, 2**59, 2**61], ids=["plain", "some ties", "every row tied"])
def test_rows_are_shuffled_uniformly_within_their_groups_however_few_bits_are_left(number):
    groups = np.array([1, 0, 1, 0, 1], dtype=np.uint64)
    rng, seen = np.random.default_rng(1), {}
    for _ in range(3000):
        order = tuple(shuffle_within(groups, number, rng).tolist())
        seen[order] = seen.get(order, 0) + 1
    assert {(o[:2], o[2:]) for o in seen} == set(
        itertools.product(itertools.permutations([1, 3]), itertools.permutations([0, 2, 4]))
    )
    assert chi_square(np.array(list(seen.values())), np.full(12, 1 / 12)) < stats.chi2.isf(1e-3, 11)
