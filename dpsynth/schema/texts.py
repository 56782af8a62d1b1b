"""What one text says: a number, or a time. Each text is read by itself, by public rules.

What is not sure to be meant is not read. "1,234.50" is a number, and "1,23,4" is none; "31.12.2020"
is no date until a schema says which part of it is the day.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from dpsynth.schema.columns import Column, Datetime, Numeric, number_of_text
from dpsynth.schema.datetimes import zone_of
from dpsynth.schema.formats import BLANK, MONTHS, moment_pattern

TextReader = Callable[[str], float]
"""Reads a text as a float64; NaN where it says nothing of the kind."""

_CURRENCY = (
    r"\\?[$\u00a2-\u00a5\u058f\u060b\u07fe\u07ff\u09f2\u09f3\u09fb\u0af1\u0bf9\u0e3f\u17db"
    r"\u20a0-\u20c1\ua838\ufdfc\ufe69\uff04\uffe0\uffe1\uffe5\uffe6]"
)
"""A currency sign, with a backslash before it where somebody escaped it."""

_SIGN = "[-+\u2212]"
_MARKS = {",": ",", ".": r"\.", " ": BLANK, "'": "['\u2019]"}
_INFINITE = {f"{s}{w}": float(f"{s}inf") for s in ("", "-", "+") for w in ("inf", "infinity")}
_WORDS = {"true": 1.0, "false": 0.0, **_INFINITE}
"""Numbers in words, whatever the decimal mark is."""


def number_of(text: str) -> float:
    """The number that a text says where nothing is declared; NaN if it says none.

    Examples
    --------
    >>> [number_of(text) for text in ("1e3", "$1,234.50", "12 %", "1,23,4", "true")]
    [1000.0, 1234.5, 12.0, nan, 1.0]
    """
    # What Python reads comes first: nearly all texts of numbers are of that kind.
    if str.isascii(text) and "_" not in text:
        try:
            return float(text)
        except ValueError:
            pass
    return _UNDECLARED.read(text)


def number_reader(column: Column) -> TextReader:
    """Reads the numbers of a column as its schema says that they are written."""
    if not isinstance(column, Numeric):
        return number_of
    facts = (column.mark, column.thousands, column.prefix, column.suffix, column.percent)
    if facts == (".", None, None, None, False):
        return number_of
    marks = _Marks(*facts)
    if column.mark == ",":
        return marks.read

    def read(text: str) -> float:
        number = number_of_text(text)
        return number if number == number else marks.read(text)

    return read


class _Marks:
    """What stands in the texts of a column's numbers, as one pattern."""

    def __init__(
        self,
        decimal: str = ".",
        thousands: str | None = None,
        prefix: str | None = None,
        suffix: str | None = None,
        percent: bool = False,
    ) -> None:
        self.percent = percent
        self.affixes = (prefix, suffix)
        marks = [thousands] if thousands else [mark for mark in _MARKS if mark != decimal]
        between = "|".join(_MARKS[mark] for mark in marks)
        point = _MARKS[decimal]
        grouped = rf"[1-9][0-9]{{0,2}}(?P<mark>{between})[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*"
        decimals = rf"(?:{point}[0-9]+)?"
        plain = rf"(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][-+]?[0-9]+)?"
        before = "|".join([_CURRENCY, *([re.escape(prefix)] if prefix else [])])
        after = "|".join([_CURRENCY, "%", *([re.escape(suffix)] if suffix else [])])
        self._pattern = re.compile(
            rf"(?:(?P<sign>{_SIGN})?(?P<before>{before}){BLANK}*)?(?P<inner>{_SIGN})?"
            rf"(?P<number>{grouped}{decimals}|{plain})(?:{BLANK}*(?P<after>{after}))?"
        )
        self._point = decimal

    def read(self, text: str) -> float:
        """The number in a text; NaN where it is written otherwise."""
        stripped = str.strip(text)
        found = self._pattern.fullmatch(stripped)
        if found is None:
            return _WORDS.get(stripped.lower(), math.nan)
        if found["sign"] and found["inner"]:
            return math.nan
        before, after = found["before"], found["after"]
        if before and after and (before, after) != self.affixes:
            return math.nan
        digits = found["number"]
        if found["mark"]:
            digits = digits.replace(found["mark"], "")
        number = float(digits.replace(self._point, "."))
        if after == "%" and self.percent:
            number /= 100
        return number if (found["sign"] or found["inner"] or "+") == "+" else -number


_UNDECLARED = _Marks()


@lru_cache(maxsize=256)
def moment_reader(column: Datetime) -> TextReader:
    """Reads the seconds since 1970, in a column's zone, of times that its schema describes."""
    zone = zone_of(column.zone)
    if column.format is None:
        return lambda text: iso_seconds(text, zone)
    pattern = moment_pattern(column.format)
    last_year = int(str(column.high)[:4])
    year_first = column.format.startswith("%Y")

    def read(text: str) -> float:
        found = pattern.fullmatch(str.strip(text))
        if found is not None:
            return _seconds(found.groupdict(), last_year, zone)
        return math.nan if year_first else iso_seconds(text, zone)

    return read


def iso_seconds(text: str, zone: tzinfo = UTC) -> float:
    """The seconds since 1970 of a date with its year first: "2020-01-31", "2020/01/31 12:00".

    NaN for any other text. A time that states no zone is one of this zone, and any other is
    converted to it.
    """
    stripped = str.strip(text)
    if stripped[4:5] == "/" == stripped[7:8]:
        stripped = f"{stripped[:4]}-{stripped[5:7]}-{stripped[8:]}"
    if stripped[4:5] != "-":
        return math.nan
    try:
        return _since_1970(datetime.fromisoformat(stripped), zone)
    except (ValueError, OverflowError):
        return math.nan


def _seconds(found: dict[str, str | None], last_year: int, zone: tzinfo) -> float:
    """The seconds of a time in parts, by the signs of a format; NaN where there is no such time."""
    part = {sign: text.lower() for sign, text in found.items() if text is not None}
    try:
        year = int(part["Y"]) if "Y" in part else last_year - (last_year - int(part["y"])) % 100
        month = int(part["m"]) if "m" in part else MONTHS.index(part["b"][:3]) + 1
        hour = int(part.get("H", 0))
        if "I" in part:
            twelfth = int(part["I"])
            hour = twelfth % 12 + 12 * (part["p"] == "p") if 1 <= twelfth <= 12 else 99
        when = datetime(
            year, month, int(part["d"]), hour, int(part.get("M", 0)), int(part.get("S", 0))
        )
        own = _zone(part["z"]) if "z" in part else None
        return _since_1970(when.replace(tzinfo=own), zone)
    except (ValueError, OverflowError):
        return math.nan


def _zone(text: str) -> timezone:
    if text == "z":
        return UTC
    span = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-span if text[0] == "-" else span)


def _since_1970(when: datetime, zone: tzinfo) -> float:
    utc = when if when.tzinfo else when.replace(tzinfo=UTC)
    seconds = float((utc - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1))
    if when.tzinfo is None or zone is UTC:
        return seconds
    return seconds + (utc.astimezone(zone).utcoffset() or timedelta(0)).total_seconds()
