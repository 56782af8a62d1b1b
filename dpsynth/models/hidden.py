"""HiddenModel: a graphical model with one attribute that is not shown.

With every column joined to the hidden attribute alone it is a mixture of products: given the
component, columns are independent. So a network that turns random numbers into distributions of
columns becomes, for a fixed set of random numbers, a model like all others: exact marginals, exact
conditioning, samples that keep their totals, and a file of plain arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import Codes, Evidence
from dpsynth.models.graphical import GraphicalModel

_LEAST = 1e-12
"""Smaller probabilities are raised to this, so that logarithms are finite."""


@dataclass(frozen=True, eq=False)
class HiddenModel:
    """A graphical model with one attribute that is not shown.

    Parameters
    ----------
    whole : GraphicalModel
        The model with the hidden attribute.
    hidden : str
        Its name.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"a": 2, "b": 2})
    >>> columns = {"a": np.array([[0.9, 0.1], [0.1, 0.9]]), "b": np.array([[0.9, 0.1], [0.1, 0.9]])}
    >>> model = HiddenModel.mixture(domain, 100.0, columns)
    >>> model.project(("a", "b")).round(2)
    array([[41.,  9.],
           [ 9., 41.]])
    """

    whole: GraphicalModel
    hidden: str

    @classmethod
    def mixture(
        cls, domain: Domain, total: float, columns: Mapping[str, np.ndarray]
    ) -> HiddenModel:
        """Components of equal weight, in each of which columns are independent.

        columns[a]: shape (components, cells of a), the distribution of a in each component.
        """
        hidden = "component"
        while hidden in domain.attributes:
            hidden += "'"
        number = len(columns[domain.attributes[0]])
        whole = Domain((*domain.sizes, (hidden, number)), domain.widths)
        potentials: dict[Clique, np.ndarray] = {
            (hidden, a): np.log(np.maximum(np.asarray(p, np.float64), _LEAST))
            for a, p in columns.items()
        }
        for table in potentials.values():
            table -= np.log(np.exp(table).sum(axis=1, keepdims=True))
        return cls(GraphicalModel.of(whole, total, potentials), hidden)

    @property
    def domain(self) -> Domain:
        return self.whole.domain.project(
            a for a in self.whole.domain.attributes if a != self.hidden
        )

    @property
    def total(self) -> float:
        return self.whole.total

    def project(self, clique: Clique) -> np.ndarray:
        """Expected counts, shape domain.shape(clique)."""
        return self.whole.project(clique)

    def project_all(self, cliques: Iterable[Clique]) -> dict[Clique, np.ndarray]:
        """`project` of each."""
        return self.whole.project_all(cliques)

    def sample(self, n: int, rng: np.random.Generator, evidence: Evidence | None = None) -> Codes:
        """n rows; a component for each, then its columns, all with low variance."""
        codes = self.whole.sample(n, rng, evidence)
        del codes[self.hidden]
        return codes

    def project_given(self, clique: Clique, evidence: Evidence) -> np.ndarray:
        """Expected counts of the rows that agree with the evidence, as in `GraphicalModel`."""
        return self.whole.project_given(clique, evidence)

    def complete(
        self,
        codes: Codes,
        rng: np.random.Generator,
        evidence: Evidence | None = None,
        least: float = 0.0,
    ) -> Codes:
        """For each partial row a whole one, as `GraphicalModel` has them."""
        rows = len(codes[self.domain.attributes[0]])
        found = self.whole.complete({**codes, self.hidden: np.full(rows, -1)}, rng, evidence, least)
        del found[self.hidden]
        return found

    def to_arrays(self) -> dict[str, Any]:
        """Everything that makes the model: plain numbers, strings and lists, and arrays."""
        return {**self.whole.to_arrays(), "hidden": self.hidden}

    @classmethod
    def from_arrays(cls, saved: Mapping[str, Any]) -> HiddenModel:
        """The model of which `saved` is `to_arrays()`; ValueError without its hidden attribute."""
        whole = GraphicalModel.from_arrays({k: v for k, v in saved.items() if k != "hidden"})
        if saved["hidden"] not in whole.domain.attributes or len(whole.domain.attributes) < 2:
            raise ValueError(
                f"the model has no attribute {saved['hidden']!r} to hide beside others"
            )
        return cls(whole, str(saved["hidden"]))
