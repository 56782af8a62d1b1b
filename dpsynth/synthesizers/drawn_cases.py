"""Rows that meet a condition of any form: exactly as many as were asked for, or one sentence.

Cases are drawn in proportion to what the model gives them, each exactly. Relations between columns
are met by whole rows: rows are drawn until enough of them do, each from the model's distribution of
the rows that do. Where few do, the rows are drawn from those pairs of cells alone in which the
relation can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.models.base import ConditionError
from dpsynth.models.rounding import systematic_counts
from dpsynth.synthesizers.cases import Case, Relation
from dpsynth.synthesizers.sampled_rows import Origin, Tilt, joined

_PILOT = 4096
"""Rows that are drawn first, to see how many meet the relations."""

_RARE = 0.05
"""Of the rows drawn: where fewer meet the relations, pairs of cells are chosen first."""

_MOST_DRAWN = 400_000
"""Rows drawn for a relation, beside a hundred for each that was asked for."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A condition, made of cases of which no row meets two, and the tilts of its columns."""

    origin: Origin
    cases: Sequence[Case]
    tilts: Sequence[Tilt] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that the condition is about."""
        return list(dict.fromkeys(name for case in self.cases for name in case.columns))

    def masses(self) -> np.ndarray:
        """For each case how many rows the model expects to meet its terms."""
        found = np.array([self.origin.counts((), case, self.tilts) for case in self.cases])
        points = np.array([self.origin.points(case) for case in self.cases])
        beside = np.where(points, 0.0, found)
        return beside if beside.any() else found

    def draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """n rows that meet the condition; ConditionError where the model has none, or too few."""
        if len(self.cases) == 1 and not self.cases[0].relations:
            return self.origin.draw(n, self.cases[0], rng, self.tilts)
        return self.origin.whole(self.values(n, rng), rng)

    def values(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """The same, without identifiers."""
        if any(case.relations for case in self.cases):
            return self._related(n, rng)
        return joined([rows for rows, _ in self._proposed(n, rng)], rng)

    def _proposed(self, n: int, rng: np.random.Generator) -> list[tuple[pd.DataFrame, Case]]:
        """n rows that meet the terms of the cases, and the case of each."""
        masses = self.masses() if len(self.cases) > 1 else np.ones(1)
        if not masses.any():
            raise ConditionError.no_row(self.columns)
        counts = even_counts(n, masses, rng)
        counts[np.argmax(masses)] += n == 0  # no rows have columns and dtypes, too
        drawn = [
            (self.origin.values(int(count), case, rng, self.tilts), case)
            for case, count in zip(self.cases, counts, strict=True)
            if count
        ]
        return drawn if n else [(rows[:0], case) for rows, case in drawn]

    def _related(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """Rows that meet the relations, too: drawn until there are enough."""
        drawing = self
        kept: list[pd.DataFrame] = []
        found, drawn, step = 0, 0, _PILOT
        while found < n or not kept:
            for rows, case in drawing._proposed(step, rng):
                kept.append(rows[case.holds(rows)])
                found += len(kept[-1])
            drawn += step
            if drawn == _PILOT and found < _RARE * drawn:
                drawing = self._of_fitting_cells()
                kept, found = [], 0
            elif found < n and drawn > _MOST_DRAWN + 100 * n:
                raise ConditionError(
                    f"of {drawn} rows that were drawn {found} meet the condition on"
                    f" {' and '.join(f'`{name}`' for name in self.columns)}, too few to go on:"
                    " widen it, or ask for fewer rows"
                )
            wanted = (n - found) * (drawn + 1) // (found + 1)
            step = int(np.clip(wanted * 1.2, 64, 200_000))
        return joined(kept, rng).iloc[:n].reset_index(drop=True)

    def _of_fitting_cells(self) -> Drawing:
        """The same condition, with the cases of one relation taken apart by pairs of cells."""
        apart: list[Case] = []
        for case in self.cases:
            apart += self._apart(case) if case.relations else [case]
        if not apart:
            raise ConditionError.no_row(self.columns)
        return replace(self, cases=apart)

    def _apart(self, case: Case) -> list[Case]:
        """A case for each cell of a relation's first column, with the cells that fit beside it."""
        relation = case.relations[0]
        clique = (relation.left, relation.right)
        fits = self._fitting(relation)
        counts = self.origin.counts(clique, case, self.tilts) * fits
        found = []
        for cell in np.flatnonzero(counts.sum(axis=1)):
            only = (np.arange(len(fits)) == cell).astype(float)
            cells = dict(case.cells)
            for name, weights in zip(clique, (only, fits[cell]), strict=True):
                cells[name] = cells.get(name, 1.0) * weights
            found.append(replace(case, cells=cells))
        return found

    def _fitting(self, relation: Relation) -> np.ndarray:
        """For each pair of cells whether some values in them may meet the relation."""
        names = (relation.left, relation.right)
        sizes = [self.origin.codecs[name].size for name in names]
        fits = np.ones(sizes)  # the cell of missing values among them, where negated
        ends = [self.origin.codecs[name].ends() for name in names]
        some = np.zeros([len(first) for first, _ in ends], dtype=bool)
        for left in ends[0]:
            for right in ends[1]:
                some |= _every_pair(relation, left, right)
        if not relation.negated:
            fits[:] = 0
        fits[: some.shape[0], : some.shape[1]] = some | self._overlap(ends)
        return fits

    def _overlap(self, ends: Sequence[tuple[pd.Series[Any], pd.Series[Any]]]) -> np.ndarray:
        """For each pair of cells whether a value can lie in both."""
        (first, last), (other_first, other_last) = ends
        try:
            low = np.asarray(first)[:, None] <= np.asarray(other_last)[None, :]
            high = np.asarray(other_first)[None, :] <= np.asarray(last)[:, None]
        except TypeError:  # categories have no order, and a cell of them has one value
            return np.zeros((len(first), len(other_first)), dtype=bool)
        return np.asarray(low & high)


def _every_pair(relation: Relation, left: pd.Series[Any], right: pd.Series[Any]) -> np.ndarray:
    """For each of the left values, and each of the right ones, whether they meet the relation."""
    a = left.take(np.repeat(np.arange(len(left)), len(right))).reset_index(drop=True)
    b = right.take(np.tile(np.arange(len(right)), len(left))).reset_index(drop=True)
    return relation.holds(a, b).reshape(len(left), len(right))


def even_counts(n: int, masses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """n rows shared out in proportion to the masses: each share rounded up or down at random."""
    return np.asarray(systematic_counts(masses[None, :], np.array([n]), rng)[0])
