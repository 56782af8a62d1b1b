"""What is damaged in a row is met behind the wall, in every kind of file: before it two files are the same.

So a fit is refused free of charge, or not, whatever the rows are.
"""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from dpsynth import Budget, Categorical, Ledger, Numeric, RowsError, Schema, SchemaError, Synthesizer
from dpsynth.base.real_records import STAMP
from dpsynth.data.engines import workbooks
from dpsynth.data.engines.files import open_rows, open_source
from dpsynth.schema.files import FileFormat

COLUMNS = {"age": Numeric(0, 120, integer=True), "ward": Categorical(["north", "south"])}
BARE = FileFormat(header=False)
RECORDS = [(30 + i % 9, ("north", "south")[i % 2]) for i in range(60)]
LINES = [f"{age},{ward}" for age, ward in RECORDS]
JSON = [f'{{"age": {age}, "ward": "{ward}"}}' for age, ward in RECORDS]


def text_of(lines: list[str], row: str | None, at: int = 30) -> str:
    """The lines, one of them replaced."""
    return "\n".join([*lines[:at], *([lines[at]] if row is None else [row]), *lines[at + 1 :]]) + "\n"


def csv(row: bytes, header: bool = True, at: int = 30, encoding: str = "utf-8"):
    def write(place: Path, damaged: bool) -> Path:
        marker = "ROW"
        text = ("age,ward\n" if header else "") + text_of(LINES, marker if damaged else None, at)
        place.with_suffix(".csv").write_bytes(text.encode(encoding).replace(marker.encode(encoding), row))
        return place.with_suffix(".csv")

    return write


