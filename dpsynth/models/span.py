"""Span: what noisy counts say of sums of cells, without bias and with an exact noise.

A question about a table is a weight for each combination of its columns' cells. Where the weights
are a combination of measured counts, the same combination of the noisy counts estimates the answer
without bias, and its noise is known. Of all such combinations the one with the least noise is taken
(generalised least squares). Where there is none, the question lies outside what was measured, and
nothing here answers it.

With counts y = A x + noise of standard deviations s, and a question q: the estimate is u'y, where u
minimises sum (u s)^2 subject to A'u = q. In v = u s that is the shortest solution of (A / s)'v = q,
which LSMR finds (Fong and Saunders, SIAM J. Sci. Comput. 33, 2011). The noise of u'y has the
variance |v|^2, whether or not v is shortest.

Counts of further columns are summed over these first. A count of a single column is summed to the
cells that marginals of several columns tell apart, where the question is about several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import lsmr
from scipy.special import ndtr

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import RoughMeasurement

Product = Mapping[str, np.ndarray]
"""For some columns a weight of each cell: a combination of cells has the product of its weights."""

Query = Sequence[Product]
"""A sum of products. An empty product counts all rows; no product counts none."""

MAX_CELLS = 200_000
"""Combinations of cells that are told apart for one question at most."""

_EXACT = 1e-6
"""How far a combination of counts may be off a question's weights."""

_COARSE = 1.0
"""A standard deviation under which noise that is rounded to whole numbers has visible steps."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """What noisy counts say of some questions.

    Parameters
    ----------
    values : ndarray
        Shape (questions,): estimates without bias.
    parts : ndarray
        Shape (questions, counts): how far each answer moves with the noise of each count, in
        standard deviations of it. The covariance of the noise is `parts @ parts.T`.
    steps : ndarray
        Shape (questions,): half a step of the answer's noise, where noise so small went into it
        that its rounding to whole numbers shows; 0 elsewhere.

    Examples
    --------
    >>> parts = np.array([[1.0, 0.0], [1.0, 2.0]])
    >>> both = Estimates(np.array([3.0, 5.0]), parts, np.zeros(2))
    >>> both.covariance
    array([[1., 1.],
           [1., 5.]])
    """

    values: np.ndarray
    parts: np.ndarray
    steps: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """Of the noise, shape (questions, questions)."""
        return np.asarray(self.parts @ self.parts.T)


@dataclass(frozen=True, eq=False)
class Span:
    """What was measured of a table.

    Parameters
    ----------
    domain : Domain
        Of the cells.
    charged : sequence of RoughMeasurement
        Noisy counts, each with noise of its own.
    empty : mapping of str to ndarray
        For some columns which cells are taken to hold no row, as bools.

    Examples
    --------
    >>> domain = Domain.of({"a": 3, "b": 2})
    >>> cells, bins = np.arange(3), np.array([0, 0, 1])
    >>> measured = RoughMeasurement(("a",), (cells,), np.array([10.0, 20.0, 30.0]), 2.0)
    >>> rough = RoughMeasurement(("a",), (bins,), np.array([36.0, 30.0]), 2.0)
    >>> span = Span(domain, [measured, rough])
    >>> two = span.estimates([[{"a": np.array([1.0, 1.0, 0.0])}]])
    >>> two.values.round(2), np.sqrt(two.covariance).round(2)
    (array([34.]), array([[1.65]]))
    >>> span.estimates([[{"b": np.array([1.0, 0.0])}]]) is None
    True
    """

    domain: Domain
    charged: Sequence[RoughMeasurement]
    empty: Mapping[str, np.ndarray] = field(default_factory=dict)

    def estimates(self, queries: Sequence[Query]) -> Estimates | None:
        """The best linear estimate of each question; None where one is not in the span."""
        queries = [[*map(_without_ones, query)] for query in queries]
        asked = self.domain.ordered({a for query in queries for part in query for a in part})
        counts = [_onto(m, asked) for m in self.charged]
        atoms = self._atoms(asked, counts, queries)
        sizes = tuple(int(atoms[a].max()) + 1 for a in asked)
        if np.prod(sizes, dtype=float) > MAX_CELLS:
            return None
        rows, answers, noise = self._system(asked, sizes, atoms, counts)
        if not len(answers):
            return None
        kept = self._kept(asked, sizes, atoms)
        matrix = csr_matrix(rows.multiply(1 / noise[:, None]).T)[kept]
        parts = np.zeros((len(queries), len(answers)))
        for i, query in enumerate(queries):
            weights = _weights(query, asked, sizes, atoms)[kept]
            parts[i] = lsmr(matrix, weights, atol=1e-12, btol=1e-12, conlim=1e12, maxiter=20_000)[0]
            if np.abs(matrix @ parts[i] - weights).max(initial=0.0) > _EXACT:
                return None
        coarse = np.abs(parts / noise)[:, noise < _COARSE]
        return Estimates(parts @ (answers / noise), parts, coarse.max(axis=1, initial=0.0) / 2)

    def _atoms(
        self, asked: Clique, counts: Sequence[RoughMeasurement], queries: Sequence[Query]
    ) -> dict[str, np.ndarray]:
        """For each column the number of each cell's atom: cells of one are never told apart.

        Of several columns, counts of single ones have no say in it: they are summed to atoms.
        """
        least = min(2, len(asked))
        found = {}
        for a in asked:
            apart = [part[a] for query in queries for part in query if a in part]
            apart += [
                m.groups[m.clique.index(a)]
                for m in counts
                if a in m.clique and len(m.clique) >= least
            ]
            found[a] = np.unique(np.column_stack(apart), axis=0, return_inverse=True)[1].ravel()
        return found

    def _kept(
        self, asked: Clique, sizes: tuple[int, ...], atoms: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Which combinations of atoms may hold rows."""
        found: np.ndarray = np.ones((), dtype=bool)
        for a, size in zip(asked, sizes, strict=True):
            filled = ~self.empty.get(a, np.zeros(atoms[a].size, dtype=bool))
            found = np.logical_and.outer(found, np.bincount(atoms[a], filled, size) > 0)
        return np.flatnonzero(found)

    def _system(
        self,
        asked: Clique,
        sizes: tuple[int, ...],
        atoms: Mapping[str, np.ndarray],
        counts: Sequence[RoughMeasurement],
    ) -> tuple[csr_matrix, np.ndarray, np.ndarray]:
        """The counts as sums of combined atoms: a row for each, its value, and its noise."""
        labels: list[np.ndarray] = []
        values: list[np.ndarray] = []
        noise: list[np.ndarray] = []
        cells = np.indices(sizes).reshape(len(sizes), -1) if sizes else np.zeros((0, 1), np.intp)
        number = 0
        for m in counts:
            at = _of_atoms(m, atoms)
            if at is None:
                continue
            groups, table, variance = at
            label = np.zeros(cells.shape[1], dtype=np.intp)
            for a, group, size in zip(m.clique, groups, table.shape, strict=True):
                label = label * size + group[cells[asked.index(a)]]
            labels.append(number + label)
            values.append(table.ravel())
            noise.append(np.sqrt(variance).ravel())
            number += table.size
        if not labels:
            return csr_matrix((0, 0)), np.zeros(0), np.zeros(0)
        rows = np.concatenate(labels)
        place = (rows, np.tile(np.arange(cells.shape[1]), len(labels)))
        matrix = csr_matrix((np.ones(rows.size), place), shape=(number, cells.shape[1]))
        return matrix, np.concatenate(values), np.concatenate(noise)


