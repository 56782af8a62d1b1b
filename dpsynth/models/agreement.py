"""Agreement: may two tables' noisy counts of the same columns come from one distribution?

Public mathematics on charged answers. Of tables with N and M rows, counts x and y of the same cells
are compared as shares. Where both are draws from a distribution p, the difference of the shares has
the covariance

    diag(p v + t) - v p p',     v = k (1 / N + 1 / M),    t = r^2 / N^2 + s^2 / M^2,

r and s being the standard deviations of the noise, and k the rows that one unit may have, all of
them alike. How many rows there are is itself known with noise, which moves all shares in proportion
to p: so a part of the difference along p is left out. What remains, in the metric of the diagonal,
is a chi-square with one degree of freedom less than there are cells (Sherman and Morrison: the term
in p p' has no part in it).

Cells of which few rows are expected and little noise is added have no normal law: they are counted
as one. Which of many comparisons stand out is decided by Benjamini and Hochberg's rule (J. R.
Statist. Soc. B 57, 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import gammaincc

from dpsynth.base.domain import Clique
from dpsynth.models.base import RoughMeasurement
from dpsynth.models.factor import grouped
from dpsynth.models.span import rounded_variance

_MOST_SKEW = 0.3
"""Of a count with its noise, up to which it is taken for normal."""


@dataclass(frozen=True, eq=False)
class Counts:
    """What one table's noisy counts say of some columns.

    charged: counts of these columns, each with noise of its own. rows: about how many rows the
    table has. alike: how many of them one unit may have. project: what its model expects of groups
    of cells, in rows.
    """

    charged: Sequence[RoughMeasurement]
    rows: float
    alike: int
    project: Callable[[Clique, Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two tables' counts of some columns, as shares of their rows.

    groups: for each column the group of each cell that both have counted together. shares: of each
    combination of groups, in both tables. errors: how far they are apart, in standard errors of the
    difference. chi_square, degrees, chance: of all of them together.
    """

    clique: Clique
    groups: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, np.ndarray]
    errors: np.ndarray
    chi_square: float
    degrees: int
    chance: float


def compared(one: Counts, other: Counts, clique: Clique) -> Comparison | None:
    """The comparison of what both have counted; None where they have no cells in common."""
    pair = _in_common(together(one.charged), together(other.charged))
    if pair is None:
        return None
    tables = (one, other)
    groups, shape = pair[0].groups, pair[0].values.shape
    expected = [each.project(clique, groups).ravel() for each in tables]
    p = np.maximum(sum(expected) / sum(each.rows for each in tables), 0.0)
    p = np.maximum(p / max(p.sum(), 1e-12), 1e-12)
    variances = [_variance(each).ravel() for each in pair]
    shares = [each.values.ravel() / table.rows for each, table in zip(pair, tables, strict=True)]
    sampled = sum(each.alike / each.rows for each in tables)
    noise = sum(variance / table.rows**2 for variance, table in zip(variances, tables, strict=True))
    skewed = np.zeros(p.size, dtype=bool)
    for variance, table in zip(variances, tables, strict=True):
        held = p * table.rows * table.alike
        skewed |= held * table.alike / (held + variance) ** 1.5 > _MOST_SKEW
    apart, spread = shares[0] - shares[1], p * sampled + noise
    cells = np.where(skewed, 0, np.cumsum(~skewed) - 1 + bool(skewed.any()))
    d, v, q = (np.bincount(cells, each) for each in (apart, spread, p))
    along = float(d @ (q / v)) / float(q @ (q / v))
    left = d - along * q
    degrees = d.size - 1
    if degrees < 1:
        return None
    chi_square = float(left @ (left / v))
    errors = ((apart - along * p) / np.sqrt(spread)).reshape(shape)
    both = shares[0].reshape(shape), shares[1].reshape(shape)
    chance = float(gammaincc(degrees / 2, chi_square / 2))
    return Comparison(clique, groups, both, errors, chi_square, degrees, chance)


def standing_out(chances: Sequence[float], rate: float) -> list[bool]:
    """Which comparisons stand out, so that of those that do a part of `rate` is expected to be by
    chance alone.
    """
    order = np.argsort(chances, kind="stable")
    below = np.asarray(chances)[order] <= rate * np.arange(1, len(chances) + 1) / len(chances)
    found = np.zeros(len(chances), dtype=bool)
    if below.any():
        found[order[: int(np.flatnonzero(below)[-1]) + 1]] = True
    return [bool(each) for each in found]


def together(charged: Iterable[RoughMeasurement]) -> list[RoughMeasurement]:
    """Counts of the same groups as one, their mean by inverse variance."""
    found: list[RoughMeasurement] = []
    for m in charged:
        at = next((i for i, each in enumerate(found) if _alike(each, m)), None)
        if at is None:
            found.append(m)
            continue
        known, new = rounded_variance(found[at].stddev), rounded_variance(m.stddev)
        values = (found[at].values * new + m.values * known) / (known + new)
        stddev = (known * new / (known + new)) ** 0.5
        found[at] = replace(found[at], values=values, stddev=stddev)
    return found


def _alike(one: RoughMeasurement, other: RoughMeasurement) -> bool:
    same = all(np.array_equal(x, y) for x, y in zip(one.groups, other.groups, strict=True))
    return one.clique == other.clique and same


@dataclass(frozen=True, eq=False)
class _Summed:
    """Counts of groups, and how many counts each is the sum of."""

    groups: tuple[np.ndarray, ...]
    values: np.ndarray
    number: np.ndarray
    variance: float


def _variance(counts: _Summed) -> np.ndarray:
    return np.asarray(counts.number * counts.variance)


def _in_common(
    ones: Sequence[RoughMeasurement], others: Sequence[RoughMeasurement]
) -> tuple[_Summed, _Summed] | None:
    """Counts of the same groups in both: of a single column the fewest, where a difference shows
    most; of several the most.
    """
    found = [_onto_both(one, other) for one in ones for other in others]
    whole = [each for each in found if min(each[0].values.shape, default=0) > 1]
    if not whole:
        return None
    single = len(ones[0].clique) == 1
    return min(whole, key=lambda each: each[0].values.size * (1 if single else -1))


def _onto_both(one: RoughMeasurement, other: RoughMeasurement) -> tuple[_Summed, _Summed]:
    """Both summed to the finest groups that neither parts."""
    groups = tuple(_joined(x, y) for x, y in zip(one.groups, other.groups, strict=True))
    return _sums(one, groups), _sums(other, groups)


def _joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The finest groups of cells of which both groupings are parts."""
    sizes = int(one.max()) + 1, int(other.max()) + 1
    ties = coo_matrix((np.ones(one.size), (one, sizes[0] + other)), shape=(sum(sizes),) * 2)
    _, labels = connected_components(ties, directed=False)
    return np.unique(labels[one], return_inverse=True)[1].ravel()


def _sums(m: RoughMeasurement, groups: tuple[np.ndarray, ...]) -> _Summed:
    lifted = []
    for own, wide in zip(m.groups, groups, strict=True):
        label = np.zeros(int(own.max()) + 1, dtype=np.intp)
        label[own] = wide
        lifted.append(label)
    values = grouped(np.asarray(m.values), tuple(lifted))
    number = grouped(np.ones(np.shape(m.values)), tuple(lifted))
    return _Summed(groups, values, number, rounded_variance(m.stddev))
