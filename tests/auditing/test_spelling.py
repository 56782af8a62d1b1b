"""However a table spells its values, copies are counted; what cannot be compared is said, and never passes."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dpsynth.auditing.attacks.spelling import Meanings, drafted, open_alike
from dpsynth.auditing.release import compared
from dpsynth.auditing.release.audit import AuditPolicy, audit
from dpsynth.schema.table import Boolean, Categorical, Datetime, Numeric, Schema, SchemaError

N = 300
LENIENT = AuditPolicy(auc=1, tpr=1, attribute=1, singling_out=1, linkability=1, near_copies=1, copies=1)
"""Under it whatever can be compared passes."""
SCHEMA = Schema(
    {
        "age": Numeric(18, 90, integer=True),
        "pay": Numeric(0, None),
        "day": Datetime("2020-01-01", "2023-01-01"),
        "well": Boolean(),
        "ward": Categorical(["north", "South End", "east"]),
    }
)


def people(seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, N),
            "pay": rng.lognormal(10, 0.6, N).round(2),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, N), unit="D"),
            "well": rng.random(N) < 0.5,
            "ward": rng.choice(["north", "South End", "east"], N),
        }
    )


TRAIN, HOLDOUT, STRANGERS = people(1), people(2), people(3)

SAME = {
    "floats": ("age", lambda x: x.astype(float)),
    "text of floats": ("age", lambda x: x.astype(float).astype(str)),
    "text with blanks": ("age", lambda x: " " + x.astype(str) + "  "),
    "text with zeros": ("age", lambda x: x.map("{:05d}".format)),
    "exponents": ("age", lambda x: x.map("{:.3e}".format)),
    "decimals": ("pay", lambda x: x.map(lambda v: Decimal(repr(v)))),
    "more digits": ("pay", lambda x: x.map("{:.4f}".format)),
    "a currency": ("pay", lambda x: x.map("${:.2f}".format)),
    "commas": ("pay", lambda x: x.map("{:,.2f}".format)),
    "nullable": ("age", lambda x: x.astype("Int64")),
    "categories": ("age", lambda x: x.astype(str).astype("category")),
    "dates as text": ("day", lambda x: x.dt.strftime("%Y-%m-%d")),
    "midnights as text": ("day", lambda x: x.dt.strftime("%Y-%m-%d %H:%M:%S")),
    "ISO with a T and zone": ("day", lambda x: x.dt.strftime("%Y-%m-%dT%H:%M:%SZ")),
    "a time zone": ("day", lambda x: x.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
    "dates as objects": ("day", lambda x: x.dt.date),
    "0 and 1": ("well", lambda x: x.astype(int)),
    "0.0 and 1.0": ("well", lambda x: x.astype(float).astype(str)),
    "True and False": ("well", lambda x: x.astype(str)),
    "true and false": ("well", lambda x: x.astype(str).str.lower()),
    "yes and no": ("well", lambda x: x.map({True: "Yes", False: "no"})),
    "upper case": ("ward", lambda x: x.str.upper()),
    "blanks at the end": ("ward", lambda x: x + "  "),
    "more blanks inside": ("ward", lambda x: x.str.replace(" ", "   ")),
    "bytes": ("ward", lambda x: x.map(str.encode)),
    "wide letters": ("ward", lambda x: x.map(lambda v: "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in v))),
}
OTHER = {
    "a unit": ("age", lambda x: x.astype(str) + " years"),
    "a currency code": ("pay", lambda x: x.map("USD {:.2f}".format)),
    "decimal commas": ("pay", lambda x: x.map(lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")))),
    "thousands": ("pay", lambda x: x / 1000),
    "epoch seconds": ("day", lambda x: x.astype("int64")),
    "days first": ("day", lambda x: x.dt.strftime("%d/%m/%Y")),
    "another century": ("day", lambda x: x - pd.Timedelta(days=36525)),
    "letters": ("ward", lambda x: x.str[0]),
    "numbers for names": ("ward", lambda x: x.map({"north": 1, "South End": 2, "east": 3})),
    "other words": ("well", lambda x: x.map({True: "ja", False: "nein"})),
    "a third in words": ("age", lambda x: x.astype(str) + np.where(np.arange(N) % 3, "", " years")),
}


def respelled(table, change):
    column, spell = change
    return table.assign(**{column: spell(table[column])})


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_copies_are_counted_whichever_table_is_spelled_otherwise(change):
    assert audit(respelled(TRAIN, change), TRAIN, HOLDOUT).copies == {"train": N, "holdout": 0}
    report = audit(TRAIN, respelled(TRAIN, change), respelled(HOLDOUT, change))
    assert (report.verdict, report.copies) == ("FAIL", {"train": N, "holdout": 0})


@pytest.fixture(scope="module")
def wanted():
    return audit(STRANGERS, TRAIN, HOLDOUT, policy=LENIENT)


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_another_spelling_changes_nothing_of_what_is_said_of_strangers(change, wanted):
    found = audit(respelled(STRANGERS, change), TRAIN, HOLDOUT, policy=LENIENT)
    assert wanted.verdict == found.verdict == "PASS"
    assert found.findings == wanted.findings


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_values_that_hardly_meet_are_said_and_never_pass(change, monkeypatch):
    release = respelled(TRAIN, change)
    lenient = AuditPolicy(**{**vars(LENIENT), "alpha": 1e-9})
    report = audit(release, TRAIN, HOLDOUT, policy=lenient)
    assert report.verdict != "PASS"
    assert repr(change[0]) in report.reasons[0]
    assert "schema" in report.reasons[0]
    assert not any(str(value) in report.reasons[0] for value in release[change[0]] if len(str(value)) > 1)
    monkeypatch.setattr(compared, "unlike_columns", lambda *_: ())  # the mutant: nobody looks
    assert audit(respelled(STRANGERS, change), TRAIN, HOLDOUT, policy=lenient).verdict == "PASS"


def test_a_copy_in_other_spellings_of_every_column_never_passes():
    release = TRAIN
    for change in ("a unit", "decimal commas", "days first", "other words", "letters"):
        release = respelled(release, OTHER[change])
    report = audit(release, TRAIN, HOLDOUT, policy=LENIENT)
    assert report.verdict != "PASS"
    assert len(report.reasons) >= len(TRAIN.columns)
    assert len(audit(release, TRAIN, policy=LENIENT).reasons) == 1 + len(TRAIN.columns)


@pytest.mark.parametrize("name", ["a unit", "decimal commas", "days first", "letters", "other words", "thousands"])
def test_with_a_schema_values_that_it_cannot_read_are_said_and_never_pass(name):
    column = OTHER[name][0]
    assert audit(STRANGERS, TRAIN, HOLDOUT, schema=SCHEMA, policy=LENIENT).verdict == "PASS"
    for tables in (
        (respelled(STRANGERS, OTHER[name]), TRAIN, HOLDOUT),
        (STRANGERS, respelled(TRAIN, OTHER[name]), respelled(HOLDOUT, OTHER[name])),
    ):
        report = audit(*tables, schema=SCHEMA, policy=LENIENT)
        assert report.verdict == "INCONCLUSIVE"
        assert repr(column) in report.reasons[0]


def test_times_are_compared_as_finely_as_the_schema_keeps_them():
    hours = TRAIN.assign(day=TRAIN["day"] + pd.to_timedelta(np.arange(N) % 24, unit="h"))
    assert audit(TRAIN, hours, HOLDOUT, schema=SCHEMA).copies["train"] == N


def test_values_that_differ_stay_apart():
    """What is compared without case, blanks and number formats is compared in everything else."""
    values = [
        "1",
        "10",
        "1.5",
        "a",
        "b",
        "ab",
        "a b",
        "2020-01-01",
        "2020-01-02",
        "<=50K",
        ">50K",
        "?",
        "-1",
        "no",
        "yes",
    ]
    codes = Meanings().objects(values)
    assert len({*codes.tolist()}) == len(values)
    assert min(codes) >= 0
    assert {*Meanings().objects([None, np.nan, pd.NA, pd.NaT, "", " ", "nan", "None", "<NA>"]).tolist()} == {-1}


def test_letters_that_could_be_truths_stay_four_categories():
    answers = pd.DataFrame({"a": ["y", "n", "t", "f"] * 10})
    draft = drafted(open_alike({"synthetic": answers, "train": answers}))
    assert draft.schema.columns["a"] == Categorical(range(4), nullable=True)


def test_columns_may_stand_in_any_order_and_have_numbers_as_names():
    turned = TRAIN[TRAIN.columns[::-1]]
    assert audit(turned, TRAIN, HOLDOUT).copies["train"] == N
    assert audit(turned, pa.Table.from_pandas(TRAIN), HOLDOUT).copies["train"] == N
    numbered = [t.set_axis(range(5), axis=1) for t in (TRAIN, TRAIN, HOLDOUT)]
    assert audit(*numbered, sensitive=["4"]).copies["train"] == N


@pytest.mark.parametrize("schema", [None, SCHEMA], ids=["drafted", "declared"])
@pytest.mark.parametrize("arrow", [False, True])
def test_two_columns_of_one_name_are_refused_in_one_sentence(schema, arrow):
    twice = pd.concat([TRAIN, TRAIN[["age"]]], axis=1)
    table = pa.Table.from_arrays([pa.array(twice.iloc[:, i]) for i in range(6)], list(twice)) if arrow else twice
    for tables in ((table, table, table), (TRAIN, TRAIN, table)):
        with pytest.raises(SchemaError, match="repeats"):
            audit(*tables, schema=schema)


def test_other_columns_and_tables_without_rows_are_refused_without_a_schema():
    with pytest.raises(SchemaError, match="holdout has other columns than synthetic"):
        audit(TRAIN, TRAIN, HOLDOUT.drop(columns="age"))
    with pytest.raises(SchemaError, match="train has no rows"):
        audit(TRAIN, TRAIN.iloc[:0], HOLDOUT)
    with pytest.raises(SchemaError, match="synthetic: data must be"):
        audit(3, TRAIN, HOLDOUT)


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_a_holdout_of_a_few_rows_measures_no_rate_and_no_area(rows):
    report = audit(STRANGERS, TRAIN, HOLDOUT.iloc[:rows])
    assert {f.estimate for f in report.findings} == {None}
    assert report.verdict == "INCONCLUSIVE"
    assert "not measurable" in report.summary()
    assert "NaN" not in report.to_json()
    enough = audit(STRANGERS, TRAIN, HOLDOUT.iloc[:10])
    assert all(f.estimate is not None for f in enough.findings if f.measure != "tpr")
