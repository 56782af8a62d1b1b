"""Blind spots: regions of the real rows that a release has too few rows of, or that it made up.

For evidence only, never for a fit. A region is found on one half of both tables, and counted on the
other, in turn: shares and intervals are of rows by which it was not chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from dpsynth.base.progress import stage
from dpsynth.base.text import percent, short
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.pattern import CLEAR, apart
from dpsynth.evaluation.regions import Binned, Region, candidates
from dpsynth.schema.table import Schema

FEWEST_ROWS = 200
"""Rows that each table needs."""
LEAST_SHARE = 0.002
_HALF = 0.5
_CHANCE = 0.001
"""Of any false region in a comparison, at most."""
_SHOWN = 8
_SAME = 0.6
"""Of two regions that share so much of the smaller one, the surer stands for both."""
_SEED = 20240612


@dataclass(frozen=True)
class BlindSpot:
    """A region in which the shares of the rows differ by a factor of two or more.

    Parameters
    ----------
    where : str
        Its conditions in words.
    fate : {"lost", "invented"}
        Whether the release has less than half of the real share, or more than twice.
    real, synthetic : float
        The shares of the rows in it.
    low, high : float
        An interval of synthetic / real. The intervals of all regions that were looked at hold
        together at 95 % (Bonferroni).

    Examples
    --------
    >>> BlindSpot("age from 80", "lost", 0.021, 0.003, 0.08, 0.24).sentence()[-44:]
    'of the release (0.08 to 0.24 times as many).'
    """

    where: str
    fate: str
    real: float
    synthetic: float
    low: float
    high: float

    def sentence(self) -> str:
        """The region in words, with its shares."""
        return (
            f"{self.where}: {percent(self.real)} of the real rows, {percent(self.synthetic)} of the"
            f" release ({short(self.low, 2)} to {short(self.high, 2)} times as many)."
        )


def blind_spots(real: Numbers, synthetic: Numbers, schema: Schema) -> tuple[BlindSpot, ...]:
    """Up to eight, the surest first; none of tables of less than 200 rows."""
    if min(real.rows, synthetic.rows) < FEWEST_ROWS:
        return ()
    stage("looking for blind spots")
    binned = Binned.of((real, synthetic), schema)
    rng = np.random.default_rng(_SEED)
    halves = [rng.permutation(table.rows) % 2 for table in (real, synthetic)]
    looked = []
    for fold in (0, 1):
        rows = [np.flatnonzero(half == fold) for half in halves]
        looked += [(1 - fold, region) for region in candidates(binned, rows)]
    found = [*_told(binned, halves, looked)]
    found.sort(key=lambda each: -each[0])
    kept: list[tuple[BlindSpot, list[np.ndarray]]] = []
    for _, spot, region in found:
        inside = [binned.inside(region, table) for table in (0, 1)]
        if len(kept) < _SHOWN and not any(_shared(inside, other) > _SAME for _, other in kept):
            kept.append((spot, inside))
    return tuple(spot for spot, _ in kept)


def _told(
    binned: Binned, halves: list[np.ndarray], looked: list[tuple[int, Region]]
) -> Iterator[tuple[float, BlindSpot, Region]]:
    tests = max(len(looked), 1)
    clear = max(CLEAR, float(norm.isf(_CHANCE / 2 / tests)))
    wide = float(norm.isf(0.025 / tests))
    for fold, region in looked:
        inside = [binned.inside(region, table)[half == fold] for table, half in enumerate(halves)]
        (n, m), (a, b) = ([f(x) for x in inside] for f in (len, np.sum))
        p, q = float(a / n), float(b / m)
        errors = apart(p, n, q, m)
        fate = "lost" if q < _HALF * p else "invented" if p < _HALF * q else None
        if fate is None or errors < clear or max(p, q) < LEAST_SHARE:
            continue
        ratio = (b + 0.5) / (m + 1) / ((a + 0.5) / (n + 1))
        reach = math.exp(wide * math.sqrt(1 / (a + 0.5) + 1 / (b + 0.5)))
        spot = BlindSpot(
            binned.words(region), fate, p, q, float(ratio / reach), float(ratio * reach)
        )
        yield errors, spot, region


def _shared(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The share of the smaller region that both have, in the table that has more of it."""
    found = []
    for x, y in zip(one, other, strict=True):
        found.append(float((x & y).sum()) / max(min(x.sum(), y.sum()), 1))
    return max(found)
