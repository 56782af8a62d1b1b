"""Calendar parts: a column of times as attributes of a model, in the order in which they are drawn.

A column with `parts` is modelled as the period that a time lies in, and besides its month, its
weekday and its hour, as far as they are declared. Each is an attribute of its own, so that a fit
can count it together with other columns and with each other. A time that has all of them is drawn
when rows are decoded.

Periods have whole years, weeks or days from the lower bound on, and what is left over belongs to
the first and the last of them. So every period has every month, weekday and hour: whatever parts a
model draws together, there is a time between the bounds that has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.scale import Scale
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.grid import SINGLE_CELLS
from dpsynth.schema.columns import SECONDS, Categorical, Column, Datetime
from dpsynth.schema.datetimes import DAY

_SIZES = {"month": 12, "weekday": 7, "hour": 24}
_MONDAY = 3
"""1970 began on a Thursday."""


class CalendarStep:
    """A column of times that follows from its period, month, weekday and hour.

    attributes: of these, in their order, the period first. A missing time is missing in all.
    """

    def __init__(self, name: str, column: Datetime) -> None:
        self._name, self._column = name, column
        self._scale = Scale(column)
        first, last = column.steps
        self._pieces = np.arange(first // column.piece, last // column.piece + 1)
        seconds = self._pieces * (column.piece * SECONDS[column.resolution])
        days = seconds // DAY
        months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        found = {
            "month": months % 12,
            "weekday": (days + _MONDAY) % 7,
            "hour": seconds % DAY // SECONDS["h"],
        }
        kind, periods = _periods(column, days, months)
        self.period = f"{kind} of {name}"
        sizes = {self.period: int(periods[-1]) + 1}
        self._of_piece = {self.period: periods}
        for part in column.parts:
            sizes[f"{part} of {name}"] = _SIZES[part]
            self._of_piece[f"{part} of {name}"] = found[part]
        self._sizes = sizes
        self.attributes = tuple(sizes)
        codes = np.ravel_multi_index([*self._of_piece.values()], tuple(sizes.values()))
        self._order = np.argsort(codes, kind="stable")
        self._begin = np.searchsorted(codes[self._order], np.arange(np.prod([*sizes.values()]) + 1))
        self.makes: tuple[str, ...] = (name,)
        self.needs: tuple[str, ...] = ()

    def columns(self) -> dict[str, Column]:
        """A category for each period and for each value of a part; weekdays have no order."""
        nullable = self._column.nullable
        return {
            name: Categorical(
                range(size), ordered=not name.startswith("weekday"), nullable=nullable
            )
            for name, size in self._sizes.items()
        }

    def encoded(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """For each record its parts, -1 where it says no time. No value makes it raise."""
        steps = self._scale.read(values[self._name])
        missing = np.isnan(steps)
        pieces = np.where(missing, 0, steps // self._column.piece - self._pieces[0])
        at = pieces.astype(np.int64)
        return {name: np.where(missing, -1, of[at]) for name, of in self._of_piece.items()}

    def decode(self, rows: dict[str, Any], rng: np.random.Generator) -> None:
        """Add the times: each drawn evenly from those that have its parts."""
        drawn = [rows.pop(name).cat.codes.to_numpy().astype(np.int64) for name in self.attributes]
        missing = drawn[0] < 0
        parts = [_filled(part, missing, rng) for part in drawn]
        codes = np.ravel_multi_index(parts, tuple(self._sizes.values()))
        begin, end = self._begin[codes], self._begin[codes + 1]
        pieces = self._pieces[self._order[rng.integers(begin, end)]]
        steps = self._between(pieces, rng)
        rows[self._name] = self._scale.series(np.where(missing, np.nan, steps))

    def _between(self, pieces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A step of each piece, between the bounds; none that stands for missing."""
        low, high = self._column.steps
        first = np.maximum(pieces * self._column.piece, low)
        last = np.minimum((pieces + 1) * self._column.piece - 1, high)
        steps = rng.integers(first, last + 1).astype(np.float64)
        beside = np.where(steps < high, steps + 1, steps - 1)
        return np.where(steps == self._scale.marker, beside, steps)

    def able(
        self, holds: Callable[[pd.Series[Any]], np.ndarray], constants: tuple[Any, ...]
    ) -> dict[str, np.ndarray]:
        """For some attributes which cells a time that meets a condition can have, the last one of
        those that are missing; for others any.
        """
        codec = codec_for(self._column)
        parts = codec.parts(holds, constants)
        first, last = (each + self._column.steps[0] for each in (parts.first, parts.last))
        turns = np.zeros(len(self._pieces) + 1, dtype=np.int64)
        np.add.at(turns, first // self._column.piece - self._pieces[0], 1)
        np.add.at(turns, last // self._column.piece - self._pieces[0] + 1, -1)
        met = np.cumsum(turns[:-1]) > 0
        of = {self.period: self._of_piece[self.period]} if parts.special else self._of_piece
        return {
            name: np.append(
                np.bincount(cells[met], minlength=self._sizes[name]) > 0,
                bool(parts.special) or name != self.period,
            )
            for name, cells in of.items()
        }

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The first and the last step of each period."""
        low, high = self._column.steps
        starts = np.flatnonzero(np.diff(self._of_piece[self.period], prepend=-1))
        first = np.maximum(self._pieces[starts] * self._column.piece, low)
        return first, np.append(first[1:] - 1, high)


def _periods(column: Datetime, days: np.ndarray, months: np.ndarray) -> tuple[str, np.ndarray]:
    """What the periods are called, and that of each of these days."""
    if "month" in column.parts:
        kind, unit, (first, last), at = "year", 12, column.months, months
    else:
        kind, unit = ("week", 7) if "weekday" in column.parts else ("day", 1)
        (first, last), at = column.whole_days, days
    unit *= -(-(last - first + 1) // (unit * SINGLE_CELLS))  # several weeks where they are many
    number = max((last - first + 1) // unit, 1)
    return kind, np.clip((at - first) // unit, 0, number - 1)


def _filled(part: np.ndarray, missing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A part of each row: where a time has none, that of another one; any where it is missing."""
    lacks = (part < 0) & ~missing
    known = part[part >= 0]
    found = np.maximum(part, 0)
    if lacks.any() and len(known):
        found[lacks] = rng.choice(known, int(lacks.sum()))
    return found
