"""Scenarios drawn: each part from the model under its conditions, tilted, shifted and labelled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.models.base import ConditionError
from dpsynth.schema.table import Numeric, Schema
from dpsynth.synthesizers.balance import Split, balanced, class_term, splits_of
from dpsynth.synthesizers.cases import Case, cases_of
from dpsynth.synthesizers.conditions import column_of
from dpsynth.synthesizers.constrained import as_modelled, check_moves, draw_kept, with_keys
from dpsynth.synthesizers.drawn_cases import Drawing
from dpsynth.synthesizers.sampled_rows import Origin, Tilt
from dpsynth.synthesizers.scenario import EXTRAPOLATE, PART, REFUSE, Scenario, ScenarioPart
from dpsynth.synthesizers.support import EXTRAPOLATED, SUPPORT, support_of

_PLACES = 9
"""Decimals of a shifted number: a sum of two has rounding errors beyond them."""


def draw_scenario(
    origin: Origin, record: Mapping[str, Any], scenario: Scenario, n: int, rng: np.random.Generator
) -> pd.DataFrame:
    """n rows in the order of the scenario's parts, with the part, the support, and whether a row
    is extrapolated.

    ConditionError for a part that cannot be read, or that the model has no row for.
    """
    asked = [_ReadPart(origin, scenario, part) for part in scenario.parts]  # before one is drawn
    drawn = [part.draw(count, rng) for part, count in zip(asked, scenario.rows(n), strict=True)]
    frames = [rows for rows, _ in drawn]
    counts = [len(rows) for rows in frames]
    some = [frame for frame in frames if len(frame)] or frames[:1]
    joined = pd.concat(some, ignore_index=True)
    if origin.schema.constraints:
        rows = with_keys(joined, origin, rng)
        support = support_of(*as_modelled(rows, origin), record)
    else:
        rows = origin.whole(joined, rng)
        support = support_of(rows, origin, record)
    places = np.repeat(np.arange(len(asked)), counts)
    labels = pd.Categorical.from_codes(places, pd.Index([part.name for part in asked]))
    low = support[EXTRAPOLATED] | np.repeat([made_up for _, made_up in drawn], counts)
    return rows.assign(**{PART: pd.Series(labels), SUPPORT: support[SUPPORT], EXTRAPOLATED: low})


class _ReadPart:
    """A part of a scenario, read and checked against the schema."""

    def __init__(self, origin: Origin, scenario: Scenario, part: ScenarioPart) -> None:
        self.name, self._impossible, self._origin = part.name, scenario.impossible, origin
        try:
            self._read(scenario.where, part, origin.schema)
        except ConditionError as error:
            raise ConditionError(f"part {part.name!r}: {error}") from None

    def _read(self, where: str | None, part: ScenarioPart, schema: Schema) -> None:
        both = [each for each in (where, part.where) if each is not None]
        joined = " and ".join(f"({each})" for each in both) if len(both) > 1 else "".join(both)
        cells = [class_term(name, value, schema) for name, value in part.cells.items()]
        cases = [case.and_(cells) for case in cases_of(joined or None, part.given, schema)]
        self._splits: Sequence[Split] = splits_of(part.balance, schema)
        tilts = [_tilt(name, factors, schema) for name, factors in part.tilt.items()]
        self._shifts = {name: _shift(name, by, schema) for name, by in part.shift.items()}
        balanced_too = {split.column for split in self._splits} & {tilt.column for tilt in tilts}
        if balanced_too:
            raise ConditionError(
                f"{min(balanced_too)!r} is balanced and tilted: balance sets its shares, so leave"
                " out one of the two"
            )
        if schema.constraints:
            check_moves(self._origin, tilts, self._shifts)
        self._drawing = Drawing(self._origin, cases, tilts)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, bool]:
        """n rows, and whether the model has none such, so that they are made up."""
        try:
            rows, made_up = self._drawn(n, rng), False
        except ConditionError as error:
            if self._impossible == REFUSE:
                raise ConditionError(f"part {self.name!r}: {error}") from None
            rows, made_up = self._none(rng), True
            if self._impossible == EXTRAPOLATE:
                rows = self._extrapolated(n, rng)
        for name, by in {} if self._origin.schema.constraints else self._shifts.items():
            rows[name] = _shifted(rows[name], by, self._origin, name)
        return rows, made_up

    def _none(self, rng: np.random.Generator) -> pd.DataFrame:
        """No rows, with their columns."""
        if self._origin.schema.constraints:
            return draw_kept(self._origin, 0, [Case()], [], rng)
        return Drawing(self._origin, [Case()]).values(0, rng)

    def _drawn(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        if self._origin.schema.constraints:
            return self._kept(n, rng, beyond=False)
        if self._splits:
            return balanced(self._drawing, self._splits, n, rng)
        return self._drawing.values(n, rng)

    def _kept(self, n: int, rng: np.random.Generator, *, beyond: bool) -> pd.DataFrame:
        """n rows that keep the constraints; `beyond` those of the model, if it has none."""
        asked = (self._drawing.cases, self._splits, rng, self._drawing.tilts, self._shifts)
        return draw_kept(self._origin, n, *asked, beyond=beyond)

    def _extrapolated(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """Rows of the model that meet as many of the terms as it has rows for, and for the others'
        columns values between their bounds.
        """
        if len(self._drawing.cases) > 1 or self._drawing.cases[0].relations or self._splits:
            raise ConditionError(
                f"part {self.name!r}: the model has no row for it, and only conditions on single"
                " columns, joined by `and` and without balance, can be extrapolated: write it so"
            )
        if self._origin.schema.constraints:
            try:
                return self._kept(n, rng, beyond=True)
            except ConditionError as error:
                raise ConditionError(f"part {self.name!r}: {error}") from None
        (case,) = self._drawing.cases
        kept, left = Case(), []
        for name in case.columns:
            more = kept.and_([term for term in case.terms if term.column == name])
            if self._origin.counts((), more) > 0:
                kept = more
            else:
                left.append(name)
        rows = replace(self._drawing, cases=[kept]).values(n, rng)
        for name in left:
            own = [term for term in case.terms if term.column == name]
            rows[name] = self._origin.anywhere(name, own, n, rng)
        return rows


def _tilt(name: str, factors: Any, schema: Schema) -> Tilt:
    """How much more often a column's values are to come."""
    name, _ = column_of(name, schema)
    if (
        not isinstance(factors, Mapping)
        or not factors
        or not all(map(_is_factor, factors.values()))
    ):
        raise ConditionError(
            f"the tilt of {name!r} must have a factor of 0 or more for each of some values: write"
            ' it as in {"age >= 80": 3}'
        )
    terms = [(class_term(name, value, schema), float(by)) for value, by in factors.items()]
    return Tilt(name, tuple(terms))


def _is_factor(by: Any) -> bool:
    number = isinstance(by, int | float) and not isinstance(by, bool)
    return bool(number) and 0 <= by < math.inf


def _shift(name: str, by: Any, schema: Schema) -> float:
    """What is added to a column's numbers."""
    name, column = column_of(name, schema)
    number = isinstance(by, int | float) and not isinstance(by, bool) and math.isfinite(by)
    if not isinstance(column, Numeric) or not number:
        raise ConditionError(
            f"{name!r} is shifted by {by!r}: shift a column of numbers by a number"
        )
    if column.spacing and abs(by / column.spacing - round(by / column.spacing)) > 1e-9:
        raise ConditionError(
            f"{name!r} has steps of {column.spacing:g} and is shifted by {by:g}: shift it by a"
            " multiple of its step"
        )
    return float(by)


def _shifted(values: pd.Series[Any], by: float, origin: Origin, name: str) -> pd.Series[Any]:
    """The numbers moved, those that would leave the column's bounds to the bound."""
    first, last = origin.codecs[name].ends()
    moved = (values.astype("Float64") + by).round(_PLACES)
    return moved.clip(float(first.iloc[0]), float(last.iloc[-1])).astype(values.dtype)
