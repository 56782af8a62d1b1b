"""Open columns after a fit: conditions, partial rows, balance, scenarios, gaps that are filled, audits."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Categorical, ConditionError, DPAuditor, Numeric, OpenCategorical, PrivacyClaim, Scenario, Schema
from dpsynth.auditing.mechanism.pairs import worst_case_pairs
from dpsynth.discovery.discovery import Discovery
from dpsynth.door.bounded import _parts
from dpsynth.evidence import verify
from dpsynth.synthesizers import looks as module
from tests.synthesizers.test_open_categories import SCHEMA, fitted, patients


@pytest.fixture(scope="module")
def synth():
    return fitted(patients(), "canopy")


def test_conditions_know_what_was_found_and_other(synth):
    rows = synth.sample(500, where='icd in ["A10", "OTHER"] and drug != "y"', seed=1)
    assert {*rows["icd"]} <= {"A10", "OTHER"}
    assert {*rows["drug"]} <= {"x", "OTHER"}
    assert synth.sample(50, where="icd is None")["icd"].isna().all()


def test_given_values_are_those_that_were_found(synth):
    assert (synth.sample(40, given={"icd": "B20"}, seed=1)["icd"] == "B20").all()
    partial = pd.DataFrame({"icd": ["A10", None, "OTHER"], "drug": [None, "x", None]})
    rows = synth.sample(given=partial, seed=1)
    assert rows["icd"].tolist()[::2] == ["A10", "OTHER"]
    assert rows["drug"][1] == "x"
    assert rows["drug"].notna().all()
    for given in ({"icd": "E1"}, pd.DataFrame({"icd": ["E1"]})):
        with pytest.raises(ConditionError, match="icd"):
            synth.sample(given=given, n=None if isinstance(given, pd.DataFrame) else 5)


def test_balance_and_scenarios_name_what_was_found(synth):
    balanced = synth.sample(100, balance={"icd": {"A10": 0.25, "OTHER": 0.75}}, seed=1)
    assert balanced["icd"].value_counts().to_dict() == {"A10": 25, "OTHER": 75, "B20": 0, "C30": 0, "D40": 0}
    spec = {
        "dpsynth_scenario": 1,
        "parts": [
            {"name": "common", "share": 0.5, "where": 'icd == "A10"'},
            {"name": "rest", "share": 0.5, "where": 'icd == "OTHER"'},
        ],
    }
    drawn = synth.sample(200, scenario=Scenario.from_dict(spec), seed=1)
    assert drawn["icd"].value_counts()[["A10", "OTHER"]].tolist() == [100, 100]


def test_a_gap_is_filled_by_the_model_and_is_not_taken_for_other(synth):
    """Of a column without missing values nothing is OTHER but what cannot be read, found or declared."""
    real = patients(2_000).assign(drug=None)
    filled = synth.impute(real, seed=1)["drug"]
    assert filled.isin(["x", "y"]).mean() > 0.99
    schema = Schema({"drug": Categorical(["x", "y", "OTHER"], other="OTHER"), "age": Numeric(0, 9, integer=True)})
    declared = fitted(patients()[["drug", "age"]], schema=schema)
    table = pd.DataFrame({"drug": [None] * 500, "age": [1] * 500})
    assert declared.impute(table, seed=1)["drug"].isin(["x", "y"]).mean() > 0.98
    kept = declared.impute(table.assign(age=None), columns=["age"], seed=1)
    assert kept["drug"].isna().all()


def test_a_table_beside_real_rows_needs_no_list_of_categories(synth):
    mixed = dpsynth.mix(patients(100), synth.sample(100, seed=1), share=0.5, schema=SCHEMA)
    assert mixed["contains_real_records"].all()


def test_a_column_of_which_most_became_other_is_told_by_a_caution_that_cannot_be_left_out(tmp_path):
    rows = pd.DataFrame({"code": [f"c{i}" for i in range(3_000)] + ["often"] * 2_000, "age": 1})
    schema = Schema({"code": OpenCategorical(), "age": Numeric(0, 9, integer=True)})
    with pytest.warns(dpsynth.CautionWarning, match=r"about (59|60|61) % of the values of 'code' became OTHER"):
        made = fitted(rows, schema=schema)
    record = made.certificate.record
    assert abs(record["released"]["other"]["code"] - 0.6) < 0.02
    assert any("became OTHER" in caution for caution in record["cautions"])
    made.certificate.save(tmp_path)
    assert verify.check(tmp_path) == []
    forged = {**record, "cautions": [c for c in record["cautions"] if "OTHER" not in c]}
    (tmp_path / "certificate.json").write_text(json.dumps(forged))
    with pytest.raises(ValueError, match="caution"):
        dpsynth.Certificate.load(tmp_path / "certificate.json")


def test_a_column_of_which_most_was_found_has_no_caution(synth):
    assert not any("OTHER" in caution for caution in synth.certificate.record["cautions"])
    assert {*synth.certificate.record["released"]["other"]} == {"icd", "drug"}


# Neighbours that an audit tries.

AUDITED = Schema({"code": OpenCategorical(public=["seen"]), "flag": dpsynth.Boolean()})


def found_by(table: pd.DataFrame, rng: np.random.Generator) -> dict[str, float]:
    made = dpsynth.Synthesizer(AUDITED, "independent", epsilon=1.0, delta=1e-6, ledger=None).fit(table)
    return {"found": float(len(made.categories["code"]))}


def audit():
    pairs = [pair for pair in worst_case_pairs(AUDITED) if pair.name in ("one among zeros", "a record from outside")]
    return DPAuditor(found_by, PrivacyClaim(epsilon=1.0, delta=1e-6), pairs, "white-box", runs=40, seed=1).run()


def test_worst_case_pairs_differ_by_a_value_that_nobody_declared():
    table = worst_case_pairs(AUDITED)[0]
    assert {*table.first["code"]} == {"seen"}
    assert {*table.second["code"]} - {*table.first["code"]} == {"a value that few have"}


def test_an_audit_passes_the_honest_fit():
    assert audit().verdict != "FAIL"


def test_the_same_audit_refutes_a_double_that_reads_categories_from_the_rows(monkeypatch):
    def reads(rows, schema, accountant):
        ((frame, _),) = _parts(rows, [*schema.columns])
        for event in accountant.reserved(Discovery):
            accountant.charge(event, "nothing")
        return {"code": tuple(sorted({*frame["code"].dropna()} - {"seen"}))}

    monkeypatch.setattr(module, "find_categories", reads)
    assert audit().verdict == "FAIL"
