"""Partial rows come back whole, in their order, and real tables are filled in and stamped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

import dpsynth
from dpsynth import Boolean, Categorical, Datetime, Identifier, Numeric, Schema, Synthesizer
from dpsynth.base.real_records import STAMP
from dpsynth.models.refined import RefinedModel
from dpsynth.models.released import ReleasedRows
from dpsynth.synthesizers import asking

SCHEMA = Schema(
    {
        "patient": Identifier(pattern="P-######"),
        "age": Numeric(0, 99, integer=True),
        "cost": Numeric(0, 1000, nullable=True),
        "ward": Categorical(["a", "b", "c"], nullable=True),
        "smoker": Boolean(nullable=True),
        "at": Datetime("2020-01-01", "2020-12-31", nullable=True),
    }
)


def records(rows=4000, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ward = rng.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2])
    age = np.where(ward == "a", rng.integers(0, 40, rows), rng.integers(50, 100, rows))
    return pd.DataFrame(
        {
            "patient": [f"P-{i:06}" for i in range(rows)],
            "age": age,
            "cost": np.clip(rng.normal(3 * age + 100, 40), 0, 1000).round(2),
            "ward": ward,
            "smoker": rng.random(rows) < np.where(ward == "c", 0.9, 0.1),
            "at": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, rows), unit="D"),
        }
    )


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    frame = records()
    return Synthesizer(SCHEMA, "mst", epsilon=20, delta=1e-6, unsafe_seed=1, ledger=None).fit(frame)


PARTIAL = pd.DataFrame(
    {
        "age": [20, None, 80, None, 33],
        "cost": [None, 12.25, 300.5, None, 7.0],
        "ward": ["a", "b", None, None, "a"],
        "smoker": [None, True, None, None, False],
        "at": ["2020-02-29", None, None, None, "2020-12-31"],
    }
)


def test_given_values_come_back_as_they_are_in_order(fitted) -> None:
    rows = fitted.sample(given=PARTIAL, seed=1)
    assert len(rows) == 5
    assert list(rows) == [*SCHEMA.columns, STAMP]
    assert rows[[*SCHEMA.columns]].dtypes.equals(fitted.sample(3, seed=1).dtypes)
    for name in PARTIAL:
        known = PARTIAL[name].notna()
        wanted = pd.to_datetime(PARTIAL[name]) if name == "at" else PARTIAL[name]
        assert (rows[name][known] == wanted[known]).all()
    pd.testing.assert_frame_equal(rows, fitted.sample(given=PARTIAL, seed=1))


def test_given_numbers_may_lie_on_steps_that_are_counted_from_a_bound() -> None:
    schema = Schema({"dose": Numeric(0.5, 10.5, step=1.0), "share": Numeric(0, 1, decimals=2), "smoker": Boolean()})
    rows = pd.DataFrame({"dose": [0.5, 3.5] * 50, "share": [0.25, 0.5] * 50, "smoker": [True, False] * 50})
    synth = Synthesizer(schema, "independent", epsilon=5, delta=1e-6, unsafe_seed=1, ledger=None).fit(rows)
    given = pd.DataFrame({"dose": [1.5, None, 10.5], "share": [0.29, 0.1 + 0.2, None]})
    found = synth.sample(given=given, seed=1)
    assert found["dose"].tolist()[::2] == [1.5, 10.5]
    assert found["share"].tolist()[:2] == [0.29, 0.1 + 0.2]
    for wrong in ({"dose": [2.0]}, {"dose": [11.5]}, {"dose": [np.inf]}, {"share": [0.295]}):
        with pytest.raises(dpsynth.ConditionError, match="does not allow"):
            synth.sample(given=pd.DataFrame(wrong))


def test_partial_rows_may_be_an_arrow_table_or_a_file(fitted, tmp_path) -> None:
    PARTIAL.to_csv(tmp_path / "partial.csv", index=False)
    wanted = fitted.sample(given=PARTIAL, seed=1)
    pd.testing.assert_frame_equal(fitted.sample(given=pa.Table.from_pandas(PARTIAL), seed=1), wanted)
    pd.testing.assert_frame_equal(fitted.sample(given=tmp_path / "partial.csv", seed=1), wanted)
    with pytest.raises(dpsynth.SchemaError, match="data must be a DataFrame"):
        fitted.sample(given=3)


def test_what_partial_rows_become_is_stamped_in_every_kind_of_table_and_taken_for_nothing_else(
    fitted, monkeypatch
) -> None:
    """They may have been real records. Values of columns, and conditions, are nobody's rows."""
    schema = Schema({name: column for name, column in SCHEMA.columns.items() if name != "patient"})
    real = records(50).drop(columns="patient")
    for more in ({}, {"support": True}, {"where": "age < 90"}, {"output": "arrow"}):
        rows = fitted.sample(given=PARTIAL[["ward", "smoker"]], seed=1, **more)
        assert pa.table(rows)[STAMP].to_pylist() == [True] * 5
        for use in (
            lambda rows=rows: Synthesizer(schema, "mst", epsilon=1, delta=1e-6, ledger=None).fit(rows),
            lambda rows=rows: dpsynth.evaluate(rows, real, schema),
            lambda rows=rows: dpsynth.audit(rows, real, real, schema=schema),
            lambda rows=rows: fitted.sample(given=rows),
        ):
            with pytest.raises(dpsynth.SchemaError, match=STAMP):
                use()
    written = fitted.sample(given=PARTIAL[["ward"]], seed=1).drop(columns=[STAMP, "patient"])
    written.attrs.clear()
    assert len(fitted.sample(given=written, seed=1)) == 5  # as the page says of rows that somebody wrote
    plain = fitted.sample(5, given={"ward": "a"}, where="age < 90", seed=1)
    assert STAMP not in plain
    assert not plain.attrs
    monkeypatch.setattr(asking, "stamped", lambda rows: rows)  # the double that does not stamp
    unstamped = fitted.sample(given=PARTIAL[["ward", "smoker"]], seed=1)
    assert fitted.sample(given=unstamped.drop(columns="patient"), seed=1).notna().any(axis=None)


