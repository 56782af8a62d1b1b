"""Synthetic rows in every kind of file and table: the same values, the same bytes again, and read by their schema."""

from __future__ import annotations

import struct
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth.data.engines.files import open_source
from dpsynth.data.tables import writing
from dpsynth.data.tables.codec import decode_frame, encode_frame, schema_domain
from dpsynth.data.tables.writing import WRITTEN, ending_for, write_rows
from dpsynth.schema.columns import Boolean, Categorical, Datetime, Identifier, Numeric, SchemaError, Text
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.release import make_release

COLUMNS = {
    "pid": Identifier(pattern="P-######"),
    "age": Numeric(0, 120, integer=True, nullable=True),
    "cost": Numeric(-5, 1e6, decimals=2, decimal=","),
    "ward": Categorical(["=1+1", "007", "Ä ö", "a,b;c"], nullable=True),
    "grade": Categorical([1, 2, 3], ordered=True, nullable=True),
    "smokes": Boolean(nullable=True),
    "truth": Boolean(true=["ja"], false=["nein"]),
    "day": Datetime("1950-01-01", "2024-12-31", nullable=True, format="%d.%m.%Y"),
    "moment": Datetime("1969-12-31", "2031-01-01", resolution="s", nullable=True),
}
SCHEMA = Schema(COLUMNS)


