"""Balanced samples have exactly the shares asked for, and beside them the model's distribution."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import dpsynth
from dpsynth import Synthesizer
from dpsynth.synthesizers import balance as module
from dpsynth.synthesizers.cases import cases_of
from dpsynth.synthesizers.drawn_cases import Drawing
from tests.synthesizers.planted import SCHEMA, cells, every_row, p_value, planted


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    return planted()


@pytest.fixture(scope="module")
def every(fitted) -> pd.DataFrame:
    return every_row(fitted)


def shares(rows, **tests) -> dict:
    return {name: int(test(rows).fillna(False).sum()) for name, test in tests.items()}


def test_one_share_of_a_truth(fitted) -> None:
    for n in (0, 1, 7, 1000, 1001):
        rows = fitted.sample(n, balance={"fraud": 0.5}, seed=1)
        assert len(rows) == n
        assert abs(2 * rows["fraud"].sum() - n) <= 1
        assert rows["visit"].is_unique
    pd.testing.assert_frame_equal(rows, fitted.sample(1001, balance={"fraud": 0.5}, seed=1))


@pytest.mark.parametrize("codes", [["0", "1"], [0, 1], ["1", "2"]])
def test_one_share_of_codes_is_that_of_1_whether_it_is_a_number_or_text(codes) -> None:
    (split,) = module.splits_of({"died": 0.25}, dpsynth.Schema({"died": dpsynth.Categorical(codes)}))
    assert {each.terms[-1].constants[0]: each.share for each in split.classes} == {
        code: 0.25 if code in (1, "1") else 0.75 for code in codes
    }


def test_each_part_has_the_models_conditional_and_a_reweighted_marginal_alone_does_not(fitted, every) -> None:
    rows = pd.concat([fitted.sample(300, balance={"fraud": 0.5}, seed=seed) for seed in range(20)])
    for truth in (True, False):
        part = rows[rows["fraud"] == truth]
        assert len(part) == 3000
        assert p_value(part, every, lambda r, truth=truth: r.fraud == truth) > 1e-4
    anybody = fitted.sample(3000, where="fraud == False", seed=3).assign(fraud=True)
    assert p_value(anybody, every, lambda r: r.fraud == True) < 1e-6  # noqa: E712


def test_shares_that_do_not_add_up_leave_the_rest_to_the_others(fitted, every) -> None:
    rows = fitted.sample(1000, balance={"ward": {"a": 0.6}}, seed=1)
    assert (rows["ward"] == "a").sum() == 600
    others = every.groupby("ward")["share"].sum()
    assert (rows["ward"] == "b").sum() == pytest.approx(400 * others["b"] / (others["b"] + others["c"]), abs=2)


@pytest.mark.parametrize(
    "asked",
    [{"size": {0: 0.4, 3: 0.1}}, {"fraud": {True: 0.4}}, {"out": {None: 0.3, 4: 0.2}}, {"ward": {"a": 0.5}}],
)
def test_shares_mean_the_same_after_a_file_has_made_text_of_their_names(fitted, asked) -> None:
    written = json.loads(json.dumps(asked))
    rows = fitted.sample(100, balance=asked, seed=1)
    pd.testing.assert_frame_equal(rows, fitted.sample(100, balance=written, seed=1))


def test_classes_of_numbers_are_conditions_values_and_missing(fitted) -> None:
    rows = fitted.sample(
        200, balance={"in": {"`in` >= 7": 0.5, "2 <= `in` < 4": 0.25, 0: 0.25}, "out": {None: 0.1}}, seed=1
    )
    assert shares(
        rows,
        high=lambda r: r["in"] >= 7,
        middle=lambda r: r["in"].isin([2, 3]),
        none=lambda r: r["in"] == 0,
        missing=lambda r: r["out"].isna(),
    ) == {"high": 100, "middle": 50, "none": 50, "missing": 20}


ASKED = {"fraud": 0.5, "ward": {"a": 0.2, "b": 0.5, "c": 0.3}, "size": {0: 0.4, 3: 0.35}}


def test_several_columns_at_once_have_every_share_exactly(fitted) -> None:
    for n in (20, 101, 1000):
        rows = fitted.sample(n, balance=ASKED, seed=n)
        assert len(rows) == n
        for name, asked in {**ASKED, "fraud": {True: 0.5, False: 0.5}}.items():
            for value, share in asked.items():
                assert abs((rows[name] == value).sum() - n * share) < 1, (n, name, value)


def test_several_columns_are_joined_as_the_nearest_distribution_has_them(fitted, every) -> None:
    """Against proportional fitting by brute force over all rows; independent classes are refuted."""
    weights = every["share"].to_numpy().copy()
    targets = []
    for name, asked in {**ASKED, "fraud": {True: 0.5, False: 0.5}}.items():
        own = [(every[name] == value).to_numpy() for value in asked]
        targets += [(mask, share) for mask, share in zip(own, asked.values(), strict=True)]
        if (rest := 1 - sum(asked.values())) > 1e-9:
            targets.append((~np.logical_or.reduce(own), rest))
    for _ in range(500):
        for mask, share in targets:
            weights[mask] *= share / weights[mask].sum()
    wanted = pd.Series(weights, index=cells(every))
    rows = pd.concat([fitted.sample(300, balance=ASKED, seed=seed) for seed in range(20)])
    names = ["fraud", "ward", "size"]
    joint = wanted.groupby(level=names).sum() * len(rows)
    seen = cells(rows).to_frame(index=False).groupby(names).size().reindex(joint.index).fillna(0)
    assert stats.chisquare(seen, joint * seen.sum() / joint.sum()).pvalue > 1e-4
    alone = pd.Series(1.0, index=joint.index)
    for name in names:
        margin = joint.groupby(level=name).sum() / joint.sum()
        alone *= margin.reindex(joint.index.get_level_values(name)).to_numpy()
    assert stats.chisquare(seen, alone * seen.sum() / alone.sum()).pvalue < 1e-6


@pytest.mark.parametrize("cells", [1, 12, 60])
def test_tables_of_some_columns_at_a_time_have_the_counts_of_one_of_all(fitted, cells, monkeypatch) -> None:
    """Four columns of 371 cells would be a table of 150 gigabytes."""
    origin = fitted._origin(1)
    drawing = Drawing(origin, cases_of("`in` >= 5 and fraud == True or size < 2 and out > 4", None, SCHEMA))
    splits = module.splits_of({**ASKED, "in": {"`in` >= 7": 0.5, "`in` < 3": 0.1}, "out": {None: 0.1}}, SCHEMA)
    wanted = module.masses_of(drawing, splits)
    assert wanted.shape == (2, 3, 3, 3, 2)
    monkeypatch.setattr(module, "_CELLS", cells)
    assert len(module._in_one_table(drawing, splits)) == {1: 0, 12: 2, 60: 3}[cells]
    np.testing.assert_allclose(module.masses_of(drawing, splits), wanted, rtol=1e-9, atol=1e-12)


def test_a_balance_holds_under_a_condition(fitted) -> None:
    rows = fitted.sample(500, where="`in` >= 5 and (ward == 'a' or size == 2)", balance={"fraud": 0.2}, seed=1)
    assert (rows["in"] >= 5).all()
    assert ((rows["ward"] == "a") | (rows["size"] == 2)).all()
    assert rows["fraud"].sum() == 100
    rows = fitted.sample(500, where="out > `in`", balance={"ward": {"a": 0.5, "c": 0.5}}, seed=1)
    assert (rows["out"] > rows["in"]).all()
    assert (rows["ward"] == "a").sum() == 250


@pytest.mark.parametrize("shape", [(2, 3), (3, 3, 4), (2, 2, 2, 5)])
def test_whole_numbers_have_the_margins_and_stay_near(shape) -> None:
    rng = np.random.default_rng(3)
    for n in (5, 60, 5000):
        expected = rng.dirichlet(np.full(int(np.prod(shape)), 0.5)).reshape(shape) * n
        axes = range(len(shape))
        margins = [module.shared_out(n, expected.sum(axis=tuple(i for i in axes if i != axis)) / n) for axis in axes]
        splits = [module.Split(str(axis), ()) for axis in axes]
        expected = n * module._nearest(expected, [margin / n for margin in margins], splits)
        counts = module._whole(expected, rng)
        assert (counts >= 0).all()
        for axis, margin in enumerate(margins):
            np.testing.assert_array_equal(counts.sum(axis=tuple(i for i in axes if i != axis)), margin)
        assert np.abs(counts - expected).max() < max(3, n / 20)


def test_whole_numbers_expect_what_they_round() -> None:
    """No combination is always rounded up: the mean of many draws is near to what is expected."""
    rng = np.random.default_rng(1)
    expected = np.array([[2.3, 1.7, 1.0], [0.7, 2.3, 2.0]])
    mean = np.mean([module._whole(expected, rng) for _ in range(2000)], axis=0)
    assert np.abs(mean - expected).max() < 0.05


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"fraud": 1.5}, "one share does not say"),
        ({"ward": 0.5}, "one share does not say of which value of 'ward'"),
        ({"ward": {"a": 0.7, "b": 0.7}}, "add up to more than 1"),
        ({"ward": {"z": 0.5}}, "not a category"),
        ({"ward": {}}, "numbers from 0 to 1"),
        ({"ward": {"a": "half"}}, "numbers from 0 to 1"),
        ({"in": {"out > 3": 0.5}}, "'in' is a number and cannot be compared"),
        ({"height": {1: 0.5}}, "not a column that can be sampled"),
        ({"visit": {"V-0001": 0.5}}, "not a column that can be sampled"),
        ([0.5], "balance must have shares"),
        ({**ASKED, "in": dict.fromkeys(range(10), 0.1)}, "180 combinations of classes"),
    ],
)
def test_shares_that_cannot_be_read_are_one_sentence(fitted, asked, said, monkeypatch) -> None:
    monkeypatch.setattr(module, "_MOST", 100)
    with pytest.raises(dpsynth.ConditionError, match=said) as caught:
        fitted.sample(10, balance=asked)
    assert "\n" not in str(caught.value)


def test_shares_that_exclude_each_other_are_one_sentence(fitted) -> None:
    """Everybody in ward a is a fraud, and nobody else: no rows are half in ward a, and nine tenths frauds."""
    only = "(ward == 'a' and fraud == True) or (ward == 'b' and fraud == False)"
    rows = fitted.sample(100, where=only, balance={"ward": {"a": 0.25}, "fraud": 0.25}, seed=1)
    assert (rows["ward"] == "a").sum() == rows["fraud"].sum() == 25
    with pytest.raises(dpsynth.ConditionError, match="exclude each other"):
        fitted.sample(100, where=only, balance={"ward": {"a": 0.5, "b": 0.5}, "fraud": 0.9})


def test_classes_without_mass_and_given_tables_are_refused(fitted) -> None:
    with pytest.raises(dpsynth.ConditionError, match="has no row of 'ward: b'"):
        fitted.sample(10, where="ward != 'b'", balance={"ward": {"b": 0.5}})
    with pytest.raises(dpsynth.ConditionError, match="cannot be balanced"):
        fitted.sample(given=pd.DataFrame({"ward": ["a"]}), balance={"fraud": 0.5})
    with pytest.raises(dpsynth.ConditionError, match="compared with each other"):
        fitted.sample(10, where="out > `in`", balance=ASKED)
