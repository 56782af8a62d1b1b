"""What a fit would do to raw values that the schema does not foresee: for the data owner's eyes only.

PRIVATE: these are exact counts of private rows. They help a person to correct a schema; nothing of them may enter a
release or leave the owner's screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from dpsynth.data.engines.files import Rows, column, column_names
from dpsynth.data.tables.codec import check_columns, codec_for
from dpsynth.data.values import is_null, number, read, read_numbers
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
    return int(read(values, _Missing(marker)).sum())


class _Missing:
    """Reads whether a value is missing: 1 or 0."""

    def __init__(self, marker: Any) -> None:
        self._text = str(marker) if isinstance(marker, str) else None
        self._number = math.nan if marker is None else number(marker)

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return np.fromiter(map(self._is, values), dtype=np.int64)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return (np.isnan(values) | (values == self._number)).astype(np.int64)

    def moments(self, values: np.ndarray) -> np.ndarray:
        return np.isnan(values).astype(np.int64)

    def _is(self, value: object) -> bool:
        if isinstance(value, str) and self._text is not None:
            return str.__str__(value) == self._text
        return is_null(value) or number(value) == self._number


def _or(bound: float | None, default: float) -> float:
    return default if bound is None else bound
