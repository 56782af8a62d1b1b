"""Column types: the public facts about one column, written by a person and checked when written down.

A column says which values exist, never which values occur. All of them are frozen and hashable, and compare equal
when they mean the same: `Numeric(0, 10.0)` is `Numeric(0, 10)`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence, Sized
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any, Literal

import numpy as np

from dpsynth.base.errors import DPSynthError

EXACT = 2**53
"""Integers below it are exact in float64, whatever container holds them."""
LATTICE = 2**50
"""Largest |value| / step of an integer or stepped column: neighbours stay apart under float64 arithmetic."""
MOST_CATEGORIES = 2**24
_LARGEST = 1e300

Scalar = str | int | float
Resolution = Literal["D", "h", "min", "s"]
SECONDS: dict[str, int] = {"D": 86_400, "h": 3_600, "min": 60, "s": 1}
"""Seconds in one step of each resolution."""
EPOCH = datetime(1970, 1, 1)


class SchemaError(DPSynthError, ValueError):
    """A schema that cannot be, or a table whose columns are not the schema's. Says nothing of any row."""


@dataclass(frozen=True)
class Categorical:
    """One of `categories`, all text or all numbers; kept as a tuple.

    Text matches exactly; a number matches the category that `text_of_number` names. With number categories any
    value that reads as the same number matches. `other` names the category of values that are none of them;
    `missing_marker` is a value that stands for missing, such as "?".
    """

    categories: Sequence[str] | Sequence[float]
    _: KW_ONLY
    ordered: bool = False
    nullable: bool = False
    other: Scalar | None = None
    missing_marker: Scalar | None = None

    def __post_init__(self) -> None:
        _check_flags(self, "ordered", "nullable")
        categories = _categories(self.categories)
        object.__setattr__(self, "categories", categories)
        if self.other is not None:
            other = _scalar(self.other, "other=")
            if other not in set(categories):
                raise SchemaError(f"other={other!r} is not among the categories: add it to them")
            object.__setattr__(self, "other", other)
        _check_marker(self)
        if self.missing_marker is not None and _matches_any(self.missing_marker, categories):
            raise SchemaError(f"missing_marker={self.missing_marker!r} is also a category: take it out of one of them")


@dataclass(frozen=True)
class Numeric:
    """A number in [low, high]; numbers outside are clipped. None as a bound asks for one learned by a charged query.

    integer: values are whole numbers and decode as Int64. step: values are low + k * step.
    `missing_marker` is a value that stands for missing, such as -1 or "N".
    """

    low: float | None
    high: float | None
    _: KW_ONLY
    integer: bool = False
    step: float | None = None
    nullable: bool = False
    missing_marker: Scalar | None = None

    def __post_init__(self) -> None:
        _check_flags(self, "integer", "nullable")
        for name in ("low", "high", "step"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _number(getattr(self, name), name))
        if self.low is not None and self.high is not None and self.low > self.high:
            raise SchemaError(f"low={self.low} is above high={self.high}: exchange them")
        if self.step is not None and self.step <= 0:
            raise SchemaError(f"step must be positive, got {self.step}: leave it out for a column without steps")
        self._check_lattice()
        _check_marker(self)

    @property
    def spacing(self) -> float | None:
        """Distance between neighbouring values; None for a continuous column."""
        return self.step if self.step is not None else (1 if self.integer else None)

    @property
    def bounded(self) -> bool:
        """Whether both bounds are public; else they are to be learned."""
        return self.low is not None and self.high is not None

    def _check_lattice(self) -> None:
        if self.spacing is None:
            return
        facts = {"low": self.low, "high": self.high, "step": self.step}
        for name, value in facts.items():
            if self.integer and isinstance(value, float):
                raise SchemaError(f"{name}={value} of an integer column must be a whole number below 2**53: round it")
            if name != "step" and value is not None and abs(value) > LATTICE * self.spacing:
                raise SchemaError(
                    f"{name}={value} is more than 2**50 steps of {self.spacing} from zero, too fine for float64: "
                    "take a larger step, or declare a continuous column"
                )
        if self.low is not None and self.high is not None:
            steps = (self.high - self.low) / self.spacing
            if abs(steps - round(steps)) > 1e-9 * max(1.0, steps):
                raise SchemaError(f"step={self.step} does not divide [{self.low}, {self.high}]: move a bound")


