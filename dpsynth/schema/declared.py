"""What columns of every type declare: text, numbers, flags and a marker, each kept in one form.

What is wrong with a declaration is a SchemaError.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import MISSING, fields
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from dpsynth.base.errors import DPSynthError

EXACT = 2**53
"""Integers below it are exact in float64, whatever container holds them."""

LARGEST = 1e300
"""The largest size of a number: sums and products of a few such numbers stay finite in float64."""

Scalar = str | int | float


class SchemaError(DPSynthError, ValueError):
    """A schema is not valid, or a table's columns are not the schema's; no row is quoted."""


class Facts:
    """A column's facts, of which its repr shows those that differ from their default."""

    def __repr__(self) -> str:
        stated = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                stated.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(stated)})"


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


def plain_word(word: Scalar) -> str:
    """What a word of a Boolean column is compared as: "1.0" says what the number 1 says."""
    number = number_of_text(word) if isinstance(word, str) else float(word)
    return folded(str(word)) if math.isnan(number) else repr(number + 0.0)


def matches_any(value: Scalar, categories: Iterable[Any]) -> bool:
    """Whether a raw value would match one of these categories."""
    number = number_of_text(value) if isinstance(value, str) else float(value)
    text = value if isinstance(value, str) else text_of_number(number)
    return any(c == text if isinstance(c, str) else c == number for c in categories)


def refuse(fault: str | None) -> None:
    if fault is not None:
        raise SchemaError(fault)


def check_flags(column: Any, *names: str) -> None:
    for name in names:
        given = getattr(column, name)
        if not isinstance(given, bool):
            raise SchemaError(f"{name} must be true or false, got {given!r}: write one of them")


def check_marker(column: Any) -> None:
    """Keep the marker in its one form; SchemaError for a column without missing values."""
    if column.missing_marker is None:
        return
    object.__setattr__(
        column, "missing_marker", as_scalar(column.missing_marker, "missing_marker=")
    )
    if not column.nullable:
        raise SchemaError(
            f"missing_marker={column.missing_marker!r} decodes as missing: add nullable=True"
        )


def as_scalar(value: Any, what: str) -> Scalar:
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
    return as_number(value, what)


def _text(value: str, what: str) -> str:
    plain = str.__str__(value)  # of numpy's and other subclasses of str, too
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise SchemaError(
            f"{what} is not valid Unicode, {plain!a}: write it in valid Unicode"
        ) from None
    return plain


def as_number(value: Any, name: str) -> int | float:
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
