"""Tables on named axes: broadcast one over more attributes, sum it onto fewer, multiply two and
sum, divide.

A table over the clique `(a, b)` is an array of shape `domain.shape((a, b))`. All the arithmetic of
the graphical model is made of these verbs; what touches many cells is left to matrix products
(BLAS).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import groupby

import numpy as np

from dpsynth.base.domain import Clique


def expand(table: np.ndarray, clique: Clique, onto: Clique) -> np.ndarray:
    """A view of `table` with the axes of `onto`, in that order, of length 1 where `clique` lacks
    the attribute.
    """
    if clique == onto:
        return table
    length = dict(zip(clique, table.shape, strict=True))
    order = _order(clique, tuple(a for a in onto if a in length))
    return table.transpose(order).reshape([length.get(a, 1) for a in onto])


def marginal(table: np.ndarray, clique: Clique, onto: Clique) -> np.ndarray:
    """`table` summed onto the attributes of `onto`, a subset of `clique`, axes in the order of
    `onto`.
    """
    if clique == onto:
        return table
    runs, order = _runs(clique, onto)
    for start, stop in runs:
        table = _sum_axes(table, start, stop)
    return table.transpose(order)


def contract(
    left: np.ndarray, lefts: Clique, right: np.ndarray, rights: Clique, keep: Clique
) -> np.ndarray:
    """The product of two tables, summed onto `keep` (some attributes of either), axes in that
    order.
    """
    shared, inner, left_only, right_only = _parts(lefts, rights, keep)
    left = marginal(left, lefts, shared + left_only + inner)
    right = marginal(right, rights, shared + inner + right_only)
    if not inner:
        product: np.ndarray = expand(left, shared + left_only, keep) * expand(
            right, shared + right_only, keep
        )
        return product
    batch = left.shape[: len(shared)]
    middle = right.shape[len(shared) : len(shared) + len(inner)]
    shape = left.shape[: len(shared) + len(left_only)] + right.shape[len(shared) + len(inner) :]
    rows = math.prod(batch)
    cells = math.prod(middle)
    left = left.reshape(rows, -1, cells)
    right = right.reshape(rows, cells, -1)
    if left.shape[1] == right.shape[2] == 1:
        product = np.einsum("ri,ri->r", left[:, 0, :], right[:, :, 0])
    else:
        product = left @ right
    product = product.reshape(shape)
    return product.transpose(_order(shared + left_only + right_only, keep))


def quotient(table: np.ndarray, by: np.ndarray) -> np.ndarray:
    """`table / by`, where `by` broadcasts to it and 0/0 is 0."""
    out: np.ndarray = np.divide(table, by, out=np.zeros(table.shape), where=by > 0)
    return out


Groups = tuple[np.ndarray, ...] | None
"""For each axis of a table the group of each cell, numbered from 0 without gaps; None for cells
that stay apart.
"""


def summed(table: np.ndarray, axis: int, labels: np.ndarray) -> np.ndarray:
    """The table with the cells of one label added up along an axis."""
    cells = np.moveaxis(table, axis, 0)
    out = np.zeros((int(labels.max()) + 1, *cells.shape[1:]))
    np.add.at(out, labels, cells)
    return np.moveaxis(out, 0, axis)


def grouped(table: np.ndarray, groups: Groups) -> np.ndarray:
    """The table with the cells of each group added up."""
    for axis, labels in enumerate(groups or ()):
        table = summed(table, axis, labels)
    return table


def spread_out(table: np.ndarray, groups: Groups) -> np.ndarray:
    """A table of groups as one of cells, each with its group's entry."""
    return table if groups is None else table[np.ix_(*groups)]


def _sum_axes(table: np.ndarray, start: int, stop: int) -> np.ndarray:
    """`table` summed over the adjacent axes start..stop: a product with ones takes half the time of
    np.sum.
    """
    head = table.shape[:start]
    run = table.shape[start:stop]
    tail = table.shape[stop:]
    ones = np.ones(math.prod(run))
    summed = (
        ones @ table.reshape(math.prod(head), ones.size, -1)
        if tail
        else table.reshape(-1, ones.size) @ ones
    )
    out: np.ndarray = summed.reshape(head + tail)
    return out


# The layouts below depend on names alone and recur in every step of an optimisation, hence the
# caches.


@lru_cache(maxsize=65536)
def _order(clique: Clique, onto: Clique) -> tuple[int, ...]:
    return tuple(clique.index(a) for a in onto)


@lru_cache(maxsize=65536)
def _runs(clique: Clique, onto: Clique) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """The runs of adjacent axes to be summed, last first, and the order of the axes that remain."""
    runs = [
        (kept, list(run))
        for kept, run in groupby(range(len(clique)), lambda axis: clique[axis] in onto)
    ]
    summed = tuple((run[0], run[-1] + 1) for kept, run in reversed(runs) if not kept)
    return summed, _order(tuple(a for a in clique if a in onto), onto)


@lru_cache(maxsize=65536)
def _parts(lefts: Clique, rights: Clique, keep: Clique) -> tuple[Clique, Clique, Clique, Clique]:
    """Attributes of both that are kept, of both that are summed, kept of the left alone, kept of
    the right alone.
    """
    both = tuple(a for a in lefts if a in rights)
    return (
        tuple(a for a in both if a in keep),
        tuple(a for a in both if a not in keep),
        tuple(a for a in lefts if a in keep and a not in both),
        tuple(a for a in rights if a in keep and a not in both),
    )