def test_so_many_rows_come_back_for_each_given_one(fitted) -> None:
    rows = fitted.sample(3, given=PARTIAL[["ward"]], seed=1)
    assert len(rows) == 15
    assert rows["ward"][:3].tolist() == ["a"] * 3
    assert rows["patient"].is_unique
    assert fitted.sample(0, given=PARTIAL, seed=1).empty


def test_the_others_follow_the_model_and_columns_drawn_by_themselves_do_not(fitted) -> None:
    """Given ward and age as a table: what a sample under the same condition has."""
    given = pd.DataFrame({"ward": ["c", "a"] * 3000, "age": [70, 30] * 3000})
    rows = fitted.sample(given=given, seed=2)
    for ward, age in (("c", 70), ("a", 30)):
        alike = fitted.sample(3000, given={"ward": ward, "age": age}, seed=3)
        mine = rows[rows["ward"] == ward]
        assert stats.ks_2samp(mine["cost"].dropna(), alike["cost"].dropna()).pvalue > 1e-4
        counts = [[each["smoker"].fillna(False).sum(), (~each["smoker"].fillna(True)).sum()] for each in (mine, alike)]
        assert stats.chi2_contingency(counts).pvalue > 1e-4
    alone = fitted.sample(3000, seed=4)
    mine = rows[rows["ward"] == "c"]
    assert stats.ks_2samp(mine["cost"].dropna(), alone["cost"].dropna()).pvalue < 1e-6


def test_a_condition_holds_beside_given_rows(fitted) -> None:
    rows = fitted.sample(given=PARTIAL[["ward"]], where="age < 90 and cost > 50", seed=1)
    assert (rows["age"] < 90).all()
    assert (rows["cost"] > 50).all()


