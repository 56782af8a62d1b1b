"""Values are missing as often as the model says, whatever rules rows are drawn again for.

An order holds where one of its columns is missing. So of rows that are drawn until it holds, more
lack a value than the model says. What is missing is no part of what such a row gets wrong: it is
drawn again with the same values missing.

Where an implication concludes that a value is missing, rows that broke it lack the value now, and
the model's own missing values are there as well. The model counted how many there are, and the rule
says which rows have them: so as many rows that need not lack the value get one.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import Check
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.conditions import Term
from dpsynth.synthesizers.implications import Implication
from dpsynth.synthesizers.sampled_rows import Origin, Tilt

MOST = 64
"""Of patterns of missing values: rows of any further one are drawn again as a whole."""

_NO_TEST = ast.Constant(True)


@dataclass(frozen=True)
class Missing(Term):
    """Whether a value is missing, as a term of a condition."""

    missing: bool

    @classmethod
    def of(cls, column: str, missing: bool) -> Missing:
        return cls(column, _NO_TEST, (), missing)

    def holds(self, values: pd.Series[Any]) -> np.ndarray:
        return np.asarray(values.isna() == self.missing, dtype=bool)


def by_pattern(
    rows: Mapping[str, pd.Series[Any]], places: np.ndarray, checks: Sequence[Check]
) -> tuple[list[tuple[list[Term], np.ndarray]], np.ndarray]:
    """The rows in these places by what is missing of the columns of orders, and all other rows.

    Each pattern as terms that say it, with its rows' places.
    """
    orders = [check for check in checks if check.holds_where_missing]
    names = sorted({name for check in orders for name in check.columns})
    if not names or not len(places):
        return [], places
    own = {name: rows[name].iloc[places] for name in names}
    breaks = ~np.logical_and.reduce([check.passed(own) for check in orders])
    lacks = np.column_stack([own[name].isna().to_numpy() for name in names])
    kinds, of = np.unique(lacks[breaks], axis=0, return_inverse=True)
    common = np.argsort(-np.bincount(of.ravel(), minlength=len(kinds)), kind="stable")[:MOST]
    found: list[tuple[list[Term], np.ndarray]] = [
        (
            [Missing.of(name, bool(flag)) for name, flag in zip(names, kinds[kind], strict=True)],
            places[breaks][of.ravel() == kind],
        )
        for kind in common
    ]
    return found, np.setdiff1d(places, np.concatenate([np.zeros(0, int), *(at for _, at in found)]))


def concluded_missing(
    origin: Origin, implication: Implication, terms: Sequence[Term], tilts: Sequence[Tilt]
) -> dict[str, float]:
    """The columns that lack their value where the condition holds, and the share of rows in which
    the model lacks it, of those that meet these terms.
    """
    found = {}
    for term in implication.then.terms or ():
        name = term.column
        if name not in origin.model.domain.attributes:
            continue
        if np.flatnonzero(origin.weights(name, [term])).tolist() == [
            origin.model.domain.size(name) - 1
        ]:
            counts = origin.counts((name,), Case(tuple(terms)), tilts)
            found[name] = float(counts[-1] / max(counts.sum(), 1e-300))
    return found


def too_many(
    implication: Implication,
    name: str,
    share: float,
    rows: Mapping[str, pd.Series[Any]],
    rng: np.random.Generator,
) -> np.ndarray:
    """Rows that lack a value, need not lack it, and are more than the share of all rows."""
    lacks = rows[name].isna().to_numpy()
    free = np.flatnonzero(lacks & ~implication.when.holds(rows))
    more = round(int(lacks.sum()) - share * len(lacks))
    return rng.permutation(free)[: max(more, 0)]
