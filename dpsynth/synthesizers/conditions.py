"""Conditions: which rows a sample should consist of, as weights on cells and a test on rows.

A condition is written as in Python, `age >= 65 and sex == "female"`: parts joined by `and`, each about one column.
Column names that are no Python names stand in backticks. A missing value meets `x is None` and nothing else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.errors import DPSynthError
from dpsynth.data.tables.codec import Codec
from dpsynth.schema.table import Boolean, Categorical, Column, Datetime, Schema

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: lambda x, c: x == c,
    ast.NotEq: lambda x, c: x != c,
    ast.Lt: lambda x, c: x < c,
    ast.LtE: lambda x, c: x <= c,
    ast.Gt: lambda x, c: x > c,
    ast.GtE: lambda x, c: x >= c,
}
_MIRROR = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}


class ConditionError(DPSynthError, ValueError):
    """The condition cannot be read, or asks what the schema excludes."""


@dataclass(frozen=True)
class Term:
    """One part of a condition: a test of one column, and the constants at which its truth can change."""

    column: str
    test: ast.expr
    constants: tuple[Any, ...]

    def holds(self, values: pd.Series[Any]) -> np.ndarray:
        """For each value whether it meets the term."""
        return _truth(self.test, values)

    def weights(self, codec: Codec) -> np.ndarray:
        """For each cell 1 if some of its values may meet the term, else 0."""
        low, high = codec.ends()
        inside = np.zeros(len(low), dtype=bool)
        if not isinstance(low.dtype, (pd.CategoricalDtype, pd.BooleanDtype)):
            for constant in self.constants:
                inside |= np.asarray((low <= constant) & (constant <= high), dtype=bool)
        valid = self.holds(low) | self.holds(high) | inside
        missing = _truth(self.test, low.iloc[:1].where(np.zeros(1, dtype=bool)))
        return np.concatenate([valid, np.repeat(missing, codec.size - len(low))]).astype(np.float64)


def parse(where: str | None, given: Mapping[str, Any] | None, schema: Schema) -> list[Term]:
    """The terms of a condition and of given values, checked against the schema; ConditionError in one sentence."""
    if where is not None and not isinstance(where, str):
        raise ConditionError(f"where must be text, got {type(where).__name__}: give values of columns with given=")
    terms = [_term(part, names, schema) for part, names in _parts(where)] if where is not None else []
    for name, value in (given or {}).items():
        test = ast.Compare(ast.Name("x"), [ast.Is() if value is None else ast.Eq()], [ast.Constant(value)])
        terms.append(_checked(name, test, schema))
    return terms


def _parts(where: str) -> list[tuple[ast.expr, dict[str, str]]]:
    names: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        return names.setdefault(match.group(1), f"_column_{len(names)}")

    try:
        tree = ast.parse(re.sub(r"`([^`]+)`", stand_in, where).strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise ConditionError(
            f"where={where!r} cannot be read: write it as in 'age >= 65 and sex == \"female\"'"
        ) from None
    quoted = {v: k for k, v in names.items()}
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    return [(part, quoted) for part in parts]


def _term(part: ast.expr, quoted: Mapping[str, str], schema: Schema) -> Term:
    found = {quoted.get(n.id, n.id) for n in ast.walk(part) if isinstance(n, ast.Name)}
    if len(found) != 1:
        raise ConditionError(
            f"each part of a condition, joined by `and`, must be about one column; one part is about {sorted(found)}"
            " (text goes in quotes, a name that is no Python name in backticks, `or` inside one column only)"
        )
    return _checked(found.pop(), part, schema)


def _checked(name: str, test: ast.expr, schema: Schema) -> Term:
    column = schema.coded.get(name)
    if column is None:
        raise ConditionError(f"a condition is about {name!r}, which is no column: use one of {sorted(schema.coded)}")
    test = _Literals(column, name).visit(test)
    constants = tuple(n.value for n in ast.walk(test) if isinstance(n, ast.Constant) and n.value is not None)
    return Term(name, test, constants)


class _Literals(ast.NodeTransformer):
    """Turns constants into values of the column's type, and refuses whatever is not a test of one column."""

    def __init__(self, column: Column, name: str) -> None:
        self._column, self._name = column, name

    def visit(self, node: ast.AST) -> Any:
        match node:
            case ast.BoolOp() | ast.And() | ast.Or() | ast.Compare() | ast.cmpop() | ast.List() | ast.Tuple():
                return self.generic_visit(node)
            case ast.Name() | ast.Load():
                return node
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return ast.Constant(self._value(-number))
            case ast.Constant():
                return ast.Constant(self._value(node.value))
        raise ConditionError(
            f"a condition on {self._name!r} may only compare it with constants: write numbers, or text in quotes"
        )

    def _value(self, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(self._column, Datetime):
            try:
                return pd.Timestamp(value).as_unit("s")
            except (ValueError, TypeError):
                raise ConditionError(
                    f"{self._name!r} is a moment: compare it with a date such as '2020-01-31'"
                ) from None
        if isinstance(self._column, Categorical):
            if value not in self._column.categories:
                raise ConditionError(f"{value!r} is not a category of {self._name!r}: use one that the schema lists")
        elif isinstance(self._column, Boolean):
            if value not in (True, False):
                raise ConditionError(f"{self._name!r} is true or false, not {value!r}: compare it with one of them")
            return bool(value)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConditionError(
                f"{self._name!r} is a number: {value!r} cannot be compared with it, so write a number without quotes"
            )
        return value


def _truth(test: ast.expr, x: pd.Series[Any]) -> np.ndarray:
    match test:
        case ast.BoolOp(op=op, values=values):
            combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return combine.reduce([_truth(v, x) for v in values])
        case ast.Name():
            return np.asarray((x == True).fillna(False), dtype=bool)  # noqa: E712
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            steps = [_compare(a, op, b, x) for a, op, b in zip(sides, ops, sides[1:], strict=False)]
            return np.logical_and.reduce(steps)
    raise ConditionError(
        "a condition is made of comparisons, and this one has something else: write it as in 'age >= 65'"
    )


def _compare(left: ast.expr, op: ast.cmpop, right: ast.expr, x: pd.Series[Any]) -> np.ndarray:
    if isinstance(right, ast.Name) and isinstance(left, ast.Constant) and type(op) in _MIRROR:
        left, op, right = right, _MIRROR[type(op)](), left
    known = np.asarray(x.notna(), dtype=bool)
    match left, op, right:
        case ast.Name(), ast.Is() | ast.Eq(), ast.Constant(value=None):
            return ~known
        case ast.Name(), ast.IsNot() | ast.NotEq(), ast.Constant(value=None):
            return known
        case ast.Name(), ast.In() | ast.NotIn(), ast.List(elts=elts) | ast.Tuple(elts=elts):
            member = np.asarray(x.isin([e.value for e in elts if isinstance(e, ast.Constant)]), dtype=bool)
            return known & (member if isinstance(op, ast.In) else ~member)
        case ast.Name(), _, ast.Constant(value=value) if type(op) in _COMPARE:
            try:
                outcome = _COMPARE[type(op)](x, value)
            except TypeError:
                raise ConditionError(f"{x.name!r} has no order: compare it with == or in") from None
            return known & np.asarray(outcome.fillna(False), dtype=bool)
    raise ConditionError(
        "a comparison is between a column and a constant, or a list of them: write it as in 'age >= 65'"
    )
