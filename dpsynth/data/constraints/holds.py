"""Which rows keep a constraint, read as a fit reads them: for the data owner, and for checks.

Conditions in words are read elsewhere (`synthesizers.conditions`), and with them `Implies`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dpsynth.data.constraints.lookup import Lookup, codes_of_rule
from dpsynth.data.constraints.scale import Scale, near
from dpsynth.data.constraints.steps import FormulaStep
from dpsynth.data.tables.check import missing_in
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.values import plain_number
from dpsynth.door.ids import NO_ID, units
from dpsynth.schema.columns import Boolean, Categorical, Column, Identifier, OpenCategorical
from dpsynth.schema.constraint_check import orders_of
from dpsynth.schema.constraints import (
    Constraint,
    Derived,
    FixedCombinations,
    FixedIncrements,
    OneHot,
    Order,
    Pattern,
    Range,
    Sum,
    Unique,
)
from dpsynth.schema.declared import text_of_number
from dpsynth.schema.formulas import formula_of
from dpsynth.schema.open_categorical import OTHER


def holds(rule: Constraint, rows: Mapping[str, Any], columns: Mapping[str, Column]) -> np.ndarray:
    """For each row of raw columns whether it keeps a rule."""
    match rule:
        case Order() | Range():
            kept = [_ordered(order, rows, columns) for order in orders_of([rule])]
            return np.logical_and.reduce(kept)
        case FixedCombinations() | OneHot():
            lookup = Lookup(columns, rule.columns, codes_of_rule(rule, columns))
            return np.asarray((lookup.rows_of(rows) >= 0) & _unmoved(rule.columns, rows, columns))
        case Derived(table=tuple()):
            codes = codes_of_rule(rule, columns)
            lookup = Lookup(columns, rule.parts, codes[:, :-1])
            found = _looked_up(rule, lookup, codes[:, -1], rows, columns[rule.column])
            return found & _unmoved(rule.parts, rows, columns)
        case Sum() | Derived():
            step = FormulaStep(rule.column, formula_of(rule.formula or ""), columns)
            scale = Scale(columns[rule.column])
            stated = scale.read(rows[rule.column], clip=False)
            return near(stated, step.computed(rows), scale.spacing)
        case FixedIncrements():
            numbers = Scale(columns[rule.column]).read(rows[rule.column], clip=False)
            return np.isnan(numbers) | _is_multiple(numbers, rule.step)
        case Pattern():
            return _following(rule, rows[rule.column], columns[rule.column])
        case Unique():
            return _alone(rows[rule.column], columns[rule.column])
    raise AssertionError(rule)


def _ordered(order: Order, rows: Mapping[str, Any], columns: Mapping[str, Column]) -> np.ndarray:
    """Whether the lower column is not above the upper one, or one of them is missing."""
    scales = [Scale(columns[name]) for name in (order.lower, order.upper)]
    lower, upper = (
        scale.read(rows[name], clip=False)
        for scale, name in zip(scales, (order.lower, order.upper), strict=True)
    )
    missing = np.isnan(lower) | np.isnan(upper)
    if order.op == "==":
        spacings = [scale.spacing for scale in scales if scale.spacing is not None]
        return missing | near(lower, upper, min(spacings) if len(spacings) == 2 else None)
    return missing | (lower < upper if order.strict else lower <= upper)


def _unmoved(
    names: Sequence[str], rows: Mapping[str, Any], columns: Mapping[str, Column]
) -> np.ndarray:
    """Whether no number had to be moved into its bounds, or to a step, to be looked up."""
    found = np.ones(1, dtype=bool)
    for name in names:
        column = columns[name]
        if not isinstance(column, Categorical | Boolean):
            scale = Scale(column)
            found = found & (np.isnan(scale.read(rows[name])) | scale.declared(rows[name]))
    return found


def _looked_up(
    rule: Derived, lookup: Lookup, codes: np.ndarray, rows: Mapping[str, Any], result: Column
) -> np.ndarray:
    """Whether the column has the value that the table gives, and none where it gives none."""
    places = lookup.rows_of(rows)
    if isinstance(result, Categorical | Boolean):
        codec = codec_for(result)
        none = codec.size - 1 if getattr(result, "nullable", False) else -1
        return np.asarray(codec.encode(rows[rule.column]) == np.append(codes, none)[places])
    scale = Scale(result)
    listed = scale.read([row[-1] for row in rule.keys], clip=False)
    stated = scale.read(rows[rule.column], clip=False)
    return near(stated, np.append(listed, np.nan)[places], scale.spacing)


def _following(rule: Pattern, values: Any, column: Column) -> np.ndarray:
    """Whether each value follows a pattern, is missing, or is the category for others."""
    other = OTHER if isinstance(column, OpenCategorical) else getattr(column, "other", None)
    texts = texts_of(values)
    kept = {text: text == other or rule.followed_by(text) for text in {*texts}}
    return missing_in(column, values) | np.array([kept[text] for text in texts], dtype=bool)


def texts_of(values: Any) -> list[str]:
    """Raw values as categories that are text match them."""
    raw = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    return [each.strip() if isinstance(each, str) else _as_text(each) for each in raw]


def _as_text(value: Any) -> str:
    """The text that writes a number, as categories that are text match it."""
    number = plain_number(value)
    return str(value) if np.isnan(number) else text_of_number(number) or ""


def _is_multiple(numbers: np.ndarray, step: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        times = numbers / step
        return np.asarray(np.abs(times - np.rint(times)) <= 1e-9 * np.maximum(1.0, np.abs(times)))


def _alone(values: Any, column: Column) -> np.ndarray:
    """Whether each value is missing, or occurs in no other row."""
    if isinstance(column, Identifier):
        keys, numbers = units(values)
        missing = np.array([key == NO_ID for key in keys], dtype=bool)[numbers]
    else:
        read = Scale(column).read(values, clip=False)
        missing = np.isnan(read)
        _, numbers = np.unique(read, return_inverse=True)
    return np.asarray(missing | (np.bincount(numbers)[numbers] == 1))
