"""Columns of categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Sized
from dataclasses import KW_ONLY, dataclass
from typing import Any

from dpsynth.schema.declared import (
    EXACT,
    Facts,
    Scalar,
    SchemaError,
    as_scalar,
    check_flags,
    check_marker,
    folded,
    matches_any,
)

MAX_CATEGORIES = 2**24
"""A code of four bytes could hold more; a table of counts of so many cells takes 128 MiB."""


@dataclass(frozen=True, repr=False)
class Categorical(Facts):
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
    levels : sequence of int
        Lengths of prefixes that have a meaning of their own, ascending, such as [1, 3] for ICD-10.
        A text that is no category takes the longest of these prefixes that is one.

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
    >>> Categorical(["E11", "E11.9", "E", "OTHER"], levels=[1, 3], other="OTHER").levels
    (1, 3)
    >>> Categorical(["f", "m"], missing_marker="?")
    Traceback (most recent call last):
    ...
    dpsynth.schema.declared.SchemaError: missing_marker='?' decodes as missing: add nullable=True
    """

    categories: Sequence[str] | Sequence[float]
    _: KW_ONLY
    ordered: bool = False
    nullable: bool = False
    other: Scalar | None = None
    missing_marker: Scalar | None = None
    ignore_case: bool = False
    levels: Sequence[int] = ()

    def __post_init__(self) -> None:
        check_flags(self, "ordered", "nullable", "ignore_case")
        categories = _categories(self.categories)
        object.__setattr__(self, "categories", categories)
        if self.other is not None:
            other = as_scalar(self.other, "other=")
            if other not in set(categories):
                raise SchemaError(f"other={other!r} is not among the categories: add it to them")
            object.__setattr__(self, "other", other)
        check_marker(self)
        if self.missing_marker is not None and matches_any(self.missing_marker, categories):
            raise SchemaError(
                f"missing_marker={self.missing_marker!r} is also a category: choose another marker,"
                " or remove the category"
            )
        if self.ignore_case:
            self._check_cases(categories)
        object.__setattr__(self, "levels", levels_of(self.levels))
        if self.levels and not isinstance(categories[0], str):
            raise SchemaError(
                "levels are lengths of texts, and the categories are numbers: put them in quotes"
            )

    def _check_cases(self, categories: tuple[Scalar, ...]) -> None:
        marker = () if self.missing_marker is None else (self.missing_marker,)
        times = Counter(folded(str(each)) for each in (*categories, *marker))
        if twice := [name for name, count in times.items() if count > 1]:
            raise SchemaError(
                f"ignore_case makes several categories or markers one, {twice[:10]}: leave it out,"
                " or list each once"
            )


def levels_of(given: Any) -> tuple[int, ...]:
    """Lengths of prefixes as they are kept; SchemaError where they are none."""
    levels = tuple(given) if isinstance(given, list | tuple) else (None,)
    if any(type(each) is not int or each < 1 for each in levels) or [*levels] != sorted({*levels}):
        raise SchemaError(
            f"levels must be a list of whole numbers from 1 that ascend, got {given!r}: write the"
            " lengths of the prefixes, such as [1, 3]"
        )
    return levels


def _categories(given: Any) -> tuple[Any, ...]:
    """Categories as they are kept; SchemaError where they are not valid."""
    categories = tuple(as_scalar(value, "a category") for value in _listed(given))
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
