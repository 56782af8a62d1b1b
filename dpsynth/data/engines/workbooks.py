"""Excel workbooks: one sheet, whose first row names the columns; each cell is read by itself.

A row without any value is no record, and cells beside the named columns are not read.
"""

from __future__ import annotations

import contextlib
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dpsynth.data.engines.source import Source, form_of, named_by, of_cells, unmarked
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema

_MOST_ROWS = 1_048_000
"""A sheet has 2**20 rows, some of them above the table."""


def open_workbook(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A workbook, of which the row of names has been read."""
    declared = form_of(schema, form)
    with _sheet(path, declared) as sheet:
        if declared.header:
            names = _names(next(_rows(sheet, declared.skip_lines, None), ()))
        else:
            names = named_by(path, schema)
    return Source(names, lambda: _read(path, declared, names), form=declared)


def _package(path: Path) -> Any:
    try:
        import openpyxl
    except ImportError:
        raise SchemaError(
            f"{path} needs openpyxl, which is not installed: pip install 'dpsynth[excel]', or take"
            " CSV"
        ) from None
    return openpyxl


@contextlib.contextmanager
def _sheet(path: Path, form: FileFormat) -> Iterator[Any]:
    """The sheet that is declared, or the only one; formulas have the values that were saved."""
    openpyxl = _package(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's would name the cell of a value
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            yield _chosen(path, {sheet.title: sheet for sheet in book.worksheets}, form.sheet)
        finally:
            book.close()


def _chosen(path: Path, sheets: Mapping[str, Any], wanted: str | None) -> Any:
    if wanted is None and len(sheets) != 1:
        raise SchemaError(
            f"{path} has {len(sheets)} sheets: declare which has the table, as sheet in the"
            " schema's file section"
        )
    if wanted is not None and wanted not in sheets:
        raise SchemaError(
            f"{path} has no sheet {wanted!r}: correct sheet in the schema's file section"
        )
    return sheets[wanted or next(iter(sheets))]


def _rows(sheet: Any, skipped: int, width: int | None) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()  # other programs state them wrongly
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(
        min_row=skipped + 1, max_col=width, values_only=True
    )
    return rows


def _names(titles: tuple[Any, ...]) -> list[str]:
    """The titles as text, up to the last one; one that is empty is a name of no schema."""
    named = [place for place, title in enumerate(titles, 1) if title is not None]
    return ["" if title is None else str(title) for title in titles[: max(named, default=0)]]


def _read(path: Path, form: FileFormat, names: list[str]) -> pd.DataFrame:
    markers = frozenset(form.missing_markers)
    with _sheet(path, form) as sheet:
        rows = _rows(sheet, form.skip_lines + form.header, len(names))
        filled = (row for row in rows if any(value is not None for value in row))
        records = [
            tuple(None if value == "" else unmarked(value, markers) for value in row)
            for row in filled
        ]
    return of_cells(records, names)


def write_workbook(rows: pd.DataFrame, path: Path, form: FileFormat) -> None:
    """Writes rows into a new workbook of one sheet. A text that begins with = is a text, too."""
    openpyxl = _package(path)
    if len(rows) > _MOST_ROWS:
        raise ValueError("a sheet has fewer rows")
    book = openpyxl.Workbook(write_only=True)
    with contextlib.closing(book.create_sheet(form.sheet)) as sheet:
        _fill(sheet, rows, form)
    book.save(path)
    _without_clock(path)


def _fill(sheet: Any, rows: pd.DataFrame, form: FileFormat) -> None:
    for _ in range(form.skip_lines):
        sheet.append([])
    if form.header:
        sheet.append([_cell(sheet, str(name)) for name in rows.columns])
    columns = [rows[name].astype(object) for name in rows.columns]
    for values in zip(*columns, strict=True):
        sheet.append([_cell(sheet, value) for value in values])


def _cell(sheet: Any, value: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if pd.isna(value):
        return None
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    return cell


def _without_clock(path: Path) -> None:
    """Writes the workbook anew without the time at which it was written."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    parts["docProps/core.xml"] = re.sub(
        rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", parts["docProps/core.xml"]
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(
                zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED
            )
