"""Ways in which values inside of a cell are written: as multiples, or with few decimals.

A value is drawn evenly from its cell and then moved to the nearest number that is written so. Where
a condition leaves a part of the cell, a way counts there by the numbers that would move into it:
so rows under a condition are distributed as all rows are that meet it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Way:
    """The numbers n * period / per + offset, n whole, that are none of a coarser grid.

    All are numbers as the column's grid draws them: values, or whole numbers of steps.

    Parameters
    ----------
    period, offset, per : float
        As above. per: of decimals a power of ten, as float64 has no tenths.
    coarser : tuple of float, optional
        Period and offset of the multiples that do not count.
    reach : float
        How many lengths of its part a value may move where the part holds no such number.
    """

    period: float
    offset: float = 0
    per: float = 1
    coarser: tuple[float, float] | None = None
    reach: float = 0.0

    def counted(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """How many multiples there are from each first to each last number, coarser ones too."""
        least, most = self._within(first, last)
        with np.errstate(invalid="ignore"):  # beyond all numbers there is none
            return np.asarray(most - least + 1)

    def nearest(
        self, drawn: np.ndarray, first: np.ndarray, last: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each number the nearest one of this way from its first to its last number, and
        whether there is one.
        """
        least, most = self._within(first, last)
        near = np.clip(np.rint(self._places(drawn)), least, most)
        if self.coarser is not None:
            side = np.where(drawn >= self._number(near), 1.0, -1.0)
            side = np.where((least <= near + side) & (near + side <= most), side, -side)
            near = np.where(self._coarse(near), near + side, near)
        able = (least <= near) & (near <= most)
        return np.clip(self._number(near), first, last).astype(drawn.dtype), able

    def beside(self, drawn: np.ndarray) -> np.ndarray:
        """For each number the nearest one of this way, wherever that lies."""
        return self._number(np.rint(self._places(drawn)))

    def drawn_from(
        self, first: np.ndarray, last: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each part of a cell the first and the last number that moves into it; no number, in
        order, where none does. The part itself where its cell has no number of this way.

        low, high: the ends of the cells.
        """
        cut = np.flatnonzero((low < first) | (last < high))
        begin, end = low.copy(), high.copy()
        ends = low[cut], high[cut]
        if first.dtype.kind == "i":
            begin[cut] = self._moving(first[cut], *ends)
            end[cut] = self._moving(last[cut] + 1, *ends) - 1
        else:
            begin[cut] = self._moving(first[cut], *ends)
            end[cut] = self._moving(np.nextafter(last[cut], np.inf), *ends)
        able = self.counted(low, high) > 0
        return np.where(able, begin, first), np.where(able, end, last)

    def _moving(self, wanted: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """From which number of its cell on a draw moves to `wanted` or beyond; just behind the cell
        where none does.
        """
        least, most = self._within(first, last)
        up, _ = self._within(wanted, last)
        down = up - 1
        up, down = up + self._coarse(up), down - self._coarse(down)
        middle = (self._number(up) + self._number(down)) / 2
        behind = last
        if first.dtype.kind == "i":
            middle, behind = np.ceil(middle).astype(first.dtype), last + 1
            middle += self.nearest(middle, first, last)[0] < wanted  # from halfway it may go down
        return np.where(up > most, behind, np.where(down < least, first, middle))

    def _places(self, drawn: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):  # a product beyond all numbers
            return (drawn - self.offset) * self.per / self.period

    def _number(self, places: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(places * self.period / self.per + self.offset)

    def _within(self, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest multiple from each first to each last number, in periods."""
        least, most = np.ceil(self._places(first)), np.floor(self._places(last))
        # a quotient may be rounded to the next whole number
        least = least + (self._number(least) < first)
        most = most - (self._number(most) > last)
        return least, most

    def _coarse(self, places: np.ndarray) -> np.ndarray:
        """Which of these multiples are coarser ones."""
        if self.coarser is None:
            return np.zeros(len(places), dtype=bool)
        period, offset = self.coarser
        with np.errstate(all="ignore"):
            return np.asarray((self._number(places) - offset) % period == 0)


@dataclass(frozen=True, eq=False)
class Written:
    """How the values of parts of cells are written.

    Parameters
    ----------
    ways : tuple of Way
        Of the column.
    which : ndarray
        For each part the place of its way, -1 where values stay as they are drawn.
    begin, end : ndarray
        For each part the first and the last number that is drawn evenly, to be moved into the part.
    """

    ways: tuple[Way, ...]
    which: np.ndarray
    begin: np.ndarray
    end: np.ndarray

    def take(self, places: np.ndarray) -> Written:
        """The same of some of the parts, in this order."""
        return Written(self.ways, self.which[places], self.begin[places], self.end[places])


def all_written(several: Sequence[Written], order: np.ndarray) -> Written:
    """The same of all parts of a column together, put in this order; the ways are the first's."""
    return Written(
        several[0].ways,
        np.concatenate([each.which for each in several])[order],
        np.concatenate([each.begin for each in several])[order],
        np.concatenate([each.end for each in several])[order],
    )
