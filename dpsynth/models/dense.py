"""Dense marginals: for nodes that hold many cliques, all their marginals in a few matrix products.

`Elimination` sums out one attribute after another and touches every clique on the way, which is
best where each node of the tree holds few cliques. Where a node holds hundreds (16 binary columns
with all their triples: one node of 65,536 cells and 696 cliques) this file writes the node's table
down and goes through *contrasts*: in an orthonormal basis of each attribute whose first element is
constant (Helmert's), a marginal of a table is determined by those coefficients that are constant in
all other attributes, and the coefficients needed by all cliques together are few. Attributes are
taken in blocks, each by one matrix product that keeps only the coefficients that some clique needs,
so that what follows is smaller. The sum of all potentials into a table is the same map, transposed.
For binary attributes this is the Walsh-Hadamard transform, cut to low orders.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import groupby

import numpy as np
from scipy.linalg import helmert

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.junction_tree import JunctionTree

_BLOCK_CELLS = 32

# What an evaluation takes, in touches of a cell in memory (6 ns); by experiment, right within a
# factor of two.
_PER_CELL = 4  # to fill in, exponentiate, calibrate and transform a cell of a node
_PER_NODE = 25_000
_PER_CLIQUE = 1_000
_PER_ELIMINATED = 6_000  # a clique in `Elimination`: its products, however small


def is_crowded(tree: JunctionTree, cliques: Iterable[Clique]) -> bool:
    """Whether `Calibration` is expected to be faster than `Elimination`, both on this tree.

    Eliminating an attribute takes a pass over a table without it for each clique (or table left
    from former eliminations) that it is in; calibration takes a few passes over every node, however
    many cliques are there.
    """
    domain = tree.domain
    live = [frozenset(clique) for clique in cliques]
    calibration = _PER_CELL * tree.cells + _PER_NODE * len(tree.nodes) + _PER_CLIQUE * len(live)
    elimination = _PER_ELIMINATED * len(live)
    for attribute in tree.order:
        touched = [group for group in live if attribute in group]
        left = frozenset().union(*touched) - {attribute}
        elimination += len(touched) * domain.cells(tuple(left))
        live = [group for group in live if attribute not in group] + [left]
    return calibration < elimination


class Calibration:
    """What `Elimination` computes, by calibrating a tree that holds every clique and projecting its
    nodes.
    """

    def __init__(self, domain: Domain, cliques: Sequence[Clique], tree: JunctionTree) -> None:
        hosts = [tree.host(clique) for clique in cliques]
        if None in hosts:
            raise ValueError(
                "the structure must hold every measured clique, it lacks"
                f" {cliques[hosts.index(None)]}"
            )
        self.cliques = tuple(cliques)
        self._tree = tree
        self._held = [
            [i for i, host in enumerate(hosts) if host == node] for node in range(len(tree.nodes))
        ]
        self._nodes = [
            NodeContrasts(domain, node, [cliques[i] for i in held])
            for node, held in zip(tree.nodes, self._held, strict=True)
        ]

    def __call__(self, potentials: Sequence[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        """The log of the sum over all cells of exp(sum of potentials), and each clique's marginal,
        summing to one.

        Where the potentials are so far apart that a table underflows to nothing: infinity and no
        marginals.
        """
        shift = 0.0
        tables = []
        for node, held in zip(self._nodes, self._held, strict=True):
            table = node.total([potentials[i] for i in held])
            top = float(table.max())
            shift += top
            table -= top
            tables.append(np.exp(table, out=table))
        log_mass, beliefs = self._tree.propagate(tables)
        if not math.isfinite(log_mass + shift):
            return math.inf, []
        marginals: list[np.ndarray] = [np.ones(())] * len(self.cliques)
        for node, held, belief in zip(self._nodes, self._held, beliefs, strict=True):
            for i, table in zip(held, node.marginals(belief), strict=True):
                marginals[i] = table
        return log_mass + shift, marginals


class NodeContrasts:
    """The marginals of tables over `node` on some cliques in it, and the sum of tables on these
    cliques.
    """

    def __init__(self, domain: Domain, node: Clique, cliques: Sequence[Clique]) -> None:
        self._shape = domain.shape(node)
        blocks = list(_blocks(domain, node))
        places = [_places(domain, block, cliques) for block in blocks]
        self._bases = [
            _basis(domain, block, place) for block, place in zip(blocks, places, strict=True)
        ]
        self._coefficients = math.prod(len(basis) for basis in self._bases)
        # Cliques of one shape are transformed together.
        order = sorted(range(len(cliques)), key=lambda i: domain.shape(cliques[i]))
        self._groups = [
            (list(group), [helmert(size, full=True) for size in shape])
            for shape, group in groupby(order, key=lambda i: domain.shape(cliques[i]))
        ]
        strides = np.cumprod([1, *(len(basis) for basis in self._bases[:0:-1])])[::-1]
        self._where = [_positions(domain, cliques[i], blocks, places, strides) for i in order]
        self._flat = np.concatenate(
            [np.zeros(0, dtype=np.intp), *(where.ravel() for where in self._where)]
        )
        scales = [math.sqrt(domain.cells(node) / domain.cells(cliques[i])) for i in order]
        self._scale = np.repeat(scales, [where.size for where in self._where])

    def total(self, tables: Sequence[np.ndarray]) -> np.ndarray:
        """The sum over the cliques of their tables, each broadcast over the node; shape
        domain.shape(node).
        """
        contrasts = [np.zeros(0)]
        for group, bases in self._groups:
            stack = np.stack([tables[i] for i in group])
            for basis in bases:
                stack = np.tensordot(stack, basis, axes=(1, 1))
            contrasts.append(stack.ravel())
        table: np.ndarray = np.bincount(
            self._flat, self._scale * np.concatenate(contrasts), self._coefficients
        )
        for basis in self._bases:
            table = table.reshape(len(basis), -1).T @ basis
        return table.reshape(self._shape)

    def marginals(self, table: np.ndarray) -> list[np.ndarray]:
        """The table summed onto each clique, axes in the order of the clique."""
        for basis in self._bases:
            table = table.reshape(basis.shape[1], -1).T @ basis.T
        contrasts = self._scale * table.ravel()[self._flat]
        found: dict[int, np.ndarray] = {}
        start = 0
        for group, bases in self._groups:
            shape = (len(group), *(len(basis) for basis in bases))
            stack = contrasts[start : start + math.prod(shape)].reshape(shape)
            start += stack.size
            for basis in bases:
                stack = np.tensordot(stack, basis, axes=(1, 0))
            found.update(zip(group, stack, strict=True))
        return [found[i] for i in range(len(found))]


def _blocks(domain: Domain, node: Clique) -> Iterable[Clique]:
    """The node's attributes, neighbours together as long as they have few cells."""
    block: Clique = ()
    for attribute in node:
        if block and domain.cells((*block, attribute)) > _BLOCK_CELLS:
            yield block
            block = ()
        block = (*block, attribute)
    yield block


