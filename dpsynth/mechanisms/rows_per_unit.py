"""A charged look at how many rows units have: one count of units for each number of rows.

A unit is in one count, so that the noise is that of a single record, whatever number of rows a fit
uses later. The numbers of rows end at a public ceiling, with which a unit with more is counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dpsynth.data.tables.rows_of_units import RowsOfUnits
from dpsynth.door.bounded import Bounded
from dpsynth.door.codes import Coding
from dpsynth.door.sizes import unit_sizes
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.models.rounding import on_simplex

NAME = "rows-per-unit"
"""What the ledger and its policy call this look."""

SHARE = 0.02
"""Of a fit's budget: what names cost that are to repeat as people do."""

_FIRST = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80)
_CLEAR = 4.0
"""Standard deviations from which on a count, or all counts from one on together, are no noise. Of
60 empty counts one in 500 looks has one so large.
"""


def ends(most: int) -> tuple[int, ...]:
    """The last number of rows of each count: 1, 2, 3, and coarser steps up to `most`.

    >>> ends(10)
    (1, 2, 3, 4, 5, 6, 8, 10)
    """
    further = (each * 10**power for power in range(12) for each in _FIRST[7:])
    return (*sorted({each for each in (*_FIRST, *further) if each < most}), most)


@dataclass(frozen=True)
class Sizes:
    """How many units have how many rows, by a charge.

    Parameters
    ----------
    ends : tuple of int
        The last number of rows of each count.
    counts : tuple of float
        The units counted, with noise.
    stddev : float
        Of the noise of each count.
    """

    ends: tuple[int, ...]
    counts: tuple[float, ...]
    stddev: float

    @cached_property
    def seen(self) -> int:
        """How many of the counts, from 1 row on, stand out from the noise, by themselves or with
        all that follow. None where the noise leaves no unit in them together.
        """
        counts = np.array(self.counts)
        following = np.cumsum(counts[::-1])[::-1] / np.sqrt(np.arange(counts.size, 0, -1))
        clear = np.flatnonzero(np.maximum(counts, following) > _CLEAR * self.stddev)
        seen = int(clear[-1]) + 1 if clear.size else 0
        return seen if counts[:seen].sum() >= 1 else 0

    @cached_property
    def units(self) -> np.ndarray:
        """The units of each count that is seen: none negative, and nearest to what was measured."""
        counts = np.array(self.counts[: self.seen])
        return on_simplex(counts, float(counts.sum())) if self.seen else counts

    @cached_property
    def rows(self) -> np.ndarray:
        """How many rows a unit of each count that is seen has, in the middle of it."""
        last = np.array(self.ends[: self.seen], dtype=np.float64)
        return np.sqrt(last * np.append(1.0, last[:-1] + 1)[: last.size])

    def cut(self, most: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """The share of rows, and of units, that `most` rows a unit would cut.

        Each with its standard deviation.
        """
        beyond = np.maximum(self.rows - most, 0.0)
        return (
            self._share(beyond, self.rows),
            self._share((beyond > 0).astype(float), np.ones(self.seen)),
        )

    @cached_property
    def unseen(self) -> tuple[float, float]:
        """About how many units have more rows than is seen, with its standard deviation."""
        beyond = self.counts[self.seen :]
        return math.fsum(beyond), self.stddev * math.sqrt(len(beyond))

    def cut_at_most(self, most: int) -> float:
        """The share of rows that `most` rows a unit would cut if units with more rows than is seen
        have twice as many: those of no count that is seen, as many as were counted and no further
        than the ceiling, and those that count with the ceiling, twice as many as that.
        """
        rows = np.append(self.rows, min(2 * self.ends[self.seen - 1], self.ends[-1]))
        if self.seen == len(self.ends):
            rows[self.seen - 1] = 2 * self.ends[-1]
        units = np.append(self.units, max(0.0, self.unseen[0]))
        return float(np.maximum(rows - most, 0.0) @ units) / float(rows @ units)

    def _share(self, part: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
        total = float(whole @ self.units)
        share = float(part @ self.units) / total
        return share, self.stddev * math.sqrt(float(((part - share * whole) ** 2).sum())) / total


def sizes_cost(cost: int) -> int:
    """What the look costs a fit that has this cost left."""
    return int(cost * SHARE)


def rows_of_units(sizes: Sizes) -> RowsOfUnits:
    """What is seen, as rows are drawn by it; one row a unit where nothing stands out."""
    if not sizes.seen:
        return RowsOfUnits((1,), (1.0,))
    return RowsOfUnits(sizes.ends[: sizes.seen], tuple(sizes.units.tolist()))


def look_at_sizes(
    rows: Bounded, dates: Mapping[str, Coding], accountant: Accountant, cost: int
) -> Sizes:
    """The counts of units by their bounded rows, by one charge of this cost."""
    last = ends(rows.unit.max_records)
    answer = unit_sizes(rows, [1, *(each + 1 for each in last[:-1])], dates)
    charge = accountant.charge(Gaussian.spending(cost), "count the rows of each unit")
    counts, stddev = charge.gaussian(answer)
    return Sizes(last, tuple(counts.tolist()), float(np.max(stddev)))
