"""Merging: several models with their noisy counts, as one model. Public mathematics, no charge.

Counts either add, where the tables are of different people, or are averaged as shares, where they
describe one population. For each set of columns that a source has measured, the merged table has a
target: what the models of the sources that measured it say of it, in the merged rows,

    add:      T = R / sum R_i  *  sum T_i
    average:  T = R  *  sum w_i T_i / R_i,  sum w_i = 1.

R_i are the sources' rows, and R the merged ones: their sum, or their mean. The w_i are by inverse
variance: of a share with noise s_i a cell, s_i^2 / R_i^2 and that of the draw of the rows, k / R_i
times its mean over the cells. So what one source alone has measured together is taken from it. The
targets of several columns are raked to those of single ones (Deming and Stephan 1940), which all
sources measure: the other sources lend their shares, and the association stays.

A model is fitted to the targets nearly exactly. They are no raw counts: the sources' fits have
taken most of the noise out of them, and a fit that did so again would lose an association once more
(distances of pairs were 5 to 10 % larger).

What stays of the raw counts is what is exact: sums of counts that all sources have made of the same
groups of cells, or, averaged, each source's counts in the merged table's rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.agreement import together
from dpsynth.models.base import LinearMeasurement, RoughMeasurement
from dpsynth.models.bins import choose_bins
from dpsynth.models.counted import Counted
from dpsynth.models.engines import estimate_exactly
from dpsynth.models.factor import quotient
from dpsynth.models.junction_tree import tree_cells
from dpsynth.models.refined import RefinedModel
from dpsynth.models.span import rounded_variance

MAX_CELLS = 2_000_000
"""Of the merged model: bins become coarser, and then sets of columns are left out, where it would
be larger.
"""

_LEFT = 0.1
"""The part of the measurements' noise that targets are fitted with."""

_ROUNDS = 20
_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Part:
    """A source's model, over the merged domain.

    alike: how many of its rows one unit may have, all of them alike.
    """

    model: RefinedModel
    domain: Domain
    alike: int = 1

    @property
    def rows(self) -> float:
        return max(float(self.model.total), 1.0)

    @cached_property
    def charged(self) -> dict[Clique, list[RoughMeasurement]]:
        """What it has measured of each set of columns, in the merged domain's order."""
        found: dict[Clique, list[RoughMeasurement]] = {}
        for m in self.model.charged:
            clique = self.domain.ordered(m.clique)
            order = tuple(m.clique.index(a) for a in clique)
            groups = tuple(m.groups[i].astype(np.intp) for i in order)
            values = np.transpose(np.asarray(m.values, dtype=float), order)
            found.setdefault(clique, []).append(RoughMeasurement(clique, groups, values, m.stddev))
        return {clique: together(each) for clique, each in found.items()}

    def project(self, clique: Clique, groups: Sequence[np.ndarray]) -> np.ndarray:
        """What the model expects of groups of cells, in rows, axes in the order of the clique."""
        return self.model.project_groups(clique, groups)

    def variance(self, clique: Clique, bins: Mapping[str, np.ndarray]) -> np.ndarray:
        """Of the noise of what was measured, on merged bins, about.

        What was counted in other groups has as much noise in all as its own counts.
        """
        if len(clique) == 1:
            return self._counted(clique[0]).stddev_of_sums(bins[clique[0]]) ** 2
        sizes = [int(bins[a].max()) + 1 for a in clique]
        counts = [rounded_variance(m.stddev) * m.values.size for m in self.charged[clique]]
        return np.full(sizes, min(counts) / math.prod(sizes))

    def _counted(self, attribute: str) -> Counted:
        """What was measured of a column's cells, and of groups of them."""
        cells = self.model.domain.size(attribute)
        looks = self.charged[(attribute,)]
        fine = [m for m in looks if int(m.groups[0].max()) + 1 == cells]
        found = Counted.of_cells(fine[0].values, math.sqrt(rounded_variance(fine[0].stddev)))
        for m in looks:
            if m is not fine[0]:
                stddev = math.sqrt(rounded_variance(m.stddev))
                found = found.with_sums(m.groups[0], m.values, stddev)
        return found


