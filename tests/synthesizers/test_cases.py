"""Rows under a condition of any form follow the model's distribution of the rows that meet it, by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dpsynth
from dpsynth import Categorical, Numeric, Schema, Synthesizer
from dpsynth.models.refined import RefinedModel
from dpsynth.models.released import ReleasedRows
from dpsynth.synthesizers import cases, drawn_cases
from tests.synthesizers.planted import SCHEMA, every_row, p_value, planted

CONDITIONS = {
    "five at once": ("`in` >= 3 and out < 8 and ward != 'b' and fraud == True and size in [1, 2]", False),
    "or across columns": ("fraud == True or (ward == 'c' and size == 3)", False),
    "or of three that overlap": ("size == 0 or ward == 'a' or `in` > 6", False),
    "nested": ("(ward == 'a' and (size == 1 or fraud == True)) or (ward == 'b' and `in` <= 2)", False),
    "one column after another": ("out >= `in`", True),
    "missing values meet none": ("out != `in` and ward == 'a'", True),
    "a chain": ("2 <= `in` < out <= 7", True),
    "or with a relation": ("fraud == True or `in` == out", True),
    "a rare relation": ("out < size and `in` == 9 and size < 3", True),
}


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    return planted()


@pytest.fixture(scope="module")
def every(fitted) -> pd.DataFrame:
    return every_row(fitted)


HOLDS = {
    "five at once": lambda r: (r["in"] >= 3) & (r.out < 8) & (r.ward != "b") & r.fraud & r["size"].isin([1, 2]),
    "or across columns": lambda r: r.fraud | ((r.ward == "c") & (r["size"] == 3)),
    "or of three that overlap": lambda r: (r["size"] == 0) | (r.ward == "a") | (r["in"] > 6),
    "nested": lambda r: ((r.ward == "a") & ((r["size"] == 1) | r.fraud)) | ((r.ward == "b") & (r["in"] <= 2)),
    "one column after another": lambda r: r.out >= r["in"],
    "missing values meet none": lambda r: (r.out != r["in"]) & (r.ward == "a"),
    "a chain": lambda r: (r["in"] >= 2) & (r["in"] < r.out) & (r.out <= 7),
    "or with a relation": lambda r: r.fraud | (r.out == r["in"]),
    "a rare relation": lambda r: (r.out < r["size"]) & (r["in"] == 9) & (r["size"] < 3),
}


def drawn(fitted, where, n=4000):
    """Rows in small draws: a large one counts more evenly than independent rows do."""
    return pd.concat([fitted.sample(n // 8, where=where, seed=seed) for seed in range(8)], ignore_index=True)


@pytest.mark.parametrize("name", CONDITIONS)
def test_rows_under_a_condition_follow_the_model(fitted, every, name) -> None:
    where, _ = CONDITIONS[name]
    rows = drawn(fitted, where)
    assert len(rows) == 4000
    assert p_value(rows, every, HOLDS[name]) > 1e-4


@pytest.mark.parametrize("name", ["five at once", "or across columns", "nested", "a chain"])
def test_the_test_has_power_against_columns_drawn_by_themselves(fitted, every, name) -> None:
    rows = drawn(fitted, CONDITIONS[name][0])
    rng = np.random.default_rng(5)
    for column in ("size", "fraud", "ward") if name == "a chain" else ("out",):
        rows[column] = rows[column].array.take(rng.permutation(len(rows)))
    met = HOLDS[name](rows).fillna(False).astype(bool)
    assert not met.all() or p_value(rows, every, HOLDS[name]) < 1e-6


LEAVES = {
    "`in` >= 5": lambda r: r["in"] >= 5,
    "2 <= `in` < 7": lambda r: (r["in"] >= 2) & (r["in"] < 7),
    "out < 4": lambda r: r["out"] < 4,
    "out is None": lambda r: r["out"].isna(),
    "ward in ['a', 'c']": lambda r: r["ward"].isin(["a", "c"]),
    "ward != 'b'": lambda r: r["ward"] != "b",
    "fraud": lambda r: r["fraud"],
    "size not in [0, 2]": lambda r: ~r["size"].isin([0, 2]),
    "out > `in`": lambda r: r["out"] > r["in"],
    "size <= `in` <= out": lambda r: (r["size"] <= r["in"]) & (r["in"] <= r["out"]),
}
"""Parts of conditions, and what they mean; a missing value meets `is None` alone."""


def conditions():
    """Conditions of such parts, joined by `and` and `or` in any way."""

    def joined(inner):
        return st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3))

    return st.recursive(st.sampled_from(list(LEAVES)), joined, max_leaves=6)


def text_of(condition) -> str:
    if isinstance(condition, str):
        return condition
    word, parts = condition
    return f" {word} ".join(f"({text_of(part)})" for part in parts)


def truth_of(condition, rows) -> np.ndarray:
    if isinstance(condition, str):
        return LEAVES[condition](rows).fillna(False).to_numpy(dtype=bool)
    word, parts = condition
    combine = np.logical_and if word == "and" else np.logical_or
    return combine.reduce([truth_of(part, rows) for part in parts])


@given(condition=conditions())
@settings(deadline=None, max_examples=60)
def test_a_row_meets_exactly_one_case_of_a_condition_that_holds_and_none_of_another(every, condition) -> None:
    met = np.zeros(len(every), dtype=int)
    for case in cases.cases_of(text_of(condition), None, SCHEMA):
        met += case.holds(every) & np.logical_and.reduce(
            [np.ones(len(every), dtype=bool), *(term.holds(every[term.column]) for term in case.terms)]
        )
    np.testing.assert_array_equal(met, truth_of(condition, every).astype(int))


def test_alternatives_that_overlap_would_be_found(fitted, every, monkeypatch) -> None:
    """A double that draws `a or b` as a and b, without taking the one from the other."""

    def overlapping(self, nodes, truth, all_of):
        return [each for node in nodes for each in self.alternatives(node, truth)]

    monkeypatch.setattr(cases._Splitter, "_joined", overlapping)
    name = "or of three that overlap"
    assert p_value(drawn(fitted, CONDITIONS[name][0]), every, HOLDS[name]) < 1e-6


def test_relations_that_nobody_looks_at_would_be_found(fitted, every, monkeypatch) -> None:
    monkeypatch.setattr(cases.Case, "holds", lambda self, rows: np.ones(len(rows), dtype=bool))
    with pytest.raises(AssertionError, match="does not meet"):
        p_value(drawn(fitted, "out >= `in`"), every, HOLDS["one column after another"])


def test_a_class_of_one_in_a_thousand_has_the_models_other_columns(fitted, every) -> None:
    """10,000 rows; a double that takes the other columns from all rows is refuted."""
    rows = drawn(fitted, "fraud == True", n=10_000)
    assert rows["fraud"].all()
    frauds = every[every["fraud"]]
    assert 0.0009 < frauds["share"].sum() < 0.0011
    assert p_value(rows, every, lambda r: r.fraud.astype(bool)) > 1e-4
    anybody = fitted.sample(10_000, seed=4).assign(fraud=True)
    assert p_value(anybody, every, lambda r: r.fraud.astype(bool)) < 1e-6


def test_a_relation_that_one_row_in_many_thousand_meets_is_drawn_from_fitting_cells(fitted, every, monkeypatch) -> None:
    apart = []
    whole = drawn_cases.Drawing._apart
    monkeypatch.setattr(drawn_cases.Drawing, "_apart", lambda self, case: apart.append(1) or whole(self, case))
    where, name = CONDITIONS["a rare relation"][0], "a rare relation"
    rows = fitted.sample(3000, where=where, seed=1)
    assert apart
    assert len(rows) == 3000
    assert HOLDS[name](rows).all()


def test_numbers_in_cells_that_begin_elsewhere_can_be_equal() -> None:
    """Few rows meet it, so that cells are chosen first: all that overlap, and not only where their ends are equal."""
    rng = np.random.default_rng(0)
    schema = Schema({"paid": Numeric(0, 9999, integer=True), "billed": Numeric(-700, 12001, integer=True)})
    frame = pd.DataFrame({"paid": rng.integers(0, 10_000, 5000), "billed": rng.integers(-700, 12_002, 5000)})
    synth = Synthesizer(schema, "mst", epsilon=50, delta=1e-6, unsafe_seed=1, ledger=None).fit(frame)
    rows = synth.sample(1000, where="paid == billed", seed=1)
    assert (rows["paid"] == rows["billed"]).all()
    tenths = np.bincount(rows["paid"].to_numpy(int) // 1000, minlength=10)
    assert tenths.min() > 40
    assert tenths.max() < 200


def test_a_single_real_number_has_no_rows_beside_alternatives_and_can_be_asked_for_alone() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"cost": rng.uniform(0, 100, 2000), "ward": rng.choice(["a", "b"], 2000)})
    schema = Schema({"cost": Numeric(0, 100), "ward": Categorical(["a", "b"])})
    synth = Synthesizer(schema, "mst", epsilon=5, delta=1e-6, unsafe_seed=1, ledger=None).fit(frame)
    rows = synth.sample(500, where="cost == 33.25 and ward == 'a' or ward == 'b'", seed=1)
    assert (rows["ward"] == "b").all()
    assert (synth.sample(5, where="cost == 33.25 and ward == 'a'", seed=1)["cost"] == 33.25).all()


def test_identifiers_are_different_and_no_more_are_made_than_rows(fitted) -> None:
    """The pattern has 10,000 of them; more rows than that are drawn to meet the relation."""
    rows = fitted.sample(9000, where="out < `in` or fraud == True", seed=1)
    assert rows["visit"].is_unique
    assert list(rows) == list(SCHEMA.columns)
    again = fitted.sample(9000, where="out < `in` or fraud == True", seed=1)
    pd.testing.assert_frame_equal(rows, again)
    none = fitted.sample(0, where="out < `in` or fraud == True", seed=1)
    assert none.dtypes.equals(rows.dtypes)


def test_an_impossible_condition_names_the_columns_that_exclude_each_other_and_no_others() -> None:
    """Everybody in ward a has size 0: of five conditions two are to blame."""
    synth = planted()
    inner = synth._fitted()
    codes = inner.model.sample(2000, np.random.default_rng(1))
    codes["size"] = np.where(codes["ward"] == 0, 0, codes["size"])
    released = ReleasedRows.of(inner.model.domain, np.stack([*codes.values()], axis=1))
    synth.fitted_ = replace(inner, model=RefinedModel.of_cells(released))
    with pytest.raises(dpsynth.ConditionError) as caught:
        synth.sample(5, where="`in` >= 1 and out >= 0 and ward == 'a' and fraud == False and size in [1, 2]")
    assert "the condition on `ward` and `size`: widen it, leave a part of it out" in str(caught.value)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("`in` > 8 and (`in` < 3 or out == 1) and `in` < 8", "`in`"),
        ("out > `in` and `in` == 9", "`in`"),
        ("`in` == ward", "compared in a way that cannot be read"),
        ("ward < fraud", "compared in a way"),
        ("`in` in out", "compared in a way"),
        ("`in` + out > 3", "compared in a way"),
        ("(`in` or out) and ward == 'a'", "consists of comparisons"),
        ("1 < 2", "compare a column"),
        (" and ".join(f"(`in` == {i % 10} or out == {i % 9} or size == {i % 4})" for i in range(12)), "more than 1000"),
    ],
)
def test_what_cannot_be_met_or_read_is_one_sentence(fitted, where, said) -> None:
    with pytest.raises(dpsynth.ConditionError) as caught:
        fitted.sample(5, where=where)
    assert "\n" not in str(caught.value)
    assert said in str(caught.value)
