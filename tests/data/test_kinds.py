"""One table in every kind of file: the same codes, whatever it comes in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import dpsynth
from dpsynth.data.engines import statistical
from dpsynth.data.engines.files import open_rows, open_source
from dpsynth.data.tables.codec import check_columns, encode_frame
from dpsynth.data.tables.split import split_file
from dpsynth.schema.columns import Boolean, Categorical, Datetime, Numeric, SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema
from tests.data.kinds import COLUMNS, KINDS, NAMES, ROWS, SCHEMA, codes_of, frame

MEANT = encode_frame(frame(ROWS), SCHEMA)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_has_the_same_codes_in_every_kind_of_file(kind, tmp_path):
    path = KINDS[kind](ROWS, tmp_path)
    source = open_source(path, SCHEMA)
    assert {*source.names} == {*NAMES}
    check_columns(source.names, SCHEMA)
    codes = codes_of(path)
    for name, meant in MEANT.items():
        np.testing.assert_array_equal(codes[name], meant, err_msg=name)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("JSON")])
def test_the_names_and_types_of_a_file_are_had_without_its_rows(kind, tmp_path, monkeypatch):
    """Types of text and of one row are those of all rows: a draft hangs on no row."""
    (tmp_path / "one").mkdir()
    paths = KINDS[kind](ROWS, tmp_path), KINDS[kind](ROWS[:1], tmp_path / "one")
    drafts = [Schema.draft(open_source(path).without_rows()).to_dict() for path in paths]
    assert drafts[0] == drafts[1]
    assert {*drafts[0]["columns"]} == {*NAMES}


def test_json_lines_without_a_schema_name_no_column(tmp_path):
    """Which keys a record has is a part of the record."""
    with pytest.raises(SchemaError, match="names its columns in each record, which is not public: give a schema"):
        open_source(KINDS["JSON lines"](ROWS, tmp_path))


def test_one_list_of_records_is_no_file_of_json_lines(tmp_path):
    """Said by whoever reads rows: before them nobody knows whether that is one record of the many."""
    for text in ('[{"a": 1}]', '\n [\n{"a": 1}\n]\n', '\ufeff[1]\n{"a": 1}\n'):
        (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
        assert open_source(tmp_path / "rows.jsonl", SCHEMA).names == [*NAMES]
        with pytest.raises(SchemaError, match="is one list, and no JSON lines: write one record a line"):
            open_rows(tmp_path / "rows.jsonl", SCHEMA)


def workbook(path: Path, *sheets: tuple[str, list[list[Any]]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl", reason="Excel files are read where openpyxl is installed")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


NUMBER = Schema({"a": Numeric(0, 9, integer=True, nullable=True), "b": Categorical(["x", "y"], nullable=True)})
SHEET = [
    ["Report"],
    [],
    ["a", "b", None, None],
    [1, "x"],
    [None, None, None, "a note"],
    [2.0, "NA"],
    ["", "y"],
    [-9, "x"],
]


def test_a_sheet_is_read_below_its_skipped_rows_without_what_stands_beside_it(tmp_path):
    path = workbook(tmp_path / "r.xlsx", ("Notes", [["a", "b"], [5, "y"]]), ("Data", SHEET))
    form = FileFormat(sheet="Data", skip_lines=2, missing_markers=["NA", "-9"])
    rows = open_rows(path, Schema(NUMBER.columns, file=form))
    assert rows.to_numpy(dtype=object).tolist() == [[1, "x"], [2, None], [None, "y"], [None, "x"]]
    bare = Schema(NUMBER.columns, file=FileFormat(sheet="Data", skip_lines=3, header=False))
    assert len(open_rows(path, bare)) == 4


@pytest.mark.parametrize(
    ("form", "said"),
    [({}, "has 2 sheets: declare which has the table"), ({"sheet": "Date"}, "has no sheet 'Date': correct sheet")],
)
def test_the_sheet_of_a_workbook_with_several_is_asked_for(form, said, tmp_path):
    path = workbook(tmp_path / "r.xlsx", ("CANARY", SHEET), ("Data", SHEET))
    with pytest.raises(SchemaError, match=said) as caught:
        open_source(path, Schema(NUMBER.columns, file=FileFormat(**form)))
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("ending", [".xlsx", ".sav", ".dta", ".sas7bdat", ".xpt", ".feather", ".parquet"])
def test_a_file_that_is_none_of_its_kind_is_refused_in_one_sentence(ending, tmp_path):
    pytest.importorskip("openpyxl", reason="Excel files are read where openpyxl is installed")
    pytest.importorskip("pyreadstat", reason="SPSS, Stata and SAS files need pyreadstat")
    for raw in (b"", b"CANARY,1\n2,3\n", b"PK\x03\x04CANARY", bytes(5000)):
        (tmp_path / f"r{ending}").write_bytes(raw)
        with pytest.raises(SchemaError, match="cannot be read as") as caught:
            open_source(tmp_path / f"r{ending}", SCHEMA)
        assert "CANARY" not in str(caught.value)
        assert caught.value.__context__ is None


def test_other_kinds_and_places_are_refused_in_one_sentence(tmp_path):
    (tmp_path / "old.xls").write_text("x")
    (tmp_path / "r.docx").write_text("x")
    with pytest.raises(SchemaError, match="is of the Excel of before 2007: save it as"):
        open_source(tmp_path / "old.xls")
    with pytest.raises(SchemaError, match=r"must end in \.csv, \.parquet, \.feather"):
        open_source(tmp_path / "r.docx")
    for place in (tmp_path, tmp_path / "*"):
        with pytest.raises(SchemaError, match="must have files of one kind, all of them Parquet, all CSV or all Arrow"):
            open_source(place)


LABELS = {1: "Yes", 2: "No", 3: "Don't know"}


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        (Categorical(["Yes", "No", "Don't know"]), [0, 1, 2, 3]),
        (Categorical(["yes", "no"], ignore_case=True, nullable=True, missing_marker="don't know"), [0, 1, 2, 2]),
        (Categorical(["Yes", "7"]), [0, 2, 2, 1]),
        (Categorical([1, 2, 3, 7]), [4, 4, 4, 3]),
        (Boolean(nullable=True), [1, 0, 2, 2]),
        (Boolean(true=[1], false=[7], nullable=True), [2, 2, 2, 0]),
        (Numeric(0, 9, integer=True, nullable=True), [10, 10, 10, 7]),
        (Datetime("2020-01-01", "2020-01-03", nullable=True), [3, 3, 3, 3]),
    ],
)
@pytest.mark.parametrize("ending", ["sav", "dta"])
def test_a_code_with_a_label_is_its_label_whatever_the_schema_declares(column, meant, ending, tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat", reason="SPSS, Stata and SAS files need pyreadstat")
    write = getattr(pyreadstat, f"write_{ending}")
    rows = pd.DataFrame({"q": pd.array([1, 2, 3, 7], "Int32")})
    write(rows, str(tmp_path / f"r.{ending}"), variable_value_labels={"q": LABELS})
    assert codes_of(tmp_path / f"r.{ending}", Schema({"q": column}))["q"].tolist() == meant


def test_hidden_files_are_no_part_of_a_table_and_a_table_may_lie_in_a_hidden_folder(tmp_path):
    place = tmp_path / ".store" / "rows"
    (place / "_delta_log").mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (place / name).write_text("a\n1\n")
    for name in (".a.csv.crc", "_SUCCESS", "_delta_log/0.json"):
        (place / name).write_text("{}")
    for way in (place, place / "*.csv"):
        assert open_rows(way)["a"].to_pylist() == ["1", "1"]


def test_folders_named_by_values_are_columns_and_no_message_names_them(tmp_path):
    for ward, number in (("north", 1), ("CANARY%20x", 2), ("__HIVE_DEFAULT_PARTITION__", 3)):
        (tmp_path / f"year=2024/ward={ward}").mkdir(parents=True)
        parquet.write_table(pa.table({"a": [number]}), tmp_path / f"year=2024/ward={ward}/p.parquet")
    rows = open_rows(tmp_path)
    found = sorted(zip(*(rows[name].to_pylist() for name in ("a", "year", "ward")), strict=True))
    assert found == [(1, "2024", "north"), (2, "2024", "CANARY x"), (3, "2024", None)]
    (tmp_path / "year=2024/ward=CANARY%20x/p.parquet").write_bytes(b"CANARY")
    with pytest.raises(SchemaError, match=r"file 1 of .* cannot be read: check that file by itself") as caught:
        open_source(tmp_path)
    assert "CANARY" not in str(caught.value)
    parquet.write_table(pa.table({"CANARY": [1]}), tmp_path / "year=2024/ward=CANARY%20x/p.parquet")
    with pytest.raises(SchemaError, match="have not all the same columns") as caught:
        open_source(tmp_path)
    assert "CANARY" not in str(caught.value)


ENDINGS = {
    "Parquet": ".parquet",
    "Feather": ".feather",
    "JSON lines": ".jsonl",
    "JSON lines, compressed": ".ndjson.gz",
    "Excel": ".xlsx",
    "SPSS": ".parquet",
    "Stata": ".parquet",
    "SAS": ".parquet",
    "folder of Parquet": ".parquet",
    "pattern of CSV": ".parquet",
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_table_of_any_kind_is_split_by_person(kind, tmp_path):
    schema = Schema(COLUMNS, unit=dpsynth.PrivacyUnit("pid", 2))
    rows = [(f"p{i % 20}", *ROWS[i % 4][1:]) for i in range(60)]
    data = KINDS[kind](rows, tmp_path)
    parts = [tmp_path / f"{name}{ENDINGS[kind]}" for name in ("train", "holdout")]
    split_file(data, schema, *parts, share=0.4, seed=1)
    people = [{*map(str, open_rows(part, schema).__getitem__("pid").__iter__())} for part in parts]
    assert all(people)
    assert people[0].isdisjoint(people[1])
    codes = [codes_of(part, schema) for part in (data, *parts)]
    for name in MEANT:
        assert sorted(codes[0][name]) == sorted(np.concatenate([codes[1][name], codes[2][name]]))


def test_a_draft_states_how_the_file_is_written_as_its_header_tells(tmp_path, run):
    (tmp_path / "r.csv").write_bytes("größe;ort\n1;x\n".encode("utf-16"))
    assert run(f"schema draft {tmp_path / 'r.csv'} -o {tmp_path / 'draft.json'} --json")[0] == 0
    draft = json.loads((tmp_path / "draft.json").read_text())
    assert draft["file"] == {"delimiter": ";", "encoding": "utf-16"}
    assert [*draft["columns"]] == ["größe", "ort"]
    (tmp_path / "r.csv").write_text("a,b\n1,x\n")
    assert run(f"schema draft {tmp_path / 'r.csv'} -o {tmp_path / 'plain.json'}")[0] == 0
    assert "file" not in json.loads((tmp_path / "plain.json").read_text())


def test_a_draft_reads_no_row(tmp_path, run):
    """A file whose rows cannot be read is drafted from its header line."""
    (tmp_path / "r.csv").write_bytes(b'a;b\n1;2;3\n"')
    assert run(f"schema draft {tmp_path / 'r.csv'} -o {tmp_path / 'draft.yaml'}")[0] == 0


@pytest.mark.parametrize(
    ("package", "ending", "extra"),
    [("openpyxl", "xlsx", "excel"), ("pyreadstat", "sav", "stat"), ("pyreadstat", "dta", "stat")],
)
def test_without_its_package_a_file_is_refused_with_the_command_that_installs_it(
    package, ending, extra, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / f"r.{ending}").touch()
    with pytest.raises(
        SchemaError, match=rf"needs {package}, which is not installed: pip install 'dpsynth\[{extra}\]'"
    ):
        open_source(tmp_path / f"r.{ending}", SCHEMA)


@pytest.mark.parametrize("kind", ["SPSS", "Stata", "SAS"])
def test_a_file_is_read_so_many_rows_at_a_time(kind, tmp_path, monkeypatch):
    path = KINDS[kind]([*ROWS] * 5, tmp_path)
    whole = open_rows(path, SCHEMA)
    for rows in (1, 7, 10, 20):
        monkeypatch.setattr(statistical, "_ROWS", rows)
        assert open_rows(path, SCHEMA).combine_chunks().equals(whole.combine_chunks())


def test_a_column_of_lists_is_refused_before_a_row_is_read(tmp_path):
    parquet.write_table(pa.table({"a": [[1], None], "pid": [{"x": 1}, None]}), tmp_path / "r.parquet")
    with pytest.raises(SchemaError, match="column 'a' holds lists or records, and a column has one value a row"):
        open_source(tmp_path / "r.parquet", Schema({"a": Numeric(0, 9), "pid": dpsynth.Identifier()}))
    with pytest.raises(SchemaError, match="column number 1 holds lists or records"):
        open_source(pa.table({"a": [[1], None]}))
    only = Schema({"b": Numeric(0, 9), "pid": dpsynth.Identifier()})
    assert open_source(pa.table({"b": [1], "pid": [[1]]}), only).names == ["b", "pid"]


OF_TWO = Schema({"a": Numeric(0, 9)}, unit=dpsynth.PrivacyUnit(["pid", "ward"], 2))


def test_json_lines_have_all_columns_that_say_whose_record_a_row_is(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"ward": "x", "a": 1, "pid": 7, "more": 0}\n{"a": 2}\n')
    assert open_source(tmp_path / "r.jsonl", OF_TWO).names == ["a", "pid", "ward"]
    rows = open_rows(tmp_path / "r.jsonl", OF_TWO)
    check_columns(list(rows), OF_TWO)
    assert rows.to_numpy(dtype=object).tolist() == [[1, 7, "x"], [2, None, None]]


@pytest.mark.parametrize("name", ["pid", "ward"])
def test_lists_do_not_say_whose_record_a_row_is(name):
    rows = pa.table({"a": [1], "pid": [1], "ward": [1]})
    nested = rows.set_column(rows.column_names.index(name), name, pa.array([[1]]))
    declared = {"a": Numeric(0, 9), "pid": dpsynth.Identifier(), "ward": dpsynth.Identifier()}
    with pytest.raises(SchemaError, match=f"column '{name}' holds lists or records"):
        open_source(nested, Schema(declared, unit=OF_TWO.unit))


def test_a_draft_is_told_how_the_file_is_written(tmp_path, run):
    path = workbook(tmp_path / "r.xlsx", ("Notes", [["x"]]), ("Data", SHEET))
    said = run(f"schema draft {path} -o {tmp_path / 'a.yaml'}")[2]
    assert said.count("has 2 sheets: declare which has the table") == 1
    assert said.endswith("as sheet in the schema's file section, or draft the schema with --sheet\n")
    assert run(f"schema draft {path} --sheet Data --skip-lines 2 -o {tmp_path / 'a.json'}")[0] == 0
    draft = json.loads((tmp_path / "a.json").read_text())
    assert draft["file"] == {"skip_lines": 2, "sheet": "Data"}
    assert [*draft["columns"]] == ["a", "b"]
    (tmp_path / "r.csv").write_bytes("größe:ort\n1:x\n".encode("cp1252"))
    assert run(f"schema draft {tmp_path / 'r.csv'} --encoding cp1252 --delimiter : -o {tmp_path / 'b.json'}")[0] == 0
    draft = json.loads((tmp_path / "b.json").read_text())
    assert (draft["file"], [*draft["columns"]]) == ({"delimiter": ":", "encoding": "cp1252"}, ["größe", "ort"])


@pytest.mark.parametrize("name", ["r.csv", "r.xlsx"])
def test_without_a_schema_no_record_stands_for_the_names(name, tmp_path):
    workbook(tmp_path / name, ("Data", [["CANARY", 1]])) if name == "r.xlsx" else (tmp_path / name).write_text(
        "CANARY,1"
    )
    with pytest.raises(
        SchemaError, match="has no line that names its columns, and its first record is not public"
    ) as caught:
        open_source(tmp_path / name, form=FileFormat(header=False))
    assert "CANARY" not in str(caught.value)


def test_an_empty_file_among_others_is_a_part_without_rows(tmp_path):
    """As Spark writes it: whether there is one hangs on single rows."""
    for name, text in {"a.csv": "", "b.csv": "a\n1\n", "c.csv": "a\n"}.items():
        (tmp_path / name).write_text(text)
    assert open_rows(tmp_path)["a"].to_pylist() == ["1"]


def test_numbers_of_files_of_other_types_stay_as_they_are(tmp_path):
    """One missing value makes a column of numbers one of floats, in its own file alone."""
    ids = [2**53, 2**53 + 1]
    parquet.write_table(pa.table({"a": ids}), tmp_path / "a.parquet")
    parquet.write_table(pa.table({"a": [1.5, None]}), tmp_path / "b.parquet")
    *numbers, missing = open_rows(tmp_path)["a"]
    assert numbers == [*ids, 1.5]
    assert pd.isna(missing)


def test_a_list_or_a_record_in_json_lines_is_a_text_that_nobody_declares(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"a": [1]}\n{"a": {"b": 1}}\n{"a": "x"}\n')
    rows = open_rows(tmp_path / "r.jsonl", Schema({"a": Categorical(["x"], nullable=True)}))
    assert rows["a"].tolist() == ["\0", "\0", "x"]
