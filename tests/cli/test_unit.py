"""`dpsynth unit`, and units of several columns at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.base.mappings import read_mapping

SCHEMA = dpsynth.Schema(
    {"patient": dpsynth.Identifier(), "ward": dpsynth.Categorical(["a", "b"])}, unit=dpsynth.PrivacyUnit("patient", 7)
)


@pytest.fixture(autouse=True)
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with a schema, stays of patients, and their account."""
    monkeypatch.chdir(tmp_path)
    SCHEMA.save("schema.yaml")
    who = np.repeat(np.arange(4000), np.tile([1, 1, 1, 4], 1000))
    pd.DataFrame({"patient": who, "ward": "a"}).to_csv("stays.csv", index=False)
    dpsynth.Ledger.create("a.ledger", dpsynth.Budget(3, 1e-6), dataset="a", unit=SCHEMA.unit)


LOOK = "unit stays.csv -s schema.yaml --epsilon 0.5"


def test_it_shows_what_each_number_cuts_and_recommends_one(run):
    code, out, _ = run(f"{LOOK} --ledger a.ledger --ceiling 8")
    assert code == 0
    assert "max_records" in out
    assert "Recommended: max_records 4, the fewest that cut at most 5 % of the rows" in " ".join(out.split())
    assert "You choose" in out


def test_as_json_it_has_the_counts_and_the_rule(run):
    code, out, _ = run(f"{LOOK} --ledger a.ledger --cut 0.5 --json")
    found = json.loads(out)
    assert (code, found["recommended"]) == (0, 1)
    assert found["rule"].startswith("the fewest that cut at most 50 % of the rows")
    assert found["counts"][0]["from"] == found["counts"][0]["to"] == 1
    assert 0 < dpsynth.Ledger.open("a.ledger").spent().epsilon <= 0.5


def test_a_plan_says_the_noise_and_spends_nothing(run):
    code, out, _ = run(f"{LOOK} --plan --json")
    assert code == 0
    planned = json.loads(out)["stddev"]
    assert dpsynth.Ledger.open("a.ledger").runs() == []
    assert "Nothing was opened or spent" in run(f"{LOOK} --plan")[1]
    assert json.loads(run(f"{LOOK} --ledger a.ledger --json")[1])["stddev"] == pytest.approx(planned)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "no ledger was given"),
        ("--ledger b.ledger", "make it first"),
        ("--ledger a.ledger --cut 2", "cut must lie"),
    ],
)
def test_without_an_account_or_with_nonsense_it_spends_nothing(run, more, said):
    code, out, err = run(f"{LOOK} {more}")
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())
    assert not Path("b.ledger").exists()


def test_a_look_and_fits_with_another_number_are_paid_from_one_ledger(run):
    assert run(f"{LOOK} --ledger a.ledger")[0] == 0
    dpsynth.Schema(SCHEMA.columns, unit=dpsynth.PrivacyUnit("patient", 4)).save("four.yaml")
    line = "release stays.csv -s four.yaml --epsilon 1 --ledger a.ledger --mechanism independent -o release"
    assert run(line)[0] == 0
    assert run("verify release")[0] == 0
    assert "at most 4 records" in Path("release/certificate.json").read_text()


def test_a_draft_takes_several_columns_of_ids_and_a_month(run):
    pd.DataFrame({"patient": [1], "visit": ["2020-01-01"], "ward": ["a"]}).to_csv("visits.csv", index=False)
    code, _, _ = run("schema draft visits.csv -o draft.yaml --id-column patient --id-column 'month(visit)' --json")
    assert code == 0
    draft = read_mapping(Path("draft.yaml"))
    assert draft["unit"]["id_column"] == ["patient", "month(visit)"]
    assert [draft["columns"][name]["type"] for name in ("patient", "visit", "ward")] == [
        "identifier",
        "datetime",
        "TODO",
    ]
    code, _, err = run("schema draft visits.csv -o other.yaml --id-column 'month(visit)' --id-column 'day(ward)'")
    assert (code, "must name a column of ids" in " ".join(err.split())) == (2, True)


def test_a_project_is_set_up_for_households(run):
    pd.DataFrame({"surname": ["x"], "street": ["y"], "age": [1]}).to_csv("homes.csv", index=False)
    line = "init study --data homes.csv --id-column surname --id-column street --max-records 4 --epsilon 3"
    assert run(line)[0] == 0
    (ledger,) = Path("study").glob("*.ledger")
    assert dpsynth.Ledger.open(ledger).unit == dpsynth.PrivacyUnit(["surname", "street"], 4)
