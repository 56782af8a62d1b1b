"""SDV's constraints as those of a schema; what SDV would read from the rows is left to a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import dpsynth as d
from dpsynth.schema.importing.forms import import_facts

WHOLE = {"sdtype": "numerical", "computer_representation": "Int64"}
COLUMNS = {
    **dict.fromkeys(("low", "mid", "top", "age", "one", "two"), WHOLE),
    "dose": {"sdtype": "numerical", "computer_representation": "Float"},
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
    rule("ScalarRange", column_name="age", low_value=18, high_value=99),
    rule("ScalarInequality", column_name="mid", relation=">=", value=3),
    rule("Positive", column_name="dose"),
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
        {"type": "range", "low": "low", "column": "mid", "high": "top"},
        {"type": "fixed_increments", "column": "dose", "step": 0.5},
        {"type": "one_hot", "columns": ["one", "two"]},
        {"type": "unique", "column": "visit"},
    ]
    assert (draft["columns"]["age"]["low"], draft["columns"]["age"]["high"]) == (18, 99)
    assert draft["columns"]["mid"]["low"] == 3
    assert draft["columns"]["dose"]["low"] == 0
    assert "MyOwn has no counterpart" in imported.notes()["city"]
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
