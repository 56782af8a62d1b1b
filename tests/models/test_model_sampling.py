"""Samples follow the model exactly, row by row, and count more evenly than independent draws."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from dpsynth.base.domain import Domain
from dpsynth.models import sampling
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.joint import JointModel
from dpsynth.models.refined import RefinedModel
from dpsynth.models.sampling import Decks
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
@pytest.mark.parametrize(
    ("samples", "distortion"), [(250, 0.1), pytest.param(2500, 0.03, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_rows_follow_the_model_and_a_distortion_would_show(cliques, evidence, samples, distortion):
    tables = potentials(SMALL, cliques, seed=4, scale=0.5)
    model, joint = GraphicalModel.of(SMALL, 1.0, tables), JointModel.of(SMALL, 1.0, tables).table
    for axis, a in enumerate(SMALL.attributes):
        joint = joint * np.expand_dims(
            (evidence or {}).get(a, np.ones(SMALL.size(a))), [i for i in range(3) if i != axis]
        )
    shares = joint.ravel() / joint.sum()
    rng, counts = np.random.default_rng(5), np.zeros(shares.size)
    for _ in range(samples):  # 40 rows at a time: few enough that rounding would show
        counts += np.bincount(cells(model.sample(40, rng, evidence), SMALL), minlength=shares.size)
    limit = stats.chi2.isf(1e-3, shares.size - 1)
    assert chi_square(counts, shares) < limit
    for sign in itertools.product([1, -1], repeat=2):
        wrong = shares * (1 + distortion * np.resize([*sign, -sign[0], -sign[1]], shares.size))
        assert chi_square(counts, wrong / wrong.sum()) > limit


@pytest.mark.parametrize("row", [0, 2])
@pytest.mark.parametrize("samples", [500, pytest.param(3000, marks=pytest.mark.slow)])
def test_each_single_row_follows_the_model(row, samples):
    tables = potentials(SMALL, SHAPES["fork"], seed=6, scale=1.0)
    model, shares = GraphicalModel.of(SMALL, 1.0, tables), JointModel.of(SMALL, 1.0, tables).table.ravel()
    rng = np.random.default_rng(7)
    drawn = [cells({a: c[row : row + 1] for a, c in model.sample(3, rng).items()}, SMALL)[0] for _ in range(samples)]
    counts, limit = np.bincount(drawn, minlength=shares.size), stats.chi2.isf(1e-3, shares.size - 1)
    assert chi_square(counts, shares) < limit
    assert chi_square(counts, np.full(shares.size, 1 / shares.size)) > limit


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


def test_groups_are_rounded_so_that_columns_keep_their_totals():
    domain = Domain.of({"a": 40, "b": 2, "c": 2})
    model = GraphicalModel.of(domain, 1.0, {("a", "b"): np.zeros((40, 2)), ("a", "c"): np.zeros((40, 2))})
    assert model.tree.nodes == (("a", "b"), ("a", "c"))
    rng = np.random.default_rng(10)
    totals = [int(model.sample(120, rng)["c"].sum()) for _ in range(300)]
    # Of the 3 rows of each a, 1 or 2 have c. Rounded one by one, their sum would have a variance of 10.
    assert np.mean(totals) == pytest.approx(60, abs=0.5)
    assert np.var(totals) < 1


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
        ({"b": np.zeros(3)}, "probability 0 to rows that meet the condition on `b`: widen it, or"),
        (
            {"a": np.array([0.0, 1.0]), "b": np.array([0.0, 0.0, 1.0])},
            "the condition on `a` and `b`: widen it, leave a part of it out, or",
        ),
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


# Rows, whichever block they are in.


def refined():
    """A chain over bins: of one cell, of two, of five; a has a cell without mass, c has bins of one cell only."""
    bins = {"a": np.array([0, 1, 0, 1]), "b": np.array([0, 1, 1, 1, 2, 1, 1]), "c": np.array([1, 0])}
    masses = {"a": np.array([3.0, 1.0, 5.0, 0.0]), "b": np.arange(1.0, 8.0), "c": np.ones(2)}
    domain = Domain.of({a: len(cells) for a, cells in bins.items()})
    tables = potentials(SMALL, SHAPES["chain"], seed=5, scale=0.5)
    return RefinedModel(domain, GraphicalModel.of(SMALL, 1.0, tables), bins, masses)


BLOCKED = {
    **{name: GraphicalModel.of(DOMAIN, 1.0, potentials(DOMAIN, CASES[name], seed=3)) for name in ("cycle", "star")},
    "refined": refined(),
}


@pytest.mark.parametrize("model", BLOCKED.values(), ids=BLOCKED)
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 15, 16, 17, 1000])
@pytest.mark.parametrize("evidence", [None, {"c": np.array([1.0, 0.0, 2.0, 0.0])}], ids=["free", "given"])
def test_blocks_leave_no_trace(model, n, evidence, monkeypatch):
    evidence = evidence and {a: w[: model.domain.size(a)] for a, w in evidence.items()}
    whole = model.sample(n, np.random.default_rng(n), evidence)
    monkeypatch.setattr(sampling, "_BLOCK", 8)
    blocked = model.sample(n, np.random.default_rng(n), evidence)
    assert tuple(whole) == tuple(blocked) == model.domain.attributes
    for a in model.domain.attributes:
        assert whole[a].shape == (n,)
        assert np.array_equal(whole[a], blocked[a])
        assert whole[a].dtype == blocked[a].dtype


def test_rows_are_exchangeable_and_sorted_ones_would_show(monkeypatch):
    monkeypatch.setattr(sampling, "_BLOCK", 2)
    domain, cliques, rng = Domain.of({"a": 2, "b": 2, "c": 2}), SHAPES["fork"], np.random.default_rng(8)
    model = GraphicalModel.of(domain, 1.0, potentials(domain, cliques, seed=6, scale=0.5))
    rows = np.array([cells(model.sample(3, rng), domain) for _ in range(1200)])

    def alike(rows):
        """That pairs of rows are alike at four places, one place for each quarter of the samples: the p-value."""
        places = [(0, 1), (1, 0), (2, 0), (1, 2)]
        pairs = [part[:, i] * 8 + part[:, j] for part, (i, j) in zip(np.split(rows, 4), places, strict=True)]
        table = np.array([np.bincount(pair, minlength=64) for pair in pairs])
        return stats.chi2_contingency(table[:, table.sum(0) >= 20]).pvalue

    assert alike(rows) > 1e-3
    assert alike(np.sort(rows, axis=1)) < 1e-12


BRANCHES = {"fork": [("a", "b"), ("a", "c")], "chain": [("b", "a"), ("a", "c")]}


@pytest.mark.parametrize("cliques", BRANCHES.values(), ids=BRANCHES)
def test_branches_are_as_independent_as_shuffled_cards_and_a_dependence_of_2_percent_would_show(cliques):
    domain = Domain.of({"a": 6, "b": 5, "c": 7})
    model = GraphicalModel.of(domain, 1.0, potentials(domain, cliques, seed=2, scale=0.7))
    codes = model.sample(300_000, np.random.default_rng(3))

    def statistic(c):
        """Over all cells of a, chi-square of the b by c tables; their margins are fixed, so its mean is about df."""
        return sum(
            stats.chi2_contingency(np.histogram2d(codes["b"][on], c[on], bins=(5, 7))[0], correction=False).statistic
            for on in (codes["a"] == a for a in range(6))
        )

    low, high = stats.chi2.ppf([5e-4, 1 - 5e-4], 6 * 4 * 6)
    assert low < statistic(codes["c"]) < high
    coupled = np.where(np.random.default_rng(4).random(300_000) < 0.02, codes["b"], codes["c"])
    assert statistic(coupled) > 2 * high


@pytest.mark.parametrize("evidence", [None, {"b": np.array([1.0, 0, 2, 2, 0, 1, 1])}], ids=["free", "given"])
def test_refined_rows_follow_the_model_and_a_distortion_of_20_percent_within_bins_would_show(evidence):
    model, rng = refined(), np.random.default_rng(11)
    joint = model.project(model.domain.attributes) * (evidence or {}).get("b", np.ones(7))[:, None]
    drawn = np.concatenate([cells(model.sample(10, rng, evidence), model.domain) for _ in range(600)])
    possible = joint.ravel() > 0
    counts, limit = np.bincount(drawn, minlength=possible.size), stats.chi2.isf(1e-3, possible.sum() - 1)
    assert counts[~possible].sum() == 0
    for b, holds in ((np.ones(7), True), (np.array([1, 1.2, 1.2, 1.2, 1, 0.8, 0.8]), False)):
        shares = (joint * b[:, None]).ravel()[possible]
        assert (chi_square(counts[possible], shares / shares.sum()) < limit) == holds


def test_cells_of_a_bin_are_rounded_up_or_down_and_shuffled_among_its_rows():
    model = refined()
    codes = model.sample(20_000, np.random.default_rng(5))
    for a in model.domain.attributes:
        counts, share = np.bincount(codes[a], minlength=model.domain.size(a)), model._within(a)
        expected = np.bincount(model.bins[a], counts)[model.bins[a]] * share
        assert np.abs(counts - expected).max() < 1
    held = codes["a"][model.bins["a"][codes["a"]] == 0]  # cells 0 and 2 of one bin, 3 to 5
    ones, n = int((held == 0).sum()), len(held)
    half = stats.hypergeom(n, ones, n // 2)
    assert half.ppf(1e-3) <= (held[: n // 2] == 0).sum() <= half.isf(1e-3)


def test_separators_of_more_cells_than_16_bits_can_number():
    domain = Domain.of({"a": 300, "b": 300, "c": 2, "d": 3})
    rng = np.random.default_rng(1)
    cliques = [("a", "b", "c"), ("a", "b", "d")]
    model = GraphicalModel.of(domain, 1.0, {c: rng.normal(size=domain.shape(c)) for c in cliques})
    codes = model.sample(200_000, rng)
    assert model.tree.separators[1] == ("a", "b")
    node, belief = model.tree.nodes[1], model.beliefs[1]
    counts = np.bincount(np.ravel_multi_index([codes[a] for a in node], belief.shape), minlength=belief.size)
    counts, belief = (t.reshape(90_000, -1) for t in (counts, belief))
    assert np.abs(counts - counts.sum(1, keepdims=True) * belief / belief.sum(1, keepdims=True)).max() < 1 + 1e-6


# Memory: beyond its rows a sample takes its largest node's decks, and beyond that only what does not grow with n.

WIDE = {
    "one column": ({"x": 256}, [], 1),
    "pairs": ({f"x{i}": 20 for i in range(6)}, [(f"x{i}", f"x{i + 1}") for i in range(5)], 2),
    "two columns": ({"x": 200, "y": 20}, [("x", "y")], 2),
    "three columns": ({"x": 42, "y": 42, "z": 42}, [("x", "y", "z")], 4),
}


def peak(model, n):
    """The most bytes taken while n rows are drawn."""
    tracemalloc.start()
    try:
        model.sample(n, np.random.default_rng(0))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def half_merged(domain):
    """Cells independent, each attribute in bins of two."""
    bins = {a: np.arange(size) // 2 for a, size in domain.sizes}
    coarse = GraphicalModel.of(Domain.of({a: size // 2 for a, size in domain.sizes}), 1.0, {})
    return RefinedModel(domain, coarse, bins, {a: np.ones(size) for a, size in domain.sizes})


@pytest.mark.parametrize(("sizes", "cliques", "deck"), WIDE.values(), ids=WIDE)
def test_the_memory_of_a_sample_is_that_of_its_rows_and_one_deck(sizes, cliques, deck):
    domain = Domain.of(sizes)
    model = GraphicalModel.of(domain, 1.0, potentials(domain, cliques, seed=1, scale=0.1))
    less, more = peak(model, 1_000_000), peak(model, 2_000_000)
    assert more - less < 1_000_000 * (len(sizes) + deck + 0.25)
    assert more < 2_000_000 * (len(sizes) + deck) + 2**24


def test_cells_of_bins_take_one_column_more():
    domain = Domain.of(WIDE["one column"][0])
    less, more = (peak(half_merged(domain), n) for n in (1_000_000, 2_000_000))
    assert more - less < 1_000_000 * (1 + 1 + 1 + 0.25)


# Decks: every way to deal them is equally likely, however they were shuffled.

SHUFFLES = {
    "together": {},
    "some keys equal": {"_KEYS": 3},
    "all keys equal": {"_KEYS": 1},
    "one together": {"_TOGETHER": 1},
    "alone": {"_SHORT": 0},
}


@pytest.mark.parametrize("constants", SHUFFLES.values(), ids=SHUFFLES)
def test_all_ways_to_deal_are_equally_likely(constants, monkeypatch):
    for name, value in constants.items():
        monkeypatch.setattr(sampling, name, value)
    rng, seen = np.random.default_rng(1), {}
    group, card = np.array([0, 0, 2, 2, 3]), np.array([7, 8, 9, 6, 5], dtype=np.uint8)
    for _ in range(1500):
        decks = Decks.shuffled(group, card, np.array([1, 1, 1, 2, 1]), 4, rng)
        dealt = (
            *decks.deal(np.array([2, 0, 3])),
            *decks.deal(np.array([], dtype=np.uint8)),
            *decks.deal(np.array([0, 2, 2])),
        )
        seen[dealt] = seen.get(dealt, 0) + 1
    of_two = [{7, 8}, {9, 6}]
    assert len(seen) == 6
    assert all(d[2] == 5 and {d[1], d[3]} == of_two[0] and sorted((d[0], d[4], d[5])) == [6, 6, 9] for d in seen)
    assert chi_square(np.array(list(seen.values())), np.full(6, 1 / 6)) < stats.chi2.isf(1e-3, 5)


def test_two_cards_in_a_deck_shuffled_in_parts_are_anywhere(monkeypatch):
    monkeypatch.setattr(sampling, "_SHORT", 0)
    monkeypatch.setattr(sampling, "_PART", 16)
    rng, seen = np.random.default_rng(2), np.zeros((24, 24))
    for _ in range(3000):
        decks = Decks.shuffled(np.zeros(2, int), np.array([4, 3], np.uint8), np.array([22, 2]), 1, rng)
        seen[tuple(np.flatnonzero(decks.cards == 3))] += 1
    assert chi_square(seen[np.triu_indices(24, 1)], np.full(276, 1 / 276)) < stats.chi2.isf(1e-3, 275)


DECKS = {
    "none": ([0], 2),
    "one card": ([1], 2),
    "one kind": ([1, 0, 5, 2**16], 1),
    "short and long": ([1, 0, 2, 63, 64, 65, 2**15 - 1, 2**15, 2**15 + 1], 3),
    "in parts": ([2**17, 2**17], 200),
    "kinds without number": ([2**17, 60, 200], 5000),
    "more decks than are shuffled together": ([3] * 5000, 4),
}


@pytest.mark.parametrize(("sizes", "kinds"), DECKS.values(), ids=DECKS)
def test_each_card_is_dealt_once_to_a_row_of_its_group(sizes, kinds):
    rng = np.random.default_rng(3)
    counts = rng.multinomial(sizes, np.full(kinds, 1 / kinds))
    group, card = np.nonzero(counts)
    decks = Decks.shuffled(group, card.astype(np.uint16), counts[group, card], len(sizes), rng)
    rows = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    dealt = np.concatenate([decks.deal(part) for part in np.array_split(rows, 7)])
    assert np.array_equal(np.bincount(rows * kinds + dealt, minlength=counts.size), counts.ravel())


@pytest.mark.parametrize("kinds", [2, 5000], ids=["in parts", "whole, of a great many kinds"])
def test_the_halves_of_a_large_deck_differ_as_much_as_chance_has_it(kinds):
    rng, size, times = np.random.default_rng(4), 80_000, 80_000 // kinds
    first = []
    for _ in range(200):
        decks = Decks.shuffled(np.zeros(kinds, int), np.arange(kinds, dtype=np.uint16), np.full(kinds, times), 1, rng)
        first.append(int((decks.cards[: size // 2] < kinds // 2).sum()))
    half = stats.hypergeom(size, size // 2, size // 2)
    scores = (np.array(first) - half.mean()) / half.std()
    assert abs(scores.sum()) < 3.3 * math.sqrt(200)
    assert stats.chi2.ppf(5e-4, 200) < (scores**2).sum() < stats.chi2.isf(5e-4, 200)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_rows_are_ordered_by_group_and_stay_in_their_order_within(dtype):
    numbers = np.random.default_rng(5).integers(0, min(np.iinfo(dtype).max, 2**20), 5000).astype(dtype)
    numbers[::2] = numbers[0]
    assert np.array_equal(sampling._stable_order(numbers), np.argsort(numbers, kind="stable"))
