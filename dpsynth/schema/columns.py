"""Column types: the public facts about one column, stated by a person and checked at once.

A column says which values are possible, never which values occur. All column types are frozen and
hashable, and two columns are equal where they mean the same: `Numeric(0, 10.0) == Numeric(0, 10)`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence, Sized
from dataclasses import KW_ONLY, MISSING, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any, Literal

import numpy as np

from dpsynth.base.errors import DPSynthError
from dpsynth.schema.formats import moment_fault, number_fault, words_fault

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

MAX_DECIMALS = 15
"""Digits after the decimal mark beyond which float64 keeps no number from 1 on exactly."""

EPOCH = datetime(1970, 1, 1)
"""The point in time from which steps are counted, in UTC."""


class SchemaError(DPSynthError, ValueError):
    """A schema is not valid, or a table's columns are not the schema's; no row is quoted."""


class _Facts:
    """A column's facts, of which its repr shows those that differ from their default."""

    def __repr__(self) -> str:
        stated = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                stated.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(stated)})"


@dataclass(frozen=True, repr=False)
class Categorical(_Facts):
    """A column whose values are one of some categories, all of them text or all of them numbers.

    A text value matches the same text, with or without blanks at its ends, and a number the text
    that writes it: 1 and 1.0 match "1". Where the categories are numbers, any value that reads as
    the same number matches.

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
    ignore_case : bool
        Whether "ADMITTED" matches the category "admitted".

    Raises
    ------
    SchemaError
        For categories that are not a list, mixed, listed twice or too many, for another category
        that is not among them, for a marker that is a category or of a column without missing
        values, and for categories that differ in case where case is ignored.

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
    ignore_case: bool = False

    def __post_init__(self) -> None:
        _check_flags(self, "ordered", "nullable", "ignore_case")
        categories = _categories(self.categories)
        object.__setattr__(self, "categories", categories)
        if self.other is not None:
            other = _scalar(self.other, "other=")
            if other not in set(categories):
                raise SchemaError(f"other={other!r} is not among the categories: add it to them")
            object.__setattr__(self, "other", other)
        _check_marker(self)
        if self.missing_marker is not None and matches_any(self.missing_marker, categories):
            raise SchemaError(
                f"missing_marker={self.missing_marker!r} is also a category: choose another marker,"
                " or remove the category"
            )
        if self.ignore_case:
            self._check_cases(categories)

    def _check_cases(self, categories: tuple[Scalar, ...]) -> None:
        marker = () if self.missing_marker is None else (self.missing_marker,)
        times = Counter(folded(str(each)) for each in (*categories, *marker))
        if twice := [name for name, count in times.items() if count > 1]:
            raise SchemaError(
                f"ignore_case makes several categories or markers one, {twice[:10]}: leave it out,"
                " or list each once"
            )


@dataclass(frozen=True, repr=False)
class Numeric(_Facts):
    """A column of numbers from `low` to `high`; numbers outside are clipped.

    Text is read as Python writes numbers, and besides with marks between groups of three digits
    ("1,234.50", "1 234.50", "1'234.50"), with a currency sign before or after ("$5", "5 €"), and
    with a per cent sign ("12 %" is 12). docs/values.md has the rules.

    Parameters
    ----------
    low, high : float or None
        Public bounds, in the column's own unit. None asks for a bound that is learned from the
        rows by a charged query.
    integer : bool
        Whether values are whole numbers, which decode as pandas `Int64`.
    step : float or None
        The distance between neighbouring values, low + k * step; None for a continuous column.
    decimals : int or None
        How many digits values have after the decimal mark: 2 says what step=0.01 says.
    nullable : bool
        Whether values may be missing.
    missing_marker : str, int, float or None
        A value that stands for missing, such as -1 or "N".
    decimal : {".", ","} or None
        The decimal mark in text. With ",", "1.234,50" is 1234.5. None for that of the schema's
        `file`, which is "." where it says nothing.
    thousands : {",", ".", " ", "'"} or None
        The mark between groups of three digits in text; None for any that is no decimal mark.
    prefix, suffix : str or None
        What may stand before or after a number, such as "EUR" or "kg", and is left out.
    percent : bool
        Whether a number with a per cent sign is a share of one: "12 %" is then 0.12.

    Raises
    ------
    SchemaError
        For bounds that are not finite or in the wrong order, for a step that does not divide their
        difference or is too fine for float64, for a marker of a column without missing values, and
        for marks that are not known or do not go together.

    Examples
    --------
    >>> Numeric(0, 10.0) == Numeric(0, 10)
    True
    >>> Numeric(0, None).bounded
    False
    >>> Numeric(0, 120, integer=True, step=5).spacing
    5
    >>> Numeric(0, 10_000, decimals=2, decimal=",", suffix="EUR").spacing
    0.01
    """

    low: float | None
    high: float | None
    _: KW_ONLY
    integer: bool = False
    step: float | None = None
    decimals: int | None = None
    nullable: bool = False
    missing_marker: Scalar | None = None
    decimal: str | None = None
    thousands: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    percent: bool = False

    def __post_init__(self) -> None:
        _check_flags(self, "integer", "nullable", "percent")
        affixes = {"prefix": self.prefix, "suffix": self.suffix}
        _refuse(number_fault(self.mark, self.thousands, affixes))
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
        self._check_decimals()
        self._check_lattice()
        _check_marker(self)

    @property
    def mark(self) -> str:
        """The decimal mark."""
        return "." if self.decimal is None else self.decimal

    @property
    def spacing(self) -> float | None:
        """The distance between neighbouring values; None for a continuous column."""
        if self.step is not None:
            return self.step
        if self.decimals is not None:
            return _number(Decimal(1).scaleb(-self.decimals), "decimals")
        return 1 if self.integer else None

    @property
    def bounded(self) -> bool:
        """Whether both bounds are public; else at least one is learned from the rows."""
        return self.low is not None and self.high is not None

    def _check_decimals(self) -> None:
        if self.decimals is None:
            return
        if type(self.decimals) is not int or not 0 <= self.decimals <= MAX_DECIMALS:
            raise SchemaError(
                f"decimals must be a whole number from 0 to {MAX_DECIMALS}, got {self.decimals!r}:"
                " write how many digits come after the decimal mark"
            )
        if self.integer or self.step is not None:
            raise SchemaError("decimals says what step and integer say: keep one of the three")

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
                f"step={spacing} does not divide [{low}, {high}]: move a bound, or change step"
            )


@dataclass(frozen=True, repr=False)
class Datetime(_Facts):
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
    format : str or None
        How text writes dates, such as "%d.%m.%Y" or "%d %b %Y %H:%M": Y year, y its last two
        digits, m month, b its English name, d day, H hour, I and p hour with AM or PM, M minute, S
        second, f fraction, z zone. A year of two digits is the last such year that is not after
        `high`. "2020-01-31" is read besides, where the format does not begin with a year.

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

    def __post_init__(self) -> None:
        _check_flags(self, "nullable")
        if self.format is not None:
            _refuse(moment_fault(self.format))
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


@dataclass(frozen=True, repr=False)
class Boolean(_Facts):
    """A column of true and false, also written 1/0, yes/no, y/n or t/f, in upper or lower case.

    Parameters
    ----------
    true, false : sequence of str or float, or None
        The words for either, such as ["ja", "j"] and ["nein", "n"], or [1] and [0], in place of
        those above; both or neither. A release has the first of each, as it stands here; without
        them it has True and False.
    nullable : bool
        Whether values may be missing.
    missing_marker : str, int, float or None
        A value that stands for missing, such as "?".

    Raises
    ------
    SchemaError
        For a marker that means true or false, or of a column without missing values, for words of
        one side only, and for a word that is listed twice.

    Examples
    --------
    >>> Boolean(nullable=True, missing_marker="?").missing_marker
    '?'
    >>> Boolean(true=["ja", "j"], false=["nein", "n"]).written
    ('nein', 'ja')
    """

    _: KW_ONLY
    true: Sequence[Scalar] | None = None
    false: Sequence[Scalar] | None = None
    nullable: bool = False
    missing_marker: Scalar | None = None

    def __post_init__(self) -> None:
        _check_flags(self, "nullable")
        _check_marker(self)
        if (self.true is None) != (self.false is None):
            raise SchemaError("true and false belong together: write the words of both")
        for name in ("true", "false"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _words(getattr(self, name), name))
        listed = (*(self.true or ()), *(self.false or ()))
        _refuse(words_fault((plain_word(word), word) for word in listed))
        if len({isinstance(word, str) for word in self.written}) > 1:
            raise SchemaError(
                f"the first words for false and true are {list(self.written)}, and a release writes"
                " those: begin with two texts, or with two numbers"
            )
        if self.missing_marker is None:
            return
        if plain_word(self.missing_marker) in {plain_word(word) for word in self.words}:
            raise SchemaError(
                f"missing_marker={self.missing_marker!r} already means true or false: choose"
                " another marker"
            )

    @property
    def words(self) -> dict[Scalar, bool]:
        """What each word means."""
        if self.true is None or self.false is None:
            return dict([*TRUTHS.items(), (1, True), (0, False)])
        return {**dict.fromkeys(self.true, True), **dict.fromkeys(self.false, False)}

    @property
    def written(self) -> tuple[Scalar, Scalar]:
        """How a release writes false and true."""
        if self.true is None or self.false is None:
            return (False, True)
        return (self.false[0], self.true[0])


TRUTHS: dict[str, bool] = {
    **dict.fromkeys(("true", "yes", "t", "y"), True),
    **dict.fromkeys(("false", "no", "f", "n"), False),
}
"""The words that a Boolean column understands, in lower case, beside the numbers 1 and 0."""


@dataclass(frozen=True, repr=False)
class Identifier(_Facts):
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


@dataclass(frozen=True, repr=False)
class Text(_Facts):
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
    """The number that a text writes, as Python reads it; else NaN.

    Without underscores, and in the digits 0 to 9 alone.
    """
    stripped = str.strip(text)
    if not str.isascii(stripped) or "_" in stripped:
        return math.nan
    try:
        return float(stripped)
    except ValueError:
        return math.nan


def folded(text: str) -> str:
    """A text without blanks at its ends, and without the case of its letters."""
    return str.strip(text).casefold()


def _words(given: Any, name: str) -> tuple[Scalar, ...]:
    """The words for true or for false as they are kept."""
    if isinstance(given, str | bytes | dict | set | frozenset) or not isinstance(given, Iterable):
        raise SchemaError(
            f"{name} must be a list of words, got {type(given).__name__}: put them in brackets"
        )
    words = tuple(_scalar(word, f"a word of {name}") for word in given)
    if not words:
        raise SchemaError(f"{name} has no words: write one or more")
    if any(isinstance(word, str) and not word.strip() for word in words):
        raise SchemaError(
            f"a word of {name} is empty, and an empty field of a file is a missing value: write"
            " another word"
        )
    return words


def plain_word(word: Scalar) -> str:
    """What a word of a Boolean column is compared as: "1.0" says what the number 1 says."""
    number = number_of_text(word) if isinstance(word, str) else float(word)
    return folded(str(word)) if math.isnan(number) else repr(number + 0.0)


def _refuse(fault: str | None) -> None:
    if fault is not None:
        raise SchemaError(fault)


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


def matches_any(value: Scalar, categories: Iterable[Any]) -> bool:
    """Whether a raw value would match one of these categories."""
    number = number_of_text(value) if isinstance(value, str) else float(value)
    text = value if isinstance(value, str) else text_of_number(number)
    return any(c == text if isinstance(c, str) else c == number for c in categories)
