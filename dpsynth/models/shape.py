"""The shape of a wide column: a smooth density, with single cells that stand out, for noisy counts.

Public mathematics on charged answers. The logarithm of the density is taken for a random walk from
cell to cell: where counts say nothing it goes on as it was, so that tails fall off and no cell is
below zero. How far the walk steps is what makes the counts most likely (Laplace's approximation).
A cell that stands out of the noise beside a smooth density is no part of the walk.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import cholesky_banded, solveh_banded

from dpsynth.models.counted import Counted
from dpsynth.models.histogram import standing_out

ROUGH = 1.0
"""The least smooth walk. Cells that want it are no scale, such as days of weeks: neighbours tell
less of them than their counts do.
"""

_SMOOTHNESS = (100.0, 30.0, 10.0, 3.0, ROUGH)
"""How smooth a walk may be: one over the variance of its steps, in logarithms."""

_USUAL = 10.0
"""What a cell must stand out of to be no part of it."""

_ROUNDS = 3
_NEWTON_STEPS = 40
_ENOUGH = 1e-4
_FARTHEST = 3.0
_RIDGE = 1e-9


def shaped(counted: Counted, widths: np.ndarray, rows: float) -> tuple[np.ndarray, float]:
    """Estimated counts of a column's ordered cells, and how smooth they are.

    Parameters
    ----------
    counted : Counted
        What was measured of these cells.
    widths : ndarray
        How long each cell is.
    rows : float
        About how many rows they have: where the search begins.

    Returns
    -------
    tuple of ndarray and float
        Positive counts, shape (cells,); and one over the variance of a step, in logarithms.

    Examples
    --------
    >>> counts = np.array([10.0, 22.0, 31.0, 38.0, 33.0, 18.0])
    >>> found, _ = shaped(Counted.of_cells(counts, 5.0), np.ones(6), 150.0)
    >>> bool((found > 0).all()), bool(np.abs(found - counts).max() < 10)
    (True, True)
    """
    if widths.size == 1:
        return np.array([rows]), max(_SMOOTHNESS)
    values, apart = counted.values, standing_out(1.0, widths.size) * counted.stddev
    alone = np.zeros(widths.size, dtype=bool)
    walk = _Walk(counted, widths, alone)
    at = walk.settled(np.full(widths.size, math.log(rows / widths.sum())), _USUAL)
    for _ in range(_ROUNDS):
        off = np.abs(values - widths * np.exp(at)) > apart
        if not (off & ~alone).any():
            break
        alone |= off
        walk = _Walk(counted, widths, alone)
        at = walk.settled(at, _USUAL)
    found = []
    for smooth in _SMOOTHNESS:
        at = walk.settled(at, smooth)
        found.append((walk.evidence(at, smooth), at, smooth))
    _, best, smooth = max(found, key=lambda one: one[0])
    return np.asarray(widths * np.exp(best)), smooth


class _Walk:
    """A density whose logarithm walks from cell to cell, past those that stand alone.

    Inside, cells of the walk come first, so that each is tied to its neighbours in the order.
    """

    def __init__(self, counted: Counted, widths: np.ndarray, alone: np.ndarray) -> None:
        self._order = np.argsort(alone, kind="stable")
        self._counted, self._widths = counted, widths
        self._roots = counted.roots[self._order]
        ties = np.zeros(widths.size)
        steps = max(int((~alone).sum()) - 1, 0)
        ties[1 : steps + 1] = 1.0
        self._ties, self._steps = ties, steps
        self._degree = ties + np.append(ties[1:], 0.0)

    def settled(self, at: np.ndarray, smooth: float) -> np.ndarray:
        """The most likely logarithms, by Newton's method from `at` on."""
        value = self._value(at, smooth)
        for _ in range(_NEWTON_STEPS):
            step, gain = self._step(at, smooth)
            length = min(1.0, _FARTHEST / max(float(np.abs(step).max()), _RIDGE))
            while (
                reached := self._value(at - length * step, smooth)
            ) > value - 1e-4 * length * gain:
                length /= 2
                if length < _RIDGE:
                    return at
            at = at - length * step
            if value - reached < _ENOUGH:
                break
            value = reached
        return at

    def evidence(self, at: np.ndarray, smooth: float) -> float:
        """The logarithm of how likely the counts are, by Laplace's approximation."""
        held = self._widths * np.exp(at)
        banded, spread = self._banded(held, np.zeros(at.size), smooth)
        inner = np.eye(spread.shape[1]) + spread.T @ solveh_banded(banded, spread)
        bent = 2 * np.log(cholesky_banded(banded)[1]).sum() + np.linalg.slogdet(inner)[1]
        return float(-self._value(at, smooth) + (self._steps * math.log(smooth) - bent) / 2)

    def _value(self, at: np.ndarray, smooth: float) -> float:
        """What Newton's method makes small."""
        held = self._widths * np.exp(at)
        moves = np.diff(at[self._order], prepend=0.0)
        off = held @ (self._counted.within(held) / 2 - self._counted.pull)
        return float(off + smooth / 2 * (self._ties * moves**2).sum())

    def _step(self, at: np.ndarray, smooth: float) -> tuple[np.ndarray, float]:
        """A step of Newton's method, and how much of the value it promises to take away."""
        held = self._widths * np.exp(at)
        slope = held * (self._counted.within(held) - self._counted.pull)
        banded, spread = self._banded(held, np.maximum(slope, 0.0), smooth)
        slope, moves = slope[self._order], np.diff(at[self._order], prepend=0.0) * self._ties
        slope = slope + smooth * (moves - np.append(moves[1:], 0.0))
        solved = solveh_banded(banded, np.column_stack([slope, spread]))
        first, rest = solved[:, 0], solved[:, 1:]
        inner = np.eye(spread.shape[1]) + spread.T @ rest
        step = first - rest @ np.linalg.solve(inner, spread.T @ first)
        out = np.empty_like(step)
        out[self._order] = step
        return out, float(slope @ step)

    def _banded(
        self, held: np.ndarray, more: np.ndarray, smooth: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """How the value bends: a band, and what groups add, of which this is the root."""
        diagonal = held**2 * self._counted.precision + more
        band = np.zeros((2, held.size))
        band[1] = diagonal[self._order] + smooth * self._degree + _RIDGE
        band[0] = -smooth * self._ties
        return band, self._roots * held[self._order][:, None]
