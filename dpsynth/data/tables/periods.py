"""Periods: the day, week, month or year of a date, as a code that a unit of privacy is made of.

Public facts decide: the column's bounds, and how its dates are written. A date outside the bounds
lies in the first or the last period; what is missing or cannot be read has a code of its own.
"""

from __future__ import annotations

import math

import numpy as np

from dpsynth.data import values as raw
from dpsynth.data.tables.cuts import with_span
from dpsynth.door.codes import Coding, Cuts
from dpsynth.schema.columns import SECONDS
from dpsynth.schema.table import Datetime, Schema
from dpsynth.schema.texts import moment_reader

_UNITS = {"day": "D", "week": "W", "month": "M", "year": "Y"}
_MONDAY = 4
"""Weeks of numpy begin on Thursdays, as 1970 did: a Monday is four days later."""


def period_codings(schema: Schema) -> dict[str, Coding]:
    """For each column of dates in the schema's unit the coding of its periods.

    Parameters
    ----------
    schema : Schema
        Of the table; it declares these columns as Datetime.

    Returns
    -------
    dict of str to Coding
        By the name of the column; empty where the unit has no periods.

    Examples
    --------
    >>> from dpsynth import PrivacyUnit
    >>> visits = {"visit": Datetime("2020-01-15", "2020-12-31")}
    >>> schema = Schema(visits, unit=PrivacyUnit(["patient", "month(visit)"], max_records=5))
    >>> period_codings(schema)["visit"].size
    13
    """
    columns, periods = schema.columns, schema.unit.periods.items()
    found = {name: (columns[name], period) for name, period in periods}
    return {name: Periods(c, p) for name, (c, p) in found.items() if isinstance(c, Datetime)}


class Periods:
    """The coding of a column of dates by the periods between its bounds."""

    def __init__(self, column: Datetime, period: str) -> None:
        self._of_text = moment_reader(column)
        step = SECONDS[column.resolution]
        first, last = (bound * step for bound in column.steps)
        starts = _starts(first, last, period)
        self.size = len(starts) + 1
        self.null = self.bad = self.size - 1
        self.numbers = Cuts([], [self.bad])
        marked = column.marker_step * step
        periods = Cuts(starts[1:], np.arange(len(starts)))
        self.datetimes = with_span(periods, marked, marked + step, self.null)

    def code(self, value: object) -> int:
        seconds = raw.epoch_seconds(value, self._of_text)
        return self.null if math.isnan(seconds) else self.datetimes.of(seconds)


def _starts(first: int, last: int, period: str) -> np.ndarray:
    """When each period begins that has a second from `first` to `last`, in seconds since 1970."""
    shift = np.timedelta64(_MONDAY if period == "week" else 0, "D")
    moments = np.array([first, last], dtype="datetime64[s]") - shift
    low, high = moments.astype(f"datetime64[{_UNITS[period]}]")
    starts = np.arange(low, high + 1).astype("datetime64[s]") + shift
    return np.asarray(starts.astype(np.int64))