def rows_of(schema: Schema, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    codes = {name: rng.integers(0, size, n) for name, size in schema_domain(schema).sizes}
    return decode_frame(codes, schema, {}, rng)


def needed(ending: str) -> None:
    if package := {".xlsx": "openpyxl", ".sav": "pyreadstat", ".dta": "pyreadstat"}.get(ending):
        pytest.importorskip(package, reason=f"{ending} files need {package}")


@pytest.mark.parametrize("ending", WRITTEN)
def test_a_file_of_any_kind_is_read_by_the_schema_that_it_was_made_by(ending, tmp_path):
    needed(ending)
    rows = rows_of(SCHEMA)
    before = rows.copy()
    write_rows(rows, tmp_path / f"r{ending}", SCHEMA)
    pd.testing.assert_frame_equal(rows, before)
    read = open_source(tmp_path / f"r{ending}", SCHEMA).read()
    assert {*COLUMNS} == {*(read.columns if isinstance(read, pd.DataFrame) else read.column_names)}
    read = read if isinstance(read, pd.DataFrame) else read.to_pandas(types_mapper=pd.ArrowDtype)
    codes, meant = encode_frame(read, SCHEMA), encode_frame(rows, SCHEMA)
    for name, expected in meant.items():
        np.testing.assert_array_equal(codes[name], expected, err_msg=name)
    assert [*read["pid"]] == [*rows["pid"]]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le"])
@pytest.mark.parametrize("ending", WRITTEN)
def test_it_is_read_so_whatever_encoding_is_declared_for_the_real_rows(ending, encoding, tmp_path):
    needed(ending)
    schema = Schema({"größe": Categorical(["Ä", "ö", "b"])}, file=FileFormat(encoding=encoding))
    rows = rows_of(schema)
    write_rows(rows, tmp_path / f"r{ending}", schema)
    read = open_source(tmp_path / f"r{ending}", schema).read()
    np.testing.assert_array_equal(encode_frame(read, schema)["größe"], encode_frame(rows, schema)["größe"])


def test_texts_of_an_older_stata_file_are_read_as_declared(tmp_path):
    needed(".dta")
    frame = pd.DataFrame({"a": ["CAF", "b"]})
    meant = {117: [1, 0], 118: [2, 0]}  # from 118 on the bytes say nothing else than UTF-8
    schema = Schema({"a": Categorical(["b", "ŕ"], nullable=True)}, file=FileFormat(encoding="cp1250"))
    for version, codes in meant.items():
        path = tmp_path / f"{version}.dta"
        frame.to_stata(path, write_index=False, version=version)
        path.write_bytes(path.read_bytes().replace(b"CAF", b"\xe0\0\0"))
        assert encode_frame(open_source(path, schema).read(), schema)["a"].tolist() == codes


def test_a_written_spss_file_states_its_encoding(tmp_path):
    """Record 7, subtype 20: without it a reader takes the encoding of its own machine."""
    needed(".sav")
    write_rows(rows_of(SCHEMA), tmp_path / "r.sav", SCHEMA)
    raw = (tmp_path / "r.sav").read_bytes()
    assert struct.pack("<iiii", 7, 20, 1, 5) + b"UTF-8" in raw
    schema = Schema(COLUMNS, file=FileFormat(encoding="cp1252"))  # which a file that states another overrules
    assert "Ä ö" in open_source(tmp_path / "r.sav", schema).read()["ward"].to_pylist()


PLAIN = [ending for ending in WRITTEN if ending not in (".xlsx", ".sav", ".dta")]


def written_twice(folder, endings):
    """The endings whose files of the same rows, written at two times, differ."""
    for name in ("a", "b"):
        for ending in endings:
            write_rows(rows_of(SCHEMA), folder / f"{name}{ending}", SCHEMA)
        if name == "a":
            time.sleep(2.1)  # zip archives and SPSS note the time in steps of one and two seconds
    return [e for e in endings if (folder / f"a{e}").read_bytes() != (folder / f"b{e}").read_bytes()]


def test_the_same_rows_give_the_same_bytes_at_another_time(tmp_path):
    """`verify --redraw` compares the hashes of files."""
    assert written_twice(tmp_path, PLAIN) == []


def test_they_do_in_kinds_that_note_the_time(tmp_path):
    for ending in (".xlsx", ".sav", ".dta"):
        needed(ending)
    assert written_twice(tmp_path, [".xlsx", ".sav", ".dta"]) == []


def test_a_file_with_the_time_of_its_writing_is_found(tmp_path, monkeypatch):
    for ending in (".xlsx", ".sav"):
        needed(ending)
    monkeypatch.setattr("dpsynth.data.engines.workbooks._without_clock", lambda path: None)
    monkeypatch.setattr("dpsynth.data.engines.statistical._CLOCK", slice(0, 0))
    monkeypatch.setattr("dpsynth.data.engines.statistical._NO_TIME", b"")
    assert written_twice(tmp_path, [".xlsx", ".sav"]) == [".xlsx", ".sav"]


@pytest.mark.parametrize(
    ("name", "ending"),
    [("a.CSV", ".csv"), ("a.csv.gz", ".csv"), ("a.parquet", ".parquet"), ("a.arrow", ".feather"), ("a.xlsm", ".xlsx"),
     ("a.ndjson.gz", ".jsonl"), ("a.zsav", ".sav"), ("a.dta", ".dta"), ("a.sas7bdat", ".csv"), ("folder", ".csv")],
)  # fmt: skip
def test_rows_come_back_in_the_kind_that_came_in(name, ending, tmp_path):
    assert ending_for(tmp_path / name) == ending


def test_the_rows_of_several_files_come_back_in_a_file_of_their_kind(tmp_path):
    pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    assert ending_for(tmp_path) == ending_for(tmp_path / "*.parquet") == ".parquet"
    assert ending_for(tmp_path / "*.feather") == ".feather"


def test_what_a_kind_of_file_cannot_hold_is_refused_before_a_fit_and_no_value_is_shown(tmp_path):
    needed(".dta")
    schema = Schema({"two words": Categorical(["x"])})
    with pytest.raises(SchemaError, match="give columns names of letters, digits and _, or choose another kind"):
        writing.refuse_unwritable(".dta", schema)
    synth = dpsynth.Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=str(tmp_path / "l.ledger"))
    (tmp_path / "r.csv").write_text("two words\nx\n")
    with pytest.raises(SchemaError, match="give columns names of letters"):
        make_release(synth, tmp_path / "r.csv", tmp_path / "out", ending=".dta")
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]
    needed(".xlsx")
    rows = pd.DataFrame({"a": ["CANARY\x00"]})
    with pytest.raises(SchemaError, match="a sign that Excel does not know") as caught:
        write_rows(rows, tmp_path / "r.xlsx", Schema({"a": Categorical(["x"])}))
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None


