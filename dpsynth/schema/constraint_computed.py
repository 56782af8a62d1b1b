"""Constraints by which a column follows from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.constraint_base import Rule
from dpsynth.schema.constraint_facts import Key, as_row, check_apart, names_of, rows_of
from dpsynth.schema.formulas import formula_of


@dataclass(frozen=True)
class Sum(Rule):
    """A column is the sum of others. It is computed, and costs no budget.

    Parameters
    ----------
    column : str
        The total.
    parts : sequence of str
        Two or more columns of numbers. Where one is missing, so is the total.

    Raises
    ------
    SchemaError
        For fewer than two parts, and for a total that is one of them.

    Examples
    --------
    >>> Sum("total", ["net", "tax"]).describe()
    'total = net + tax'
    """

    column: str
    parts: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", names_of("parts", self.parts, 2))
        check_apart(self.columns_of, "a sum")

    @property
    def columns_of(self) -> tuple[str, ...]:
        return (self.column, *self.parts)

    @property
    def formula(self) -> str:
        """The same as a formula."""
        return " + ".join("`" + part.replace("`", "``") + "`" for part in self.parts)

    def describe(self) -> str:
        return f"{self.column} = {' + '.join(self.parts)}"


@dataclass(frozen=True)
class Derived(Rule):
    """A column follows from others, by a formula or by a public table. It costs no budget.

    Parameters
    ----------
    column : str
        The column that follows: of numbers or dates for a formula, of any values for a table.
    formula : str or None
        Such as "weight / height ** 2": columns and numbers with + - * / **, abs, ceil, exp, floor,
        log, max, min, round and sqrt. A date counts as steps of its resolution since 1970: days
        where that is "D". A truth value counts as 1 or 0.
    of : str or sequence of str or None
        The columns that a table is looked up by.
    table : mapping, or sequence of rows, or None
        For each value of `of` the value of the column: {"A1": "A"}, or rows of the values of `of`
        and, last, of the column. It comes from a public source.

    Raises
    ------
    SchemaError
        For neither or both of a formula and a table, and for a column that follows from itself.

    Examples
    --------
    >>> Derived("bmi", "weight / height ** 2").describe()
    'bmi = weight / height ** 2'
    >>> Derived("grade", of="sub_grade", table={"A1": "A", "A2": "A", "B1": "B"}).describe()
    'grade follows from sub_grade by a public table of 3 rows'
    """

    column: str
    formula: str | None = None
    _: KW_ONLY
    of: Any = None
    table: Any = None

    def __post_init__(self) -> None:
        if (self.formula is None) == (self.table is None) or (self.of is None) != (
            self.table is None
        ):
            raise SchemaError(
                f"{self.column!r} follows from a formula, or from a table with the columns that it"
                " is looked up by: write formula=, or of= and table="
            )
        if self.formula is not None:
            if not isinstance(self.formula, str):
                raise SchemaError(f"formula must be text, got {self.formula!r}: put it in quotes")
            formula_of(self.formula)
        else:
            named = [self.of] if isinstance(self.of, str) else self.of
            object.__setattr__(self, "of", names_of("of", named, 1))
            rows = self.table
            if isinstance(rows, Mapping):
                rows = [[*as_row(key), value] for key, value in rows.items()]
            object.__setattr__(self, "table", rows_of("table", rows, (*self.of, self.column)))
            keys = [row[:-1] for row in self.table]
            if len(set(keys)) < len(keys):
                raise SchemaError(
                    f"the table of {self.column!r} gives two values for one row of"
                    f" {list(self.of)}: keep one"
                )
        check_apart(self.columns_of, "a derived column")

    def __hash__(self) -> int:
        """Quick, however many rows a table has."""
        return hash((self.column, self.formula, self.of, self.table and len(self.table)))

    @property
    def parts(self) -> tuple[str, ...]:
        """The columns that it follows from."""
        return tuple(self.of) if self.formula is None else formula_of(self.formula).columns

    @property
    def columns_of(self) -> tuple[str, ...]:
        return (self.column, *self.parts)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The rows of the table."""
        found: tuple[Key, ...] = self.table
        return found

    def describe(self) -> str:
        if self.formula is not None:
            return f"{self.column} = {self.formula}"
        by = ", ".join(self.parts)
        return f"{self.column} follows from {by} by a public table of {len(self.keys):,} rows"
