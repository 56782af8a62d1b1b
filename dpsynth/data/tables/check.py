"""What a fit would do to raw values that the schema does not declare, for the data owner only.

PRIVATE: these are exact counts of private rows. They help a person to correct a schema. Nothing of
them may enter a release or leave the owner's screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from dpsynth.data.engines.files import Rows, column, column_names
from dpsynth.data.tables.codec import check_columns, codec_for
from dpsynth.data.tables.unread import UNKNOWN, likely_reason
from dpsynth.data.values import is_null, number, read, read_numbers, steps_of
from dpsynth.schema.columns import OpenCategorical, Scalar, folded
from dpsynth.schema.table import Boolean, Categorical, Column, Datetime, Numeric, Schema
from dpsynth.schema.texts import number_reader

MAX_UNDECLARED = 0.2
"""The share of undeclared values from which on the schema, or the file, must be wrong."""


@dataclass(frozen=True)
class ColumnCheck:
    """How many values of a column a fit would not take as they are.

    missing: those that are missing, or say what the missing marker says, in a column that declares
    them. undeclared: those that cannot be read, are no category, or are missing without being
    declared. clipped: those outside the bounds. reason: where more than a fifth are undeclared, the
    likely kind of fault; no value is quoted. never: declared categories that do not occur. becomes:
    what a fit makes of the undeclared. refused: why a fit refuses the column, by its name.
    """

    name: str
    missing: int
    undeclared: int
    clipped: int
    reason: str | None = None
    never: tuple[Scalar, ...] = ()
    becomes: str = ""
    refused: str | None = None


class _Found(NamedTuple):
    """Which values cannot be read or are missing; how many are clipped; what never occurs."""

    special: np.ndarray
    clipped: int
    never: tuple[Scalar, ...] = ()


def check_rows(rows: Rows, schema: Schema) -> list[ColumnCheck]:
    """One ColumnCheck for each column that is read; SchemaError for columns not the schema's."""
    schema.refuse_text()
    check_columns(column_names(rows), schema)
    refused = schema.identifying()
    return [
        replace(_check(name, declared, column(rows, name)), refused=refused.get(name))
        for name, declared in schema.coded.items()
    ]


def _check(name: str, declared: Column, values: Any) -> ColumnCheck:
    if isinstance(declared, OpenCategorical):  # any value may be found
        nulls = int(missing_in(declared, values).sum())
        told = (nulls, 0) if declared.nullable else (0, nulls)
        return ColumnCheck(name, *told, 0, becomes=_becomes(declared.settled()))
    assert isinstance(declared, Numeric | Categorical | Boolean | Datetime)
    missing = missing_in(declared, values)
    special, clipped, never = _special(declared, values)
    undeclared = special & ~missing if declared.nullable else special
    count = int(undeclared.sum())
    reason = None
    if count > MAX_UNDECLARED * len(undeclared):
        reason = likely_reason(declared, _objects(values, undeclared))
        if reason == UNKNOWN and getattr(declared, "other", None) is not None:
            reason = None  # a category was declared for them
    if count:  # what is undeclared becomes the category `other`, which then occurs
        never = tuple(each for each in never if each != getattr(declared, "other", None))
    absent = int(missing.sum()) if declared.nullable else 0
    return ColumnCheck(name, absent, count, clipped, reason, never, _becomes(declared))


def _becomes(declared: Column) -> str:
    """What a fit makes of values that it cannot read as declared."""
    other = getattr(declared, "other", None)
    if other is not None:
        return repr(other)
    return "missing" if getattr(declared, "nullable", False) else "drawn anew"


def _objects(values: Any, chosen: np.ndarray) -> list[object]:
    """The chosen values as Python objects; text that is not UTF-8 as bytes."""
    return [value for value, wanted in zip(read(values, _Objects()), chosen, strict=True) if wanted]


def missing_in(declared: Column, values: Any) -> np.ndarray:
    """For each value whether it is missing, or is the missing marker."""
    if isinstance(declared, Datetime):
        nulls = read(values, _Missing(None, declared)).astype(bool)
        return nulls | (steps_of(values, declared) == declared.marker_step)
    return read(values, _Missing(getattr(declared, "missing_marker", None), declared)).astype(bool)


def _special(declared: Column, values: Any) -> _Found:
    if isinstance(declared, Numeric):
        return _special_numbers(declared, values)
    assert isinstance(declared, Categorical | Boolean | Datetime)
    # Nullable and without another category, so that the last cell holds all of them and no others.
    strict = replace(declared, nullable=True)
    if isinstance(strict, Categorical):
        strict = replace(strict, other=None)
    codec = codec_for(strict)
    codes = codec.encode(values)
    special = codes == codec.size - 1
    if isinstance(strict, Datetime):
        return _Found(special, _outside(strict, values))
    if isinstance(strict, Boolean):
        return _Found(special, 0)
    occurring = set(np.unique(codes).tolist())
    listed: tuple[Scalar, ...] = tuple(strict.categories)
    never = (name for code, name in enumerate(listed) if code not in occurring)
    return _Found(special, 0, tuple(never))


def _special_numbers(declared: Numeric, values: Any) -> _Found:
    numbers = read_numbers(values, declared)
    marker = number(declared.missing_marker, number_reader(declared))
    numbers = np.where(numbers == marker, np.nan, numbers)
    below = np.sum(numbers < (-np.inf if declared.low is None else declared.low))
    above = np.sum(numbers > (np.inf if declared.high is None else declared.high))
    return _Found(np.isnan(numbers), int(below + above))


def _outside(declared: Datetime, values: Any) -> int:
    """How many times lie outside the bounds, cut to the resolution as the bounds are."""
    first, last = declared.steps
    steps = steps_of(values, declared)
    outside = (steps < first) | (steps > last)
    return int((outside & (steps != declared.marker_step)).sum())


class _Missing:
    """Reads whether a value is missing: 1 or 0."""

    def __init__(self, marker: Any, column: Column) -> None:
        self._spelled = folded if getattr(column, "ignore_case", False) else str.strip
        self._text = self._spelled(marker) if isinstance(marker, str) else None
        self._of_text = number_reader(column)
        self._number = math.nan if marker is None else number(marker, self._of_text)

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return np.fromiter(map(self._is, values), dtype=np.int64)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return (np.isnan(values) | (values == self._number)).astype(np.int64)

    def datetimes(self, values: np.ndarray) -> np.ndarray:
        return np.isnan(values).astype(np.int64)

    def _is(self, value: object) -> bool:
        if isinstance(value, str) and self._text is not None:
            return self._spelled(value) == self._text
        return is_null(value) or number(value, self._of_text) == self._number


class _Objects:
    """Reads each value as it is."""

    def objects(self, values: Iterable[object]) -> np.ndarray:
        listed = list(values)
        found = np.empty(len(listed), dtype=object)
        found[:] = listed
        return found

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return values.astype(object)

    def datetimes(self, values: np.ndarray) -> np.ndarray:
        return values.astype(object)
