"""Blocks: neighbouring cells of a wide column that are counted together as well.

A column on a fine grid has hundreds of cells, and noise on each. What the noise of many cells adds
up to moves a mean, a quantile and a long tail further than the noise on one count of them all. So
a third of what a wide column is measured for goes to its cells, and the rest to runs of
neighbours. Public mathematics: the first blocks follow from the domain alone, later ones from what
was measured with the first.
"""

from __future__ import annotations

import math

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.models.counted import Counted
from dpsynth.models.histogram import denoise, shrunk
from dpsynth.models.shape import ROUGH, shaped

WIDE = 200
"""The fewest ordered cells that are worth blocks. Columns of a hundred values, such as ages, lose
more by noise on each value than their means win.
"""

BLOCKS = 24
"""Into how many the ordered cells are cut. With 16 a long tail is a little nearer, and the shape
inside of a block farther; with 48 it is the other way round.
"""


TIMES = 2
"""How often blocks are counted beside cells of different lengths: a mean of two counts has less
noise than one. Where all cells are about as long as each other, as those of dates, they are counted
once: there each cell matters, and no tail is drawn from a long one.
"""

_AS_LONG = 2.0

PARTS = 14
"""Into how many blocks a column is cut by what was measured of it: fewer than before, as each holds
about as many rows.
"""

_BY_MASS = 0.7
"""What decides how finely cells with rows are cut: the rows, and else the cells. Cut by rows alone,
a long tail is one block.
"""

_BEYOND = 3
"""Into how many blocks cells are cut at most that lie beyond what was seen."""

_CLEAR = 4.5
_SURE = 3.0
_LIKELY = 1.0
"""Standard deviations from which on a block, or a cell, has rows beyond where they were seen; from
which on a block among them surely has some; and from which on the next block at the end has.
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


def times_counted(domain: Domain, attribute: str) -> int:
    """How often the blocks of a wide column are counted beside its cells."""
    widths = domain.width(attribute) or (1.0,)
    return TIMES if max(widths) > _AS_LONG * min(widths) else 1


def noise_of_a_cell(domain: Domain, attribute: str) -> float:
    """Beside that of one count: cells and blocks of a wide column are released at once."""
    if blocks_of(domain, attribute) is None:
        return 1.0
    return math.sqrt(1 + times_counted(domain, attribute))


def noise_of_a_block(domain: Domain, attribute: str) -> float:
    """The same, of a block of a wide column."""
    return noise_of_a_cell(domain, attribute) / math.sqrt(times_counted(domain, attribute))


def counted_together(values: np.ndarray, stddev: float, blocks: np.ndarray) -> Counted:
    """Noisy counts of cells, and then once or more often of blocks, as one estimate of cells."""
    sums = values[blocks.size :].reshape(-1, int(blocks.max()) + 1)
    cells = Counted.of_cells(values[: blocks.size], stddev)
    return cells.with_sums(blocks, sums.mean(axis=0), stddev / math.sqrt(len(sums)))


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
    mass, seen = masses[:ordered], masses[:ordered] > 0
    measure = _BY_MASS * mass / max(mass.sum(), 1.0) + (1 - _BY_MASS) * seen / max(seen.sum(), 1)
    measure = np.where(seen, measure, 1 / ordered)
    runs = np.cumsum(_changes(bins[:ordered]) | _changes(seen))
    whole, seen_runs = np.bincount(runs, measure), np.bincount(runs, seen) > 0
    beyond = np.clip(np.ceil(whole * BLOCKS), 1, _BEYOND)
    parts = np.where(seen_runs, np.maximum(np.rint(PARTS * whole), 1), beyond)[runs]
    before = np.append(0.0, np.cumsum(whole))[runs]
    place = (np.cumsum(measure) - measure / 2 - before) / whole[runs]
    part = np.minimum(np.floor(place * parts), parts - 1)
    blocks = np.cumsum(_changes(runs) | _changes(part))
    return np.append(blocks, blocks[-1] + 1 + np.arange(masses.size - ordered))


def _changes(values: np.ndarray) -> np.ndarray:
    """Where values differ from those before them."""
    return np.append(False, values[1:] != values[:-1])


def masses_of(
    counted: Counted, widths: tuple[float, ...], total: float, blocks: np.ndarray
) -> np.ndarray:
    """Estimated counts of a wide column's cells.

    How far its rows reach is seen in blocks; between these ends they have a shape, which what is
    clear beyond is a part of.

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
    noise = counted.stddev_of_sums(blocks)
    sums = np.bincount(blocks, counted.values)
    out = np.zeros(blocks.size)
    for i in range(ordered, blocks.size):  # a special cell is a block of its own
        out[i] = min(float(shrunk(sums[blocks[i : i + 1]], noise[blocks[i]])[0]), total)
    out *= min(1.0, total / max(float(out.sum()), total))
    rows = max(total - float(out.sum()), 0.0)
    public, stddev = slice(0, int(blocks[ordered - 1]) + 1), float(np.mean(noise))
    wide = tuple(np.bincount(blocks[:ordered], lengths).tolist())
    held = denoise(sums[public], stddev, wide, max(rows, 1.0))
    cells = np.flatnonzero(_seen(counted, lengths, held[blocks[:ordered]] > 0))
    if not cells.size:
        cells = np.arange(ordered)
    together = np.zeros(cells.size, dtype=np.intp)
    known = counted.part(cells).with_sums(together, np.array([rows]), stddev)
    shape, smooth = shaped(known, lengths[cells], max(rows, 1.0))
    if smooth <= ROUGH:
        shape = _one_by_one(known, lengths[cells], shape, blocks[cells])
    out[cells] = shape * (rows / shape.sum())
    return out


