"""Blocks: neighbouring cells of a wide column that are counted together as well.

A column on a fine grid has hundreds of cells, and noise on each. What the noise of many cells adds
up to moves a mean, a quantile and a long tail further than the noise on one count of them all. So
a quarter of what a wide column is measured for goes to its cells, and the rest to runs of
neighbours. Public mathematics: the first blocks follow from the domain alone, later ones from what
was measured with the first.
"""

from __future__ import annotations

import math

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.models.counted import Counted
from dpsynth.models.histogram import denoise
from dpsynth.models.shape import shaped

WIDE = 200
"""The fewest ordered cells that are worth blocks. Columns of a hundred values, such as ages, lose
more by noise on each value than their means win.
"""

BLOCKS = 24
"""Into how many the ordered cells are cut. With 16 a long tail is a little nearer, and the shape
inside of a block farther; with 48 it is the other way round.
"""


TIMES = 3
"""How often blocks are counted beside cells: a mean of three counts has less noise than one."""

PARTS = 14
"""Into how many blocks a column is cut by what was measured of it: fewer than before, as each holds
about as many rows.
"""

_BY_MASS = 0.7
_SEEN = 0.8
"""What decides how finely cells are cut: their rows, and of the rest, whether there are any. Cut by
rows alone, a long tail is one block.
"""


def blocks_of(domain: Domain, attribute: str) -> np.ndarray | None:
    """The block of each cell, ascending, special cells in blocks of their own; None for a column
    that is not wide.
    """
    ordered = len(domain.width(attribute) or ())
    if ordered < WIDE:
        return None
    special = np.arange(domain.size(attribute) - ordered)
    return np.append(np.arange(ordered) * BLOCKS // ordered, BLOCKS + special)


def noise_of_a_cell(domain: Domain, attribute: str) -> float:
    """Beside that of one count: cells and blocks of a wide column are released at once."""
    return 1.0 if blocks_of(domain, attribute) is None else math.sqrt(1 + TIMES)


def noise_of_a_block() -> float:
    """The same, of a block."""
    return math.sqrt((1 + TIMES) / TIMES)


def counted_together(values: np.ndarray, stddev: float, blocks: np.ndarray) -> Counted:
    """Noisy counts of cells, and then TIMES of all blocks, as one estimate of the cells."""
    cells, *sums = np.split(values, blocks.size + np.arange(TIMES) * (int(blocks.max()) + 1))
    return Counted.of_cells(cells, stddev).with_sums(
        blocks, np.mean(sums, axis=0), stddev / math.sqrt(TIMES)
    )


def blocks_by_mass(masses: np.ndarray, bins: np.ndarray, ordered: int) -> np.ndarray:
    """The block of each cell, in runs that hold about as many rows each; no block lies in two bins.

    Parameters
    ----------
    masses : ndarray
        Estimated counts of the cells.
    bins : ndarray
        The bin of each cell.
    ordered : int
        How many cells have an order: special cells are blocks of their own.

    Returns
    -------
    ndarray
        Shape (cells,), numbered from 0 without gaps, ascending.
    """
    mass, seen = masses[:ordered], (masses[:ordered] > 0).astype(float)
    even = _SEEN * seen / max(seen.sum(), 1.0) + (1 - _SEEN) / ordered
    measure = _BY_MASS * mass / max(mass.sum(), 1.0) + (1 - _BY_MASS) * even
    runs = np.cumsum(np.diff(bins[:ordered], prepend=bins[0]) != 0)
    whole = np.bincount(runs, measure)
    parts = np.maximum(np.rint(PARTS * whole), 1)[runs]
    before = np.append(0.0, np.cumsum(whole))[runs]
    place = (np.cumsum(measure) - measure / 2 - before) / whole[runs]
    part = np.minimum(np.floor(place * parts), parts - 1)
    blocks = np.cumsum((np.diff(runs, prepend=0) != 0) | (np.diff(part, prepend=part[0]) != 0))
    return np.append(blocks, blocks[-1] + 1 + np.arange(masses.size - ordered))


def masses_of(
    counted: Counted, widths: tuple[float, ...], total: float, blocks: np.ndarray
) -> np.ndarray:
    """Estimated counts of a wide column's cells.

    How far its rows reach is seen in blocks; between these ends they have a shape.

    Parameters
    ----------
    counted : Counted
        What was measured of the cells.
    widths : tuple of float
        Of the leading, ordered cells.
    total : float
        What the counts are to sum to, in rows.
    blocks : ndarray
        The block of each cell, as `blocks_of` gives them.

    Returns
    -------
    ndarray
        Shape (cells,), non-negative, summing to `total`.
    """
    ordered, lengths = len(widths), np.asarray(widths)
    stddev = float(np.mean(counted.stddev_of_sums(blocks)))
    wide = tuple(np.bincount(blocks[:ordered], lengths).tolist())
    held = denoise(np.bincount(blocks, counted.values), stddev, wide, total)
    out = held[blocks]
    out[:ordered] = 0.0
    rows = total - float(out.sum())
    seen = np.flatnonzero(held[blocks[:ordered]] > 0)
    if not seen.size:
        return out
    cells = slice(int(seen[0]), int(seen[-1]) + 1)
    together = np.zeros(seen[-1] + 1 - seen[0], dtype=np.intp)
    known = counted.part(cells).with_sums(together, np.array([rows]), stddev)
    shape = shaped(known, lengths[cells], rows)
    out[cells] = shape * (rows / shape.sum())
    return out
