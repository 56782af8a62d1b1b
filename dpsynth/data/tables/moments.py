"""Moments: the steps of a column by which rows follow each other, as numbers from 0 on.

Public facts decide: the column's bounds and steps, and how its values are written. A column of
numbers without steps has as many as tell a millionth of its range apart.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data import values as raw
from dpsynth.data.tables.codec import codec_for
from dpsynth.schema.columns import SECONDS
from dpsynth.schema.table import Datetime, Numeric
from dpsynth.schema.texts import moment_reader, number_reader

_WEEK = 7
"""Days."""

_PARTS = 1_000_000
"""Of the range of numbers without steps."""


class Moments:
    """The coding of an order by its steps. The last cell is that of what cannot be read.

    Examples
    --------
    >>> days = Moments(Datetime("2020-01-01", "2020-12-31"))
    >>> days.size, days.of_text("2020-01-03")
    (367, 2)
    >>> days.values(np.array([0, 365]), np.random.default_rng(0)).dt.day.tolist()
    [1, 31]
    """

    def __init__(self, column: Numeric | Datetime) -> None:
        self.column = column
        if isinstance(column, Datetime):
            self._step: float = SECONDS[column.resolution]
            self._low: float = column.steps[0] * self._step
            self.last = column.steps[1] - column.steps[0]
        else:
            assert column.low is not None
            assert column.high is not None
            span = column.high - column.low
            self._step = column.spacing if column.spacing is not None else (span or 1) / _PARTS
            self._low = column.low
            self.last = round(span / self._step)
        self.size = self.last + 2
        self.null = self.bad = self.last + 1

    @property
    def stretch(self) -> int:
        """How many steps are modelled as one: a day of times over more than a week, else one step.

        What is left of a day is then modelled by itself, as the hours of days are alike.
        """
        if not isinstance(self.column, Datetime):
            return 1
        day = round(SECONDS["D"] / self._step)
        return day if self.last >= _WEEK * day else 1

    @property
    def weekly(self) -> bool:
        """Whether stretches are days of several weeks, of which the days of the week may differ."""
        days = self._step * self.stretch == SECONDS["D"]
        dates = isinstance(self.column, Datetime)
        return dates and days and self.last >= 2 * _WEEK * self.stretch

    @property
    def stretches(self) -> int:
        """The number of the last stretch."""
        return self.last // self.stretch

    @property
    def numbers(self) -> _Steps:
        """Steps of numbers; none of a column of dates."""
        return _Steps(self, isinstance(self.column, Numeric))

    @property
    def datetimes(self) -> _Steps:
        """Steps of dates, in seconds since 1970; none of a column of numbers."""
        return _Steps(self, isinstance(self.column, Datetime))

    def code(self, value: Any) -> int:
        """The step of one value that is neither missing nor a number nor a date, such as a text."""
        if isinstance(self.column, Datetime):
            said = raw.epoch_seconds(value, moment_reader(self.column))
            return self.bad if math.isnan(said) else self.datetimes.of(said)
        said = raw.number(value, number_reader(self.column))
        return self.bad if math.isnan(said) else self.numbers.of(said)

    of_text = code

    def step(self, numbers: np.ndarray) -> np.ndarray:
        """The steps of numbers, or of seconds since 1970; those outside the bounds are clipped."""
        found = np.clip(np.floor((numbers - self._low) / self._step + 1e-9), 0, self.last)
        return found.astype(np.int64)

    def values(self, steps: np.ndarray, rng: np.random.Generator) -> pd.Series[Any]:
        """The values at steps, as a release has them; missing where a step is the last cell."""
        codec = codec_for(self.column)
        if isinstance(self.column, Datetime):
            seconds = self._low + np.minimum(steps, self.last) * self._step
            exact: Any = seconds.astype("datetime64[s]")
        else:
            exact = self._low + np.minimum(steps, self.last) * self._step
        drawn = codec.decode(np.where(steps > self.last, codec.null, 0), rng)
        found = drawn.copy()
        there = ~drawn.isna().to_numpy()
        found[there] = pd.Series(exact[there]).astype(drawn.dtype).to_numpy()
        return found


class _Steps:
    """The steps of numbers or of dates; `there`: whether the column has such values."""

    def __init__(self, moments: Moments, there: bool) -> None:
        self._moments, self._there = moments, there

    def of(self, number: float) -> int:
        return int(self.at(np.array([number]))[0])

    def at(self, numbers: np.ndarray) -> np.ndarray:
        if not self._there:
            return np.full(len(numbers), self._moments.bad)
        return self._moments.step(numbers)
