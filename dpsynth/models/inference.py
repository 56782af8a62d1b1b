"""From noisy marginals to a distribution: pool them, say how far each cell may be trusted, fit.

The model is p(x) proportional to exp(sum of theta_S), one table of potentials theta_S for each
measured set of attributes, and N = its total. With pooled counts y_S the fit minimises

    F(theta) = N log Z(theta) - sum <theta_S, y_S> + 1/2 sum <ridge_S, (theta_S - centre_S)^2>,

which is convex; its gradient is N mu_S - y_S + ridge_S (theta_S - centre_S). Where all centres are
0 it is the dual of

    minimise over all p:  1/2 sum (N p_S - y_S)^2 / ridge_S - N entropy(p):

weighted least squares, among whose solutions entropy chooses. What the ridge is matters more than
anything else here.

**Ridge.** Let a cell hold m rows, measured with variance s^2, and let its potential have variance
t^2 a priori. To first order m = E exp(theta), so the posterior mode solves (m - y) m / s^2 + theta
/ t^2 = 0: it is F's with ridge = s^2 / (t^2 m). Large cells are believed, and small ones are drawn
to what the margins say. `t` is estimated for each table, and for each level in it, from how much
pooled counts scatter about independence beyond their noise (empirical Bayes), and m by the linear
estimate that follows from it. A uniform ridge lambda s^2, the usual choice, must balance the two.

**Centre.** Pairs are drawn to what their columns say, a potential of 0, and cells of a column to an
even share. But the cell of missing values is often a hundred times rarer than the others: drawn to
an even share, 20 rows known to 38 came back as 170. So a column's cells have centres such that none
is drawn further than _MOST_DRAWN of its noise (limited translation: Efron and Morris, JASA 66),
and a rare cell comes back as it was counted.

**Weak.** Draws of what the rows may be (`redrawing`) need an estimate without bias rather than one
near to the rows: their ridge has one large t^2, WEAK_SPREAD, and no centre. A cell of m rows is
then drawn by s / (WEAK_SPREAD m) of its noise for each unit of its potential, which is little
wherever the cell stands out.

**Stopping.** At the optimum the noise alone costs about 1/2 sum s^2 / h in F, h being the curvature
N mu + ridge; a gradient g leaves about 1/2 sum g^2 / h to gain. The optimiser stops when the second
is below TOLERANCE^2 times the first, on average over the tables by their cells (table by table, so
that one of great noise does not excuse the others; for the same reason a cell's s^2 counts up to
the median of its table). What is left is then small beside what the noise has done: theta is the
exact optimum for counts y + g, whose disturbance g is a TOLERANCE of the noise.

**Progress.** What is left to gain falls about as the square of the time: the share of the time that
has passed is told as the root of what may be left over what is. On 26 fits of 0.2 to 13 s, of six
tables, the time left that follows was between half and 1.2 times the true one half of the time, and
between a seventh and 2.3 times nine times in ten.

The constants below were chosen by experiment on a few public tables. From a tolerance of 0.06 to
0.1 and 0.15 three-way errors grew by about a percent each, and the time fell to about a half and a
third.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce

import numpy as np

from dpsynth.base import progress
from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import LinearMeasurement, RoughMeasurement
from dpsynth.models.elimination import Elimination
from dpsynth.models.factor import grouped, spread_out
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.junction_tree import JunctionTree
from dpsynth.models.optimise import Point, minimise
from dpsynth.models.pooling import Pooled, pool

Marginals = Callable[[Sequence[np.ndarray]], tuple[float, list[np.ndarray]]]
"""Potentials in; the log-partition function and the marginals out, each summing to one."""

Engine = Callable[[Domain, Sequence[Clique], JunctionTree], Marginals]
"""Prepares the marginals of these cliques; the tree holds them all."""

TOLERANCE = 0.08
"""Of the noise: what is left to gain when the fit stops. The head of this file has its price."""

MAX_STEPS = 2000
"""A guard: it ends a fit that rounding keeps from its tolerance."""

_MIN_SPREAD = 1 / 16
_MAX_SPREAD = 2.0
"""Bounds of t^2, the estimated prior variance of a potential: few cells estimate it badly."""

_LEVEL_CELLS = 2.0
"""Cells of the whole table that an estimate of t^2 for one level is averaged with."""

WEAK_SPREAD = 16.0
"""t^2 where nothing is known beforehand: a potential of 4 is nothing special."""

_WEAK_TOLERANCE = 0.15
"""In place of TOLERANCE there: it adds two hundredths to the variance of a draw."""

_SMALL_CELL = 0.3
"""The rows that the ridge adds to each cell, in standard deviations of its noise."""

_MOST_DRAWN = 0.75
"""Standard deviations of its noise by which a cell of a single column is drawn to an even share at
most.
"""

_FLOOR = 0.01
"""The least ridge, in the same unit: keeps the curvatures of large and small cells comparable."""


def estimate(
    domain: Domain,
    measurements: Iterable[LinearMeasurement],
    *,
    total: float | None = None,
    structure: JunctionTree | None = None,
    warm: GraphicalModel | None = None,
    engine: Engine | None = None,
    rough: Sequence[RoughMeasurement] = (),
    weak: bool = False,
) -> GraphicalModel:
    """The distribution that fits the measurements.

    total: the number of rows; None takes the pooled estimate, at least 1. structure: a tree that
    holds every measured clique; None builds the smallest one found. warm: a model whose potentials
    are a good start. engine: what computes marginals from potentials, None for elimination; the
    model does not depend on it. rough: measurements of groups of cells, see `pool`. weak: whether
    potentials are drawn to nothing, or hardly; see the head of this file.
    """
    pooled = pool(domain, measurements, total=total, rough=rough)
    cliques = [clique for clique in pooled if clique]
    tree = structure or JunctionTree.of(domain, cliques)
    outside = [clique for clique in cliques if tree.host(clique) is None]
    if outside:
        raise ValueError(f"the structure must hold every measured clique, it lacks {outside[-1]}")
    marginals = (
        engine(domain, cliques, tree) if engine else Elimination(domain, cliques, tree.order)
    )
    start = warm.potentials if warm else {}
    potentials, steps, converged = fit(domain, pooled, marginals, start=start, weak=weak)
    rows = float(pooled[()].values)
    return GraphicalModel.of(
        domain, rows, potentials, tree=tree, iterations=steps, converged=converged
    )


def fit(
    domain: Domain,
    pooled: Mapping[Clique, Pooled],
    marginals: Marginals,
    *,
    start: Mapping[Clique, np.ndarray],
    weak: bool = False,
) -> tuple[dict[Clique, np.ndarray], int, bool]:
    """Potentials for each pooled clique but the total, in that order; the optimiser's steps;
    whether it converged.

    Cells of which groups were measured have the potential of their group.
    """
    rows = float(pooled[()].values)
    cliques = [clique for clique in pooled if clique]
    groups = [pooled[clique].groups for clique in cliques]
    shapes = [pooled[clique].values.shape for clique in cliques]
    values = _flat(pooled[clique].values for clique in cliques)
    variance = _flat(pooled[clique].variance for clique in cliques)
    if weak:
        ridge, tolerance = _flat(_weak_ridge(pooled[c]) for c in cliques), _WEAK_TOLERANCE
        centre = np.zeros_like(ridge)
    else:
        ridge, tolerance = _flat(_ridge(domain, c, pooled) for c in cliques), TOLERANCE
        centre = _flat(_centre(domain, c, pooled) for c in cliques)
    least = np.maximum(values, np.sqrt(variance))
    typical = _flat(
        np.minimum(table.variance, np.median(table.variance))
        for table in map(pooled.__getitem__, cliques)
    )
    cells = np.array([math.prod(shape) for shape in shapes], dtype=int)
    starts = np.cumsum(cells) - cells
    nearest = [math.inf]

    def objective(theta: np.ndarray) -> Point:
        log_mass, shares = marginals(list(map(spread_out, _unflat(theta, shapes), groups)))
        if not math.isfinite(log_mass):
            return Point(theta, math.inf, theta, theta)
        counts = rows * _flat(map(grouped, shares, groups))
        away = theta - centre
        pull = ridge * away
        value = rows * log_mass - float(theta @ values) + 0.5 * float(pull @ away)
        return Point(theta, value, counts - values + pull, np.maximum(counts, least) + ridge)

    def finished(point: Point) -> bool:
        left = np.add.reduceat(point.gradient**2 / point.curvature, starts)
        noise = np.add.reduceat(typical / point.curvature, starts)
        gap, enough = float(np.sum(left / noise * cells)), float(tolerance**2 * np.sum(cells))
        nearest[0] = min(nearest[0], gap)
        progress.share(math.sqrt(enough / nearest[0]) if nearest[0] > enough else 1.0)
        return gap <= enough

    theta = _flat(
        np.zeros(shape) if clique not in start or table.groups else start[clique]
        for clique, table, shape in zip(
            cliques, map(pooled.__getitem__, cliques), shapes, strict=True
        )
    )
    if not math.isfinite(objective(theta).value):
        theta = np.zeros_like(theta)
    point, steps, converged = minimise(objective, theta, finished, MAX_STEPS)
    found = map(spread_out, _unflat(point.x, shapes), groups)
    return dict(zip(cliques, found, strict=True)), steps, converged


def _ridge(domain: Domain, clique: Clique, pooled: Mapping[Clique, Pooled]) -> np.ndarray:
    """How much a potential of one costs in rows, cell by cell; see the head of this file."""
    variance = pooled[clique].variance
    spread, rows = _believed(domain, clique, pooled)
    noise = np.sqrt(variance)
    ridge: np.ndarray = variance / (spread * (rows + _SMALL_CELL * noise)) + _FLOOR * noise
    return ridge


def _weak_ridge(table: Pooled) -> np.ndarray:
    """The same where nothing is known beforehand."""
    noise = np.sqrt(table.variance)
    rows = np.maximum(table.values, 0) + _SMALL_CELL * noise
    return np.asarray(table.variance / (WEAK_SPREAD * rows) + _FLOOR * noise)


def _centre(domain: Domain, clique: Clique, pooled: Mapping[Clique, Pooled]) -> np.ndarray:
    """The potential that each cell is drawn to; see the head of this file."""
    if len(clique) > 1:
        return np.zeros(pooled[clique].values.shape)
    expected = _independent(domain, clique, pooled)
    noise = np.sqrt(pooled[clique].variance)
    least = np.minimum(expected, _SMALL_CELL * noise)
    own = np.log(np.maximum(pooled[clique].values, least) / expected)
    reach = _MOST_DRAWN * noise / _ridge(domain, clique, pooled)
    return np.asarray(own - np.clip(own, -reach, reach))


def _believed(
    domain: Domain, clique: Clique, pooled: Mapping[Clique, Pooled]
) -> tuple[np.ndarray, np.ndarray]:
    """For each cell t^2, and the rows that it likely has."""
    values = pooled[clique].values
    variance = pooled[clique].variance
    expected = _independent(domain, clique, pooled)
    weight = (expected / (variance + expected**2)) ** 2
    informed = weight * expected**2
    excess = weight * ((values - expected) ** 2 - variance)
    spread = _spread(excess, informed)
    signal = spread * expected**2
    return spread, np.maximum(expected + signal / (signal + variance) * (values - expected), 0)


def _spread(excess: np.ndarray, informed: np.ndarray) -> np.ndarray:
    """t^2 of each cell: of the table, and how far each level of each attribute departs from it.

    In a rare level everything may depend on the level while the rest of the table shows nothing.
    A level's own estimate counts by how many of its cells stand out of their noise, beside
    _LEVEL_CELLS cells that follow the table.
    """
    whole = float(excess.sum() / informed.sum())
    spread = np.full(excess.shape, whole)
    if excess.ndim > 1:
        for axis in range(excess.ndim):
            others = tuple(i for i in range(excess.ndim) if i != axis)
            found = excess.sum(axis=others, keepdims=True) + _LEVEL_CELLS * whole
            spread = (
                spread + found / (informed.sum(axis=others, keepdims=True) + _LEVEL_CELLS) - whole
            )
    return np.clip(spread, _MIN_SPREAD, _MAX_SPREAD)


def _independent(domain: Domain, clique: Clique, pooled: Mapping[Clique, Pooled]) -> np.ndarray:
    """Counts if the attributes were independent; for a single attribute, if its cells were
    alike.
    """
    rows = float(pooled[()].values)
    if len(clique) == 1:
        return np.full(domain.shape(clique), rows / domain.cells(clique))
    counts = [np.maximum(pooled[(attribute,)].values, 0.5) for attribute in clique]
    product: np.ndarray = reduce(np.multiply.outer, [count / count.sum() for count in counts])
    return grouped(rows * product, pooled[clique].groups)


def _flat(tables: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(table.ravel() for table in tables)])


def _unflat(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [
        part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=False)
    ]
