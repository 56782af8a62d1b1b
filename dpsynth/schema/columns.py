"""Column types: the public facts about one column, stated by a person and checked at once.

A column says which values are possible, never which values occur. All column types are frozen and
hashable, and two columns are equal where they mean the same: `Numeric(0, 10.0) == Numeric(0, 10)`.
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
"""The most steps from zero of a bound: neighbouring values stay apart in float64 arithmetic."""

MAX_CATEGORIES = 2**24
"""A code of four bytes could hold more; a table of counts of so many cells takes 128 MiB."""

LARGEST = 1e300
"""The largest size of a number: sums and products of a few such numbers stay finite in float64."""

Scalar = str | int | float
Resolution = Literal["D", "h", "min", "s"]

SECONDS: dict[str, int] = {"D": 86_400, "h": 3_600, "min": 60, "s": 1}
"""Seconds in one step of each resolution."""

EPOCH = datetime(1970, 1, 1)
"""The point in time from which steps are counted, in UTC."""


class SchemaError(DPSynthError, ValueError):
    """A schema is not valid, or a table's columns are not the schema's; no row is quoted."""


@dataclass(frozen=True)
class Categorical:
    """A column whose values are one of some categories, all of them text or all of them numbers.

    A text value matches the same text only, and a number the text that writes it: 1 and 1.0 match
    "1". Where the categories are numbers, any value that reads as the same number matches.

    Parameters
    ----------
    categories : sequence of str or float
        The categories, in their order. Kept as a tuple.
    ordered : bool
        Whether the order means something, so that neighbours may be merged.
    nullable : bool
        Whether values may be missing.
    other : str, int, float or None
        The category that takes every value which is none of them.
    missing_marker : str, int, float or None
        A value that stands for missing, such as "?".

    Raises
    ------
    SchemaError
        For categories that are not a list, mixed, listed twice or too many, for another category
        that is not among them, and for a marker that is a category or of a column without missing
        values.

    Examples
    --------
    >>> Categorical(["admitted", "discharged", "other"], other="other").categories
    ('admitted', 'discharged', 'other')
    >>> Categorical(["f", "m"], missing_marker="?")
    Traceback (most recent call last):
    ...
    dpsynth.schema.columns.SchemaError: missing_marker='?' decodes as missing: add nullable=True
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
            raise SchemaError(
                f"missing_marker={self.missing_marker!r} is also a category: choose another marker,"
                " or remove the category"
            )


@dataclass(frozen=True)
class Numeric:
    """A column of numbers from `low` to `high`; numbers outside are clipped.

    Parameters
    ----------
    low, high : float or None
        Public bounds, in the column's own unit. None asks for a bound that is learned from the
        rows by a charged query.
    integer : bool
        Whether values are whole numbers, which decode as pandas `Int64`.
    step : float or None
        The distance between neighbouring values, low + k * step; None for a continuous column.
    nullable : bool
        Whether values may be missing.
    missing_marker : str, int, float or None
        A value that stands for missing, such as -1 or "N".

    Raises
    ------
    SchemaError
        For bounds that are not finite or in the wrong order, for a step that does not divide their
        difference or is too fine for float64, and for a marker of a column without missing values.

    Examples
    --------
    >>> Numeric(0, 10.0) == Numeric(0, 10)
    True
    >>> Numeric(0, None).bounded
    False
    >>> Numeric(0, 120, integer=True, step=5).spacing
    5
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
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, _number(given, name))
        if self.low is not None and self.high is not None and self.low > self.high:
            raise SchemaError(f"low={self.low} is above high={self.high}: exchange them")
        if self.step is not None and self.step <= 0:
            raise SchemaError(
                f"step must be positive, got {self.step}: leave it out for a column without steps"
            )
        self._check_lattice()
        _check_marker(self)

    @property
    def spacing(self) -> float | None:
        """The distance between neighbouring values; None for a continuous column."""
        if self.step is not None:
            return self.step
        return 1 if self.integer else None

    @property
    def bounded(self) -> bool:
        """Whether both bounds are public; else at least one is learned from the rows."""
        return self.low is not None and self.high is not None

    def _check_lattice(self) -> None:
        """SchemaError where the values of a column with steps are not all exact, or not apart."""
        if self.spacing is None:
            return
        facts = {"low": self.low, "high": self.high, "step": self.step}
        for name, value in facts.items():
            if self.integer and isinstance(value, float):
                raise SchemaError(
                    f"{name}={value} of an integer column must be a whole number below 2**53:"
                    " round it"
                )
            if name != "step" and value is not None and abs(value) > LATTICE * self.spacing:
                raise SchemaError(
                    f"{name}={value} is more than 2**50 steps of {self.spacing} from zero, too fine"
                    " for float64: take a larger step, or declare a continuous column"
                )
        if self.low is not None and self.high is not None:
            self._check_division(self.low, self.high, self.spacing)

    def _check_division(self, low: float, high: float, spacing: float) -> None:
        steps = (high - low) / spacing
        # Decimal steps such as 0.1 are not exact in float64: an error of 1e-9 is rounding.
        if abs(steps - round(steps)) > 1e-9 * max(1.0, steps):
            raise SchemaError(
                f"step={self.step} does not divide [{low}, {high}]: move a bound, or change step"
            )


@dataclass(frozen=True)
class Datetime:
    """A column of dates or times from `low` to `high`; those outside are clipped.

    Parameters
    ----------
    low, high : str or datetime.date
        Public bounds: ISO-8601 text, dates or datetimes. Kept as ISO text in UTC without a zone,
        cut to the resolution.
    resolution : {"D", "h", "min", "s"}
        How finely times are kept: to the day, hour, minute or second.
    nullable : bool
        Whether values may be missing.
    missing_marker : str, datetime.date or None
        A date that stands for missing, such as "9999-12-31", kept as the bounds are: all times in
        its day, hour, minute or second stand for it.

    Raises
    ------
    SchemaError
        For bounds that are no dates or in the wrong order, for another resolution, and for a
        marker that is no date, or of a column without missing values.

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

    def __post_init__(self) -> None:
        _check_flags(self, "nullable")
        if self.resolution not in tuple(SECONDS):
            raise SchemaError(
                f"resolution must be one of {list(SECONDS)}, got {self.resolution!r}: choose one"
            )
        marker = () if self.missing_marker is None else ("missing_marker",)
        for name in ("low", "high", *marker):
            object.__setattr__(self, name, _iso(getattr(self, name), name, self.resolution))
        _check_marker(self)
        low, high = self.steps
        if low > high:
            raise SchemaError(f"low={self.low} is after high={self.high}: exchange them")

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


