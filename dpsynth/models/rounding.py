"""Whole numbers of rows for the cells of a table: right on average, near in every cell, and near in
every column's sum.

`systematic_counts` rounds the rows of a table one by one, which leaves the sum of a column as
uncertain as the square root of the number of rows. `settle` goes before it: it moves the fractional
parts of a table around four corners at a time until most of them are whole, and keeps all sums of
rows and columns while it does.
"""

from __future__ import annotations

import numpy as np

_STAGES = 16
# tables with more cells than this times the rows they are to hold are left unsettled, for time
_CELLS_A_ROW = 8
_NOTHING = 1e-9


def on_simplex(values: np.ndarray, total: float) -> np.ndarray:
    """The nearest numbers of which none is negative and all sum to `total`, which is none itself.

    Duchi et al., ICML 2008: all move by one cut, and stop at 0.
    """
    falling = np.sort(values)[::-1]
    cuts = (np.cumsum(falling) - total) / np.arange(1, len(values) + 1)
    cut = cuts[np.flatnonzero(falling > cuts).max(initial=0)]
    return np.asarray(np.maximum(values - cut, 0.0))


def counts_of_groups(
    conditional: np.ndarray, sizes: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """How many rows of each group take each cell: sizes[g] * conditional[g] / its sum, rounded at
    random.

    conditional: shape (groups, cells), where the cells of a group form a table of this `shape`.
    Each count has the expectation it should and is floor or ceil of it, each group keeps its size,
    and over all groups what is counted along each axis of `shape` is near to what is expected.
    """
    counts = np.zeros(conditional.shape, np.int64)
    present = np.flatnonzero(sizes)
    top = conditional[present].max(axis=1, keepdims=True)
    # all underflow: all alike
    possible = np.where(top > 0, conditional[present] / np.where(top > 0, top, 1.0), 1.0)
    expected = possible * (sizes[present, None] / possible.sum(axis=1, keepdims=True))
    floor = np.floor(expected + _NOTHING)
    part = np.maximum(expected - floor, 0.0)
    if part.size <= _CELLS_A_ROW * sizes.sum():
        part = settle(part, rng)
        for axis in range(1, len(shape) + 1):
            table = np.moveaxis(part.reshape(-1, *shape), axis, -1)
            part = np.moveaxis(settle(table, rng), -1, axis).reshape(part.shape)
        part = settle(part, rng)
    left = sizes[present] - floor.sum(axis=1).astype(np.int64)
    counts[present] = floor + systematic_counts(part, left, rng)
    return counts


def systematic_counts(
    conditional: np.ndarray, sizes: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Systematic sampling (Madow 1949) in each row of `conditional`, whose sum is taken for 1.

    The m = sizes[g] units of a row take the positions (rank + u) / m on its distribution, u
    uniform, so that each cell is given floor or ceil of what it expects, and each row its size.
    """
    steps = np.cumsum(conditional, axis=1)
    mass = steps[:, -1:].copy()
    steps /= np.where(mass > 0, mass, 1.0)  # exactly one from the last possible cell on
    steps[:, -1] = 1.0
    places = np.ceil(steps * sizes[:, None] - rng.random((len(sizes), 1)))
    places = np.where(steps >= 1, sizes[:, None], places)  # whatever the subtraction rounds to
    counts = np.diff(places, axis=1, prepend=0).astype(np.int64)
    counts[sizes == 0] = 0
    return counts


def settle(part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fractional parts, most of them made 0 or 1 at random; expectations stay, and all sums of rows
    and columns.

    part: shape (..., columns); the axes before the last number the rows.

    Where two rows are both fractional in two columns, as much as fits is moved around these four
    cells one way or the other, with the probabilities that make it a fair game, which settles one
    cell or more: the pivotal method of Deville and Tille (Biometrika 85, 1998) on the cycles of a
    table (Cox, Journal of the American Statistical Association 82, 1987). Rows are paired at random
    among those whose first two fractional columns, in an order that is drawn afresh at every stage,
    are the same.
    """
    shape = part.shape
    part = part.reshape(-1, part.shape[-1]).copy()
    for _ in range(_STAGES):
        columns = rng.permutation(part.shape[1])
        unsettled = _open(part)[:, columns]
        rows = rng.permutation(np.flatnonzero(unsettled.sum(axis=1) > 1))
        if len(rows) < 2:
            break
        unsettled = unsettled[rows]
        first = unsettled.argmax(axis=1)
        unsettled[np.arange(len(rows)), first] = False
        rows = rows[np.argsort(first * len(columns) + unsettled.argmax(axis=1), kind="stable")]
        half = len(rows) // 2
        one = rows[0 : 2 * half : 2]
        other = rows[1 : 2 * half : 2]
        upper = part[one]
        lower = part[other]
        _settle_pairs(upper, lower, rng)
        part[one] = upper
        part[other] = lower
    return part.reshape(shape)


def _settle_pairs(upper: np.ndarray, lower: np.ndarray, rng: np.random.Generator) -> None:
    """Moves between upper[i] and lower[i] until they have at most one column where both are
    fractional.

    Each time between the first and the last such column, one of which it settles.
    """
    places = np.flatnonzero(_open(upper) & _open(lower))
    found = np.bincount(places // upper.shape[1], minlength=len(upper))
    ends = np.cumsum(found)
    first, last = ends - found, ends - 1
    both = np.concatenate([upper, lower], axis=None)
    while np.any(two := first < last):
        first, last = first[two], last[two]
        left, right = places[first], places[last]
        corners = np.concatenate([[left, left], [right, right]])
        corners[1::2] += upper.size
        a, c, b, d = values = both[corners]
        up = np.minimum(np.minimum(1 - a, b), np.minimum(c, 1 - d))
        down = np.minimum(np.minimum(a, 1 - b), np.minimum(1 - c, d))
        move = np.where(rng.random(len(up)) * (up + down) < down, up, -down)
        values[::3] += move
        values[1:3] -= move
        none, all_ = values < _NOTHING, values > 1 - _NOTHING
        np.copyto(values, 0.0, where=none)
        np.copyto(values, 1.0, where=all_)
        both[corners] = values
        settled = none | all_
        first = first + (settled[0] | settled[1])
        last = last - (settled[2] | settled[3])
    upper[:], lower[:] = both.reshape(2, *upper.shape)


def _open(part: np.ndarray) -> np.ndarray:
    return (part > 0) & (part < 1)
