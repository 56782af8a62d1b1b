"""Parity: an outcome that is as frequent in one group as in another, in a sample.

Demographic parity: a decision does not depend on a group. Conditional statistical parity: it does
not, among rows that are alike in other columns. Equalised odds (Hardt, Price, Srebro 2016): it does
not, among rows with the same true outcome. All three are one statement about a joint table of the
model, outcome x groups x given, in which the outcome is to be independent of the groups given the
rest. The joint table nearest to the model's, in relative entropy, among those that keep the groups
in their strata and the outcome in its strata is p(group, given) p(outcome | given): the reweighing
of Kamiran and Calders (2012), done in the model instead of by weights of rows. Where a gap may
stay, the shares move towards it only as far as they have to.

Each combination of classes is drawn by itself from the model's distribution of the rows in it, so
nothing else about such rows changes. Sampling is post-processing: it costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.models.base import ConditionError
from dpsynth.models.rounding import systematic_counts
from dpsynth.schema.table import Boolean, Categorical, Column, Numeric, Schema
from dpsynth.synthesizers.balance import Class, Split, class_term, combinations
from dpsynth.synthesizers.conditions import Term, Without, column_of
from dpsynth.synthesizers.drawn_cases import even_counts

_FIELDS = ("between", "given", "values", "gap")
_VALUES = 12
"""Of a column of whole numbers: with more, classes have to be named."""

_EXAMPLE = 'write it as in {"approved": {"between": "sex", "given": "grade", "gap": 0.02}}'


@dataclass(frozen=True)
class Parity:
    """An outcome whose shares may differ between groups by a gap at most, given other columns.

    splits: the outcome's classes, then those of each group's column, then those of the others.
    """

    splits: tuple[Split, ...]
    groups: int
    gap: float

    @property
    def columns(self) -> list[str]:
        """The outcome's, the groups', and those given."""
        return [split.column for split in self.splits]

    def adjusted(self, masses: np.ndarray) -> Adjusted:
        """What becomes of the model's joint table of the classes.

        ConditionError where the model has no row of an outcome that a group is to have.
        """
        return Adjusted(self, masses)


@dataclass(frozen=True)
class Adjusted:
    """A joint table, and the one with parity that takes its place."""

    parity: Parity
    masses: np.ndarray

    def __post_init__(self) -> None:
        if not self.masses.sum() > 0:
            raise ConditionError.no_row(self.parity.columns)
        if (empty := np.argwhere((self.after > 0) & (self.before <= 0))).size:
            classes = zip(self.parity.splits, empty[0], strict=True)
            named = " and ".join(repr(split.classes[at].name) for split, at in classes)
            raise ConditionError(
                f"parity asks for rows of {named}, and the model has none: name wider classes, or"
                " allow a larger gap"
            )

    @cached_property
    def before(self) -> np.ndarray:
        """The model's joint shares."""
        return np.asarray(self.masses / self.masses.sum())

    @cached_property
    def after(self) -> np.ndarray:
        """Those with parity. In each stratum the shares of the outcome go from the group's own to
        the stratum's, by the least part of the way that leaves no larger gap than was asked.
        """
        cube, seen = self._cube(self.before)
        of_groups = cube.sum(axis=0)
        of_strata = cube.sum(axis=1, keepdims=True)
        pooled = _divided(of_strata, of_strata.sum(axis=0))
        own = np.where(seen, _divided(cube, of_groups), pooled)
        gaps = (own.max(axis=1) - own.min(axis=1)).max(axis=0)
        kept = np.where(gaps > self.parity.gap, _divided(self.parity.gap, gaps), 1.0)
        shares = kept * own + (1 - kept) * pooled
        return np.asarray((shares * of_groups).reshape(self.before.shape))

    @property
    def changed(self) -> float:
        """The least share of rows whose outcome has to be another one: the total variation."""
        return float(np.abs(self.after - self.before).sum() / 2)

    def gap(self, joint: np.ndarray) -> float:
        """The largest difference between two groups of a stratum in the share of an outcome."""
        cube, seen = self._cube(joint)
        shares = _divided(cube, cube.sum(axis=0))
        high = np.where(seen, shares, -np.inf).max(axis=1)
        low = np.where(seen, shares, np.inf).min(axis=1)
        return float(np.max(np.where(seen.any(axis=0), high - low, 0.0)))

    def facts(self) -> dict[str, float]:
        """The intervention and its cost, in a few numbers."""
        return {
            "gap_before": round(self.gap(self.before), 6),
            "gap_after": round(self.gap(self.after), 6),
            "rows_changed": round(self.changed, 6),
        }

    def counts(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Of n rows those of each combination: shares rounded up or down at random, those of an
        outcome within each group.
        """
        rows = even_counts(n, self.after.sum(axis=0).ravel(), rng)
        shares = self.after.reshape(len(self.after), -1).T
        return np.asarray(systematic_counts(shares, rows, rng)).T.reshape(self.after.shape)

    def table(self) -> pd.DataFrame:
        """For each stratum, group and outcome that the model has: the group's share of all rows,
        and the outcome's share in it before and after.
        """
        of_groups = np.broadcast_to(self.before.sum(axis=0), self.before.shape)
        here = np.argwhere((of_groups > 0) & ((self.before > 0) | (self.after > 0)))
        splits = self.parity.splits
        order = [*range(1 + self.parity.groups, len(splits)), *range(1, 1 + self.parity.groups), 0]
        here = here[np.lexsort([here[:, axis] for axis in reversed(order)])]
        named = {
            splits[axis].column: [splits[axis].classes[at].name for at in here[:, axis]]
            for axis in order
        }
        at = tuple(here.T)
        own = of_groups[at]
        shares = {"rows": own, "before": self.before[at] / own, "after": self.after[at] / own}
        return pd.DataFrame({**named, **shares})

    def _cube(self, joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The joint as outcome x groups x strata; and which groups a stratum has."""
        groups = math.prod(joint.shape[1 : 1 + self.parity.groups])
        cube = joint.reshape(len(joint), groups, -1)
        return cube, cube.sum(axis=0) > 0


def _divided(above: Any, below: np.ndarray) -> np.ndarray:
    """The ratio; 0 where there is nothing to divide by."""
    shape = np.broadcast_shapes(np.shape(above), below.shape)
    return np.divide(above, below, out=np.zeros(shape), where=np.broadcast_to(below > 0, shape))


def parity_of(asked: Any, schema: Schema) -> Parity:
    """What `parity` says, checked against the schema.

    ConditionError, in one sentence, for what cannot be read.
    """
    if not isinstance(asked, Mapping) or len(asked) != 1:
        raise ConditionError(f"parity must name one outcome, and the groups it is for: {_EXAMPLE}")
    ((outcome, spec),) = asked.items()
    spec = spec if isinstance(spec, Mapping) else {"between": spec}
    if odd := [name for name in spec if name not in _FIELDS]:
        raise ConditionError(f"parity has no {odd[0]!r}: use {', '.join(_FIELDS)}")
    gap = spec.get("gap", 0.0)
    if isinstance(gap, bool) or not isinstance(gap, int | float | np.number) or not 0 <= gap < 1:
        raise ConditionError(
            f"the gap of parity must be a number from 0 to below 1, got {gap!r}: 0.02 lets shares"
            " differ by two in a hundred"
        )
    groups = _named("between", spec.get("between", ()), schema)
    if not groups:
        raise ConditionError(f"parity of {outcome!r} names no groups: {_EXAMPLE}")
    given = _named("given", spec.get("given", ()), schema)
    splits = (_split(str(outcome), spec.get("values"), schema), *groups, *given)
    names = [split.column for split in splits]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConditionError(
            f"parity names {twice[0]!r} twice: it is the outcome, a group, or given"
        )
    combinations(splits, "parity")
    return Parity(splits, len(groups), float(gap))


def _named(field: str, asked: Any, schema: Schema) -> tuple[Split, ...]:
    """Columns as they were named: one, a list of them, or a mapping to the classes of each."""
    if isinstance(asked, str):
        asked = [asked]
    if isinstance(asked, Mapping):
        return tuple(_split(str(name), values, schema) for name, values in asked.items())
    if not isinstance(asked, Sequence) or not all(isinstance(name, str) for name in asked):
        raise ConditionError(f"{field} of parity must name columns: {_EXAMPLE}")
    return tuple(_split(name, None, schema) for name in asked)


def _split(name: str, values: Any, schema: Schema) -> Split:
    """A column's classes, and one of all other values, missing ones among them."""
    name, column = column_of(name, schema)
    listed = _values(column) if values is None else values
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise ConditionError(
            f"{name!r} has too many values for parity: name classes of it, as in"
            f' {{"{name}": ["{name} < 40", "{name} >= 40"]}}'
        )
    classes: list[Class] = []
    others: list[Term] = []
    for value in listed:
        own = class_term(name, value, schema)
        classes.append(Class(str(value), (*others, own), 0.0))
        others.append(Without.of(own))
    return Split(name, (*classes, Class("all others", tuple(others), 0.0)))


def _values(column: Column) -> Sequence[Any]:
    if isinstance(column, Boolean):
        return (True, False)
    if isinstance(column, Categorical):
        return column.categories
    if isinstance(column, Numeric) and column.integer and column.low is not None:
        if column.high is None:
            return ()
        step = int(column.spacing or 1)
        values = range(int(column.low), int(column.high) + 1, step)
        return values if len(values) <= _VALUES else ()
    return ()
