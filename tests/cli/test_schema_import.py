"""`dpsynth schema import` says what it took, what it did not, and what is still to write; `check` what never occurs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from dpsynth.schema.table import Categorical, Numeric, OpenCategorical, Schema

DICTIONARY = """\
name,type,low,high,labels,mean
age,integer,0,120,,
weight,number,,,,71.3
email,text,,,,
ward,category,,,,
sex,,,,f=female|m=male,
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dictionary.csv").write_text(DICTIONARY, encoding="utf-8")
    return tmp_path


def test_an_import_ends_with_what_is_still_to_write(folder, run):
    code, out, _ = run("schema import dictionary.csv -o new.yaml")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "new.yaml: 5 columns from a spreadsheet"
    assert "not public: high, low, mean" in lines[1]
    assert lines[-1].startswith("Bounds of numbers, and categories, that nobody knows can be found by a fit")
    assert lines[-5:-1] == ["Still TODO:", "  low, high: age", "  low, high, integer: weight", "  categories: ward"]
    assert any(line.startswith("email looks like a direct identifier") for line in lines)
    assert "71.3" not in out + (folder / "new.yaml").read_text(encoding="utf-8")


def test_what_json_says_is_what_the_file_holds(folder, run):
    _, out, _ = run("schema import dictionary.csv -o new.json --from spreadsheet --json")
    told = json.loads(out)
    assert told["schema"] == json.loads((folder / "new.json").read_text(encoding="utf-8"))
    assert (told["form"], told["refused"]) == ("spreadsheet", ["high", "low", "mean"])
    assert told["todo"] == {"low, high": ["age"], "low, high, integer": ["weight"], "categories": ["ward"]}
    assert list(told["direct_identifiers"]) == ["email"]


def test_a_dictionary_that_lacks_nothing_is_a_schema_at_once(folder, run):
    (folder / "whole.csv").write_text("name,type,low,high\nage,integer,0,120\n", encoding="utf-8")
    assert run("schema import whole.csv -o new.yaml")[1].endswith("Nothing is left to write.\n")
    assert list(Schema.load("new.yaml").columns) == ["age"]


def test_a_file_is_not_overwritten_and_a_fault_is_one_sentence(folder, run):
    assert run("schema import dictionary.csv -o new.yaml")[0] == 0
    for line in ("dictionary.csv -o new.yaml", "dictionary.csv -o b.yaml --from sdv", "none.csv -o b.yaml"):
        code, out, err = run(f"schema import {line}")
        assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (folder / "b.yaml").exists()


def test_a_check_names_categories_that_never_occur_as_private(folder, run):
    Schema({"ward": Categorical([f"w{number}" for number in range(30)])}).save("schema.yaml")
    pd.DataFrame({"ward": ["w0", "w1"]}).to_csv("rows.csv", index=False)
    code, out, _ = run("schema check schema.yaml rows.csv")
    assert code == 0
    assert "ward: PRIVATE: 'w2', 'w3'" in out
    assert "'w11' and 18 others never occur" in out
    _, out, _ = run("schema check schema.yaml rows.csv --json")
    assert json.loads(out)["columns"][0]["never"] == [f"w{number}" for number in range(2, 30)]


def test_a_check_shows_in_one_table_what_is_clipped_mapped_refused_and_what_never_occurs(folder, run):
    columns = {
        "age": Numeric(0, 120),
        "ward": Categorical(["a", "b", "rest"], other="rest"),
        "e-mail": Categorical(["x"]),
    }
    Schema(columns).save("schema.yaml")
    pd.DataFrame({"age": [500, 1, 2, 3, 4, 5], "ward": list("aaaaaz"), "e-mail": ["x"] * 6}).to_csv(
        "rows.csv", index=False
    )
    code, out, _ = run("schema check schema.yaml rows.csv")
    assert code == 1
    lines = [line.replace("\u2502", " ").split() for line in out.splitlines()]
    assert ["age", ".", ".", ".", "1", ".", "."] in lines
    assert ["ward", ".", "1", "'rest'", ".", "1", "."] in lines
    assert ["e-mail", ".", ".", ".", ".", ".", "yes"] in lines
    assert "e-mail looks like a direct identifier, its name says an e-mail address: declare identifier" in out
    Schema(columns, not_identifying=["e-mail"]).save("cleared.yaml")
    assert run("schema check cleared.yaml rows.csv")[0] == 0


