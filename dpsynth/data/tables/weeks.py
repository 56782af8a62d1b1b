"""Weeks: when in the week the times of a column lie, where cells are longer than an hour or a day.

A cell of a column that keeps a year to the hour is 17 hours long. A charged look
(`mechanisms.weeks`) says how many rows each of the 168 hours of a week has, or each weekday where
days are kept; times are then drawn from a cell as these say, and not evenly.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dpsynth.data import values as raw
from dpsynth.data.tables.cells import DatetimeCodec
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.cuts import with_span
from dpsynth.data.tables.parts import Parts
from dpsynth.door.codes import Cuts
from dpsynth.schema.columns import SECONDS, Datetime
from dpsynth.schema.table import Schema
from dpsynth.schema.texts import moment_reader

_DAYS = 7
_MONDAY = 3
"""1970 began on a Thursday."""

_MOST = 2**20
"""Columns with more hours or days between their bounds are drawn evenly: 120 years of hours."""

_LEAST = 1e-4
"""Of an even share: what every part of a week has at least, so that no cell is without any."""


def with_weeks(schema: Schema) -> dict[str, Datetime]:
    """The columns whose cells hold several hours, or several days where days are kept."""
    found = {}
    for name, column in schema.columns.items():
        if isinstance(column, Datetime):
            codec = codec_for(column)
            longest = max(codec.widths or (1.0,)) * SECONDS[column.resolution]
            first, last = _pieces_of(column, np.array([0, column.steps[1] - column.steps[0]]))
            if longest > _length(column) and last - first < _MOST:
                found[name] = column
    return found


class WeekCoding:
    """When in the week each time of a column lies: Monday's first hour is 0, or Monday is.

    Times outside of the bounds count where the bounds do, as they do in the cells. The last code is
    of what is missing, and of what is no time.
    """

    def __init__(self, column: Datetime) -> None:
        parts = _parts(column)
        self.size = parts + 1
        self.null = self.bad = parts
        self.numbers = Cuts([], [self.bad])
        self._of_text = moment_reader(column)
        first, last = _pieces_of(column, np.array([0, column.steps[1] - column.steps[0]]))
        pieces = np.arange(first, last + 1)
        cuts = Cuts(pieces[1:] * float(_length(column)), _in_week(column, pieces))
        step = SECONDS[column.resolution]
        marked = column.marker_step * step
        self.datetimes = with_span(cuts, marked, marked + step, self.null)

    def code(self, value: object) -> int:
        seconds = raw.epoch_seconds(value, self._of_text)
        return self.null if math.isnan(seconds) else self.datetimes.of(seconds)


def with_week(
    parts: Parts, column: Datetime, codec: DatetimeCodec, week: tuple[float, ...]
) -> Parts:
    """The same parts of cells, cut into hours or days that count as the parts of a week do.

    week: the share of each.
    """
    shares = np.asarray(week) + _LEAST / len(week)
    first, last = codec.grid.ends()
    held = _cut(column, np.arange(len(first)), first, last, shares)
    whole = np.bincount(held[0], held[3])
    cells, first, last, mass = _cut(column, parts.cells, parts.first, parts.last, shares)
    return replace(parts, cells=cells, first=first, last=last, shares=mass / whole[cells])


def _cut(
    column: Datetime, cells: np.ndarray, first: np.ndarray, last: np.ndarray, shares: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ranges of steps cut into hours or days: for each its cell, first and last step, and mass."""
    begin, end = _pieces_of(column, first), _pieces_of(column, last)
    number = end - begin + 1
    of = np.repeat(np.arange(len(first)), number)
    pieces = begin[of] + np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    steps = _length(column) // SECONDS[column.resolution]
    low = np.maximum(pieces * steps - column.steps[0], first[of])
    high = np.minimum((pieces + 1) * steps - column.steps[0] - 1, last[of])
    return cells[of], low, high, shares[_in_week(column, pieces)] * (high - low + 1)


def _parts(column: Datetime) -> int:
    """How many parts of a week are told apart."""
    return _DAYS if column.resolution == "D" else 24 * _DAYS


def _length(column: Datetime) -> int:
    """Of a part, in seconds."""
    return SECONDS["D" if column.resolution == "D" else "h"]


def _pieces_of(column: Datetime, steps: np.ndarray) -> np.ndarray:
    """The hour or day, counted from 1970 on, of these steps from the column's first one on."""
    return np.asarray((column.steps[0] + steps) * SECONDS[column.resolution] // _length(column))


def _in_week(column: Datetime, pieces: np.ndarray) -> np.ndarray:
    parts = _parts(column)
    return np.asarray((pieces + _MONDAY * parts // _DAYS) % parts)
