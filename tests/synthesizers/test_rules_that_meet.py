"""Constraints where two facts meet: a marker, a missing value, a part of a total, a table with gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.synthesizers.implications import refuse_impossible
from dpsynth.synthesizers.rule_check import check_rules
from tests.synthesizers.constraint_cases import broken

pytestmark = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")


def drawn(schema: d.Schema, rows: pd.DataFrame, n: int = 2000) -> pd.DataFrame:
    """Rows of a model with next to no noise."""
    return d.Synthesizer(schema, "mst", epsilon=50, delta=1e-6, unsafe_seed=1, ledger=None).fit(rows).sample(n, seed=1)


def parts(n: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame({"a": rng.integers(0, 11, n), "b": rng.integers(0, 11, n)})


def test_a_total_is_never_the_number_that_stands_for_missing() -> None:
    columns = {name: d.Numeric(0, 10, integer=True) for name in "ab"}
    columns["t"] = d.Numeric(0, 20, integer=True, nullable=True, missing_marker=7)
    schema = d.Schema(columns, constraints=[d.Sum("t", ["a", "b"])])
    frame = parts()
    rows = drawn(schema, frame.assign(t=frame["a"] + frame["b"]))
    assert (rows["a"] + rows["b"] == rows["t"]).all()
    assert 6 in set(rows["t"])
    assert 7 not in set(rows["t"])


def test_where_the_lower_column_is_missing_the_upper_one_has_all_its_values() -> None:
    schema = d.Schema(
        {"low": d.Numeric(20, 30, integer=True, nullable=True), "high": d.Numeric(0, 40, integer=True)},
        constraints=[d.Order("low", "<=", "high")],
    )
    rng = np.random.default_rng(3)
    low = pd.Series(rng.integers(20, 31, 3000)).mask(rng.random(3000) < 0.5)
    rows = drawn(schema, pd.DataFrame({"low": low, "high": np.where(low.isna(), rng.integers(0, 20, 3000), 35)}))
    assert broken(schema, rows) == []
    assert (rows["high"][rows["low"].isna()] < 20).mean() > 0.8


@pytest.mark.parametrize("order", [d.Order("t", ">=", "a"), d.Order("a", "<", "t"), d.Order("t", "<=", "b")])
@pytest.mark.parametrize("by_way_of", [False, True])
def test_a_total_may_be_in_order_with_a_part_that_it_is_computed_from(order: d.Order, by_way_of: bool) -> None:
    columns = {name: d.Numeric(0, 10, integer=True) for name in "ab"}
    columns |= {name: d.Numeric(-20, 60, integer=True) for name in "st"}
    rules = [d.Derived("s", "a + b"), d.Derived("t", "2 * s - a - b" if by_way_of else "a + b")]
    schema = d.Schema(columns, constraints=[*rules, order])
    frame = parts()
    rows = drawn(schema, frame.assign(s=frame["a"] + frame["b"], t=frame["a"] + frame["b"]))
    assert broken(schema, rows) == []
    assert (rows["a"] + rows["b"] == rows["t"]).all()


def test_a_number_that_a_table_does_not_list_is_missing() -> None:
    columns = {"ward": d.Categorical(["u", "v"]), "beds": d.Numeric(0, 40, integer=True, nullable=True)}
    schema = d.Schema(columns, constraints=[d.Derived("beds", of="ward", table={"u": 30})])
    rows = drawn(schema, pd.DataFrame({"ward": ["u", "v"] * 500, "beds": 30}))
    assert broken(schema, rows) == []
    assert rows["beds"].isna().mean() == pytest.approx(0.5, abs=0.05)


def test_a_condition_on_a_copy_cuts_cells_where_it_cuts_the_column_itself() -> None:
    columns = {name: d.Numeric(0, 100) for name in ("billed", "paid")}
    schema = d.Schema(columns, constraints=[d.Order("billed", "==", "paid")])
    values = np.random.default_rng(4).uniform(0, 100, 3000)
    synth = d.Synthesizer(schema, "mst", epsilon=5, delta=1e-6, unsafe_seed=1, ledger=None)
    synth.fit(pd.DataFrame({"billed": values, "paid": values}))
    for name in columns:
        rows = synth.sample(1000, where=f"{name} > 33.37 and {name} < 33.39", seed=1)
        assert rows["billed"].between(33.37, 33.39).all()
        assert (rows["billed"] == rows["paid"]).all()


def test_a_table_may_look_up_numbers_whose_increments_another_rule_fixes() -> None:
    schema = d.Schema(
        {"dose": d.Numeric(0, 5000, integer=True), "drug": d.Categorical(["u", "v"])},
        constraints=[d.FixedIncrements("dose", 500), d.FixedCombinations(["dose", "drug"], [[500, "u"], [1000, "v"]])],
    )
    frame = pd.DataFrame({"dose": [500, 1000, 1000, 700], "drug": ["u", "v", "u", "u"]})
    assert [each.broken for each in check_rules(frame, schema)] == [1, 2]
    rows = drawn(schema, frame)
    assert {tuple(row) for row in rows.to_numpy().tolist()} == {(500, "u"), (1000, "v")}


def test_a_period_of_the_unit_is_no_column_of_a_constraint() -> None:
    dates = {name: d.Datetime("2020-01-01", "2020-12-31") for name in ("start", "end")}
    schema = d.Schema(
        {"who": d.Identifier(), **dates},
        unit=d.PrivacyUnit(["who", "month(end)"], 2),
        constraints=[d.Order("start", "<=", "end")],
    )
    with pytest.raises(d.SchemaError, match="the unit is by a period of 'end', which constraints model together"):
        recoding_of(schema)


def test_no_column_has_the_name_of_what_constraints_model_together() -> None:
    columns = {name: d.Numeric(0, 9, integer=True) for name in ("a", "b", "a to b")}
    with pytest.raises(d.SchemaError, match="a column is called 'a to b', as what constraints model together"):
        recoding_of(d.Schema(columns, constraints=[d.Order("a", "<=", "b")]))


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.7), (1.1, 2.3), (1.1, 1.7)])
def test_bounds_that_float64_cannot_tell_from_a_multiple_are_one(low: float, high: float) -> None:
    """0.7 / 0.1 is a little less than 7, and 1.1 / 0.1 a little more than 11."""
    schema = d.Schema({"x": d.Numeric(low, high)}, constraints=[d.FixedIncrements("x", 0.1)])
    stepped = recoding_of(schema).modelled.columns["x"]
    assert (stepped.low, stepped.high) == (low, high)


def test_a_table_has_no_two_rows_for_what_is_read_as_one_value() -> None:
    columns = {"grade": d.Numeric(1, 2, integer=True), "pass": d.Boolean()}
    table = [[1, True], ["1", False], [2, False]]
    with pytest.raises(d.SchemaError, match="gives two rows for values that"):
        recoding_of(d.Schema(columns, constraints=[d.Derived("pass", of="grade", table=table)]))


@pytest.mark.parametrize("nullable", [False, True])
def test_a_table_has_a_row_for_every_value_unless_the_column_may_be_missing(nullable: bool) -> None:
    columns = {
        "sub_grade": d.Categorical(["A1", "A2", "B1"], nullable=nullable),
        "day": d.Boolean(),
        "grade": d.Categorical(["A", "B"]),
    }
    every = [[name, day, name[0]] for name in ("A1", "A2", "B1") for day in (False, True)]
    every += [[None, day, "B"] for day in (False, True)] if nullable else []
    of = ["sub_grade", "day"]
    for table in (every, every[1:]):
        schema = d.Schema(columns, constraints=[d.Derived("grade", of=of, table=table)])
        if table is every:
            assert set(recoding_of(schema).modelled.columns) == set(of)
            continue
        with pytest.raises(d.SchemaError, match="has no row for some values of"):
            recoding_of(schema)
        missing = d.Schema(
            {**columns, "grade": d.Categorical(["A", "B"], nullable=True)}, constraints=schema.constraints
        )
        assert set(recoding_of(missing).modelled.columns) == set(of)


def test_no_drawn_row_takes_the_places_of_two() -> None:
    """Rows that break a rule again after a first repair: what was put in a place is used up."""
    columns = {
        "p": d.Categorical(["r", "s"]),
        "q": d.Categorical(["k", "l"]),
        "x": d.Numeric(0, 1),
        "y": d.Numeric(0, 1),
    }
    rules = [d.Implies("x >= 0", "p == 'r'"), d.Implies("p == 'r'", "q == 'k'")]
    rng = np.random.default_rng(5)
    n = 5000
    p, q = rng.choice(["r", "s"], n, p=[0.9, 0.1]), rng.choice(["k", "l"], n, p=[0.8, 0.2])
    data = pd.DataFrame({"p": p, "q": q, "x": rng.random(n), "y": rng.random(n)})
    rows = drawn(d.Schema(columns, constraints=rules), data, 150)
    assert not rows[["x", "y"]].duplicated().any()  # four digits of each: by chance one sample in ten thousand has two
    assert (rows["p"] == "r").all()
    assert (rows["q"] == "k").all()


def test_keys_of_the_parts_of_a_scenario_do_not_repeat() -> None:
    columns = {"visit": d.Numeric(1, 300, integer=True), "ward": d.Categorical(["a", "b"])}
    schema = d.Schema(columns, constraints=[d.Unique("visit")])
    frame = pd.DataFrame({"visit": range(1, 301), "ward": ["a", "b"] * 150})
    synth = d.Synthesizer(schema, "independent", epsilon=5, delta=1e-6, unsafe_seed=1, ledger=None).fit(frame)
    rows = synth.sample(300, scenario=d.Scenario.from_dict({"grid": {"ward": ["a", "b"]}}), seed=1)
    assert sorted(rows["visit"]) == list(range(1, 301))


@pytest.mark.parametrize("when", ["a > 8 or p == 'u'", "a > b", "a > 8 and p == 'u'"])
def test_where_the_conclusion_is_impossible_no_row_meets_the_condition(when: str) -> None:
    columns = {
        **{name: d.Numeric(0, 10, integer=True) for name in "ab"},
        "p": d.Categorical(["u", "v"]),
        "q": d.Categorical(["r", "s"]),
    }
    rng = np.random.default_rng(6)
    frame = parts().assign(p=rng.choice(["u", "v"], 3000), q=rng.choice(["r", "s"], 3000))
    schema = d.Schema(columns, constraints=[d.Implies("b >= 0", "q == 's'"), d.Implies(when, "q == 'r'")])
    rows = drawn(schema, frame)
    assert len(rows) == 2000
    assert (rows["q"] == "s").all()
    assert not rows.eval(when).any()


@pytest.mark.parametrize("order", [d.Order("whole", "<=", "half"), d.Order("half", "<", "whole")])
def test_columns_on_steps_beside_each_other_stay_on_them(order: d.Order) -> None:
    columns = {"whole": d.Numeric(0, 10, integer=True), "half": d.Numeric(0.5, 10.5, step=1.0)}
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"whole": rng.integers(0, 11, 2000), "half": rng.integers(0, 11, 2000) + 0.5})
    schema = d.Schema(columns, constraints=[order])
    rows = drawn(schema, frame)
    assert broken(schema, rows) == []
    assert set(rows["half"] % 1) == {0.5}
    assert set(rows["whole"] % 1) == {0}


def test_a_result_that_is_rounded_into_the_bounds_is_within_reach() -> None:
    columns = {"days": d.Numeric(0, 4, integer=True), "weeks": d.Numeric(1, 5, integer=True)}
    rule = [d.Derived("weeks", "days / 7")]
    schema = d.Schema(columns, constraints=rule)
    rows = drawn(schema, pd.DataFrame({"days": [0, 1, 2, 3, 4] * 200, "weeks": 1}), 50)
    assert set(rows["days"]) == {4}
    assert set(rows["weeks"]) == {1}
    with pytest.raises(d.SchemaError, match="no row can keep `weeks = days / 7`"):
        recoding_of(d.Schema({**columns, "days": d.Numeric(0, 3, integer=True)}, constraints=rule))


def test_what_a_table_or_a_condition_cannot_be_about_is_refused() -> None:
    columns = {"k": d.Numeric(1, 50, integer=True), "cost": d.Numeric(0, 5000, integer=True), "m": d.Boolean()}
    many = d.Schema(columns, constraints=[d.FixedCombinations(["cost", "m"], [[10, True], [20, False]])])
    with pytest.raises(d.SchemaError, match="looks values up by 'cost', which has more than 1,024 of them"):
        recoding_of(many)
    keyed = d.Schema(columns, constraints=[d.Unique("k"), d.Implies("k > 3", "m == True")])
    with pytest.raises(d.SchemaError, match="is about 'k', a key that is generated"):
        refuse_impossible(keyed)