SURVEY = {
    "tables": {
        "people.csv": {
            "columns": [
                {"name": "ID", "type": "id"},
                {"name": "Sex", "type": "categorical", "categories": ["female", "male"]},
                {"name": "Age", "type": "integer", "min": 0, "max": 80, "description": "80 = 80 or more"},
                {"name": "Pulse", "type": "integer", "source": "none"},
                {"name": "Income", "type": "continuous", "min": 0, "max": None},
                {"name": "Drug", "type": "categorical", "source": "none"},
            ]
        }
    }
}


def test_a_dictionary_without_bounds_becomes_a_release_and_no_bound_is_typed(folder, run):
    rng = np.random.default_rng(1)
    people = pd.DataFrame(
        {
            "ID": np.arange(4000),
            "Sex": rng.choice(["female", "male"], 4000),
            "Age": rng.integers(0, 81, 4000),
            "Pulse": rng.normal(72, 9, 4000).round(),
            "Income": rng.lognormal(10, 0.5, 4000).round(2),
            "Drug": rng.choice(["metformin", "insulin"], 4000),
        }
    )
    people.loc[::4, "Pulse"] = None
    people.loc[0, "Drug"] = "CANARY"
    people.to_csv("people.csv", index=False)
    (folder / "survey.json").write_text(json.dumps(SURVEY), encoding="utf-8")
    code, out, _ = run("schema import survey.json -o schema.yaml --open-unknown")
    assert code == 0
    assert out.splitlines()[0] == "schema.yaml: 6 columns from a list of columns"
    found = ["  low, high: Pulse", "  high: Income", "  categories: Drug"]
    assert out.splitlines()[-5:] == [
        "Found by charges, for a part of the budget:",
        *found,
        "Nothing is left to write.",
    ]
    assert run("schema check schema.yaml people.csv")[0] == 0
    code, out, _ = run("plan --schema schema.yaml --rows 4000 --epsilon 4 --delta 1e-6")
    assert code == 0
    code, out, err = run(
        "release people.csv --schema schema.yaml --mechanism independent --epsilon 4 --delta 1e-6"
        " --ledger people.ledger -o release"
    )
    assert code == 0, err
    rows = pd.read_csv(folder / "release" / "synthetic.csv")
    assert [*rows] == [*people]
    assert {*rows["Drug"].dropna()} <= {"metformin", "insulin", "OTHER"}
    assert abs(rows["Pulse"].isna().mean() - 0.25) < 0.05
    assert abs(rows["Pulse"].mean() - 72) < 5
    assert "CANARY" not in (folder / "release" / "certificate.json").read_text()


def test_categories_that_nobody_listed_are_left_open_where_that_is_asked(tmp_path, run):
    """Of a dictionary and of a draft: those of which nothing else is stated, and nothing is a TODO any more."""
    source, schema = tmp_path / "d.csv", tmp_path / "s.yaml"
    source.write_text("name,type,low,high,labels\nage,integer,0,99,\nward,string,,,\nsex,string,,,f;m\n")
    code, out, _ = run(f"schema import {source} -o {schema}")
    assert code == 0
    assert "give --open-unknown" in out.replace("\n", " ")
    assert '"categories": "TODO"' in json.dumps(yaml.safe_load(schema.read_text()))
    code, out, _ = run(f"schema import {source} -o {tmp_path}/o.yaml --open-unknown")
    assert "Nothing is left to write." in out
    assert Schema.load(tmp_path / "o.yaml").open == ("ward",)
    pd.DataFrame({"icd": ["a"], "icd_code": ["b"], "n": [1]}).to_parquet(tmp_path / "t.parquet")
    assert run(f"schema draft {tmp_path}/t.parquet -o {tmp_path}/t.yaml --open-unknown")[0] == 0
    columns = yaml.safe_load((tmp_path / "t.yaml").read_text())["columns"]
    assert columns["icd"] == columns["icd_code"] == {"type": "opencategorical", "nullable": True}
    assert (columns["n"]["low"], columns["n"]["high"]) == (None, None)


def test_a_check_says_that_open_categories_are_found_by_a_charge(tmp_path, run):
    Schema({"ward": OpenCategorical(), "n": Numeric(0, 9)}).save(tmp_path / "s.yaml")
    pd.DataFrame({"ward": ["a", "b"], "n": [1, 2]}).to_csv(tmp_path / "d.csv", index=False)
    code, out, _ = run(f"schema check {tmp_path}/s.yaml {tmp_path}/d.csv")
    assert code == 0
    assert "ward: categories are found by a charge of the fit" in out
    told = json.loads(run(f"schema check {tmp_path}/s.yaml {tmp_path}/d.csv --json")[1])
    assert told["found_by_a_charge"] == ["ward"]
