"""SDV's constraints as those of a schema; what SDV would read from the rows is left to a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import dpsynth as d
from dpsynth.schema.importing.forms import import_facts

WHOLE = {"sdtype": "numerical", "computer_representation": "Int64"}
COLUMNS = {
    **dict.fromkeys(("low", "mid", "top", "age", "one", "two"), WHOLE),
    "dose": {"sdtype": "numerical", "computer_representation": "Float"},
    "debt": {"sdtype": "numerical", "computer_representation": "Float"},
    "country": {"sdtype": "categorical"},
    "city": {"sdtype": "categorical"},
    "visit": {"sdtype": "id"},
}


def rule(name: str, **parameters: Any) -> dict[str, Any]:
    return {"constraint_class": name, "constraint_parameters": parameters}


RULES = [
    rule("FixedCombinations", column_names=["country", "city"]),
    rule("Inequality", low_column_name="low", high_column_name="top", strict_boundaries=True),
    rule("Range", low_column_name="low", middle_column_name="mid", high_column_name="top"),
    rule("FixedIncrements", column_name="dose", increment_value=0.5),
    rule("OneHotEncoding", column_names=["one", "two"]),
    rule("Unique", column_names=["visit"]),
    rule("ScalarRange", column_name="age", low_value=18, high_value=99, strict_boundaries=False),
    rule("ScalarRange", column_name="top", low_value=0, high_value=9),
    rule("ScalarInequality", column_name="mid", relation=">=", value=3),
    rule("ScalarInequality", column_name="low", relation="<", value=8),
    rule("Positive", column_name="dose"),
    rule("Negative", column_name="debt", strict_boundaries=True),
    rule("Unique", column_names=["country", "city"]),
    rule("MyOwn", column_names=["city"], power=2),
]


def written(folder: Path, rules: Any) -> Path:
    content = {"METADATA_SPEC_VERSION": "V1", "tables": {"visits": {"columns": COLUMNS, "constraints": rules}}}
    (folder / "metadata.json").write_text(json.dumps(content))
    return folder / "metadata.json"


def test_each_constraint_has_its_counterpart(tmp_path: Path) -> None:
    _, imported = import_facts(written(tmp_path, RULES))
    draft = imported.draft().to_dict()
    assert draft["constraints"] == [
        {"type": "fixed_combinations", "columns": ["country", "city"], "public": "TODO"},
        {"type": "order", "left": "low", "op": "<", "right": "top"},
        {"type": "range", "low": "low", "column": "mid", "high": "top", "strict": True},
        {"type": "fixed_increments", "column": "dose", "step": 0.5},
        {"type": "one_hot", "columns": ["one", "two"]},
        {"type": "unique", "column": "visit"},
        {"type": "implies", "when": "`top` is not None", "then": "`top` > 0 and `top` < 9"},
        {"type": "implies", "when": "`low` is not None", "then": "`low` < 8"},
        {"type": "implies", "when": "`debt` is not None", "then": "`debt` < 0"},
    ]
    assert all((draft["columns"][name]["low"], draft["columns"][name]["high"]) == (0, 1) for name in ("one", "two"))
    assert (draft["columns"]["top"]["low"], draft["columns"]["debt"]["high"]) == (0, 0)
    assert "Unique has no counterpart" in imported.notes()["country"]
    assert (draft["columns"]["age"]["low"], draft["columns"]["age"]["high"]) == (18, 99)
    assert draft["columns"]["mid"]["low"] == 3
    assert draft["columns"]["dose"]["low"] == 0
    assert "MyOwn has no counterpart: see Implies, Derived" in imported.notes()["city"]
    assert imported.draft().todo()["public"] == ["the constraint on ['country', 'city']"]


def test_combinations_are_never_taken_from_a_source_and_a_schema_waits_for_them(tmp_path: Path, run: Any) -> None:
    source = written(tmp_path, RULES[:1])
    code, out, err = run(f"schema import {source} -o {tmp_path}/s.yaml")
    assert code == 0
    assert "the constraint on" in out + err
    spec = yaml.safe_load((tmp_path / "s.yaml").read_text())
    for column in spec["columns"].values():
        column |= {key: 0 if key in ("low", "high") else ["a"] for key, fact in column.items() if fact == "TODO"}
    with pytest.raises(d.SchemaError, match="constraint 1: public must be a table of public values"):
        d.Schema.from_dict(spec)
    spec["constraints"][0]["public"] = [["a", "a"]]
    assert d.Schema.from_dict(spec).constraints[0].describe().startswith("country, city")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("FixedCombinations", "constraints must be a list"),
        ([["FixedCombinations"]], "constraint 1 must be a mapping"),
        ([rule("Inequality", low_column_name="low")], "constraint 1, Inequality, lacks 'high_column_name'"),
    ],
)
def test_what_is_no_constraint_is_refused_in_one_sentence(rules: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        import_facts(written(tmp_path, rules))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("left_out", "column", "said"),
    [
        (rule("Unique", column_names=["low", "mid"]), "low", "the constraint Unique has no counterpart"),
        (rule("Unique", column_names=["city"]), "city", "only identifiers and numbers in steps can be unique"),
        (
            rule("Inequality", low_column_name="low", high_column_name="zz"),
            "low",
            "it names 'zz', which the table lacks",
        ),
        (rule("Positive", column_name="zz", strict_boundaries=True), "low", "names 'zz', which the table lacks"),
    ],
)
def test_what_no_column_bears_is_left_out_with_a_note(left_out, column: str, said: str, tmp_path: Path) -> None:
    _, imported = import_facts(written(tmp_path, [rule("Unique", column_names=["visit"]), left_out]))
    assert imported.constraints == ({"type": "unique", "column": "visit"},)
    notes = {each.name: each.note for each in imported.columns}
    assert said in notes[column]


@pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")
def test_rows_of_an_imported_schema_keep_every_constraint_that_sdv_stated(tmp_path: Path) -> None:
    """Each by a test written here."""
    _, imported = import_facts(written(tmp_path, RULES))
    spec = imported.draft().to_dict()
    for name, column in spec["columns"].items():
        column |= {"low": column["low"] if column.get("low") != "TODO" else -20} if "low" in column else {}
        column |= {"high": column["high"] if column.get("high") != "TODO" else 20} if "high" in column else {}
        column |= {"categories": ["a", "b"]} if "categories" in column else {}
        column |= {"nullable": name == "debt"} if column["type"] != "identifier" else {}
    spec["constraints"][0]["public"] = [["a", "b"], ["b", "a"]]
    schema = d.Schema.from_dict(spec)
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({name: rng.integers(-20, 20, 800) for name in schema.columns}).astype(object)
    frame[["country", "city"]] = rng.choice(["a", "b"], (800, 2))
    synth = d.Synthesizer(schema, "independent", epsilon=5, delta=1e-6, ledger=None, unsafe_seed=1)
    rows = synth.fit(frame).sample(2000, seed=1)
    assert {*zip(rows["country"], rows["city"], strict=True)} <= {("a", "b"), ("b", "a")}
    assert (rows["low"] < rows["mid"]).all()
    assert (rows["mid"] < rows["top"]).all()
    assert (rows["dose"] % 0.5 == 0).all()
    assert (rows["one"].astype(int) + rows["two"].astype(int) == 1).all()
    assert rows["visit"].is_unique
    assert rows["age"].between(18, 99).all()
    assert rows["top"].between(1, 8).all()
    assert (rows["mid"] >= 3).all()
    assert (rows["low"] < 8).all()
    assert (rows["dose"] >= 0).all()
    assert (rows["debt"].dropna() < 0).all()
