"""Data dictionaries of every form become the schema that they state, and a TODO for what they lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dpsynth.cli import schema as command
from dpsynth.schema.importing.facts import Imported
from dpsynth.schema.importing.forms import FORMS, import_facts
from dpsynth.schema.table import Schema
from tests.schema.importing import SOURCES, TABLE, written

T = "TODO"
N = {"nullable": True}


def numeric(low: Any, high: Any, **facts: Any) -> dict[str, Any]:
    return {"type": "numeric", "low": low, "high": high, **facts}


def categorical(*categories: Any, **facts: Any) -> dict[str, Any]:
    return {"type": "categorical", "categories": list(categories) or T, **facts}


def datetime(low: Any, high: Any, resolution: str, **facts: Any) -> dict[str, Any]:
    return {"type": "datetime", "low": low, "high": high, "resolution": resolution, **facts}


BOOLEAN, IDENTIFIER, OPEN = {"type": "boolean"}, {"type": "identifier"}, {"type": T}
WORDS = {**BOOLEAN, "true": [1], "false": [0]}
COMPLETE = categorical("0", "1", "2", ordered=True, **N)

EXPECTED: dict[str, dict[str, Any]] = {
    "spreadsheet": {
        "pid": IDENTIFIER,
        "age": numeric(0, 120, integer=True, missing_marker="-1", **N),
        "weight": numeric(2, 300, integer=False, **N),
        "sex": categorical("f", "m"),
        "stay": categorical("day", "short", "long", ordered=True, missing_marker="?", **N),
    },
    "redcap": {
        "record_id": IDENTIFIER,
        "surname": OPEN,
        "age": numeric(18, 110, integer=True, **N),
        "sex": categorical("1", "2", "-9", **N),
        "born": datetime("1900-01-01", T, "D", **N),
        "race___1": WORDS,
        "race____1": WORDS,
        "demography_complete": COMPLETE,
        "smoker": {**WORDS, **N},
        "hb": numeric(3, 25, decimals=1, decimal=",", **N),
        "pain": numeric(0, 100, integer=True, **N),
        "bmi": numeric(T, T, integer=T, **N),
        "remarks": {"type": "text"},
        "visit_complete": COMPLETE,
    },
    "frictionless": {
        "claim": {**IDENTIFIER, "pattern": "C-######"},
        "age": numeric(0, 120, integer=True),
        "cost": numeric(0, T, integer=T, decimal=",", missing_marker="NA", **N),
        "plan": categorical("basic", "full", missing_marker="NA", **N),
        "grade": categorical("low", "high", ordered=True, missing_marker="NA", **N),
        "paid": {**BOOLEAN, "true": ["ja"], "false": ["nein"], "missing_marker": "NA", **N},
        "day": datetime("2020-01-01", T, "D", format="%d.%m.%Y", **N),
        "ward": OPEN,
        "contact": categorical(missing_marker="NA", **N),
        "place": OPEN,
    },
    "json-schema": {
        "uid": IDENTIFIER,
        "age": numeric(0, 120, integer=True),
        "cost": numeric(0, T, decimals=2, **N),
        "plan": categorical("basic", "full"),
        "level": categorical("a", "b", **N),
        "kind": categorical(1, 2, **N),
        "day": datetime(T, T, "D", **N),
        "smoker": {**BOOLEAN, **N},
        "paid": numeric(T, 10, integer=T, **N),
        "mixed": OPEN,
        "count": numeric(0, 9, integer=True),
        "address": OPEN,
    },
    "sdv": {
        "guest_email": IDENTIFIER,
        "hotel_id": {**IDENTIFIER, "pattern": "HID_###"},
        "rate": numeric(T, T, integer=False, **N),
        "nights": numeric(T, T, integer=True, **N),
        "room": categorical("basic", "suite", ordered=True, **N),
        "rewards": {**BOOLEAN, **N},
        "checkin": datetime(T, T, "D", format="%d %b %Y", **N),
        "city": OPEN,
    },
    "smartnoise": {
        "pid": IDENTIFIER,
        "age": numeric(0, 100, integer=True, **N),
        "income": numeric(0, 500000, integer=False),
        "sex": categorical(),
        "married": {**BOOLEAN, **N},
        "seen": datetime(T, T, "s", **N),
    },
    "google": {
        "age": numeric(18, 100, integer=True),
        "pay": numeric(0, 9000.5, integer=False, **N),
        "tier": categorical("FREE", "PRO", other="PRO"),
        "member": BOOLEAN,
        "city": categorical(**N),
        "story": {"type": "text"},
    },
    "sql": {
        "id": IDENTIFIER,
        "Age": numeric(0, 120, integer=True),
        "sex": categorical("f", "m", **N),
        "feels": categorical("sad", "it's ok", **N),
        "amount": numeric(-5, 1_000_000, decimals=2, **N),
        "ward": categorical("a", "b", **N),
        "day": datetime("2020-01-01", T, "D", **N),
        "seen": datetime(T, T, "s", **N),
        "ok": BOOLEAN,
        "patient": OPEN,
        "dept": OPEN,
        "share": numeric(0, 20, integer=False, **N),
        "beds": numeric(1, 9, integer=True, **N),
        "body": OPEN,
    },
}


def of_form(form: str, folder: Path, asked: str | None = None) -> tuple[str, Imported]:
    if form == "sql":
        pytest.importorskip("sqlglot", reason="SQL is read by the extra sql")
    return import_facts(written(folder, form), asked, TABLE.get(form))


def test_every_form_has_a_source_and_the_help_names_it():
    assert set(SOURCES) == set(EXPECTED) == set(FORMS)
    assert command._FORMS.split(", ") == list(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_a_source_is_recognised_and_becomes_what_it_states(form: str, tmp_path: Path):
    found, imported = of_form(form, tmp_path)
    assert found == form
    assert imported.draft().to_dict()["columns"] == EXPECTED[form]
    assert list(imported.draft().to_dict()["columns"]) == list(EXPECTED[form])
    assert (found, imported) == of_form(form, tmp_path, form)


@pytest.mark.parametrize("form", FORMS)
def test_the_list_of_open_facts_is_what_still_says_todo(form: str, tmp_path: Path):
    _, imported = of_form(form, tmp_path)
    listed = {
        (name, fact) for facts, names in imported.open_facts().items() for name in names for fact in facts.split(", ")
    }
    said = {(name, key) for name, facts in EXPECTED[form].items() for key, fact in facts.items() if fact == T}
    assert listed == said


@pytest.mark.parametrize("form", FORMS)
def test_a_draft_with_its_open_facts_written_is_a_schema(form: str, tmp_path: Path):
    _, imported = of_form(form, tmp_path)
    spec = imported.draft().to_dict()
    filled = {"low": "2000-01-01", "high": "2024-12-31", "integer": False, "categories": ["a"], "type": "text"}
    for facts in spec["columns"].values():
        numbers = {"low": None, "high": None} if facts["type"] == "numeric" else {}
        facts |= {key: {**filled, **numbers}[key] for key, fact in facts.items() if fact == T}
    schema = Schema.from_dict(spec)
    for end in ("yaml", "json"):
        schema.save(tmp_path / f"schema.{end}")
        assert Schema.load(tmp_path / f"schema.{end}") == schema


def test_smartnoise_states_whom_to_protect(tmp_path: Path):
    _, imported = of_form("smartnoise", tmp_path)
    assert imported.draft().to_dict()["unit"] == {"id_column": "pid", "max_records": 3}


@pytest.mark.parametrize("form", set(FORMS) - {"sql", "redcap", "spreadsheet"})
def test_a_file_of_another_form_is_refused_by_name(form: str, tmp_path: Path):
    with pytest.raises(ValueError, match=rf"is no {FORMS[form].title}"):
        import_facts(written(tmp_path, "redcap"), form=form)
