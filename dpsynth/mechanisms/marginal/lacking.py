"""Lacking: which columns of a row are missing together, counted in four cells a pair.

A laboratory's panel is missing as a whole, and a question that was not asked leaves several columns
empty. A pair of columns of twelve bins each shows that in one cell of 144, and costs the noise of
all. Whether each is missing has four cells, for a thirtieth of the effort (`Prices.shared`). So a
batch may buy either: all of a pair, or this.

**Privacy.** The cells of a column are merged into two by `PrivateTable.coarsen`, so that a record
still counts in one cell of each pair, and the table states the sensitivity. Which columns are
looked at follows from the first, charged look at each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base.domain import Clique
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.mechanisms.oneway import OneWayMeasurements, measure
from dpsynth.models.base import RoughMeasurement
from dpsynth.models.factor import grouped

CELLS = 4
"""Of a pair of columns, each missing or not."""

_SEEN = 4.0
"""Standard deviations of its noise that both the missing rows of a column and the others must have,
for the column to be looked at.
"""


@dataclass(frozen=True, eq=False)
class Lacking:
    """Pairs of columns as missing or not.

    answers: of each pair its four counts, closed. groups: for each column which of its bins holds
    what is missing: 1, and 0 for all others.
    """

    answers: Mapping[Clique, Sensitive]
    groups: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        coarse: PrivateTable,
        bins: Mapping[str, np.ndarray],
        oneway: OneWayMeasurements,
        pairs: Sequence[Clique],
    ) -> Lacking:
        """Those of some pairs whose columns have many missing rows and many others; coarse: a table
        of bins.

        Where what is missing shares a bin, or both columns have two bins alone, there is no such
        pair.
        """
        groups = {
            a: (np.arange(n) == bins[a][-1]).astype(np.intp)
            for a, n in coarse.domain.sizes
            if n > 1 and np.count_nonzero(bins[a] == bins[a][-1]) == 1 and _many(a, oneway)
        }
        pairs = [c for c in pairs if {*c} <= {*groups} and coarse.domain.cells(c) > CELLS]
        wanted = {a: groups[a] for c in pairs for a in c}
        if not wanted:
            return cls({}, {})
        return cls(coarse.coarsen(wanted).marginals(pairs), wanted)

    def estimates(self, estimates: Mapping[Clique, np.ndarray]) -> dict[Clique, np.ndarray]:
        """Of pairs with an estimate by bins, that of their four cells."""
        return {c: grouped(e, self._of(c)) for c, e in estimates.items() if c in self.answers}

    def errors(self, errors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """For each column the standard deviations of its two counts, of those of its bins."""
        return {a: np.sqrt(grouped(errors[a] ** 2, (own,))) for a, own in self.groups.items()}

    def measured(
        self, accountant: Accountant, costs: Mapping[Clique, int]
    ) -> list[RoughMeasurement]:
        """Measures these pairs, one charge for each."""
        found = []
        for c, cost in costs.items():
            m = measure(accountant, c, self.answers[c], cost, of="what is missing of")
            noise = float(np.max(m.stddev))
            found.append(RoughMeasurement(c, self._of(c), m.values, noise))
        return found

    def _of(self, clique: Clique) -> tuple[np.ndarray, ...]:
        return tuple(self.groups[a] for a in clique)


def _many(attribute: str, oneway: OneWayMeasurements) -> bool:
    """Whether a column is seen to have both missing rows and others."""
    count, noise = oneway.last_cells()[attribute]
    return min(count, oneway.rows - count) > _SEEN * noise
