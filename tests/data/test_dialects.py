"""Files as people have them: read as they were meant, or refused in one sentence; and how, hangs on no row."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dpsynth
from dpsynth.auditing.attacks.shadow import shadow_releases
from dpsynth.auditing.mechanism.one_run import coin_flip_split
from dpsynth.data.engines import dialects
from dpsynth.data.engines.dialects import Dialect, dialect_of
from dpsynth.data.engines.files import column, open_rows, open_source
from dpsynth.data.tables import writing
from dpsynth.data.tables.codec import check_columns, decode_frame, encode_frame
from dpsynth.data.tables.writing import write_rows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.columns import Categorical, Datetime, Numeric, SchemaError
from dpsynth.schema.files import DELIMITERS, FileFormat
from dpsynth.schema.table import Schema
from tests.data.awkward import COLUMNS, FILES, NAMES, ROWS, Awkward, text

MEANT = encode_frame(pd.DataFrame([*ROWS], columns=[*NAMES], dtype=object), Schema(COLUMNS))


def written(folder: Path, file: Awkward) -> Path:
    path = folder / file.name
    path.write_bytes(file.data)
    return path


@pytest.mark.parametrize("file", [each for each in FILES.values() if each.refused is None],
                         ids=[name for name, each in FILES.items() if each.refused is None])  # fmt: skip
def test_an_awkward_file_is_read_as_it_was_meant(file, tmp_path):
    codes = encode_frame(open_rows(written(tmp_path, file), file.schema), file.schema)
    for name, meant in MEANT.items():
        np.testing.assert_array_equal(codes[name], meant, err_msg=name)


@pytest.mark.parametrize("file", [each for each in FILES.values() if each.refused],
                         ids=[name for name, each in FILES.items() if each.refused])  # fmt: skip
def test_an_awkward_file_is_refused_in_one_sentence_without_a_value(file, tmp_path):
    with pytest.raises(SchemaError) as caught:
        check_columns(open_source(written(tmp_path, file), file.schema).names, file.schema)
    said = str(caught.value)
    assert file.refused in said
    assert "\n" not in said
    assert not [value for row in ROWS for value in row if value and value in said]


@pytest.mark.parametrize("line", [b"1", b"1,x,2", b"1,x,"])
def test_a_line_of_more_or_fewer_fields_is_refused_with_its_remedy_and_without_its_values(line, tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"a,b\n7,x\n" + line + b"\n")
    with pytest.raises(SchemaError) as caught:
        open_rows(tmp_path / "rows.csv", SCHEMA)
    said = str(caught.value).removeprefix(str(tmp_path / "rows.csv"))
    assert "look for lines with more or fewer fields than its header line" in said
    assert not {"1", "2", "7"} & {*said}


@pytest.mark.parametrize("ends", ["", "\n", "\r\n", "\r"])
def test_a_header_line_alone_is_a_table_without_rows_however_it_ends(ends, tmp_path):
    (tmp_path / "rows.csv").write_bytes(f"a,b{ends}".encode())
    assert len(open_rows(tmp_path / "rows.csv", SCHEMA)) == 0


SCHEMA = Schema({"a": Numeric(0, 9, nullable=True), "b": Categorical(["x", "y"], nullable=True)})
HEADERS = {f"{a}{sep}{b}": sep for sep in DELIMITERS for a in ("a", '"a"') for b in ("b", '"b"')}
LINES = st.sampled_from([b"1,2", b"1;2", b"1,5;2,5", b"\t\t", b"|||", b'"', b"\xff", b"\0"])
BYTES = st.lists(st.one_of(st.binary(max_size=40), LINES), max_size=400).map(b"\n".join)


def from_values(path: Path, schema: Schema | None = None) -> Dialect:
    """A sniffer as others have it: what stands most often in the file is its delimiter."""
    whole = path.read_bytes()
    most = max(DELIMITERS, key=lambda sign: whole.count(sign.encode()))
    found = dialect_of(path, schema)
    return Dialect(found.names, most, *[getattr(found, name) for name in Dialect.__dataclass_fields__][2:])


def moved_by_rows(sniff, folder: Path, header: str, one: bytes, other: bytes) -> bool:
    """Whether two files of one header are told to be written in different ways."""
    path, found = folder / "rows.csv", []
    for rows in (one, other):
        path.write_bytes(header.encode() + b"\n" + rows)
        found.append(sniff(path, SCHEMA))
    return found[0] != found[1]


@settings(max_examples=60, deadline=None)
@given(header=st.sampled_from([*HEADERS]), one=BYTES, other=BYTES)
def test_two_files_of_one_header_have_one_dialect_whatever_their_rows(header, one, other, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    assert not moved_by_rows(dialect_of, folder, header, one, other)
    (folder / "rows.csv").write_bytes(header.encode() + b"\n" + one)
    assert dialect_of(folder / "rows.csv", SCHEMA).delimiter == HEADERS[header]
    assert dialect_of(folder / "rows.csv").delimiter == HEADERS[header]


def test_a_sniffer_that_looks_at_values_breaks_the_law(tmp_path):
    assert moved_by_rows(from_values, tmp_path, "a,b", b"1,x\n", b"1,x;;;;\n")


def test_a_reader_that_decodes_rows_before_it_sniffs_breaks_the_law(tmp_path, monkeypatch):
    """One byte in a row would decide whether the header is read."""
    monkeypatch.setattr(dialects, "_header_line", _of_decoded_rows)
    assert not moved_by_rows(dialect_of, tmp_path, "a,b", b"1,x\n", b"2,y\n")
    with pytest.raises(UnicodeDecodeError):
        moved_by_rows(dialect_of, tmp_path, "a,b", b"1,x\n", b"1,\xff\n")


def _of_decoded_rows(path, file, encoding, declared, breaks):
    with file:
        return file.read().decode(encoding).splitlines(keepends=True)[declared.skip_lines]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "shift_jis", "gb18030", "utf-16-le"])
def test_bytes_that_say_nothing_fail_no_file_and_move_no_other_row(encoding, tmp_path):
    schema = Schema(SCHEMA.columns, file=FileFormat(encoding=encoding))
    wide = b"\x00\xd8" if encoding == "utf-16-le" else b"\x81"
    head, last = ("a,b\n1,x\n2,".encode(encoding), "\n3,y\n".encode(encoding))
    (tmp_path / "rows.csv").write_bytes(head + wide + last)
    rows = open_rows(tmp_path / "rows.csv", schema)
    assert rows["a"].to_pylist() == ["1", "2", "3"]
    codes = encode_frame(rows, schema)["b"].tolist()
    assert [codes[0], codes[2]] == [0, 1]
    assert codes[1] not in (0, 1)


def test_leading_zeros_and_words_stay_as_they_are_written(tmp_path):
    (tmp_path / "rows.csv").write_bytes(gzip.compress("a;b\n007;NULL\n1e3;nan\n".encode("utf-16")))
    rows = open_rows(tmp_path / "rows.csv", SCHEMA)
    assert rows.to_pydict() == {"a": ["007", "1e3"], "b": ["NULL", "nan"]}


FORMS = {
    "default": {},
    "german": {"delimiter": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252"},
    "tabs": {"delimiter": "\t", "encoding": "utf-16", "quote": "'"},
    "no header": {"delimiter": "|", "header": False, "missing_markers": ["NA"]},
    "skipped": {"skip_lines": 3},
    "skipped, in two bytes": {"skip_lines": 2, "encoding": "utf-16"},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_release_is_written_as_its_schema_says_and_is_read_again(form, tmp_path):
    schema = Schema(COLUMNS, file=FileFormat(**form))
    rows = decode_frame({name: codes.copy() for name, codes in MEANT.items()}, schema, {}, np.random.default_rng(0))
    write_rows(rows, tmp_path / "out.csv", schema)
    again = encode_frame(open_rows(tmp_path / "out.csv", schema), schema)
    for name, codes in MEANT.items():
        np.testing.assert_array_equal(again[name], codes, err_msg=name)
    if form:
        assert (tmp_path / "out.csv").read_bytes() != text().encode()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("number", [0, 1, 7, 20])
def test_blocks_make_the_file_that_all_rows_at_once_make(form, number, tmp_path, monkeypatch):
    schema = Schema(COLUMNS, file=FileFormat(**form))
    codes = {name: np.resize(codes, number) for name, codes in MEANT.items()}
    rows = decode_frame(codes, schema, {}, np.random.default_rng(0))
    write_rows(rows, tmp_path / "whole.csv", schema)
    monkeypatch.setattr(writing, "_WRITTEN_AT_ONCE", 7)
    write_rows(rows, tmp_path / "blocks.csv", schema)
    assert (tmp_path / "blocks.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    if number or schema.file.header:  # else the file is empty
        assert len(open_rows(tmp_path / "blocks.csv", schema)) == number


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("name", ["schema.yaml", "schema.json"])
def test_a_schema_keeps_its_file_section(form, name, tmp_path):
    schema = Schema(COLUMNS, file=FileFormat(**form))
    schema.save(tmp_path / name)
    again = Schema.load(tmp_path / name)
    assert again == schema
    assert again.fingerprint() == schema.fingerprint()
    assert ("file" in schema.to_dict()) == bool(form)


def test_a_column_may_have_marks_of_its_own():
    own = {"a": Numeric(0, 9, decimal="."), "b": Numeric(0, 9), "c": Numeric(0, 9, thousands="'")}
    schema = Schema(own, file=FileFormat(decimal=",", thousands="."))
    marks = {name: (column.mark, column.thousands) for name, column in schema.columns.items()}
    assert marks == {"a": (".", None), "b": (",", "."), "c": (",", "'")}
    assert Schema.from_dict(schema.to_dict()) == schema
    assert schema.to_dict()["columns"]["b"] == {"type": "numeric", "low": 0, "high": 9}
    assert Schema(own) == Schema({**own, "a": Numeric(0, 9)})


FAULTS = [
    ({"delimiter": ";;"}, "delimiter must be one sign"),
    ({"delimiter": "a"}, "delimiter must be one sign"),
    ({"delimiter": '"'}, "delimiter must be one sign"),
    ({"quote": "x"}, "quote must be one of"),
    ({"encoding": "klingon"}, "encoding must be one in which every line can be read by itself"),
    ({"encoding": "iso2022_jp"}, "encoding must be one in which every line can be read by itself"),
    ({"encoding": "utf-7"}, "encoding must be one in which every line can be read by itself"),
    ({"encoding": "ascii"}, "which cannot be written in its file's encoding 'ascii'"),
    ({"header": 1}, "header must be true or false"),
    ({"skip_lines": -1}, "skip_lines must be a whole number"),
    ({"decimal": ";"}, 'decimal must be "." or ","'),
    ({"decimal": ",", "thousands": ","}, "thousands and decimal are both"),
    ({"missing_markers": "NA"}, "missing_markers must be a list of texts"),
    ({"missing_markers": [-99]}, "a missing marker must be text"),
    ({"missing_markers": ["7"]}, "is a value of column 'kosten'"),
    ({"missing_markers": ["Köln"]}, "is a value of column 'ort'"),
    ({"missing_markers": ["2020-02-30", "2021-06-30"]}, "'2021-06-30', which is a value of column 'tag'"),
    ({"missing_markers": ["2021/06/30 12:00"]}, "is a value of column 'tag'"),
    ({"missing_markers": ["99,5"], "decimal": ","}, "is a value of column 'kosten'"),
]


@pytest.mark.parametrize(("form", "fault"), FAULTS)
def test_a_form_that_cannot_be_is_refused_in_one_sentence(form, fault):
    with pytest.raises(SchemaError, match=f"^[^\n]*{fault}[^\n]*$"):
        Schema(COLUMNS, file=FileFormat(**form))


def test_a_marker_is_read_as_its_column_reads_it():
    """9999-12-31 lies outside of the bounds, and 31.12.2021 is no time until a format says so."""
    day = Datetime("2020-01-01", "2024-12-31", nullable=True)
    for marker in ("9999-12-31", "31.12.2021"):
        assert Schema({"day": day}, file=FileFormat(missing_markers=[marker])).file.missing_markers == (marker,)
    german = Datetime("2020-01-01", "2024-12-31", nullable=True, format="%d.%m.%Y")
    with pytest.raises(SchemaError, match=r"'31\.12\.2021', which is a value of column 'day'"):
        Schema({"day": german}, file=FileFormat(missing_markers=["31.12.2021"]))


def test_coins_and_shadow_models_take_the_first_record_of_a_file_without_a_header(tmp_path):
    schema = Schema({"a": Numeric(0, 99)}, file=FileFormat(header=False))
    (tmp_path / "rows.csv").write_text("".join(f"{i}\n" for i in range(40)))
    flips = coin_flip_split(tmp_path / "rows.csv", seed=1, schema=schema)
    assert sorted(int(a) for part in (flips.train, flips.holdout) for a in part["a"].to_pylist()) == [*range(40)]
    pools = []
    paths = [tmp_path / "rows.csv"] * 2
    shadow_releases(pools.append, *paths, 4, np.random.default_rng(0), schema)
    assert {name for pool in pools for name in pool.columns} == {"a"}
    assert max(int(a) for pool in pools for a in pool["a"]) == 39
    assert {"0"} <= {a for pool in pools for a in pool["a"]}


def test_a_value_that_the_form_cannot_hold_is_refused_and_not_shown(tmp_path):
    schema = Schema({"a": Categorical(["x"])}, file=FileFormat(delimiter=";", quote=None))
    with pytest.raises(SchemaError, match="a value holds its delimiter or a sign that its encoding lacks") as caught:
        write_rows(pd.DataFrame({"a": ["x;CANARY"]}), tmp_path / "out.csv", schema)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_header_with_two_delimiters_and_no_schema_is_asked_about(tmp_path):
    (tmp_path / "rows.csv").write_text("a;b|c\n1;2|3\n")
    with pytest.raises(SchemaError, match="has semicolons and vertical bars in its header line: declare which") as said:
        open_source(tmp_path / "rows.csv")
    assert str(said.value).endswith("or draft the schema with --delimiter")


def test_a_german_file_is_fitted_and_its_samples_come_back_german(tmp_path, run):
    schema = Schema(COLUMNS, file=FileFormat(**FORMS["german"]))
    schema.save(tmp_path / "schema.yaml")
    body = text(";", decimal=",", thousands=".", header=False) * 50
    (tmp_path / "rows.csv").write_bytes((";".join(NAMES) + "\n" + body).encode("cp1252"))
    synth = dpsynth.Synthesizer(tmp_path / "schema.yaml", "independent", epsilon=50, delta=1e-6, ledger=None)
    synth.fit(tmp_path / "rows.csv").save(tmp_path / "m.dpsynth")
    assert run(f"sample {tmp_path / 'm.dpsynth'} -n 100 --seed 1 -o {tmp_path / 'out.csv'}")[0] == 0
    lines = (tmp_path / "out.csv").read_bytes().decode("cp1252").splitlines()
    assert lines[0] == ";".join(NAMES)
    assert any("1234,5" in line for line in lines)
    assert run(f"schema check {tmp_path / 'schema.yaml'} {tmp_path / 'out.csv'}")[0] == 0


def values(rows, name):
    found = column(rows, name)
    found = found.tolist() if isinstance(rows, pd.DataFrame) else found.to_pylist()
    return [None if pd.isna(value) else value for value in found]


def test_a_missing_marker_is_an_id_in_the_columns_of_ids_as_it_is_in_a_frame(tmp_path):
    """Whose row a row is does not hang on markers: one ledger pays for runs that declare others."""
    (tmp_path / "t.csv").write_text("patient,visit,ward\nNA,NA,NA\n7,2020-01-05,a\n,,\n")
    columns = {"ward": Categorical(["a"]), "visit": Datetime("2020-01-01", "2020-12-31")}
    unit = PrivacyUnit(["patient", "month(visit)"])
    schema = Schema(columns, unit=unit, file=FileFormat(missing_markers=["NA"]))
    frame = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for file, empty in (("t.csv", None), ("t.jsonl", "")):
        rows = open_rows(tmp_path / file, schema)
        assert values(rows, "patient") == ["NA", "7", empty]
        assert values(rows, "visit") == [None, "2020-01-05", empty]
        assert values(rows, "ward") == [None, "a", empty]


def test_a_missing_marker_is_an_id_in_a_sheet_too(tmp_path):
    pytest.importorskip("openpyxl")
    pd.DataFrame({"patient": ["NA", 7], "ward": ["NA", "a"]}).to_excel(tmp_path / "t.xlsx", index=False)
    unit = PrivacyUnit("patient")
    schema = Schema({"ward": Categorical(["a"])}, unit=unit, file=FileFormat(missing_markers=["NA"]))
    rows = open_rows(tmp_path / "t.xlsx", schema)
    assert [*map(str, values(rows, "patient"))] == ["NA", "7"]
    assert values(rows, "ward") == [None, "a"]


FIRST_BYTES = [
    b"\xff\xfe",
    b"\xfe\xff",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
    b"\xef\xbb\xbfa",
    b"\xef\xbb\xbf",
]


@pytest.mark.parametrize("first", FIRST_BYTES, ids=repr)
def test_the_first_record_of_a_file_without_a_header_says_nothing_of_the_others(first, tmp_path):
    schema = Schema({"a": Categorical(["x"])}, file=FileFormat(header=False))
    (tmp_path / "r.csv").write_bytes(first + b"\n" + b"x\n" * 9)
    found = open_source(tmp_path / "r.csv", schema).read()["a"].cast("binary").to_pylist()
    assert found == [first, *[b"x"] * 9]  # a mark, too, is of the record: who stands first hangs on who is there


def test_a_file_without_a_header_states_its_form_in_the_schema_and_its_name(tmp_path):
    schema = Schema({"a": Categorical(["x"])}, file=FileFormat(header=False, encoding="cp1252"))
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(b"x\nx\n"))
    assert open_source(tmp_path / "r.csv.gz", schema).read()["a"].to_pylist() == ["x", "x"]
    for encoding in ("utf-16", "utf-8-sig", "UTF_8_SIG"):
        marked = Schema(schema.columns, file=FileFormat(header=False, encoding=encoding))
        with pytest.raises(SchemaError, match='first bytes are of a record and no mark: declare encoding "utf-8", '):
            open_source(tmp_path / "r.csv.gz", marked).read()


def test_a_file_without_a_header_may_be_empty(tmp_path):
    schema = Schema({"a": Numeric(0, 99)}, file=FileFormat(header=False))
    (tmp_path / "r.csv").write_bytes(b"")
    assert len(open_source(tmp_path / "r.csv", schema).read()) == 0


def test_a_folder_of_files_without_a_header_may_have_no_row(tmp_path):
    """One record more or less does not decide whether there is a table."""
    schema = Schema({"a": Numeric(0, 99)}, file=FileFormat(header=False))
    (tmp_path / "rows").mkdir()
    for written, count in ((b"", 0), (b"7\n", 1)):
        (tmp_path / "rows" / "r.csv").write_bytes(written)
        assert len(open_source(tmp_path / "rows", schema).read()) == count
