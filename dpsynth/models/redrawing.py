"""Redrawing: models that the noisy counts leave possible, one for each new draw of their noise.

A model is one guess at the rows, and says nothing of how far it may be off. But the noise of each
count is known exactly. So each draw adds to the counts, as they were measured, noise of the same
kind once more, and is fitted to these: about the guess it lies as the guess lies about the rows
(perturb and refit; for Gaussian noise and a linear fit it is a draw of the posterior under a flat
prior: Papandreou and Yuille 2010; Räisä et al. 2022, arXiv 2205.14485, draw it by MCMC). The fit
has to be one without bias (`inference`: weak), and rows are drawn each by itself, so that their
scatter is what an analyst's own variance says.

What is known beforehand has no part in it, nor have cells that are taken to hold no row. Where
noise is larger than most counts of a table, some of these come out negative, no model has that, and
what is fitted is biased: `faint` says of how many.

Public mathematics on charged answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import LinearMeasurement, RoughMeasurement
from dpsynth.models.counted import Counted
from dpsynth.models.engines import MAX_TREE_CELLS, estimate_exactly
from dpsynth.models.factor import summed
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.junction_tree import tree_cells
from dpsynth.models.refined import RefinedModel

_CLEAR = 2.0
"""Standard deviations of its noise from which on a count stands out."""


@dataclass(frozen=True, eq=False)
class Redrawing:
    """What models are drawn from.

    Parameters
    ----------
    model : RefinedModel
        With what was charged for.
    empty : mapping of str to ndarray
        For some columns which cells are taken to hold no row, as bools.

    Raises
    ------
    ValueError
        For a model that keeps no counts of each column, or whose counts no tree of bearable size
        holds.

    Examples
    --------
    >>> from dpsynth.models.engines import estimate
    >>> sexes = RoughMeasurement(("sex",), (np.arange(2),), np.array([60.0, 44.0]), 5.0)
    >>> fitted = LinearMeasurement(("sex",), sexes.values, 5.0)
    >>> model = RefinedModel.of_cells(estimate(Domain.of({"sex": 2}), [fitted]))
    >>> redrawing = Redrawing(replace(model, charged=(sexes,)), {})
    >>> rng = np.random.default_rng(1)
    >>> [redrawing.draw(rng).project(("sex",)).round().tolist() for _ in range(2)]
    [[62.0, 48.0], [62.0, 37.0]]
    """

    model: RefinedModel
    empty: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        columns = {a for m in self.model.charged for a in m.clique if len(m.clique) == 1}
        if columns != {*self.model.domain.attributes}:
            raise ValueError(
                "this release keeps no noisy counts of every column, from which other models could"
                " be drawn: fit by canopy or mst"
            )
        cells = tree_cells(self._bins_domain, [m.clique for m in self._charged])
        if cells > MAX_TREE_CELLS:
            raise ValueError(
                f"a tree that holds all of the release's noisy counts has {cells:,} cells, more"
                f" than {MAX_TREE_CELLS:,}: fit by canopy or mst"
            )

    def draw(self, rng: np.random.Generator) -> RefinedModel:
        """A model of another draw of the noise, whose rows are drawn apart."""
        return self._refined(self._fitted(self._noisy(rng), self._centre))

    def _noisy(self, rng: np.random.Generator) -> list[RoughMeasurement]:
        return [
            replace(m, values=m.values + np.rint(rng.normal(0.0, m.stddev, m.values.shape)))
            for m in self._charged
        ]

    @cached_property
    def _kept(self) -> dict[str, np.ndarray]:
        """The cells of each column that may hold rows."""
        sizes = self.model.domain.sizes
        return {a: np.flatnonzero(~self.empty.get(a, np.zeros(n, dtype=bool))) for a, n in sizes}

    @cached_property
    def _charged(self) -> list[RoughMeasurement]:
        """The counts without those of cells that hold no row: noise alone."""
        return [_among(m, self._kept) for m in self.model.charged]

    @cached_property
    def _bins(self) -> dict[str, np.ndarray]:
        """The bins of the cells that are kept; where columns alone were counted, of each one."""
        if all(len(m.clique) < 2 for m in self._charged):
            return {a: np.arange(cells.size) for a, cells in self._kept.items()}
        return {a: _numbered(self.model.bins[a][cells]) for a, cells in self._kept.items()}

    @cached_property
    def _bins_domain(self) -> Domain:
        return Domain.of({a: int(bins.max()) + 1 for a, bins in self._bins.items()})

    @cached_property
    def _centre(self) -> GraphicalModel:
        """The model of the counts as they were measured: where each draw's fit begins."""
        return self._fitted(self._charged, None)[0]

    def _fitted(
        self, charged: Sequence[RoughMeasurement], warm: GraphicalModel | None
    ) -> tuple[GraphicalModel, dict[str, Counted]]:
        """A model of the bins, and what was counted of each column's cells."""
        columns = {a: _column((a,), charged) for a in self._bins}
        measured = [_of_bins(a, columns[a], self._bins[a]) for a in self._bins]
        rough = []
        for m in charged:
            if not m.clique:
                measured.append(LinearMeasurement((), m.values, m.stddev))
            elif len(m.clique) > 1:
                groups = [
                    _lifted(g, self._bins[a]) for a, g in zip(m.clique, m.groups, strict=True)
                ]
                if all(g.size == g.max() + 1 for g in groups):
                    measured.append(_in_order(m, groups))
                else:
                    rough.append(replace(m, groups=tuple(groups)))
        model = estimate_exactly(self._bins_domain, measured, warm=warm, rough=rough, weak=True)
        return model, columns

    def _refined(self, fitted: tuple[GraphicalModel, dict[str, Counted]]) -> RefinedModel:
        """A model of all cells: those of one bin share it as they were counted."""
        coarse, columns = fitted
        bins, masses = {}, {}
        for a, size in self.model.domain.sizes:
            own = self._bins[a]
            bins[a], masses[a] = np.zeros(size, dtype=np.int64), np.zeros(size)
            bins[a][self._kept[a]] = own
            values = columns[a].values
            for i in range(int(own.max()) + 1):
                at = own == i
                masses[a][self._kept[a][at]] = _nearest(values[at])
        coarse = replace(coarse, apart=True)
        return RefinedModel(self.model.domain, coarse, bins, masses, apart=True)

    def together(self, a: str, b: str) -> RoughMeasurement | None:
        """The counts of two columns that tell most of their cells apart; None where there are
        none.
        """
        found = [m for m in self._charged if {a, b} <= {*m.clique}]
        return max(found, key=lambda m: m.values.size, default=None)

    def merged(self, a: str, m: RoughMeasurement) -> float:
        """The share of the rows that lie in cells of a column which a measurement does not tell
        apart from others.
        """
        groups = m.groups[m.clique.index(a)]
        several = np.bincount(groups)[groups] > 1
        rows = np.maximum(_column((a,), self._charged).values, 0.0)
        return float(rows[several].sum() / max(float(rows.sum()), 1.0))

    def faint(self, a: str) -> float:
        """How far the counts of a column's cells are biased by those that do not stand out of
        their noise, in standard deviations of the noise of all of them, at most.

        A count of nothing is 0.4 of its noise where it cannot be negative.
        """
        counted = _column((a,), self._charged)
        unclear = counted.values < _CLEAR * counted.stddev
        return float(0.4 * unclear.sum() / math.sqrt(unclear.size))