HELD = {
    "a category": Categorical(["x;y", "z"]),
    "a word": Boolean(true=["j;a"], false=["n"]),
    "a format": Datetime("2020-01-01", "2021-01-01", format="%d;%m;%Y"),
    "a name": Identifier(pattern="A;##"),
    "a line end": Categorical(["x\ny", "z"]),
    "a bound that is learned": Numeric(0, None, decimals=1, decimal=","),
}


@pytest.mark.parametrize("what", HELD)
def test_a_value_that_needs_a_quote_is_refused_before_a_fit_where_none_is_declared(what, tmp_path):
    columns = {"a": HELD[what], "b": Boolean()}
    delimiter = "," if what.startswith("a bound") else ";"
    bare, quoted = (Schema(columns, file=FileFormat(delimiter=delimiter, quote=q)) for q in (None, '"'))
    writing.refuse_unwritable(".csv", quoted)
    writing.refuse_unwritable(".feather", bare)
    synth = dpsynth.Synthesizer(bare, "independent", epsilon=1, delta=1e-6, ledger=str(tmp_path / "l.ledger"))
    with pytest.raises(SchemaError, match=r"^rows\.csv cannot be written as .* a value holds its delimiter") as caught:
        make_release(synth, pd.DataFrame({"a": ["z"], "b": [True]}), tmp_path / "out")
    assert caught.value.__context__ is None
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("ending", WRITTEN)
def test_a_schema_that_every_kind_of_file_can_hold_is_not_refused(ending):
    needed(ending)
    learned = {"low": Numeric(None, 5), "high": Numeric(7, None, integer=True), "both": Numeric(None, None, step=0.5)}
    writing.refuse_unwritable(ending, Schema({**COLUMNS, **learned, "notes": Text()}))


@pytest.fixture(scope="module")
def fitted():
    schema = Schema({"age": Numeric(0, 120, integer=True, nullable=True), "ward": Categorical(["n", "s"])})
    rows = pd.DataFrame({"age": [1, 50, None] * 20, "ward": ["n", "s", "n"] * 20})
    return dpsynth.Synthesizer(schema, "independent", epsilon=10, delta=1e-6, ledger=None).fit(rows)


def test_a_sample_comes_as_the_table_that_is_asked_for(fitted):
    rows = fitted.sample(30, seed=1)
    table = fitted.sample(30, seed=1, output="arrow")
    assert isinstance(table, pa.Table)
    assert table.schema.types == [pa.int64(), pa.dictionary(pa.int8(), table.schema.field("ward").type.value_type)]
    assert table["age"].to_pylist() == [None if value is pd.NA else value for value in rows["age"]]
    with pytest.raises(ValueError, match=r"output must be one of \['pandas', 'arrow', 'polars'\], got 'spark'"):
        fitted.sample(30, output="spark")


def test_a_sample_comes_as_a_frame_of_polars(fitted):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = fitted.sample(30, seed=1, output="polars")
    assert isinstance(frame, polars.DataFrame)
    assert frame["ward"].to_list() == fitted.sample(30, seed=1)["ward"].to_list()


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".sav", ".feather", ".jsonl"])
def test_a_release_by_command_is_in_the_kind_of_the_data_and_is_verified(ending, tmp_path, run, monkeypatch):
    needed(ending)
    monkeypatch.chdir(tmp_path)
    schema = Schema(COLUMNS, file=FileFormat(sheet="Data"))
    schema.save("schema.yaml")
    write_rows(rows_of(schema), tmp_path / f"data{ending}", schema)
    assert run(f"schema check schema.yaml data{ending}")[0] == 0
    code, _, err = run(
        f"release data{ending} -s schema.yaml --epsilon 5 --mechanism independent --ledger l -o out -n 50"
    )
    assert (code, err) == (0, "")
    assert (tmp_path / f"out/synthetic{ending}").exists()
    assert run("verify out --redraw")[0] == 0
    assert run(f"evaluate out/synthetic{ending} data{ending} -s schema.yaml -o quality")[0] == 0
    assert run("sample out/model.dpsynth -n 5 -o five.feather")[0] == 0
    assert len(open_source(tmp_path / "five.feather").read()) == 5