@dataclass(frozen=True, eq=False)
class Merging:
    """Models of which a merged one is made.

    domain: of all columns. add: whether counts add, or are averaged as shares.
    """

    domain: Domain
    parts: Sequence[Part]
    add: bool

    @property
    def rows(self) -> float:
        held = [part.rows for part in self.parts]
        return sum(held) if self.add else sum(held) / len(held)

    @cached_property
    def cliques(self) -> list[Clique]:
        """What any source has measured of several columns: first what most have measured."""
        found = {c for part in self.parts for c in part.charged if len(c) > 1}
        often = {c: sum(c in part.charged for part in self.parts) for c in found}
        return sorted(found, key=lambda c: (-often[c], self._noise(c), c))

    def _noise(self, clique: Clique) -> float:
        """The standard deviation of a count of these columns in the merged rows, about."""
        held = [
            (min(rounded_variance(m.stddev) for m in part.charged[clique]), part)
            for part in self.parts
            if clique in part.charged
        ]
        if self.add:
            scale = self.rows / sum(part.rows for _, part in held)
            return scale * math.sqrt(sum(v for v, _ in held))
        return self.rows / math.sqrt(sum(part.rows**2 / v for v, part in held))

    def made(self) -> tuple[RefinedModel, list[Clique]]:
        """The merged model; and the sets of columns that were left out of it, as it would be too
        large.
        """
        cells = {a: np.arange(n) for a, n in self.domain.sizes}
        masses = {a: self._told((a,), cells)[0] for a in self.domain.attributes}
        bins = self._bins(masses)
        binned = _binned(self.domain, bins)
        kept = _small_enough(binned, self.cliques)
        wanted = [*((a,) for a in self.domain.attributes), *kept]
        targets = [LinearMeasurement(c, *self._target(c, bins)) for c in wanted]
        model = estimate_exactly(binned, targets, total=self.rows)
        left = [c for c in self.cliques if c not in kept]
        return RefinedModel(self.domain, model, bins, masses, charged=self._charged()), left

    def _bins(self, masses: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The bins of all sources together; coarser ones where the model would be too large."""
        fine = {a: _parted([p.model.bins[a] for p in self._having(a)]) for a in masses}

        def size(bins: Mapping[str, np.ndarray]) -> int:
            return tree_cells(_binned(self.domain, bins), self.cliques)

        if not self.cliques or size(fine) <= MAX_CELLS:
            return fine
        typical = float(np.median([self._noise(c) for c in self.cliques]))
        return min(fine, choose_bins(self.domain, masses, typical), key=size)

    def _having(self, attribute: str) -> list[Part]:
        return [part for part in self.parts if attribute in part.model.domain.attributes]

    def noise(self) -> dict[Clique, float]:
        """The standard deviation of a count in the merged rows, of each set that was measured."""
        return {c: self._noise(c) for c in [*((a,) for a in self.domain.attributes), *self.cliques]}

    def _target(
        self, clique: Clique, bins: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Expected counts of bins in the merged rows, and the deviations that they are fitted with.

        Counts of several columns agree with those of each.
        """
        values, variance = self._told(clique, bins)
        for _ in range(_ROUNDS if len(clique) > 1 else 0):
            for axis, a in enumerate(clique):
                others = tuple(i for i in range(len(clique)) if i != axis)
                wanted = self._told((a,), bins)[0]
                factor = quotient(wanted, values.sum(axis=others))
                values = values * np.expand_dims(factor, others)
        return values, np.maximum(_LEFT * np.sqrt(variance), _LEAST)

    def _told(
        self, clique: Clique, bins: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the sources that measured these columns say of them; and the noise's variance."""
        groups = tuple(bins[a] for a in clique)
        told = [part for part in self.parts if clique in part.charged]
        factor = {part: self.rows / sum(each.rows for each in told) for part in told}
        if not self.add:
            weights = self._weights(clique, bins, told)
            factor = {part: weights[part] * self.rows / part.rows for part in told}
        values = sum(factor[part] * part.project(clique, groups) for part in told)
        variance = sum(factor[part] ** 2 * part.variance(clique, bins) for part in told)
        return np.asarray(values), np.asarray(variance)

    def _weights(
        self, clique: Clique, bins: Mapping[str, np.ndarray], measured: Sequence[Part]
    ) -> dict[Part, float]:
        """By inverse variance of a cell's share, sums to one."""
        groups = tuple(bins[a] for a in clique)
        shares = [part.project(clique, groups) / part.rows for part in measured]
        typical = np.mean(shares, axis=0)
        drawn = float(np.mean(typical * (1 - typical)))
        of = {
            part: float(np.mean(part.variance(clique, bins))) / part.rows**2
            + part.alike * drawn / part.rows
            for part in measured
        }
        whole = sum(1 / each for each in of.values())
        return {part: 1 / each / whole for part, each in of.items()}

    def _charged(self) -> tuple[RoughMeasurement, ...]:
        """The counts that questions are answered by."""
        if not self.add:
            return tuple(
                _scaled(m, self.rows / part.rows)
                for part in self.parts
                for each in part.charged.values()
                for m in each
            )
        first, *others = self.parts
        found = []
        for clique, each in first.charged.items():
            for m in each:
                same = [_same_groups(m, other.charged.get(clique, [])) for other in others]
                if all(one is not None for one in same):
                    found.append(_added([m, *(one for one in same if one is not None)]))
        return tuple(found)


def _binned(domain: Domain, bins: Mapping[str, np.ndarray]) -> Domain:
    return Domain.of({a: int(bins[a].max()) + 1 for a in domain.attributes})


def _parted(bins: Sequence[np.ndarray]) -> np.ndarray:
    """The coarsest bins that no two cells share which any of these keep apart."""
    return np.unique(np.stack(bins), axis=1, return_inverse=True)[1].ravel()


def _small_enough(domain: Domain, cliques: Sequence[Clique]) -> list[Clique]:
    """Those that a model of MAX_CELLS has room for, the first ones first."""
    if tree_cells(domain, cliques) <= MAX_CELLS:
        return [*cliques]
    kept: list[Clique] = []
    for clique in cliques:
        if tree_cells(domain, [*kept, clique]) <= MAX_CELLS:
            kept.append(clique)
    return kept


def _scaled(m: RoughMeasurement, by: float) -> RoughMeasurement:
    stddev = by * math.sqrt(rounded_variance(m.stddev))
    return replace(m, values=by * m.values, stddev=stddev)


def _same_groups(m: RoughMeasurement, among: Sequence[RoughMeasurement]) -> RoughMeasurement | None:
    for each in among:
        if all(np.array_equal(x, y) for x, y in zip(m.groups, each.groups, strict=True)):
            return each
    return None


def _added(counts: Sequence[RoughMeasurement]) -> RoughMeasurement:
    values = np.sum([m.values for m in counts], axis=0)
    stddev = math.sqrt(sum(rounded_variance(m.stddev) for m in counts))
    return replace(counts[0], values=values, stddev=stddev)
