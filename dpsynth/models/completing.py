"""Partial rows made whole: for each row, what is not known is drawn given what is.

Rows that know the same columns are completed together, in a junction tree: messages go from the
leaves to the root in tables of a row's own, cut to the cells that it knows, and from the root down
each node's unknown cells are drawn given those above. That is the model's distribution, row by row,
and takes what the tables without the known columns take. Where few different rows know little, each
of them is a condition of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from dpsynth.base.domain import Clique
from dpsynth.models.base import Codes, ConditionError, Evidence, Model, code_dtype
from dpsynth.models.factor import expand, quotient
from dpsynth.models.junction_tree import JunctionTree
from dpsynth.models.sampling import sample_tree

_CELLS = 2**22
"""Of all tables of the rows that are completed at once: 32 megabytes."""

_FEW = 8
"""A condition costs about so many passes over the whole tree's cells."""


@runtime_checkable
class Weighing(Protocol):
    """A model that says how many rows agree with a condition."""

    def project_given(self, clique: Clique, evidence: Evidence) -> np.ndarray:
        """Expected counts of the rows that agree with the evidence, by their weights."""
        ...


@runtime_checkable
class Completing(Protocol):
    """A model that makes partial rows whole."""

    def complete(
        self, codes: Codes, rng: np.random.Generator, evidence: Evidence | None, least: float = 0.0
    ) -> Codes:
        """For each partial row a whole one that agrees with the evidence; see `completed`."""
        ...


def counts_given(model: Model, clique: Clique, evidence: Evidence) -> np.ndarray:
    """`project_given` of a model; ConditionError where it has none."""
    if not evidence:
        return model.project(clique)
    if not isinstance(model, Weighing):
        raise ConditionError(
            f"a model of type {type(model).__name__} cannot say how many rows meet a condition:"
            " draw each part of it by itself, or give the model a method project_given"
        )
    return model.project_given(clique, evidence)


def completed(
    model: Model,
    codes: Codes,
    rng: np.random.Generator,
    evidence: Evidence | None = None,
    least: float = 0.0,
) -> Codes:
    """For each partial row a whole one that agrees with the evidence.

    codes: for each attribute its cells, -1 where not known. least: a share that each cell has in
    its node at least, so that no row is excluded. ConditionError for a row that the model excludes.
    """
    if isinstance(model, Completing):
        return model.complete(codes, rng, evidence, least)
    domain = model.domain
    partial = np.stack([codes[a] for a in domain.attributes], axis=1)
    out = np.empty(partial.shape, np.int64)
    for rows, values in _alike(partial):
        drawn = model.sample(
            len(rows), rng, _beside(_evidence(domain.sizes, values), evidence or {})
        )
        out[rows] = np.stack([drawn[a] for a in domain.attributes], axis=1)
    return {a: out[:, i].astype(code_dtype(n)) for i, (a, n) in enumerate(domain.sizes)}


