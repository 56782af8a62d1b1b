"""One table in every kind of file that is read, made from the same rows."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from dpsynth.data.engines.files import open_source
from dpsynth.data.tables.codec import encode_frame
from dpsynth.schema.table import Boolean, Categorical, Column, Datetime, Identifier, Numeric, Schema

NAMES = ("pid", "code", "sex", "kosten", "smokes", "day", "moment")
ROWS: Sequence[Sequence[Any]] = [
    ("a", "007", "male", 1.5, True, date(2020, 1, 31), datetime(2020, 1, 31, 13, 30)),
    ("b", "8", "female", None, False, date(2021, 2, 28), datetime(2021, 2, 28, 0, 0)),
    ("a", None, None, 12.0, None, None, None),
    ("c", "Ä ö", "male", -3.25, True, date(1959, 12, 31), datetime(2024, 2, 29, 23, 59)),
]
COLUMNS: dict[str, Column] = {
    "pid": Identifier(),
    "code": Categorical(["007", "8", "7", "Ä ö"], nullable=True),
    "sex": Categorical(["female", "male"], nullable=True),
    "kosten": Numeric(-10, 100, step=0.25, nullable=True),
    "smokes": Boolean(nullable=True),
    "day": Datetime("1950-01-01", "2024-12-31", nullable=True),
    "moment": Datetime("2020-01-01", "2024-12-31", resolution="min", nullable=True),
}
SCHEMA = Schema(COLUMNS)
SEXES = {1: "male", 2: "female"}

Writer = Callable[[Sequence[Sequence[Any]], Path], Path]


def frame(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    return pd.DataFrame([*rows], columns=[*NAMES], dtype=object)


def table(rows: Sequence[Sequence[Any]]) -> pa.Table:
    """The rows as Arrow has them, with a type for each column."""
    types = [pa.string(), pa.string(), pa.string(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("ns")]
    return pa.table([pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)],
                    names=[*NAMES])  # fmt: skip


def _parquet(rows: Sequence[Sequence[Any]], folder: Path) -> Path:
    parquet.write_table(table(rows), folder / "rows.parquet")
    return folder / "rows.parquet"


def _feather(rows: Sequence[Sequence[Any]], folder: Path) -> Path:
    feather.write_feather(table(rows), str(folder / "rows.feather"))
    return folder / "rows.feather"


def _stream(rows: Sequence[Sequence[Any]], folder: Path) -> Path:
    whole = table(rows)
    with pa.ipc.new_stream(folder / "rows.arrow", whole.schema) as writer:
        writer.write_table(whole)
    return folder / "rows.arrow"


def _json_lines(rows: Sequence[Sequence[Any]], folder: Path) -> Path:
    records = ({name: value for name, value in zip(NAMES, row, strict=True) if value is not None} for row in rows)
    text = "".join(json.dumps(record, default=str) + "\n" for record in records)
    (folder / "rows.jsonl").write_text(text)
    return folder / "rows.jsonl"


def _packed_lines(rows: Sequence[Sequence[Any]], folder: Path) -> Path:
    plain = _json_lines(rows, folder)
    (folder / "rows.ndjson.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return folder / "rows.ndjson.gz"


def _excel(rows: Sequence[Sequence[Any]], folder: Path) -> Path:
    openpyxl = pytest.importorskip("openpyxl", reason="Excel files are read where openpyxl is installed")
    book = openpyxl.Workbook()
    book.active.append([*NAMES])
    for row in rows:
        book.active.append([*row])
    book.save(folder / "rows.xlsx")
    return folder / "rows.xlsx"


def _numbered(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """The rows as statistical programs have them: codes with labels, numbers for truths, texts without nulls."""
    plain = frame(rows)
    codes = {label: float(code) for code, label in SEXES.items()}
    plain["sex"] = plain["sex"].map(lambda sex: codes.get(sex, np.nan)).astype(float)
    plain["smokes"] = plain["smokes"].astype(float)
    plain["kosten"] = plain["kosten"].astype(float)
    plain["moment"] = pd.to_datetime(plain["moment"])
    for name in ("pid", "code"):
        plain[name] = plain[name].where(plain[name].notna(), "")
    return plain


def _statistical(write: str, name: str) -> Writer:
    def written(rows: Sequence[Sequence[Any]], folder: Path) -> Path:
        pyreadstat = pytest.importorskip("pyreadstat", reason="SPSS, Stata and SAS files need pyreadstat")
        plain = _numbered(rows)
        labels = {"variable_value_labels": {"sex": SEXES}}
        if write == "write_xport":  # SAS keeps labels in a catalogue of its own
            labels, plain["sex"] = {}, [row[2] or "" for row in rows]
        if write == "write_dta":
            plain["sex"] = plain["sex"].astype("Int32")
        getattr(pyreadstat, write)(plain, str(folder / name), **labels)
        return folder / name

    return written


def _folder(rows: Sequence[Sequence[Any]], folder: Path) -> Path:
    place = folder / "rows"
    for number in range(0, len(rows), 2):
        part = place / f"part-{number:03}"
        part.mkdir(parents=True)
        parquet.write_table(table(rows[number : number + 2]), part / "x.parquet")
    (place / "_SUCCESS").touch()
    return place


def _several(rows: Sequence[Sequence[Any]], folder: Path) -> Path:
    for number in range(0, len(rows), 2):
        frame(rows[number : number + 2]).to_csv(folder / f"rows-{number:03}.csv", index=False)
    return folder / "rows-*.csv"


KINDS: dict[str, Writer] = {
    "Parquet": _parquet,
    "Feather": _feather,
    "Arrow stream": _stream,
    "JSON lines": _json_lines,
    "JSON lines, compressed": _packed_lines,
    "Excel": _excel,
    "SPSS": _statistical("write_sav", "rows.sav"),
    "Stata": _statistical("write_dta", "rows.dta"),
    "SAS": _statistical("write_xport", "rows.xpt"),
    "folder of Parquet": _folder,
    "pattern of CSV": _several,
}


def codes_of(path: Path, schema: Schema = SCHEMA) -> dict[str, np.ndarray]:
    rows = open_source(path, schema).read()
    return encode_frame(rows if isinstance(rows, pd.DataFrame) else rows.to_pandas(types_mapper=pd.ArrowDtype), schema)
