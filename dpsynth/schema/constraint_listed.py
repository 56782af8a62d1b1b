"""Constraints that say which values several columns have together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from dpsynth.schema.constraint_base import Rule
from dpsynth.schema.constraint_facts import Key, check_apart, check_flag, names_of, rows_of


@dataclass(frozen=True)
class FixedCombinations(Rule):
    """Columns have together one of the combinations of a public table.

    The combinations are never read from the rows: whether one occurs there may be a fact about a
    single person.

    Parameters
    ----------
    columns : sequence of str
        Two or more columns of categories, truth values, or few numbers or dates.
    public : DataFrame, or sequence of rows
        The combinations, from a public source: a DataFrame with these columns, or a row of values
        for each, in their order. None stands for a missing value.
    together : bool
        Whether a fit models the columns as one. Where not, as with thousands of combinations or
        an `OpenCategorical` column, each is modelled by itself, and rows are drawn until they have
        a combination of the list.

    Raises
    ------
    SchemaError
        For fewer than two columns, no rows, or rows of another length.

    Examples
    --------
    >>> rule = FixedCombinations(["country", "city"], public=[["DE", "Berlin"], ["FR", "Paris"]])
    >>> rule.describe()
    'country, city: one of 2 public combinations'
    """

    columns: Sequence[str]
    public: Any
    _: KW_ONLY
    together: bool = True

    def __post_init__(self) -> None:
        check_flag("together", self.together)
        object.__setattr__(self, "columns", names_of("columns", self.columns, 2))
        check_apart(self.columns_of, "a combination")
        object.__setattr__(self, "public", rows_of("public", self.public, self.columns))

    @property
    def columns_of(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def __hash__(self) -> int:
        """Quick, however many rows there are: equal rules have equal numbers of them."""
        return hash((self.columns, len(self.public), self.public[0], self.public[-1]))

    @property
    def keys(self) -> tuple[Key, ...]:
        """The combinations."""
        found: tuple[Key, ...] = self.public
        return found

    def describe(self) -> str:
        return f"{', '.join(self.columns)}: one of {len(self.keys):,} public combinations"


@dataclass(frozen=True)
class OneHot(Rule):
    """Of several columns of truth values one is true in each row.

    Parameters
    ----------
    columns : sequence of str
        Two or more columns: Boolean, or integers from 0 to 1.
    none : bool
        Whether there are rows in which none is.

    Raises
    ------
    SchemaError
        For fewer than two columns.

    Examples
    --------
    >>> OneHot(["north", "south"]).describe()
    'one of north, south is true'
    """

    columns: Sequence[str]
    _: KW_ONLY
    none: bool = False

    def __post_init__(self) -> None:
        check_flag("none", self.none)
        object.__setattr__(self, "columns", names_of("columns", self.columns, 2))
        check_apart(self.columns_of, "a one-hot group")

    @property
    def columns_of(self) -> tuple[str, ...]:
        return tuple(self.columns)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The rows that it allows."""
        one = [tuple(int(a == b) for b in self.columns) for a in self.columns]
        return (*one, (0,) * len(self.columns)) if self.none else tuple(one)

    def describe(self) -> str:
        return f"{'at most ' if self.none else ''}one of {', '.join(self.columns)} is true"
