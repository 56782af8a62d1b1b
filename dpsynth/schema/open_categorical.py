"""Columns of categories that nobody knows beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

from dpsynth.schema.categorical import Categorical
from dpsynth.schema.declared import Facts, SchemaError, as_scalar, check_flags, text_of_number

OTHER = "OTHER"
"""The category of every value that is neither public nor found."""

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

    Raises
    ------
    SchemaError
        For public categories that are not a list, are no text, or are listed twice.

    Examples
    --------
    >>> column = OpenCategorical(public=["I10", "E11"], nullable=True)
    >>> column.settled(["J45"]).categories
    ('I10', 'E11', 'J45', 'OTHER')
    """

    _: KW_ONLY
    public: Sequence[str] = ()
    nullable: bool = False

    def __post_init__(self) -> None:
        check_flags(self, "nullable")
        public = tuple(_text(value) for value in _listed(self.public))
        if twice := [value for value, times in Counter(public).items() if times > 1]:
            raise SchemaError(f"public categories are listed twice, {twice[:10]}: list each once")
        object.__setattr__(self, "public", public)

    def text(self, value: str | float) -> str | None:
        """The text by which a value can be found; None where it is public already, or is too long.

        It hangs on this value alone.
        """
        text = value.strip() if isinstance(value, str) else text_of_number(value)
        if text is None or not 0 < len(text) <= MAX_LENGTH or text in self._known:
            return None
        return text

    def settled(self, found: Iterable[str] = ()) -> Categorical:
        """The column with the categories that a fit found, in this order: public, found, OTHER."""
        listed = [*self.public, *found]
        categories = listed if OTHER in listed else [*listed, OTHER]
        return Categorical(categories, nullable=self.nullable, other=OTHER)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset((*self.public, OTHER))


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
