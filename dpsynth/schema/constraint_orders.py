"""Constraints that compare columns."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.constraint_base import Rule
from dpsynth.schema.constraint_facts import check_apart, check_flag

OPERATORS = ("<", "<=", "==", ">=", ">")


@dataclass(frozen=True)
class Order(Rule):
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
class Range(Rule):
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
