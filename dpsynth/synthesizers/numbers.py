"""What noise does to the mean of a numeric column, from public facts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dpsynth.base.text import short
from dpsynth.data.tables.codec import codec_for, schema_domain
from dpsynth.mechanisms.allocation import stddev_of_column
from dpsynth.models.blocks import BLOCKS, blocks_of, noise_of_a_block, noise_of_a_cell
from dpsynth.models.histogram import standing_out
from dpsynth.schema.table import Numeric, Schema

ASSUMED_BOUNDS = (-(2.0**20), 2.0**20)
"""Of a column whose bounds a charge will learn: wide, so that its cells are not too few."""


@dataclass(frozen=True)
class MeanNoise:
    """The noise of a numeric column's mean.

    Parameters
    ----------
    column : str
        Its name.
    stddev : float
        A standard deviation, in the column's own numbers.
    of_range : float
        The same as a part of the range between the bounds, 0 to 1; 0 where they are equal.
    tail : float
        How far it moves besides where rows at the far end of the range are so few that they do not
        stand out of the noise, and are cut off.
    unit : str
        What the numbers count, such as "hours", where they are the time between two dates.

    Examples
    --------
    >>> MeanNoise("age", stddev=0.6, of_range=0.005, tail=2.5).describe()
    'mean of `age`: noise of about +/- 0.6 (standard deviation), 0.5 % of the range; up to 2.5 more
     if a thin end is lost'
    """

    column: str
    stddev: float
    of_range: float
    tail: float
    unit: str = ""

    def describe(self) -> str:
        """A sentence for a terminal."""
        stddev, of_range, tail = self.cells()
        noise = f"noise of about +/- {stddev} (standard deviation), {of_range} of the range"
        return f"mean of `{self.column}`: {noise}; up to {tail} more if a thin end is lost"

    def cells(self) -> tuple[str, str, str]:
        """The three figures in words, for a table."""
        unit = f" {self.unit}" if self.unit else ""
        share = f"{short(100 * self.of_range, 2)} %"
        return f"{short(self.stddev, 2)}{unit}", share, f"{short(self.tail, 2)}{unit}"


def mean_noise(
    schema: Schema,
    stddev: float,
    rows: int,
    joined: bool,
    bounds: Mapping[str, tuple[float, float]] = {},
) -> tuple[MeanNoise, ...]:
    """The noise of the mean of every numeric column whose bounds are known.

    It is that of a mean computed from noisy counts of all cells, or blocks of a wide column, for
    rows that fill the range; where they lie close together it is less. A fit that measures pairs
    joins the cells of a column until they stand out of the noise: then it is that of a dozen cells
    at the most, which is the noise of one count, moved from one bound to the other. Of the means in
    `benchmarks/results/raw_tables.json`, by `canopy`, three in four lie within it at epsilon 1 and
    10, and nine in ten within twice as much. Missing values count as rows here: where half are
    missing, the noise is twice as large.

    Parameters
    ----------
    schema : Schema
        The public facts.
    stddev : float
        Of the noise on the count of a cell, in rows: the most of any column.
    rows : int
        How many the table is assumed to have.
    joined : bool
        Whether pairs of columns are measured.
    bounds : mapping of str to tuple of float
        Of columns whose bounds were learned.

    Returns
    -------
    tuple of MeanNoise
        In the order of the columns.
    """
    found = []
    assumed = dict.fromkeys(schema.unbounded, ASSUMED_BOUNDS)
    domain = schema_domain(schema, {**assumed, **bounds})
    for name, column in schema.columns.items():
        if not isinstance(column, Numeric) or (name in schema.unbounded and name not in bounds):
            continue
        each = stddev_of_column(domain, name, stddev)
        learned = bounds.get(name)
        low, high = learned or (column.low, column.high)
        assert low is not None
        assert high is not None
        first, last = (np.asarray(ends, float) for ends in codec_for(column, learned).ends())
        if (blocks := blocks_of(domain, name)) is not None:
            ends = np.searchsorted(blocks[: first.size], np.arange(BLOCKS + 1))
            first, last = first[ends[:-1]], last[ends[1:] - 1]
            each *= noise_of_a_block(domain, name) / noise_of_a_cell(domain, name)
        away = (first + last) / 2 - (low + high) / 2
        moved = math.hypot(*away)
        extent = high - low
        noise = min(each * (min(moved, extent) if joined else moved) / rows, extent)
        tail = min(standing_out(each, away.size) * extent / rows, extent)
        found.append(MeanNoise(name, noise, noise / extent if extent else 0.0, tail))
    return tuple(found)
