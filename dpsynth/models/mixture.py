"""MixtureModel: an even mixture of product distributions, for more pairs than a junction tree can
hold.

    p(x) = 1/K sum_k prod_a P_ka(x_a)

Every projection is a matrix product over the K components, whatever the graph of measured cliques
looks like. The fit minimises the same function as `inference`, in its primal form, over the
mixtures there are:

    1/2 sum_S sum (N p_S - y_S)^2 / ridge_S  -  N/K sum_ka entropy(P_ka).

The second term is N times the entropy of a row given its component, which bounds the entropy of p
from below, and by at most log K. So the fit is near the model of greatest entropy, if K suffices;
where noise leaves little to see it is shrunk a little more. (At the optimum log P_ka = const +
sum_b theta_ab P_kb with theta = (y - N p) / ridge: each component is a mean-field solution of the
graphical model, and they share its rows, as in Jaakkola and Jordan 1998.) Without the entropy, or
with the noise's variance for the ridge, one fits noise: on Adult with all pairs at epsilon 1 errors
on triples were a fifth larger, and grew with the steps.

What it is bad at: tables near to functions (a code and its group), of which each component holds
one value. More components help there, slowly, and nowhere did they hurt.

**Stopping.** Noise alone costs about 1/2 sum s^2 / (N p + ridge) in the first term. The fit stops
when it has gained less than a TOLERANCE of that in the last WINDOW steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import groupby
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import Codes, ConditionError, Evidence, LinearMeasurement
from dpsynth.models.factor import quotient
from dpsynth.models.graphical import _checked
from dpsynth.models.inference import _ridge
from dpsynth.models.junction_tree import JunctionTree
from dpsynth.models.optimise import Point, minimise
from dpsynth.models.pooling import Pooled, pool
from dpsynth.models.projection import MAX_CELLS
from dpsynth.models.sampling import sample_tree

COMPONENTS = 1000
TOLERANCE = 0.05
WINDOW = 25
MAX_STEPS = 1000
_SMALL = 0.01  # a share whose logarithm still counts as much as a larger one, times the cells
_MIN_NOISE = 1e-3
_SEED = 0


@dataclass(frozen=True, eq=False)
class MixtureModel:
    """An even mixture of products, scaled to `total` rows.

    Parameters
    ----------
    domain : Domain
        Of the table.
    total : float
        The number of rows.
    shares : mapping of str to ndarray
        For each attribute the distributions of its cells in the components, shape (K, size),
        positive.
    iterations : int
        How many steps found them.
    converged : bool
        Whether they were enough; see `estimate`.

    Raises
    ------
    ValueError
        For a total that is not positive and finite, and shares of another shape or that sum to
        another number than one.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> shares = {"a": np.array([[0.75, 0.25], [0.25, 0.75]])}
    >>> model = MixtureModel(Domain.of({"a": 2}), 8.0, shares)
    >>> model.components, model.project(("a",))
    (2, array([4., 4.]))
    """

    domain: Domain
    total: float
    shares: Mapping[str, np.ndarray] = field(repr=False)
    iterations: int = 0
    converged: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.total) and self.total > 0):
            raise ValueError(f"the total must be positive and finite, got {self.total}")
        for attribute in self.domain.attributes:
            table = self.shares[attribute]
            if table.shape != (self.components, self.domain.size(attribute)) or not np.all(
                table > 0
            ):
                raise ValueError(
                    f"the shares of {attribute!r} must be positive, one row for each component"
                )
            if not np.allclose(table.sum(axis=1), 1):
                raise ValueError(f"the shares of {attribute!r} must sum to one in each component")

    @property
    def components(self) -> int:
        return len(next(iter(self.shares.values()))) if self.shares else 1

    def project(self, clique: Clique) -> np.ndarray:
        """Expected counts, shape domain.shape(clique)."""
        if not clique:
            return np.asarray(self.total)
        *most, last = clique
        if (
            self.components * self.domain.cells(tuple(most)) > MAX_CELLS
            or self.domain.cells(clique) > MAX_CELLS
        ):
            raise ValueError(
                "the projection would pass through too large a table: ask for fewer attributes, or"
                " sample"
            )
        left = _products([self.shares[a].T for a in most], self.components)
        counts = (self.total / self.components) * (left @ self.shares[last])
        return counts.reshape(self.domain.shape(clique))

    def project_all(self, cliques: Iterable[Clique]) -> dict[Clique, np.ndarray]:
        """`project` of each."""
        return {clique: self.project(clique) for clique in cliques}

    def sample(self, n: int, rng: np.random.Generator, evidence: Evidence | None = None) -> Codes:
        """n rows; each follows the model exactly, and counts are nearer to expectation than
        independent draws.

        The component is the root of a tree, sampled like any attribute, only that it is not handed
        out.
        """
        if n < 0:
            raise ValueError(f"the number of rows to sample must be 0 or more, got {n}")
        shares = dict(self.shares)
        logs = np.zeros((self.components, 1))
        for attribute, given in (evidence or {}).items():
            left = _checked(self.domain, attribute, given) * shares[attribute]
            mass = left.sum(axis=1, keepdims=True)
            shares[attribute] = quotient(left, mass)
            logs += np.log(mass, out=np.full(mass.shape, -np.inf), where=mass > 0)
        if np.isneginf(logs).all():
            raise ConditionError.no_row(evidence or {})
        weights = np.exp(logs - logs.max())
        component = max((*self.domain.attributes, ""), key=len) + "'s component"
        domain = Domain(((component, self.components), *self.domain.sizes))
        tree = JunctionTree.of(domain, [(component, a) for a in self.domain.attributes])
        beliefs = [weights * shares[node[1]] for node in tree.nodes]
        codes = sample_tree(tree, beliefs, n, rng)
        return {a: codes[a] for a in self.domain.attributes}

    def to_arrays(self) -> dict[str, Any]:
        """Everything that makes the model: plain numbers, strings and lists, and arrays named
        `shares:<i>`.
        """
        return {
            "sizes": [[name, size] for name, size in self.domain.sizes],
            "widths": [[name, list(widths)] for name, widths in self.domain.widths],
            "total": self.total,
            "iterations": self.iterations,
            "converged": self.converged,
            **{f"shares:{i}": self.shares[a] for i, a in enumerate(self.domain.attributes)},
        }

    @classmethod
    def from_arrays(cls, saved: Mapping[str, Any]) -> MixtureModel:
        """The model of which `saved` is `to_arrays()`."""
        domain = Domain(
            tuple((str(name), int(size)) for name, size in saved["sizes"]),
            tuple((str(name), tuple(float(w) for w in widths)) for name, widths in saved["widths"]),
        )
        shares = {
            a: np.asarray(saved[f"shares:{i}"], dtype=float)
            for i, a in enumerate(domain.attributes)
        }
        return cls(
            domain,
            float(saved["total"]),
            shares,
            int(saved["iterations"]),
            bool(saved["converged"]),
        )


def estimate(
    domain: Domain,
    measurements: Iterable[LinearMeasurement],
    *,
    total: float | None = None,
    components: int = COMPONENTS,
) -> MixtureModel:
    """The mixture of so many components that fits the measurements; the same for the same
    measurements.

    total: the number of rows; None takes the pooled estimate, at least 1.
    """
    pooled = pool(domain, measurements, total=total)
    objective = _Objective(domain, pooled, components)
    gains: list[float] = []

    def finished(point: Point) -> bool:
        gains.append(point.value)
        return (
            len(gains) > WINDOW and gains[-WINDOW - 1] - point.value < TOLERANCE * objective.noise
        )

    start = objective.start(np.random.default_rng(_SEED))
    point, steps, converged = minimise(objective, start, finished, MAX_STEPS)
    return MixtureModel(
        domain, float(pooled[()].values), objective.shares(point.x), steps, converged
    )


class _Objective:
    """The function above, times K / N, of the logarithms of the P_ka; tables are of shape (cells,
    K).

    Cliques that share all attributes but the last make one term: a matrix product of their shares
    with those of the last attributes. Products are of single precision, which is finer than any
    noise.
    """

    def __init__(self, domain: Domain, pooled: Mapping[Clique, Pooled], components: int) -> None:
        self.components = components
        self._domain = domain
        ends = np.cumsum([0, *(size for _, size in domain.sizes)])
        self._rows = {a: slice(*ends[i : i + 2]) for i, a in enumerate(domain.attributes)}
        self._sizes = np.array([size for _, size in domain.sizes], dtype=int)
        self._starts = ends[:-1]
        self._least = (_SMALL / np.repeat(self._sizes, self._sizes)).astype(np.float32)[:, None]
        cliques = sorted(
            (c for c in pooled if c), key=lambda c: [domain.attributes.index(a) for a in c[:-1]]
        )
        self._terms = [
            self._term(most, [(*most, c[-1]) for c in group], pooled)
            for most, group in groupby(cliques, key=lambda c: c[:-1])
        ]
        self._alone = np.concatenate([_oneway(domain, a, pooled) for a in domain.attributes])
        self.noise = components * max(
            _MIN_NOISE, sum(_noise(domain, clique, pooled) for clique in cliques)
        )

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """Independent attributes, differently disturbed in each component."""
        logs = np.log(self._alone)[:, None] + rng.standard_normal(
            (self._alone.size, self.components)
        )
        return logs.ravel().astype(np.float32)

    def shares(self, x: np.ndarray) -> dict[str, np.ndarray]:
        logs = self._normalised(x.reshape(-1, self.components).astype(float))
        least = np.finfo(float).tiny
        return {a: np.maximum(np.exp(logs[rows]), least).T for a, rows in self._rows.items()}

    def __call__(self, x: np.ndarray) -> Point:
        logs = self._normalised(x.reshape(-1, self.components))
        shares = np.exp(logs)
        slope = logs.copy()
        value = float(np.vdot(shares, logs))
        for most, rows, target, weight in self._terms:
            left = _products([shares[self._rows[a]] for a in most], self.components)
            right = shares[rows]
            gap = left @ right.T
            gap /= np.float32(self.components)
            gap -= target
            pull = weight * gap
            value += 0.5 * self.components * float(np.vdot(pull, gap))
            slope[rows] += pull.T @ left
            self._add_to_most(slope, most, shares, pull @ right)
        slope -= np.repeat(np.add.reduceat(slope * shares, self._starts), self._sizes, axis=0)
        gradient = (shares * slope).ravel()
        curvature = shares + self._least
        return Point(x, value, gradient, curvature.ravel())

    def _normalised(self, logs: np.ndarray) -> np.ndarray:
        """The same up to a constant for each attribute and component, so that exponentials sum to
        one.
        """
        logs = logs - np.repeat(np.maximum.reduceat(logs, self._starts), self._sizes, axis=0)
        mass = np.add.reduceat(np.exp(logs), self._starts)
        normalised: np.ndarray = logs - np.repeat(np.log(mass), self._sizes, axis=0)
        return normalised

    def _term(
        self, most: Clique, cliques: list[Clique], pooled: Mapping[Clique, Pooled]
    ) -> tuple[Clique, np.ndarray, np.ndarray, np.ndarray]:
        """The shared attributes, the rows of the last ones, their measured shares and weights,
        shape (cells, rows).
        """
        total = float(pooled[()].values)
        cells = self._domain.cells(most)
        rows = np.concatenate(
            [np.arange(self._rows[c[-1]].start, self._rows[c[-1]].stop) for c in cliques]
        )
        targets = [pooled[c].values.reshape(cells, -1) / total for c in cliques]
        weights = [total / _ridge(self._domain, c, pooled).reshape(cells, -1) for c in cliques]
        target, weight = (
            np.concatenate(tables, axis=1).astype(np.float32) for tables in (targets, weights)
        )
        return most, rows, target, weight

    def _add_to_most(
        self, slope: np.ndarray, most: Clique, shares: np.ndarray, table: np.ndarray
    ) -> None:
        """Adds to the slopes of the attributes in `most` that of their products."""
        table = table.reshape(*self._domain.shape(most), self.components)
        for axis, attribute in enumerate(most):
            others = [shares[self._rows[a]] for a in most if a != attribute]
            moved = np.moveaxis(table, axis, 0).reshape(
                self._domain.size(attribute), -1, self.components
            )
            slope[self._rows[attribute]] += np.einsum(
                "sok,ok->sk", moved, _products(others, self.components)
            )


def _products(tables: list[np.ndarray], components: int) -> np.ndarray:
    """The products of one row of each table, in the order of a table over all of them; shape
    (cells, K).
    """
    if not tables:
        return np.ones((1, components), np.float32)
    return reduce(lambda left, right: (left[:, None, :] * right).reshape(-1, components), tables)


def _oneway(domain: Domain, attribute: str, pooled: Mapping[Clique, Pooled]) -> np.ndarray:
    """The measured shares of an attribute's cells, none below half its noise or half a row; even if
    not measured.
    """
    if (attribute,) not in pooled:
        return np.full(domain.size(attribute), 1 / domain.size(attribute))
    table = pooled[(attribute,)]
    counts = np.maximum(table.values, 0.5 * np.maximum(1, np.sqrt(table.variance)))
    return counts / counts.sum()


def _noise(domain: Domain, clique: Clique, pooled: Mapping[Clique, Pooled]) -> float:
    """What noise alone costs of the objective, in rows, divided by their number."""
    table = pooled[clique]
    counts = np.maximum(table.values, np.sqrt(table.variance))
    cost = np.minimum(table.variance, np.median(table.variance)) / (
        counts + _ridge(domain, clique, pooled)
    )
    return 0.5 * float(cost.sum()) / float(pooled[()].values)
