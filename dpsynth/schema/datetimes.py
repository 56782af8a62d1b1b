"""Columns of dates and times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from dpsynth.schema.declared import Facts, SchemaError, check_flags, check_marker, refuse
from dpsynth.schema.formats import moment_fault

Resolution = Literal["D", "h", "min", "s"]

SECONDS: dict[str, int] = {"D": 86_400, "h": 3_600, "min": 60, "s": 1}
"""Seconds in one step of each resolution."""

UNITS = {"D": "day", "h": "hour", "min": "minute", "s": "second"}
"""What one step of each resolution is called."""

PARTS = ("month", "weekday", "hour")
"""What a column of times may be modelled by, in the order in which it is drawn."""

DAY = SECONDS["D"]
_LEAST_DAYS = {"weekday": 7, "hour": 1}
_LEAST_MONTHS = 12
_MOST_PIECES = 2**20
"""Hours or days between the bounds, of a column with parts: 119 years of hours."""

EPOCH = datetime(1970, 1, 1)
"""The point in time from which steps are counted, in UTC."""


@dataclass(frozen=True, repr=False)
class Datetime(Facts):
    """A column of dates or times from `low` to `high`; those outside are clipped.

    Parameters
    ----------
    low, high : str or datetime.date
        Public bounds: ISO-8601 text, dates or datetimes. Kept as ISO text in the column's
        zone, cut to the resolution.
    resolution : {"D", "h", "min", "s"}
        How finely times are kept: to the day, hour, minute or second.
    nullable : bool
        Whether values may be missing.
    missing_marker : str, datetime.date or None
        A date that stands for missing, such as "9999-12-31", kept as the bounds are: all times in
        its day, hour, minute or second stand for it.
    format : str or None
        How text writes dates, such as "%d.%m.%Y" or "%d %b %Y %H:%M": Y year, y its last two
        digits, m month, b its English name, d day, H hour, I and p hour with AM or PM, M minute, S
        second, f fraction, z zone. A year of two digits is the last such year that is not after
        `high`. "2020-01-31" is read besides, where the format does not begin with a year.
    zone : str or None
        The zone whose local times these are, such as "Europe/Berlin". Values that state a zone or
        an offset of their own are converted to it, and others are local times already. None for
        UTC.
    parts : sequence of {"month", "weekday", "hour"}
        Calendar parts that a fit models as attributes of their own, so that it can count them
        together with other columns and with each other. Empty for none: the column is then
        modelled as a place on a line (docs/values.md says which is nearer).

    Raises
    ------
    SchemaError
        For bounds that are no dates or in the wrong order, for another resolution, for a marker
        that is no date, or of a column without missing values, for a format that is none, and for
        parts that are not known, that the resolution does not tell, or that need more time between
        the bounds.

    Examples
    --------
    >>> Datetime("2020-01-01T05:59", "2021-01-01", resolution="h").low
    '2020-01-01T05:00'
    >>> Datetime("1969-12-31", "1970-01-02").steps
    (-1, 1)
    """

    low: str | date
    high: str | date
    _: KW_ONLY
    resolution: Resolution = "D"
    nullable: bool = False
    missing_marker: str | date | None = None
    format: str | None = None
    zone: str | None = None
    parts: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_flags(self, "nullable")
        zone = zone_of(self.zone)
        if self.format is not None:
            refuse(moment_fault(self.format))
        if self.resolution not in tuple(SECONDS):
            raise SchemaError(
                f"resolution must be one of {list(SECONDS)}, got {self.resolution!r}: choose one"
            )
        marker = () if self.missing_marker is None else ("missing_marker",)
        for name in ("low", "high", *marker):
            given = getattr(self, name)
            object.__setattr__(self, name, _iso(given, name, self.resolution, zone))
        check_marker(self)
        low, high = self.steps
        if low > high:
            raise SchemaError(f"low={self.low} is after high={self.high}: exchange them")
        first = int(str(self.high)[:4]) - 99
        if "%y" in (self.format or "") and int(str(self.low)[:4]) < first:
            raise SchemaError(
                f"low={self.low} is in a year that two digits cannot say, as with high={self.high}"
                f" they say {first} to {first + 99}: write a low from {first} on, or %Y"
            )
        self._check_parts()

    @property
    def whole_days(self) -> tuple[int, int]:
        """The first and the last day of which all steps lie between the bounds, since 1970."""
        first, last = (bound * SECONDS[self.resolution] for bound in self.steps)
        return -(-first // DAY), (last + SECONDS[self.resolution]) // DAY - 1

    @property
    def months(self) -> tuple[int, int]:
        """The first and the last month with seven such days, and so with every weekday."""
        first, last = self.whole_days
        days = np.array([first + 6, last - 6], dtype="datetime64[D]")
        low, high = days.astype("datetime64[M]").astype(np.int64).tolist()
        return low, high

    def _check_parts(self) -> None:
        """Keep the parts in their order; SchemaError where the column does not bear them."""
        given = self.parts if isinstance(self.parts, list | tuple) else (self.parts,)
        if strange := [part for part in given if part not in PARTS]:
            raise SchemaError(
                f"parts must be some of {list(PARTS)}, got {strange[0]!r}: name these"
            )
        parts = tuple(part for part in PARTS if part in given)
        if len(given) > len(parts):
            twice = next(part for part in given if list(given).count(part) > 1)
            raise SchemaError(f"parts names {twice!r} more than once: name it once")
        object.__setattr__(self, "parts", parts)
        if not parts:
            return
        if "hour" in parts and self.resolution == "D":
            raise SchemaError(
                "parts has 'hour', and resolution 'D' keeps no hours: declare resolution='h', or"
                " leave 'hour' out"
            )
        first, last = self.whole_days
        needed = max([_LEAST_DAYS.get(part, 0) for part in parts], default=0)
        if last - first + 1 < needed:
            raise SchemaError(
                f"parts {list(parts)} need {needed} whole days between the bounds, and {self.low}"
                f" to {self.high} has {max(0, last - first + 1)}: widen the bounds, or leave parts"
                " out"
            )
        first, last = self.months
        if "month" in parts and last - first + 1 < _LEAST_MONTHS:
            raise SchemaError(
                f"parts has 'month', which needs {_LEAST_MONTHS} months between the bounds,"
                f" and {self.low} to {self.high} has {max(0, last - first + 1)}: leave 'month' out"
            )
        if (self.steps[1] - self.steps[0]) // self.piece > _MOST_PIECES:
            raise SchemaError(
                f"parts {list(parts)} are for at most {_MOST_PIECES:,} hours or days between the"
                f" bounds, and {self.low} to {self.high} has more: move the bounds, or leave parts"
                " out"
            )

    @property
    def piece(self) -> int:
        """How many steps have all parts alike: those of an hour, or of a day."""
        length = SECONDS["h"] if "hour" in self.parts else DAY
        return length // SECONDS[self.resolution]

    @property
    def steps(self) -> tuple[int, int]:
        """The bounds in whole steps of the resolution since 1970-01-01."""
        return self._step(self.low), self._step(self.high)

    @property
    def marker_step(self) -> float:
        """The step whose times stand for missing; NaN where there is none."""
        return math.nan if self.missing_marker is None else self._step(self.missing_marker)

    def _step(self, bound: str | date) -> int:
        step = timedelta(seconds=SECONDS[self.resolution])
        return (datetime.fromisoformat(str(bound)) - EPOCH) // step


def zone_of(name: Any) -> tzinfo:
    """The zone of this name; UTC for None."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, TypeError, LookupError, AttributeError):
        raise SchemaError(
            f"zone must be the name of a time zone such as 'Europe/Berlin', got {name!r}: write it"
            " so, or leave it out for UTC"
        ) from None


def _iso(value: Any, name: str, resolution: str, zone: tzinfo) -> str:
    """A bound as ISO text in its column's zone, cut to the resolution."""
    try:
        when = _datetime(value, zone)
    except (ValueError, OverflowError):
        raise SchemaError(
            f"{name} must be an ISO-8601 date such as '2020-01-31', got {value!r}: write it so"
        ) from None
    if resolution == "D":
        return when.date().isoformat()
    if resolution == "h":
        when = when.replace(minute=0)
    precision = "seconds" if resolution == "s" else "minutes"
    return when.replace(tzinfo=None).isoformat(timespec=precision)


def _datetime(value: Any, zone: tzinfo) -> datetime:
    """A bound as a datetime in this zone, without one where none was given; else ValueError."""
    if isinstance(value, np.datetime64):
        value = str(value.astype("datetime64[s]"))
    if not isinstance(value, str | date):
        raise ValueError
    when = datetime.fromisoformat(value.isoformat() if isinstance(value, date) else value)
    return when.astimezone(zone) if when.tzinfo else when
