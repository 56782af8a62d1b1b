"""Conditions on exact values, nulls, moments with a zone, and columns with odd names."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import dpsynth
from dpsynth import Boolean, Categorical, Datetime, Numeric, Schema, Synthesizer
from dpsynth.synthesizers.cases import cases_of
from dpsynth.synthesizers.conditions import read

LOOSE = unicodedata.normalize("NFD", "größe")
ODD = [LOOSE, "µg", "class", "home.dest", "a`b", "_column_0", "_column_1"]
SCHEMA = Schema(
    {
        "balance": Numeric(-500, 500, nullable=True),
        "income": Numeric(0, 200_000, integer=True, nullable=True),
        "at": Datetime("2020-01-01", "2020-12-31", resolution="s", nullable=True),
        "kind": Categorical(["a", "old `x`"], nullable=True),
        "smokes": Boolean(nullable=True),
        **{name: Numeric(0, 4, integer=True) for name in ODD},
    }
)


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    rng = np.random.default_rng(1)
    rows = 3000
    kind = rng.choice(["a", "old `x`"], rows)
    frame = pd.DataFrame(
        {
            "balance": rng.normal(np.where(kind == "a", -40, 60), 60),
            "income": pd.array(rng.integers(0, 90_000, rows), dtype="Int64"),
            "at": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 31_000_000, rows), unit="s"),
            "kind": kind,
            "smokes": pd.array(rng.random(rows) < 0.4, dtype="boolean"),
            **{name: rng.integers(0, 5, rows) for name in ODD},
        }
    )
    for name in ("balance", "income", "at", "kind", "smokes"):
        frame[name] = frame[name].mask(rng.random(rows) < 0.1)
    return Synthesizer(SCHEMA, "mst", epsilon=20, delta=1e-6, unsafe_seed=1, ledger=None).fit(frame)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("balance", -50.0, -50.0),
        ("balance", np.float32(12.5), 12.5),
        ("balance", Decimal("3.25"), 3.25),
        ("income", np.int64(12_345), 12_345),
        ("at", "2020-06-01 12:00:01", pd.Timestamp("2020-06-01 12:00:01")),
        ("at", np.datetime64("2020-06-01T12:00:01.000000000"), pd.Timestamp("2020-06-01 12:00:01")),
        ("at", pd.Timestamp("2020-06-01 14:00", tz="Europe/Vienna"), pd.Timestamp("2020-06-01 12:00")),
        ("at", "2020-06-01T02:00:00+02:00", pd.Timestamp("2020-06-01")),
        ("smokes", np.bool_(True), True),
        ("kind", np.str_("a"), "a"),
    ],
)
def test_an_exact_value_is_given(fitted, name, value, wanted) -> None:
    release = fitted.sample(40, given={name: value}, seed=1)
    assert len(release) == 40
    assert (release[name] == wanted).all()


@pytest.mark.parametrize("null", [None, np.nan, pd.NA, pd.NaT, np.datetime64("NaT"), Decimal("nan"), np.float32("nan")])
@pytest.mark.parametrize("name", ["balance", "income", "at", "kind", "smokes"])
def test_every_null_is_missing(fitted, name, null) -> None:
    release = fitted.sample(20, given={name: null}, seed=1)
    assert len(release) == 20
    assert release[name].isna().all()


def test_a_narrow_window_has_the_models_distribution_beside_it(fitted) -> None:
    """Given a part of a cell, another column is distributed as given the whole cell, and as rejection has it.

    Its ends lie between two numbers of one decimal, as values are drawn before they are written so.
    """
    whole = fitted.sample(150_000, seed=2)
    near = whole[whole["balance"].between(59.95, 61.65)]
    drawn = fitted.sample(8000, where="59.95 <= balance <= 61.65", seed=3)
    assert drawn["balance"].between(59.95, 61.65).all()
    assert stats.ks_2samp(near["balance"], drawn["balance"]).pvalue > 1e-3
    shares = near["kind"].value_counts(normalize=True), drawn["kind"].value_counts(normalize=True)
    margin = 4.5 * np.sqrt(0.25 / len(near) + 0.25 / len(drawn))
    assert (shares[0] - shares[1]).abs().max() < margin
    assert abs((whole["kind"] == "a").sum() / whole["kind"].notna().sum() - shares[1]["a"]) > margin  # it has power


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        (f"{LOOSE} == 1", lambda r: r[LOOSE] == 1),
        ("größe == 1", lambda r: r[LOOSE] == 1),
        ("µg == 1 and µg != 2", lambda r: r["µg"] == 1),
        ("class == 1", lambda r: r["class"] == 1),
        ("`class` in [1, 2]", lambda r: r["class"].isin([1, 2])),
        ("`home.dest` == 1 and _column_0 == 2", lambda r: (r["home.dest"] == 1) & (r["_column_0"] == 2)),
        ("`_column_1` == 3 and `_column_0` == 2", lambda r: (r["_column_1"] == 3) & (r["_column_0"] == 2)),
        ("`a``b` == 4", lambda r: r["a`b"] == 4),
        ("kind == 'old `x`' and `home.dest` == 1", lambda r: (r["kind"] == "old `x`") & (r["home.dest"] == 1)),
        (r'kind == "old \x60x`"', lambda r: r["kind"] == "old `x`"),
        ("kind == '''old `x`'''", lambda r: r["kind"] == "old `x`"),
        ("income >= 5e4 and income < 0xFFFFF", lambda r: r["income"] >= 50_000),
        ("income > 71_003 and income <= 71_004", lambda r: r["income"] == 71_004),
    ],
)
def test_names_and_texts_are_read_as_they_stand(fitted, where, holds) -> None:
    release = fitted.sample(20, where=where, seed=1)
    assert len(release) == 20
    assert holds(release).fillna(False).all()


@pytest.mark.parametrize(
    "bad",
    [
        {"where": "home dest == 1"},
        {"where": "in == 1"},
        {"where": "kind == 'a"},
        {"where": "balance > None"},
        {"where": "kind < 'a'"},
        {"where": "at == 'NaT'"},
        {"where": "at == ''"},
        {"where": f"income == {10**30}"},
        {"where": f"income == 1{'0' * 400}"},
        {"where": f"balance == {10**400}"},
        {"where": "(" * 500 + "income" + ")" * 500 + " == 1"},
        {"where": "income == 12.5"},
        {"given": {"balance": np.array([1.0, 2.0])}},
        {"given": {"balance": [1.0]}},
        {"given": {"balance": True}},
        {"given": {"balance": np.inf}},
        {"given": {"kind": ["a"]}},
        {"given": {"kind": np.array(["a", "b"])}},
        {"given": {"smokes": np.array([True, False])}},
        {"given": {"at": [1]}},
        {"given": {"at": object()}},
        {"given": {"at": 1e300}},
        {"given": {5: 1}},
        {"given": {"class": None}},
    ],
)
def test_what_cannot_be_met_is_one_sentence(fitted, bad) -> None:
    with pytest.raises(dpsynth.ConditionError) as caught:
        fitted.sample(5, **bad)
    assert "\n" not in str(caught.value)


def test_a_name_that_cannot_be_read_points_to_backticks(fitted) -> None:
    for where in ("in == 1", "home dest == 1"):
        with pytest.raises(dpsynth.ConditionError, match="backticks"):
            fitted.sample(5, where=where)


def test_numbers_as_column_names_are_read_as_text() -> None:
    rows = pd.DataFrame(np.random.default_rng(0).integers(0, 5, (60, 3)))
    schema = Schema.draft(rows)
    schema = Schema({name: Numeric(0, 4, integer=True) for name in schema.to_dict()["columns"]})
    release = Synthesizer(schema, epsilon=1, delta=1e-6, ledger=None).fit(rows).sample(10, seed=0)
    assert list(release) == ["0", "1", "2"]
    assert dpsynth.evaluate(release, rows, schema)
    assert dpsynth.audit(rows[:20], rows[20:40], rows[40:])
    assert list(rows) == [0, 1, 2]


def test_other_names_must_be_text() -> None:
    rows = pd.DataFrame({0.5: [1, 2], "b": [1, 2]})
    schema = Schema({"0.5": Numeric(0, 4, integer=True), "b": Numeric(0, 4, integer=True)})
    with pytest.raises(ValueError, match="column names must be text, and 1 of the table's 2 are not"):
        Synthesizer(schema, epsilon=1, delta=1e-6, ledger=None).fit(rows)


@pytest.mark.parametrize("mechanism", ["independent", "canopy"])
def test_a_condition_that_the_model_has_no_row_for_is_one_plain_sentence(mechanism) -> None:
    """Ages end at 40: the model has nothing near 120, and the schema allows it."""
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"age": rng.integers(0, 41, 3000), "sex": rng.choice(["f", "m"], 3000)})
    schema = Schema({"age": Numeric(0, 120, integer=True), "sex": Categorical(["f", "m"])})
    fitted = Synthesizer(schema, mechanism, epsilon=5, delta=1e-6, unsafe_seed=1, ledger=None).fit(rows)
    for where, names, remedy in (
        ("age > 115", "`age`", "widen it,"),
        ("age > 115 and sex == 'f'", "`age`", "widen it,"),
    ):
        with pytest.raises(dpsynth.ConditionError) as caught:
            fitted.sample(5, where=where)
        assert str(caught.value) == (
            f"the model gives probability 0 to rows that meet the condition on {names}: {remedy}"
            " or fit again with a larger epsilon, which shows smaller groups"
        )


def test_a_condition_longer_than_anybody_writes_is_refused_and_no_message_repeats_all_of_it() -> None:
    longest = "age >= 1" + " " * (50_000 - len("age >= 1"))
    assert read(longest).names == {"_column_0": "age"}
    with pytest.raises(dpsynth.ConditionError, match="has 50,001 characters, and one may have 50,000") as caught:
        read(longest + " ")
    with pytest.raises(dpsynth.ConditionError, match="cannot be read") as unread:
        read("(" * 3000 + "age > 3" + ")" * 3000)
    assert max(len(str(each.value)) for each in (caught, unread)) < 500


@pytest.mark.parametrize("codes", [["0", "1"], [0, 1]])
@pytest.mark.parametrize("where", ["died == 1", "died == '1'", "died in ['1']", "died == 1.0"])
def test_a_condition_names_a_code_as_a_table_may_write_it(codes: list[str | float], where: str) -> None:
    (case,) = cases_of(where, None, Schema({"died": Categorical(codes)}))
    assert case.terms[0].constants == (codes[1],)


@pytest.mark.parametrize("where", ["died == '01'", "died == 2", "died == 'x'"])
@pytest.mark.parametrize("codes", [["0", "1"], ["0", "True"]])
def test_a_condition_names_no_code_that_a_table_could_not_write_so(codes: list[str | float], where: str) -> None:
    with pytest.raises(dpsynth.ConditionError, match="is not a category of 'died'"):
        cases_of(where, None, Schema({"died": Categorical(codes)}))
