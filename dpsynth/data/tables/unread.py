"""Why values of a column are not read as the schema declares: the likely kind of fault, in words.

For the data owner only. A kind is a public sentence of this file; no value stands in it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from dpsynth.data.values import is_null, number
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime, Numeric

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
_NUMBERS: tuple[Kind, ...] = (
    ("dates: declare the column Datetime", lambda text: _DATED.match(text) is not None),
    (
        "numbers with a currency sign: remove the sign",
        lambda text: (
            any(unicodedata.category(letter) == "Sc" for letter in text)
            or re.search(r"^[A-Z]{3}\s?[-+]?\d|\d\s?[A-Z]{3}$", text) is not None
        ),
    ),
    (
        "numbers with a percent sign: remove the sign",
        lambda text: text.endswith("%") and text[:1].isdigit(),
    ),
    (
        "numbers with a decimal comma, or marks between thousands: write 1234.5",
        lambda text: re.fullmatch(r"[-+]?\d[\d.,'\u2019 \u00a0\u202f_]*[\d-]", text) is not None,
    ),
    (
        "numbers with a unit, or another word, beside them: keep the number alone",
        lambda text: re.match(r"[<>~=]?\s*[-+]?\d", text) is not None,
    ),
)
_DATES: tuple[Kind, ...] = (
    ("dates in another format: write them as 2020-01-31", lambda t: _DATED.match(t) is not None),
    (
        "numbers, which are not read as dates: write dates as 2020-01-31",
        lambda text: not math.isnan(number(text)),
    ),
)


def likely_reason(column: Column, values: Iterable[object]) -> str:
    """The kind of fault that most of these undeclared values have, and what to do about it."""
    kinds = (_NOT_UTF8, *_kinds(column))
    found = Counter(_kind(value, kinds) for value in values)
    kind, times = max(found.items(), key=lambda item: item[1])
    return kind if 2 * times > found.total() else UNKNOWN


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
            return _NUMBERS
        case Datetime():
            return _DATES
        case Boolean():
            return (("other words than true and false: declare the column Categorical", bool),)
        case Categorical():
            return _of_categories(column)
    return ()


def _of_categories(column: Categorical) -> tuple[Kind, ...]:
    names = {str(category).strip() for category in column.categories}
    folded = {_folded(name) for name in names}
    numbers = {read for read in map(number, names) if not math.isnan(read)}
    return (
        ("categories with spaces around them: remove the spaces", lambda text: text in names),
        (
            "categories in other letters, such as upper case: write them as the schema does",
            lambda text: _folded(text) in folded,
        ),
        (
            "numbers written in another way, such as 01 for 1: write them as the schema does",
            lambda text: number(text) in numbers,
        ),
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