@dataclass(frozen=True)
class Datetime:
    """A moment in [low, high], known to one step of `resolution`; moments outside are clipped.

    Bounds are ISO-8601 text or datetimes; kept as ISO text in UTC without a zone, cut to the resolution.
    """

    low: str | date
    high: str | date
    _: KW_ONLY
    resolution: Resolution = "D"
    nullable: bool = False

    def __post_init__(self) -> None:
        _check_flags(self, "nullable")
        if self.resolution not in tuple(SECONDS):
            raise SchemaError(f"resolution must be one of {list(SECONDS)}, got {self.resolution!r}")
        for name in ("low", "high"):
            object.__setattr__(self, name, _iso(getattr(self, name), name, self.resolution))
        low, high = self.steps
        if low > high:
            raise SchemaError(f"low={self.low} is after high={self.high}: exchange them")

    @property
    def steps(self) -> tuple[int, int]:
        """The bounds in whole steps of the resolution since 1970-01-01."""
        step = timedelta(seconds=SECONDS[self.resolution])
        low, high = (datetime.fromisoformat(str(bound)) for bound in (self.low, self.high))
        return (low - EPOCH) // step, (high - EPOCH) // step


@dataclass(frozen=True)
class Boolean:
    """True or false, also written 1/0, yes/no, y/n, t/f in any case. `missing_marker` stands for missing."""

    _: KW_ONLY
    nullable: bool = False
    missing_marker: Scalar | None = None

    def __post_init__(self) -> None:
        _check_flags(self, "nullable")
        _check_marker(self)
        if self.missing_marker is not None and _matches_any(str(self.missing_marker).lower(), (*TRUTHS, 0, 1)):
            raise SchemaError(f"missing_marker={self.missing_marker!r} already means true or false: choose another")


TRUTHS: dict[str, bool] = {
    **dict.fromkeys(("true", "yes", "t", "y"), True),
    **dict.fromkeys(("false", "no", "f", "n"), False),
}
"""Words that a Boolean column understands, in lower case; the numbers 1 and 0 besides."""


@dataclass(frozen=True)
class Identifier:
    """A name of a record: never read, generated afresh.

    pattern: "#" becomes a digit, "?" an upper-case letter, anything else stays: "P-######". Without one, a running
    number in shuffled order.
    """

    _: KW_ONLY
    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.pattern is not None and (not isinstance(self.pattern, str) or not self.pattern.isprintable()):
            raise SchemaError(f"pattern must be printable text such as 'P-######', got {self.pattern!r}")
        if self.pattern == "":
            raise SchemaError("pattern is empty: leave it out for a running number")


@dataclass(frozen=True)
class Text:
    """Free text. It may be declared, so that a schema describes the table; fitting is refused, never copied."""


Column = Categorical | Numeric | Datetime | Boolean | Identifier | Text
COLUMN_TYPES: dict[str, type[Column]] = {
    kind.__name__.lower(): kind for kind in (Categorical, Numeric, Datetime, Boolean, Identifier, Text)
}


def text_of_number(number: float) -> str | None:
    """The text category that a number answers to: 1 and 1.0 to "1", 0.5 to "0.5".

    None for NaN and from 2**53 on, where a float64 container would merge neighbouring integers.
    """
    if not abs(number) < EXACT:
        return None
    return str(int(number)) if number.is_integer() else repr(number)


def number_of_text(text: str) -> float:
    """The number that a text spells, as Python reads it but without underscores; NaN if none."""
    stripped = str.strip(text)
    if "_" in stripped:
        return math.nan
    try:
        return float(stripped)
    except ValueError:
        return math.nan


