"""What a fit would do to raw values that the schema does not foresee: for the data owner's eyes only.

PRIVATE: these are exact counts of private rows. They help a person to correct a schema; nothing of them may enter a
release or leave the owner's screen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.engines.files import Rows, column, column_names
from dpsynth.data.tables.codec import check_columns, codec_for
from dpsynth.data.tables.magnitude import read_numbers
from dpsynth.data.values import number
from dpsynth.schema.columns import EPOCH, SECONDS
from dpsynth.schema.table import Boolean, Categorical, Column, Datetime, Numeric, Schema


@dataclass(frozen=True)
class ColumnCheck:
    """How many values of a column are missing, unreadable or undeclared, and clipped to the bounds."""

    name: str
    missing: int
    undeclared: int
    clipped: int


def check_rows(rows: Rows, schema: Schema) -> list[ColumnCheck]:
    """One ColumnCheck for each column that is read; SchemaError if the columns are not the schema's."""
    schema.refuse_text()
    check_columns(column_names(rows), schema)
    return [_check(name, declared, column(rows, name)) for name, declared in schema.coded.items()]


def _check(name: str, declared: Column, values: Any) -> ColumnCheck:
    strict = replace(declared, other=None) if isinstance(declared, Categorical) else declared
    if isinstance(strict, Categorical | Boolean | Datetime):
        codec = codec_for(replace(strict, nullable=True))
        special = int(np.sum(codec.encode(values) == codec.size - 1))
        clipped = _outside(strict, values) if isinstance(strict, Datetime) else 0
    else:
        assert isinstance(strict, Numeric)
        numbers = read_numbers(values)
        numbers = np.where(numbers == number(strict.missing_marker), np.nan, numbers)
        special = int(np.isnan(numbers).sum())
        clipped = int(np.sum(numbers < _or(strict.low, -np.inf)) + np.sum(numbers > _or(strict.high, np.inf)))
    missing = _missing(values, getattr(declared, "missing_marker", None))
    return ColumnCheck(name, missing, special - missing, clipped)


def _outside(declared: Datetime, values: Any) -> int:
    """Moments that a codec with one more step at either end puts there."""
    step = timedelta(seconds=SECONDS[declared.resolution])
    first, last = (EPOCH + number * step for number in declared.steps)
    wider = codec_for(replace(declared, low=first - step, high=last + step, nullable=True))
    return int(np.isin(wider.encode(values), (0, wider.size - 2)).sum())


def _missing(values: Any, marker: Any) -> int:
    """Nulls, and values that say what the marker says."""
    series = values if isinstance(values, pd.Series) else values.to_pandas()
    said = 0 if marker is None else int((series.astype(str) == str(marker)).sum())
    if isinstance(marker, int | float):
        said = int(np.sum(read_numbers(series) == marker))
    return int(series.isna().sum()) + said


def _or(bound: float | None, default: float) -> float:
    return default if bound is None else bound
