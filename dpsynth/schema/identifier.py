"""Identifiers: columns of record names, which are never read and made anew."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import zip_longest
from typing import Any

from dpsynth.schema.declared import Facts, SchemaError

LARGEST = 10**18
"""Numbers of a range lie below this, which int64 holds."""

Range = tuple[int, int]
FAKED = ("name", "first_name", "last_name", "email", "street_address")
"""What Faker makes up, from lists that are public."""

_LOCALE = re.compile(r"[a-z]{2,3}_[A-Z]{2}")

ALPHABETS = {"#": "0123456789", "?": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
"""What a sign of a pattern stands for; all others stand for themselves."""

_DIGITS = {*"#0123456789"}


@dataclass(frozen=True, repr=False)
class Identifier(Facts):
    """A column of record names, which is never read: a release has new ones.

    Parameters
    ----------
    pattern : str or None
        What a name looks like, such as "P-######": "#" becomes a digit, "?" an upper-case letter,
        and anything else stays. None for running numbers in shuffled order.
    range : (int, int) or None
        In place of a pattern: whole numbers from the first to the last.
    real : str, (int, int) or None
        A pattern, or a range, that all real names follow, as far as is publicly known. The
        pattern or range of new ones must then be another, so that no new one can be a real one.
    repeats : bool
        Whether the new ones repeat as the unit's rows do: for id columns of the unit. A fit then
        pays for a count of units by their rows.
    key : str or None
        Columns with one key and one pattern or range have the same names in every file that is
        drawn with the same seed, so that files can be joined. A column that repeats has its own
        name as its key where none is stated. In one file, columns with one key are of one person.
    faker : {"name", "first_name", "last_name", "email", "street_address"} or None
        In place of a pattern: what Faker makes up, where it is installed. It may come twice.
    locale : str
        Of Faker's public lists, such as "de_DE".

    Raises
    ------
    SchemaError
        For a pattern that is empty or not printable text, a range that is none, two forms, names
        that may coincide with real ones, and facts that make no sense together.

    Examples
    --------
    >>> Identifier(pattern="P-######")
    Identifier(pattern='P-######')
    >>> Identifier(pattern="SYN-######", real="P-######", repeats=True).repeats
    True
    """

    _: KW_ONLY
    pattern: str | None = None
    range: Sequence[int] | None = None
    real: str | Sequence[int] | None = None
    repeats: bool = False
    key: str | None = None
    faker: str | None = None
    locale: str = "en_US"

    def __post_init__(self) -> None:
        if self.pattern is not None:
            _check_pattern("pattern", self.pattern)
        if self.range is not None:
            object.__setattr__(self, "range", _range("range", self.range))
        if sum(form is not None for form in (self.pattern, self.range, self.faker)) > 1:
            raise SchemaError("pattern, range and faker exclude each other: state one of them")
        if self.faker is not None:
            self._check_faker()
        if not isinstance(self.repeats, bool):
            raise SchemaError(f"repeats must be true or false, got {self.repeats!r}: write one")
        if self.key is not None and (not isinstance(self.key, str) or not self.key):
            raise SchemaError(f"key must be text, got {self.key!r}: name it, or leave it out")
        if (self.repeats or self.key) and not (self.pattern or self.range or self.faker):
            raise SchemaError(
                "names that repeat, or have a key, need a form of their own: state a pattern such"
                ' as "SYN-######", or a range'
            )
        if self.real is not None:
            self._check_real()

    def _check_faker(self) -> None:
        if self.faker not in FAKED:
            raise SchemaError(f"faker must be one of {list(FAKED)}, got {self.faker!r}: choose one")
        if not isinstance(self.locale, str) or not _LOCALE.fullmatch(self.locale):
            raise SchemaError(f"locale must be such as 'de_DE', got {self.locale!r}: correct it")
        if self.repeats or self.real is not None:
            raise SchemaError(
                "what Faker makes up may come twice, and may be somebody's name by chance: leave"
                " out real and repeats, and give the id column a pattern"
            )

    def _check_real(self) -> None:
        if isinstance(self.real, str):
            _check_pattern("real", self.real)
        else:
            object.__setattr__(self, "real", _range("real", self.real))
        new = self.range if self.pattern is None else self.pattern
        if new is None or _may_coincide(new, self.real):
            made = "running numbers" if new is None else repr(new)
            raise SchemaError(
                f"{made} may coincide with real names of the form {self.real!r}: state a pattern or"
                ' a range that cannot, such as one with a prefix, "SYN-######"'
            )


def _check_pattern(what: str, pattern: object) -> None:
    if not isinstance(pattern, str) or not pattern.isprintable():
        raise SchemaError(
            f"{what} must be printable text such as 'P-######', got {pattern!r}: write such text"
        )
    if pattern == "":
        raise SchemaError(f"{what} is empty: leave it out for a running number")


def _range(what: str, given: Any) -> Range:
    whole = isinstance(given, list | tuple) and all(type(end) is int for end in given)
    if not whole or len(given) != 2 or not 0 <= given[0] <= given[1] < LARGEST:
        raise SchemaError(
            f"{what} must be two whole numbers from 0 to below 10^18, the smaller first, got"
            f" {given!r}: write such as [900000, 999999]"
        )
    return given[0], given[1]


def _may_coincide(one: Any, other: Any) -> bool:
    """Whether a name may follow both. Two ranges: whether they meet. A range among patterns counts
    as the patterns that its numbers follow, which may be a few more. "000042" is 42 to whoever
    reads numbers, so digits count without leading zeros, too.
    """
    if not isinstance(one, str) and not isinstance(other, str):
        return bool(one[0] <= other[1] and other[0] <= one[1])
    return any(_meet(a, b) for a in _patterns(one) for b in _patterns(other))


def _patterns(given: str | Range) -> list[str]:
    if isinstance(given, str):
        zeros = len(given) - len(given.lstrip("0#")) if not {*given} - _DIGITS else 0
        return [given[place:] for place in range(min(zeros, len(given) - 1) + 1)]
    found = []
    for digits in range(len(str(given[0])), len(str(given[1])) + 1):
        low, high = max(given[0], 10 ** (digits - 1)), min(given[1], 10**digits - 1)
        pairs = zip(str(low if digits > 1 else given[0]), str(high), strict=False)
        same = [a == b for a, b in pairs]
        first = same.index(False) if False in same else digits
        found.append(str(high)[:first] + "#" * (digits - first))
    return found


def _meet(one: str, other: str) -> bool:
    """Whether a text follows both patterns."""
    signs = zip_longest(one, other, fillvalue="")
    return all({*ALPHABETS.get(a, a)} & {*ALPHABETS.get(b, b)} for a, b in signs)
