"""JointModel: what GraphicalModel is, by brute force over every cell of the domain: slow, obvious,
the test oracle.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import Codes, ConditionError, Evidence, LinearMeasurement
from dpsynth.models.inference import fit
from dpsynth.models.pooling import pool


@dataclass(frozen=True, eq=False)
class JointModel:
    """What GraphicalModel is, by brute force over every cell of the domain: the tests' oracle.

    Parameters
    ----------
    domain : Domain
        Small: its cells are all written down.
    total : float
        The number of rows.
    table : ndarray
        The share of each cell, shape `domain.shape(domain.attributes)`.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> model = JointModel.of(Domain.of({"a": 2}), 8.0, {("a",): np.log(np.array([3.0, 1.0]))})
    >>> model.project(("a",)).round(6)
    array([6., 2.])
    """

    domain: Domain
    total: float
    table: np.ndarray

    @classmethod
    def of(
        cls, domain: Domain, total: float, potentials: Mapping[Clique, np.ndarray]
    ) -> JointModel:
        """The distribution proportional to exp(sum of potentials)."""
        return cls(domain, total, _table(domain, potentials)[1])

    @classmethod
    def estimate(
        cls,
        domain: Domain,
        measurements: Iterable[LinearMeasurement],
        *,
        total: float | None = None,
    ) -> JointModel:
        """`inference.estimate`, the marginals summed from the whole table."""
        pooled = pool(domain, measurements, total=total)
        cliques = [clique for clique in pooled if clique]

        def marginals(potentials: Sequence[np.ndarray]) -> tuple[float, list[np.ndarray]]:
            log_mass, table = _table(domain, dict(zip(cliques, potentials, strict=True)))
            return log_mass, [_onto(domain, table, clique) for clique in cliques]

        potentials, _, _ = fit(domain, pooled, marginals, start={})
        return cls.of(domain, float(pooled[()].values), potentials)

    def project(self, clique: Clique) -> np.ndarray:
        """Expected counts, shape domain.shape(clique)."""
        return self.total * _onto(self.domain, self.table, clique)

    def sample(self, n: int, rng: np.random.Generator, evidence: Evidence | None = None) -> Codes:
        """n independent rows."""
        table = self._weighted(evidence or {})
        if evidence and not table.any():
            raise ConditionError.no_row(evidence)
        cells = rng.choice(table.size, n, p=table.ravel() / table.sum())
        return dict(zip(self.domain.attributes, np.unravel_index(cells, table.shape), strict=True))

    def project_given(self, clique: Clique, evidence: Evidence) -> np.ndarray:
        """Expected counts of the rows that agree with the evidence, by their weights."""
        return self.total * _onto(self.domain, self._weighted(evidence), clique)

    def _weighted(self, evidence: Evidence) -> np.ndarray:
        table = self.table
        for attribute, weights in evidence.items():
            table = table * np.expand_dims(weights, _others(self.domain, attribute))
        return table


def _table(domain: Domain, potentials: Mapping[Clique, np.ndarray]) -> tuple[float, np.ndarray]:
    """The log-partition function and the share of each cell."""
    logs = np.zeros(domain.shape(domain.attributes))
    for clique, potential in potentials.items():
        ordered = np.transpose(potential, [clique.index(a) for a in domain.ordered(clique)])
        missing = [axis for axis, a in enumerate(domain.attributes) if a not in clique]
        logs += np.expand_dims(ordered, tuple(missing))
    table = np.exp(logs - logs.max())
    return float(logs.max()) + math.log(table.sum()), table / table.sum()


def _onto(domain: Domain, table: np.ndarray, clique: Clique) -> np.ndarray:
    axes = range(len(domain.attributes))
    out: np.ndarray = np.einsum(table, [*axes], [domain.attributes.index(a) for a in clique])
    return out


def _others(domain: Domain, attribute: str) -> tuple[int, ...]:
    return tuple(axis for axis, a in enumerate(domain.attributes) if a != attribute)
