"""Three tables on the same bins, and how far two of them are from the first.

For evidence only, never for a fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.base.progress import steps
from dpsynth.models.base import Codes
from dpsynth.models.distances import all_ways, choose_bins, frequencies, total_variation

ONE_WAY_BINS = 20
"""Bins of an ordered column by itself: enough to see its shape, and few enough to draw."""
PAIR_BINS = 12
"""Bins of each column in a pair or triple: more would leave most of the cells without a row."""

_WAYS = {1: "single columns", 2: "pairs of columns", 3: "sets of three columns"}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Three tables on the same bins: the real one, the release, the yardstick.

    bins: for each column the bin of each of its cells.
    """

    bins: Mapping[str, np.ndarray]
    domain: Domain
    tables: Sequence[Codes]

    @classmethod
    def on_columns(cls, domain: Domain, coded: Sequence[Codes]) -> Comparison:
        """For columns alone: every category, and ordered columns in up to 20 bins."""
        real = coded[0]
        bins = {}
        for a in domain.attributes:
            bins[a] = _bins(a, domain, real, ONE_WAY_BINS, nominal=False)
        return cls._of(bins, coded)

    @classmethod
    def on_pairs(cls, domain: Domain, coded: Sequence[Codes]) -> Comparison:
        """For columns together: up to 12 bins of each."""
        real = coded[0]
        bins = {a: _bins(a, domain, real, PAIR_BINS, nominal=True) for a in domain.attributes}
        return cls._of(bins, coded)

    @classmethod
    def _of(cls, bins: Mapping[str, np.ndarray], coded: Sequence[Codes]) -> Comparison:
        tables = [{a: b[table[a]] for a, b in bins.items()} for table in coded]
        sizes = {a: int(b.max()) + 1 for a, b in bins.items()}
        return cls(bins, Domain.of(sizes), tables)

    def shares(self, clique: Clique) -> list[np.ndarray]:
        """The frequencies of the three tables."""
        return [frequencies(table, clique, self.domain) for table in self.tables]

    def distances(self, what: str, cliques: Sequence[Clique]) -> dict[Clique, tuple[float, float]]:
        """How far from the real table the release is, and the yardstick."""
        found = {}
        for clique in steps(what, cliques):
            real, synthetic, yardstick = self.shares(clique)
            found[clique] = total_variation(real, synthetic), total_variation(real, yardstick)
        return found


def distances(
    domain: Domain, ones: Comparison, more: Comparison
) -> dict[int, dict[Clique, tuple[float, float]]]:
    """The distances of single columns, pairs and triples, by how many columns are compared."""
    found = {}
    for k, cliques in all_ways(domain.attributes).items():
        comparison = ones if k == 1 else more
        found[k] = comparison.distances(f"comparing {_WAYS[k]}", cliques)
    return found


def _bins(attribute: str, domain: Domain, real: Codes, most: int, *, nominal: bool) -> np.ndarray:
    size = domain.size(attribute)
    ordered = len(domain.width(attribute) or ())
    if not ordered and not nominal:
        return np.arange(size)
    return choose_bins(np.bincount(real[attribute], minlength=size), ordered, most)


def matrix(
    domain: Domain, found: Mapping[Clique, tuple[float, float]], which: int
) -> tuple[tuple[float | None, ...], ...]:
    """Symmetric; on the diagonal the columns alone. None of pairs that are not compared."""
    index = {a: i for i, a in enumerate(domain.attributes)}
    matrix: list[list[float | None]] = [[None] * len(index) for _ in index]
    for clique, distances in found.items():
        i, j = index[clique[0]], index[clique[-1]]
        matrix[i][j] = matrix[j][i] = distances[which]
    return tuple(map(tuple, matrix))
