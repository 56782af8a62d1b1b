"""Implications: their conditions as terms, and whether any row can keep all of them."""

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
from dpsynth.schema.columns import Numeric
from dpsynth.schema.constraints import Implies
from dpsynth.schema.table import Schema, SchemaError
from dpsynth.synthesizers.conditions import Term, parse
from dpsynth.synthesizers.pulled import pulled

_MOST_TRIES = 20_000
"""Of combinations of implications: a search that takes more is ended, and nothing is refused."""


@dataclass(frozen=True)
class Not(Term):
    """The term that holds where another one does not, missing values among them."""

    def holds(self, values: pd.Series[Any]) -> np.ndarray:
        return ~super().holds(values)

    @classmethod
    def of(cls, term: Term) -> Not:
        return cls(term.column, term.test, term.constants)


@dataclass(frozen=True, eq=False)
class Implication:
    """A rule with its two conditions, each a list of terms that hold together."""

    rule: Implies
    when: tuple[Term, ...]
    then: tuple[Term, ...]

    def premise(self, rows: Mapping[str, Any]) -> np.ndarray:
        """For each row whether the first condition holds."""
        return np.logical_and.reduce([term.holds(rows[term.column]) for term in self.when])

    def conclusion(self, rows: Mapping[str, Any]) -> np.ndarray:
        """For each row whether the second one does."""
        return np.logical_and.reduce([term.holds(rows[term.column]) for term in self.then])


@lru_cache(maxsize=64)
def implications_of(schema: Schema) -> tuple[Implication, ...]:
    """The implications of a schema; SchemaError for a condition that is of a key, or none."""
    found = []
    keys = set(recoding_of(schema).keys)
    for rule in schema.constraints:
        if isinstance(rule, Implies):
            try:
                when, then = (tuple(parse(text, None, schema)) for text in (rule.when, rule.then))
            except ConditionError as error:
                raise SchemaError(f"the constraint `{rule.describe()}`: {error}") from None
            if named := sorted({term.column for term in (*when, *then)} & keys):
                raise SchemaError(
                    f"the constraint `{rule.describe()}` is about {named[0]!r}, a key that is"
                    " generated: leave one of the two out"
                )
            found.append(Implication(rule, when, then))
    return tuple(found)


def refuse_impossible(schema: Schema) -> None:
    """SchemaError, with the culprits, where no row can keep all implications.

    Columns with an open bound, and those that are computed by a formula, count as able to meet any
    condition.
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
        ways: list[tuple[Term, ...]] = [(Not.of(term),) for term in first.when]
        for way in (*ways, first.then):
            both = (*chosen, *way)
            if self._meets({term.column for term in way}, both) and self.possible(rest, both):
                return True
        return False

    def _meets(self, columns: set[str], terms: tuple[Term, ...]) -> bool:
        """Whether each of these columns has a value that meets all of its terms."""
        found = [pulled(term, self._recoding) for term in terms if term.column in columns]
        known = [term for term in found if term is not None]
        # what another column's terms say of the same modelled column counts too
        shared = {term.column for term in known}
        every = [pulled(term, self._recoding) for term in terms]
        return all(
            self._has_value(name, [t for t in every if t is not None and t.column == name])
            for name in shared
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