def complete_tree(
    tree: JunctionTree, tables: Sequence[np.ndarray], codes: Codes, rng: np.random.Generator
) -> Codes:
    """`completed` in a junction tree. tables: of each node, given its separator."""
    attributes = tree.domain.attributes
    partial = np.stack([np.asarray(codes[a], dtype=np.int64) for a in attributes], axis=1)
    for rows, known in _alike(partial >= 0):
        unknown = {a for a, it in zip(attributes, known, strict=True) if not it}
        each = sum(tree.domain.cells(_left(node, unknown)) for node in tree.nodes)
        different = np.unique(partial[rows], axis=0)
        if len(different) * _FEW * tree.cells < len(rows) * each:
            for others, values in _alike(partial[rows]):
                _by_condition(tree, tables, partial, rows[others], values, rng)
            continue
        step = max(1, _CELLS // each)
        for start in range(0, len(rows), step):
            _complete(tree, tables, partial, rows[start : start + step], unknown, rng)
    return {a: partial[:, i].astype(code_dtype(n)) for i, (a, n) in enumerate(tree.domain.sizes)}


def weighted(tables: list[np.ndarray], tree: JunctionTree, evidence: Evidence) -> list[np.ndarray]:
    """The nodes' tables with the evidence's weights in them, in place."""
    for a, weights in evidence.items():
        home = tree.homes[a]
        tables[home] *= expand(weights, (a,), tree.nodes[home])
    return tables


def smoothed(table: np.ndarray, separator: int, least: float) -> np.ndarray:
    """A node's table with a little of an even one; its first axes are those of the separator."""
    cells = math.prod(table.shape[separator:])
    return (1 - least) * table + least / cells


def _alike(rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The places of rows that are equal, and their values."""
    values, inverse = np.unique(rows, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    order = np.argsort(inverse, kind="stable")
    counts = np.bincount(inverse, minlength=len(values))
    for value, end, count in zip(values, np.cumsum(counts), counts, strict=True):
        yield order[end - count : end], value


def _beside(evidence: Evidence, other: Evidence) -> dict[str, np.ndarray]:
    """Both at once."""
    return {**other, **{a: w * other.get(a, 1.0) for a, w in evidence.items()}}


def _evidence(sizes: Sequence[tuple[str, int]], values: np.ndarray) -> dict[str, np.ndarray]:
    return {
        a: (np.arange(n) == value).astype(float)
        for (a, n), value in zip(sizes, values.tolist(), strict=True)
        if value >= 0
    }


def _by_condition(
    tree: JunctionTree,
    tables: Sequence[np.ndarray],
    partial: np.ndarray,
    rows: np.ndarray,
    values: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Completes rows that know the same cells, as a sample given these."""
    evidence = _evidence(tree.domain.sizes, values)
    given = weighted([table.copy() for table in tables], tree, evidence)
    log_mass, beliefs = tree.propagate(given)
    if math.isinf(log_mass):
        raise ConditionError.no_row(evidence)
    drawn = sample_tree(tree, beliefs, len(rows), rng)
    partial[rows] = np.stack([drawn[a] for a in tree.domain.attributes], axis=1)


def _left(clique: Clique, unknown: set[str]) -> Clique:
    return tuple(a for a in clique if a in unknown)


def _complete(
    tree: JunctionTree,
    tables: Sequence[np.ndarray],
    partial: np.ndarray,
    rows: np.ndarray,
    unknown: set[str],
    rng: np.random.Generator,
) -> None:
    """Completes rows that know the same columns, in place: up the tree, then down."""
    place = {a: i for i, a in enumerate(tree.domain.attributes)}
    own = [_cut(tree, i, tables[i], partial[rows], place, unknown) for i in range(len(tables))]
    for i in reversed(range(1, len(own))):
        node, separator = _left(tree.nodes[i], unknown), _left(tree.separators[i], unknown)
        summed = own[i].sum(axis=tuple(1 + k for k, a in enumerate(node) if a not in separator))
        top = summed.reshape(len(rows), -1).max(axis=1)
        message = quotient(summed, top.reshape(-1, *[1] * (summed.ndim - 1)))
        above = _left(tree.nodes[tree.parents[i]], unknown)
        shape = [tree.domain.size(a) if a in separator else 1 for a in above]
        order = [1 + separator.index(a) for a in above if a in separator]
        own[tree.parents[i]] *= message.transpose(0, *order).reshape(len(rows), *shape)
    if not (own[0].reshape(len(rows), -1).sum(axis=1) > 0).all():
        named = [a for a in tree.domain.attributes if a not in unknown]
        raise ConditionError.no_row(named)
    for i, table in enumerate(own):
        _draw(tree, i, table, partial, rows, place, unknown, rng)


def _cut(
    tree: JunctionTree,
    i: int,
    table: np.ndarray,
    values: np.ndarray,
    place: dict[str, int],
    unknown: set[str],
) -> np.ndarray:
    """For each row the node's table at the cells that it knows, shape (rows, unknown cells...)."""
    node = tree.nodes[i]
    known = tuple(a for a in node if a not in unknown)
    left = _left(node, unknown)
    front = table.transpose([node.index(a) for a in known + left])
    at = np.zeros(len(values), dtype=np.int64)
    for a in known:
        at = at * tree.domain.size(a) + values[:, place[a]]
    shape = tree.domain.shape(left)
    return front.reshape(tree.domain.cells(known), *shape)[at]


def _draw(
    tree: JunctionTree,
    i: int,
    table: np.ndarray,
    partial: np.ndarray,
    rows: np.ndarray,
    place: dict[str, int],
    unknown: set[str],
    rng: np.random.Generator,
) -> None:
    """Draws a node's new unknown cells, given those of its separator, which are drawn already."""
    separator = _left(tree.separators[i], unknown)
    new = tuple(a for a in _left(tree.nodes[i], unknown) if a not in separator)
    if not new:
        return
    chosen = table[(np.arange(len(rows)), *(partial[rows, place[a]] for a in separator))]
    upto = np.cumsum(chosen.reshape(len(rows), -1), axis=1)
    target = rng.random(len(rows)) * upto[:, -1]
    cell = np.minimum((upto <= target[:, None]).sum(axis=1), upto.shape[1] - 1)
    for a, codes in zip(new, np.unravel_index(cell, tree.domain.shape(new)), strict=True):
        partial[rows, place[a]] = codes
