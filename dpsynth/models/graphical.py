"""GraphicalModel: a distribution that factors over a junction tree, exact in everything it is
asked.

It holds potentials, which are few, and the marginals of the tree's nodes ("beliefs"), from which
any projection, any sample and any conditional sample follow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import Codes, ConditionError, Evidence
from dpsynth.models.completing import complete_tree, smoothed, weighted
from dpsynth.models.factor import expand, marginal, quotient
from dpsynth.models.junction_tree import JunctionTree
from dpsynth.models.projection import Projection
from dpsynth.models.sampling import draw_tree, few, sample_tree


@dataclass(frozen=True, eq=False)
class GraphicalModel:
    """A distribution that factors over a junction tree, scaled to `total` rows.

    It is proportional to the exponential of the sum of its potentials. `GraphicalModel.of` builds
    one from potentials.

    Parameters
    ----------
    domain : Domain
        Of the table.
    total : float
        The number of rows.
    potentials : mapping of tuple of str to ndarray
        For some cliques a table of shape `domain.shape(clique)`; each clique lies in a node of the
        tree.
    tree : JunctionTree
        What makes it exact.
    beliefs : tuple of ndarray
        The marginal of each node of the tree, summing to one, axes as in `tree.nodes`.
    iterations : int
        How many steps found the potentials.
    converged : bool
        Whether they were enough; see `engines.estimate_exactly`.
    apart : bool
        Whether `sample` draws each row by itself, so that counts scatter as those of independent
        draws do. It is not part of a saved model.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"a": 2, "b": 2})
    >>> potential = np.log(np.array([[4.0, 1.0], [1.0, 4.0]]))
    >>> model = GraphicalModel.of(domain, 100.0, {("a", "b"): potential})
    >>> model.project(("a", "b"))
    array([[40., 10.],
           [10., 40.]])
    >>> rows = model.sample(50, np.random.default_rng(1), {"a": np.array([1.0, 0.0])})
    >>> np.bincount(rows["b"])
    array([40, 10])
    """

    domain: Domain
    total: float
    potentials: Mapping[Clique, np.ndarray] = field(repr=False)
    tree: JunctionTree = field(repr=False)
    beliefs: tuple[np.ndarray, ...] = field(repr=False)
    iterations: int = 0
    converged: bool = True
    apart: bool = False

    @classmethod
    def of(
        cls,
        domain: Domain,
        total: float,
        potentials: Mapping[Clique, np.ndarray],
        *,
        tree: JunctionTree | None = None,
        iterations: int = 0,
        converged: bool = True,
    ) -> GraphicalModel:
        """The model with these potentials; without a tree, on the smallest one found for them.

        Raises
        ------
        ValueError
            For a total that is not positive and finite, and potentials of another shape or not
            finite.
        """
        if not (math.isfinite(total) and total > 0):
            raise ValueError(f"the total must be positive and finite, got {total}")
        for clique, table in potentials.items():
            if table.shape != domain.shape(clique) or not np.isfinite(table).all():
                raise ValueError(
                    f"the potential of {clique} must be finite and of shape {domain.shape(clique)}"
                )
        tree = tree or JunctionTree.of(domain, potentials)
        _, beliefs = tree.calibrate(potentials)
        return cls(
            domain, float(total), dict(potentials), tree, tuple(beliefs), iterations, converged
        )

    def project(self, clique: Clique) -> np.ndarray:
        """Expected counts, shape domain.shape(clique); exact whether or not a node holds the
        clique.
        """
        return self.project_all([clique])[clique]

    def project_all(self, cliques: Iterable[Clique]) -> dict[Clique, np.ndarray]:
        """`project` of each clique; what they share on the way is computed once.

        All pairs of 15 attributes take 10 ms.
        """
        projection = Projection(self.tree, self.beliefs)
        return {clique: np.asarray(self.total * projection(clique)) for clique in cliques}

    def sample(self, n: int, rng: np.random.Generator, evidence: Evidence | None = None) -> Codes:
        """n rows, each of which follows the model exactly.

        Counts are nearer to expectation than those of independent draws (`models/sampling.py`),
        unless rows are to be drawn `apart`.

        Raises
        ------
        ValueError
            For n below 0.
        ConditionError
            For evidence that the model gives no mass to.
        """
        if n < 0:
            raise ValueError(f"the number of rows to sample must be 0 or more, got {n}")
        draw = draw_tree if self.apart else sample_tree
        return draw(self.tree, self._beliefs_given(evidence), n, rng)

    def sample_few(self, n: int, rng: np.random.Generator, evidence: Evidence | None) -> Codes:
        """n rows as `sample` draws them; where they are few, independent ones."""
        if not few(self.tree, n):
            return self.sample(n, rng, evidence)
        return draw_tree(self.tree, self._beliefs_given(evidence), n, rng)

    def groups(self) -> tuple[Clique, ...]:
        """Attributes that the tree joins, each attribute in one group."""
        found: list[set[str]] = []
        place: list[int] = []
        for node, separator, parent in zip(
            self.tree.nodes, self.tree.separators, self.tree.parents, strict=True
        ):
            place.append(place[parent] if separator else len(found))
            if not separator:
                found.append(set())
            found[place[-1]].update(node)
        return tuple(self.domain.ordered(group) for group in found)

    def among(self, attributes: Clique) -> GraphicalModel:
        """The model of some groups."""
        domain = self.domain.project(attributes)
        kept = [i for i, node in enumerate(self.tree.nodes) if {*node} <= {*attributes}]
        tree = self.tree.part(domain, kept)
        potentials = {c: table for c, table in self.potentials.items() if {*c} <= {*attributes}}
        beliefs = tuple(self.beliefs[i] for i in kept)
        return replace(self, domain=domain, potentials=potentials, tree=tree, beliefs=beliefs)

    def project_given(self, clique: Clique, evidence: Evidence) -> np.ndarray:
        """Expected counts of the rows that agree with the evidence, each as often as its weights
        say; zeros where there is none.
        """
        log_mass, beliefs = self._conditional(evidence)
        if math.isinf(log_mass):
            return np.zeros(self.domain.shape(clique))
        shares = Projection(self.tree, beliefs)(clique)
        return np.asarray(self.total * math.exp(log_mass) * shares)

    def complete(
        self,
        codes: Codes,
        rng: np.random.Generator,
        evidence: Evidence | None = None,
        least: float = 0.0,
    ) -> Codes:
        """For each partial row a whole one, from the distribution of rows that agree with it and
        with the evidence.

        codes: for each attribute its cells, -1 where one is not known. least: a share that each
        cell has in its node at least. See `models/completing.py`.
        """
        tables = self._tables()
        if least:
            places = map(len, self.tree.separators)
            tables = [smoothed(t, k, least) for t, k in zip(tables, places, strict=True)]
        checked = {a: _checked(self.domain, a, given) for a, given in (evidence or {}).items()}
        return complete_tree(self.tree, weighted(tables, self.tree, checked), codes, rng)

    def _tables(self) -> list[np.ndarray]:
        """For each node the distribution of its cells given those of its separator."""
        return [
            quotient(belief, expand(marginal(belief, node, separator), separator, node))
            for node, separator, belief in zip(
                self.tree.nodes, self.tree.separators, self.beliefs, strict=True
            )
        ]

    def _beliefs_given(self, evidence: Evidence | None) -> list[np.ndarray]:
        """The node marginals given the evidence; ConditionError where it has no mass."""
        if not evidence:
            return list(self.beliefs)
        log_mass, beliefs = self._conditional(evidence)
        if math.isinf(log_mass):
            raise ConditionError.no_row(evidence)
        return beliefs

    def _conditional(self, evidence: Evidence) -> tuple[float, list[np.ndarray]]:
        """The logarithm of the evidence's share, and the beliefs given it.

        The same conditionals of node given separator, weighted, are propagated again.
        """
        checked = {a: _checked(self.domain, a, given) for a, given in evidence.items()}
        return self.tree.propagate(weighted(self._tables(), self.tree, checked))

    def to_arrays(self) -> dict[str, Any]:
        """All that makes the model: plain numbers, strings, lists, and arrays `potential:<i>`."""
        return {
            "sizes": [[name, size] for name, size in self.domain.sizes],
            "widths": [[name, list(widths)] for name, widths in self.domain.widths],
            "total": self.total,
            "nodes": [list(node) for node in self.tree.nodes],
            "cliques": [list(clique) for clique in self.potentials],
            "iterations": self.iterations,
            "converged": self.converged,
            **{f"potential:{i}": table for i, table in enumerate(self.potentials.values())},
        }

    @classmethod
    def from_arrays(cls, saved: Mapping[str, Any]) -> GraphicalModel:
        """The model of which `saved` is `to_arrays()`."""
        domain = Domain(
            tuple((str(name), int(size)) for name, size in saved["sizes"]),
            tuple((str(name), tuple(float(w) for w in widths)) for name, widths in saved["widths"]),
        )
        cliques = [tuple(map(str, clique)) for clique in saved["cliques"]]
        potentials = {
            clique: np.asarray(saved[f"potential:{i}"], dtype=float).reshape(domain.shape(clique))
            for i, clique in enumerate(cliques)
        }
        tree = JunctionTree.of(domain, [tuple(map(str, node)) for node in saved["nodes"]])
        return cls.of(
            domain,
            float(saved["total"]),
            potentials,
            tree=tree,
            iterations=int(saved["iterations"]),
            converged=bool(saved["converged"]),
        )


def _checked(domain: Domain, attribute: str, weights: np.ndarray) -> np.ndarray:
    if attribute not in domain.attributes:
        raise ValueError(f"evidence must be on attributes of the domain, got {attribute!r}")
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (domain.size(attribute),) or not np.all(
        (weights >= 0) & np.isfinite(weights)
    ):
        raise ValueError(
            f"evidence on {attribute!r} must be one weight of 0 or more for each of its"
            f" {domain.size(attribute)} cells"
        )
    return weights
