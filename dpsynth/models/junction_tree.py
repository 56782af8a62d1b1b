"""JunctionTree: which attributes must be kept together so that a graphical model stays exact, and
its beliefs.

A set of cliques becomes a chordal graph by eliminating one attribute after another; the maximal
groups met on the way are the nodes, and a spanning tree with the largest separators joins them
(Koller and Friedman 2009, chapter 10). The tree also joins parts of the graph that no clique
connects, by empty separators; every attribute of the domain is in some node. Ties are broken by the
order of the domain, so that equal cliques give equal trees.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.factor import expand, marginal, quotient


@dataclass(frozen=True, eq=False)
class JunctionTree:
    """Which attributes must be kept together so that a graphical model stays exact.

    Nodes stand in rooted order: a parent comes before its children. `JunctionTree.of` builds one.

    Parameters
    ----------
    domain : Domain
        Of the table.
    nodes : tuple of tuple of str
        The attributes of each node, those shared with its parent (the separator) first.
    parents : tuple of int
        For each node the position of its parent; -1 for the first node, which is the root.
    separators : tuple of tuple of str
        The attributes that each node shares with its parent, in the parent's order.
    order : tuple of str
        Every attribute once, in the order in which it was eliminated.

    Examples
    --------
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"a": 2, "b": 3, "c": 4})
    >>> tree = JunctionTree.of(domain, [("a", "b"), ("b", "c")])
    >>> sorted(map(sorted, tree.nodes)), tree.cells
    ([['a', 'b'], ['b', 'c']], 18)
    >>> tree.host(("a", "c")) is None
    True
    """

    domain: Domain
    nodes: tuple[Clique, ...]
    parents: tuple[int, ...]
    separators: tuple[Clique, ...]
    order: Clique

    @classmethod
    def of(cls, domain: Domain, cliques: Iterable[Clique]) -> JunctionTree:
        """The smaller of the trees by least weighted fill and by least weight.

        A tree follows from its nodes, `JunctionTree.of(domain, tree.nodes)`: a file has these, and
        what is loaded must draw the rows of what was saved.
        """
        order, groups = _settled(domain, cliques)
        groups, parents = _span(groups)
        nodes: list[Clique] = []
        separators: list[Clique] = []
        for group, parent in zip(groups, parents, strict=True):
            (inside,) = _named(domain, [group])
            separator = tuple(a for a in nodes[parent] if a in inside) if parent >= 0 else ()
            separators.append(separator)
            nodes.append(separator + tuple(a for a in inside if a not in separator))
        return cls(
            domain,
            tuple(nodes),
            tuple(parents),
            tuple(separators),
            tuple(domain.attributes[i] for i in order),
        )

    @cached_property
    def cells(self) -> int:
        """The number of cells of all nodes together: what beliefs take in memory."""
        return sum(self.domain.cells(node) for node in self.nodes)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        below: list[list[int]] = [[] for _ in self.nodes]
        for node, parent in enumerate(self.parents[1:], start=1):
            below[parent].append(node)
        return tuple(map(tuple, below))

    @cached_property
    def homes(self) -> dict[str, int]:
        """For each attribute the node nearest the root that holds it."""
        homes: dict[str, int] = {}
        for position, node in enumerate(self.nodes):
            for attribute in node:
                homes.setdefault(attribute, position)
        return homes

    def part(self, domain: Domain, kept: Sequence[int]) -> JunctionTree:
        """The tree of some nodes, which no separator joins to others. domain: of their attributes.

        A node whose parent is not among them hangs from the first one by nothing.
        """
        place = {node: i for i, node in enumerate(kept)}
        return JunctionTree(
            domain,
            tuple(self.nodes[i] for i in kept),
            (-1, *(place.get(self.parents[i], 0) for i in kept[1:])),
            tuple(self.separators[i] for i in kept),
            tuple(a for a in self.order if a in domain.attributes),
        )

    def host(self, clique: Clique) -> int | None:
        """The smallest node that holds all of `clique`; None where no node does."""
        wanted = set(clique)
        # If a node holds them all, so does the home that is farthest from the root, by the running
        # intersection.
        if not wanted.issubset(self.nodes[max((self.homes[a] for a in clique), default=0)]):
            return None
        fitting = [i for i, node in enumerate(self.nodes) if wanted.issubset(node)]
        return min(fitting, key=lambda i: self.domain.cells(self.nodes[i]))

    def calibrate(self, potentials: Mapping[Clique, np.ndarray]) -> tuple[float, list[np.ndarray]]:
        """The logarithm of the partition function, and for each node its marginal distribution,
        axes as in `nodes`.

        The distribution is proportional to the exponential of the sum of the potentials; each
        potential's clique must lie inside a node.
        """
        logs: list[list[np.ndarray]] = [[] for _ in self.nodes]
        for clique, potential in potentials.items():
            host = self.host(clique)
            if host is None:
                raise ValueError(
                    f"the clique {clique} lies in no node of the tree, build the tree from it too"
                )
            logs[host].append(expand(potential, clique, self.nodes[host]))
        shift = 0.0
        tables = []
        for node, terms in zip(self.nodes, logs, strict=True):
            table = np.zeros(self.domain.shape(node))
            for term in sorted(terms, key=np.size):
                table += term
            top = float(table.max())
            shift += top
            table -= top
            tables.append(np.exp(table, out=table))
        log_mass, beliefs = self.propagate(tables)
        return log_mass + shift, beliefs

    def propagate(self, tables: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        """The log of the total mass of a product of non-negative node tables, and each node's
        marginal of it.

        Writes into the tables and returns them. Messages are scaled to a largest entry of one, so
        that hundreds of them multiply without underflow, and 0/0 is 0. No mass at all, or mass too
        far apart for doubles, gives minus infinity, and no meaning to the tables.
        """
        log_mass = 0.0
        messages: list[np.ndarray] = [np.ones(())] * len(tables)
        for i in reversed(range(len(tables))):
            message = self._onto_separator(tables[i], i)
            scale = float(message.max())
            if scale == 0:
                return -math.inf, tables
            log_mass += math.log(scale)
            messages[i] = message / scale
            if i:
                parent = self.parents[i]
                tables[parent] *= expand(messages[i], self.separators[i], self.nodes[parent])
        tables[0] /= tables[0].sum()
        for i in range(1, len(tables)):
            parent = self.parents[i]
            wanted = marginal(tables[parent], self.nodes[parent], self.separators[i])
            with np.errstate(over="ignore"):
                ratio = quotient(wanted, self._onto_separator(tables[i], i))
            if not np.isfinite(
                ratio
            ).all():  # mass that is lost below the least double on one side, and not on the other
                return -math.inf, tables
            tables[i] *= expand(ratio, self.separators[i], self.nodes[i])
        return log_mass, tables

    def _onto_separator(self, table: np.ndarray, node: int) -> np.ndarray:
        return marginal(table, self.nodes[node], self.separators[node])


def tree_cells(domain: Domain, cliques: Iterable[Clique]) -> int:
    """The cells that `JunctionTree.of(domain, cliques)` would have, without building it."""
    sizes = [size for _, size in domain.sizes]
    # nothing but attributes of one cell can make a tree smaller when it settles
    found = (_settled if 1 in sizes else _triangulate)(domain, cliques)
    return _cells(found[1], sizes)


def _settled(domain: Domain, cliques: Iterable[Clique]) -> tuple[list[int], list[int]]:
    """`_triangulate`, again and again of the groups, until these give themselves."""
    found = _triangulate(domain, cliques)
    while (again := _triangulate(domain, _named(domain, found[1]))) != found:
        found = again
    return found


def _triangulate(domain: Domain, cliques: Iterable[Clique]) -> tuple[list[int], list[int]]:
    """An elimination order and the maximal groups it meets; a group is an integer whose bits are
    attributes.
    """
    sizes = [size for _, size in domain.sizes]
    position = {attribute: i for i, attribute in enumerate(domain.attributes)}
    neighbours = [0] * len(sizes)
    for clique in cliques:
        members = [position[a] for a in clique]
        group = sum(1 << i for i in set(members))
        for i in members:
            neighbours[i] |= group & ~(1 << i)
    tries = [_eliminate(neighbours, sizes, fill_first) for fill_first in (True, False)]
    return min(tries, key=lambda found: _cells(found[1], sizes))


def _eliminate(
    neighbours: Sequence[int], sizes: Sequence[int], fill_first: bool
) -> tuple[list[int], list[int]]:
    """Greedy elimination by least weight of new edges, then fewest cells (or the other way round),
    then domain order.

    An edge weighs the logarithm of its cells. On random graphs of 10 to 24 attributes the smaller
    of the two trees has 12 % fewer cells than where edges are counted alike.
    """
    around = list(neighbours)
    logs = [math.log(size) for size in sizes]

    def price(v: int) -> tuple[float, float, int]:
        others = list(_bits(around[v]))
        fill = round(sum(logs[u] * ((around[v] & ~around[u]).bit_count() - 1) for u in others), 9)
        weight = round(logs[v] + sum(logs[u] for u in others), 9)
        return (fill, weight, v) if fill_first else (weight, fill, v)

    prices = {v: price(v) for v in range(len(sizes))}
    cheapest = sorted(prices.values())  # a heap, in which prices that have changed stay behind
    order: list[int] = []
    groups: list[int] = []
    holding: list[list[int]] = [[] for _ in sizes]  # the groups so far that hold each attribute
    while prices:
        *_, v = found = heapq.heappop(cheapest)
        if prices.get(v) != found:
            continue
        group = around[v]
        del prices[v]
        order.append(v)
        touched = group
        for u in _bits(group):
            new = group & ~around[u] & ~(1 << u)
            if new:
                touched |= around[u]
            around[u] = (around[u] | new) & ~(1 << v)
        whole = group | 1 << v
        if not any(whole & ~other == 0 for other in holding[v]):
            groups.append(whole)
            for u in _bits(group):
                holding[u].append(whole)
        for u in _bits(touched & ~(1 << v)):
            prices[u] = price(u)
            heapq.heappush(cheapest, prices[u])
    return order, groups


def _span(groups: Sequence[int]) -> tuple[list[int], list[int]]:
    """The groups in rooted order and their parents, by Prim's maximum spanning tree on the
    separators' sizes.
    """
    rest = dict.fromkeys(range(1, len(groups)), 0)
    best = {i: (groups[i] & groups[0]).bit_count() for i in rest}
    found = [groups[0]]
    parents = [-1]
    while rest:
        i = max(rest, key=lambda j: best[j])
        parents.append(rest.pop(i))
        found.append(groups[i])
        for j in rest:
            shared = (groups[i] & groups[j]).bit_count()
            if shared > best[j]:
                best[j] = shared
                rest[j] = len(found) - 1
    return found, parents


def _named(domain: Domain, groups: Iterable[int]) -> list[Clique]:
    return [tuple(domain.attributes[i] for i in _bits(group)) for group in groups]


def _cells(groups: Iterable[int], sizes: Sequence[int]) -> int:
    return sum(math.prod(sizes[i] for i in _bits(group)) for group in groups)


def _bits(group: int) -> Iterator[int]:
    while group:
        low = group & -group
        yield low.bit_length() - 1
        group ^= low
