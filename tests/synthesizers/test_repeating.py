"""New ids: they repeat as people do, join by seed, and cannot be real ones; and what the certificate says of them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from dpsynth import (
    Categorical,
    Datetime,
    Identifier,
    Ledger,
    Numeric,
    PrivacyUnit,
    Schema,
    SchemaError,
    Synthesizer,
)
from dpsynth.data.tables.identifiers import generate_identifiers, keyed_identifiers
from dpsynth.data.tables.rows_of_units import RowsOfUnits
from dpsynth.evidence import verify
from dpsynth.kernel import accountant
from dpsynth.schema.constraints import Order

SYN = Identifier(pattern="SYN-######", real="P-####", repeats=True)
SCHEMA = Schema({"patient": SYN, "ward": Categorical(["a", "b"])}, unit=PrivacyUnit("patient", 5))


def stays(people: int = 5000, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    held = rng.choice([1, 2, 3, 5, 9], people, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    ids = np.repeat([f"P-{i:04d}" for i in range(people)], held)
    return pd.DataFrame({"patient": ids, "ward": rng.choice(["a", "b"], len(ids))})


def fitted(schema: Schema = SCHEMA, data: pd.DataFrame | None = None, **facts: object) -> Synthesizer:
    given = {"epsilon": 3.0, "delta": 1e-6, "ledger": None, **facts}
    return Synthesizer(schema, "independent", **given).fit(stays() if data is None else data)


@pytest.fixture(scope="module")
def synth() -> Synthesizer:
    return fitted()


def test_five_visits_of_a_person_come_back_as_five(synth):
    data, rows = stays(), synth.sample(20_000, seed=3)
    real = data["patient"].value_counts().clip(upper=5).value_counts(normalize=True)
    new = rows["patient"].value_counts().value_counts(normalize=True)
    assert len(rows) == 20_000
    assert set(new.index) <= {1, 2, 3, 4, 5}
    assert new.sub(real, fill_value=0).abs().sum() / 2 < 0.03
    assert abs(rows["patient"].value_counts().mean() - data["patient"].value_counts().clip(upper=5).mean()) < 0.1


def test_no_new_id_is_a_real_one_by_its_form_alone(synth):
    rows = synth.sample(1000, seed=1)
    assert rows["patient"].str.fullmatch(r"SYN-\d{6}").all()
    assert not set(rows["patient"]) & set(stays()["patient"])
    said = synth.certificate.record["schema"]["columns"][0]["domain"]
    assert "made afresh as SYN-######; real ones are declared as P-####, which none of them can be" in said


def test_rows_of_one_id_have_nothing_else_in_common_and_the_certificate_says_so(synth):
    (caution,) = (each for each in synth.certificate.record["cautions"] if "'patient'" in each)
    assert "repeat as real ones do" in caution
    assert "no history of one person" in caution
    rows = synth.sample(20_000, seed=4)
    pairs = rows.groupby("patient")["ward"].agg(["first", "last", "size"]).query("size > 1")
    counts = pd.crosstab(pairs["first"], pairs["last"]).to_numpy()
    expected = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    assert chisquare(counts.ravel(), expected.ravel(), ddof=2).pvalue > 1e-4


def test_the_page_tells_the_shares_of_units_as_people_write_them():
    schema = Schema({"patient": SYN, "ward": Categorical(["a", "b"])}, unit=PrivacyUnit("patient", 12))
    page = " ".join(fitted(schema).certificate.to_html().split())
    row = page[page.index("how many rows units have") :].split("</td>")[0].replace(": under ", ": ")
    assert re.search(r"<td>1: \d+\.?\d* %, 2: .*, 6: \d+\.?\d* %, 7 to 8: \d+\.?\d* %, 9 to 10: ", row)


def test_the_count_of_rows_is_a_charge_of_its_own_and_lies_within_the_plan(tmp_path):
    plan = Synthesizer(SCHEMA, "independent", epsilon=3, delta=1e-6, ledger=None).plan(rows=10_000)
    (query,) = (q for q in plan.queries if q.what == "rows of each unit")
    synth = fitted(ledger=tmp_path / "a.ledger")
    charges = [c for c in synth.certificate.record["charges"] if "rows of each unit" in c["line"]["purpose"]]
    assert len(charges) == 1 == query.charges[1]
    assert charges[0]["line"]["event"]["noise_multiplier"] == pytest.approx(query.stddev[0], rel=1e-6)
    assert 1.5 < charges[0]["share_percent"] < 2.5
    assert Ledger.open(tmp_path / "a.ledger").spent().epsilon <= 3
    synth.certificate.save(tmp_path / "release")
    assert verify.check(tmp_path / "release") == []


@pytest.mark.parametrize("adjacency", ["add-remove", "replace"])
@pytest.mark.parametrize("most", [1, 5])
def test_the_noise_that_a_certificate_tells_is_the_one_that_was_drawn(most, adjacency, monkeypatch):
    """Of counts of units and of the row count too, which move less than tables of rows do."""
    drawn, honest = [], accountant.rounded_gaussian

    def watched(stddev, bits):
        drawn.append(float(stddev.max()))
        return honest(stddev, bits)

    monkeypatch.setattr(accountant, "rounded_gaussian", watched)
    schema = Schema({"patient": SYN, "ward": Categorical(["a", "b"])}, unit=PrivacyUnit("patient", most, adjacency))
    record = fitted(schema, stays(200)).certificate.record
    told = {charge["line"]["purpose"]: charge["noise_stddev_rows"] for charge in record["charges"]}
    assert [*told.values()] == pytest.approx(drawn, rel=1e-9)
    assert {"count the rows of each unit", "measure the row count", "measure ward"} <= told.keys()
    assert verify.faults(record) == []
    as_rows = most * (1 if adjacency == "add-remove" else 2**0.5)  # the double that tells all as counts of rows
    for charge in record["charges"]:
        multiplier, before = charge["line"]["event"]["noise_multiplier"], charge["noise_stddev_rows"]
        charge["noise_stddev_rows"] = multiplier * as_rows
        found = [fault for fault in verify.faults(record) if fault.startswith("the noise of its charges")]
        assert bool(found) == (before != pytest.approx(multiplier * as_rows))
        charge["noise_stddev_rows"] = before


def test_nothing_is_counted_where_names_do_not_repeat():
    plain = Schema({"patient": Identifier(), "ward": Categorical(["a", "b"])}, unit=SCHEMA.unit)
    synth = fitted(plain)
    assert not [c for c in synth.certificate.record["charges"] if "rows of" in c["line"]["purpose"]]
    assert synth.sample(500, seed=1)["patient"].is_unique


def test_where_the_noise_hides_the_rows_each_name_comes_once():
    synth = fitted(data=stays(3), epsilon=0.01, unsafe_seed=1)
    assert synth.sample(50, seed=1)["patient"].is_unique
    assert any("did not stand out from the noise" in each for each in synth.certificate.record["cautions"])


def test_a_saved_model_draws_the_same_ids(synth, tmp_path):
    synth.save(tmp_path / "m.dpsynth")
    again = Synthesizer.load(tmp_path / "m.dpsynth")
    pd.testing.assert_frame_equal(again.sample(500, seed=9), synth.sample(500, seed=9))
    assert not again.sample(500, seed=9).equals(again.sample(500, seed=10))
    pd.testing.assert_frame_equal(again.sample(50, seed=np.int64(9)), synth.sample(50, seed=9))
    assert set(synth.sample(500)["patient"]) != set(synth.sample(500)["patient"])
    where = synth.sample(200, where="ward == 'a'", seed=3)
    assert where["patient"].nunique() < 180
    balanced = synth.sample(200, balance={"ward": {"a": 0.5, "b": 0.5}}, seed=3)
    assert balanced["patient"].nunique() < 180
    assert len(synth.sample(0)) == 0
    assert len(synth.sample(1)) == 1


def test_files_join_by_seed_and_key(synth):
    column = Identifier(pattern="SYN-######", key="patient")
    people = Schema({"patient": column, "age": Numeric(0, 99, integer=True)})
    data = pd.DataFrame({"age": np.arange(9000) % 90})
    other = fitted(people, data)
    stays_, persons = synth.sample(3000, seed=5), other.sample(3000, seed=5)
    assert persons["patient"].is_unique
    assert set(stays_["patient"]) <= set(persons["patient"])
    assert not set(synth.sample(3000, seed=6)["patient"]) <= set(persons["patient"])


@pytest.mark.parametrize("form", [{"pattern": "A-###"}, {"range": (17, 1016)}, {"pattern": "?" * 30}, {"pattern": "x"}])
def test_a_keyed_name_is_different_for_each_unit_and_hangs_on_nothing_else(form):
    column = Identifier(**form, key="k")
    n = {"pattern": 1000, "range": 1000}[next(iter(form))] if form != {"pattern": "x"} else 1
    n = min(n, 1000)
    whole = keyed_identifiers(column, "c", np.arange(n), 7)
    assert whole.is_unique
    some = np.array([n - 1, 0, 0, n // 2])
    assert keyed_identifiers(column, "other", some, 7).tolist() == whole.iloc[some].tolist()
    assert keyed_identifiers(column, "c", np.zeros(0, dtype=int), 7).dtype == whole.dtype
    if form != {"pattern": "x"}:
        assert keyed_identifiers(column, "c", np.arange(n), 8).tolist() != whole.tolist()
    if "range" in form:
        assert sorted(whole) == list(range(17, 1017))
        assert str(whole.dtype) == "Int64"
        with pytest.raises(SchemaError, match="1,000 identifiers, fewer than 1,001"):
            keyed_identifiers(column, "c", np.array([1000]), 7)


def test_a_range_is_drawn_without_repeats_where_names_come_once():
    found = generate_identifiers(Identifier(range=(5, 24)), 20, np.random.default_rng(1))
    assert sorted(found) == list(range(5, 25))
    with pytest.raises(SchemaError, match=r"range \(5, 24\) has 20 identifiers, fewer than 21"):
        generate_identifiers(Identifier(range=(5, 24)), 21, np.random.default_rng(1))


def test_units_have_rows_as_the_counts_say():
    drawn = RowsOfUnits((1, 2, 5), (50.0, 30.0, 20.0)).draw(100_000, np.random.default_rng(2))
    held = np.bincount(drawn)
    assert len(drawn) == 100_000
    assert held.min() >= 1
    found = np.array([(held == size).sum() for size in range(1, 6)])
    assert chisquare(found, len(held) * np.array([0.5, 0.3, 0.2 / 3, 0.2 / 3, 0.2 / 3])).pvalue > 1e-4


def test_one_unit_with_very_many_rows_fills_a_table_and_no_memory():
    drawn = RowsOfUnits((2**40,), (1.0,)).draw(1000, np.random.default_rng(2))
    assert len(drawn) == 1000
    assert len(RowsOfUnits((1, 2**40), (1.0, 1.0)).draw(0, np.random.default_rng(2))) == 0


@pytest.mark.parametrize(
    "stored",
    [
        {"ends": [2, 1], "units": [1, 1]},
        {"ends": [1, 1], "units": [1, 1]},
        {"ends": [0], "units": [1]},
        {"ends": [2**41], "units": [1]},
        {"ends": [True], "units": [1]},
        {"ends": [1], "units": [0]},
        {"ends": [1, 2], "units": [1, -0.5]},
        {"ends": [1], "units": [1e308, 1e308]},
        {"ends": [1], "units": [float("nan")]},
        {"ends": [], "units": []},
    ],
)
def test_a_model_file_with_other_counts_is_refused(stored):
    with pytest.raises(ValueError, match="ascending whole numbers"):
        RowsOfUnits.of(stored)


@pytest.mark.parametrize("mechanism", ["canopy", "aim", "mst"])
def test_every_mechanism_pays_for_the_count_within_its_plan(mechanism):
    options = {"epsilon": 2.0, "delta": 1e-6, "ledger": None}
    (query,) = (q for q in Synthesizer(SCHEMA, mechanism, **options).plan(10_000).queries if "each unit" in q.what)
    synth = Synthesizer(SCHEMA, mechanism, **options).fit(stays(1500))
    charges = [c["line"] for c in synth.certificate.record["charges"]]
    (noise,) = (c["event"]["noise_multiplier"] for c in charges if "each unit" in c["purpose"])
    assert query.stddev[0] * (1 - 1e-6) <= noise <= query.stddev[1] * (1 + 1e-6)
    assert synth.sample(400, seed=1)["patient"].nunique() < 300


@pytest.mark.parametrize(
    ("new", "real", "apart"),
    [
        ({"pattern": "SYN-###"}, "P-###", True),
        ({"pattern": "P-####"}, "P-###", True),
        ({"pattern": "P-9##"}, "P-###", False),
        ({"pattern": "?###"}, "P###", False),
        ({"pattern": "?###"}, "####", True),
        ({"range": [9000, 9999]}, [1, 8999], True),
        ({"range": [9000, 9999]}, [9999, 99_999], False),
        ({"range": [9000, 9999]}, "####", False),
        ({"range": [9000, 9999]}, "8###", True),
        ({"range": [9000, 9999]}, "1####", True),
        ({"range": [9000, 9999]}, "#####", False),  # "09000"
        ({"range": [5, 120]}, "##", False),
        ({"pattern": "9####"}, [1, 9999], True),
        ({"pattern": "#####"}, [1, 9999], False),  # "00042"
        ({"pattern": "0#####"}, [1, 99_999], False),
        ({"pattern": "0-####"}, [1, 9999], True),
        ({"pattern": "####"}, [1, 99_999], False),
        ({}, "####", False),
    ],
)
def test_names_that_may_be_real_ones_are_refused(new, real, apart):
    if apart:
        assert Identifier(**new, real=real).real is not None
    else:
        with pytest.raises(SchemaError, match="may coincide with real names"):
            Identifier(**new, real=real)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"repeats": True}, "need a form of their own"),
        ({"key": "k"}, "need a form of their own"),
        ({"pattern": "A", "range": [1, 2]}, "exclude each other"),
        ({"range": [2, 1]}, "two whole numbers"),
        ({"range": "1-2"}, "two whole numbers"),
        ({"range": [True, 2]}, "two whole numbers"),
        ({"pattern": "A#", "real": ""}, "real is empty"),
        ({"pattern": "A#", "repeats": 1}, "repeats must be true or false"),
        ({"pattern": "A#", "key": 3}, "key must be text"),
    ],
)
def test_facts_of_names_that_make_no_sense_are_refused(facts, message):
    with pytest.raises(SchemaError, match=message):
        Identifier(**facts)


@pytest.mark.parametrize("unit", [PrivacyUnit(), PrivacyUnit("other"), PrivacyUnit(["one", "other"])])
def test_only_id_columns_of_the_unit_repeat(unit):
    with pytest.raises(SchemaError, match="'patient' repeats, and only id columns of the unit can"):
        Schema(SCHEMA.columns, unit=unit)


STREET = Identifier(pattern="ST-####", repeats=True)
HOUSES = PrivacyUnit(["surname", "street"], 6)
WARD = {"ward": Categorical(["a", "b"])}


def households(n: int = 4000) -> pd.DataFrame:
    """Names and streets that come often, of which together they make households of 1, 2 or 5."""
    held = np.random.default_rng(3).choice([1, 2, 5], n, p=[0.5, 0.3, 0.2])
    house = np.repeat(np.arange(n), held)
    return pd.DataFrame({"surname": house % 50, "street": house // 50, "ward": np.where(house % 3, "a", "b")})


def test_a_household_comes_back_in_all_of_its_columns_with_as_many_rows():
    schema = Schema({"surname": SYN, "street": STREET, **WARD}, unit=HOUSES)
    synth = fitted(schema, households())
    rows = synth.sample(10_000, seed=2)
    held = rows.groupby(["surname", "street"]).size()
    real = households().groupby(["surname", "street"]).size().value_counts(normalize=True)
    assert held.value_counts(normalize=True).sub(real, fill_value=0).abs().sum() / 2 < 0.04
    assert len(held) == rows["surname"].nunique() == rows["street"].nunique()
    (caution,) = (each for each in synth.certificate.record["cautions"] if "repeat as real ones do" in each)
    assert "'surname' and 'street'" in caution


def test_a_column_of_the_unit_that_would_differ_within_a_household_is_refused():
    for surname in (Identifier(), Identifier(pattern="S-####", key="s")):
        with pytest.raises(SchemaError, match="'street' repeats and 'surname' does not"):
            Schema({"surname": surname, "street": STREET, **WARD}, unit=HOUSES)
    keyed = Schema({"surname": Identifier(pattern="S-####", key="street"), "street": STREET, **WARD}, unit=HOUSES)
    rows = fitted(keyed, households()).sample(2000, seed=2)
    assert (rows.groupby("street")["surname"].nunique() == 1).all()
    assert Schema({"street": STREET, **WARD}, unit=HOUSES).repeating == ("street",)  # the other is left out


VISITS = Schema(
    {"patient": SYN, "visit": Datetime("2020-01-01", "2020-06-30", nullable=True), **WARD},
    unit=PrivacyUnit(["patient", "month(visit)"], 4),
)


def visits(people: int = 3000) -> pd.DataFrame:
    """1, 2 or 4 visits in each of two months of a person, early months more often."""
    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(people), 2)
    month = np.minimum(rng.geometric(0.3, 2 * people), 5) + np.tile([0, 1], people)
    held = rng.choice([1, 2, 4], 2 * people, p=[0.3, 0.3, 0.4])
    first = pd.to_datetime("2020-" + pd.Series(np.repeat(month, held)).astype(str).str.zfill(2) + "-01")
    days = (first + pd.to_timedelta(rng.integers(0, 28, len(first)), unit="D")).dt.strftime("%Y-%m-%d")
    rows = pd.DataFrame({"patient": np.repeat(who, held), "visit": days, "ward": rng.choice(["a", "b"], len(days))})
    rows.loc[::50, "visit"] = None
    return rows


@pytest.fixture(scope="module")
def monthly() -> Synthesizer:
    return fitted(VISITS, visits())


def months_of(rows: pd.DataFrame) -> pd.Series:
    return rows["visit"].dt.strftime("%Y-%m").fillna("none")


def one_month_each_and_rows_as_counted(rows: pd.DataFrame) -> None:
    real = visits()
    per_month = real.assign(month=real["visit"].str[:7].fillna("none")).groupby(["patient", "month"]).size()
    shares = per_month.clip(upper=4).value_counts(normalize=True)
    held = rows.groupby(["patient", months_of(rows)]).size()
    assert (months_of(rows).groupby(rows["patient"]).nunique() == 1).all()
    assert held.value_counts(normalize=True).sub(shares, fill_value=0).abs().sum() / 2 < 0.04


def test_a_month_of_a_person_comes_back_with_as_many_rows_of_one_month(monthly):
    one_month_each_and_rows_as_counted(monthly.sample(12_000, seed=2))
    for asked in ({"where": "ward == 'a'"}, {"balance": {"ward": {"a": 0.5, "b": 0.5}}}):
        rows = monthly.sample(600, seed=2, **asked)
        assert (months_of(rows).groupby(rows["patient"]).nunique() == 1).all()
        assert rows["patient"].nunique() < 450
    (caution,) = (each for each in monthly.certificate.record["cautions"] if "repeat as real ones do" in each)
    assert "Each name comes in one period only" in caution


def test_names_that_are_drawn_without_regard_to_the_month_are_found(monthly, monkeypatch):
    monkeypatch.setattr(RowsOfUnits, "draw_within", lambda self, groups, rng: self.draw(len(groups), rng))
    with pytest.raises(AssertionError):
        one_month_each_and_rows_as_counted(monthly.sample(12_000, seed=2))


def test_a_model_of_months_draws_the_same_ids_again(monthly, tmp_path):
    monthly.save(tmp_path / "m.dpsynth")
    pd.testing.assert_frame_equal(
        Synthesizer.load(tmp_path / "m.dpsynth").sample(500, seed=9), monthly.sample(500, seed=9)
    )
    assert len(monthly.sample(0)) == 0


def test_units_are_drawn_within_groups_and_have_numbers_without_gaps():
    groups = np.random.default_rng(1).integers(0, 7, 5000)
    drawn = RowsOfUnits((1, 2, 5), (50.0, 30.0, 20.0)).draw_within(groups, np.random.default_rng(2))
    assert sorted(set(drawn)) == list(range(drawn.max() + 1))
    assert (pd.Series(groups).groupby(drawn).nunique() == 1).all()
    assert len(RowsOfUnits((1,), (1.0,)).draw_within(np.zeros(0, dtype=int), np.random.default_rng(2))) == 0


def test_a_schema_with_these_facts_comes_back_from_its_file(tmp_path):
    columns = {"patient": SYN, "stay": Identifier(range=(10**6, 2 * 10**6), real=(1, 999_999), key="stay")}
    schema = Schema({**columns, "ward": Categorical(["a"])}, unit=SCHEMA.unit)
    schema.save(tmp_path / "s.yaml")
    assert Schema.load(tmp_path / "s.yaml") == schema


def test_constraints_and_ids_that_repeat_go_together():
    columns = {"patient": SYN, "first": Numeric(0, 9, integer=True), "last": Numeric(0, 20, integer=True)}
    schema = Schema(columns, unit=PrivacyUnit("patient", 3), constraints=[Order("first", "<=", "last")])
    who = np.repeat([f"P-{i:04d}" for i in range(3000)], 3)
    first = np.arange(9000) % 10
    data = pd.DataFrame({"patient": who, "first": first, "last": first + np.arange(9000) % 7})
    synth = Synthesizer(schema, "independent", epsilon=5, delta=1e-6, ledger=None)
    assert "rows of each unit" in {query.what for query in synth.plan(9000).queries}
    rows = synth.fit(data).sample(900, seed=1)
    assert (rows["first"] <= rows["last"]).all()
    assert 290 < rows["patient"].nunique() < 400


def test_a_date_of_the_unit_that_constraints_take_is_refused():
    dates = {name: Datetime("2020-01-01", "2020-12-31") for name in ("visit", "out")}
    unit = PrivacyUnit(["patient", "month(out)"])
    schema = Schema({**dates, "ward": Categorical(["a", "b"])}, unit=unit, constraints=[Order("visit", "<=", "out")])
    with pytest.raises(SchemaError, match="a period of 'out', which constraints model together"):
        Synthesizer(schema, "independent", epsilon=5, delta=1e-6, ledger=None).plan(100)
