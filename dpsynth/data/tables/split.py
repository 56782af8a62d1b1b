"""A table split in two by unit: rows to fit, and a holdout that no fit sees.

All rows of a unit go to one side. The side hangs on the unit's id and the seed alone, by a keyed
hash: a unit stays on its side when other rows come or go, whatever order and container they are in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from dpsynth.base.numbers import probability
from dpsynth.base.places import keep_apart, new_file, whole_or_gone
from dpsynth.data.engines.files import Rows, column_names, is_csv, open_rows
from dpsynth.data.tables.codec import check_owner
from dpsynth.data.tables.periods import period_codings
from dpsynth.door.bounded import ids_of
from dpsynth.door.codes import Coding
from dpsynth.door.ids import units
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.table import Schema, SchemaError


def split_file(
    data: Path, schema: Schema, train: Path, holdout: Path, *, share: float, seed: int
) -> None:
    """Writes the rows of a .csv or .parquet file into two new files of the same kind.

    share: about which part of the units goes to the holdout, between 0 and 1. Lines of a CSV file
    are copied as they are. ValueError for places that cannot be written, and where one side would
    be empty; SchemaError for a file that cannot be read.
    """
    probability("the share of the holdout", share)
    _check_places(data, train, holdout)
    rows = open_rows(data, schema)
    check_owner(column_names(rows), schema.unit)
    held = in_holdout(rows, schema.unit, share, seed, period_codings(schema))
    if held.all() or not held.any():
        raise ValueError(
            "all rows would be on one side: choose another seed, or another share for the holdout"
        )
    write = _write_csv if is_csv(data) else _write_parquet
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
    for path in (train, holdout):
        if path.suffix.lower() != data.suffix.lower():
            raise ValueError(
                f"{path} must end in {data.suffix}, as {data} does: both parts are files of the"
                " same kind"
            )
        new_file(path)
    keep_apart({"the rows to fit": train, "the holdout": holdout})


def _write_parquet(
    data: Path, rows: Rows, held: np.ndarray, train: Path, holdout: Path, schema: Schema
) -> None:
    from pyarrow import parquet

    assert isinstance(rows, pa.Table)
    parquet.write_table(rows.filter(pa.array(~held)), train)
    parquet.write_table(rows.filter(pa.array(held)), holdout)


def _write_csv(
    data: Path, rows: Rows, held: np.ndarray, train: Path, holdout: Path, schema: Schema
) -> None:
    records = _records(data)
    header = next(records)
    count = 0
    with train.open("wb") as one, holdout.open("wb") as other:
        one.write(header)
        other.write(header)
        for count, record in enumerate(records, start=1):
            if count <= len(held):
                (other if held[count - 1] else one).write(record)
    told_apart = count == len(held)
    for path, here in ((train, ~held), (holdout, held)):
        told_apart = told_apart and _has(path, rows, here, schema)
    if not told_apart:
        raise SchemaError(
            f"the lines of {data} cannot be told apart, as quotes stand inside of values or lines"
            " end in a way of their own: write the table as .parquet first"
        )


def _has(path: Path, rows: Rows, here: np.ndarray, schema: Schema) -> bool:
    """Whether a file has these of the rows, when it is read again."""
    assert isinstance(rows, pa.Table)
    try:
        return bool(rows.filter(pa.array(here)).equals(open_rows(path, schema)))
    except SchemaError:
        return False


def _records(path: Path) -> Iterator[bytes]:
    """The header and the records of a CSV file as bytes; text in quotes may have line ends."""
    with path.open("rb") as file:
        record = b""
        for line in file:
            record += line
            if record.count(b'"') % 2 == 0:
                yield record if record.endswith(b"\n") else record + b"\n"
                record = b""
        if record:
            yield record
