"""Awkward files of one small table, and what is expected of each: the table, or one sentence.

Each file is made from the same rows. One that is read must give them all, each value as it was; one that is not must be
refused in a sentence that says what to do. A file that gives other values in silence is a fault.
"""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from dpsynth.schema.columns import Categorical, Column, Datetime, Numeric
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema

NAMES = ("größe", "kosten", "ort", "tag")
ROWS: Sequence[Sequence[str | None]] = (
    ("170", "1234.5", "Köln", "2020-01-31"),
    ("181", None, "a;b,c|d", "2021-02-28"),
    (None, "0.25", 'so "genannt"', None),
    ("165", "99999.75", None, "2024-02-29"),
)
"""Places hold each delimiter, quotes and letters beyond ASCII; every column has a missing value."""

COLUMNS: dict[str, Column] = {
    "größe": Numeric(100, 250, integer=True, nullable=True),
    "kosten": Numeric(0, 100_000, step=0.25, nullable=True),
    "ort": Categorical(["Köln", "a;b,c|d", 'so "genannt"', "7"], nullable=True),
    "tag": Datetime("2020-01-01", "2024-12-31", nullable=True),
}


@dataclass(frozen=True)
class Awkward:
    """A file. form: what the schema says of it. refused: what its sentence holds, None where the file is read."""

    data: bytes
    form: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = None
    name: str = "rows.csv"

    @property
    def schema(self) -> Schema:
        return Schema(COLUMNS, file=FileFormat(**self.form))


def text(
    sep: str = ",", *, quote: str = '"', end: str = "\n", header: bool = True, null: str = "", decimal: str = ".",
    thousands: str = "",
) -> str:  # fmt: skip
    """The table as text, every value in quotes but the missing ones."""

    def one(value: str | None, name: str) -> str:
        if value is None:
            return null
        if name == "kosten":
            whole, _, rest = value.partition(".")
            value = f"{int(whole):,}".replace(",", thousands) + decimal + rest
        return quote + value.replace(quote, 2 * quote) + quote

    lines = [sep.join(one(value, name) for name, value in zip(NAMES, row, strict=True)) for row in ROWS]
    return end.join([*([sep.join(NAMES)] if header else []), *lines, ""])


def _zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


