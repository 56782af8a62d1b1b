"""Recoding: the columns of a release, and those that are modelled in their place.

A column that follows from others is left out of a fit, and computed when rows are decoded. Columns
that have public combinations together are modelled as one; of two in order, the first one and the
gap are. A column of times with calendar parts is modelled by these (`calendar`). All of it is
public, and what a record becomes depends on that record alone, so that it costs no privacy. What no
such change can keep is left to `checks`, which rows are drawn to pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import pyarrow as pa

from dpsynth.data.constraints.calendar import CalendarStep
from dpsynth.data.constraints.contradictions import narrowed
from dpsynth.data.constraints.holds import holds
from dpsynth.data.constraints.lookup import Lookup, codes_of_rule, joined
from dpsynth.data.constraints.scale import Scale
from dpsynth.data.constraints.steps import (
    CombinedStep,
    CopyStep,
    FormulaStep,
    GapStep,
    ModelledStep,
    Rows,
    Step,
    TableStep,
)
from dpsynth.data.engines.files import Rows as Raw
from dpsynth.data.engines.files import column as column_of
from dpsynth.schema.columns import Column, Datetime, Identifier, Numeric, SchemaError
from dpsynth.schema.constraint_check import combined_rules, orders_of, stepped_columns
from dpsynth.schema.constraints import (
    Constraint,
    Derived,
    FixedCombinations,
    OneHot,
    Order,
    Sum,
    Unique,
)
from dpsynth.schema.formulas import formula_of
from dpsynth.schema.table import Schema


@dataclass(frozen=True)
class Check:
    """What rows have to pass: a rule, in words, its columns, and a test of decoded rows.

    holds_where_missing: whether a row passes that lacks the value of any of the columns.
    """

    rule: str
    columns: tuple[str, ...]
    passed: Callable[[Mapping[str, Any]], np.ndarray] = field(repr=False)
    holds_where_missing: bool = False


@dataclass(frozen=True, eq=False)
class Recoding:
    """From the columns of a release to the modelled ones, and back.

    Parameters
    ----------
    released : Schema
        What a person declared.
    modelled : Schema
        Of the columns that a fit reads. It is the same object where there are no constraints.
    columns : mapping of str to Column
        Those of the release, with the steps that constraints add.
    steps : tuple of Step
        In the order in which rows are decoded.
    keys : tuple of str
        Columns that are generated when all rows are there.
    checks : tuple of Check
        What the steps do not ensure.
    """

    released: Schema
    modelled: Schema
    columns: Mapping[str, Column] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    keys: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    def encoded(self, rows: Raw) -> Raw:
        """The raw rows with the modelled columns beside them; no value makes it raise."""
        for step in self.steps:
            if isinstance(step, ModelledStep):
                needed = (*step.needs, *step.makes)
                found = step.encoded({name: column_of(rows, name) for name in needed})
                rows = _with(rows, found)
        return rows

    def needed(self, columns: Sequence[str]) -> list[str]:
        """The raw columns that these are made of, and those that all rows are recoded by."""
        steps = [step for step in self.steps if isinstance(step, ModelledStep)]
        made = {name for step in steps for name in step.attributes}
        needed = (name for step in steps for name in (*step.needs, *step.makes))
        return [*dict.fromkeys([*(name for name in columns if name not in made), *needed])]

    def decoded(self, modelled: Mapping[Any, Any], rng: np.random.Generator) -> Rows:
        """The columns of a release but its keys, as far as they follow from these columns.

        modelled: some or all modelled columns, and columns of a release that follow from others.
        """
        rows: Rows = {str(name): modelled[name] for name in modelled}
        for step in self.steps:
            own = step.attributes if isinstance(step, ModelledStep) else ()
            if step.makes[0] not in rows and all(name in rows for name in (*own, *step.needs)):
                step.decode(rows, rng)
        return rows

    def sources(self, names: Iterable[str]) -> set[str]:
        """The modelled columns that columns of a release follow from."""
        found: set[str] = set()
        for name in names:
            step = self.made_by(name)
            own = {name} if step is None else self.sources(step.needs)
            found |= own | ({*step.attributes} if isinstance(step, ModelledStep) else set())
        return found

    @property
    def made_of(self) -> dict[str, tuple[str, ...]]:
        """For each modelled column that no release has, the columns that it stands for."""
        steps = [step for step in self.steps if isinstance(step, ModelledStep)]
        return {name: (*step.needs, *step.makes) for step in steps for name in step.attributes}

    def made_by(self, name: str) -> Step | None:
        """The step that makes a column of a release; None for one that is modelled as it is."""
        return next((step for step in self.steps if name in step.makes), None)


def is_recoded(schema: Schema) -> bool:
    """Whether what is modelled differs from what is released, or rows have to pass a check."""
    return bool(schema.constraints) or any(_parts(column) for column in schema.columns.values())


@lru_cache(maxsize=64)
def recoding_of(schema: Schema) -> Recoding:
    """The recoding of a schema.

    Raises
    ------
    SchemaError
        For constraints that no row can keep, with their names, for those that the columns do not
        bear, and for calendar parts of a column that follows from others.
    """
    if not is_recoded(schema):
        return Recoding(schema, schema)
    if schema.open:
        return _before_a_fit(schema)
    wide = stepped_columns(schema.columns, schema.constraints)
    columns = narrowed(wide, schema.constraints)
    plan = _Plan(columns, wide, schema.constraints)
    made = {name for step in plan.steps for name in step.makes}
    keys = {rule.column for rule in schema.constraints if isinstance(rule, Unique)}
    keys |= {name for name, column in columns.items() if isinstance(column, Identifier)}
    kept = {name: column for name, column in columns.items() if name not in made | keys}
    own: dict[str, Column] = {}
    for step in plan.steps:
        own |= step.columns() if isinstance(step, ModelledStep) else {}
    if clash := sorted({*own} & {*columns, *schema.unit.columns}):
        raise SchemaError(
            f"a column is called {clash[0]!r}, as what constraints model together, or calendar"
            " parts: rename it"
        )
    if not kept and not own:
        raise SchemaError("constraints leave no column to model: leave one of them out")
    if lost := [name for name in schema.unit.periods if name not in kept]:
        raise SchemaError(
            f"the unit is by a period of {lost[0]!r}, which constraints model together with other"
            " columns, or calendar parts in its place: leave it out of the constraints and its"
            " parts out, or take it out of the unit"
        )
    modelled = Schema({**kept, **own}, unit=schema.unit)
    listed = tuple(name for name in columns if name in keys)
    return Recoding(schema, modelled, columns, plan.ordered(), listed, tuple(plan.checks))


def _before_a_fit(schema: Schema) -> Recoding:
    """That of a schema with open columns: which steps there are does not hang on what is found."""
    least = recoding_of(schema.settled({}))
    open_ = {name: schema.columns[name] for name in schema.open}
    columns = {name: open_.get(name, column) for name, column in least.columns.items()}
    modelled = {name: open_.get(name, c) for name, c in least.modelled.columns.items()}
    unread = Schema(modelled, unit=schema.unit)
    return replace(least, released=schema, modelled=unread, columns=columns)


class _Plan:
    """Which constraint makes which column; all others are checked."""

    def __init__(
        self,
        columns: Mapping[str, Column],
        wide: Mapping[str, Column],
        rules: Sequence[Constraint],
    ) -> None:
        """wide: the columns with all values that they declare, for public tables of these."""
        self._columns, self._wide = columns, wide
        self.steps: list[Step] = []
        self.checks: list[Check] = []
        self._made: dict[str, Step] = {}
        for rule in rules:
            if isinstance(rule, Sum | Derived):
                self._add_derived(rule)
        for group in self._groups(combined_rules(rules)):
            self._add(CombinedStep(joined(group, wide)))
        for order in orders_of(rules):
            self._add_order(order)
        for name, column in columns.items():
            if isinstance(column, Datetime) and column.parts:
                self._add_calendar(name, column)
            if isinstance(column, Numeric) and column.heaps and name in self._made:
                raise SchemaError(
                    f"{name!r} has heaps, and follows from other columns by a constraint: leave its"
                    " heaping out"
                )

    def ordered(self) -> tuple[Step, ...]:
        """The steps, each after those that make what it needs."""
        made = {name: place for place, step in enumerate(self.steps) for name in step.makes}
        graph = {
            place: {made[name] for name in step.needs if name in made}
            for place, step in enumerate(self.steps)
        }
        return tuple(self.steps[place] for place in TopologicalSorter(graph).static_order())

    def _add(self, step: Step) -> None:
        self.steps.append(step)
        self._made.update(dict.fromkeys(step.makes, step))

    def _add_calendar(self, name: str, column: Datetime) -> None:
        if name in self._made:
            raise SchemaError(
                f"{name!r} has calendar parts, and follows from other columns by a constraint:"
                " leave its parts out, or declare them of the column that it follows from"
            )
        self._add(CalendarStep(name, column))

    def _check(self, rule: Constraint) -> None:
        columns, passed = self._wide, isinstance(rule, Order) and rule.op != "=="
        if isinstance(rule, FixedCombinations | OneHot):
            codes_of_rule(rule, columns)  # what it lists is declared
        self.checks.append(
            Check(rule.describe(), rule.columns_of, lambda rows: holds(rule, rows, columns), passed)
        )

    def _check_bounds(self, rule: Constraint, name: str) -> None:
        """The column that a rule computes has to lie between its own bounds."""
        scale = Scale(self._wide[name])
        self.checks.append(
            Check(
                f"the bounds of {name} with {rule.describe()}",
                (name,),
                lambda rows: scale.allowed(scale.released(rows[name])),
            )
        )

    def _add_derived(self, rule: Sum | Derived) -> None:
        if isinstance(rule, Derived) and rule.formula is None:
            self._add(_table_step(rule, self._wide))
            return
        formula = formula_of(rule.formula or "")
        self._add(FormulaStep(rule.column, formula, self._wide))
        scales = {part: Scale(self._columns[part]) for part in formula.columns}
        low, high = formula.interval({part: (s.low, s.high) for part, s in scales.items()})
        result = Scale(self._wide[rule.column])
        finite = np.isfinite([low, high]).all()
        if not (finite and result.low <= low and high <= result.high and np.isnan(result.marker)):
            self._check_bounds(rule, rule.column)

    def _groups(
        self, rules: Sequence[FixedCombinations | OneHot]
    ) -> list[list[FixedCombinations | OneHot]]:
        """Rules that share columns stand in one group; those about a derived column, and those that
        are not to be modelled together, are checked.
        """
        groups: list[list[FixedCombinations | OneHot]] = []
        for rule in rules:
            apart = isinstance(rule, FixedCombinations) and not rule.together
            if apart or any(name in self._made for name in rule.columns):
                self._check(rule)
                continue
            meeting = [g for g in groups if any({*r.columns} & {*rule.columns} for r in g)]
            groups = [g for g in groups if g not in meeting]
            groups.append([*(each for g in meeting for each in g), rule])
        return [_connected(group) for group in groups]

    def _add_order(self, order: Order) -> None:
        """A gap above the lower column, or below the upper one; else a check."""
        columns = self._columns
        for base, other in ((order.lower, order.upper), (order.upper, order.lower)):
            nullable = getattr(columns[base], "nullable", False)
            free = other not in self._made and not self._follows(base, other)
            if not free or not Scale(columns[base]).lies_on(Scale(columns[other])):
                continue
            if nullable and order.op != "==":
                continue
            pair = ((base, columns[base]), (other, columns[other]))
            if order.op == "==":
                self._add(CopyStep(*pair))
            else:
                gap = GapStep(*pair, above=base == order.lower, strict=order.strict)
                if not gap.possible:  # the other column can only be missing
                    continue
                self._add(gap)
            self._check_bounds(order, other)
            return
        self._check(order)

    def _follows(self, name: str, other: str) -> bool:
        """Whether a column is computed from another one, by way of others or not."""
        if name == other:
            return True
        step = self._made.get(name)
        return step is not None and any(self._follows(each, other) for each in step.needs)


def _connected(
    group: list[FixedCombinations | OneHot],
) -> list[FixedCombinations | OneHot]:
    """The rules in an order in which each shares a column with those before it."""
    found, left = [group[0]], group[1:]
    while left:
        seen = {name for rule in found for name in rule.columns}
        following = next(rule for rule in left if seen & {*rule.columns})
        found.append(following)
        left.remove(following)
    return found


def _table_step(rule: Derived, columns: Mapping[str, Column]) -> TableStep:
    """The step of a table; SchemaError where it has no row for what the columns may have."""
    codes = codes_of_rule(rule, columns)
    lookup = Lookup(columns, rule.parts, codes[:, :-1])
    if len(np.unique(codes[:, :-1], axis=0)) < len(codes):
        raise SchemaError(
            f"the constraint `{rule.describe()}` gives two rows for values that"
            f" {list(rule.parts)} read as the same: keep one"
        )
    result = columns[rule.column]
    numbers = np.zeros(len(codes))
    if isinstance(result, Numeric) or not hasattr(result, "categories"):
        listed = [row[-1] for row in rule.keys]
        numbers = Scale(result).read(listed)
    unread = [not _sure(columns[name]) for name in rule.parts]
    every = math.prod(c.size - odd for c, odd in zip(lookup.codecs, unread, strict=True))
    if not getattr(result, "nullable", False) and len(codes) < every:
        raise SchemaError(
            f"the constraint `{rule.describe()}` has no row for some values of {list(rule.parts)}:"
            f" add them, or declare {rule.column!r} nullable"
        )
    return TableStep(rule.column, lookup, result, codes[:, -1], numbers)


def _sure(column: Column) -> bool:
    """Whether the last cell of a column is among the values that rows have."""
    nullable = bool(getattr(column, "nullable", False))
    return nullable or getattr(column, "other", None) is not None


def _parts(column: Column) -> Sequence[str]:
    return column.parts if isinstance(column, Datetime) else ()


def _with(rows: Raw, found: Mapping[str, np.ndarray]) -> Raw:
    if isinstance(rows, pa.Table):
        for name, values in found.items():
            rows = rows.append_column(name, pa.array(values))
        return rows
    return rows.assign(**found)
