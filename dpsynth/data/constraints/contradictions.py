"""Constraints that no row can keep, found from bounds alone, before anything is read or charged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import numpy as np

from dpsynth.data.constraints.scale import Scale
from dpsynth.schema.columns import EPOCH, SECONDS, Column, Datetime, Numeric, SchemaError
from dpsynth.schema.constraint_check import orders_of
from dpsynth.schema.constraints import Constraint, Derived, Order, Sum
from dpsynth.schema.formulas import formula_of

_ROUNDING = 1e-9
"""In steps: an end so little beside a step is on it."""

_ROUNDS = 50
"""How often bounds are moved inwards by each rule: a chain of so many orders settles."""


def narrowed(columns: Mapping[str, Column], rules: Sequence[Constraint]) -> dict[str, Column]:
    """The columns, with the bounds that orders leave them.

    Raises
    ------
    SchemaError
        With the culprits, where orders go round, or bounds leave a column no value.
    """
    nullable = {name for name, each in columns.items() if getattr(each, "nullable", False)}
    _refuse_circles([each for each in orders_of(rules) if not nullable & {*each.columns_of}])
    ends = _Ends(columns)
    ends.narrow(rules)
    ordered = dict.fromkeys(name for order in orders_of(rules) for name in order.columns_of)
    derived = {rule.column for rule in rules if isinstance(rule, Sum | Derived)}
    return {**columns, **{name: ends.column(name) for name in ordered if name not in derived}}


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
        same = [f"Order({order.lower!r}, '==', {order.upper!r})" for order in circle[:-1]]
        raise SchemaError(
            f"{said} hold together where these columns are equal: write {' and '.join(same)} in"
            " their place"
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

        A missing value keeps any order: what it is compared with is not narrowed.
        """
        derived = [
            rule
            for rule in rules
            if isinstance(rule, Sum | Derived) and rule.formula is not None
            if not self._nullable[rule.column]
        ]
        for _ in range(_ROUNDS):
            before = dict(self._ends)
            for order in orders_of(rules):
                self._by_order(order)
            for rule in derived:
                self._by_formula(rule)
            if before == self._ends:
                return

    def column(self, name: str) -> Column:
        """The column between its ends, which are moved to its steps."""
        column, scale = self._columns[name], self._scales[name]
        if self._ends[name] == (scale.low, scale.high):
            return column
        low, high = self._ends[name]
        if low > high:  # it can only be missing: what it cannot be is left to checks
            return column
        if scale.spacing is not None:
            steps = (low - scale.anchor) / scale.spacing, (high - scale.anchor) / scale.spacing
            whole = (np.ceil(steps[0] - _ROUNDING), np.floor(steps[1] + _ROUNDING))
            low, high = (float(scale.at(each)) if np.isfinite(each) else each for each in whole)
        if isinstance(column, Datetime):
            days = (_moment(column, int(low)), _moment(column, int(high)))
            return replace(column, low=days[0], high=days[1])
        assert isinstance(column, Numeric)
        finite = (low if np.isfinite(low) else None, high if np.isfinite(high) else None)
        return replace(column, low=finite[0], high=finite[1])

    def _by_order(self, order: Order) -> None:
        said = order.describe()
        if order.op == "==":  # a copy, where it is missing too
            self._set(order.upper, self._ends[order.lower], said, order.lower)
            self._set(order.lower, self._ends[order.upper], said, order.upper)
            return
        apart = self._apart(order)
        if not self._nullable[order.lower]:
            low = self._ends[order.lower][0]
            self._set(order.upper, (low + apart, np.inf), said, order.lower)
        if not self._nullable[order.upper]:
            high = self._ends[order.upper][1]
            self._set(order.lower, (-np.inf, high - apart), said, order.upper)
        both = not self._nullable[order.lower] and not self._nullable[order.upper]
        if both and order.strict and self._ends[order.lower][0] >= self._ends[order.upper][1]:
            raise self._contradiction(order.upper, [said])

    def _apart(self, order: Order) -> float:
        """The least distance of a strict order: a step, where both columns are on the same ones."""
        scales = sorted(
            (self._scales[name] for name in (order.lower, order.upper)),
            key=lambda scale: scale.spacing or 0,
        )
        fine, coarse = scales
        if not order.strict or fine.spacing is None or coarse.spacing is None:
            return 0.0
        return float(fine.spacing) if coarse.lies_on(fine) else 0.0

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
        if found == (low, high) or (found[0] > found[1] and self._nullable[name]):
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


def _moment(column: Datetime, step: int) -> datetime:
    return EPOCH + timedelta(seconds=step * SECONDS[column.resolution])


def _plain_ends(column: Column) -> tuple[float, float]:
    scale = Scale(column)
    return scale.low, scale.high
