"""Rows that break an order are drawn again with the same values missing.

An order holds where one of its columns is missing. So of rows that are drawn until it holds, more
lack a value than the model says: a column below and one above, each missing in a tenth of all rows,
came back missing in a fifth. What is missing is no part of what such a row gets wrong, and stays.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import Check
from dpsynth.synthesizers.conditions import Term

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
