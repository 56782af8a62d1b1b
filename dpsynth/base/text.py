"""How numbers and names are written for people, in a terminal and on a page."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Context, Decimal

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What stands for a character that must not be shown."""


def printable(value: object) -> object:
    """Text without control characters or marks of reading direction; other values as they are.

    Names come from outside: no escape sequence may reach a terminal, and no mark that reverses the
    direction of reading may reach a page.
    """
    if type(value) is not str or value.isprintable():
        return value
    return "".join(c if c.isprintable() or c in "\n\xa0" else REPLACEMENT for c in value)


def plain(value: object) -> str:
    """What JSON may hold, in a reader's notation.

    {"cells": 1000, "target": None} is "cells = 1,000; target = none".
    """
    match value:
        case {**items} if items:
            return "; ".join(f"{plain(name)} = {_grouped(each)}" for name, each in items.items())
        case [only]:
            return plain(only)
        case [_, *_]:
            return ", ".join(_grouped(each) for each in value)
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return written(value)
        case str():
            return str(printable(value))
    return "none"


def _grouped(value: object) -> str:
    """A value inside another, in parentheses where it has parts."""
    text = plain(value)
    return f"({text})" if isinstance(value, Mapping | list | tuple) and value else text


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of a list of names, and how many there are besides.

    Examples
    --------
    >>> some(["'a'", "'b'", "'c'"], most=2), some(["'a'", "'b'"])
    ("'a', 'b' and 1 more", "'a', 'b'")
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def exact(x: float) -> str:
    """A number as a person stated it: 1.0 is "1", 1e-06 is "1e-06"."""
    return f"{x:.15g}"


_POWER = re.compile(r"(?<!\w)'[^']*'|(?<![\w.])\d+(?:\.\d+)?e[+-]?\d+(?!\w)")
"""What stands in quotation marks, such as a name; or a number with a power of ten."""
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def written(x: float, digits: int = 15) -> str:
    """A number as people write it, to some significant digits: 1e-06 is "0.000001".

    Only what would have more than 15 places is written with a power of ten: 10 raised, not "1e-20".

    Examples
    --------
    >>> written(1e-6), written(2.5e9), written(1234.5)
    ('0.000001', '2,500,000,000', '1,234.5')
    """
    number = Decimal(f"{x:.{digits}g}")
    if number == 0 or not number.is_finite():
        return f"{x:g}"
    power = number.adjusted()
    if -13 <= power < 15:
        text = f"{number:,f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa = f"{number.scaleb(-power):f}".rstrip("0").rstrip(".")
    return f"{mantissa} \N{MULTIPLICATION SIGN} 10{str(power).translate(_SUPERSCRIPTS)}"


def said(sentence: str) -> str:
    """A sentence whose numbers are as people write them; names in quotation marks are as they were.

    Sentences that belong to a format keep "1e-06" in their file.

    Examples
    --------
    >>> said("This release is (1, 1e-06)-differentially private.")
    'This release is (1, 0.000001)-differentially private.'
    """

    def people(found: re.Match[str]) -> str:
        text = found.group()
        return text if text.startswith("'") else written(float(text))

    return _POWER.sub(people, sentence)


_LARGE = {10**6: "million", 10**9: "billion", 10**12: "trillion"}


def one_in(chance: float) -> str:
    """A small chance in words, never smaller than it is: 1e-6 is "1 in a million".

    Examples
    --------
    >>> one_in(1e-6), one_in(3e-5), one_in(1e-10), one_in(0.0)
    ('1 in a million', '1 in 33,333', '1 in 10 billion', '0')
    """
    if chance <= 0:
        return "0"
    times = int(1 / Decimal(f"{chance:.15g}"))
    for unit, name in reversed(_LARGE.items()):
        if times >= unit and times % unit == 0 and times < 1000 * unit:
            return f"1 in {'a' if times == unit else f'{times // unit:,}'} {name}"
    return f"1 in {written(times)}"


def at_most(x: float, digits: int = 4) -> str:
    """x to some significant digits, rounded up: no privacy loss is shown smaller than it is."""
    upwards = Context(prec=digits, rounding=ROUND_CEILING)
    return exact(float(upwards.create_decimal(Decimal(x))))


def short(x: float, digits: int = 4) -> str:
    """x to some significant digits: 12345.678 is "12,350".

    Below 0.0001 and from ten million on it is written with a power of ten.
    """
    if x != 0 and not 1e-4 <= abs(x) < 1e7:
        return f"{x:.{digits}g}"
    rounded = float(f"{x:.{digits}g}")
    return f"{rounded:,.0f}" if rounded.is_integer() else f"{rounded:,g}"


def percent(share: float) -> str:
    """A share in percent: 0.0123 is "1.2 %".

    "0 %" and "100 %" are exact: a little is "under 0.1 %", nearly all is "over 99.9 %".
    """
    hundred = 100 * share
    if hundred in (0, 100):
        return f"{hundred:.0f}\xa0%"
    if hundred < 0.05:
        return "under 0.1\xa0%"
    if hundred > 99.95:
        return "over 99.9\xa0%"
    return f"{hundred:.1f}\xa0%"


def difference(share: float) -> str:
    """A difference of shares in percent: 0.0123 is "1.2 %", -0.0123 is that after a minus sign."""
    rounded = round(100 * share, 1)
    sign = "\N{MINUS SIGN}" if rounded < 0 else ""
    return f"{sign}{abs(rounded):.1f}\xa0%"


def hundredths(x: float) -> str:
    """A correlation or another number of about 1, to two places, with a true minus sign."""
    rounded = f"{x:.2f}"
    return "0.00" if rounded == "-0.00" else rounded.replace("-", "\N{MINUS SIGN}")


def clip(text: str, length: int) -> str:
    """The text, cut to `length` characters with an ellipsis where it is longer."""
    return text if len(text) <= length else text[: length - 1] + "…"


def likely(name: str, known: Iterable[str]) -> str:
    """A question after the known name that is most like a wrong one, or nothing."""
    found = difflib.get_close_matches(str(name), list(known), n=1)
    return f"did you mean {found[0]!r}? " if found else ""
