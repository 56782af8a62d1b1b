"""How numbers and names are written for people, in a terminal and on a page."""

from __future__ import annotations

from collections.abc import Mapping
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
            return exact(value)
        case str():
            return str(printable(value))
    return "none"


def _grouped(value: object) -> str:
    """A value inside another, in parentheses where it has parts."""
    text = plain(value)
    return f"({text})" if isinstance(value, Mapping | list | tuple) and value else text


def exact(x: float) -> str:
    """A number as a person stated it: 1.0 is "1", 1e-06 is "1e-06"."""
    return f"{x:.15g}"


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


def clip(text: str, length: int) -> str:
    """The text, cut to `length` characters with an ellipsis where it is longer."""
    return text if len(text) <= length else text[: length - 1] + "…"
