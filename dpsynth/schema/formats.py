"""How values are written as text, as far as a schema can declare it: marks in numbers, and dates.

Everything here is public. What is wrong with a declaration is returned as a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

DECIMAL_MARKS = (".", ",")
"""What may stand before the decimals of a number."""

THOUSANDS_MARKS = (",", ".", " ", "'")
"""What may stand between groups of three digits."""

BLANK = "[ \\t\\u00a0\\u2007\\u2009\\u202f]"
"""A blank inside of a number: also those at which a line is not broken, and narrow ones."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
"""English names of months, of which three letters tell them apart."""

_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_DIRECTIVES = {
    "Y": r"(?P<Y>[0-9]{4})",
    "y": r"(?P<y>[0-9]{2})",
    "m": r"(?P<m>[0-9]{1,2})",
    "b": rf"(?P<b>{_MONTH})\.?",
    "d": r"(?P<d>[0-9]{1,2})",
    "H": r"(?P<H>[0-9]{1,2})",
    "I": r"(?P<I>[0-9]{1,2})",
    "p": r"(?P<p>[ap])\.?m\.?",
    "M": r"(?P<M>[0-9]{2})",
    "S": r"(?P<S>[0-9]{2})",
    "f": r"[0-9]+",
    "z": r"(?P<z>z|[-+][0-9]{2}:?[0-9]{2})",
    "%": "%",
}
"""What the signs after a % stand for; seconds are whole, so that their fractions are cut off."""

_SHORT = ("%m", "%d", "%H", "%I")
"""What may have one digit, unless another one of them stands directly beside it."""

_PART_OF_A_NUMBER = re.compile(r"[-+\u2212()\[\]]+|[.,'\u2019eE]")
"""What cannot stand beside a number as something else: signs, brackets, marks and exponents."""

_NEEDED = (("Y", "y"), ("m", "b"), ("d",))
_CLASHES = (("Y", "y"), ("m", "b"), ("H", "I"))


def number_fault(decimal: Any, thousands: Any, affixes: dict[str, Any]) -> str | None:
    """What is wrong with the marks of a number. affixes: what stands before or after it."""
    if decimal not in DECIMAL_MARKS:
        return (
            f'decimal must be "." or ",", got {decimal!r}: write one of them (for how many digits'
            " come after it, write decimals)"
        )
    if thousands is not None and thousands not in THOUSANDS_MARKS:
        return f"thousands must be one of {list(THOUSANDS_MARKS)}, got {thousands!r}: choose one"
    if thousands == decimal:
        return f"thousands and decimal are both {decimal!r}: write what tells them apart"
    for name, text in affixes.items():
        plain = isinstance(text, str) and text == text.strip() and text.isprintable() and text
        if text is not None and (not plain or re.search("[0-9]", text)):
            return (
                f"{name} must be text without digits, such as 'EUR', got {text!r}: write what"
                " stands beside the number, without blanks around it"
            )
        if text is not None and _PART_OF_A_NUMBER.fullmatch(text):
            return (
                f"{name}={text!r} is part of how numbers are written, so that a sign or a digit"
                " could get lost: write the number with its sign before it, as -1234.5"
            )
    return None


def moment_fault(format: Any) -> str | None:
    """What is wrong with the format of a date."""
    if not isinstance(format, str):
        return f"format must be text such as '%d.%m.%Y', got {format!r}: write such text"
    signs = re.findall("%(.?)", format, re.DOTALL)
    if unknown := [sign for sign in signs if sign not in _DIRECTIVES]:
        known = ", ".join(f"%{sign}" for sign in _DIRECTIVES)
        return f"format={format!r} has %{unknown[0]}, which is not known: use {known}"
    if any(signs.count(sign) > 1 for sign in signs if sign != "%") or any(
        {*pair} <= {*signs} for pair in _CLASHES
    ):
        return f"format={format!r} states one thing twice: write each once"
    if not all(any(sign in signs for sign in needed) for needed in _NEEDED):
        return f"format={format!r} lacks the year, month or day: write all three, as '%d.%m.%Y'"
    if ("I" in signs) != ("p" in signs):
        return f"format={format!r} has one of %I and %p: write both, or %H"
    return None


def moment_pattern(format: str) -> re.Pattern[str]:
    """The pattern of the texts that a format without fault describes; any case, any blanks."""
    parts = [part for part in re.split(r"(%.|\s+)", format, flags=re.DOTALL) if part]
    found = list(map(_pattern_of, parts))
    for i, (one, next_one) in enumerate(pairwise(parts)):
        if one in _SHORT and next_one in _SHORT:  # "1122020" by "%d%m%Y" could be two dates
            found[i], found[i + 1] = (each.replace("{1,2}", "{2}") for each in found[i : i + 2])
    return re.compile("".join(found), re.IGNORECASE)


def _pattern_of(part: str) -> str:
    if part.isspace():
        return r"\s+"
    return _DIRECTIVES[part[1]] if part[:1] == "%" else re.escape(part)


def words_fault(words: Iterable[tuple[str, Any]]) -> str | None:
    """What is wrong with the words for true and false, each beside what it is compared as."""
    seen: dict[str, Any] = {}
    for folded, word in words:
        if folded in seen:
            return (
                f"true and false list {word!r} twice, as blanks at the ends and the case of letters"
                " do not count: list each word once"
            )
        seen[folded] = word
    return None
