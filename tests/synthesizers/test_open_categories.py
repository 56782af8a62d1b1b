"""OpenCategorical from end to end: what is found, what is told of it, and what no release holds."""

from __future__ import annotations

import json
import math
import zipfile

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import (
    Categorical,
    Numeric,
    OpenCategorical,
    PrivacyUnit,
    Schema,
    SchemaError,
    Synthesizer,
)
from dpsynth.data.tables.check import check_rows
from dpsynth.data.tables.codec import codec_for
from dpsynth.discovery.discovery import Discovery
from dpsynth.door.bounded import _parts
from dpsynth.evidence import verify
from dpsynth.ledger.names import event_from_dict
from dpsynth.synthesizers import looks as module
from dpsynth.synthesizers.model_file import model_digest

ROWS = 12_000
OFTEN = ("A10", "B20", "C30")
RARE = "Z99.9"
UNIT = PrivacyUnit("who", 2)
SCHEMA = Schema(
    {
        "icd": OpenCategorical(public=["C30", "D40"], nullable=True),
        "age": Numeric(0, 9, integer=True),
        "drug": OpenCategorical(),
    },
    unit=UNIT,
)


def patients(rows=ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    icd = rng.choice([*OFTEN, "E1", None], rows, p=[0.5, 0.3, 0.1, 0.001, 0.099])
    return pd.DataFrame(
        {
            "who": np.arange(rows) // 2,
            "icd": pd.Series(icd, dtype=object),
            "age": np.where(icd == "A10", 7, rng.integers(0, 10, rows)),
            "drug": rng.choice(["x", "y"], rows),
        }
    )


def with_one_more(rows: pd.DataFrame) -> pd.DataFrame:
    """One person more, whose two rows hold a diagnosis and a drug that nobody else has."""
    more = pd.DataFrame({"who": [10**6] * 2, "icd": [RARE] * 2, "age": [3, 4], "drug": ["only me"] * 2})
    return pd.concat([rows, more], ignore_index=True)


def fitted(data, mechanism="independent", schema=SCHEMA, **settings) -> Synthesizer:
    settings = {"epsilon": 2.0, "delta": 1e-6, "ledger": None, **settings}
    return Synthesizer(schema, mechanism, **settings).fit(data)


@pytest.fixture(scope="module")
def synth() -> Synthesizer:
    return fitted(patients(), "canopy")


def charges(synth: Synthesizer):
    lines = [charge["line"] for charge in synth.certificate.record["charges"]]
    return [(line["purpose"], event_from_dict(line["event"])) for line in lines]


def test_what_many_hold_is_found_and_the_rest_is_other(synth):
    assert synth.categories == {"icd": ("A10", "B20"), "drug": ("x", "y")}
    rows = synth.sample(20_000, seed=1)
    assert {*rows["icd"].cat.categories} == {"A10", "B20", "C30", "D40", "OTHER"}
    shares = rows["icd"].value_counts(normalize=True, dropna=False)
    assert abs(shares["A10"] - 0.5) < 0.03
    assert abs(shares["B20"] - 0.3) < 0.03
    assert abs(rows["icd"].isna().mean() - 0.099) < 0.03
    assert shares["OTHER"] < 0.03


def test_what_is_found_is_modelled_with_other_columns(synth):
    rows = synth.sample(2_000, where='icd == "A10"', seed=2)
    assert len(rows) == 2_000
    assert (rows["age"] == 7).mean() > 0.9
    with pytest.raises(dpsynth.ConditionError, match=r"E1"):
        synth.sample(10, where='icd == "E1"')


def test_each_column_is_one_charge_with_a_delta_that_the_certificate_shows(synth):
    found = [(purpose, event) for purpose, event in charges(synth) if isinstance(event, Discovery)]
    assert [purpose for purpose, _ in found] == [f"find the categories of {name}" for name in ("icd", "drug")]
    assert math.fsum(event.delta for _, event in found) == pytest.approx(1e-7, rel=1e-12)
    words = [charge["event"] for charge in synth.certificate.record["charges"]][:2]
    assert all(f"delta {event.delta:.15g}" in said for said, (_, event) in zip(words, found, strict=True))
    assert synth.certificate.record["released"]["found"] == {"icd": 2, "drug": 2}
    origins = {c["name"]: c["origin"] for c in synth.certificate.record["schema"]["columns"]}
    assert origins["icd"] == "2 declared in the schema, found by a charge with a delta of its own"


def test_an_independent_program_confirms_the_certificate_and_sees_a_hidden_delta(synth, tmp_path):
    synth.certificate.save(tmp_path)
    synth.certificate.verify()
    assert verify.check(tmp_path) == []
    forged = json.loads((tmp_path / "certificate.json").read_text())
    forged["charges"][0]["line"]["event"]["delta"] = 1e-30
    assert any("line" in fault for fault in verify.faults(forged))


def test_a_plan_charges_what_a_fit_does(synth):
    plan = Synthesizer(SCHEMA, "canopy", epsilon=2.0, delta=1e-6, ledger=None).plan(ROWS)
    query = next(q for q in plan.queries if q.what == "categories of a column")
    event = charges(synth)[0][1]
    assert query.charges == (2, 2)
    assert query.stddev == pytest.approx((event.stddev(UNIT),) * 2, rel=1e-9)
    assert f"one that fewer than about {event.threshold(UNIT):,} people have becomes OTHER" in plan.summary()


def test_a_model_file_holds_what_was_found(synth, tmp_path):
    synth.save(tmp_path / "m.dpsynth")
    loaded = Synthesizer.load(tmp_path / "m.dpsynth")
    assert loaded.categories == synth.categories
    assert loaded.sample(100, seed=5).equals(synth.sample(100, seed=5))
    fit = synth.fitted_
    facts = (SCHEMA, fit.model, fit.bounds, fit.inside, fit.people)
    released = synth.certificate.record["run"]["ended"]["release"]
    assert model_digest(*facts, fit.found) == released
    other = {**fit.found, "icd": ("A10", "B21")}
    assert model_digest(*facts, other) != released


@pytest.mark.parametrize("mechanism", ["canopy", "aim", "mst", "independent"])
def test_every_mechanism_of_gaussian_noise_finds_categories(mechanism):
    assert fitted(patients(4_000), mechanism, epsilon=8.0).categories["drug"] == ("x", "y")


# Replays: a category that one person has.


def seen_of_one_more() -> list[bool]:
    """For some seeds, whether fits with and without one person more differ in what they found."""
    one, other = patients(4_000), with_one_more(patients(4_000))
    return [fitted(one, unsafe_seed=seed).categories != fitted(other, unsafe_seed=seed).categories for seed in range(5)]


def test_what_one_person_holds_is_in_no_model_file_and_no_certificate(tmp_path):
    synth = fitted(with_one_more(patients()), "canopy")
    synth.save(tmp_path / "m.dpsynth")
    synth.certificate.save(tmp_path)
    names = [name for each in synth.categories.values() for name in each]
    assert RARE not in names
    assert "only me" not in names
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"Z99.9" in raw or b"only me" in raw for raw in written)
    with zipfile.ZipFile(tmp_path / "m.dpsynth") as file:
        assert not any(b"Z99.9" in file.read(name) or b"only me" in file.read(name) for name in file.namelist())


