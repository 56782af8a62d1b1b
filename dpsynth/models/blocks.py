"""Blocks: neighbouring cells of a wide column that are counted together as well.

A column on a fine grid has hundreds of cells, and noise on each. What the noise of many cells adds
up to moves a mean, a quantile and a long tail further than the noise on one count of them all. So
half of what a wide column is measured for goes to its cells, and half to runs of neighbours.
Public mathematics: blocks follow from the domain alone.
"""

from __future__ import annotations

import math

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.models.histogram import denoise

WIDE = 200
"""The fewest ordered cells that are worth blocks. Columns of a hundred values, such as ages, lose
more by noise on each value than their means win.
"""

BLOCKS = 24
"""Into how many the ordered cells are cut. With 16 a long tail is a little nearer, and the shape
inside of a block farther; with 48 it is the other way round.
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
    return 1.0 if blocks_of(domain, attribute) is None else math.sqrt(2)


def together(cells: np.ndarray, sums: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The best linear estimate of cells, from noisy counts of cells and of blocks.

    All have noise of one standard deviation, drawn independently. By generalised least squares
    each cell of a block of k takes 1 / (k + 1) of what the block's own count has more than they do.
    """
    more = sums - np.bincount(blocks, cells)
    return np.asarray(cells + (more / (np.bincount(blocks) + 1))[blocks])


def stddev_of_cells(stddev: float, blocks: np.ndarray) -> np.ndarray:
    """Of each cell that `together` estimates; stddev: of the noise on a count."""
    size = np.bincount(blocks)
    return np.asarray(stddev * np.sqrt(size / (size + 1))[blocks])


def variance_of_sums(variance: np.ndarray, blocks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of sums of cells that `together` estimates, by label.

    The cells of a block are off in opposite ways: of k with variance v each, the sum of j has
    j v (k + 1 - j) / k, so that a whole block has no more than one cell.

    Parameters
    ----------
    variance : ndarray
        Of each cell.
    blocks, labels : ndarray
        The block of each cell, and the number of the sum that it belongs to.

    Returns
    -------
    ndarray
        For each label.

    Examples
    --------
    >>> import numpy as np
    >>> blocks, labels = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    >>> variance_of_sums(np.array([0.75, 0.75, 0.75, 0.5]), blocks, labels)
    array([1.25])
    """
    size = np.bincount(blocks)
    shape = (size.size, int(labels.max()) + 1)
    place = np.ravel_multi_index((blocks, labels), shape)
    found, counted = (
        np.bincount(place, weights, shape[0] * shape[1]).reshape(shape)
        for weights in (variance, None)
    )
    return np.asarray((found * (size[:, None] + 1 - counted) / size[:, None]).sum(axis=0))


def denoise_in_blocks(
    values: np.ndarray,
    stddev: tuple[float, float],
    widths: tuple[float, ...],
    total: float,
    blocks: np.ndarray,
) -> np.ndarray:
    """Estimated counts of a wide column's cells: of its blocks, and inside of each of its cells.

    Parameters
    ----------
    values : ndarray
        What `together` estimates, shape (cells,).
    stddev : tuple of float
        Of the noise of a cell, and of the sum of a block, in rows.
    widths : tuple of float
        Of the leading, ordered cells.
    total : float
        What the counts are to sum to, in rows.
    blocks : ndarray
        The block of each cell.

    Returns
    -------
    ndarray
        Shape (cells,), non-negative, summing to `total`.
    """
    ordered = len(widths)
    wide = tuple(np.bincount(blocks[:ordered], widths).tolist())
    held = denoise(np.bincount(blocks, values), stddev[1], wide, total)
    cells = denoise(values, stddev[0], widths, total)
    even = np.ones(values.size)
    even[:ordered] = widths
    weight = np.where(np.bincount(blocks, cells)[blocks] > 0, cells, even)
    return np.asarray(weight * (held / np.bincount(blocks, weight))[blocks])