def _one_by_one(
    counted: Counted, widths: np.ndarray, shape: np.ndarray, blocks: np.ndarray
) -> np.ndarray:
    """Cells that share their block's rows as they were counted, each for itself."""
    stddev = float(np.mean(counted.stddev))
    cells = denoise(counted.values, stddev, tuple(widths.tolist()), float(shape.sum()))
    runs = np.unique(blocks, return_inverse=True)[1]
    weight = np.where(np.bincount(runs, cells)[runs] > 0, cells, widths)
    return np.asarray(weight * (np.bincount(runs, shape) / np.bincount(runs, weight))[runs])


def _seen(counted: Counted, lengths: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Which cells may have rows: from the first to the last that is held to have some, without
    blocks at the ends that noise explains, and what stands out clearly beside them.

    The further a block reaches beyond those that surely have rows, the more it has to stand out, as
    what noise alone puts there weighs the more in a mean.
    """
    ordered = lengths.size
    seen = np.zeros(ordered, dtype=bool)
    if held.any():
        seen[np.flatnonzero(held)[0] : np.flatnonzero(held)[-1] + 1] = True
    values = counted.values
    looks = [np.arange(values.size), *(labels for labels, _ in counted.groups)]
    strength = [
        (np.bincount(labels, values) / counted.stddev_of_sums(labels))[labels[:ordered]]
        for labels in looks
    ]
    for (labels, _), each in zip(counted.groups, strength[1:], strict=True):
        further = _times_longer(seen & (each > _SURE), lengths, labels[:ordered])
        some = np.flatnonzero(seen & (each > np.sqrt(_LIKELY**2 + 2 * np.log(further))))
        if some.size:
            seen[: some[0]] = seen[some[-1] + 1 :] = False
    return seen | (np.max(strength, axis=0) > _CLEAR)


def _times_longer(sure: np.ndarray, lengths: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each cell how many times as long the range of sure cells is with the cell's block.

    1 within that range, and everywhere where no cell is sure.
    """
    places = np.flatnonzero(sure)
    if not places.size:
        return np.ones(lengths.size)
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    low, high = ends[places[0]], ends[places[-1] + 1]
    first = np.flatnonzero(np.append(True, labels[1:] != labels[:-1]))
    run = np.repeat(np.arange(first.size), np.diff(np.append(first, lengths.size)))
    begins, stops = ends[first][run], ends[np.append(first[1:], lengths.size)][run]
    return (np.maximum(stops, high) - np.minimum(begins, low)) / (high - low)
