"""Constraints that no row can keep, found from bounds alone, before anything is read or charged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import numpy as np

from dpsynth.data.constraints.scale import Scale
from dpsynth.schema.columns import Column, Datetime, Numeric, SchemaError
from dpsynth.schema.constraint_check import orders_of
from dpsynth.schema.constraints import Constraint, Derived, Order, Sum
from dpsynth.schema.formulas import formula_of

_ROUNDS = 50
"""How often bounds are moved inwards by each rule: a chain of so many orders settles."""


def refuse_contradictions(columns: Mapping[str, Column], rules: Sequence[Constraint]) -> None:
    """SchemaError, with the culprits, where orders go round, or bounds leave a column no value."""
    _refuse_circles(list(orders_of(rules)))
    _Ends(columns).narrow(rules)


def _refuse_circles(orders: Sequence[Order]) -> None:
    below: dict[str, dict[str, Order]] = {}
    for order in orders:
        if order.op != "==":
            below.setdefault(order.upper, {})[order.lower] = order
    try:
        TopologicalSorter({name: {*lower} for name, lower in below.items()}).prepare()
    except CycleError as error:
        path = error.args[1]
        circle = [below[upper][lower] for lower, upper in pairwise(path)]
        said = " and ".join(f"`{order.describe()}`" for order in circle)
        if any(order.strict for order in circle):
            raise SchemaError(f"no row can keep {said}: leave one of them out") from None
        raise SchemaError(
            f"{said} hold together where these columns are equal: write"
            f" Order({circle[0].lower!r}, '==', {circle[0].upper!r}) in their place"
        ) from None


class _Ends:
    """Between which numbers each column can lie, and which rules say so."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._scales = {
            name: Scale(column)
            for name, column in columns.items()
            if isinstance(column, Numeric | Datetime)
        }
        self._ends = {name: (s.low, s.high) for name, s in self._scales.items()}
        self._why: dict[str, list[str]] = {name: [] for name in self._scales}
        self._nullable = {n: bool(getattr(c, "nullable", False)) for n, c in columns.items()}
        self._columns = columns

    def narrow(self, rules: Sequence[Constraint]) -> None:
        """Move ends inwards until no rule does; SchemaError where a column is left no value.

        A column that may be missing keeps an order where it is, and is left out.
        """
        orders = [
            order
            for order in orders_of(rules)
            if not self._nullable[order.lower] and not self._nullable[order.upper]
        ]
        derived = [
            rule
            for rule in rules
            if isinstance(rule, Sum | Derived) and rule.formula is not None
            if not self._nullable[rule.column]
        ]
        for _ in range(_ROUNDS):
            before = dict(self._ends)
            for order in orders:
                self._by_order(order)
            for rule in derived:
                self._by_formula(rule)
            if before == self._ends:
                return

    def _by_order(self, order: Order) -> None:
        lower, upper = self._ends[order.lower], self._ends[order.upper]
        said = order.describe()
        apart = self._apart(order)
        self._set(order.upper, (lower[0] + apart, np.inf), said, order.lower)
        self._set(order.lower, (-np.inf, upper[1] - apart), said, order.upper)
        if order.op == "==":
            self._set(order.lower, upper, said, order.upper)
            self._set(order.upper, lower, said, order.lower)
        lower, upper = self._ends[order.lower], self._ends[order.upper]
        if order.strict and lower[0] >= upper[1]:
            raise self._contradiction(order.upper, [said])

    def _apart(self, order: Order) -> float:
        """The least distance of a strict order: a step, where both columns have the same ones."""
        one, two = (self._scales[name].spacing for name in (order.lower, order.upper))
        return float(one) if order.strict and one is not None and one == two else 0.0

    def _by_formula(self, rule: Sum | Derived) -> None:
        bounds = {}
        why: list[str] = []
        for part in rule.parts:
            known = part in self._ends
            bounds[part] = self._ends[part] if known else _plain_ends(self._columns[part])
            why += self._why[part] if known else []
        low, high = formula_of(rule.formula or "").interval(bounds)
        half = (self._scales[rule.column].spacing or 0) / 2  # a result goes to the nearest step
        self._set(rule.column, (low - half, high + half), rule.describe(), *rule.parts)

    def _set(self, name: str, ends: tuple[float, float], said: str, *causes: str) -> None:
        low, high = self._ends[name]
        found = (max(low, ends[0]), min(high, ends[1]))
        if found == (low, high):
            return
        why = [said, *(text for cause in causes for text in self._why.get(cause, []))]
        self._why[name] = list(dict.fromkeys([*self._why[name], *why]))
        self._ends[name] = found
        if found[0] > found[1]:
            raise self._contradiction(name, [])

    def _contradiction(self, name: str, more: list[str]) -> SchemaError:
        rules = list(dict.fromkeys([*self._why[name], *more]))
        said = " and ".join(f"`{rule}`" for rule in rules)
        return SchemaError(
            f"no row can keep {said} between the bounds of the columns: {name!r} is left no value;"
            " move a bound, or leave a constraint out"
        )


def _plain_ends(column: Column) -> tuple[float, float]:
    scale = Scale(column)
    return scale.low, scale.high
