"""The kinds of constraints. Each is a public fact, and each is kept by every row of a release."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.constraint_facts import (
    Key,
    as_row,
    check_apart,
    check_flag,
    names_of,
    rows_of,
)
from dpsynth.schema.formulas import formula_of

OPERATORS = ("<", "<=", "==", ">=", ">")


class _Rule(ABC):
    """What every constraint can say of itself."""

    @property
    @abstractmethod
    def columns_of(self) -> tuple[str, ...]:
        """The columns that it is about, as far as its fields name them."""

    @abstractmethod
    def describe(self) -> str:
        """The rule in words, for a certificate and for messages."""


@dataclass(frozen=True)
class Order(_Rule):
    """One column is below, above or equal to another one, where neither is missing.

    Both are numbers, or both are dates. "==" makes one column a copy of the other, missing where
    that is missing.

    Parameters
    ----------
    left : str
        A column.
    op : {"<", "<=", "==", ">=", ">"}
        How it compares.
    right : str
        Another column.

    Raises
    ------
    SchemaError
        For another operator, and for a column compared with itself.

    Examples
    --------
    >>> Order("admitted", "<=", "discharged").describe()
    'admitted <= discharged'
    """

    left: str
    op: str
    right: str

    def __post_init__(self) -> None:
        if self.op not in OPERATORS:
            raise SchemaError(f"op must be one of {list(OPERATORS)}, got {self.op!r}: choose one")
        check_apart(self.columns_of, "an order")

    @property
    def columns_of(self) -> tuple[str, ...]:
        return (self.left, self.right)

    @property
    def lower(self) -> str:
        """The column that is not above the other one."""
        return self.left if self.op in ("<", "<=", "==") else self.right

    @property
    def upper(self) -> str:
        """The other one."""
        return self.right if self.lower == self.left else self.left

    @property
    def strict(self) -> bool:
        """Whether they may not be equal."""
        return self.op in ("<", ">")

    def describe(self) -> str:
        return f"{self.left} {self.op} {self.right}"


@dataclass(frozen=True)
class Range(_Rule):
    """A column lies between two others, where none of them is missing.

    Parameters
    ----------
    low, column, high : str
        Three columns, of numbers or of dates.
    strict : bool
        Whether it may equal neither.

    Raises
    ------
    SchemaError
        For a column that is named twice.

    Examples
    --------
    >>> [order.describe() for order in Range("diastolic", "mean", "systolic").orders]
    ['diastolic <= mean', 'mean <= systolic']
    """

    low: str
    column: str
    high: str
    _: KW_ONLY
    strict: bool = False

    def __post_init__(self) -> None:
        check_flag("strict", self.strict)
        check_apart(self.columns_of, "a range")

    @property
    def columns_of(self) -> tuple[str, ...]:
        return (self.low, self.column, self.high)

    @property
    def orders(self) -> tuple[Order, Order]:
        """The two orders that say the same, but for a row where the middle one is missing."""
        op = "<" if self.strict else "<="
        return Order(self.low, op, self.column), Order(self.column, op, self.high)

    def describe(self) -> str:
        op = "<" if self.strict else "<="
        return f"{self.low} {op} {self.column} {op} {self.high}"


@dataclass(frozen=True)
class Implies(_Rule):
    """Where one condition holds, another one holds too.

    Conditions are written as for `Synthesizer.sample`: parts joined by `and`, each about one
    column. A missing value meets `x is None` and nothing else.

    Parameters
    ----------
    when : str
        Such as "sex == 'M'".
    then : str
        Such as "pregnancies is None".

    Raises
    ------
    SchemaError
        For a condition that is not text.

    Examples
    --------
    >>> Implies("sex == 'M'", "pregnancies is None").describe()
    "where sex == 'M': pregnancies is None"
    """

    when: str
    then: str

    def __post_init__(self) -> None:
        for name in ("when", "then"):
            text = getattr(self, name)
            if not isinstance(text, str) or not text.strip():
                raise SchemaError(
                    f"{name} must be a condition such as \"sex == 'M'\", got {text!r}: write one"
                )

    @property
    def columns_of(self) -> tuple[str, ...]:
        return ()

    def describe(self) -> str:
        return f"where {self.when}: {self.then}"


@dataclass(frozen=True)
class FixedCombinations(_Rule):
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

    def __post_init__(self) -> None:
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
class Sum(_Rule):
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
class Derived(_Rule):
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


@dataclass(frozen=True)
class OneHot(_Rule):
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


@dataclass(frozen=True)
class Unique(_Rule):
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
class FixedIncrements(_Rule):
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
class Pattern(_Rule):
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


Constraint = (
    Order
    | Range
    | Implies
    | FixedCombinations
    | Sum
    | Derived
    | OneHot
    | Unique
    | FixedIncrements
    | Pattern
)