def _column(clique: Clique, charged: Sequence[RoughMeasurement]) -> Counted:
    """What all counts of a column say together."""
    of_cells: list[RoughMeasurement] = []
    of_groups: list[RoughMeasurement] = []
    for m in charged:
        if m.clique == clique:
            groups = m.groups[0]
            alone = np.array_equal(groups, np.arange(groups.size))
            (of_cells if alone else of_groups).append(m)
    counted = Counted.of_cells(of_cells[0].values, of_cells[0].stddev)
    for m in of_cells[1:]:
        counted = counted.and_also(Counted.of_cells(m.values, m.stddev))
    for m in of_groups:
        counted = counted.with_sums(m.groups[0], m.values, m.stddev)
    return counted


def _of_bins(a: str, counted: Counted, bins: np.ndarray) -> LinearMeasurement:
    return LinearMeasurement((a,), summed(counted.values, 0, bins), counted.stddev_of_sums(bins))


def _in_order(m: RoughMeasurement, groups: Sequence[np.ndarray]) -> LinearMeasurement:
    """Counts of single bins, in the bins' order."""
    return LinearMeasurement(m.clique, m.values[np.ix_(*groups)], m.stddev)


def _among(m: RoughMeasurement, kept: Mapping[str, np.ndarray]) -> RoughMeasurement:
    """A measurement without the groups that hold none of the cells that are kept."""
    groups = [g[kept[a]] for a, g in zip(m.clique, m.groups, strict=True)]
    held = [np.unique(g) for g in groups]
    values = m.values[np.ix_(*held)] if groups else m.values
    return replace(m, groups=tuple(map(_numbered, groups)), values=values)


def _numbered(labels: np.ndarray) -> np.ndarray:
    """The same groups, numbered from 0 without gaps, in their order."""
    return np.unique(labels, return_inverse=True)[1].ravel()


def _lifted(labels: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """The group of each bin, of groups of cells that cut through none."""
    found = np.zeros(int(bins.max()) + 1, dtype=np.intp)
    found[bins] = labels
    return found


def _nearest(values: np.ndarray) -> np.ndarray:
    """The nearest counts that are not negative and have the same sum (Duchi et al. 2008, figure 1);
    zeros where the sum is not positive.
    """
    total = float(values.sum())
    if total <= 0:
        return np.zeros(values.size)
    falling = np.sort(values)[::-1]
    over = (np.cumsum(falling) - total) / np.arange(1, values.size + 1)
    return np.asarray(np.maximum(values - over[np.flatnonzero(falling > over)[-1]], 0.0))