def packed(row: bytes):
    def write(place: Path, damaged: bool) -> Path:
        plain = csv(row)(place, damaged)
        place.with_suffix(".csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
        return place.with_suffix(".csv.gz")

    return write


def json_lines(row: str, at: int = 0):
    def write(place: Path, damaged: bool) -> Path:
        place.with_suffix(".jsonl").write_bytes(text_of(JSON, row if damaged else None, at).encode("latin-1"))
        return place.with_suffix(".jsonl")

    return write


def arrow_table(damaged: bool) -> pa.Table:
    """With a text that is no UTF-8."""
    wards = [ward.encode() for _, ward in RECORDS]
    wards[30] = b"\xff\xfe" if damaged else wards[30]
    texts = pa.Array.from_buffers(pa.string(), len(wards), pa.array(wards, pa.binary()).buffers())
    return pa.table({"age": [age for age, _ in RECORDS], "ward": texts})


def parquet_file(place: Path, damaged: bool) -> Path:
    parquet.write_table(arrow_table(damaged), place.with_suffix(".parquet"))
    return place.with_suffix(".parquet")


def parquet_folder(place: Path, damaged: bool) -> Path:
    place.mkdir()
    for number, broken in enumerate((False, damaged)):
        parquet.write_table(arrow_table(broken), place / f"{number}.parquet")
    return place


def parquet_page(place: Path, damaged: bool) -> Path:
    """With bytes of the rows overwritten, which the footer does not tell."""
    whole = bytearray(parquet_file(place, False).read_bytes())
    if damaged:
        whole[8:200] = bytes(192)
    place.with_suffix(".parquet").write_bytes(whole)
    return place.with_suffix(".parquet")


def feather_file(place: Path, damaged: bool) -> Path:
    feather.write_feather(arrow_table(damaged), str(place.with_suffix(".feather")))
    return place.with_suffix(".feather")


def statistical(ending: str):
    """With a text whose bytes say nothing."""

    def write(place: Path, damaged: bool) -> Path:
        pyreadstat = pytest.importorskip("pyreadstat", reason="SPSS, Stata and SAS files need pyreadstat")
        rows = pd.DataFrame(RECORDS, columns=[*COLUMNS]).astype({"age": float})
        path = place.with_suffix(f".{ending}")
        getattr(pyreadstat, {"xpt": "write_xport"}.get(ending, f"write_{ending}"))(rows, str(path))
        raw = path.read_bytes()
        assert raw.count(b"south") > 20
        path.write_bytes(raw.replace(b"south", b"\xff\xfe\x80th", 1) if damaged else raw)
        return path

    return write


KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def workbook(place: Path, rows: list[tuple]) -> Path:
    openpyxl = pytest.importorskip("openpyxl", reason="Excel files are read where openpyxl is installed")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([*row])
    book.save(place.with_suffix(".xlsx"))
    return place.with_suffix(".xlsx")


def rewritten(path: Path, change: Callable[[str, str], str], **added: str) -> Path:
    """The workbook with its parts changed, and these added."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name).decode() for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(name, change(name, part))
        for name, part in added.items():
            file.writestr(f"xl/{name}.xml", part)
    return path


def texts_in_cells(place: Path, damaged: bool) -> Path:
    """Without a stated size, which openpyxl would otherwise seek in all rows."""

    def change(name: str, part: str) -> str:
        if not name.endswith("sheet1.xml"):
            return part
        assert "<dimension" in part
        part = part.replace("<dimension ref", "<other ref")
        return part.replace(">south<", ">so&#1;th<", 1) if damaged else part

    return rewritten(workbook(place, [(*COLUMNS,), *RECORDS]), change)


def shared_texts(place: Path, damaged: bool, prefix: str = "") -> Path:
    """As Excel writes it, the texts of rows before those of the names."""
    texts = ["so&#1;th" if damaged else "south", "", "ward", "north", "age"]

    def change(name: str, part: str) -> str:
        if name.endswith("sheet1.xml"):
            for number, text in enumerate(("south", None, "ward", "north", "age")):
                part = part.replace(f't="inlineStr"><is><t>{text}</t></is>', f't="s"><v>{number}</v>')
        if name == "[Content_Types].xml":
            return part.replace(
                "</Types>", f'<Override PartName="/xl/sharedStrings.xml" ContentType="{KIND}"/></Types>'
            )
        if name == "xl/_rels/workbook.xml.rels":
            target = f'<Relationship Id="rId99" Type="{RELATION}" Target="/xl/sharedStrings.xml"/>'
            return part.replace("</Relationships>", f"{target}</Relationships>")
        return part

    p, space = (f"{prefix}:", f"xmlns:{prefix}") if prefix else ("", "xmlns")
    items = "".join(f"<{p}si><{p}t>{text}</{p}t></{p}si>" if text else f"<{p}si/>" for text in texts)
    shared = f'<?xml version="1.0" encoding="UTF-8"?>\n<{p}sst {space}="{SPREADSHEET}">{items}</{p}sst>'
    return rewritten(workbook(place, [(*COLUMNS,), *RECORDS]), change, sharedStrings=shared)


def beside(place: Path, damaged: bool) -> Path:
    """A value beside the columns of a sheet without names, as a stamp would be."""
    rows = [(*row, True) if damaged and at == 30 else row for at, row in enumerate(RECORDS)]
    return workbook(place, rows)


DAMAGES: dict[str, tuple[Callable[[Path, bool], Path], FileFormat]] = {
    "CSV, a field too many": (csv(b"1,north,2"), FileFormat()),
    "CSV, a quote that is not closed": (csv(b'1,"north'), FileFormat()),
    "CSV, no UTF-8": (csv(b"1,\xff\xfe"), FileFormat()),
    "CSV of UTF-16, half a sign": (csv(b"1\0,\0\x00\xd8", encoding="utf-16-le"), FileFormat(encoding="utf-16-le")),
    "CSV, compressed": (packed(b"1,north,2"), FileFormat()),
    "CSV without names, a field too many": (csv(b"1,north,True", header=False), BARE),
    "CSV without names, as a zip archive begins": (csv(b"PK\x03\x04,1", header=False, at=0), BARE),
    "CSV without names, as gzip begins": (csv(b"\x1f\x8b,1", header=False, at=0), BARE),
    "CSV without names, a mark of UTF-16": (
        csv(b"\xff\xfe,1", header=False, at=0),
        FileFormat(header=False, encoding="cp1252"),
    ),
    "JSON lines, a list first": (json_lines("[1]"), FileFormat()),
    "JSON lines, a stamp first": (json_lines(f'{{"{STAMP}": true, "age": 1}}'), FileFormat()),
    "JSON lines, a stamp in the midst": (json_lines(f'{{"{STAMP}": null}}', at=30), FileFormat()),
    "JSON lines, as gzip begins": (json_lines("\x1f\x8b"), FileFormat()),
    "JSON lines, no record": (json_lines("{", at=30), FileFormat()),
    "Parquet, no UTF-8": (parquet_file, FileFormat()),
    "Parquet, a broken page": (parquet_page, FileFormat()),
    "folder of Parquet": (parquet_folder, FileFormat()),
    "Feather": (feather_file, FileFormat()),
    "SPSS": (statistical("sav"), FileFormat()),
    "Stata": (statistical("dta"), FileFormat()),
    "SAS": (statistical("xpt"), FileFormat()),
    "Excel, texts in cells": (texts_in_cells, FileFormat()),
    "Excel, texts apart": (shared_texts, FileFormat()),
    "Excel, texts apart with a prefix": (lambda place, bad: shared_texts(place, bad, "x"), FileFormat()),
    "Excel without names": (beside, BARE),
}
READ = {
    "CSV, a quote that is not closed", "CSV, no UTF-8", "CSV of UTF-16, half a sign", "JSON lines, no record",
    "Parquet, no UTF-8", "folder of Parquet", "Feather", "SPSS", "Stata", "SAS",
    *(f"CSV without names, {start}" for start in ("as a zip archive begins", "as gzip begins", "a mark of UTF-16")),
}  # fmt: skip
"""Damages of one value, which is then one that nobody declared."""


def fitted(path: Path, schema: Schema, account: Path) -> tuple[bool, float, int]:
    """Whether a fit went through, what is left of its budget, and how many runs the ledger has."""
    Ledger.create(account, Budget(2.0, 1e-6), dataset="wards", unit=schema.unit)
    whole = True
    try:
        synth = Synthesizer(schema, "independent", epsilon=1.0, delta=2e-7, ledger=account)
        synth.fit(path)
    except RowsError:
        whole = False
    ledger = Ledger.open(account)
    return whole, ledger.remaining().epsilon, len(list(ledger.runs()))


@pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_changes_nothing_before_it_is_paid_for(damage: str, tmp_path: Path) -> None:
    write, form = DAMAGES[damage]
    schema = Schema(COLUMNS, file=form)
    for name in ("whole", "damaged"):
        (tmp_path / name).mkdir()
    paths = [write(tmp_path / name / "rows", name == "damaged") for name in ("whole", "damaged")]
    sources = [open_source(path, schema) for path in paths]
    assert sources[0].names == sources[1].names == [*COLUMNS]
    assert sources[0].types == sources[1].types
    outcomes = [fitted(path, schema, path.parent / "account") for path in paths]
    assert outcomes[0] == (True, pytest.approx(1.72, abs=0.01), 1)
    assert outcomes[1] == ((damage in READ), pytest.approx(outcomes[0][1]), 1)


def test_a_reader_of_all_texts_for_the_names_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "_Texts", workbooks._all_texts)
    assert open_source(shared_texts(tmp_path / "whole", False), Schema(COLUMNS)).names == [*COLUMNS]
    with pytest.raises(SchemaError, match="cannot be read as an Excel workbook"):
        open_source(shared_texts(tmp_path / "damaged", True), Schema(COLUMNS))


def test_texts_that_stand_apart_are_those_of_their_cells(tmp_path: Path) -> None:
    for prefix in ("", "x"):
        path = shared_texts(tmp_path / f"r{prefix}", False, prefix)
        assert open_source(path, Schema(COLUMNS)).names == [*COLUMNS]
        assert open_rows(path, Schema(COLUMNS))["ward"].tolist() == [ward for _, ward in RECORDS]


@pytest.mark.parametrize("row", ['1,"north', "1,north", '1,"a","b"'])
def test_a_quote_that_the_header_leaves_open_is_refused_by_the_header_alone(row: str, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(f'age,"ward\n{row}\n')
    with pytest.raises(SchemaError, match="has a quote in its header line that is not closed: close it"):
        open_source(tmp_path / "r.csv", Schema(COLUMNS))
    named = {"age": COLUMNS["age"], "the\nward": COLUMNS["ward"]}
    (tmp_path / "r.csv").write_text(f'age,"the\nward"\n{row}\n')
    assert open_source(tmp_path / "r.csv", Schema(named)).names == [*named]
