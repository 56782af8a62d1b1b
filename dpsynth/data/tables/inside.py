"""What lies inside of a column's cells: single values that many rows share, and their decimals.

A grid is public, and draws values evenly inside of a cell. Charged looks (`mechanisms.inside`) say
more: here is how each value is coded for them, and what their answers mean for what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.tables.cells import NumericCodec
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.cuts import with_exact
from dpsynth.data.tables.grid import EXACT, places_told
from dpsynth.data.tables.heaps import able_cells
from dpsynth.data.tables.parts import Parts
from dpsynth.data.tables.ways import Way, Written, all_written
from dpsynth.data.values import number
from dpsynth.door.codes import Cuts, Decimals
from dpsynth.schema.columns import Numeric
from dpsynth.schema.table import Schema
from dpsynth.schema.texts import number_reader

MOST_DECIMALS = 5
"""Numbers with more decimals are looked at together."""

PIECES = 128
"""Into how many pieces the first look at values cuts a cell."""

FINER_PIECES = 4096
"""Into how many the second one cuts each of those that stand out."""

_NEARLY_ALL = 0.95
_MOST = 0.5
_NEXT = 1.1

_LATER = ("week", "heaps", "heaped")
"""What a model file holds only where there is some, as those of earlier versions lack it."""

HEAPS = (5, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000, 100_000)
"""Grids that are looked at in a column with cells of several values, where none is declared."""

_ROUNDING = 1e-9
"""In units: a number so little above a multiple is taken for it."""


@dataclass(frozen=True)
class Inside:
    """What is known of the values inside of a column's cells.

    Parameters
    ----------
    atoms : tuple of float
        Values that many rows share, ascending.
    shares : tuple of float
        Of each atom, its share of the rows of its cell.
    decimals : tuple of float
        Of the rows in cells of several values that share none of these, the part that is written
        with no decimals, with one, and so on; more decimals have those that are left.
    every : tuple of float
        The same of all rows.
    week : tuple of float
        Of a column of times, the share of each hour of a week, or of each weekday.
    heaps, heaped : tuple of float
        Grids whose multiples are drawn more often, and how often, as `Heaps` has them.
    """

    atoms: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    decimals: tuple[float, ...] = ()
    every: tuple[float, ...] = ()
    week: tuple[float, ...] = ()
    heaps: tuple[float, ...] = ()
    heaped: tuple[float, ...] = ()

    @property
    def reach(self) -> tuple[float, ...]:
        """For each number of decimals, how many lengths of its cell a value may move to have it.

        Any distance where nearly all numbers have no more: then noise alone lies where none is.
        Into the next cell where most have: so whole numbers that lie apart are whole.
        """
        upto = np.cumsum(self.every)
        found = np.where(upto > _NEARLY_ALL, np.inf, np.where(upto > _MOST, _NEXT, 0.0))
        return tuple(found.tolist())

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Inside:
        """What a model file holds of it."""
        return cls(*(tuple(map(float, stored.get(field.name, ()))) for field in fields(cls)))

    def stored(self) -> dict[str, list[float]]:
        """The content of a model file."""
        told = {name: list(values) for name, values in vars(self).items()}
        return {name: each for name, each in told.items() if each or name not in _LATER}


class _Numbers:
    """A coding of what a numeric column says; the last code is of what says no number."""

    def __init__(self, column: Numeric, cells: int) -> None:
        self.size = cells + 1
        self.null = self.bad = cells
        self.datetimes = Cuts([], [self.bad])
        self._of_text = number_reader(column)
        self._marker = number(column.missing_marker, self._of_text)
        self.numbers: Cuts | Decimals

    def code(self, value: object) -> int:
        x = number(value, self._of_text)
        return self.null if math.isnan(x) else self.numbers.of(x)


class DecimalsCoding(_Numbers):
    """How many decimals write each number: none to five, or more; and the coarsest grid of which
    a whole number is a multiple, where grids are given.
    """

    def __init__(self, column: Numeric, grids: tuple[int, ...] = ()) -> None:
        super().__init__(column, MOST_DECIMALS + 2 + len(grids))
        self.grids = grids
        self.numbers = Decimals(MOST_DECIMALS, self._marker, self.null, grids)


class PiecesCoding(_Numbers):
    """In which piece of a cell each number lies. Numbers outside count in the outermost pieces.

    edges: where pieces begin, and where the last one ends, as the codec's grid draws values.
    """

    def __init__(self, column: Numeric, codec: NumericCodec, edges: np.ndarray) -> None:
        super().__init__(column, len(edges) - 1)
        starts = codec.grid.numbers(edges)[1:-1]
        self.numbers = with_exact(Cuts(starts, np.arange(len(starts) + 1)), self._marker, self.null)


def with_several_values(
    schema: Schema, bounds: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[Numeric, NumericCodec]]:
    """The numeric columns with cells that hold several values: there is something to be seen."""
    columns = {
        name: column for name, column in schema.columns.items() if isinstance(column, Numeric)
    }
    found = {
        name: (column, codec_for(column, bounds.get(name))) for name, column in columns.items()
    }
    return {
        name: (column, codec)
        for name, (column, codec) in found.items()
        if isinstance(codec, NumericCodec) and several_values(codec).any()
    }


def first_edges(codec: NumericCodec) -> np.ndarray:
    """Edges of the pieces of all cells that hold several values."""
    edges = codec.grid.edges
    wide = several_values(codec)
    return np.union1d(edges, codec.grid.split(edges[:-1][wide], edges[1:][wide], PIECES))


def looked_at(codec: NumericCodec, edges: np.ndarray) -> np.ndarray:
    """Which of these pieces lie in a cell that holds several values."""
    return np.asarray(several_values(codec)[_cell(codec, edges[:-1])])


def shortest(codec: NumericCodec, first: float, end: float) -> float:
    """The value with the fewest digits from `first` on and below `end`, as a grid draws values."""
    low, high = codec.shown(np.array([first, end])).astype(float)
    value = low
    for places in range(-15, 18):
        unit = 10.0**-places
        value = round(math.ceil(low / unit - _ROUNDING) * unit, max(places, 0))
        if low <= value < high:
            break
    inside = np.clip([value], codec.low, codec.high)
    return float(codec.shown(codec.drawn(inside)).astype(float).iloc[0])


def decimals_of(values: np.ndarray) -> np.ndarray:
    """How many decimals write each of these, as `DecimalsCoding` counts them."""
    return Decimals(MOST_DECIMALS, math.nan, 0).at(values)


def several_values(codec: NumericCodec) -> np.ndarray:
    """Which cells hold several values."""
    first, last = codec.grid.ends()
    return np.asarray(last > first)


def single_values(codec: NumericCodec) -> tuple[np.ndarray, np.ndarray]:
    """The cells that hold a single value, and these values."""
    cells = np.flatnonzero(~several_values(codec))
    drawn = codec.grid.edges[:-1][cells]
    return cells, np.asarray(codec.shown(drawn).astype(float))


def with_inside(
    parts: Parts,
    codec: NumericCodec,
    inside: Inside,
    holds: Callable[[pd.Series[Any]], np.ndarray],
    *,
    free: bool,
) -> Parts:
    """The parts of cells that meet a condition, with the atoms among them that do.

    free: whether there is no condition, so that a value may move to be written as others are.
    """
    atoms = codec.drawn(np.array(inside.atoms))
    cells, held = cells_of(codec, np.array(inside.atoms)), np.array(inside.shares)
    rest = 1 - np.bincount(cells, held, minlength=len(codec.grid.widths))
    chosen = holds(codec.shown(atoms)).astype(bool)
    mixture = _mixture(codec, inside, free=free)
    of, shares, written = _written(parts, codec, mixture)
    points = not shares.any() and not chosen.any() and not parts.special and len(parts.cells) > 0
    if points:  # values that the model never draws count by the density of their cells
        of, shares, written = np.arange(len(parts.cells)), parts.shares, _plain(parts, mixture)
    cells = np.append(parts.cells[of], cells[chosen])
    order = np.argsort(cells, kind="stable")
    alone = Written((), np.full(chosen.sum(), -1), atoms[chosen], atoms[chosen])
    return Parts(
        cells[order],
        np.append(parts.first[of], atoms[chosen])[order],
        np.append(parts.last[of], atoms[chosen])[order],
        np.append(shares * rest[parts.cells[of]], held[chosen])[order],
        parts.special,
        points,
        all_written([written, alone], order),
    )


def _mixture(codec: NumericCodec, inside: Inside, *, free: bool) -> list[tuple[Way, np.ndarray]]:
    """How numbers are written, and for each cell the share of its rows that are written so; those
    that are left stay as they are drawn.
    """
    ends, found = codec.grid.ends(), []
    left = several_values(codec).astype(np.float64)
    heaps = zip(codec.lattice.ways(inside.heaps), inside.heaped, strict=True)
    for way, share in reversed([*heaps]):
        found.append((way, left * share * able_cells(way, ends)))
        left = left - found[-1][1]
    return (
        found if codec.spacing is not None else [*found, *_decimals(codec, inside, left, free=free)]
    )


def _decimals(
    codec: NumericCodec, inside: Inside, left: np.ndarray, *, free: bool
) -> list[tuple[Way, np.ndarray]]:
    """The same for decimals: as many as were seen, and else as many as each cell tells apart."""
    found = []
    for places, share in enumerate(inside.decimals):
        way = Way(1, per=10.0**places, reach=inside.reach[places] if free else 0.0)
        found.append((way, left * share))
    ends = codec.grid.ends()
    told = places_told(*ends)
    short = left * (np.abs(ends).max(axis=0) * 10.0**told < EXACT)
    rest = max(0.0, 1 - sum(inside.decimals))
    for places in np.unique(told[short > 0]).tolist() if rest else []:
        found.append((Way(1, per=10.0**places), short * rest * (told == places)))
    return found


def _plain(parts: Parts, mixture: Sequence[tuple[Way, np.ndarray]]) -> Written:
    """All values stay as they are drawn."""
    ways = tuple(way for way, _ in mixture)
    return Written(ways, np.full(len(parts.cells), -1), parts.first, parts.last)


def _written(
    parts: Parts, codec: NumericCodec, mixture: Sequence[tuple[Way, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray, Written]:
    """Parts of cells by how their values are written: the number of each among these parts, the
    share of its cell, and what it is drawn from.
    """
    ends = codec.grid.ends()
    low, high, whole = (each[parts.cells] for each in (*ends, codec.grid.lengths(*ends)))
    share = np.ones(len(whole))
    np.divide(codec.grid.lengths(parts.first, parts.last), whole, out=share, where=whole > 0)
    moved = sum((mass for _, mass in mixture), np.zeros(len(codec.grid.widths)))
    evenly = share * np.maximum(1 - moved, 0.0)[parts.cells]
    found = [(np.arange(len(whole)), evenly, _plain(parts, mixture))]
    for place, (way, mass) in enumerate(mixture):
        at = np.flatnonzero(mass[parts.cells] > 0)
        begin, end = way.drawn_from(parts.first[at], parts.last[at], low[at], high[at])
        some = mass[parts.cells[at]] * codec.grid.lengths(begin, end) / whole[at]
        real = some > 0
        drawn = Written((), np.full(real.sum(), place), begin[real], end[real])
        found.append((at[real], some[real], drawn))
    of, shares, written = zip(*found, strict=True)
    every = np.concatenate(of)
    return every, np.concatenate(shares), all_written(written, np.arange(len(every)))


def cells_of(codec: NumericCodec, values: np.ndarray) -> np.ndarray:
    """The cell of each of these numbers."""
    return np.searchsorted(codec.grid.starts, values, side="right")


def _cell(codec: NumericCodec, drawn: np.ndarray) -> np.ndarray:
    return np.searchsorted(codec.grid.edges, drawn, side="right") - 1