def _without_ones(part: Product) -> Product:
    """A product without the columns of which all cells count alike, once."""
    return {
        a: np.asarray(w, dtype=float) for a, w in part.items() if not (np.asarray(w) == 1).all()
    }


def _onto(m: RoughMeasurement, asked: Clique) -> RoughMeasurement:
    """A measurement summed over the columns that are not asked for.

    Its `stddev` becomes that of a sum of as many independent counts, rounding included.
    """
    others = tuple(i for i, a in enumerate(m.clique) if a not in asked)
    summed = int(np.prod([m.values.shape[i] for i in others], dtype=float))
    kept = [i for i in range(len(m.clique)) if i not in others]
    return RoughMeasurement(
        tuple(m.clique[i] for i in kept),
        tuple(m.groups[i] for i in kept),
        m.values.sum(axis=others),
        math.sqrt(summed * rounded_variance(m.stddev)),
    )


def rounded_variance(stddev: float) -> float:
    """Of Gaussian noise that was rounded to whole numbers; 1/12 more, where it is not small."""
    if stddev > 2:
        return stddev**2 + 1 / 12
    steps = np.arange(1, 25)
    mass = ndtr((steps + 0.5) / stddev) - ndtr((steps - 0.5) / stddev)
    return max(float(2 * steps**2 @ mass), 1e-12)


def _of_atoms(
    m: RoughMeasurement, atoms: Mapping[str, np.ndarray]
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray] | None:
    """For each column the group of each atom, the counts, and their variances.

    A single column's counts that are finer than its atoms are summed to them. None where atoms lie
    across the groups.
    """
    variance = np.full(m.values.shape, m.stddev**2)
    groups = tuple(_lifted(g, atoms[a]) for a, g in zip(m.clique, m.groups, strict=True))
    if all(group is not None for group in groups):
        return tuple(g for g in groups if g is not None), m.values, variance
    if len(m.clique) > 1 or (atom := _lifted(atoms[m.clique[0]], m.groups[0])) is None:
        return None
    number = int(atom.max()) + 1
    summed = [np.bincount(atom, table, minlength=number) for table in (m.values, variance)]
    return (np.arange(number),), summed[0], summed[1]


def _lifted(labels: np.ndarray, groups: np.ndarray) -> np.ndarray | None:
    """The label of each group of cells; None where a group has cells of several."""
    found = np.zeros(int(groups.max()) + 1, dtype=np.intp)
    found[groups] = labels
    return found if np.array_equal(found[groups], labels) else None


def _weights(
    query: Query, asked: Clique, sizes: tuple[int, ...], atoms: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The weight of each combination of atoms."""
    table = np.zeros(sizes)
    for part in query:
        product: np.ndarray = np.ones(())
        for a, size in zip(asked, sizes, strict=True):
            own = np.ones(size)
            if a in part:
                own[atoms[a]] = part[a]
            product = np.multiply.outer(product, own)
        table += product
    return table.ravel()
