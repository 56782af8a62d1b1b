"""Heaps: values that are multiples of a grid, drawn as often as they are reported so.

People say 65 and 70 rather than 67, and amounts are round. Inside of a cell that holds several
values a multiple takes the place of the one that was drawn, the nearest in that cell or part of a
cell, so that conditions and bounds are kept. `mechanisms.heaps` says how often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.schema.heaping import meets

_ROUNDS = 40
"""How often what is drawn evenly, and on a grid by chance, is settled anew."""

_LEAST = 0.01
"""A share below it is left to chance."""


@dataclass(frozen=True)
class Heaps:
    """Grids whose multiples are drawn more often than others.

    Parameters
    ----------
    grids : tuple of float
        Ascending, each a multiple of the one before.
    shares : tuple of float
        For each of them, of the rows in parts of cells that have a multiple of it, and are drawn on
        no coarser grid, those that are drawn on it.
    """

    grids: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()

    def moved(
        self,
        drawn: np.ndarray,
        ends: tuple[np.ndarray, np.ndarray],
        on: Lattice,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of values, some of them moved to a multiple, and which were moved.

        ends: the first and the last number of the part that each was drawn from.
        """
        first, last = ends
        found, moved = drawn.copy(), np.zeros(len(drawn), dtype=bool)
        for place in reversed(range(len(self.grids))):
            chosen = (rng.random(len(drawn)) < self.shares[place]) & ~moved & (first < last)
            at = np.flatnonzero(chosen)
            if at.size == 0:
                continue
            grids = self.grids[place : place + 2]
            nearest, able = on.nearest(grids, drawn[at], first[at], last[at])
            able &= nearest != on.marker
            found[at[able]], moved[at[able]] = nearest[able], True
        return found, moved


NO_HEAPS = Heaps()


@dataclass(frozen=True)
class Lattice:
    """Where multiples lie among the numbers that a column's grid draws.

    A column with steps draws the number of a step from `low` on; one without draws values.
    marker: what stands for missing, in the same numbers.
    """

    low: float
    spacing: float | None
    marker: float

    def bears(self, grid: float) -> bool:
        """Whether multiples of a grid can be drawn, and others too."""
        return self.spacing is None or meets(grid, self.low, self.spacing)

    def counted(self, grid: float, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """How many multiples of a grid there are from each first to each last number."""
        if not self.bears(grid):
            return np.zeros(len(first))
        least, most = self._ends(grid, first, last)
        return most - least + 1

    def nearest(
        self, grids: Sequence[float], drawn: np.ndarray, first: np.ndarray, last: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each number the nearest multiple of a grid from its first to its last number, and
        whether there is one. grids: this one, and the next coarser, whose multiples do not count.
        """
        period, offset = self._in_steps(grids[0])
        least, most = self._ends(grids[0], first, last)
        near = np.clip(np.rint((drawn - offset) / period), least, most)
        if len(grids) > 1:
            coarse = near * period + offset
            side = np.where(drawn >= coarse, 1.0, -1.0)
            side = np.where((least <= near + side) & (near + side <= most), side, -side)
            each, shift = self._in_steps(grids[1])
            near = np.where((coarse - shift) % each == 0, near + side, near)
        able = (least <= near) & (near <= most)
        return (near * period + offset).astype(drawn.dtype), able

    def _ends(
        self, grid: float, first: np.ndarray, last: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest multiple from each first to each last number, in periods."""
        period, offset = self._in_steps(grid)
        least, most = np.ceil((first - offset) / period), np.floor((last - offset) / period)
        # a quotient may be rounded to the next whole number
        least = least + (least * period + offset < first)
        most = most - (most * period + offset > last)
        return least, most

    def _in_steps(self, grid: float) -> tuple[float, float]:
        if self.spacing is None:
            return grid, 0
        period = round(grid / self.spacing)
        return period, round(-self.low / self.spacing) % period


def coarsest(values: np.ndarray, grids: Sequence[float]) -> np.ndarray:
    """For each value the place of the coarsest grid that it is a multiple of, -1 for none."""
    found = np.full(len(values), -1)
    for place, grid in enumerate(grids):
        found[np.rint(values / grid) * grid == values] = place
    return found


def heaps_in_cells(
    on: Lattice,
    ends: tuple[np.ndarray, np.ndarray],
    rows: np.ndarray,
    grids: Sequence[float],
    wanted: np.ndarray,
    unit: float,
) -> Heaps:
    """How often each cell's rows are to be drawn on grids, so that so many come back on each.

    Parameters
    ----------
    on : Lattice
        Of the column.
    ends : tuple of ndarray
        The first and the last number of each cell.
    rows : ndarray
        Rows of each cell that are drawn from several values.
    grids : sequence of float
        Ascending.
    wanted : ndarray
        For each grid how many rows are its multiples, and of no coarser one.
    unit : float
        Between neighbouring values, so that a value that is drawn evenly is a multiple of a grid
        with a chance of unit / grid.
    """
    borne = [place for place, grid in enumerate(grids) if on.bears(grid)]
    grids, wanted = [grids[place] for place in borne], wanted[borne]
    if not grids:
        return NO_HEAPS
    able = [able_cells(on, grids[place : place + 2], ends) for place in range(len(grids))]
    chances = unit / np.array(grids) - np.append(unit / np.array(grids[1:]), 0.0)
    shares, evenly = np.zeros(len(grids)), float(rows.sum())
    for _ in range(_ROUNDS):
        left = rows.astype(np.float64)
        for place in reversed(range(len(grids))):
            here = left[able[place]].sum()
            more = wanted[place] - evenly * chances[place]
            shares[place] = np.clip(more / here, 0.0, 1.0) if here > 0 else 0.0
            left[able[place]] *= 1 - shares[place]
        evenly = (evenly + float(left.sum())) / 2
    shares = np.where(shares >= _LEAST, shares, 0.0)
    return Heaps(tuple(grids), tuple(shares.tolist())) if shares.any() else NO_HEAPS


def able_cells(
    on: Lattice, grids: Sequence[float], ends: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Which cells have a multiple of the first grid that is none of the second."""
    here = [on.counted(grid, *ends) for grid in grids]
    return np.asarray(here[0] > (here[1] if len(here) > 1 else 0))
