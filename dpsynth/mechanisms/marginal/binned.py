"""Binned: columns told apart only as far as the noise lets them be seen, and their pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dpsynth.base import progress
from dpsynth.base.domain import Clique, Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.mechanisms.marginal.first_look import FirstLook
from dpsynth.mechanisms.marginal.known import Known
from dpsynth.mechanisms.marginal.lacking import Lacking
from dpsynth.mechanisms.oneway import OneWayMeasurements, public_blocks
from dpsynth.mechanisms.prices import Prices, informative_pairs
from dpsynth.models.base import LinearMeasurement, Model, RoughMeasurement
from dpsynth.models.bins import choose_bins
from dpsynth.models.blocks import blocks_by_mass
from dpsynth.models.factor import summed
from dpsynth.models.refined import RefinedModel

FEW_BINS = 3.0
"""Bins of a column that a model was fitted to, at which `Binned.errors` believes it by half."""

_MIN_LEFT = 0.1
"""Of a column's noise, in squares: what no estimate is believed to have taken out."""


@dataclass(frozen=True, eq=False)
class Binned:
    """A table whose columns are told apart only as far as the noise lets them be seen.

    bins[a]: the bin of each cell of a. domain: of the bins. answers: every informative pair, or
    what a first look chose of them, counted once. lacking: of these, as missing or not. masses:
    estimated counts of the bins when they were chosen. rows: of all of them. known: marginals known
    beforehand that `oneway` does not hold. blocks: of wide columns, what is counted together when
    they are measured again.
    """

    bins: Mapping[str, np.ndarray]
    domain: Domain
    answers: Mapping[Clique, Sensitive]
    lacking: Lacking
    masses: Mapping[str, np.ndarray]
    rows: float
    known: Sequence[Known] = ()
    blocks: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        table: PrivateTable,
        oneway: OneWayMeasurements,
        prices: Prices,
        known: Sequence[Known] = (),
        look: FirstLook | None = None,
    ) -> Binned:
        """Bins for the noise that a pair would have if all pairs of a tree shared these prices
        evenly.

        Columns of which something is known more finely than that keep finer bins. look: which pairs
        are counted; None counts all.
        """
        sharper: dict[str, float] = {}
        for m in (k.measurement(oneway.rows) for k in known):
            for a in m.clique:
                sharper[a] = min(sharper.get(a, math.inf), float(np.max(m.stddev)))
        masses = _masses(oneway, known)
        of_a_tree = prices.even_stddev(len(table.domain.attributes) - 1)
        bins = choose_bins(table.domain, masses, of_a_tree, sharper)
        coarse = table.coarsen(bins)
        binned = {a: np.bincount(bins[a], masses[a]) for a in bins}
        if look is None:
            pairs = informative_pairs(coarse.domain)
        else:
            noise = {a: oneway.stddev_of_sums(a, bins[a]) for a in bins}
            pairs = look.pairs(coarse, binned, noise, of_a_tree)
        progress.stage("counting pairs of columns")
        answers = coarse.marginals(pairs)
        lacking = Lacking.of(coarse, bins, oneway, pairs)
        blocks = {
            a: blocks_by_mass(masses[a], bins[a], len(table.domain.width(a) or ()))
            for a in public_blocks(table.domain)
        }
        return cls(bins, coarse.domain, answers, lacking, binned, oneway.rows, known, blocks)

    def independent(self) -> dict[Clique, np.ndarray]:
        """Expected counts of every pair if columns were independent."""
        shares: dict[str, np.ndarray] = {}
        for a, mass in self.masses.items():
            total = mass.sum()
            shares[a] = mass / total if total > 0 else np.full(mass.size, 1 / mass.size)
        return {
            (a, b): self.rows * np.multiply.outer(shares[a], shares[b]) for a, b in self.answers
        }

    def oneways(self, oneway: OneWayMeasurements) -> list[LinearMeasurement]:
        """The one-way measurements over bins."""
        return [
            LinearMeasurement(
                m.clique, summed(m.values, 0, self.bins[a]), oneway.stddev_of_sums(a, self.bins[a])
            )
            for a, m in oneway.by_column.items()
        ]

    def noise(self, oneway: OneWayMeasurements) -> dict[str, np.ndarray]:
        """For each column the standard deviations of its bins' measurements, in rows."""
        return {m.clique[0]: m.stddev * np.ones(m.values.shape) for m in self.oneways(oneway)}

    def errors(
        self, oneway: OneWayMeasurements, estimates: Mapping[str, np.ndarray], few: float
    ) -> dict[str, np.ndarray]:
        """For each column the standard deviations of estimated bins, in rows.

        How much of its measurement's noise an estimate has taken out shows in how far it lies from
        the measured counts. A column of `few` bins is believed in that by half.
        """
        errors = {}
        noise = self.noise(oneway)
        for m in self.oneways(oneway):
            variance = noise[m.clique[0]] ** 2
            moved = float(np.sum((m.values - estimates[m.clique[0]]) ** 2 / variance))
            left = max(1 - moved / (m.values.size + few), _MIN_LEFT)
            errors[m.clique[0]] = np.sqrt(left * variance)
        return errors

    def held(self, oneway: OneWayMeasurements) -> list[LinearMeasurement]:
        """What is known, over bins and in rows: shares of as many as were measured."""
        return [self.measurement(k.measurement(oneway.rows)) for k in self.known]

    def measurement(self, m: LinearMeasurement) -> LinearMeasurement:
        """A measurement of cells, over their bins: noise of merged cells adds in squares."""
        values = m.values
        variance = np.square(m.stddev) * np.ones(m.values.shape)
        for axis, a in enumerate(m.clique):
            values, variance = (summed(table, axis, self.bins[a]) for table in (values, variance))
        return LinearMeasurement(m.clique, values, np.sqrt(variance))

    def refined(
        self,
        model: Model,
        oneway: OneWayMeasurements,
        measured: Sequence[LinearMeasurement | RoughMeasurement],
    ) -> RefinedModel:
        """A model of the bins, refined to cells by the one-way measurements and what is known.

        measured: marginals of several columns, over bins, each as a charge answered it.
        """
        masses = _masses(oneway, self.known)
        charged = (*oneway.charged, *map(self._as_charged, measured))
        found = RefinedModel(oneway.domain, model, self.bins, masses, charged=charged)
        return replace(found, last_cells=oneway.last_cells(), counted=oneway.counted())

    def _as_charged(self, m: LinearMeasurement | RoughMeasurement) -> RoughMeasurement:
        """A measurement of bins, or of groups of them, as one of groups of cells."""
        bins = tuple(self.bins[a] for a in m.clique)
        if isinstance(m, RoughMeasurement):
            bins = tuple(group[own] for group, own in zip(m.groups, bins, strict=True))
        return RoughMeasurement(m.clique, bins, m.values, float(np.max(m.stddev)))


def _masses(oneway: OneWayMeasurements, known: Sequence[Known]) -> dict[str, np.ndarray]:
    """Estimated counts of each column's cells, as measured, and by what is known besides."""
    for m in [k.measurement(oneway.rows) for k in known]:
        for a in m.clique:
            oneway = oneway.with_prior(_onto(m, a))
    return oneway.masses()


def _onto(m: LinearMeasurement, attribute: str) -> LinearMeasurement:
    """What a measurement says of one of its columns."""
    others = tuple(i for i, a in enumerate(m.clique) if a != attribute)
    variance = np.square(m.stddev) * np.ones(m.values.shape)
    return LinearMeasurement(
        (attribute,), m.values.sum(axis=others), np.sqrt(variance.sum(axis=others))
    )
