"""Excel workbooks: one sheet, whose first row names the columns; each cell is read by itself.

A row without any value is no record, and cells beside the named columns are not read. Where no row
names the columns, a record with a value beside them has a column too many, which may be the stamp
of real records: the sheet is not read. No text of a record is looked at for the names, although a
workbook keeps the texts of all its cells together.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from dpsynth.data.engines.source import Source, form_of, markers_of, named_by, of_cells, unmarked
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema

_MOST_ROWS = 1_048_000
"""A sheet has 2**20 rows, some of them above the table."""


def open_workbook(path: Path, schema: Schema | None, form: FileFormat | None = None) -> Source:
    """A workbook, of which the row of names has been read."""
    declared = form_of(schema, form)
    with _sheet(path, declared, _Texts) as sheet:
        if declared.header:
            names = _names(next(_rows(sheet, declared.skip_lines), ()))
        else:
            names = named_by(path, schema)
    markers = markers_of(names, schema, declared)
    return Source(names, lambda: _read(path, declared, names, markers), form=declared)


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
def _sheet(path: Path, form: FileFormat, texts: Callable[[Any, str], Any]) -> Iterator[Any]:
    """The sheet that is declared, or the only one; formulas have the values that were saved.

    texts: makes what is asked for the texts of cells, of the workbook's archive and their place.
    """
    _package(path)
    from openpyxl.reader.excel import ExcelReader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's would name the cell of a value
        reader = ExcelReader(path, read_only=True, data_only=True)
        try:
            reader.read_strings = lambda: _read_texts(reader, texts)
            reader.read_worksheets = lambda: _add_sheets(reader)
            reader.read()
            sheets = {sheet.title: sheet for sheet in reader.wb.worksheets}
            yield _chosen(path, sheets, form.sheet)
        finally:
            reader.archive.close()


def _read_texts(reader: Any, texts: Callable[[Any, str], Any]) -> None:
    from openpyxl.xml.constants import SHARED_STRINGS

    if (part := reader.package.find(SHARED_STRINGS)) is not None:
        reader.shared_strings = texts(reader.archive, part.PartName[1:])


def _add_sheets(reader: Any) -> None:
    """Adds the sheets, of which no cell is read: openpyxl would seek their size in all rows."""
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

    kind = type("Sheet", (ReadOnlyWorksheet,), {"_get_size": lambda self: None})
    for sheet, place in reader.parser.find_sheets():
        if place.target in reader.valid_files and "chartsheet" not in place.Type:
            reader.wb._sheets.append(
                kind(reader.wb, sheet.name, place.target, reader.shared_strings)
            )


def _all_texts(archive: zipfile.ZipFile, part: str) -> list[str]:
    from openpyxl.reader.strings import read_string_table

    with archive.open(part) as file:
        texts: list[str] = read_string_table(file)
    return texts


_START = re.compile(rb".*?<((?:[\w.-]+:)?)sst\b[^>]*>", re.DOTALL)
_TEXT = re.compile(rb"<((?:[\w.-]+:)?)si\b[^>]*?(?:/>|>.*?</\1si\s*>)", re.DOTALL)


class _Texts:
    """The texts of a workbook's cells, each of them read by itself when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, part: str) -> None:
        whole = archive.read(part)
        self._start = _START.match(whole)
        self._more = _TEXT.finditer(whole)
        self._found: list[bytes] = []

    def __getitem__(self, place: int) -> str:
        """IndexError where there are fewer."""
        from openpyxl.reader.strings import read_string_table

        more = max(0, place + 1 - len(self._found))
        self._found += [text[0] for text in islice(self._more, more)]
        text, start = self._found[place], self._start
        alone = b"" if start is None else start[0] + text + b"</" + start[1] + b"sst>"
        return str(read_string_table(io.BytesIO(alone))[0])


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


def _rows(sheet: Any, skipped: int, width: int | None = None) -> Iterator[tuple[Any, ...]]:
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(
        min_row=skipped + 1, max_col=width, values_only=True
    )
    return rows


def _names(titles: tuple[Any, ...]) -> list[str]:
    """The titles as text, up to the last one; one that is empty is a name of no schema."""
    named = [place for place, title in enumerate(titles, 1) if title is not None]
    return ["" if title is None else str(title) for title in titles[: max(named, default=0)]]


def _read(
    path: Path, form: FileFormat, names: list[str], markers: tuple[frozenset[str], ...]
) -> pd.DataFrame:
    """SchemaError where a record has more values than a sheet without names has columns."""
    width = len(names)
    with _sheet(path, form, _all_texts) as sheet:
        rows = _rows(sheet, form.skip_lines + form.header, width if form.header else None)
        filled = [row for row in rows if any(value is not None for value in row[:width])]
    if any(value is not None for row in filled for value in row[width:]):
        raise SchemaError(
            f"{path} has columns that the schema has not: declare them, or delete what stands"
            " beside the table"
        )
    records = [
        tuple(
            None if value == "" else unmarked(value, of)
            for value, of in zip(row, markers, strict=False)
        )
        for row in (row + (None,) * (width - len(row)) for row in filled)
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
