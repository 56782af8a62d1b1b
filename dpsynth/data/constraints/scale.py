"""Columns as numbers that can be added and compared, and back: each value by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.tables.bounds import decimals
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.values import number, read_numbers, steps_of
from dpsynth.schema.columns import SECONDS, Boolean, Categorical, Column, Datetime, Numeric
from dpsynth.schema.texts import number_reader

_ROUNDING = 1e-9
"""Relative, between two ways to compute one number in float64."""


class Scale:
    """The numbers of one column: a date is its step since 1970, a truth value is 1 or 0.

    spacing: between neighbouring numbers; None for a continuous column. anchor: one of the numbers
    of a column with steps.
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        self.low, self.high = _bounds(column)
        self.dated = isinstance(column, Datetime)
        self.spacing: float | None = None
        self.anchor: float = 0
        if isinstance(column, Datetime):
            self.spacing = 1
        elif isinstance(column, Numeric):
            self.spacing = column.spacing
            public = [bound for bound in (column.low, column.high) if bound is not None]
            self.anchor = public[0] if public else 0
        self.marker = _marker(column)

    def read(self, values: Any, *, clip: bool = True) -> np.ndarray:
        """The number of each raw value, float64, on a step; NaN where it says none.

        clip: whether numbers outside of the bounds are moved to them, as a fit does.
        """
        numbers = self._numbers(values)
        numbers = np.where(numbers == self.marker, np.nan, numbers)
        if clip:
            numbers = np.clip(numbers, self.low, self.high)
        return self.snapped(numbers)

    def released(self, values: pd.Series[Any]) -> np.ndarray:
        """The numbers of a column as a release has it: what `read` says of it, and sooner."""
        if isinstance(self.column, Datetime):
            moments = values.to_numpy().astype("datetime64[s]")
            steps = moments.astype(np.int64) / SECONDS[self.column.resolution]
            return np.where(np.isnat(moments), np.nan, steps)
        if isinstance(self.column, Numeric):
            return values.to_numpy(np.float64, na_value=np.nan)
        return self._numbers(values)

    def allowed(self, numbers: np.ndarray) -> np.ndarray:
        """Whether numbers lie between the bounds, or are missing in a column that allows it.

        What stands for missing does not count as a value.
        """
        between = (numbers >= self.low) & (numbers <= self.high) & (numbers != self.marker)
        nullable = bool(getattr(self.column, "nullable", False))
        return np.where(np.isnan(numbers), nullable, between)

    def snapped(self, numbers: np.ndarray) -> np.ndarray:
        """The nearest steps, written as people write them: 0.3, where 3 * 0.1 is a little more."""
        if self.spacing is None:
            return numbers
        with np.errstate(all="ignore"):
            return self.at(self.steps(numbers))

    def steps(self, numbers: np.ndarray) -> np.ndarray:
        """How many steps from the anchor each number lies."""
        return np.asarray(np.rint((numbers - self.anchor) / (self.spacing or 1)))

    def at(self, steps: np.ndarray) -> np.ndarray:
        """The numbers that lie so many steps from the anchor."""
        assert self.spacing is not None
        numbers = self.anchor + steps * self.spacing
        whole = isinstance(self.anchor, int) and isinstance(self.spacing, int)
        return numbers if whole else np.round(numbers, decimals(self.anchor, self.spacing))

    def lies_on(self, other: Scale) -> bool:
        """Whether each number of the column is on the other one's steps."""
        if other.spacing is None or self.spacing is None:
            return other.spacing is None
        steps = (self.spacing / other.spacing, (self.anchor - other.anchor) / other.spacing)
        return all(abs(each - round(each)) < _ROUNDING * max(1.0, abs(each)) for each in steps)

    def series(self, numbers: np.ndarray) -> pd.Series[Any]:
        """The numbers as a release has them, with the dtype of the column; NaN is missing."""
        missing = np.isnan(numbers)
        if isinstance(self.column, Datetime):
            steps = np.where(missing, 0, numbers).astype(np.int64)
            moments = (steps * SECONDS[self.column.resolution]).astype("datetime64[s]")
            moments[missing] = np.datetime64("NaT")
            return pd.Series(moments)
        if isinstance(self.column, Numeric) and self.column.integer:
            whole = np.where(missing, 0, numbers).astype(np.int64)
            return pd.Series(pd.arrays.IntegerArray(whole, missing))
        return pd.Series(numbers)

    def declared(self, values: Any) -> np.ndarray:
        """Whether each raw value is allowed as it is, without being moved to a bound or a step."""
        numbers = self._numbers(values)
        numbers = np.where(numbers == self.marker, np.nan, numbers)
        return self.allowed(numbers) & near(numbers, self.snapped(numbers), None)

    def _numbers(self, values: Any) -> np.ndarray:
        column = self.column
        if isinstance(column, Datetime):
            return steps_of(values, column)
        if isinstance(column, Numeric):
            return read_numbers(values, column)
        codes = codec_for(column).encode(values)
        known = [0.0, 1.0] if isinstance(column, Boolean) else list(map(float, _categories(column)))
        return np.append(known, np.nan)[np.minimum(codes, len(known))]


def near(one: np.ndarray, other: np.ndarray, spacing: float | None) -> np.ndarray:
    """Whether numbers are the same but for rounding; NaN is the same as NaN."""
    with np.errstate(all="ignore"):
        within = _ROUNDING * np.maximum(1.0, np.maximum(np.abs(one), np.abs(other)))
        close = np.abs(one - other) <= (within if spacing is None else 0.5 * spacing)
    return np.asarray(close | (np.isnan(one) & np.isnan(other)))


def _marker(column: Column) -> float:
    """The number that stands for missing; NaN where there is none."""
    if isinstance(column, Datetime):
        return column.marker_step
    if isinstance(column, Numeric):
        return number(column.missing_marker, number_reader(column))
    return np.nan


def _categories(column: Column) -> tuple[Any, ...]:
    assert isinstance(column, Categorical)
    return tuple(column.categories)


def _bounds(column: Column) -> tuple[float, float]:
    match column:
        case Datetime():
            return column.steps
        case Numeric():
            low = -np.inf if column.low is None else column.low
            return low, np.inf if column.high is None else column.high
        case Categorical():
            return min(column.categories), max(column.categories)  # type: ignore[return-value]
    return 0, 1
