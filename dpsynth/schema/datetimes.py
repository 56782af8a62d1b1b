"""Columns of dates and times."""

from __future__ import annotations

import math
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

    Raises
    ------
    SchemaError
        For bounds that are no dates or in the wrong order, for another resolution, for a marker
        that is no date, or of a column without missing values, and for a format that is none.

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
