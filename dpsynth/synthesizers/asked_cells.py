"""Asked cells: which cells of a model a question is about, if they are whole ones.

A condition that cuts through a cell, that compares two columns, or that is about a column which
constraints model together with others is about no whole cells: then only the model can answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.errors import DPSynthError
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.tables.codec import Codec, codecs
from dpsynth.models.base import ConditionError
from dpsynth.models.ratios import design_of, logistic
from dpsynth.models.span import Query
from dpsynth.schema.table import Datetime, Numeric, Schema
from dpsynth.synthesizers.cases import Case, cases_of
from dpsynth.synthesizers.conditions import Term, column_of
from dpsynth.synthesizers.questions import Question

MAX_GROUPS = 50
"""Values of a column that answers are given by."""

_OUTSIDE = "this question is outside what was measured"


class NotMeasuredError(DPSynthError, ValueError):
    """A question cuts through cells, compares columns, or is about columns not counted together."""

    def __init__(self, question: str = "the question") -> None:
        super().__init__(
            f"{question} compares columns, cuts through cells in which numbers are counted, or is"
            " about columns that are not counted together: ask with conditions along cells, on"
            " single columns"
        )


@dataclass(frozen=True, eq=False)
class AskedCells:
    """The columns of a release, and the cells that a fit counted.

    schema: of the release, with the categories that were found. bounds: those that were learned.
    """

    schema: Schema
    bounds: Mapping[str, tuple[float, float]]

    @cached_property
    def _modelled(self) -> dict[str, Codec]:
        return codecs(recoding_of(self.schema).modelled, self.bounds)

    @cached_property
    def _released(self) -> dict[str, Codec]:
        return codecs(self.schema, self.bounds)

    def cases(self, where: str | None) -> list[Case]:
        """A condition as alternatives; ConditionError for one that nothing here can answer."""
        try:
            found = cases_of(where, None, self.schema)
        except ConditionError as error:
            raise ConditionError(f"{_OUTSIDE}: {error}") from None
        for case in found:
            for term in case.terms:
                self._refuse_beyond(term)
        return found

    def rows_where(self, where: str | None) -> Query:
        """The rows that meet a condition, as cells; NotMeasuredError."""
        found = []
        for case in self.cases(where):
            if case.relations:
                raise NotMeasuredError
            part: dict[str, np.ndarray] = {}
            for term in case.terms:
                part = times(part, {term.column: self._told(term)})
            if any(np.isnan(weights).any() for weights in part.values()):
                raise NotMeasuredError
            found.append(part)
        return found

    def either(self, where: str) -> tuple[str, np.ndarray, np.ndarray]:
        """The column of a condition about one, the cells that meet it, and the others that hold a
        value; NotMeasuredError.
        """
        name = self.one_column(where)
        met = np.zeros(self.codec(name).size)
        for part in self.rows_where(where):
            met = met + part.get(name, 1.0)
        return name, met, self.present(name) * (1 - met)

    def patterns(self, asked: Question) -> tuple[np.ndarray, list[Query]]:
        """Of a regression each pattern of outcome and predictors that a row can have, and its rows.

        ConditionError where no table has coefficients. Whether it has follows from its patterns
        alone, so that one with a row of each is tried.
        """
        sides = [self.either(each) for each in asked.of]
        rows = self.rows_where(asked.where)
        patterns, queries = [], []
        for pattern in itertools.product((0.0, 1.0), repeat=len(sides)):
            query = rows
            for bit, (name, met, other) in zip(pattern, sides, strict=True):
                query = among(query, {name: met if bit else other})
            if possible(query):
                patterns.append(pattern)
                queries.append(query)
        found = np.array(patterns).reshape(-1, len(sides))
        if logistic(design_of(found), found[:, 0], 1 - found[:, 0]) is None:
            raise ConditionError(
                f"no table has coefficients for {asked.text!r}, as some of its conditions decide"
                " another one: leave one of them out"
            )
        return found, queries

    def told_apart(
        self, asked: Question, scores: np.ndarray | None = None
    ) -> dict[str, list[np.ndarray]]:
        """For each column of a question weights of its cells: cells that have the same in all need
        not be told apart. NotMeasuredError; at least one column.

        scores: of an area under the curve the group of each cell of the scores.
        """
        found: dict[str, list[np.ndarray]] = {}
        conditions = [asked.where, *(asked.of if asked.kind in ("share", "logistic") else ())]
        if asked.kind == "auc":
            self.apart(asked)
            name, met, other = self.either(asked.of[0])
            found.setdefault(name, []).extend([met, other])
            own = self.column(asked.of[1], Numeric)
            each = np.arange(self.codec(own).size) if scores is None else scores
            found.setdefault(own, []).extend([each.astype(float), self.present(own)])
        for condition in conditions:
            for part in self.rows_where(condition):
                for name, weights in part.items():
                    found.setdefault(name, []).append(weights)
        if asked.kind == "logistic":
            self.patterns(asked)
            for condition in asked.of:
                name, met, other = self.either(condition)
                found.setdefault(name, []).extend([met, other])
        named = [self.column(asked.of[0], Numeric)] if asked.kind in ("mean", "quantile") else []
        for name in [*named, *(self.groups(each)[0] for each in asked.by)]:
            found.setdefault(name, []).append(np.arange(float(self.codec(name).size)))
        if not found:
            name = next(iter(recoding_of(self.schema).modelled.coded))
            found[name] = [np.zeros(self._modelled[name].size)]
        return found

    def apart(self, asked: Question) -> None:
        """ConditionError for an area whose outcome is a condition on the scores themselves."""
        if self.one_column(asked.of[0]) == self.column(asked.of[1], Numeric):
            raise ConditionError(
                f"{asked.text!r} asks how well a column tells a condition on itself: name another"
                " column of scores"
            )

    def one_column(self, where: str) -> str:
        """The column of a condition about one; ConditionError for others."""
        columns = {name for case in self.cases(where) for name in case.columns}
        if len(columns) != 1:
            raise ConditionError(
                f"{where!r} is about {len(columns)} columns: each part of a regression is a"
                " condition on one column"
            )
        return columns.pop()

    def present(self, name: str) -> np.ndarray:
        """For each cell of a column 1 where it holds values, 0 where they are missing or unread."""
        codec = self.codec(name)
        return (np.arange(codec.size) < len(codec.ends()[0])).astype(float)

    def unread(self) -> dict[str, np.ndarray]:
        """For columns that are not nullable, the cell of what could not be read."""
        found = {}
        for name, codec in self._modelled.items():
            column = recoding_of(self.schema).modelled.columns[name]
            unread = np.arange(codec.size) >= len(codec.ends()[0])
            if unread.any() and not getattr(column, "nullable", False):
                found[name] = unread
        return found

    def codec(self, name: str) -> Codec:
        """The cells of a column that is modelled as it is; NotMeasuredError for another."""
        recoding = recoding_of(self.schema)
        own = recoding.modelled.columns.get(name)
        if own != self.schema.columns[name] or recoding.made_by(name) is not None:
            raise NotMeasuredError
        return self._modelled[name]

    def numbers(self, name: str) -> tuple[str, np.ndarray, np.ndarray]:
        """The column's own name, and the first and the last number of each of its cells."""
        name = self.column(name, Numeric)
        return name, *self._ends(name)

    def _ends(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        first, last = self._released[name].ends()
        return np.asarray(first, dtype=float), np.asarray(last, dtype=float)

    def groups(self, name: str) -> tuple[str, dict[Any, np.ndarray]]:
        """Each value of a column with few, and the cells that have it; None for missing ones."""
        name = self.column(name, object)
        codec = self._released[name]
        values = codec.ends()[0]
        if not codec.single or len(values) > MAX_GROUPS:
            raise ConditionError(
                f"`by` needs columns with at most {MAX_GROUPS} values, and {name!r} has more: ask"
                " with conditions on it, one question for each range"
            )
        own = np.eye(codec.size)
        found = {_plain(value): own[i] for i, value in enumerate(values)}
        if codec.size > len(values) and getattr(self.schema.columns[name], "nullable", False):
            found[None] = own[-1]
        return name, found

    def column(self, name: str, kind: type[Any]) -> str:
        """The name of a column of this kind; ConditionError for others."""
        try:
            name, column = column_of(name, self.schema)
        except ConditionError as error:
            raise ConditionError(f"{_OUTSIDE}: {error}") from None
        if not isinstance(column, kind):
            raise ConditionError(
                f"means, quantiles and scores are numbers, and {name!r} holds none: ask for a share"
                " or a count"
            )
        return name

    def _told(self, term: Term) -> np.ndarray:
        codec = self.codec(term.column)
        return codec.told(term.holds, term.constants)

    def _refuse_beyond(self, term: Term) -> None:
        """ConditionError for a constant beyond the bounds, and for a term that no value meets."""
        column = self.schema.columns[term.column]
        codec = self._released[term.column]
        if isinstance(column, Numeric | Datetime):
            first, last = codec.ends()
            low, high = first.iloc[0], last.iloc[-1]
            for constant in term.constants:
                if not low <= constant <= high:
                    raise ConditionError(
                        f"{_OUTSIDE}: `{term.column}` is known from {low} to {high}, and"
                        f" {constant} is not between them: ask within these bounds"
                    )
        if not np.any(codec.told(term.holds, term.constants) != 0):
            raise ConditionError(
                f"{_OUTSIDE}: no value of `{term.column}` can meet the condition: widen it"
            )


def times(part: Mapping[str, np.ndarray], more: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The product of two products; a cell that does not count in one counts in neither."""
    found = dict(part)
    for name, weights in more.items():
        own = found.get(name)
        if own is None:
            found[name] = weights
        else:
            found[name] = np.where((own == 0) | (weights == 0), 0.0, own * weights)
    return found


def among(query: Query, more: Mapping[str, np.ndarray]) -> Query:
    """A query's rows, weighted by further cells."""
    return [times(part, more) for part in query]


def possible(query: Query) -> bool:
    """Whether any cell counts."""
    return any(all(weights.any() for weights in part.values()) for part in query)


def products(groups: Sequence[tuple[str, Mapping[Any, np.ndarray]]]) -> list[dict[str, Any]]:
    """Each combination of values of some columns."""
    found: list[dict[str, Any]] = [{}]
    for name, values in groups:
        found = [{**one, name: value} for one in found for value in values]
    return found


def _plain(value: Any) -> Any:
    """A value of Python in place of numpy's."""
    if isinstance(value, np.generic):
        return value.item()
    return None if value is pd.NA else value
