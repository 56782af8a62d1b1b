"""Cases: a condition as alternatives of which no row meets two.

A model answers tests of single columns exactly. So `and` and `or` are taken apart: `a or b` becomes
`a`, and `b without a`. What compares two columns with each other is a relation, which whole rows
meet or do not meet.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.models.base import ConditionError
from dpsynth.schema.table import Boolean, Categorical, Column, OpenCategorical, Schema
from dpsynth.synthesizers.conditions import (
    COMPARE,
    Term,
    Without,
    Written,
    column_of,
    equal,
    read,
    term,
)

_MOST = 1000
"""Cases of one condition: each is looked up in the model by itself."""


@dataclass(frozen=True)
class Relation:
    """A comparison of two columns, as `discharged >= admitted`; missing values meet none.

    negated: whether the rows are wanted that do not meet it.
    """

    left: str
    right: str
    op: type[ast.cmpop]
    negated: bool = False

    def holds(self, left: pd.Series[Any], right: pd.Series[Any]) -> np.ndarray:
        """For each pair of values whether it meets the relation."""
        if isinstance(left.dtype, pd.CategoricalDtype) or left.dtype != right.dtype:
            left, right = left.astype(object), right.astype(object)
        known = np.asarray(left.notna() & right.notna(), dtype=bool)
        met = np.asarray(COMPARE[self.op](left, right).fillna(False), dtype=bool)
        return (known & met) ^ self.negated


@dataclass(frozen=True, eq=False)
class Case:
    """Rows that meet all of these terms and relations.

    cells: for some columns a weight for each of their cells, beside the terms.
    """

    terms: tuple[Term, ...] = ()
    relations: tuple[Relation, ...] = ()
    cells: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The columns that it is about, each once."""
        named = [each.column for each in self.terms]
        named += [name for each in self.relations for name in (each.left, each.right)]
        return list(dict.fromkeys([*named, *self.cells]))

    def and_(self, terms: Sequence[Term]) -> Case:
        """The rows of this case that meet these terms, too."""
        return Case((*self.terms, *terms), self.relations, self.cells)

    def holds(self, rows: pd.DataFrame) -> np.ndarray:
        """For each row whether it meets the relations."""
        met = np.ones(len(rows), dtype=bool)
        for each in self.relations:
            met &= each.holds(rows[each.left], rows[each.right])
        return met


def cases_of(where: str | None, given: Mapping[str, Any] | None, schema: Schema) -> list[Case]:
    """A condition and given values as cases, checked against the schema.

    ConditionError, in one sentence, for a condition that cannot be read.
    """
    found = [Case()]
    if where is not None:
        written = read(where)
        found = [_case(atoms) for atoms in _Splitter(written, schema).alternatives(written.tree)]
    same = [equal(name, value, schema) for name, value in (given or {}).items()]
    return [case.and_(same) for case in found]


Atom = Term | Relation


def _case(atoms: Sequence[Atom]) -> Case:
    return Case(
        tuple(each for each in atoms if isinstance(each, Term)),
        tuple(each for each in atoms if isinstance(each, Relation)),
    )


@dataclass(frozen=True)
class _Splitter:
    """Takes a condition apart."""

    written: Written
    schema: Schema

    def alternatives(self, node: ast.expr, truth: bool = True) -> list[list[Atom]]:
        """Lists of atoms such that every row with this truth of the node meets all of exactly one
        of them.
        """
        columns = self.written.columns(node)
        match node:
            case _ if len(columns) == 1:
                met = term(columns[0], node, self.schema)
                return [[met if truth else Without.of(met)]]
            case ast.BoolOp(op=op, values=values):
                return self._joined(values, truth, isinstance(op, ast.And))
            case ast.Compare(left=left, ops=ops, comparators=comparators) if columns:
                sides = pairwise([left, *comparators])
                steps = [ast.Compare(a, [op], [b]) for (a, b), op in zip(sides, ops, strict=True)]
                if len(steps) > 1:
                    return self._joined(steps, truth, True)
                return [[self._relation(steps[0], truth)]]
        raise ConditionError(
            f"a part of a condition is about {columns}, and each must compare a column with"
            " constants, or two columns with each other: write it as in 'age >= 65', with text in"
            " quotes and names that are not Python names in backticks"
        )

    def _joined(self, nodes: Sequence[ast.expr], truth: bool, all_of: bool) -> list[list[Atom]]:
        """Of nodes joined by `and`, if all_of, or by `or`."""
        if all_of != truth:  # one of them has this truth: the first that has
            found: list[list[Atom]] = []
            before: list[list[Atom]] = [[]]
            for node in nodes:
                found += self._product(before, self.alternatives(node, truth))
                before = self._product(before, self.alternatives(node, not truth))
            return found
        every: list[list[Atom]] = [[]]
        for node in nodes:
            every = self._product(every, self.alternatives(node, truth))
        return every

    def _product(self, left: list[list[Atom]], right: list[list[Atom]]) -> list[list[Atom]]:
        if len(left) * len(right) > _MOST:
            raise ConditionError(
                f"a condition has more than {_MOST} alternatives: write fewer that are joined by"
                " `or`, or draw them one after another"
            )
        return [[*a, *b] for a in left for b in right]

    def _relation(self, node: ast.Compare, truth: bool) -> Relation:
        """The relation of a comparison with one operator that names two columns."""
        (op,) = node.ops
        found = dict(column_of(name, self.schema) for name in self.written.columns(node))
        plain = all(isinstance(each, ast.Name) for each in (node.left, *node.comparators))
        kinds = {_kind(column) for column in found.values()}
        if not plain or type(op) not in COMPARE or len(kinds) > 1:
            raise ConditionError(
                f"{list(found)} are compared in a way that cannot be read: compare a number with a"
                " number, a date with a date, or a category with a category, by ==, !=, <, <=, > or"
                " >="
            )
        left, right = found
        if kinds <= {Boolean, Categorical} and not isinstance(op, ast.Eq | ast.NotEq):
            raise ConditionError(f"{left!r} has no order: compare it with == or !=")
        return Relation(left, right, type(op), not truth)


def _kind(column: Column) -> type[Column]:
    """What a column is compared as: the categories of an open one are categories."""
    return Categorical if isinstance(column, OpenCategorical) else type(column)
