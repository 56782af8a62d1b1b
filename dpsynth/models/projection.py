"""Projections of a calibrated tree onto any clique, by variable elimination along the tree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dpsynth.base.domain import Clique
from dpsynth.models.factor import contract, expand, marginal, quotient
from dpsynth.models.junction_tree import JunctionTree

MAX_CELLS = 2**26
"""The largest table that a projection may pass through: half a gigabyte."""


class Projection:
    """Answers cliques; what they share on the way is computed once and kept as long as this object.

    Below a node k, the attributes q depend on the rest through the separator of k alone. So a
    clique is gathered from the leaves towards the lowest node that can see all of it, in tables p(q
    | separator of k).
    """

    def __init__(self, tree: JunctionTree, beliefs: Sequence[np.ndarray]) -> None:
        self._tree = tree
        self._beliefs = beliefs
        self._marginals: dict[tuple[int, Clique], np.ndarray] = {}
        self._conditionals: dict[tuple[int, Clique], np.ndarray] = {}

    def __call__(self, clique: Clique) -> np.ndarray:
        """The share of each cell, axes in the order of `clique`."""
        host = self._tree.host(clique)
        if host is not None:
            return self._marginal(host, clique)
        return self._gather(self._meeting(clique), (), clique)

    def _meeting(self, clique: Clique) -> int:
        """The lowest node such that every attribute of the clique is in it or below it."""
        node = 0
        while True:
            lower = (k for k in self._tree.children[node] if all(self._sees(k, a) for a in clique))
            following = next(lower, None)
            if following is None:
                return node
            node = following

    def _sees(self, node: int, attribute: str) -> bool:
        return attribute in self._tree.nodes[node] or self._towards(node, attribute) is not None

    def _towards(self, node: int, attribute: str) -> int | None:
        """The child of `node` below which the attribute lives; None where it does not live
        below.
        """
        below = self._tree.homes[attribute]
        while below > node:
            parent = self._tree.parents[below]
            if parent == node:
                return below
            below = parent
        return None

    def _gather(self, node: int, separator: Clique, wanted: Clique) -> np.ndarray:
        """The joint share of `separator`, attributes of the node, and `wanted`, attributes of it or
        below it.
        """
        branches: dict[int, list[str]] = {}
        for attribute in wanted:
            if attribute not in self._tree.nodes[node]:
                child = self._towards(node, attribute)
                assert child is not None
                branches.setdefault(child, []).append(attribute)
        bridges = {child: set(self._tree.separators[child]) for child in branches}
        target = separator + tuple(a for a in wanted if a not in separator)
        needed = set(target).union(*bridges.values())
        axes = tuple(a for a in self._tree.nodes[node] if a in needed)
        table = self._marginal(node, axes)
        for child, below in branches.items():
            del bridges[child]
            still = set(target).union(*bridges.values())
            keep = (*(a for a in axes if a in still), *below)
            self._check(keep)
            lower = (*self._tree.separators[child], *below)
            table = contract(table, axes, self._conditional(child, tuple(below)), lower, keep)
            axes = keep
        return marginal(table, axes, target)

    def _conditional(self, node: int, wanted: Clique) -> np.ndarray:
        """p(wanted | separator of the node), axes in this order: separator, wanted."""
        if (node, wanted) not in self._conditionals:
            separator = self._tree.separators[node]
            joint = self._gather(node, separator, wanted)
            mass = self._marginal(node, separator)
            self._conditionals[node, wanted] = quotient(
                joint, expand(mass, separator, separator + wanted)
            )
        return self._conditionals[node, wanted]

    def _marginal(self, node: int, clique: Clique) -> np.ndarray:
        if (node, clique) not in self._marginals:
            self._marginals[node, clique] = marginal(
                self._beliefs[node], self._tree.nodes[node], clique
            )
        return self._marginals[node, clique]

    def _check(self, clique: Clique) -> None:
        cells = self._tree.domain.cells(clique)
        if cells > MAX_CELLS:
            raise ValueError(
                f"the projection would pass through a table of {cells} cells, the limit is"
                f" {MAX_CELLS}: "
                f"ask for fewer attributes at once, or sample"
            )