@dataclass(frozen=True)
class Boolean:
    """A column of true and false, also written 1/0, yes/no, y/n or t/f, in upper or lower case.

    Parameters
    ----------
    nullable : bool
        Whether values may be missing.
    missing_marker : str, int, float or None
        A value that stands for missing, such as "?".

    Raises
    ------
    SchemaError
        For a marker that means true or false, or of a column without missing values.

    Examples
    --------
    >>> Boolean(nullable=True, missing_marker="?")
    Boolean(nullable=True, missing_marker='?')
    """

    _: KW_ONLY
    nullable: bool = False
    missing_marker: Scalar | None = None

    def __post_init__(self) -> None:
        _check_flags(self, "nullable")
        _check_marker(self)
        if self.missing_marker is None:
            return
        if _matches_any(str(self.missing_marker).lower(), (*TRUTHS, 0, 1)):
            raise SchemaError(
                f"missing_marker={self.missing_marker!r} already means true or false: choose"
                " another marker"
            )


TRUTHS: dict[str, bool] = {
    **dict.fromkeys(("true", "yes", "t", "y"), True),
    **dict.fromkeys(("false", "no", "f", "n"), False),
}
"""The words that a Boolean column understands, in lower case, beside the numbers 1 and 0."""


@dataclass(frozen=True)
class Identifier:
    """A column of record names, which is never read: a release has new ones.

    Parameters
    ----------
    pattern : str or None
        What a name looks like, such as "P-######": "#" becomes a digit, "?" an upper-case letter,
        and anything else stays. None for running numbers in shuffled order.

    Raises
    ------
    SchemaError
        For a pattern that is empty or not printable text.

    Examples
    --------
    >>> Identifier(pattern="P-######")
    Identifier(pattern='P-######')
    """

    _: KW_ONLY
    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.pattern is None:
            return
        if not isinstance(self.pattern, str) or not self.pattern.isprintable():
            raise SchemaError(
                f"pattern must be printable text such as 'P-######', got {self.pattern!r}: write"
                " such text"
            )
        if self.pattern == "":
            raise SchemaError("pattern is empty: leave it out for a running number")


@dataclass(frozen=True)
class Text:
    """A column of free text, which can be declared but not synthesized.

    A schema may have such a column, so that it describes the whole table. A fit refuses it: text
    is neither modelled nor copied.
    """


Column = Categorical | Numeric | Datetime | Boolean | Identifier | Text
COLUMN_TYPES: dict[str, type[Column]] = {
    kind.__name__.lower(): kind
    for kind in (Categorical, Numeric, Datetime, Boolean, Identifier, Text)
}
"""The column types by the names that stand in schema files."""


def text_of_number(number: float) -> str | None:
    """The text category that a number matches: 1 and 1.0 match "1", 0.5 matches "0.5".

    None for NaN and from 2**53 on, where a float64 container would merge neighbouring integers.
    """
    if not abs(number) < EXACT:
        return None
    return str(int(number)) if number.is_integer() else repr(number)


