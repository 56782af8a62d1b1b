"""Why values of a column are not read as the schema declares: the likely kind of fault, in words.

For the data owner only. A kind is a public sentence of this file; no value stands in it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from dpsynth.data.values import is_null, number
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime, Numeric, SchemaError
from dpsynth.schema.texts import moment_reader, number_reader

Kind = tuple[str, Callable[[str], bool]]

NULLS = "missing values in a column that does not declare them: add nullable: true"
UNKNOWN = "values that the schema does not declare: compare its facts with the file"

_NOT_UTF8: Kind = (
    "text that is not UTF-8, such as latin-1: save the file as UTF-8",
    lambda text: "\ufffd" in text or any("\udc80" <= letter <= "\udcff" for letter in text),
)
_DATED = re.compile(
    r"\d{1,4}[./ -](\d{1,2}|[^\W\d]{3,})[./ -]\d{2,4}\b|[^\W\d]{3,} \d{1,2},? \d{4}"
)
_CURRENCY_CODE = re.compile(r"^[A-Z]{3}\s?[-+]?\d|\d\s?[A-Z]{3}$")
_MARKED = re.compile(r"[-+(]?\d[\d.,'\u2019 \u00a0\u202f_]*[\d)-]")
_BESIDE = re.compile(r"[^\d]{0,4}[<>~=]?\s*[-+]?\d")

_DATES: Kind = (
    "dates in several formats, or in one that format cannot state: write them as 2020-01-31",
    lambda text: _DATED.match(text) is not None or re.fullmatch(r"\d{8}", text) is not None,
)
_DAYS = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y%m%d"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d. %b %Y", "%b %d, %Y", "%b %d %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_LOOKED_AT = 1_000
"""Values by which a format is told; more of them would tell the same."""


def likely_reason(column: Column, values: Iterable[object]) -> str:
    """The kind of fault that most of these undeclared values have, and what to do about it."""
    kinds = (_NOT_UTF8, *_kinds(column))
    listed = list(values)
    found = Counter(_kind(value, kinds) for value in listed)
    kind, times = max(found.items(), key=lambda item: item[1])
    if 2 * times <= found.total():
        return UNKNOWN
    if isinstance(column, Datetime) and kind == _DATES[0]:
        return _by_format(column, [str(value).strip() for value in listed[:_LOOKED_AT]])
    return kind


def _kind(value: Any, kinds: tuple[Kind, ...]) -> str:
    if isinstance(value, bytes):
        return _NOT_UTF8[0]
    if is_null(value):
        return NULLS
    text = str(value).strip() if not isinstance(value, str) else str.strip(value)
    return next((words for words, fits in kinds if fits(text)), UNKNOWN)


def _kinds(column: Column) -> tuple[Kind, ...]:
    match column:
        case Numeric():
            return _of_numbers(column)
        case Datetime():
            numbers = (
                "numbers, which are not read as dates: write dates as 2020-01-31",
                lambda text: not math.isnan(number(text)),
            )
            return (_DATES, numbers)
        case Boolean():
            words = "other words than true and false: declare them, in true: [...] and false: [...]"
            return ((words, bool),)
        case Categorical():
            return _of_categories(column)
    return ()


def _of_numbers(column: Numeric) -> tuple[Kind, ...]:
    other = "." if column.mark == "," else ","
    words = {
        ",": 'numbers with a decimal comma: declare decimal: ","',
        ".": 'numbers with a decimal point: leave decimal: "," out',
    }
    of_text = number_reader(replace(column, decimal=other, thousands=None))
    return (
        ("dates: declare the column Datetime", lambda text: _DATED.match(text) is not None),
        (words[other], lambda text: not math.isnan(of_text(text))),
        (
            'numbers with a currency code: declare it, as suffix: "EUR" or prefix: "EUR"',
            lambda text: _CURRENCY_CODE.search(text) is not None,
        ),
        (
            "numbers with marks that do not stand between groups of three digits, or with a sign"
            " behind or in brackets: write -1234.5",
            lambda text: _MARKED.fullmatch(text) is not None,
        ),
        (
            "numbers with a unit, or another word, beside them: declare it as prefix or suffix, or"
            " keep the number alone",
            lambda text: _BESIDE.match(text) is not None,
        ),
    )


def _by_format(column: Datetime, texts: list[str]) -> str:
    """The format that reads most of these texts, or both where the order of day and month is open.

    Guessed for a person to judge, who alone may declare it: a fit never looks at other values.
    """
    reads: dict[str, frozenset[int]] = {}
    for format in (day + time for day in _DAYS for time in _TIMES):
        try:
            of_text = moment_reader(replace(column, format=format))
        except SchemaError:  # two digits of a year, where the bounds are a century apart
            continue
        read = frozenset(i for i, text in enumerate(texts) if _reads(of_text, text))
        if 2 * len(read) > len(texts):
            reads[format] = read
    if not reads:
        return _DATES[0]
    best = max(len(read) for read in reads.values())
    named = [format for format, read in reads.items() if len(read) == best]
    if len(named) == 1:
        return f'dates in another format: declare format: "{named[0]}"'
    either = " or ".join(f'"{format}"' for format in named)
    return f"dates in another format, which can be read in two ways: declare format: {either}"


def _reads(of_text: Callable[[str], float], text: str) -> bool:
    return text[4:5] != "-" and not math.isnan(of_text(text))


def _of_categories(column: Categorical) -> tuple[Kind, ...]:
    names = {str(category).strip() for category in column.categories}
    folded = {_folded(name) for name in names}
    numbers = {read for read in map(number, names) if not math.isnan(read)}
    return (
        (
            "categories in other letters, such as upper case: declare ignore_case: true, or write"
            " them as the schema does",
            lambda text: _folded(text) in folded,
        ),
        (
            "numbers written in another way, such as 01 for 1: write them as the schema does",
            lambda text: number(text) in numbers,
        ),
        (
            "numbers with a decimal comma: list the categories as texts, as the file writes them",
            lambda text: "," in text and number(text.replace(",", ".")) in numbers,
        ),
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
