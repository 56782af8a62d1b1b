"""What a fit would do to raw values that the schema does not declare, for the data owner only.

PRIVATE: these are exact counts of private rows. They help a person to correct a schema. Nothing of
them may enter a release or leave the owner's screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dpsynth.data.engines.files import Rows, column, column_names
from dpsynth.data.tables.codec import check_columns, codec_for
from dpsynth.data.values import is_null, number, read, read_numbers, steps_of
from dpsynth.schema.table import Boolean, Categorical, Column, Datetime, Numeric, Schema


@dataclass(frozen=True)
class ColumnCheck:
    """How many values of a column a fit would not take as they are.

    missing: those that are missing, or say what the missing marker says. undeclared: those that
    cannot be read, or are no category. clipped: those outside the bounds.
    """

    name: str
    missing: int
    undeclared: int
    clipped: int


def check_rows(rows: Rows, schema: Schema) -> list[ColumnCheck]:
    """One ColumnCheck for each column that is read; SchemaError for columns not the schema's."""
    schema.refuse_text()
    check_columns(column_names(rows), schema)
    return [_check(name, declared, column(rows, name)) for name, declared in schema.coded.items()]


def _check(name: str, declared: Column, values: Any) -> ColumnCheck:
    if isinstance(declared, Numeric):
        special, clipped = _check_numbers(declared, values)
    else:
        special, clipped = _check_codes(declared, values)
    if isinstance(declared, Datetime):
        reader, marked = _Missing(None), steps_of(values, declared) == declared.marker_step
    else:
        reader, marked = _Missing(getattr(declared, "missing_marker", None)), False
    missing = int((read(values, reader).astype(bool) | marked).sum())
    return ColumnCheck(name, missing, special - missing, clipped)


def _check_numbers(declared: Numeric, values: Any) -> tuple[int, int]:
    """How many values are no number, or missing; and how many lie outside the public bounds."""
    numbers = read_numbers(values)
    numbers = np.where(numbers == number(declared.missing_marker), np.nan, numbers)
    below = np.sum(numbers < (-np.inf if declared.low is None else declared.low))
    above = np.sum(numbers > (np.inf if declared.high is None else declared.high))
    return int(np.isnan(numbers).sum()), int(below + above)


def _check_codes(declared: Column, values: Any) -> tuple[int, int]:
    """How many values a codec cannot read, or finds missing; and how many it would clip."""
    assert isinstance(declared, Categorical | Boolean | Datetime)
    # Nullable and without another category, so that the last cell holds all of them and no others.
    strict = replace(declared, nullable=True)
    if isinstance(strict, Categorical):
        strict = replace(strict, other=None)
    codec = codec_for(strict)
    special = int(np.sum(codec.encode(values) == codec.size - 1))
    clipped = _outside(strict, values) if isinstance(strict, Datetime) else 0
    return special, clipped


def _outside(declared: Datetime, values: Any) -> int:
    """How many times lie outside the bounds, cut to the resolution as the bounds are."""
    first, last = declared.steps
    steps = steps_of(values, declared)
    outside = (steps < first) | (steps > last)
    return int((outside & (steps != declared.marker_step)).sum())


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
