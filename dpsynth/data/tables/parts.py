"""Parts of cells: the values of a column that meet a condition, cell by cell.

A model knows how often a cell occurs, and inside a cell all values are alike. So rows given a
condition are drawn without a miss: each cell counts by the share of its values that meet it, and a
value is drawn from those alone. Of real numbers, a single one has no share. Where a condition
leaves single numbers only, they count by the density of their cells instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.data.tables.ways import Written, all_written


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of a column's cells, in ascending order.

    cells, first, last, shares: for each part its cell, the numbers of its first and last value, and
    how much of its cell it is. special: how much a missing value counts, 0 where it does not meet
    the condition. points: whether these are single real numbers, which no row has exactly. written:
    how numbers are written, where something is known of it (see `inside`).
    """

    cells: np.ndarray
    first: np.ndarray
    last: np.ndarray
    shares: np.ndarray
    special: float
    points: bool = False
    written: Written | None = None

    def weights(self, valid: int, size: int) -> np.ndarray:
        """How much each cell counts, shape (size,); the valid cells come first."""
        counted = np.bincount(self.cells, self.shares, minlength=valid)
        return np.append(counted, np.full(size - valid, float(self.special)))

    def choose(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The number of a part of each cell, drawn in proportion to the shares.

        ValueError for a cell that has none: a model of somebody's own may ignore its evidence.
        """
        begins = np.searchsorted(self.cells, np.arange(int(cells.max(initial=0)) + 2))
        start, end = begins.take(cells), begins[1:].take(cells)
        if (start == end).any():
            raise ValueError(
                "the model drew cells to which the condition gives no weight: its `sample` must"
                " agree with `evidence`"
            )
        upto = np.append(0.0, np.cumsum(self.shares))
        place = rng.random(len(cells))
        found = start.copy()
        at = np.flatnonzero(end - start > 1)  # a cell with one part needs no search
        low, high = upto.take(start[at]), upto.take(end[at])
        nearest = np.searchsorted(upto, low + place[at] * (high - low), side="right") - 1
        found[at] = np.clip(nearest, start[at], end[at] - 1)
        return found


def mixed(weighted: Sequence[tuple[float, Parts]]) -> Parts:
    """Parts that meet one of several conditions, each counted so many times; those without weight
    are left out.
    """
    kept = [(weight, parts) for weight, parts in weighted if weight > 0]
    kept = kept or [(0.0, parts) for _, parts in weighted[:1]]
    cells = np.concatenate([parts.cells for _, parts in kept])
    order = np.argsort(cells, kind="stable")
    known = [parts.written for _, parts in kept if parts.written is not None]
    return Parts(
        cells[order],
        np.concatenate([parts.first for _, parts in kept])[order],
        np.concatenate([parts.last for _, parts in kept])[order],
        np.concatenate([weight * parts.shares for weight, parts in kept])[order],
        sum(weight * parts.special for weight, parts in kept),
        all(parts.points for _, parts in kept),
        all_written(known, order) if known else None,
    )


def shares(lengths: np.ndarray, whole: np.ndarray, missing: bool) -> np.ndarray:
    """How much of its cell each part is.

    Parameters
    ----------
    lengths, whole : ndarray
        The length of each part, and of its cell. A cell of no length holds a single number, which
        is all of it.
    missing : bool
        Whether a missing value meets the condition, too.
    """
    if only_points(lengths, whole, missing):
        return whole.min() / whole
    return np.divide(lengths, whole, out=np.ones(len(whole)), where=whole > 0)


def only_points(lengths: np.ndarray, whole: np.ndarray, missing: bool) -> bool:
    """Whether these parts are single real numbers, and nothing else meets the condition."""
    return bool(len(whole)) and not missing and not lengths.any() and bool((whole > 0).all())


def cut(
    first: np.ndarray, last: np.ndarray, breaks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells cut where a condition may change: for each piece its cell, first and last value.

    Parameters
    ----------
    first, last : ndarray
        The first and the last value of each cell, ascending: int64 or float64.
    breaks : ndarray
        Values with which a piece begins.
    """
    inside = breaks[(breaks > first[0]) & (breaks <= last[-1])]
    begin = np.unique(np.concatenate([first, inside.astype(first.dtype)]))
    cells = np.searchsorted(first, begin, side="right") - 1
    following = np.append(begin[1:], last[-1])
    before = following - 1 if first.dtype.kind == "i" else np.nextafter(following, -np.inf)
    before[-1] = last[-1]
    end = np.minimum(before, last[cells])
    real = begin <= end
    return cells[real], begin[real], end[real]
