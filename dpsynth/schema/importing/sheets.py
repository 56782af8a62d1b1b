"""Lines under titles, in a file whose fields are parted by commas, semicolons, tabs or bars."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from dpsynth.schema.columns import SchemaError

SIGNS = (",", ";", "\t", "|")


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
    sign = max(SIGNS, key=head.count)
    cells = [
        [cell.strip() for cell in row] for row in csv.reader(text.splitlines(True), delimiter=sign)
    ]
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
