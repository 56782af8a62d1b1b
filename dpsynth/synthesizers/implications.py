"""Implications: their conditions as cases, and whether any row can keep all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import Recoding, recoding_of
from dpsynth.data.tables.codec import codec_for
from dpsynth.models.base import ConditionError
from dpsynth.schema.columns import OTHER, Categorical, Numeric, OpenCategorical
from dpsynth.schema.constraints import Implies
from dpsynth.schema.table import Schema, SchemaError
from dpsynth.synthesizers.cases import Case, cases_of
from dpsynth.synthesizers.conditions import Term, Without
from dpsynth.synthesizers.pulled import pulled

ROUNDS = 200
"""How often rows that break an implication are drawn again."""

_MOST_TRIES = 20_000
"""Of combinations of implications: a search that takes more is ended, and nothing is refused."""


@dataclass(frozen=True, eq=False)
class Condition:
    """Cases of which no row meets two, as a test of decoded rows."""

    cases: tuple[Case, ...]

    @property
    def terms(self) -> tuple[Term, ...] | None:
        """The terms that say all of it; None where alternatives or relations do."""
        one = len(self.cases) == 1 and not self.cases[0].relations
        return self.cases[0].terms if one else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is about."""
        return tuple(dict.fromkeys(name for case in self.cases for name in case.columns))

    def holds(self, rows: Mapping[str, Any]) -> np.ndarray:
        """For each row whether it meets one of the cases."""
        return np.logical_or.reduce([_met(case, rows) for case in self.cases])


def _met(case: Case, rows: Mapping[str, Any]) -> np.ndarray:
    terms = [term.holds(rows[term.column]) for term in case.terms]
    pairs = [each.holds(rows[each.left], rows[each.right]) for each in case.relations]
    return np.logical_and.reduce([*terms, *pairs])


@dataclass(frozen=True, eq=False)
class Implication:
    """A rule with its two conditions."""

    rule: Implies
    when: Condition
    then: Condition

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is about."""
        return (*self.when.columns, *self.then.columns)


@lru_cache(maxsize=64)
def implications_of(schema: Schema) -> tuple[Implication, ...]:
    """The implications of a schema; SchemaError for a condition that is of a key, or none."""
    found: list[Implication] = []
    if not any(isinstance(rule, Implies) for rule in schema.constraints):
        return ()
    keys = set(recoding_of(schema).keys)
    read_by = _with_any_category(schema)
    for rule in schema.constraints:
        if isinstance(rule, Implies):
            try:
                read = [
                    Condition(tuple(cases_of(t, None, read_by))) for t in (rule.when, rule.then)
                ]
                _check_order([*read[0].cases, *read[1].cases], schema)
            except ConditionError as error:
                raise SchemaError(f"the constraint `{rule.describe()}`: {error}") from None
            if named := sorted({*read[0].columns, *read[1].columns} & keys):
                raise SchemaError(
                    f"the constraint `{rule.describe()}` is about {named[0]!r}, a key that is"
                    " generated: leave one of the two out"
                )
            found.append(Implication(rule, *read))
    return tuple(found)


def _with_any_category(schema: Schema) -> Schema:
    """The schema by which conditions are read: one may name a category that no fit has found."""
    columns = {
        name: OpenCategorical(nullable=column.nullable)
        if isinstance(column, Categorical) and column.other == OTHER
        else column
        for name, column in schema.columns.items()
    }
    return Schema({**columns}, unit=schema.unit)


def _check_order(cases: Sequence[Case], schema: Schema) -> None:
    """ConditionError for a term that asks for an order of categories that have none."""
    for term in (term for case in cases for term in case.terms):
        column = schema.columns[term.column]
        if isinstance(column, Categorical | OpenCategorical):
            ordered = getattr(column, "ordered", False)
            term.holds(pd.Series(pd.Categorical([], ["any"], ordered=ordered)))


def no_row(of: Sequence[Implication]) -> ConditionError:
    """No row was found that keeps these implications, or none at all."""
    said = " and ".join(f"`{each.rule.describe()}`" for each in of) or "all constraints"
    return ConditionError(
        f"no row was found that keeps {said} and meets the condition: widen it, or count by"
        " `dpsynth schema check` how many input rows break the constraints"
    )


def refuse_impossible(schema: Schema) -> None:
    """SchemaError, with the culprits, where no row can keep all implications.

    Columns with an open bound, those that are computed by a formula, and comparisons of columns
    count as able to meet any condition.
    """
    rules = list(implications_of(schema))
    recoding = recoding_of(schema)
    if _Search(recoding).possible(rules):
        return
    for rule in list(rules):
        others = [each for each in rules if each is not rule]
        if not _Search(recoding).possible(others):
            rules = others
    said = " and ".join(f"`{each.rule.describe()}`" for each in rules)
    raise SchemaError(f"no row can keep {said}: correct a condition, or leave one of them out")


class _Search:
    """Looks for one row that keeps implications: of each a part fails, or its conclusion holds."""

    def __init__(self, recoding: Recoding) -> None:
        self._recoding = recoding
        self._tries = 0

    def possible(self, rules: Sequence[Implication], chosen: tuple[Term, ...] = ()) -> bool:
        self._tries += 1
        if not rules or self._tries > _MOST_TRIES:
            return True
        first, rest = rules[0], rules[1:]
        when = first.when.terms
        ways = [()] if when is None else [(Without.of(term),) for term in when]
        for way in (*ways, *(case.terms for case in first.then.cases)):
            both = (*chosen, *way)
            if self._meets(both) and self.possible(rest, both):
                return True
        return False

    def _meets(self, terms: tuple[Term, ...]) -> bool:
        """Whether each modelled column has a value that meets all that the terms say of it."""
        found = [pulled(term, self._recoding) for term in terms]
        known = [term for term in found if term is not None]
        return all(
            self._has_value(name, [term for term in known if term.column == name])
            for name in dict.fromkeys(term.column for term in known)
        )

    def _has_value(self, name: str, terms: Sequence[Term]) -> bool:
        column = self._recoding.modelled.columns[name]
        if isinstance(column, Numeric) and not column.bounded:
            return True
        codec = codec_for(column)
        constants = [constant for term in terms for constant in term.constants]

        def holds(values: pd.Series[Any]) -> np.ndarray:
            return np.logical_and.reduce([term.holds(values) for term in terms])

        return bool(codec.weights(codec.parts(holds, constants)).any())
