"""Constraints as a schema's file has them, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.constraints import (
    Constraint,
    Derived,
    FixedCombinations,
    FixedIncrements,
    Implies,
    OneHot,
    Order,
    Pattern,
    Range,
    Sum,
    Unique,
)
from dpsynth.schema.entries import build, facts

_KINDS: dict[str, type[Any]] = {
    "order": Order,
    "range": Range,
    "implies": Implies,
    "fixed_combinations": FixedCombinations,
    "sum": Sum,
    "derived": Derived,
    "one_hot": OneHot,
    "unique": Unique,
    "fixed_increments": FixedIncrements,
    "pattern": Pattern,
}
"""The kinds by the names that stand in schema files."""


def facts_of(constraint: Constraint) -> dict[str, Any]:
    """The entry of a constraint in a schema's file."""
    (kind,) = (name for name, each in _KINDS.items() if type(constraint) is each)
    return {"type": kind, **facts(constraint)}


def constraint_of(place: int, facts: Any) -> Constraint:
    """The constraint of an entry; SchemaError, which says at what place it stands, for another."""
    what = f"constraint {place}"
    if not isinstance(facts, Mapping):
        raise SchemaError(f"{what} must be a mapping, got {type(facts).__name__}: write its type")
    given = dict(facts)
    kind = given.pop("type", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise SchemaError(f"{what} has type {kind!r}: use one of {', '.join(_KINDS)}")
    found: Constraint = build(what, _KINDS[kind], given)
    return found


def constraints_of(given: Any) -> tuple[Constraint, ...]:
    """The constraints of a schema; SchemaError where one is none."""
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise SchemaError(
            f"constraints must be a list, got {type(given).__name__}: put them in brackets"
        )
    found = tuple(given)
    for place, each in enumerate(found, start=1):
        if not isinstance(each, tuple(_KINDS.values())):
            names = ", ".join(kind.__name__ for kind in _KINDS.values())
            raise SchemaError(
                f"constraint {place} is of type {type(each).__name__}: use one of {names}"
            )
    return found
