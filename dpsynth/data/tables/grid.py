"""Public grids: how the numbers of a column are cut into cells before anything is measured.

A grid follows from the public bounds alone, before anybody has seen the data. So it is fine where
data are often dense:

* Everywhere in [low, high] a cell is at most 1/256 of the range, for data that spread over it.
* Near zero a cell is at most 1/12 of its distance from zero (eight cells to an octave, on either
  side), down to range / 2^20 or one step. Incomes, charges and waiting times spread over orders of
  magnitude; they keep their shape however wide the bounds are.
* Zero has a cell of its own where the range holds it: the zeros of a zero-inflated column are
  decoded as zeros.
* An integer or stepped column with at most 1024 values has one cell for each, and nothing is lost.

These are a few hundred cells. Neighbouring cells with little data are merged later, after a charged
measurement. A cell is half-open, [edge, next edge), and a decoded value lies in the cell that it
came from.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

SINGLE_CELLS = 1024
"""The most values with a cell each: years of age, and days of a year or two, are among them."""

UNIFORM_CELLS = 256
"""Equal cells of the range, where they are finer than those of the octaves."""

PER_OCTAVE = 8
"""Cells between a number and its double, where they are finer than the equal ones."""

OCTAVES = 20
"""How far down the octaves go: to a millionth of the range, as from 10,000 down to a cent."""

MOMENT_CELLS = 512
"""Equal cells of dates and times, which have no zero near which they would be denser."""

_ROUNDING = 1e-9
"""In steps. An edge so little above a step is on it: float64 has decimal steps only nearly."""


_MAX_PLACES = 22
"""The largest power of ten that float64 has exactly: a quotient by it is written as short."""

EXACT = 1e15
"""Numbers of so many digits are exact in float64."""

_TINY = float(np.finfo(np.float64).tiny)
"""The smallest number that is not subnormal."""


class Grid(Protocol):
    """The cells of the numbers from `low` to `high`; numbers outside belong to the outer cells."""

    widths: tuple[float, ...]
    """For each cell how many values it holds, or how long it is."""

    starts: np.ndarray
    """Where each cell but the first begins: float64, ascending."""

    edges: np.ndarray
    """Where cells begin, and where the last one ends, as `draw` gives values: ascending."""

    def draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each cell number a value in that cell, each value with the same chance."""
        ...

    def between(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each pair a value from first to last, each value with the same chance."""
        ...

    def evenly(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The same, of real numbers with all digits."""
        ...

    def lengths(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """For each pair how many values lie from first to last, or how long the way is: float64."""
        ...

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The first and the last value of each cell, as `draw` gives them."""
        ...

    def split(self, first: np.ndarray, end: np.ndarray, pieces: int) -> np.ndarray:
        """Edges of up to so many equal pieces of each of these ranges, half-open: ascending."""
        ...

    def numbers(self, drawn: np.ndarray) -> np.ndarray:
        """The numbers from which on a value belongs to these edges: float64."""
        ...


class StepGrid:
    """Cells of the values low + k * step, k = 0 ... count - 1; widths count values.

    edges: the k at which cells begin, and count: int64, ascending from 0. A number between two
    steps belongs to the nearer one.
    """

    def __init__(self, low: float, step: float, edges: np.ndarray) -> None:
        self._low, self._step = low, step
        self.edges = edges
        self._single = len(edges) - 1 == edges[-1]  # each cell holds one value
        self.starts = low + (edges[1:-1] - 0.5) * step
        self.widths: tuple[float, ...] = tuple(np.diff(edges).astype(np.float64).tolist())

    def draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Step numbers k, int64."""
        if self._single:
            return cells.astype(np.int64)
        return self.between(self.edges[cells], self.edges[cells + 1] - 1, rng)

    def between(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.evenly(first, last, rng)

    def evenly(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(first, last + 1)

    def lengths(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        return (last - first + 1).astype(np.float64)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        return self.edges[:-1], self.edges[1:] - 1

    def split(self, first: np.ndarray, end: np.ndarray, pieces: int) -> np.ndarray:
        shares = np.arange(pieces + 1) / pieces
        return np.unique(
            first[:, None] + np.floor((end - first)[:, None] * shares).astype(np.int64)
        )

    def numbers(self, drawn: np.ndarray) -> np.ndarray:
        return np.asarray(self._low + (drawn - 0.5) * self._step)


class RealGrid:
    """Cells of the real numbers in [low, high]; widths are lengths.

    A value drawn from a cell has no more digits than the cell's length gives reason for.

    The cell of zero has no length: its width is that of the finest cell beside it. It holds the
    subnormal numbers too, as some processors take them for zero.
    """

    def __init__(self, low: float, high: float) -> None:
        finest = max((high - low) * 2.0**-OCTAVES, _TINY)
        edges = _real_edges(low, high, finest)
        self.edges = edges
        self.starts = edges[1:-1]
        holds_only_zero = (edges[:-1] == 0) & (low < high)
        widths = np.where(holds_only_zero, finest, np.diff(edges)) if low < high else np.ones(1)
        self.widths: tuple[float, ...] = tuple(widths.tolist())
        first = edges[:-1]
        last = np.minimum(np.nextafter(edges[1:], -np.inf), high)
        self._ends = (first, np.where(holds_only_zero, 0.0, last))

    def draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Values in [low, high], float64."""
        return self.between(self._ends[0][cells], self._ends[1][cells], rng)

    def between(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _shortened(self.evenly(first, last, rng), first, last)

    def evenly(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return first + rng.random(len(first)) * (last - first)

    def lengths(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        return last - first

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        return self._ends

    def split(self, first: np.ndarray, end: np.ndarray, pieces: int) -> np.ndarray:
        shares = np.arange(pieces) / pieces
        return np.unique(np.append(first[:, None] + (end - first)[:, None] * shares, end))

    def numbers(self, drawn: np.ndarray) -> np.ndarray:
        return drawn


def _shortened(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Values from first to last, with as many decimals as tell ten or more of each range apart.

    Further digits would say what no cell knows. Whole numbers are not shortened, nor what float64
    cannot write so: numbers of more than fifteen digits.
    """
    unit = 10.0 ** places_told(first, last)
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.clip(np.rint(values * unit), np.ceil(first * unit), np.floor(last * unit))
        steps = steps - (steps / unit > last) + (steps / unit < first)  # an end may round outwards
        short = np.where(np.abs(steps) < EXACT, steps / unit, values)
    return np.clip(np.where(last > first, short, values), first, last)


def places_told(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """How many decimals tell ten or more numbers of each of these ranges apart."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.clip(np.ceil(1 - np.log10(last - first)), 0, _MAX_PLACES)


def number_grid(low: float, high: float, spacing: float | None) -> Grid:
    """The grid of the numbers in [low, high]. spacing: between neighbouring values, if there is."""
    if spacing is None:
        return RealGrid(low, high)
    count = round((high - low) / spacing) + 1
    return StepGrid(low, spacing, number_edges(low, spacing, count))


def number_edges(low: float, step: float, count: int) -> np.ndarray:
    """Edges for a StepGrid of numbers: one cell a value where there are few, else as said above."""
    if count <= SINGLE_CELLS:
        return np.arange(count + 1)
    high = low + (count - 1) * step
    edges = _inner_edges(low, high, max((high - low) * 2.0**-OCTAVES, step))
    steps = np.ceil((edges - low) / step - _ROUNDING).astype(np.int64)
    zero = round(-low / step)
    if abs(low + zero * step) < step * 1e-6:  # zero is one of the values, but for rounding
        steps = np.append(steps, [zero, zero + 1])
    inside = steps[(steps > 0) & (steps < count)]
    return np.unique(np.concatenate([[0], inside, [count]])).astype(np.int64)


def moment_edges(count: int) -> np.ndarray:
    """Edges for a StepGrid of times: one cell a step where there are few, else 512 equal ones."""
    if count <= SINGLE_CELLS:
        return np.arange(count + 1)
    return np.array([count * i // MOMENT_CELLS for i in range(MOMENT_CELLS + 1)])


def _real_edges(low: float, high: float, finest: float) -> np.ndarray:
    """Where the cells of a RealGrid begin, and where the last one ends."""
    end = float(np.nextafter(high, np.inf)) if high != 0 else _TINY
    zero = [0.0, _TINY] if low <= 0 <= high and low < high else []
    edges = np.unique(np.concatenate([[low], _inner_edges(low, high, finest), zero, [end]]))
    return edges[edges <= end]


def _inner_edges(low: float, high: float, finest: float) -> np.ndarray:
    """Edges inside (low, high): equal cells, and near zero, where they are finer, geometric ones.

    finest: how near to zero the geometric ones come.
    """
    if low == high:
        return np.zeros(0)
    equal = np.linspace(low, high, UNIFORM_CELLS + 1)
    ratio = 2.0 ** (-1 / PER_OCTAVE)
    # At this distance from zero a geometric cell is as long as an equal one.
    reach = (high - low) / UNIFORM_CELLS / (1 - ratio)
    top = max(abs(low), abs(high))
    octaves = max(0, math.ceil(PER_OCTAVE * math.log2(top / finest)))
    powers = top * ratio ** np.arange(octaves + 1)
    geometric = np.append(powers[(powers >= finest) & (powers < reach)], reach)
    edges = np.concatenate([equal[np.abs(equal) >= reach], geometric, -geometric])
    return edges[(low < edges) & (edges < high)]
