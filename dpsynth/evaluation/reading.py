"""What raw values are, one by one: missing, outside the public domain, repeated.

For evidence only, never for a fit.

A codec forgives: it clips, and maps what it does not know. Evidence does not: a release must keep
to its schema.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.tables.codec import codec_for
from dpsynth.data.values import is_null, number, read, read_numbers, steps_of
from dpsynth.schema.columns import (
    SECONDS,
    Boolean,
    Categorical,
    Column,
    Datetime,
    Numeric,
    OpenCategorical,
    folded,
)
from dpsynth.schema.texts import number_reader

_TOLERANCE = 1e-6
"""How far, in steps, a number may lie from its grid: decimal steps such as 0.1 are not exact."""


@dataclass(frozen=True)
class _Reader:
    """Reads each value as a float64, by the three forms that containers come down to."""

    value: Callable[[object], float]
    of_numbers: Callable[[np.ndarray], np.ndarray]
    of_datetimes: Callable[[np.ndarray], np.ndarray]

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return np.fromiter(map(self.value, values), dtype=np.float64)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return self.of_numbers(values)

    def datetimes(self, values: np.ndarray) -> np.ndarray:
        return self.of_datetimes(values)


def _unread(values: np.ndarray) -> np.ndarray:
    return np.full(len(values), np.nan)


_NULLS = _Reader(is_null, np.isnan, np.isnan)


def missing_and_outside(
    values: Any, column: Column, bounds: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Two boolean arrays, one entry for each row: is the value missing; does the schema forbid it.

    bounds: the learned bounds, if any were. A missing value is forbidden where the column is not
    nullable.
    """
    missing = read(values, _NULLS).astype(bool) | _marked(values, column)
    match column:
        case Numeric():
            allowed = _on_grid(read_numbers(values, column), column, bounds)
        case Datetime():
            low, high = column.steps
            steps = steps_of(values, column)
            allowed = (low <= steps) & (steps <= high)
        case Boolean() | Categorical():
            codec = codec_for(_strict(column))
            allowed = codec.encode(values) < codec.size - 1
            missing &= ~allowed
        case OpenCategorical():
            raise ValueError(
                "the categories of an open column are found by a fit: compare by the schema that"
                " has them, schema.settled(synthesizer.categories) or schema.yaml of the release"
            )
        case _:
            raise ValueError(
                f"a column of type {type(column).__name__} has no public values to compare with:"
                " leave it out of the schema that is compared"
            )
    return missing, ~np.where(missing, column.nullable, allowed)


def span(values: Any, column: Column) -> tuple[float, float] | None:
    """Smallest and largest finite number in a numeric column; None where there is none."""
    x = read_numbers(values, column)
    missing, _ = missing_and_outside(values, column, None)
    x = x[np.isfinite(x) & ~missing]
    return (float(x.min()), float(x.max())) if x.size else None


def as_numbers(values: Any, column: Column) -> np.ndarray:
    """One float64 for each row: the number, the seconds since 1970, or the category's position.

    Moments are cut to the column's resolution. Nothing is clipped. Missing values, and what is none
    of a column's categories, are NaN.
    """
    match column:
        case Numeric():
            return np.where(_marked(values, column), np.nan, read_numbers(values, column))
        case Datetime():
            seconds = steps_of(values, column) * SECONDS[column.resolution]
            return np.where(_marked(values, column), np.nan, seconds)
        case Boolean() | Categorical():
            codec = codec_for(_strict(column))
            codes = codec.encode(values)
            return np.where(codes < codec.size - 1, codes, np.nan)
    raise ValueError(f"a column of type {type(column).__name__} is never read: leave it out")


def repeated_share(columns: Iterable[Any], rows: int) -> float:
    """The share of rows that equal an earlier row in all of these columns; 0 for no rows."""
    group = np.zeros(rows, dtype=np.int64)
    for values in columns:
        numbers = _grouped(values)
        group = pd.factorize(group * (int(numbers.max(initial=0)) + 1) + numbers)[0]
    return 1 - len(np.unique(group)) / rows if rows else 0.0


def _on_grid(x: np.ndarray, column: Numeric, bounds: tuple[float, float] | None) -> np.ndarray:
    low, high = bounds or (-math.inf, math.inf)
    low = low if column.low is None else column.low
    high = high if column.high is None else column.high
    allowed: np.ndarray = (low <= x) & (x <= high)
    if column.spacing is not None:
        anchor = next((bound for bound in (column.low, column.high) if bound is not None), 0)
        with np.errstate(invalid="ignore"):
            steps = (x - anchor) / column.spacing
            # A double far from the anchor has fewer digits left for the fraction of a step.
            allowed &= np.abs(steps - np.rint(steps)) <= _TOLERANCE + np.abs(steps) * 2.0**-50
    return allowed


def _strict(column: Categorical | Boolean) -> Categorical | Boolean:
    """The same column with a special cell for all that is none of its values."""
    strict = replace(column, nullable=True)
    return replace(strict, other=None) if isinstance(strict, Categorical) else strict


def _marked(values: Any, column: Column) -> np.ndarray:
    """Is the value the column's marker of missing ones, or the number that the marker spells."""
    if isinstance(column, Datetime):
        return steps_of(values, column) == column.marker_step
    marker = getattr(column, "missing_marker", None)
    if marker is None:
        return np.zeros(len(values), dtype=bool)
    text = _folded(marker, column)
    of_text = number_reader(column)
    as_number = number(marker, of_text)

    def is_marker(value: object) -> bool:
        if isinstance(value, str) and _folded(value, column) == text:
            return True
        return number(value, of_text) == as_number

    found: np.ndarray = read(values, _Reader(is_marker, lambda x: x == as_number, _unread)) == 1
    return found


def _folded(value: object, column: Column) -> str:
    any_case = isinstance(column, Boolean) or getattr(column, "ignore_case", False)
    return folded(str(value)) if any_case else str(value).strip()


def _grouped(values: Any) -> np.ndarray:
    """For each value a number from 0, equal for equal values; missing values are equal."""
    series = values.to_pandas() if hasattr(values, "to_pandas") else values
    try:
        numbers = pd.factorize(series)[0]
    except TypeError:  # unhashable values: their text tells them apart
        numbers = pd.factorize(series.map(repr))[0]
    return np.asarray(numbers, dtype=np.int64) + 1
