"""Columns of categories that nobody knows beforehand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

from dpsynth.schema.categorical import Categorical, levels_of
from dpsynth.schema.declared import Facts, SchemaError, as_scalar, check_flags, text_of_number

OTHER = "OTHER"
"""The category of every value that is neither public nor found."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

MAX_LENGTH = 200
"""Signs of a value that can be found: a longer text is no code, and counts as OTHER."""


@dataclass(frozen=True, repr=False)
class OpenCategorical(Facts):
    """A column of categories that a fit finds by a charge: those that many people have.

    A value that enough units hold becomes a category. All others become "OTHER", and so does a
    value that one unit alone holds, but for a probability that is charged to delta
    (docs/schema.md). Categories are text; a number counts as the text that writes it.

    Parameters
    ----------
    public : sequence of str
        Categories that are known without the rows, such as the codes of a public list. They cost
        nothing, and are kept whether they occur or not.
    nullable : bool
        Whether values may be missing.
    levels : sequence of int
        Lengths of prefixes that have a meaning of their own, ascending, such as [1, 3] for ICD-10.
        Values that are not found by themselves are then found by such a prefix, the longest that
        enough units have, and a rare code keeps its parent. Each level is a charge of its own.

    Raises
    ------
    SchemaError
        For public categories that are not a list, are no text, or are listed twice, and for levels
        that are no lengths.

    Examples
    --------
    >>> column = OpenCategorical(public=["I10", "E11"], nullable=True)
    >>> column.settled(["J45"]).categories
    ('I10', 'E11', 'J45', 'OTHER')
    """

    _: KW_ONLY
    public: Sequence[str] = ()
    nullable: bool = False
    levels: Sequence[int] = ()

    def __post_init__(self) -> None:
        check_flags(self, "nullable")
        object.__setattr__(self, "levels", levels_of(self.levels))
        public = tuple(_text(value) for value in _listed(self.public))
        if twice := [value for value, times in Counter(public).items() if times > 1]:
            raise SchemaError(f"public categories are listed twice, {twice[:10]}: list each once")
        object.__setattr__(self, "public", public)

    @property
    def looks(self) -> tuple[int | None, ...]:
        """What is looked for, one charge each: whole values (None), then the longest prefixes."""
        return (None, *reversed(self.levels))

    def text(
        self, value: str | float, length: int | None = None, found: Container[str] = ()
    ) -> str | None:
        """The text by which a value can be found, or its prefix of a length.

        None where it is public or found already, by itself or by a prefix that is no shorter, and
        where it is too long, or has control signs, such as line ends. It hangs on this value alone,
        and on what was found before. A number has no prefixes.
        """
        text = value.strip() if isinstance(value, str) else text_of_number(value)
        if text is None or not 0 < len(text) <= MAX_LENGTH or _CONTROL.search(text):
            return None
        if length is not None and (not isinstance(value, str) or len(text) < length):
            return None
        longer = () if length is None else (text[:n] for n in self.levels if n >= length)
        if any(each in self._known or each in found for each in (text, *longer)):
            return None
        prefix = text[:length]
        return prefix if prefix == prefix.strip() else None

    def settled(self, found: Iterable[str] = ()) -> Categorical:
        """The column with the categories that a fit found, in this order: public, found, OTHER."""
        listed = [*self.public, *found]
        categories = listed if OTHER in listed else [*listed, OTHER]
        return Categorical(categories, nullable=self.nullable, other=OTHER, levels=self.levels)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset((*self.public, OTHER))


def text_of(value: Any) -> str:
    """The text by which an open column has a value of a public table."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (text_of_number(float(value)) if number else None) or str(value).strip()


def _text(value: Any) -> str:
    scalar = as_scalar(value, "a public category")
    text = scalar.strip() if isinstance(scalar, str) else text_of_number(float(scalar))
    if not text:
        raise SchemaError(
            f"a public category must be text that is not empty, got {value!r}: write it in quotes"
        )
    return text


def _listed(given: Any) -> Iterable[Any]:
    if isinstance(given, str | bytes | dict | set | frozenset) or not isinstance(given, Iterable):
        raise SchemaError(
            f"public must be a list of categories, got {type(given).__name__}: put them in brackets"
        )
    return given
