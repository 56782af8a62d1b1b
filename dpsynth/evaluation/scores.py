"""Scores by the definitions of SDMetrics 0.32, for those who compare with its figures.

1 is best. The overall score is the mean of two: that of all columns' shapes and that of all pairs'
trends. A score that is not defined, such as a correlation with a constant, is left out of a mean.
Every pair counts, as with that program's thresholds at 0. Values that a column's schema does not
know are missing here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.evaluation.association import columns_of, correlations
from dpsynth.evaluation.numbers import Numbers, is_measured
from dpsynth.models.distances import compared_pairs
from dpsynth.schema.columns import Column
from dpsynth.schema.table import Schema

_BINS = 10


@dataclass(frozen=True)
class ColumnScores:
    """The scores of one column; None where one is not defined.

    Parameters
    ----------
    name : str
        Of the column.
    shape : float or None
        KSComplement of numbers and moments, TVComplement of others.
    coverage : float or None
        RangeCoverage or CategoryCoverage.
    adherence : float or None
        BoundaryAdherence or CategoryAdherence.
    missing : float or None
        MissingValueSimilarity.

    Examples
    --------
    >>> ColumnScores("age", 0.98, 1.0, 1.0, 0.99).shape
    0.98
    """

    name: str
    shape: float | None
    coverage: float | None
    adherence: float | None
    missing: float | None


@dataclass(frozen=True)
class Scores:
    """SDMetrics' quality report, by our own code.

    Parameters
    ----------
    column_shapes, pair_trends, overall : float or None
        The mean over columns, over pairs (CorrelationSimilarity and ContingencySimilarity), and of
        the two; None where nothing is defined.
    columns : tuple of ColumnScores
        In the schema's order.

    Examples
    --------
    >>> Scores(0.9, 0.8, 0.85, ()).overall
    0.85
    """

    column_shapes: float | None
    pair_trends: float | None
    overall: float | None
    columns: tuple[ColumnScores, ...]


def scores(real: Numbers, synthetic: Numbers, schema: Schema) -> Scores:
    columns = tuple(_of_column(n, c, real, synthetic) for n, c in schema.coded.items())
    shapes = _mean([each.shape for each in columns])
    trends = _mean(_trends(real, synthetic, schema))
    return Scores(shapes, trends, _mean([shapes, trends]), columns)


def _mean(found: Sequence[float | None]) -> float | None:
    there = [x for x in found if x is not None]
    return float(np.mean(there)) if there else None


def _of_column(name: str, column: Column, real: Numbers, synthetic: Numbers) -> ColumnScores:
    r, s = real.values[name], synthetic.values[name]
    if not (np.isfinite(r).any() and np.isfinite(s).any()):
        return ColumnScores(name, None, None, None, _missing(r, s))
    of = _measured_scores if is_measured(column) else _category_scores
    return ColumnScores(name, *of(r, s), _missing(r, s))


def _missing(r: np.ndarray, s: np.ndarray) -> float | None:
    if not (r.size and s.size):
        return None
    return 1 - abs(float(np.isnan(r).mean()) - float(np.isnan(s).mean()))


def _measured_scores(r: np.ndarray, s: np.ndarray) -> tuple[float, float | None, float]:
    nullable = np.isnan(r).any()
    there, x = s[~np.isnan(s)], r[~np.isnan(r)]
    low, high = float(x.min()), float(x.max())
    inside = (s >= low) & (s <= high)
    adherence = float(inside.sum()) / (there.size if nullable else s.size)
    coverage = None
    if 0 < high - low < math.inf:
        below = max((float(there.min()) - low) / (high - low), 0.0)
        above = max((high - float(there.max())) / (high - low), 0.0)
        coverage = max(1 - below - above, 0.0)
    return 1 - kolmogorov_smirnov(x, there), coverage, adherence


def kolmogorov_smirnov(x: np.ndarray, y: np.ndarray) -> float:
    """The largest difference of two empirical distribution functions."""
    at = np.sort(np.r_[x, y])
    shares = [np.searchsorted(np.sort(v), at, side="right") / v.size for v in (x, y)]
    return float(np.max(np.abs(shares[0] - shares[1])))


def _category_scores(r: np.ndarray, s: np.ndarray) -> tuple[float, float, float]:
    nullable = np.isnan(r).any()
    x, y = r[~np.isnan(r)], s[~np.isnan(s)]
    values = np.unique(np.r_[x, y])
    p, q = (np.array([np.mean(v == value) for value in values]) for v in (x, y))
    known = (p > 0) & (q > 0)
    valid = np.isin(s, x) | (np.isnan(s) if nullable else False)
    return (
        1 - 0.5 * float(np.abs(p - q).sum()),
        float(known.sum() / (p > 0).sum()),
        float(valid.mean()),
    )


def _trends(real: Numbers, synthetic: Numbers, schema: Schema) -> list[float | None]:
    """The score of each pair: by correlation of two measured columns, else by their table."""
    coded = schema.coded
    if not real.rows or not synthetic.rows:
        return []
    measured = [n for n, c in coded.items() if is_measured(c)]
    place = {name: i for i, name in enumerate(measured)}
    r, s = (correlations(columns_of(table, measured))[0] for table in (real, synthetic))
    cells = {name: _cells(name, column, real, synthetic) for name, column in coded.items()}
    found: list[float | None] = []
    for a, b in compared_pairs((*coded,)):
        if a in place and b in place:
            at = place[a], place[b]
            steady = all(t.distinct[n] > 1 for t in (real, synthetic) for n in (a, b))
            found.append(1 - abs(float(r[at] - s[at])) / 2 if steady else None)
        else:
            found.append(_same_cells(cells[a], cells[b]))
    return found


def _cells(
    name: str, column: Column, real: Numbers, synthetic: Numbers
) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from 0 for the cells of both tables.

    Numbers are cut into ten bins between the smallest and the largest of their own table; the
    largest value has the cell of missing ones, as in the program that this follows.
    """
    values = real.values[name], synthetic.values[name]
    if is_measured(column):
        r, s = (_tenths(v) for v in values)
        return r, s
    codes = np.unique(np.concatenate(values), return_inverse=True)[1]
    return codes[: real.rows], codes[real.rows :]


def _tenths(values: np.ndarray) -> np.ndarray:
    there = values[np.isfinite(values)]
    if not there.size:
        return np.full(values.size, _BINS + 1)
    return np.digitize(values, np.histogram_bin_edges(there, bins=_BINS))


def _same_cells(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    size = int(max(each.max() for each in b)) + 1
    tables = [x.astype(np.int64) * size + y for x, y in zip(a, b, strict=True)]
    cells = int(max(each.max() for each in tables)) + 1
    r, s = (np.bincount(each, minlength=cells) / each.size for each in tables)
    return 1 - 0.5 * float(np.abs(r - s).sum())
