"""Distances from records to records: nearest neighbours, densities, and both without one column.

All are computed block by block.

Distances are first taken in float32 by one matrix product a block, then anew in float64 for the
neighbours found, so that a copy is at distance 0. Brute force, as trees gain nothing in a dozen
dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dpsynth.auditing.attacks.records import Records

Scale = Literal["ranks", "spreads"]
"""How ordered columns are compared: see `records`."""

_MIDDLES: dict[Scale, float] = {"ranks": 0.5, "spreads": 0.0}
"""Where a missing value stands."""

_BLOCK = 128
"""Queries that are compared at once: against 50,000 records 26 MB of float32."""
_NARROW = 64
"""Nominal columns with more categories than this are compared, not multiplied out."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """rows: positions of the nearest rows, nearest first, shape (queries, k).

    squared: their squared distances, float64.
    """

    rows: np.ndarray
    squared: np.ndarray


def nearest(
    queries: Records,
    base: Records,
    k: int,
    *,
    columns: Sequence[str],
    own: bool = False,
    by: Scale = "ranks",
) -> Neighbours:
    """The k nearest rows of the base by these columns.

    own: the queries are the base's first rows, and none is its own neighbour. by: see `records`.
    """
    space = _Space(queries, base, columns, by)
    k = min(k, len(base) - own)
    rows = np.empty((len(queries), k), dtype=np.int64)
    for block, squared in space.blocks(own):
        rows[block] = _smallest(squared, k)
    return _sorted(rows, space)


def log_kernel_sum(
    queries: Records,
    base: Records,
    bandwidth: np.ndarray,
    *,
    own: bool = False,
) -> np.ndarray:
    """log of the sum over the base of exp(-d^2 / (2 h^2)), -inf where nothing is near.

    bandwidth: h^2 of each query. own: as for `nearest`.
    """
    space = _Space(queries, base, queries.columns)
    found = np.empty(len(queries))
    for block, squared in space.blocks(own):
        squared *= (-0.5 / bandwidth[block]).astype(np.float32)[:, None]
        np.exp(squared, out=squared)
        with np.errstate(divide="ignore"):
            found[block] = np.log(squared.sum(axis=1, dtype=np.float64))
    return found


def nearest_without(queries: Records, base: Records, *, own: bool = False) -> dict[str, Neighbours]:
    """For each column the nearest row of the base by all the other columns.

    own: as for `nearest`.
    """
    space = _Space(queries, base, queries.columns)
    rows = {name: np.empty((len(queries), 1), dtype=np.int64) for name in queries.columns}
    for block, squared in space.blocks(own):
        for name in rows:
            rest = squared - space.part(name, block)
            rows[name][block, 0] = np.rint(rest * _STEPS, out=rest).argmin(axis=1)
    found = {}
    for name in rows:
        others = [column for column in queries.columns if column != name]
        found[name] = _sorted(rows[name], _Space(queries, base, others))
    return found


class _Space:
    """The distances between two tables by some of their columns.

    Ordered and narrow nominal columns become coordinates, whose squared Euclidean distance is that
    of the records: then one matrix product gives all distances of a block.
    """

    def __init__(
        self, queries: Records, base: Records, columns: Sequence[str], by: Scale = "ranks"
    ) -> None:
        self._queries = queries
        self._base = base
        self._numbers = [r.ranks if by == "ranks" else r.spreads for r in (queries, base)]
        self._middle = _MIDDLES[by]
        self._ordered = [i for i, name in enumerate(queries.ordered) if name in columns]
        self._nominal = [i for i, name in enumerate(queries.nominal) if name in columns]
        self._wide: list[int] = []
        narrow: dict[int, int] = {}
        for i in self._nominal:
            top = int(max(queries.categories[:, i].max(), base.categories[:, i].max()))
            if top < _NARROW:
                narrow[i] = top
            else:
                self._wide.append(i)
        mine, others = self._numbers
        self._left = self._coordinates(mine, queries, narrow)
        self._right = self._coordinates(others, base, narrow)

    def blocks(self, own: bool) -> Iterator[tuple[slice, np.ndarray]]:
        """Squared distances, float32, shape (block, base), to be used up before the next."""
        left = self._left
        right = np.ascontiguousarray(self._right.T)
        left_squares = np.square(left).sum(axis=1)
        right_squares = np.square(right).sum(axis=0)
        for start in range(0, len(left), _BLOCK):
            block = slice(start, min(start + _BLOCK, len(left)))
            # |x - y|^2 = |x|^2 - 2 x y + |y|^2, in place.
            squared = left[block] @ right
            squared *= -2
            squared += left_squares[block, None]
            squared += right_squares
            for i in self._wide:
                squared += self._queries.categories[block, i, None] != self._base.categories[:, i]
            if own:
                squared[np.arange(block.stop - start), np.arange(start, block.stop)] = np.inf
            yield block, squared

    def part(self, name: str, block: slice) -> np.ndarray:
        """What one column adds to the squared distances."""
        if name in self._queries.nominal:
            i = self._queries.nominal.index(name)
            return self._queries.categories[block, i, None] != self._base.categories[:, i]
        i = self._queries.ordered.index(name)
        mine, others = self._numbers
        return _number_part(mine[block, i, None], others[:, i], self._middle)

    def exact(self, rows: np.ndarray) -> np.ndarray:
        """Squared distances in float64 from each query to its rows, shape of `rows`."""
        squared = np.zeros(rows.shape)
        mine, others = self._numbers
        for i in self._ordered:
            x = mine[:, i, None].astype(np.float64)
            squared += _number_part(x, others[:, i].astype(np.float64)[rows], self._middle)
        for i in self._nominal:
            squared += self._queries.categories[:, i, None] != self._base.categories[:, i][rows]
        return squared

    def _coordinates(
        self, numbers: np.ndarray, records: Records, narrow: dict[int, int]
    ) -> np.ndarray:
        """Numbers, whether each is missing, and one-hot categories: float32.

        Shape (records, coordinates). Two records with different categories differ in two places, by
        the root of 1/2 in each.
        """
        numbers = numbers[:, self._ordered]
        missing = np.isnan(numbers)
        middled = np.where(missing, np.float32(self._middle), numbers)
        parts = [middled * np.float32(np.sqrt(2)), missing.astype(np.float32)]
        for i, top in narrow.items():
            one_hot = records.categories[:, i, None] == np.arange(top + 1)
            parts.append(one_hot * np.float32(np.sqrt(0.5)))
        return np.concatenate(parts, axis=1, dtype=np.float32)


def _number_part(x: np.ndarray, y: np.ndarray, middle: float) -> np.ndarray:
    """Twice the squared difference; a missing value is in the middle, 1 further off."""
    gap = np.nan_to_num(x, nan=middle) - np.nan_to_num(y, nan=middle)
    return 2 * gap * gap + (np.isnan(x) != np.isnan(y))


_STEPS = 2.0**16
"""Squared distances are compared in steps of 2^-16, or the rounding of the column taken off would
tell its value.
"""


def _smallest(squared: np.ndarray, k: int) -> np.ndarray:
    """Positions of the k smallest in each row, in order.

    For a few, taking minima is far faster than sorting.
    """
    rows = np.arange(len(squared))
    found = np.empty((len(squared), k), dtype=np.int64)
    taken = squared if k == 1 else squared.copy()
    for i in range(k):
        found[:, i] = taken.argmin(axis=1)
        if k > 1:
            taken[rows, found[:, i]] = np.inf
    return found


def _sorted(rows: np.ndarray, space: _Space) -> Neighbours:
    """The rows found, with exact distances and in their order."""
    squared = space.exact(rows)
    order = np.argsort(squared, axis=1, kind="stable")
    return Neighbours(np.take_along_axis(rows, order, 1), np.take_along_axis(squared, order, 1))