def test_one_person_changes_nothing_that_is_found():
    assert not any(seen_of_one_more())


def test_the_same_replay_refutes_a_double_that_reads_categories_from_the_data(monkeypatch):
    def read_from_the_rows(rows, schema, accountant):
        ((frame, _),) = _parts(rows, [*schema.columns])
        for event in accountant.reserved(Discovery):
            accountant.charge(event, "nothing")
        return {name: tuple(sorted({*frame[name].dropna()} - {*schema.columns[name].public})) for name in schema.open}

    monkeypatch.setattr(module, "find_categories", read_from_the_rows)
    assert all(seen_of_one_more())


# Codes with levels.

CODES = Schema({"icd": OpenCategorical(public=["J45"], levels=[1, 3]), "age": Numeric(0, 9, integer=True)})


def diagnoses() -> pd.DataFrame:
    """A common code, and rare ones: many under one parent, many under one letter, and a few elsewhere."""
    under_parent = [f"E11.{i}" for i in range(60)] * 10
    under_letter = [f"K{i:02d}.0" for i in range(90)] * 7
    codes = ["I10.0"] * 900 + under_parent + under_letter + ["J45", "J45.1"] * 30 + [RARE, "Q", "Q00.1"]
    return pd.DataFrame({"icd": codes, "age": np.arange(len(codes)) % 10})


def test_a_rare_code_keeps_its_longest_prefix_that_many_have():
    synth = fitted(diagnoses(), schema=CODES, unsafe_seed=1)  # of 150 rare codes noise tells one in 1 fit of 10,000
    assert synth.categories == {"icd": ("E11", "I10.0", "K")}
    shares = synth.sample(10_000, seed=3)["icd"].value_counts() / 10_000
    rows = len(diagnoses())
    expected = {"I10.0": 900, "E11": 600, "K": 630, "J45": 60, "OTHER": 3}
    for name, count in expected.items():
        assert abs(shares[name] - count / rows) < 0.03, name
    looks = [purpose for purpose, event in charges(synth) if isinstance(event, Discovery)]
    assert looks == [f"find the {what} of icd" for what in ("categories", "prefixes of 3", "prefixes of 1")]


def test_what_was_found_by_itself_or_by_a_longer_prefix_is_not_counted_again():
    column = CODES.columns["icd"]
    found = {"E11", "I10.0"}
    texts = [*["E11.7", "I10.0", "I10.9", "E12.1", "J45.1", "J45", "J46", "Q"], "K"]
    assert [column.text(text, 3, found) for text in texts] == [None, None, "I10", "E12", None, None, "J46", None, None]
    assert [column.text(text, 1, found) for text in texts] == [None, None, "I", "E", None, None, "J", "Q", "K"]
    assert column.text(11.7, 1) is None


