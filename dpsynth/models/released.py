"""ReleasedRows: a table of synthetic rows as a model, for a generator that gives rows and no
distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.door.counting import MemoryBackend, count
from dpsynth.models.base import Codes, ConditionError, Evidence, code_dtype


@dataclass(frozen=True, eq=False)
class ReleasedRows:
    """A table of synthetic rows as a model: the distribution of one row drawn from it.

    The rows were released once, and what is drawn from them is post-processing.

    Parameters
    ----------
    domain : Domain
        Of the table.
    codes : dict of str to ndarray
        For each attribute an array of cells, one a row.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> codes = np.array([[0, 1], [0, 0], [1, 1]])
    >>> ReleasedRows.of(Domain.of({"a": 2, "b": 2}), codes).project(("a", "b"))
    array([[1., 1.],
           [0., 1.]])
    """

    domain: Domain
    codes: Codes

    @classmethod
    def of(cls, domain: Domain, codes: np.ndarray) -> ReleasedRows:
        """codes: shape (rows, attributes), inside the domain."""
        columns = zip(domain.sizes, codes.T, strict=True)
        return cls(domain, {a: column.astype(code_dtype(cells)) for (a, cells), column in columns})

    @property
    def total(self) -> float:
        return float(len(self.codes[self.domain.attributes[0]]))

    def project(self, clique: Clique) -> np.ndarray:
        """Counts of the rows, shape domain.shape(clique)."""
        return count(MemoryBackend(self.codes, self.domain), self.domain, [clique])[clique].astype(
            np.float64
        )

    def sample(self, n: int, rng: np.random.Generator, evidence: Evidence | None = None) -> Codes:
        """n rows in random order, each of the released ones as often as its weight says, about.

        Without evidence all weights are equal: n rows are a part of the released ones, or all of
        them several times.

        Raises
        ------
        ConditionError
            Where no released row agrees with the evidence.
        """
        weights = self._weights(evidence or {})
        if not weights.any():
            raise ConditionError.no_row(evidence or {})
        order = rng.permutation(weights.size)
        upto = np.cumsum(weights[order])
        steps = np.searchsorted(
            upto / upto[-1], (np.arange(n) + rng.random()) / max(1, n), side="right"
        )
        rows = rng.permutation(order[np.minimum(steps, weights.size - 1)])
        return {a: self.codes[a][rows] for a in self.domain.attributes}

    def project_given(self, clique: Clique, evidence: Evidence) -> np.ndarray:
        """Counts of the rows, each as often as its weights say."""
        shape = self.domain.shape(clique)
        rows = np.zeros(int(self.total), dtype=np.int64)
        for a, size in zip(clique, shape, strict=True):
            rows = rows * size + self.codes[a]
        cells = self.domain.cells(clique)
        return np.bincount(rows, self._weights(evidence), minlength=cells).reshape(shape)

    def _weights(self, evidence: Evidence) -> np.ndarray:
        weights = np.ones(int(self.total))
        for a, cells in evidence.items():
            weights *= np.asarray(cells, dtype=np.float64)[self.codes[a]]
        return weights

    def to_arrays(self) -> dict[str, Any]:
        """Everything that makes the model: plain lists, and arrays."""
        sizes = [[a, cells] for a, cells in self.domain.sizes]
        return {
            "released": sizes,
            **{f"codes:{i}": self.codes[a] for i, a in enumerate(self.domain.attributes)},
        }

    @classmethod
    def from_arrays(cls, saved: Mapping[str, Any]) -> ReleasedRows:
        """The model of which `saved` is `to_arrays()`; ValueError if its codes do not fit."""
        domain = Domain(tuple((str(a), cells) for a, cells in saved["released"]))
        codes = {a: np.asarray(saved[f"codes:{i}"]) for i, a in enumerate(domain.attributes)}
        for a, cells in domain.sizes:
            column = codes[a]
            first = codes[domain.attributes[0]]
            fits = column.ndim == 1 and column.size == first.size > 0 and column.dtype.kind in "iu"
            if not fits or column.min() < 0 or column.max() >= cells:
                raise ValueError(f"the released codes of {a!r} do not fit their {cells} cells")
        return cls(domain, codes)