PLAIN = text().encode()
GERMAN = {"decimal": ",", "thousands": "."}
FILES: dict[str, Awkward] = {
    "plain": Awkward(PLAIN),
    "semicolons": Awkward(text(";").encode()),
    "tabs": Awkward(text("\t").encode()),
    "bars": Awkward(text("|").encode()),
    "colons, declared": Awkward(text(":").encode(), {"delimiter": ":"}),
    "colons, not declared": Awkward(text(":").encode(), refused="none of the table's columns is declared"),
    "another delimiter is declared": Awkward(text(";").encode(), {"delimiter": "\t"}, "none of the table's columns"),
    "line ends of Windows": Awkward(text(";", end="\r\n").encode()),
    "line ends of old Macs": Awkward(text(";", end="\r").encode()),
    "single quotes": Awkward(text(";", quote="'").encode(), {"quote": "'"}),
    "a mark of UTF-8": Awkward(codecs.BOM_UTF8 + PLAIN),
    "a mark of UTF-8, declared": Awkward(codecs.BOM_UTF8 + PLAIN, {"encoding": "UTF8"}),
    "a mark against the encoding": Awkward(
        codecs.BOM_UTF8 + PLAIN, {"encoding": "cp1252"}, "begins with the mark of UTF-8"
    ),
    "latin-1, declared": Awkward(text(";").encode("latin-1"), {"encoding": "latin-1"}),
    "cp1252, declared": Awkward(text(";").encode("cp1252"), {"encoding": "cp1252"}),
    "mac-roman, declared": Awkward(text(";").encode("mac-roman"), {"encoding": "mac-roman"}),
    "latin-1, not declared": Awkward(text(";").encode("latin-1"), refused="cannot be read as CSV"),
    "UTF-16 with its mark": Awkward(text("\t").encode("utf-16")),
    "UTF-16, big end first": Awkward(codecs.BOM_UTF16_BE + text("\t").encode("utf-16-be")),
    "UTF-32 with its mark": Awkward(text().encode("utf-32"), refused="the mark of UTF-32: save it as UTF-8"),
    "nothing": Awkward(b"", refused="has no header line: its line 1 is empty, or absent; give a file"),
    "a mark and nothing else": Awkward(codecs.BOM_UTF8, refused="has no header line"),
    "empty lines before the header": Awkward(b"\n\n" + PLAIN, refused="or declare skip_lines"),
    "more lines declared than there are": Awkward(b"Report\n", {"skip_lines": 2}, "its line 3 is empty, or absent"),
    "a line for Excel before the header": Awkward(
        f"sep=;\n{text(';')}".encode(), refused="what stands before it (skip_lines)"
    ),
    "a line for Excel, declared": Awkward(f"sep=;\n{text(';')}".encode(), {"skip_lines": 1}),
    "UTF-16 without its mark": Awkward(text().encode("utf-16-le"), refused="has zero bytes in its header line"),
    "UTF-16 without its mark, declared": Awkward(text().encode("utf-16-le"), {"encoding": "utf-16-le"}),
    "decimal commas": Awkward(text(";", decimal=",").encode(), {"decimal": ","}),
    "decimal commas between commas": Awkward(text(decimal=",").encode(), {"decimal": ","}),
    "points between thousands": Awkward(text(";", decimal=",", thousands=".").encode(), GERMAN),
    "apostrophes between thousands": Awkward(text(";", thousands="'").encode(), {"thousands": "'"}),
    "blanks between thousands": Awkward(text(";", decimal=",", thousands=" ").encode(), {"decimal": ","}),
    "missing is NA": Awkward(text(null="NA").encode(), {"missing_markers": ["NA"]}),
    "missing is -99 or empty": Awkward(text(null="-99").encode(), {"missing_markers": ["", "-99"]}),
    "missing is a point, in quotes": Awkward(text(null='"."').encode(), {"missing_markers": ["."]}),
    "no header, declared": Awkward(text(";", header=False).encode(), {"header": False, "delimiter": ";"}),
    "no header, not declared": Awkward(text(header=False).encode(), refused="none of the table's columns is declared"),
    "lines before the header": Awkward(f'Report "of 2024\n\n{text(";")}'.encode(), {"skip_lines": 2}),
    "lines before the header, not declared": Awkward(
        f"Report\n\n{text()}".encode(), refused="none of the table's columns"
    ),
    "lines before rows without a header": Awkward(
        f"Report\n{text(header=False)}".encode(), {"skip_lines": 1, "header": False}
    ),
    "gzip": Awkward(gzip.compress(PLAIN), name="rows.csv.gz"),
    "gzip in two parts": Awkward(gzip.compress(PLAIN[:40]) + gzip.compress(PLAIN[40:]), name="rows.csv.gz"),
    "gzip without its name": Awkward(gzip.compress(text(";").encode())),
    "a name of gzip without gzip": Awkward(PLAIN, name="rows.csv.gz"),
    "zstd": Awkward(_zstd(PLAIN), name="ROWS.CSV.ZST"),
    "gzip of cp1252 with all of it": Awkward(
        gzip.compress(text(";", decimal=",", thousands=".", null="NA", end="\r\n").encode("cp1252")),
        {"encoding": "cp1252", "missing_markers": ["NA"], **GERMAN},
        name="rows.csv.gz",
    ),
    "gzip cut off in its header": Awkward(gzip.compress(PLAIN)[:12], refused="cannot be read as CSV"),
    "a workbook called CSV": Awkward(b"PK\x03\x04" + bytes(60), refused="is a zip archive, as Excel workbooks are"),
    "a column twice": Awkward(PLAIN.replace(b"kosten", b"ort", 1), refused="it lacks 'kosten'; it repeats 'ort'"),
    "a column more": Awkward(
        b"\n".join(line + b",7" for line in PLAIN.splitlines()), refused="not declared, at place 5"
    ),
}  # fmt: skip
