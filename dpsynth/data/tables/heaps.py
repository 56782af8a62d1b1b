"""Heaps: values that are multiples of a grid, drawn as often as they are reported so.

People say 65 and 70 rather than 67, and amounts are round. Inside of a cell that holds several
values a multiple takes the place of the one that was drawn, the nearest in that cell, so that
bounds are kept. `mechanisms.heaps` says how often, and `ways` what a condition leaves of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.data.tables.ways import Way
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

    def ways(self, grids: Sequence[float]) -> list[Way]:
        """For each grid the multiples of it that are none of the next one; all must be borne."""
        places = [self._in_steps(grid) for grid in grids]
        above = [*places, None][1:]
        return [Way(*own, coarser=next_one) for own, next_one in zip(places, above, strict=True)]

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
    able = [able_cells(way, ends) for way in on.ways(grids)]
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


def able_cells(way: Way, ends: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Which cells have a multiple that is no coarser one."""
    here = way.counted(*ends)
    if way.coarser is None:
        return np.asarray(here > 0)
    return np.asarray(here > Way(*way.coarser).counted(*ends))