@pytest.mark.parametrize(
    ("given", "where", "said"),
    [
        ({"age": [20, 500]}, None, "1 values of 'age' that the schema does not allow, the first in row 1"),
        ({"age": [20.5]}, None, "does not allow"),
        ({"ward": ["a", "z"]}, None, "does not allow"),
        ({"smoker": ["perhaps"]}, None, "does not allow"),
        ({"at": ["2031-01-01"]}, None, "does not allow"),
        ({"cost": ["many"]}, None, "does not allow"),
        ({"patient": ["P-000001"]}, None, "cannot be sampled"),
        ({"height": [1]}, None, "cannot be sampled"),
        ({"age": [70, 20]}, "age >= 65", "do not meet where, the first in row 1"),
        ({"ward": ["a"]}, "age < 10 or cost > 3", "draw each alternative by itself"),
    ],
)
def test_given_rows_that_cannot_be_are_one_sentence_without_a_value(fitted, given, where, said) -> None:
    with pytest.raises(dpsynth.ConditionError, match=said) as caught:
        fitted.sample(given=pd.DataFrame(given), where=where)
    assert "\n" not in str(caught.value)
    assert not any(str(value) in str(caught.value) for values in given.values() for value in values if value != "a")


# Real tables


def holed(frame: pd.DataFrame, share=0.3, seed=1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = frame.astype({"smoker": object})
    for name in ("age", "cost", "ward", "smoker", "at"):
        frame[name] = frame[name].mask(rng.random(len(frame)) < share)
    return frame


def test_missing_values_are_filled_in_and_all_others_stay(fitted) -> None:
    real = records(600, seed=5)
    table = holed(real)
    filled = fitted.impute(table, seed=1)
    assert list(filled) == [*table, STAMP]
    assert filled[STAMP].all()
    assert filled.notna().all().all()
    for name in table:
        known = table[name].notna()
        assert filled[name][known].tolist() == table[name][known].tolist()
        assert name == "smoker" or filled[name].dtype == table[name].dtype
    pd.testing.assert_frame_equal(filled, fitted.impute(table, seed=1))


def test_filled_in_values_follow_the_known_ones(fitted) -> None:
    """Beside the truth: right more often than values drawn by themselves, which is the broken double."""
    real = records(3000, seed=5)
    table = real.assign(ward=real["ward"].mask(np.arange(3000) % 2 == 0))
    hidden = table["ward"].isna()
    right = (fitted.impute(table, seed=1)["ward"] == real["ward"])[hidden].mean()
    alone = (fitted.sample(3000, where="ward is not None", seed=2)["ward"].astype(str) == real["ward"])[hidden].mean()
    assert right > 0.75
    assert alone < 0.5


def test_among_text_a_value_is_written_as_the_schema_declares() -> None:
    """As in a CSV file with decimal commas and dates of a format; what is filled in is read again as it was drawn."""
    schema = Schema(
        {
            "pay": Numeric(0, 10, step=0.25, decimal=","),
            "at": Datetime("2020-01-01", "2020-12-31", format="%d.%m.%Y"),
            "smoker": Boolean(true=["ja"], false=["nein"]),
        }
    )
    rng = np.random.default_rng(0)
    moments = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, 900), unit="D")
    text = pd.DataFrame(
        {
            "pay": [f"{x / 4}".replace(".", ",") for x in rng.integers(0, 41, 900)],
            "at": moments.strftime("%d.%m.%Y"),
            "smoker": rng.choice(["ja", "nein"], 900),
        }
    )
    synth = Synthesizer(schema, "mst", epsilon=9, delta=1e-6, unsafe_seed=1, ledger=None).fit(text)
    for kind in ("str", "object"):
        filled = synth.impute(text.astype(kind).mask(rng.random((900, 3)) < 0.5), seed=1)
        assert filled["pay"].str.fullmatch(r"\d+(,\d+)?").all()
        assert filled["at"].str.fullmatch(r"\d\d\.\d\d\.2020").all()
        assert filled["smoker"].isin(["ja", "nein"]).all()
        assert set(filled["pay"].str.replace(",", ".").astype(float) * 4 % 1) == {0.0}


