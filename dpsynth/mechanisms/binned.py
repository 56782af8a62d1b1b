"""Binned: a table whose columns are told apart only as far as the noise lets them be seen, and its pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dpsynth.data.table import PrivateTable
from dpsynth.domain import Clique, Domain
from dpsynth.encode.bins import choose_bins
from dpsynth.mechanisms.base import FirstLook
from dpsynth.mechanisms.selection import Prices, informative_pairs
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.refined import RefinedModel
from dpsynth.privacy.sensitive import Sensitive


@dataclass(frozen=True, eq=False)
class Binned:
    """bins[a]: the bin of each cell of a. domain: of the bins. answers: every informative pair, counted once.

    masses: estimated counts of the bins when they were chosen; rows: of all of them.
    """

    bins: Mapping[str, np.ndarray]
    domain: Domain
    answers: Mapping[Clique, Sensitive]
    masses: Mapping[str, np.ndarray]
    rows: float

    @classmethod
    def of(cls, table: PrivateTable, look: FirstLook, prices: Prices) -> Binned:
        """Bins for the noise that a pair would have if these prices were shared evenly among the pairs of a tree."""
        masses = look.masses()
        bins = choose_bins(table.domain, masses, prices.even_stddev(len(table.domain.attributes) - 1))
        coarse = table.coarsen(bins)
        answers = coarse.marginals(informative_pairs(coarse.domain))
        binned = {a: np.bincount(bins[a], masses[a]) for a in bins}
        return cls(bins, coarse.domain, answers, binned, look.rows)

    def independent(self) -> dict[Clique, np.ndarray]:
        """Expected counts of every pair if columns were independent."""
        shares = {a: m / m.sum() if m.sum() > 0 else np.full(m.size, 1 / m.size) for a, m in self.masses.items()}
        return {(a, b): self.rows * np.multiply.outer(shares[a], shares[b]) for a, b in self.answers}

    def oneways(self, look: FirstLook) -> list[LinearMeasurement]:
        """The look's one-way measurements over bins: noise of merged cells adds in squares."""
        return [
            LinearMeasurement(
                (a,),
                np.bincount(self.bins[a], m.values),
                np.sqrt(np.bincount(self.bins[a], np.square(m.stddev) * np.ones(m.values.size))),
            )
            for a, m in look.oneways.items()
        ]

    def refined(self, model: Model, look: FirstLook) -> RefinedModel:
        """A model of the bins, refined to cells by the one-way measurements."""
        return RefinedModel(look.domain, model, self.bins, look.masses())
