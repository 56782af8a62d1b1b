"""Footprint: the time and memory that a fit takes, from public facts and from measured fits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.mechanisms.prices import (
    CELLS_AT_ONCE,
    MAX_PAIR_CELLS,
    Prices,
    cells_of_pairs,
    cells_to_count,
    is_wide,
)

WITHIN = math.sqrt(10)
"""A fit takes between the likely seconds divided by this and the likely seconds times this."""

MIN_LIKELY = 0.3
"""Seconds that are likely at the least: a first fit takes them to import what it needs."""

_PER_PAIR, _PER_PAIR_AND_ROW = 9e-5, 5e-10
"""Seconds of a first look at the pairs of a wide table (benchmarks/results/wide.json)."""

_HELD = 600
"""Bytes of a pair's name and of its closed counts or score, beside the counts."""

MAX_MODEL = 100_000
"""Cells of the largest model that a mechanism without a limit of its own is taken to make."""


@dataclass(frozen=True)
class Footprint:
    """What a fit takes, on one core of the machine of our benchmarks.

    Parameters
    ----------
    seconds : tuple of float
        Of a CPU, from and to; the likely ones are their geometric mean. From 0 where only a limit
        is known, to infinity where nothing is.
    megabytes : float
        Of memory, at the most.

    Examples
    --------
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"age": 100, "sex": 2})
    >>> prices = Prices(cost=1_000_000, sensitivity=1.0)
    >>> found = footprint(domain, 1_000_000, prices, pairs=False, pace=Pace(0.002, 0.9, 0.1))
    >>> round(found.seconds[1] / found.seconds[0], 6)
    10.0
    """

    seconds: tuple[float, float]
    megabytes: float


@dataclass(frozen=True)
class Pace:
    """How the seconds of a fit grow: scale * columns ** by_columns * signal ** by_signal.

    The signal is how many rows there are for each row of noise, were the whole budget spent on one
    count: the larger it is, the more pairs a mechanism measures. `benchmarks/forecast.py` fits the
    three figures to measured fits.

    Parameters
    ----------
    scale : float
        In seconds.
    by_columns, by_signal : float
        Powers.

    Examples
    --------
    >>> round(Pace(0.1, 2.0, 0.5).seconds(columns=10, signal=100.0), 6)
    100.0
    """

    scale: float
    by_columns: float
    by_signal: float

    def seconds(self, columns: int, signal: float) -> float:
        """The likely seconds of a fit."""
        return float(self.scale * columns**self.by_columns * signal**self.by_signal)


def span(seconds: float) -> tuple[float, float]:
    """From and to how many seconds a fit takes that likely takes this many."""
    return seconds / WITHIN, seconds * WITHIN


def signal_of(rows: int, prices: Prices) -> float:
    """How many rows there are for each row of noise, were all spent on one count."""
    return rows / prices.stddev(prices.cost)


def footprint(
    domain: Domain,
    rows: int,
    prices: Prices,
    *,
    pairs: bool,
    pace: Pace | None,
    model_cells: int = MAX_MODEL,
    extra: float = 0.0,
    wide: float | None = None,
) -> Footprint:
    """What a mechanism that measures marginals takes.

    Megabytes: codes, counted tables before binning (8 bytes a cell, twice), the joint tables in
    which pairs are counted, and six copies of the largest model, beside 200 for Python.

    Parameters
    ----------
    domain : Domain
        Of the table.
    rows : int
        How many it has.
    prices : Prices
        What noise the budget buys.
    pairs : bool
        Whether pairs are counted, or single columns only.
    pace : Pace or None
        How the seconds grow; None where that is not known.
    model_cells : int
        Of the largest model.
    extra : float
        Megabytes of libraries.
    wide : float or None
        Seconds for each column after a first look at the pairs of a wide table; None for a
        mechanism that counts all pairs of any table at once.

    Returns
    -------
    Footprint
        Seconds and megabytes.
    """
    columns = len(domain.attributes)
    counted = cells_of_pairs(domain) if pairs else np.zeros(0, dtype=np.int64)
    looked = wide is not None and pairs and is_wide(domain)
    sizes, often = np.unique(counted, return_counts=True)
    joint = float(sum(n * cells_to_count(int(k)) for k, n in zip(sizes, often, strict=True)))
    cells = float(counted.sum())
    if looked:
        joint, cells = (min(each, CELLS_AT_ONCE + MAX_PAIR_CELLS) for each in (joint, cells))
    tables = sum(n for _, n in domain.sizes) + cells
    held = rows * columns * 10 + tables * 16 + joint * 8 + counted.size * _HELD
    megabytes = (held + model_cells * 8 * 6) / 1e6 + 200 + extra
    if looked and wide is not None:
        likely = counted.size * (_PER_PAIR + rows * _PER_PAIR_AND_ROW) + columns * wide
    elif pace is None:
        return Footprint((0.0, math.inf), megabytes)
    else:
        likely = pace.seconds(columns, signal_of(rows, prices))
    return Footprint(span(max(MIN_LIKELY, likely)), megabytes)