MARKED = {
    "dose": (Numeric(0, 9, integer=True, nullable=True, missing_marker=-9), [3, -9, 7]),
    "grade": (Numeric(1, 3, integer=True, nullable=True, missing_marker="n/a"), ["1", "n/a", "2"]),
    "ward": (Categorical(["a", "b"], nullable=True, missing_marker="?"), ["a", "?", "b"]),
    "day": (Datetime("2020-01-01", "2020-12-31", nullable=True, missing_marker="9999-12-31"),
            ["2020-02-02", "9999-12-31", "2020-03-03"]),
    "hour": (Datetime("2020-01-01", "2020-12-31", resolution="h", nullable=True),
             ["2020-02-02 10:00:00", None, "2020-03-03 00:00:00"]),
    "smoker": (Boolean(nullable=True, true=["ja"], false=["nein"], missing_marker="?"), ["ja", "?", "nein"]),
}  # fmt: skip
"""A value, a missing one, and another value, by columns."""


@pytest.mark.parametrize("name", MARKED)
def test_what_the_schema_marks_as_missing_is_filled_in_and_written_like_the_others(name) -> None:
    column, (one, none, other) = MARKED[name]
    schema = Schema({name: column})
    rows = pd.DataFrame({name: [one, none, other] * 100})
    synth = Synthesizer(schema, "independent", epsilon=9, delta=1e-6, unsafe_seed=1, ledger=None).fit(rows)
    table = pd.DataFrame({name: pd.Series([one, none] * 20 + [other], dtype=object)})
    filled = synth.impute(table, seed=1)[name].tolist()
    assert filled[::2] == [one] * 20 + [other]
    assert {*map(type, filled)} == {type(one)}
    assert {len(str(value)) for value in filled} == {len(str(one)), len(str(other))}
    whole = synth.sample(given=table, seed=1)[name]
    assert whole[::2].tolist() == synth.sample(given=table[::2], seed=2)[name].tolist()
    assert whole[::2].nunique() == 2


def test_a_missing_value_of_a_column_that_is_not_filled_in_is_a_fact_of_its_row() -> None:
    schema = Schema({"ward": Categorical(["a", "b"]), "cost": Numeric(0, 9, integer=True, nullable=True)})
    rows = pd.DataFrame({"ward": ["a", "b"] * 1000, "cost": [None, 4] * 1000})
    synth = Synthesizer(schema, "mst", epsilon=20, delta=1e-6, unsafe_seed=1, ledger=None).fit(rows)
    table = pd.DataFrame({"ward": [None] * 400, "cost": [None, 4] * 200})
    filled = synth.impute(table, columns=["ward"], seed=1)
    assert filled["cost"].isna().tolist() == [True, False] * 200
    assert ((filled["ward"] == "a") == filled["cost"].isna()).mean() > 0.95


def test_only_the_named_columns_are_filled_in(fitted) -> None:
    table = holed(records(200, seed=5))
    filled = fitted.impute(table, columns=["ward"], seed=1)
    assert filled["ward"].notna().all()
    assert filled["cost"].isna().equals(table["cost"].isna())
    with pytest.raises(dpsynth.SchemaError, match="cannot be filled in"):
        fitted.impute(table, columns=["height"])


def test_a_record_that_the_model_excludes_or_that_cannot_be_read_is_completed_all_the_same(fitted) -> None:
    table = pd.DataFrame({"age": [99, 4000, -3], "ward": ["a", "unheard of", None], "cost": [None, None, "much"]})
    filled = fitted.impute(table, seed=1)
    assert filled["cost"].notna().all()
    assert filled["ward"].tolist()[:2] == ["a", "unheard of"]
    assert filled["age"].tolist() == [99, 4000, -3]


def test_released_rows_complete_partial_ones_by_conditions(fitted) -> None:
    """As of a program that is not ours, which gives rows and no distribution."""
    inner = fitted._fitted()
    codes = inner.model.sample(3000, np.random.default_rng(1))
    released = ReleasedRows.of(inner.model.domain, np.stack([*codes.values()], axis=1))
    other = Synthesizer(SCHEMA, "mst", epsilon=20, delta=1e-6, ledger=None)
    other.fitted_ = replace(inner, model=RefinedModel.of_cells(released))
    rows = other.sample(given=PARTIAL[["ward", "smoker"]], seed=1)
    assert (rows["ward"][[0, 1, 4]] == ["a", "b", "a"]).all()
    assert other.sample(20, where="ward == 'c' or smoker == True", seed=1)["ward"].notna().any()
