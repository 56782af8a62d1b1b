"""Association: how strongly pairs of columns go together, in the real records and in the release.

Two ordered columns are compared by Spearman's rank correlation, all other pairs by Cramer's V on
the bins of pairs. Beside them stand Pearson's correlation and the mutual information in bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from dpsynth.base.domain import Domain
from dpsynth.base.progress import steps
from dpsynth.evaluation.numbers import Numbers, is_measured
from dpsynth.models.base import Codes
from dpsynth.models.distances import compared_pairs, frequencies
from dpsynth.schema.columns import Boolean
from dpsynth.schema.table import Schema

SPEARMAN, CRAMER = "Spearman", "Cramer's V"
_ROUNDING = 1e-11
"""A variance up to this share of the mean square is none: the column is constant in these rows."""


@dataclass(frozen=True)
class Association:
    """How strongly two columns go together.

    Parameters
    ----------
    columns : tuple of str
        The two, in the schema's order.
    measure : {"Spearman", "Cramer's V"}
        What `real`, `synthetic` and `floor` are.
    real, synthetic, floor : float
        In the real records, the release and the yardstick: -1 to 1, or 0 to 1. 0 where a column has
        one value only.
    pearson_real, pearson_synthetic : float or None
        Pearson's correlation of two ordered columns.
    bits_real, bits_synthetic : float
        Mutual information on the bins of pairs.

    Examples
    --------
    >>> Association(("age", "sex"), "Cramer's V", 0.4, 0.3, 0.39, None, None, 0.1, 0.07).difference
    0.1
    """

    columns: tuple[str, str]
    measure: str
    real: float
    synthetic: float
    floor: float
    pearson_real: float | None
    pearson_synthetic: float | None
    bits_real: float
    bits_synthetic: float

    @property
    def difference(self) -> float:
        """How far the release is from the real records, to six digits."""
        return round(abs(self.real - self.synthetic), 6)


def associations(
    tables: Sequence[Numbers], binned: Sequence[Codes], domain: Domain, schema: Schema
) -> tuple[Association, ...]:
    """The pairs of `compared_pairs`, in the schema's order.

    tables: the real one, the release and the yardstick. binned, domain: the same on the bins of
    pairs.
    """
    coded = schema.coded
    ordered = [n for n, c in coded.items() if is_measured(c) or isinstance(c, Boolean)]
    place = {name: i for i, name in enumerate(ordered)}
    ranks = [correlations(columns_of(table, ordered, ranked=True))[0] for table in tables]
    linear = [correlations(columns_of(table, ordered))[0] for table in tables[:2]]
    found = []
    for a, b in steps("comparing associations", compared_pairs((*coded,))):
        counts = [frequencies(t, (a, b), domain).reshape(domain.shape((a, b))) for t in binned]
        bits = [mutual_information(each) for each in counts[:2]]
        if a in place and b in place:
            at = place[a], place[b]
            pearson: list[float | None] = [float(each[at]) for each in linear]
            values, measure = [float(each[at]) for each in ranks], SPEARMAN
        else:
            pearson = [None, None]
            values, measure = [cramers_v(each) for each in counts], CRAMER
        r, s, floor = values
        found.append(Association((a, b), measure, r, s, floor, pearson[0], pearson[1], *bits))
    return tuple(found)


def matrix(names: Sequence[str], found: Sequence[Association]) -> list[list[float | None]]:
    """The differences of all pairs, symmetric, 0 on the diagonal; None of those not compared."""
    index = {name: i for i, name in enumerate(names)}
    values: list[list[float | None]] = [[None] * len(names) for _ in names]
    for i in range(len(names)):
        values[i][i] = 0.0
    for each in found:
        i, j = (index[name] for name in each.columns)
        values[i][j] = values[j][i] = each.difference
    return values


def columns_of(table: Numbers, names: Sequence[str], *, ranked: bool = False) -> np.ndarray:
    """Columns side by side, of mean 0 and standard deviation 1; NaN where a value is not there.

    ranked: mean ranks in place of the values. Shape (rows, columns).
    """
    found = np.full((table.rows, len(names)), np.nan)
    for i, name in enumerate(names):
        there = np.isfinite(table.values[name])
        x = table.values[name][there]
        if x.size:
            x = rankdata(x) if ranked else x / (np.abs(x).max() or 1.0)  # no square overflows
            # Twice, so that a large mean beside a small spread costs no digits.
            x = x - x.mean()
            x = x - x.mean()
            spread = math.sqrt(float(np.mean(x**2)))
            found[there, i] = x / spread if spread > 0 else 0.0
    return found


def correlations(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of the rows in which both are there, and how many these are; 0 for a constant.

    columns: as `columns_of` gives them.
    """
    there = ~np.isnan(columns)
    x = np.where(there, columns, 0.0)
    w = there.astype(float)
    n = w.T @ w
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (x.T @ w) / n  # of the first, over the rows where the second is there too
        whole = ((x**2).T @ w) / n
        square = np.where(whole - mean**2 > _ROUNDING * whole, whole - mean**2, 0.0)
        covariance = (x.T @ x) / n - mean * mean.T
        found = covariance / np.sqrt(square * square.T)
    return np.where(np.isfinite(found), found.clip(-1, 1), 0.0), n


def cramers_v(shares: np.ndarray) -> float:
    """Cramer's V of a table of shares: the root of chi-square over n and the smaller side less 1.

    Cramer 1946, Mathematical Methods of Statistics, section 21.9. Empty rows and columns are left
    out; 0 where one is left.
    """
    shares = shares[shares.any(axis=1)][:, shares.any(axis=0)]
    smaller = min(shares.shape) - 1
    if smaller < 1:
        return 0.0
    expected = shares.sum(axis=1, keepdims=True) * shares.sum(axis=0, keepdims=True)
    square = float(np.sum(shares**2 / expected)) - 1
    return min(math.sqrt(max(square, 0.0) / smaller), 1.0)


def mutual_information(shares: np.ndarray) -> float:
    """The mutual information of a table of shares, in bits."""
    expected = shares.sum(axis=1, keepdims=True) * shares.sum(axis=0, keepdims=True)
    there = shares > 0
    return max(float(np.sum(shares[there] * np.log2(shares[there] / expected[there]))), 0.0)


def mean_difference(found: Sequence[Association]) -> Mapping[str, float]:
    """The mean difference of the release, and of the yardstick; 0 where there is no pair."""
    if not found:
        return {"release": 0.0, "yardstick": 0.0}
    return {
        "release": float(np.mean([abs(a.real - a.synthetic) for a in found])),
        "yardstick": float(np.mean([abs(a.real - a.floor) for a in found])),
    }