def _categories(given: Any) -> tuple[Any, ...]:
    if isinstance(given, str | bytes | dict | set | frozenset) or not isinstance(given, Iterable):
        raise SchemaError(f"categories must be a list, got {type(given).__name__}: put them in brackets")
    given = given if isinstance(given, Sized) else tuple(given)
    if not len(given):
        raise SchemaError("categories are empty: give one or more")
    if len(given) > MOST_CATEGORIES:
        raise SchemaError(f"{len(given)} categories are over {MOST_CATEGORIES}: group them, or declare Identifier")
    categories = tuple(_scalar(value, "a category") for value in given)
    if len({isinstance(value, str) for value in categories}) > 1:
        raise SchemaError("categories mix text and numbers: quote the numbers, or give numbers only")
    if len(set(categories)) < len(categories):
        twice = [value for value, times in Counter(categories).items() if times > 1]
        raise SchemaError(f"categories are listed twice, {twice[:10]}: list each once")
    if any(not isinstance(value, str) and abs(value) >= EXACT for value in categories):
        raise SchemaError("number categories must be below 2**53, where float64 keeps them apart: give them as text")
    if any(isinstance(value, float) for value in categories):
        return tuple(float(value) for value in categories)
    return categories


def _scalar(value: Any, what: str) -> Scalar:
    if isinstance(value, str):
        return _text(value, what)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise SchemaError(f"{what} is {value!r}: missing is no value; say nullable=True instead")
    if isinstance(value, bool | np.bool_):
        raise SchemaError(f"{what} is {value!r}: declare a Boolean column, or write it as text in quotes")
    if not isinstance(value, Real | Decimal):
        raise SchemaError(f"{what} must be text or a number, got {type(value).__name__}: write it as text in quotes")
    return _number(value, what)


def _text(value: str, what: str) -> str:
    plain = str.__str__(value)
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise SchemaError(f"{what} is not valid Unicode, {plain!a}: write it in valid Unicode") from None
    return plain


def _number(value: Any, name: str) -> int | float:
    """An int where the number is whole and exact in float64, else a float: one form for one meaning."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise SchemaError(f"{name} must be a number, got {value!r}: write one without quotes")
    try:
        number = float(value)
    except (OverflowError, ValueError):
        number = math.nan
    if not abs(number) <= _LARGEST:
        raise SchemaError(
            f"{name} must be finite and at most {_LARGEST} in size, got {value!r}: give a number in that range"
        )
    return int(number) if number.is_integer() and abs(number) < EXACT else number


def _iso(value: Any, name: str, resolution: str) -> str:
    try:
        moment = _moment(value)
    except (ValueError, OverflowError):
        raise SchemaError(f"{name} must be an ISO-8601 date such as '2020-01-31', got {value!r}") from None
    if resolution == "D":
        return moment.date().isoformat()
    if resolution == "h":
        moment = moment.replace(minute=0)
    return moment.replace(tzinfo=None).isoformat(timespec="seconds" if resolution == "s" else "minutes")


def _moment(value: Any) -> datetime:
    if isinstance(value, np.datetime64):
        value = str(value.astype("datetime64[s]"))
    if not isinstance(value, str | date):
        raise ValueError
    moment = datetime.fromisoformat(value.isoformat() if isinstance(value, date) else value)
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _check_flags(column: Any, *names: str) -> None:
    for name in names:
        if not isinstance(getattr(column, name), bool):
            raise SchemaError(f"{name} must be true or false, got {getattr(column, name)!r}: write one of them")


def _check_marker(column: Any) -> None:
    if column.missing_marker is None:
        return
    object.__setattr__(column, "missing_marker", _scalar(column.missing_marker, "missing_marker="))
    if not column.nullable:
        raise SchemaError(f"missing_marker={column.missing_marker!r} decodes as missing: add nullable=True")


def _matches_any(value: Scalar, categories: Iterable[Any]) -> bool:
    """Whether a raw value would match one of these categories."""
    number = number_of_text(value) if isinstance(value, str) else float(value)
    text = value if isinstance(value, str) else text_of_number(number)
    return any(c == text if isinstance(c, str) else c == number for c in categories)
