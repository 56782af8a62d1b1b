"""The kinds of constraints. Each is a public fact, and each is kept by every row of a release."""

from __future__ import annotations

from dpsynth.schema.constraint_computed import Derived, Sum
from dpsynth.schema.constraint_implied import Implies
from dpsynth.schema.constraint_listed import FixedCombinations, OneHot
from dpsynth.schema.constraint_orders import Order, Range
from dpsynth.schema.constraint_single import FixedIncrements, Pattern, Unique

__all__ = [
    "Constraint",
    "Derived",
    "FixedCombinations",
    "FixedIncrements",
    "Implies",
    "OneHot",
    "Order",
    "Pattern",
    "Range",
    "Sum",
    "Unique",
]

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
