"""Constraints about one column."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.constraint_base import Rule


@dataclass(frozen=True)
class Unique(Rule):
    """A column has no value twice. It is generated, and costs no budget.

    Parameters
    ----------
    column : str
        An identifier, or numbers in steps between public bounds.

    Examples
    --------
    >>> Unique("visit").describe()
    'visit has no value twice'
    """

    column: str

    @property
    def columns_of(self) -> tuple[str, ...]:
        return (self.column,)

    def describe(self) -> str:
        return f"{self.column} has no value twice"


@dataclass(frozen=True)
class FixedIncrements(Rule):
    """A column of numbers has multiples of a step only.

    Parameters
    ----------
    column : str
        Of numbers.
    step : float
        Above 0.

    Raises
    ------
    SchemaError
        For a step that is no number above 0.

    Examples
    --------
    >>> FixedIncrements("dose", 2.5).describe()
    'dose is a multiple of 2.5'
    """

    column: str
    step: float

    def __post_init__(self) -> None:
        number = isinstance(self.step, int | float) and not isinstance(self.step, bool)
        if not number or not (0 < self.step < math.inf):
            raise SchemaError(f"step must be a number above 0, got {self.step!r}: write one")

    @property
    def columns_of(self) -> tuple[str, ...]:
        return (self.column,)

    def describe(self) -> str:
        return f"{self.column} is a multiple of {self.step:g}"


@dataclass(frozen=True)
class Pattern(Rule):
    """The texts of a column follow a regular expression, where they are not missing.

    It is for codes of a known form: of an `OpenCategorical` column a category that is found and
    does not follow it becomes OTHER, as all rare ones do; the categories that are declared have to
    follow it, all but the one for others.

    Parameters
    ----------
    column : str
        Of categories that are text.
    pattern : str
        A regular expression as Python writes them, which the whole text follows.

    Raises
    ------
    SchemaError
        For a pattern that is none.

    Examples
    --------
    >>> rule = Pattern("diagnosis", "[A-Z][0-9]{2}")
    >>> rule.describe(), rule.followed_by("J45"), rule.followed_by("J45.9")
    ('diagnosis follows the pattern [A-Z][0-9]{2}', True, False)
    """

    column: str
    pattern: str

    def __post_init__(self) -> None:
        try:
            if not isinstance(self.pattern, str) or not self.pattern:
                raise re.error("no text")
            re.compile(self.pattern)
        except re.error as error:
            raise SchemaError(
                f"pattern must be a regular expression such as '[A-Z][0-9]{{2}}', got"
                f" {self.pattern!r} ({error}): correct it"
            ) from None

    @property
    def columns_of(self) -> tuple[str, ...]:
        return (self.column,)

    def followed_by(self, text: str) -> bool:
        """Whether the whole text follows the pattern."""
        return re.fullmatch(self.pattern, text) is not None

    def describe(self) -> str:
        return f"{self.column} follows the pattern {self.pattern}"