def number_of_text(text: str) -> float:
    """The number that a text writes, as Python reads it but without underscores; else NaN."""
    stripped = str.strip(text)
    if "_" in stripped:
        return math.nan
    try:
        return float(stripped)
    except ValueError:
        return math.nan


def _categories(given: Any) -> tuple[Any, ...]:
    """Categories as they are kept; SchemaError where they are not valid."""
    categories = tuple(_scalar(value, "a category") for value in _listed(given))
    if len({isinstance(value, str) for value in categories}) > 1:
        raise SchemaError(
            "categories mix text and numbers: put the numbers in quotes, or give numbers only"
        )
    if len(set(categories)) < len(categories):
        twice = [value for value, times in Counter(categories).items() if times > 1]
        raise SchemaError(f"categories are listed twice, {twice[:10]}: list each once")
    if any(not isinstance(value, str) and abs(value) >= EXACT for value in categories):
        raise SchemaError(
            "number categories must be below 2**53, where float64 keeps them apart: give them as"
            " text"
        )
    if any(isinstance(value, float) for value in categories):
        return tuple(float(value) for value in categories)
    return categories


def _listed(given: Any) -> Iterable[Any]:
    """What is given, where it is a list of possible length."""
    if isinstance(given, str | bytes | dict | set | frozenset) or not isinstance(given, Iterable):
        raise SchemaError(
            f"categories must be a list, got {type(given).__name__}: put them in brackets"
        )
    given = given if isinstance(given, Sized) else tuple(given)
    if not len(given):
        raise SchemaError("categories are empty: give one or more")
    if len(given) > MAX_CATEGORIES:
        raise SchemaError(
            f"there are {len(given)} categories, and at most {MAX_CATEGORIES} may be: group them,"
            " or declare Identifier"
        )
    return given


def _scalar(value: Any, what: str) -> Scalar:
    """A text or a number as it is kept. what: the name that a message gives it."""
    if isinstance(value, str):
        return _text(value, what)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise SchemaError(f"{what} is {value!r}, which is missing: write nullable=True instead")
    if isinstance(value, bool | np.bool_):
        raise SchemaError(
            f"{what} is {value!r}: declare a Boolean column, or write it as text in quotes"
        )
    if not isinstance(value, Real | Decimal):
        raise SchemaError(
            f"{what} must be text or a number, got {type(value).__name__}: write it as text in"
            " quotes"
        )
    return _number(value, what)


def _text(value: str, what: str) -> str:
    plain = str.__str__(value)  # of numpy's and other subclasses of str, too
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise SchemaError(
            f"{what} is not valid Unicode, {plain!a}: write it in valid Unicode"
        ) from None
    return plain


def _number(value: Any, name: str) -> int | float:
    """An int where the number is whole and exact in float64, else a float: one form for each."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise SchemaError(f"{name} must be a number, got {value!r}: write one without quotes")
    try:
        number = float(value)
    except (OverflowError, ValueError):
        number = math.nan
    if not abs(number) <= LARGEST:  # so written, as NaN is neither
        raise SchemaError(
            f"{name} must be finite and at most {LARGEST} in size, got {value!r}: give a number in"
            " that range"
        )
    return int(number) if number.is_integer() and abs(number) < EXACT else number


def _iso(value: Any, name: str, resolution: str) -> str:
    """A bound as ISO text in UTC, cut to the resolution."""
    try:
        when = _datetime(value)
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


def _datetime(value: Any) -> datetime:
    """A bound as a datetime in UTC, without a zone where none was given; else ValueError."""
    if isinstance(value, np.datetime64):
        value = str(value.astype("datetime64[s]"))
    if not isinstance(value, str | date):
        raise ValueError
    when = datetime.fromisoformat(value.isoformat() if isinstance(value, date) else value)
    return when.astimezone(UTC) if when.tzinfo else when


def _check_flags(column: Any, *names: str) -> None:
    for name in names:
        given = getattr(column, name)
        if not isinstance(given, bool):
            raise SchemaError(f"{name} must be true or false, got {given!r}: write one of them")


def _check_marker(column: Any) -> None:
    """Keep the marker in its one form; SchemaError for a column without missing values."""
    if column.missing_marker is None:
        return
    object.__setattr__(column, "missing_marker", _scalar(column.missing_marker, "missing_marker="))
    if not column.nullable:
        raise SchemaError(
            f"missing_marker={column.missing_marker!r} decodes as missing: add nullable=True"
        )


def _matches_any(value: Scalar, categories: Iterable[Any]) -> bool:
    """Whether a raw value would match one of these categories."""
    number = number_of_text(value) if isinstance(value, str) else float(value)
    text = value if isinstance(value, str) else text_of_number(number)
    return any(c == text if isinstance(c, str) else c == number for c in categories)
