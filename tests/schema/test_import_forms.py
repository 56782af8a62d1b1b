"""Data dictionaries of every form become the schema that they state, and a TODO for what they lack."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Literal

import pytest

import dpsynth
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
    "columns": {
        "pid": IDENTIFIER,
        "age": numeric(0, 120, integer=True, missing_marker="-1", **N),
        "weight": numeric(0, T, integer=False, **N),
        "sex": categorical("f", "m", **N),
        "smokes": categorical(0, 1, **N),
        "stay": categorical("a = short", "b, long", ordered=True),
        "born": datetime("1900-01-01", T, "s", **N),
        "drug": categorical(**N),
        "height": numeric(T, T, integer=False, **N),
        "remark": {"type": "text"},
        "odd": OPEN,
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
    "croissant": {
        "Age": numeric(T, T, integer=True, **N),
        "cost": numeric(T, T, integer=False, **N),
        "sex": categorical("f", "m", **N),
        "ward": categorical(**N),
        "day": datetime(T, T, "D", **N),
        "seen": datetime(T, T, "s", **N),
        "dead": {**BOOLEAN, **N},
        "scan": OPEN,
        "drugs": OPEN,
    },
    "ddi": {
        "age": numeric(0, 120, integer=True, missing_marker="-9", **N),
        "weight": numeric(T, T, decimals=1, **N),
        "sex": categorical("1", "2", missing_marker="9", **N),
        "grade": categorical("a", "b", ordered=True, **N),
        "day": datetime(T, T, "D", **N),
        "city": categorical(**N),
        "body": OPEN,
    },
    "spss": {
        "age": numeric(T, T, integer=T, **N),
        "sex": categorical("male", "female", **N),
        "pain": categorical("not asked", "none", "some", ordered=True, **N),
        "kids": categorical("0", "1", "2 or more", **N),
        "city": categorical(**N),
        "day": datetime(T, T, "D", **N),
        "seen": datetime(T, T, "s", **N),
    },
    "stata": {
        "age": categorical("99 or older", **N),
        "sex": categorical("male", "female", **N),
        "pain": categorical("not asked", "none", "some", **N),
        "kids": categorical("0", "1", "2 or more", **N),
        "city": categorical(**N),
        "day": datetime(T, T, "D", **N),
        "seen": datetime(T, T, "s", **N),
    },
}


def of_form(form: str, folder: Path, asked: str | None = None) -> tuple[str, Imported]:
    if form == "sql":
        pytest.importorskip("sqlglot", reason="SQL is read by the extra sql")
    return import_facts(written(folder, form), asked, TABLE.get(form), labels_public=form in ("spss", "stata"))


def test_every_form_has_a_source_and_the_help_names_it():
    assert {*SOURCES, "spss", "stata"} == set(EXPECTED) == set(FORMS)
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
        (name, fact) for facts, names in imported.draft().todo().items() for name in names for fact in facts.split(", ")
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


@pytest.mark.parametrize("form", FORMS)
def test_an_opened_draft_leaves_to_a_charge_what_a_charge_can_find_and_nothing_else(form: str, tmp_path: Path):
    _, imported = of_form(form, tmp_path)
    opened = imported.draft().opened()
    for name, facts in EXPECTED[form].items():
        lacking = {key for key, fact in facts.items() if fact == T}
        now = opened.to_dict()["columns"][name]
        if facts["type"] == "numeric":
            ends = {end: None for end in ("low", "high") if end in lacking}
            assert now == {key: fact for key, fact in facts.items() if key not in lacking} | ends
        elif "categories" in lacking and "missing_marker" not in facts:
            assert now == {"type": "opencategorical", **({"nullable": True} if "nullable" in facts else {})}
        else:
            assert now == facts
    numbers = [key for keys, names in opened.todo().items() for n in names for key in keys.split(", ")
               if EXPECTED[form].get(n, {}).get("type") == "numeric"]  # fmt: skip
    assert numbers == []


def test_smartnoise_states_whom_to_protect(tmp_path: Path):
    _, imported = of_form("smartnoise", tmp_path)
    assert imported.draft().to_dict()["unit"] == {"id_column": "pid", "max_records": 3}


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"sql", "redcap", "spreadsheet", "ddi", "spss", "stata"}))
def test_a_file_of_another_form_is_refused_by_name(form: str, tmp_path: Path):
    with pytest.raises(ValueError, match=rf"is no {FORMS[form].title}"):
        import_facts(written(tmp_path, "redcap"), form=form)


def test_a_form_has_the_name_that_python_gives_it_too(tmp_path: Path):
    pytest.importorskip("sqlglot", reason="SQL is read by the extra sql")
    for name, form in {"ddl": "sql", "jsonschema": "json-schema", "table": "spreadsheet"}.items():
        assert import_facts(written(tmp_path, form), name)[0] == form


def test_a_spreadsheet_may_be_a_workbook(tmp_path: Path):
    openpyxl = pytest.importorskip("openpyxl", reason="Excel files are read where openpyxl is installed")
    csv_file = written(tmp_path, "spreadsheet")
    book = openpyxl.Workbook()
    for line in csv.reader(csv_file.read_text().splitlines(), delimiter=";"):
        book.active.append([int(cell) if cell.lstrip("-").isdigit() else cell or None for cell in line])
    book.active["A9"].number_format = "0.00"  # a cell of no value
    book.save(tmp_path / "dictionary.xlsx")
    assert import_facts(tmp_path / "dictionary.xlsx") == import_facts(csv_file)


def test_sql_of_another_dialect_needs_its_name(tmp_path: Path):
    pytest.importorskip("sqlglot", reason="SQL is read by the extra sql")
    path = tmp_path / "t.sql"
    path.write_text("CREATE TABLE `t` (`age` TINYINT UNSIGNED, `sex` ENUM('f','m') NOT NULL) ENGINE=InnoDB;")
    columns = import_facts(path, dialect="mysql")[1].draft().to_dict()["columns"]
    assert columns == {"age": numeric(T, T, integer=True, **N), "sex": categorical("f", "m")}
    path.write_text("CREATE TABLE t ([age] INT, [day] DATETIME2)")
    assert list(import_facts(path, dialect="tsql")[1].draft().to_dict()["columns"]) == ["age", "day"]
    with pytest.raises(ValueError, match="dialect must be one of"):
        import_facts(path, dialect="klingon")
    with pytest.raises(ValueError, match="a spreadsheet has no dialect of SQL: leave out --dialect mysql"):
        import_facts(written(tmp_path, "spreadsheet"), dialect="mysql")


def test_a_dictionary_becomes_a_schema_in_python(tmp_path: Path):
    (tmp_path / "d.csv").write_text("name,type,low,high,labels\nage,integer,0,120,\nsex,,,,f|m\n")
    schema = dpsynth.Schema.from_file(tmp_path / "d.csv", "table")
    assert schema == dpsynth.Schema.from_file(str(tmp_path / "d.csv"))
    assert schema.to_dict()["columns"] == {"age": numeric(0, 120, integer=True, **N), "sex": categorical("f", "m", **N)}
    lines = "".join(f"w{i},category,,,\n" for i in range(12))
    (tmp_path / "d.csv").write_text(f"name,type,low,high,labels\nage,number,0,,\n{lines}")
    with pytest.raises(dpsynth.SchemaError, match="say high, integer of 'age'; categories of 'w0', 'w1'") as said:
        dpsynth.Schema.from_file(tmp_path / "d.csv")
    assert "'w9' and 2 others: write a draft with `dpsynth schema import`" in str(said.value)
    schema = dpsynth.Schema.from_file(tmp_path / "d.csv", open_unknown=True)
    assert schema.columns["age"] == dpsynth.Numeric(0, None, nullable=True)
    assert schema.open == tuple(f"w{i}" for i in range(12))
    (tmp_path / "d.csv").write_text("name,type\nday,date\nodd,\n")
    with pytest.raises(dpsynth.SchemaError, match="say low, high of 'day'; type of 'odd'"):
        dpsynth.Schema.from_file(tmp_path / "d.csv", open_unknown=True)


def test_a_pydantic_model_becomes_a_schema_by_its_json_schema(tmp_path: Path):
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")

    class Claim(pydantic.BaseModel):
        age: int = pydantic.Field(ge=0, lt=121)
        sex: Literal["f", "m"] | None

    (tmp_path / "claim.json").write_text(json.dumps(Claim.model_json_schema()))
    schema = dpsynth.Schema.from_file(tmp_path / "claim.json")
    assert schema.to_dict()["columns"] == {"age": numeric(0, 120, integer=True), "sex": categorical("f", "m", **N)}


def test_a_codebook_tells_nothing_of_rows(tmp_path: Path):
    found = import_facts(written(tmp_path, "ddi"), table="visits.csv")[1]
    assert found.refused == {"sumStat", "catStat", "valrng"}
    said = str(found)
    assert not [each for each in ("97", "71.3", "41.7", "CANARY") if each in said]
    assert "categories without a label" in found.notes()["grade"]
    assert [*import_facts(written(tmp_path, "ddi"), table="wards.csv")[1].draft().to_dict()["columns"]] == ["beds"]
    croissant = import_facts(written(tmp_path, "croissant"))[1]
    assert croissant.refused == {"data", "examples"}
    assert "CANARY" not in str(croissant)


@pytest.mark.parametrize("ending", ["xml", "xlsx", "sav", "dta"])
def test_a_damaged_dictionary_is_refused_in_one_sentence(ending: str, tmp_path: Path):
    pytest.importorskip("openpyxl", reason="Excel files are read where openpyxl is installed")
    pytest.importorskip("pyreadstat", reason="SPSS and Stata files are read by the extra stat")
    for raw in (b"", b"CANARY", b"<a>CANARY</b>", b'<?xml version="1.0" encoding="klingon"?><a/>', b"<a/>"):
        (tmp_path / f"d.{ending}").write_bytes(raw)
        with pytest.raises(ValueError, match=rf"^{tmp_path / f'd.{ending}'}: [^\n]+: [^\n]+$") as caught:
            import_facts(tmp_path / f"d.{ending}")
        assert "CANARY" not in str(caught.value) + repr(caught.value.__context__)
