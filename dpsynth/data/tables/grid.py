"""Public grids: how the numbers of a column are cut into cells before anything is measured.

A grid follows from the public bounds alone. It must serve data that nobody has seen, so it is fine wherever data
are often dense:

* Everywhere in [low, high] a cell is at most 1/256 of the range: a body of data spread over the range is resolved.
* Near zero a cell is at most 1/12 of its distance from zero (eight cells to an octave, on either side), down to
  range / 2^20 or one step: incomes, charges and waiting times spread over orders of magnitude, and are resolved
  however generous the bounds.
* Zero has a cell of its own where the range holds it: the zeros of a zero-inflated column come back as zeros.
* An integer or stepped column with at most 1024 values has one cell for each, so nothing is lost at all.

A few hundred cells in all; neighbouring cells with little data are merged later, after a charged measurement. The
edges are half-open, [edge, next edge), and a decoded value lies in the cell it came from.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

SINGLE_CELLS = 1024
UNIFORM_CELLS = 256
PER_OCTAVE = 8
OCTAVES = 20
MOMENT_CELLS = 512


class Grid(Protocol):
    """Cells of the numbers from `low` to `high`."""

    widths: tuple[float, ...]

    starts: np.ndarray
    """Where each cell but the first begins, float64, ascending; what lies outside the bounds is in the outer cells."""

    def draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each cell number a value in that cell, uniform over what it holds."""
        ...

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The first and the last value of each cell, as `draw` gives them."""
        ...


class StepGrid:
    """Cells of the values low + k * step, k = 0 ... count - 1; widths count values.

    edges: numbers k, int64, from 0 to count. Values between two steps belong to the nearest.
    """

    def __init__(self, low: float, step: float, edges: np.ndarray) -> None:
        self._edges = edges
        self._single = len(edges) - 1 == edges[-1]
        self.starts = low + (edges[1:-1] - 0.5) * step
        self.widths: tuple[float, ...] = tuple(np.diff(edges).astype(np.float64).tolist())

    def draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Step numbers k, int64."""
        return cells.astype(np.int64) if self._single else rng.integers(self._edges[cells], self._edges[cells + 1])

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        return self._edges[:-1], self._edges[1:] - 1


class RealGrid:
    """Cells of the real numbers in [low, high]; widths are lengths.

    Zero's own cell has no length; it counts as long as the finest of its neighbours. It holds subnormal numbers
    too, so that it is found even where the processor takes them for zero.
    """

    def __init__(self, low: float, high: float) -> None:
        tiny = float(np.finfo(np.float64).tiny)
        finest = max((high - low) * 2.0**-OCTAVES, tiny)
        end = float(np.nextafter(high, np.inf)) if high != 0 else tiny
        zero = [0.0, tiny] if low <= 0 <= high and low < high else []
        edges = np.unique(np.concatenate([[low], _inner_edges(low, high, finest), zero, [end]]))
        edges = edges[edges <= end]
        self.starts = edges[1:-1]
        holds_only_zero = (edges[:-1] == 0) & (low < high)
        widths = np.where(holds_only_zero, finest, np.diff(edges)) if low < high else np.ones(1)
        self.widths: tuple[float, ...] = tuple(widths.tolist())
        last = np.minimum(np.nextafter(edges[1:], -np.inf), high)
        self._ends = edges[:-1], np.where(holds_only_zero, 0.0, last)

    def draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Values in [low, high], float64."""
        first, last = self._ends[0][cells], self._ends[1][cells]
        values: np.ndarray = np.minimum(first + rng.random(len(cells)) * (last - first), last)
        return values

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        return self._ends


def number_edges(low: float, step: float, count: int) -> np.ndarray:
    """Edges for a StepGrid of numbers: one cell a value where there are few, else those of the page above."""
    if count <= SINGLE_CELLS:
        return np.arange(count + 1)
    high = low + (count - 1) * step
    edges = _inner_edges(low, high, max((high - low) * 2.0**-OCTAVES, step))
    steps = np.ceil((edges - low) / step - 1e-9).astype(np.int64)
    zero = round(-low / step)
    steps = np.append(steps, [zero, zero + 1] if abs(low + zero * step) < step * 1e-6 else [])
    return np.unique(np.concatenate([[0], steps[(steps > 0) & (steps < count)], [count]])).astype(np.int64)


def moment_edges(count: int) -> np.ndarray:
    """Edges for a StepGrid of moments: one cell a step where there are few, else 512 equal ones."""
    if count <= SINGLE_CELLS:
        return np.arange(count + 1)
    return np.array([count * i // MOMENT_CELLS for i in range(MOMENT_CELLS + 1)])


def _inner_edges(low: float, high: float, finest: float) -> np.ndarray:
    """Edges inside (low, high): equal ones, and near zero, where they are the finer ones, geometric ones."""
    if low == high:
        return np.zeros(0)
    equal = np.linspace(low, high, UNIFORM_CELLS + 1)
    ratio = 2.0 ** (-1 / PER_OCTAVE)
    reach = (high - low) / UNIFORM_CELLS / (1 - ratio)
    top = max(abs(low), abs(high))
    powers = top * ratio ** np.arange(max(0, math.ceil(PER_OCTAVE * math.log2(top / finest))) + 1)
    geometric = np.append(powers[(powers >= finest) & (powers < reach)], reach)
    edges = np.concatenate([equal[np.abs(equal) >= reach], geometric, -geometric])
    return edges[(low < edges) & (edges < high)]
