"""Model answers: what synthetic rows say, for questions that nothing measured covers. Rows of any
table of a release are asked likewise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.models.ratios import design_of, logistic
from dpsynth.schema.table import Numeric
from dpsynth.synthesizers.answers import Estimate
from dpsynth.synthesizers.asked_cells import AskedCells, products
from dpsynth.synthesizers.questions import Question

ROWS = 50_000
"""Drawn for an answer by the model."""


@dataclass(frozen=True, eq=False)
class RowAnswers:
    """Answers by rows of a release. weight: how many rows of the table each stands for."""

    rows: pd.DataFrame
    cells: AskedCells
    weight: float

    def estimates(self, asked: Question) -> list[Estimate]:
        """The numbers of an answer, without intervals; NaN where no row counts."""
        met = self.met(asked.where)
        if asked.kind == "logistic":
            return self._logistic(asked, met)
        return [
            Estimate(self._one(asked, met & own), group=group)
            for group, own in self._groups(asked.by)
        ]

    def met(self, where: str | None) -> np.ndarray:
        """For each row whether it meets a condition."""
        found = np.zeros(len(self.rows), dtype=bool)
        for case in self.cells.cases(where):
            own = case.holds(self.rows)
            for term in case.terms:
                own = own & term.holds(self.rows[term.column])
            found |= own
        return found

    def _groups(self, by: Sequence[str]) -> Iterator[tuple[Mapping[str, Any], np.ndarray]]:
        for group in products([self.cells.groups(name) for name in by]):
            met = np.ones(len(self.rows), dtype=bool)
            for name, value in group.items():
                own = self.rows[name]
                same = own.isna() if value is None else own == value
                met &= np.asarray(same.fillna(False), dtype=bool)
            yield group, met

    def _one(self, asked: Question, met: np.ndarray) -> float:
        if asked.kind == "count":
            return float(met.sum() * self.weight)
        if asked.kind == "share":
            return float(self.met(asked.of[0])[met].mean()) if met.any() else float("nan")
        if asked.kind == "auc":
            return self._auc(asked, met)
        name = self.cells.column(asked.of[0], Numeric)
        values = pd.to_numeric(self.rows[name][met]).dropna().to_numpy(dtype=float)
        if not values.size:
            return float("nan")
        if asked.kind == "mean":
            return float(values.mean())
        return float(np.quantile(values, asked.at, method="inverted_cdf"))

    def _auc(self, asked: Question, met: np.ndarray) -> float:
        """The share of pairs in which the row with the outcome has the higher score; half a tie."""
        self.cells.apart(asked)
        known = met & np.asarray(self.rows[self.cells.one_column(asked.of[0])].notna())
        outcome, name = self.met(asked.of[0]), self.cells.column(asked.of[1], Numeric)
        scores = pd.to_numeric(self.rows[name][known]).dropna()
        have = outcome[scores.index.to_numpy()] if len(scores) else np.zeros(0, dtype=bool)
        above, below = int(have.sum()), int((~have).sum())
        if not above or not below:
            return float("nan")
        ranks = scores.astype(float).rank().to_numpy()
        return float(ranks[have].sum() - above * (above + 1) / 2) / (above * below)

    def _logistic(self, asked: Question, met: np.ndarray) -> list[Estimate]:
        sides = [self.met(each) for each in asked.of]
        known = met.copy()
        for each in asked.of:
            name = self.cells.one_column(each)
            known &= np.asarray(self.rows[name].notna())
        patterns = [*itertools.product((0, 1), repeat=len(sides))]
        counts = []
        for pattern in patterns:
            pairs = zip(pattern, sides, strict=True)
            counts.append(np.logical_and.reduce([known, *(s == bool(b) for b, s in pairs)]).sum())
        bits, rows = np.array(patterns), np.array(counts, dtype=float)
        design = design_of(bits)
        solved = logistic(design, rows * bits[:, 0], rows * (1 - bits[:, 0]))
        values = np.full(design.shape[1], np.nan) if solved is None else solved[0]
        terms = ["intercept", *asked.of[1:]]
        return [Estimate(float(v), group={"term": t}) for v, t in zip(values, terms, strict=True)]
