"""What a source says of rows changes nothing, and no source ends an import in anything but one sentence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dpsynth.base.mappings import read_mapping
from dpsynth.schema.identifying import direct_identifier
from dpsynth.schema.importing import domains, forms, frictionless, json_schema, public, smartnoise, spreadsheet
from dpsynth.schema.importing.forms import FORMS, import_facts
from dpsynth.schema.importing.reading import codes, name_pattern, number_of
from tests.schema.importing import SOURCES, SQL, TABLE, written

MAPPINGS = sorted(set(FORMS) - {"spreadsheet", "redcap", "sql", "ddi", "spss", "stata"})
ENDS = {
    "spreadsheet": ("min", "max"),
    "columns": ("low", "high"),
    "frictionless": ("minimum", "maximum"),
    "json-schema": ("minimum", "maximum"),
    "smartnoise": ("lower", "upper"),
    "google": ("min_value", "max_value"),
}
READERS = {
    "spreadsheet": spreadsheet,
    "columns": spreadsheet,
    "frictionless": frictionless,
    "json-schema": json_schema,
    "smartnoise": smartnoise,
    "google": domains,
}


def profile(form: str, seen: int) -> Any:
    """A source of a form that a program made of rows: one number column, whose values lie around `seen`."""
    low, high = ENDS[form]
    told = {low: seen - 3, high: seen + 3, "mean": seen, "n_rows": 100 + seen, "examples": [seen]}
    if form == "spreadsheet":
        told |= {"name": "age", "type": "integer", "examples": str(seen)}
        text = io.StringIO()
        sheet = csv.DictWriter(text, told)
        sheet.writeheader()
        sheet.writerow(told)
        return text.getvalue()
    if form == "columns":
        seen = {key: told.pop(key) for key in ("mean", "n_rows", "examples")}
        return {"columns": [{"name": "age", "type": "integer", **told, "of the rows": {"profile": seen}}]}
    if form == "frictionless":
        ends = {key: told.pop(key) for key in (low, high)}
        return {"fields": [{"name": "age", "type": "integer", "constraints": ends, **told}], "stats": {"rows": seen}}
    if form == "json-schema":
        return {"type": "object", "properties": {"age": {"type": "integer", **told}}}
    if form == "smartnoise":
        return {"": {"S": {"T": {"rows": seen, "age": {"type": "int", **told}}}}}
    return {"age": {"type": "NumericalAttribute", "dtype": "int", **told}}


def drafted(form: str, content: Any, folder: Path) -> dict[str, Any]:
    path = folder / Path(SOURCES[form][0]).with_suffix(".csv" if form == "spreadsheet" else ".json")
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return import_facts(path, form)[1].draft().to_dict()


@pytest.mark.parametrize("form", ENDS)
def test_what_a_source_says_of_rows_changes_nothing(form: str, tmp_path: Path):
    first, second = (drafted(form, profile(form, seen), tmp_path) for seen in (40, 41))
    assert first == second
    assert (first["columns"]["age"]["low"], first["columns"]["age"]["high"]) == ("TODO", "TODO")


@pytest.mark.parametrize("form", ENDS)
def test_the_keys_that_are_not_taken_are_named(form: str, tmp_path: Path):
    drafted(form, profile(form, 40), tmp_path)
    (path,) = tmp_path.iterdir()
    assert {*ENDS[form], "mean", "n_rows", "examples"} <= import_facts(path, form)[1].refused


@pytest.mark.parametrize("form", ENDS)
def test_a_reader_that_takes_all_keys_is_seen_to_depend_on_rows(form: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(READERS[form], "set_aside", lambda facts, *_: (dict(facts), set()))
    first, second = (drafted(form, profile(form, seen), tmp_path) for seen in (40, 41))
    assert first != second


@pytest.mark.parametrize("form", ENDS)
def test_ends_without_a_profile_beside_them_are_declared(form: str, tmp_path: Path, monkeypatch):
    told = drafted(form, profile(form, 40), tmp_path)
    monkeypatch.setattr(public, "PROFILE", frozenset())
    assert told["columns"]["age"]["low"] == "TODO"
    assert drafted(form, profile(form, 40), tmp_path)["columns"]["age"]["low"] == 37


def test_a_column_may_be_called_as_what_is_counted(tmp_path: Path):
    names = {name: {"type": "integer", "minimum": 0, "maximum": 9} for name in ("count", "mean", "minimum", "rows")}
    told = drafted("json-schema", {"type": "object", "properties": names}, tmp_path)
    assert {name: facts["high"] for name, facts in told["columns"].items()} == dict.fromkeys(names, 9)
    names = {name: {"type": "int", "lower": 0, "upper": 9} for name in names}
    told = drafted("smartnoise", {"": {"S": {"T": names}}}, tmp_path)
    assert {name: facts["high"] for name, facts in told["columns"].items()} == dict.fromkeys(names, 9)


def test_rows_in_a_dump_change_nothing_and_no_message_quotes_them(tmp_path: Path, capfd, caplog):
    pytest.importorskip("sqlglot", reason="SQL is read by the extra sql")
    path = tmp_path / "visits.sql"
    drafts = []
    for age in (97, 12):
        path.write_text(SQL.replace("97", str(age)), encoding="utf-8")
        drafts.append(import_facts(path)[1].draft().to_dict())
    assert drafts[0] == drafts[1]
    path.write_text("CREATE TABLE t (a INT;\nINSERT INTO t VALUES ('Mueller'", encoding="utf-8")
    with pytest.raises(ValueError, match="SQL cannot be read") as raised:
        import_facts(path)
    assert raised.value.__context__ is None or "Mueller" not in repr(raised.value.__context__)
    said = str(raised.value) + "".join(capfd.readouterr()) + caplog.text
    assert "Mueller" not in said
    path.write_text("CREATE TABLE t (a INT);\nCALL add_patient('Mueller');", encoding="utf-8")
    import_facts(path)  # sqlglot logs a statement that it does not know
    assert "Mueller" not in "".join(capfd.readouterr()) + caplog.text


JUNK: tuple[Any, ...] = (None, True, 7, -1.5, "", "text", [], [[]], [None], {}, {"a": 1}, {"a": {"b": {}}})


def mutants(content: Any) -> Iterator[Any]:
    """The content with each of its parts replaced by each kind of junk, or left out."""
    if isinstance(content, dict):
        for key, inner in content.items():
            yield {name: each for name, each in content.items() if name != key}
            yield from ({**content, key: changed} for changed in (*JUNK, *mutants(inner)))
    if isinstance(content, list):
        for place, inner in enumerate(content):
            yield [*content[:place], *content[place + 1 :]]
            for changed in (*JUNK, *mutants(inner)):
                yield [*content[:place], changed, *content[place + 1 :]]


@pytest.mark.parametrize("form", MAPPINGS)
def test_a_damaged_source_is_read_or_refused_in_one_sentence(form: str, tmp_path: Path, monkeypatch):
    source = written(tmp_path, form)
    sentences, tried = set(), 0
    for tried, content in enumerate(mutants(read_mapping(source)), 1):  # noqa: B007
        monkeypatch.setitem(forms._READERS, source.suffix, lambda _, content=content: content)
        sentences.add(refusal(source, TABLE.get(form)))
    assert tried > 300
    assert {None} < sentences
    assert [each for each in sentences - {None} if "\n" in each or ": " not in each] == []


def refusal(source: Path, table: str | None = None) -> str | None:
    """What an import says that ends in a ValueError; None where it does not."""
    try:
        _, imported = import_facts(source, table=table)
    except ValueError as error:
        return str(error)
    assert imported.direct_identifiers().keys() <= {column.name for column in imported.columns}
    return None


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.docx", "", "must end in"),
        ("a.csv", "", "empty"),
        ("a.csv", "a,b\n1,2\n", "none of these"),
        ("a.csv", "name,type\nx,integer,7\n", "record 2 has 3 fields"),
        ("a.csv", "name,name\nx,y\n", "titles stand twice"),
        ("a.csv", "name,low,high\nage,9,1\n", "column 'age': low=9 is above high=1"),
        ("a.csv", "name,labels\nsex,f|m|f\n", "column 'sex': categories are listed twice"),
        ("a.csv", "name,type\nx,integer\nx,integer\n", "describes columns twice"),
        ("a.csv", "name,type\n", "describes no column"),
        ("a.json", '{"a": 1}', "none of these"),
        ("a.json", '{"fields": [{"type": "integer"}]}', "a column name must be text"),
        ("a.json", '{"properties": {"a": {"$ref": "other.json"}}}', "does not lead to a schema"),
        ("a.json", '{"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"}', "does not lead to a schema"),
        ("a.yaml", "dpsynth_schema: 1\ncolumns: {a: {type: boolean}}\n", "none of these"),
    ],
)
def test_a_fault_of_a_source_is_one_sentence_with_its_path(name: str, content: str, said: str, tmp_path: Path):
    (tmp_path / name).write_text(content, encoding="utf-8")
    sentence = refusal(tmp_path / name) or ""
    assert sentence.startswith(f"{tmp_path / name}: ")
    assert said in sentence
    assert "\n" not in sentence


def test_a_source_that_is_not_there_or_no_utf8_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="does not exist"):
        import_facts(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("name,description\nage,größe\n".encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        import_facts(tmp_path / "latin.csv")


def test_a_table_is_chosen_by_name_and_only_where_there_are_several(tmp_path: Path):
    source = written(tmp_path, "sdv")
    assert [column.name for column in import_facts(source, table="hotels")[1].columns] == ["hotel_id"]
    for table in (None, "hostels"):
        with pytest.raises(ValueError, match=r"\['guests', 'hotels'\].*--table"):
            import_facts(source, table=table)
    with pytest.raises(ValueError, match="one table"):
        import_facts(written(tmp_path, "spreadsheet"), table="hotels")
    with pytest.raises(ValueError, match="form must be one of"):
        import_facts(source, form="excel")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        *((name, None) for name in ("first_name", "lastName", "Name", "Email Address", "contact_email", "phone")),
        *((name, None) for name in ("mobile_number", "SSN", "mrn", "patient_nbr", "PatientID", "customer_id")),
        *((name, None) for name in ("street_address", "IP address", "iban", "credit_card_number", "passport_no")),
        *(("x", shape) for shape in ("email", "ssn", r"^\d{3}-\d{2}-\d{4}$", r"^[^@]+@[^@]+$")),
    ],
)
def test_a_direct_identifier_is_known_by_name_or_declared_pattern(name: str, pattern: str | None):
    assert direct_identifier(name, pattern) is not None


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        *((name, None) for name in ("admission_type_id", "admission_source_id", "discharge_disposition_id")),
        *((name, None) for name in ("phone_service", "drug_name", "age", "streetlights", "emailed", "number")),
        *(("x", shape) for shape in ("date", r"^\d{3}$", r"^[A-Z]\d{2}$", "uri")),
    ],
)
def test_codes_and_measurements_are_no_direct_identifiers(name: str, pattern: str | None):
    assert direct_identifier(name, pattern) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("f|m", ["f", "m"]),
        ("f = female; m = male, adult", ["f", "m"]),
        ("1, Male | 2, Female", ["1", "2"]),
        ("Smith, J | Doe", ["Smith, J", "Doe"]),
        ("a,b, c", ["a", "b", "c"]),
        ("not known", ["not known"]),
        ("12:30; 13:30", ["12:30", "13:30"]),
        ("1: low\n2: high", ["1", "2"]),
    ],
)
def test_codes_are_parted_from_labels_only_where_all_have_one(text: str, found: list[str]):
    assert codes(text) == found


@pytest.mark.parametrize(
    ("regex", "pattern"),
    [
        (r"^P-\d{6}$", "P-######"),
        ("HID_[0-9]{3}", "HID_###"),
        (r"[A-Z]{2}\.\d", "??.#"),
        (r"\d+", None),
        ("a.c", None),
        ("[a-z]{2}", None),
        (None, None),
    ],
)
def test_a_pattern_is_taken_where_an_identifier_can_have_it(regex: str | None, pattern: str | None):
    assert name_pattern(regex) == pattern


@pytest.mark.parametrize(
    ("written", "number"),
    [("1.0", 1), (" 2.5 ", 2.5), ("1e6", 1_000_000), ("1_000", None), ("nan", None), ("1,5", None), (True, None)],
)
def test_a_bound_is_a_finite_number_or_none(written: Any, number: float | None):
    assert number_of(written) == number
    assert type(number_of(written)) is type(number)
