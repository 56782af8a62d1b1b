"""An odd value in a file of any kind moves its own row alone; readers that let it move others are found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import fs, parquet

import dpsynth
from dpsynth.data.engines import folders, json_lines, object_stores, statistical, workbooks
from tests.data.kinds import KINDS, NAMES, ROWS, codes_of


def plant_excel(path: Path, place: str, change: Callable[[Any], None]) -> None:
    import openpyxl

    book = openpyxl.load_workbook(path)
    change(book.active[place])
    book.save(path)


def set_value(value: Any, format: str | None = None, data_type: str | None = None) -> Callable[[Any], None]:
    def change(cell: Any) -> None:
        cell.value = value
        if format is not None:
            cell.number_format = format
        if data_type is not None:
            cell.data_type = data_type

    return change


def plant_line(raw: bytes) -> Callable[[Path], None]:
    def plant(path: Path) -> None:
        lines = path.read_bytes().splitlines()
        path.write_bytes(b"\n".join([*lines[:-1], raw]) + b"\n")

    return plant


def plant_bytes(old: bytes, new: bytes) -> Callable[[Path], None]:
    def plant(path: Path) -> None:
        raw = path.read_bytes()
        assert raw.count(old) == 1
        path.write_bytes(raw.replace(old, new))

    return plant


def far_sav(path: Path) -> None:
    raw = path.read_bytes()
    days = np.float64((np.datetime64("1959-12-31", "s") - np.datetime64("1582-10-14", "s")).astype(int)).tobytes()
    assert raw.count(days) == 1
    path.write_bytes(raw.replace(days, np.float64(1e16).tobytes()))


def other_types(path: Path) -> None:
    """The last file states other types, as pandas writes them for one word among numbers and dates."""
    part = path / "part-002" / "x.parquet"
    whole = parquet.read_table(part).slice(0, 1)
    odd = pa.table({name: pa.array(["odd"]) for name in whole.column_names})
    texts = whole.cast(pa.schema([(name, pa.string()) for name in whole.column_names]))
    parquet.write_table(pa.concat_tables([texts, odd]), part)


SEVERAL = "folder of Parquet"
ODD: dict[str, tuple[str, Callable[[Path], None]]] = {
    "Excel, a word among numbers": ("Excel", lambda path: plant_excel(path, "D5", set_value("odd"))),
    "Excel, a word among dates": ("Excel", lambda path: plant_excel(path, "F5", set_value("odd"))),
    "Excel, a word among digits": ("Excel", lambda path: plant_excel(path, "B5", set_value("odd"))),
    "Excel, an error": ("Excel", lambda path: plant_excel(path, "D5", set_value("#N/A", data_type="e"))),
    "Excel, a number among texts": ("Excel", lambda path: plant_excel(path, "B5", set_value(1e300))),
    "Excel, a date beyond all years": ("Excel", lambda path: plant_excel(path, "F5", set_value(1e9, "yyyy-mm-dd"))),
    "JSON lines, no record": ("JSON lines", plant_line(b'{"pid": "c", ')),
    "JSON lines, a list": ("JSON lines", plant_line(b'{"code": ["007"], "kosten": {"a": [1]}}')),
    "JSON lines, a word": ("JSON lines", plant_line(b'{"code": 7, "kosten": "odd", "day": 1e999}')),
    "JSON lines, a word among digits": ("JSON lines", plant_line(b'{"code": "odd"}')),
    "JSON lines, no text": ("JSON lines", plant_line(b'{"code": "\xff\xfe", "sex": "\\ud800"}')),
    "JSON lines, too deep": ("JSON lines", plant_line(b'{"code": ' + b"[" * 100_000)),
    "JSON lines, too long": ("JSON lines", plant_line(b'{"kosten": ' + b"9" * 10_000 + b"}")),
    "SPSS, no text": ("SPSS", plant_bytes("Ä ö".encode(), b"\xff \xfe\xfd\xfc")),
    "SPSS, a date beyond all years": ("SPSS", far_sav),
    "Stata, no text": ("Stata", plant_bytes("Ä ö".encode(), b"\xff \xfe\xfd\xfc")),
    "SAS, no text": ("SAS", plant_bytes("Ä ö".encode(), b"\xff \xfe\xfd\xfc")),
    "Parquet, a file of other types": (SEVERAL, other_types),
}  # fmt: skip


def moved(plant: str, folder: Path, opened: Callable[[Path], Any] = lambda path: path) -> bool:
    """Whether an odd value in the last row makes the file fail, or changes a code of another row.

    opened: what is given to be read, of a path.
    """
    kind, change = ODD[plant]
    path = KINDS[kind](ROWS, folder)
    before = codes_of(opened(path))
    change(path)
    try:
        after = codes_of(opened(path))
    except Exception:
        return True
    last = len(ROWS) - 1
    assert all(len(codes) == len(ROWS) for codes in after.values())
    assert any(before[name][last] != after[name][last] for name in before)
    return any(before[name][row] != after[name][row] for name in before for row in range(last))


@pytest.mark.parametrize("plant", ODD)
def test_an_odd_value_changes_the_codes_of_its_own_row_alone(plant, tmp_path):
    assert not moved(plant, tmp_path)


@pytest.mark.parametrize("plant", [plant for plant, (kind, _) in ODD.items() if kind in ("JSON lines", SEVERAL)])
def test_it_does_so_in_an_object_store_too(plant, tmp_path, monkeypatch):
    store = fs.SubTreeFileSystem(str(tmp_path.parent), fs.LocalFileSystem())
    monkeypatch.setattr(object_stores, "_store", lambda kind, bucket: store)
    assert not moved(plant, tmp_path, lambda path: f"s3://{path.relative_to(tmp_path.parent)}")


def whole_of(file: Path) -> pa.Table:
    return parquet.ParquetFile(file).read()


def test_it_does_so_in_parts_that_functions_give_too(tmp_path):
    def parts(path):
        files = sorted(path.rglob("*.parquet"))
        return dpsynth.partitions([partial(whole_of, each) for each in files], [*NAMES])

    assert not moved("Parquet, a file of other types", tmp_path, parts)


def typed(records, names):
    """Columns of numbers where all values are numbers, as readers of spreadsheets guess them."""
    whole = pd.DataFrame(records, columns=names)
    for name in names:
        numbers = pd.to_numeric(whole[name], errors="coerce")
        if numbers.notna().sum() == whole[name].notna().sum():
            whole[name] = numbers
    return whole


def decoded(path, reader):
    """Texts as pyreadstat reads them by default."""
    yield reader(str(path), output_format="dict", disable_datetime_conversion=True)[0]


def dated(path, reader):
    """Times as pyreadstat reads them by default."""
    reader(str(path), output_format="dict", encoding="ISO-8859-1")
    yield from decoded(path, reader)


def promoted(tables):
    return pa.concat_tables(tables, promote_options="permissive")


BROKEN = {
    "types that all values of a column tell, in Excel": (
        workbooks, "of_cells", typed, "Excel, a word among digits"),
    "types that all values of a column tell, in JSON lines": (
        json_lines, "of_cells", typed, "JSON lines, a word among digits"),
    "a reader that decodes texts": (statistical, "_parts", decoded, "SPSS, no text"),
    "a reader that makes dates": (statistical, "_parts", dated, "SPSS, a date beyond all years"),
    "one type for all files": (folders, "joined", promoted, "Parquet, a file of other types"),
}  # fmt: skip


@pytest.mark.parametrize(("module", "name", "double", "plant"), BROKEN.values(), ids=BROKEN.keys())
def test_a_reader_that_lets_one_value_move_others_is_found(module, name, double, plant, tmp_path, monkeypatch):
    digits = [*ROWS[:1], ("b", "8", *ROWS[1][2:]), *ROWS[2:3], ("c", "7", *ROWS[3][2:])]
    if double is typed:
        monkeypatch.setitem(KINDS, ODD[plant][0], lambda _, folder, make=KINDS[ODD[plant][0]]: make(digits, folder))
    monkeypatch.setattr(module, name, double)
    assert moved(plant, tmp_path)