def _places(domain: Domain, block: Clique, cliques: Iterable[Clique]) -> np.ndarray:
    """The numbers of the coefficients that some clique needs, -1 for the others; shape
    domain.shape(block).
    """
    needed = np.zeros(domain.shape(block), dtype=bool)
    for part in {(), *(tuple(a for a in block if a in clique) for clique in cliques)}:
        needed[np.ix_(*(range(domain.size(a) if a in part else 1) for a in block))] = True
    return np.where(needed, needed.cumsum().reshape(needed.shape) - 1, -1)


def _basis(domain: Domain, block: Clique, places: np.ndarray) -> np.ndarray:
    """The contrasts that have a place, one in each row, over the cells of the block."""
    whole: np.ndarray = reduce(
        np.kron, [helmert(domain.size(a), full=True) for a in block], np.ones((1, 1))
    )
    return whole[places.ravel() >= 0]


def _positions(
    domain: Domain,
    clique: Clique,
    blocks: Sequence[Clique],
    places: Sequence[np.ndarray],
    strides: np.ndarray,
) -> np.ndarray:
    """Which coefficients of the node are those of the clique, shape domain.shape(clique)."""
    index = dict(zip(clique, np.indices(domain.shape(clique)), strict=True))
    where = np.zeros(domain.shape(clique), dtype=np.intp)
    for block, place, stride in zip(blocks, places, strides, strict=True):
        where += stride * place[tuple(index.get(a, 0) for a in block)]
    return where