def test_a_text_takes_the_longest_prefix_that_is_listed():
    listed = ["E11.9", "E11", "E", "I1", "OTHER"]
    column = Categorical(listed, levels=[1, 2, 3], other="OTHER", nullable=True, missing_marker="K")
    values = ["E11.9", " E11.9 ", "E11.8", "E12", "E", "I10", "I20", "e11", "", "K", "K1", 7, None]
    settled = ["E11.9", "E11.9", "E11", "E", "E", "I1", "OTHER", "OTHER", "OTHER", None, "OTHER", "OTHER", None]
    decoded = codec_for(column).decode(codec_for(column).encode(values), np.random.default_rng(0))
    assert [None if pd.isna(each) else each for each in decoded] == settled
    folded = Categorical(listed, levels=[1, 2, 3], other="OTHER", ignore_case=True)
    assert codec_for(folded).encode(["e11.8", "i19", "E99"]).tolist() == [1, 3, 2]


@pytest.mark.parametrize("levels", [[3, 1], [0], [1, 1], 3, ["3"], [1.0], [True]])
def test_levels_that_are_no_lengths_are_refused(levels):
    for kind in (OpenCategorical, lambda levels: Categorical(["A"], levels=levels)):
        with pytest.raises(SchemaError, match="ascend"):
            kind(levels=levels)
    with pytest.raises(SchemaError, match="quotes"):
        Categorical([11, 12], levels=[1])


# The schema.


def test_a_schema_with_open_columns_is_written_and_read():
    assert Schema.from_dict(SCHEMA.to_dict()) == SCHEMA
    assert SCHEMA.open == ("icd", "drug")
    settled = SCHEMA.settled({"icd": ["A10"]})
    assert settled.open == ()
    assert settled.columns["icd"] == Categorical(["C30", "D40", "A10", "OTHER"], nullable=True, other="OTHER")
    assert settled.columns["drug"] == Categorical(["OTHER"], other="OTHER")


@pytest.mark.parametrize(
    ("public", "says"),
    [("A", "in brackets"), (["A", " A "], "listed twice"), ([" "], "not empty"), ([True], "Boolean"), (5, "brackets")],
)
def test_public_categories_that_are_none_are_refused(public, says):
    with pytest.raises(SchemaError, match=says):
        OpenCategorical(public=public)


def test_the_text_of_a_value_is_the_one_that_its_category_matches():
    column = OpenCategorical(public=["7"])
    values = ["A", " A ", 1, 1.0, 0.5, "01", "1.0", "x" * 200]
    texts = [column.text(v if isinstance(v, str) else float(v)) for v in values]
    assert texts == ["A", "A", "1", "1", "0.5", "01", "1.0", "x" * 200]
    settled = column.settled(sorted({*texts}))
    decoded = [settled.categories[code] for code in codec_for(settled).encode(values)]
    assert decoded == texts
    assert [column.text(v) for v in (7.0, "7", " 7", "OTHER", "", " ", "x" * 201, math.inf)] == [None] * 8


def test_a_check_takes_every_value_of_an_open_column(synth):
    icd, _, drug = check_rows(patients(), SCHEMA)
    assert (icd.missing > 0, icd.undeclared, drug.undeclared, icd.reason) == (True, 0, 0, None)


def test_a_comparison_asks_for_the_schema_with_what_was_found(synth):
    release, data = synth.sample(500, seed=1), patients()
    with pytest.raises(SchemaError, match=r"schema\.settled\(synthesizer\.categories\)"):
        dpsynth.evaluate(release, data, SCHEMA)
    dpsynth.evaluate(release, data, SCHEMA.settled(synth.categories))


def test_a_released_folder_has_the_schema_with_what_was_found(tmp_path, run):
    patients().to_csv(tmp_path / "p.csv", index=False)
    SCHEMA.save(tmp_path / "s.yaml")
    folder = tmp_path / "release"
    line = f"release {tmp_path}/p.csv --schema {tmp_path}/s.yaml --epsilon 2 --ledger {tmp_path}/l -o {folder}"
    assert run(line)[0] == 0
    assert run(f"verify {folder} --redraw")[0] == 0
    compare = f"evaluate {folder}/synthetic.csv {tmp_path}/p.csv -s {folder}/schema.yaml -o {tmp_path}/quality"
    assert run(compare)[0] == 0
    settled = Schema.load(folder / "schema.yaml")
    assert settled.columns["drug"] == Categorical(["x", "y", "OTHER"], other="OTHER")
    written = pd.read_csv(folder / "synthetic.csv", dtype=str)
    assert {*written["drug"]} <= {"x", "y", "OTHER"}
