"""Lines under titles: in a file whose fields are parted by a sign, or in a sheet of a workbook."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.files import DELIMITERS


@dataclass(frozen=True)
class Sheet:
    """The titles, and for each line its text by title; without blanks at the ends."""

    titles: tuple[str, ...]
    lines: tuple[dict[str, str], ...]


def read_sheet(path: Path) -> Sheet:
    """The sheet in a file; SchemaError where it is not UTF-8, or a line has another length."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SchemaError("the file is not UTF-8 text: save it as CSV in UTF-8") from None
    head = text.partition("\n")[0]
    sign = max(DELIMITERS, key=head.count)
    return _of_cells(csv.reader(text.splitlines(True), delimiter=sign))


def read_workbook(path: Path) -> Sheet:
    """The first sheet of a workbook; SchemaError where it is none."""
    try:
        import openpyxl
    except ImportError:
        raise SchemaError(
            "Excel workbooks are read by openpyxl, which is not installed: pip install"
            " 'dpsynth[excel]', or save the sheet as CSV"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            rows = [*book.worksheets[0].iter_rows(values_only=True)]
            book.close()
    except Exception:
        rows = None
    if rows is None:  # raised here: the context of an exception would quote the file
        raise SchemaError("the workbook cannot be read: save it anew as .xlsx, or as CSV")
    return _of_cells(map(_written, rows))


def _written(row: Sequence[Any]) -> list[str]:
    """What the cells of a row say, up to the last one that says something."""
    cells = ["" if cell is None else _said(cell) for cell in row]
    last = max((place for place, cell in enumerate(cells, 1) if cell), default=0)
    return cells[:last]


def _said(cell: Any) -> str:
    """What a cell says; a date as 2020-01-31."""
    return str(cell).removesuffix(" 00:00:00") if isinstance(cell, date) else str(cell)


def _of_cells(records: Iterable[Sequence[str]]) -> Sheet:
    cells = [[cell.strip() for cell in row] for row in records]
    rows = [(number, row) for number, row in enumerate(cells, 1) if any(row)]
    if not rows:
        raise SchemaError("the file is empty: give one with a line of titles")
    (_, titles), *lines = rows
    if twice := sorted({title for title in titles if title and titles.count(title) > 1}):
        raise SchemaError(f"titles stand twice, {twice}: rename one of each")
    for number, row in lines:
        if len(row) > len(titles):
            raise SchemaError(
                f"record {number} has {len(row)} fields and the titles are {len(titles)}: put"
                " fields that hold the separator in double quotes"
            )
    filled = (row + [""] * (len(titles) - len(row)) for _, row in lines)
    return Sheet(tuple(titles), tuple(dict(zip(titles, row, strict=True)) for row in filled))
