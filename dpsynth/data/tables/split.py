"""A table split in two by unit: rows to fit, and a holdout that no fit sees.

All rows of a unit go to one side. The side hangs on the unit's id and the seed alone, by a keyed
hash: a unit stays on its side when other rows come or go, whatever order and container they are in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.base.numbers import probability
from dpsynth.base.places import keep_apart, new_file, whole_or_gone
from dpsynth.data.engines.dialects import Dialect, dialect_of
from dpsynth.data.engines.files import (
    Rows,
    column_names,
    ending_of,
    is_several,
    open_rows,
)
from dpsynth.data.engines.json_lines import copy_lines
from dpsynth.data.engines.workbooks import write_workbook
from dpsynth.data.tables.codec import check_owner
from dpsynth.data.tables.periods import period_codings
from dpsynth.door.codes import Coding
from dpsynth.door.ids import units
from dpsynth.door.keeping import ids_of
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.table import Schema, SchemaError


def split_file(
    data: Path | str, schema: Schema, train: Path, holdout: Path, *, share: float, seed: int
) -> None:
    """Writes the rows of a table into two new files of the same kind.

    share: about which part of the units goes to the holdout, between 0 and 1. Lines of CSV and JSON
    lines files are copied as they are. Tables in several files, and files of SPSS, Stata and SAS,
    are divided into two .parquet files. ValueError for places that cannot be written, and where one
    side would be empty; SchemaError for a file that cannot be read.
    """
    probability("the share of the holdout", share)
    if not isinstance(data, Path):
        raise SchemaError(
            "a table of a database is not split into files: make two views of it, by a hash of the"
            " column that says whose a row is, and fit one of them"
        )
    _check_places(data, train, holdout)
    rows = open_rows(data, schema)
    check_owner(column_names(rows), schema.unit)
    held = in_holdout(rows, schema.unit, share, seed, period_codings(schema))
    if held.all() or not held.any():
        raise ValueError(
            "all rows would be on one side: choose another seed, or another share for the holdout"
        )
    write = _WRITERS[ending_of(train)]
    with whole_or_gone(train), whole_or_gone(holdout):
        write(data, rows, held, train, holdout, schema)


def in_holdout(
    rows: Rows, unit: PrivacyUnit, share: float, seed: int, dates: Mapping[str, Coding] = {}
) -> np.ndarray:
    """Booleans: which rows are in the holdout. Without ids every row is a unit, by its number.

    dates: for each column of dates in the unit the coding of its periods.
    """
    key = hashlib.sha256(str(seed).encode()).digest()
    ids = ids_of(rows, unit, dates)
    if ids is None:
        names, places = [b"%d" % i for i in range(len(rows))], np.arange(len(rows))
    else:
        names, places = units(ids)
    below = int(share * 2**64)
    drawn = (hashlib.blake2b(name, key=key, digest_size=8).digest() for name in names)
    held = np.array([int.from_bytes(each, "big") < below for each in drawn], dtype=bool)
    return held[places]


def _check_places(data: Path, train: Path, holdout: Path) -> None:
    single = ending_of(data) in _WRITERS and not is_several(data)
    ending = ending_of(data) if single else ".parquet"
    why = f"as {data} does" if single else f"as {data} is divided into such files"
    for path in (train, holdout):
        if ending_of(path) != ending:
            raise ValueError(f"{path} must end in {ending}, {why}: give both parts that ending")
        new_file(path)
    keep_apart({"the rows to fit": train, "the holdout": holdout})


def _write_parquet(
    data: Path, rows: Rows, held: np.ndarray, train: Path, holdout: Path, schema: Schema
) -> None:
    from pyarrow import parquet

    for path, here in ((train, ~held), (holdout, held)):
        parquet.write_table(_part(data, rows, here), path)


def _write_feather(
    data: Path, rows: Rows, held: np.ndarray, train: Path, holdout: Path, schema: Schema
) -> None:
    from pyarrow import feather

    for path, here in ((train, ~held), (holdout, held)):
        feather.write_feather(_part(data, rows, here), str(path))


def _part(data: Path, rows: Rows, here: np.ndarray) -> pa.Table:
    if isinstance(rows, pa.Table):
        return rows.filter(pa.array(here))
    raise SchemaError(
        f"the files of {data} state different types for one column: write them into one file first"
    )


def _write_json_lines(
    data: Path, rows: Rows, held: np.ndarray, train: Path, holdout: Path, schema: Schema
) -> None:
    copy_lines(data, held.tolist(), train, holdout)


def _write_workbook(
    data: Path, rows: Rows, held: np.ndarray, train: Path, holdout: Path, schema: Schema
) -> None:
    assert isinstance(rows, pd.DataFrame)
    for path, here in ((train, ~held), (holdout, held)):
        write_workbook(rows[here], path, schema.file)


def _write_csv(
    data: Path, rows: Rows, held: np.ndarray, train: Path, holdout: Path, schema: Schema
) -> None:
    dialect = dialect_of(data, schema)
    with (
        dialect.lines(data) as lines,
        dialect.written(train) as one,
        dialect.written(holdout) as other,
    ):
        told_apart = _divide(lines, dialect, held, one, other)
    for path, here in ((train, ~held), (holdout, held)):
        told_apart = told_apart and _has(path, rows, here, schema)
    if not told_apart:
        raise SchemaError(
            f"the lines of {data} cannot be told apart, as quotes stand inside of values or lines"
            " end in a way of their own: write the table as .parquet first"
        )


def _divide(
    lines: Iterator[str], dialect: Dialect, held: np.ndarray, one: TextIO, other: TextIO
) -> bool:
    """Copies each record into the file of its side, and what stands above them into both.

    Whether there are as many records as rows.
    """
    above = [*islice(lines, dialect.first_lines)]
    records = _records(lines, dialect.quote)
    above += [*islice(records, int(dialect.header))]
    for file in (one, other):
        file.writelines(above)
    count = 0
    for count, record in enumerate(records, start=1):
        if count <= len(held):
            (other if held[count - 1] else one).write(record)
    return count == len(held)


def _has(path: Path, rows: Rows, here: np.ndarray, schema: Schema) -> bool:
    """Whether a file has these of the rows, when it is read again."""
    assert isinstance(rows, pa.Table)
    try:
        return bool(rows.filter(pa.array(here)).equals(open_rows(path, schema)))
    except SchemaError:
        return False


def _records(lines: Iterator[str], quote: str | None) -> Iterator[str]:
    """The records of a CSV file, a line for each; text in quotes may have line ends."""
    record = ""
    for line in lines:
        record += line
        if quote is None or record.count(quote) % 2 == 0:
            yield record if record.endswith("\n") else record + "\n"
            record = ""
    if record:
        yield record


_COMPRESSED = ("", ".gz", ".zst")
_WRITERS = {
    ".parquet": _write_parquet,
    ".feather": _write_feather,
    ".arrow": _write_feather,
    ".xlsx": _write_workbook,
    **{f".csv{packed}": _write_csv for packed in _COMPRESSED},
    **{
        f"{end}{packed}": _write_json_lines
        for end in (".jsonl", ".ndjson")
        for packed in _COMPRESSED
    },
}
"""Files that are divided into two of the same kind."""
