"""How many rows agree with a record on some of its columns: the features of query-based attacks.

A record that is in the training table raises the counts of every combination of its own values.
Synthesizers that keep marginals keep these counts, so they tell more about a record than general
statistics of the release do (Houssiau et al., TAPAS, arXiv 2211.06550; Annamalai et al., arXiv
2405.10994).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.domain import Clique

WIDEST = 3
"""Columns of a combination, the whole record aside: synthesizers keep few marginals wider than
that.
"""
_REACH = 0.5
"""Of a standard deviation: numbers that are no farther from a record's agree with it."""


@dataclass(frozen=True, eq=False)
class Target:
    """A record. reach: of its numbers, how far another may be from one to agree with it."""

    values: Mapping[str, Any]
    reach: Mapping[str, float]

    @classmethod
    def of(cls, record: Mapping[str, Any], table: pd.DataFrame) -> Target:
        """A record of a table, whose spread says what is near."""
        reach = {}
        for name, value in record.items():
            if _is_number(value):
                column = pd.to_numeric(table[name], errors="coerce").astype(float)
                reach[name] = _REACH * float(np.nan_to_num(column.std(ddof=0)))
        return cls(record, reach)

    def agreement(self, table: pd.DataFrame) -> np.ndarray:
        """Where each row agrees with the record: booleans, shape (rows, columns of the record).

        A column that the table lacks agrees nowhere.
        """
        found = np.zeros((len(table), len(self.values)), dtype=bool)
        for i, name in enumerate(self.values):
            if name in table.columns:
                found[:, i] = self._agrees(name, table[name])
        return found

    def _agrees(self, name: str, column: pd.Series[Any]) -> np.ndarray:
        value = self.values[name]
        if pd.isna(value):
            return column.isna().to_numpy()
        if name in self.reach:
            read = pd.to_numeric(column, errors="coerce")
            numbers = read.to_numpy(dtype=np.float64, na_value=np.nan)
            return np.asarray(np.abs(numbers - float(value)) <= self.reach[name])
        text = str(value)
        return np.array([str(x) == text for x in column], dtype=bool)


def combinations(columns: Sequence[str], most: int) -> list[Clique]:
    """The whole record, then single columns, pairs and triples, so many of them."""
    whole = tuple(columns)
    sizes = (itertools.combinations(columns, size) for size in range(1, WIDEST + 1))
    parts = (c for c in itertools.chain.from_iterable(sizes) if c != whole)
    return [whole, *itertools.islice(parts, most - 1)]


def counts(agreement: np.ndarray, columns: Sequence[str], asked: Sequence[Clique]) -> np.ndarray:
    """For each combination how many rows agree on all of its columns; float64."""
    place = {name: i for i, name in enumerate(columns)}
    packed = agreement.T
    found = []
    for combination in asked:
        agrees = np.logical_and.reduce([packed[place[name]] for name in combination])
        found.append(agrees.sum())
    return np.array(found, dtype=np.float64)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return False
    return bool(value == value)  # NaN is not equal to itself
