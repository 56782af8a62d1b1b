"""The kinds of constraints. Each is a public fact, and each is kept by every row of a release."""

from __future__ import annotations

from dpsynth.schema.rules.computed import Derived, Sum
from dpsynth.schema.rules.implied import Implies
from dpsynth.schema.rules.listed import FixedCombinations, OneHot
from dpsynth.schema.rules.orders import Order, Range
from dpsynth.schema.rules.single import FixedIncrements, Pattern, Unique

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
