"""Units of several columns, from the schema to the certificate: households, and months of a person."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dpsynth import (
    Budget,
    Categorical,
    Datetime,
    FileFormat,
    Identifier,
    Ledger,
    Numeric,
    PrivacyUnit,
    Schema,
    SchemaError,
    Synthesizer,
)
from dpsynth.accounting.currencies import mu_of
from dpsynth.data.tables.periods import period_codings
from dpsynth.door.codes import codes_of
from dpsynth.evidence import verify
from dpsynth.evidence.certificate import Certificate
from dpsynth.kernel.budget import affordable
from dpsynth.kernel.gaussian_dp import gaussian_epsilon

VISIT = Datetime("2020-01-15", "2021-12-31", nullable=True)
MONTHS = Schema(
    {"patient": Identifier(), "visit": VISIT, "ward": Categorical(["a", "b"])},
    unit=PrivacyUnit(["patient", "month(visit)"], 2),
)
HOUSES = Schema({"age": Numeric(0, 99, integer=True)}, unit=PrivacyUnit(["surname", "street"], 3))


def visits(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    days = pd.Timestamp("2020-01-15") + pd.to_timedelta(rng.integers(0, 700, n), unit="D")
    return pd.DataFrame({"patient": rng.integers(0, 50, n), "visit": days, "ward": rng.choice(["a", "b"], n)})


def fitted(schema: Schema, data: object, **facts: object) -> Synthesizer:
    given = {"epsilon": 1.0, "delta": 1e-6, "ledger": None, **facts}
    return Synthesizer(schema, "independent", **given).fit(data)


@pytest.mark.parametrize("schema", [MONTHS, HOUSES], ids=["months", "houses"])
def test_a_schema_of_several_id_columns_comes_back_from_its_file(schema, tmp_path):
    for name in ("s.yaml", "s.json"):
        schema.save(tmp_path / name)
        assert Schema.load(tmp_path / name) == schema
        assert Schema.load(tmp_path / name).fingerprint() == schema.fingerprint()


@pytest.mark.parametrize("period", ["day", "week", "month", "year"])
def test_a_date_has_its_period_however_it_is_written(period):
    low, high = pd.Timestamp("2019-12-28"), pd.Timestamp("2021-03-02")
    column = Datetime(str(low.date()), str(high.date()), nullable=True, format="%d.%m.%Y")
    schema = Schema({"visit": column}, unit=PrivacyUnit(["who", f"{period}(visit)"]))
    coding = period_codings(schema)["visit"]
    days = pd.date_range(low, high)
    wanted = pd.factorize(days.to_period({"day": "D", "week": "W-SUN", "month": "M", "year": "Y"}[period]))[0]
    assert coding.size == wanted.max() + 2
    texts = days.strftime("%d.%m.%Y")
    for written in (
        days,
        pa.array(days),
        days.to_pydatetime().tolist(),
        list(texts),
        pa.array(texts),
        days + pd.Timedelta("23h"),
    ):
        np.testing.assert_array_equal(codes_of(written, coding), wanted)
    assert codes_of(["1.1.1900", "01.01.2100", None, "soon", 7], coding).tolist() == [
        0, wanted.max(), coding.null, coding.null, coding.null
    ]  # fmt: skip


def test_a_marker_for_missing_is_no_month():
    column = Datetime("2020-01-01", "2020-12-31", nullable=True, missing_marker="2020-06-01")
    coding = period_codings(Schema({"v": column}, unit=PrivacyUnit(["who", "month(v)"])))["v"]
    assert codes_of(["2020-06-01", "2020-06-02"], coding).tolist() == [12, 5]


@pytest.mark.parametrize(
    ("columns", "named", "message"),
    [
        ({"visit": VISIT}, ["who", "month(day)"], "'day', which is not declared as a date"),
        ({"visit": Numeric(0, 1)}, ["who", "month(visit)"], "not declared as a date"),
        ({"a": Numeric(0, 1)}, ["who", "a"], "'a' says whose record a row is and may not be released"),
    ],
)
def test_a_unit_that_the_columns_do_not_carry_is_refused(columns, named, message):
    with pytest.raises(SchemaError, match=message):
        Schema(columns, unit=PrivacyUnit(named))


def test_a_table_without_one_of_the_columns_is_refused():
    with pytest.raises(SchemaError, match=r"the table lacks 'street', which says whose"):
        fitted(HOUSES, pd.DataFrame({"age": [1], "surname": ["a"]}))


@pytest.mark.parametrize("schema", [MONTHS, HOUSES], ids=["months", "houses"])
def test_a_release_for_several_columns_is_certified_and_verified(schema, tmp_path):
    data = (
        visits()
        if schema is MONTHS
        else pd.DataFrame({"age": range(90), "surname": ["x", "y", None] * 30, "street": [1, 2] * 45})
    )
    synth = fitted(schema, data, ledger=tmp_path / "a.ledger")
    assert Ledger.open(tmp_path / "a.ledger").unit == schema.unit
    synth.certificate.save(tmp_path / "release")
    Certificate.load(tmp_path / "release")
    assert verify.check(tmp_path / "release") == []
    record = json.loads((tmp_path / "release" / "certificate.json").read_text())
    assert record["unit"]["id_column"] == list(schema.unit.id_column)
    page = (tmp_path / "release" / "certificate.html").read_text()
    assert "combination of values in the columns <code>" in page
    record["unit"]["id_column"] = schema.unit.id_column[0]
    assert verify.faults(record)
    synth.save(tmp_path / "m.dpsynth")
    assert Synthesizer.load(tmp_path / "m.dpsynth").schema == schema


def test_a_certificate_of_months_says_that_it_protects_no_person_and_how_the_loss_grows():
    cautions = fitted(MONTHS, visits()).certificate.record["cautions"]
    (said,) = (each for each in cautions if "one month" in each)
    assert "protects what one 'patient' does in one month, and not the 'patient' as a whole" in said
    cost = affordable(Budget(1.0, 1e-6))
    for months in (2, 6, 12):
        grown = gaussian_epsilon(months**2 * cost, 1e-6)
        assert mu_of(months**2 * cost) == pytest.approx(months * mu_of(cost))
        stated = float(said.split(f"{months} months: epsilon ")[1].split(";")[0].rstrip("."))
        assert grown <= stated <= grown * 1.01
    assert not [c for c in fitted(HOUSES, houses()).certificate.record["cautions"] if "month" in c]


def houses() -> pd.DataFrame:
    return pd.DataFrame({"age": range(90), "surname": ["x", "y", None] * 30, "street": [1, 2] * 45})


def test_a_month_more_moves_no_other_month():
    """The rows of every unit are those that they were, whatever one more row is."""
    from dpsynth.door.bounded import _parts, bound_table

    data, codings = visits().assign(n=range(400)), period_codings(MONTHS)

    def kept(table):
        ((part, taken),) = _parts(bound_table(lambda columns: [table], MONTHS.unit, codings), [])
        return set(part["n"][taken])

    before = kept(data)
    for odd in ((None, None), ("word", "soon"), (99, pd.Timestamp("2020-02-02")), (b"\xff", 3)):
        one = pd.DataFrame({"patient": [odd[0]], "visit": [odd[1]], "ward": ["a"], "n": [400]})
        more = pd.concat([data.astype({"patient": object, "visit": object}), one], ignore_index=True)
        assert kept(more) == before | {400}


def test_one_ledger_pays_for_one_record_a_person_and_for_five_and_each_certificate_says_which(tmp_path):
    ledger = Ledger.create(tmp_path / "a.ledger", Budget(3, 1e-6), dataset="stays", unit=PrivacyUnit("patient", 1))
    columns = {"patient": Identifier(), "ward": Categorical(["a", "b"])}
    rows = visits()[["patient", "ward"]]
    noise = {}
    for most in (1, 5):
        schema = Schema(columns, unit=PrivacyUnit("patient", most))
        synth = fitted(schema, rows, ledger=ledger)
        record = synth.certificate.record
        assert record["unit"]["max_records"] == most
        assert f"at most {most} record" in record["claim"]["sentence"]
        noise[most] = [charge["noise_stddev_rows"] for charge in record["charges"]]
        synth.certificate.save(tmp_path / f"release-{most}")
        assert verify.check(tmp_path / f"release-{most}") == []
    assert noise[5] == pytest.approx([5 * each for each in noise[1]])
    assert ledger.spent().epsilon > 1.4
    path = tmp_path / "release-5" / "certificate.json"
    for lie in ({"max_records": 1}, {"description": PrivacyUnit("patient", 1).describe()}):
        record = json.loads(path.read_text())
        record["unit"] |= lie
        assert "its unit is not that of its ledger" in verify.faults(record)


def test_another_person_or_groups_of_rows_need_an_account_of_their_own(tmp_path):
    ward = {"ward": Categorical(["a", "b"]), "patient": Identifier(), "doctor": Identifier()}
    for unit, other in (
        (PrivacyUnit("patient", 5), PrivacyUnit("doctor", 5)),
        (PrivacyUnit(), PrivacyUnit(max_records=2)),
        (PrivacyUnit("patient"), PrivacyUnit()),
        (PrivacyUnit("patient"), PrivacyUnit("patient", 1, "replace")),
        (PrivacyUnit("patient"), PrivacyUnit(["patient", "doctor"])),
    ):
        ledger = Ledger.create(None, Budget(3, 1e-6), dataset="stays", unit=unit)
        with pytest.raises(ValueError, match="one account needs one unit"):
            fitted(Schema(ward, unit=other), visits().assign(doctor=1)[["patient", "doctor", "ward"]], ledger=ledger)
        assert not ledger.runs()


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (MONTHS, {"visit": Datetime("2020-01-15", "2020-12-31", nullable=True)}),
        (MONTHS, {"visit": Datetime("2020-01-15", "2021-12-31", nullable=True, zone="Asia/Tokyo")}),
        (HOUSES, {"file": FileFormat(encoding="ascii")}),
        (HOUSES, {"file": FileFormat(quote="'")}),
    ],
)
def test_runs_of_one_ledger_tell_their_units_apart_by_the_same_declarations(first, other):
    """Else a unit of the one would be part of a unit of the other, and k rows leave while k others come."""
    ledger = Ledger.create(None, Budget(9, 1e-6), dataset="stays", unit=first.unit)
    data = visits() if first is MONTHS else pd.DataFrame({"age": [9] * 40, "surname": "Li", "street": "Elm"})
    fitted(first, data, ledger=ledger)
    columns = {**first.columns, **{name: column for name, column in other.items() if name in first.columns}}
    another = Schema(columns, unit=first.unit, file=other.get("file"))
    before = ledger.entries()
    with pytest.raises(ValueError, match="told whose a row is by other declarations"):
        fitted(another, data, ledger=ledger)
    assert ledger.entries() == before
    again = fitted(Schema(first.columns, unit=first.unit, file=FileFormat(decimal=",")), data, ledger=ledger)
    assert verify.faults(again.certificate.record) == []
