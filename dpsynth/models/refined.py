"""RefinedModel: a model over bins, refined to the cells inside each bin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dpsynth.domain import Clique, Domain
from dpsynth.models.base import Codes, Evidence, Model, code_dtype
from dpsynth.models.sampling import shuffle_within


@dataclass(frozen=True, eq=False)
class RefinedModel:
    """Cells of one bin differ in their own column only: given the bin they are independent of all other columns.

    coarse: a model over bins. bins[a]: the bin of each cell of a. masses[a]: relative masses of a's cells; only their
    proportions inside each bin matter, the bins' own masses are the coarse model's.
    """

    domain: Domain
    coarse: Model
    bins: Mapping[str, np.ndarray]
    masses: Mapping[str, np.ndarray]

    @property
    def total(self) -> float:
        return self.coarse.total

    def project(self, clique: Clique) -> np.ndarray:
        """Expected counts, shape domain.shape(clique)."""
        table = self.coarse.project(clique)
        for axis, a in enumerate(clique):
            shape = [-1 if i == axis else 1 for i in range(len(clique))]
            table = table.take(self.bins[a], axis=axis) * self._within(a).reshape(shape)
        return table

    def sample(self, n: int, rng: np.random.Generator, evidence: Evidence | None = None) -> Codes:
        """n rows: bins first, then a cell inside each, both with low variance."""
        wanted = {a: np.asarray(w, dtype=np.float64) for a, w in (evidence or {}).items()}
        binned = {a: np.bincount(self.bins[a], self._within(a) * w) for a, w in wanted.items()}
        coarse = self.coarse.sample(n, rng, binned)
        return {
            a: _cells_within(coarse[a], self.bins[a], self._within(a) * wanted.get(a, 1.0), rng)
            for a in self.domain.attributes
        }

    def _within(self, attribute: str) -> np.ndarray:
        """The share of each cell in its bin; cells of a bin without mass share it by width, or evenly."""
        bins, mass = self.bins[attribute], self.masses[attribute]
        held = np.bincount(bins, mass)
        even = np.ones_like(mass)
        widths = self.domain.width(attribute) or ()
        even[: len(widths)] = widths
        weight = np.where(held[bins] > 0, mass, even)
        return weight / np.bincount(bins, weight)[bins]


def _cells_within(binned: np.ndarray, bins: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each row a cell of its bin, with probability proportional to `weights`, drawn systematically (`sampling`)."""
    rows = np.bincount(binned, minlength=int(bins.max()) + 1)
    cells = np.argsort(bins, kind="stable")
    of = bins[cells]
    last = np.flatnonzero(np.diff(of, append=of[-1] + 1))
    upto = np.cumsum(weights[cells])
    before = np.concatenate([[0.0], upto[last[:-1]]])
    held = upto[last] - before
    share = (upto - before[of]) / np.where(held > 0, held, 1.0)[of]
    share[last] = 1.0
    steps = np.ceil(share * rows[of] - rng.random(rows.size)[of])
    steps[1:] -= np.where(of[1:] == of[:-1], steps[:-1], 0.0)
    out = np.empty(len(binned), dtype=code_dtype(bins.size))
    out[shuffle_within(binned.astype(np.uint64), rows.size, rng)] = np.repeat(cells, steps.astype(np.int64))
    return out
