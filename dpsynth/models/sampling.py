"""Rows from a calibrated tree with little more noise than rounding.

Plain draws add to a model the error of a second sample. Here each node hands out its cells by *systematic sampling*
(Madow 1949): the rows that agree on the separator, m of them in random order, take the positions (rank + u) / m on the
conditional distribution, so that each cell is given floor or ceil of what it expects. Ranks are a fresh random
permutation at every node and u is uniform, one for each group: a single row follows the model exactly, and rows are
exchangeable. For Adult and as many rows as it has, one-way counts are ten times nearer to the model than plain draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dpsynth.domain import Clique, Domain
from dpsynth.models.base import Codes, code_dtype
from dpsynth.models.junction_tree import JunctionTree


def sample_tree(tree: JunctionTree, beliefs: Sequence[np.ndarray], n: int, rng: np.random.Generator) -> Codes:
    """n rows from the distribution of which `beliefs` are the node marginals, columns in the order of the domain."""
    columns: Codes = {}
    for node, separator, belief in zip(tree.nodes, tree.separators, beliefs, strict=True):
        groups = _cell_numbers(tree.domain, separator, columns, n)
        conditional = belief.reshape(tree.domain.cells(separator), -1)
        counts = _systematic_counts(conditional, np.bincount(groups.view(np.int64), minlength=len(conditional)), rng)
        order = shuffle_within(groups, len(conditional), rng)
        given = np.flatnonzero(counts)
        times, cells = counts.ravel()[given], given % conditional.shape[1]
        for attribute in reversed(node[len(separator) :]):
            cells, codes = np.divmod(cells, tree.domain.size(attribute))
            columns[attribute] = np.empty(n, code_dtype(tree.domain.size(attribute)))
            columns[attribute][order] = np.repeat(codes.astype(columns[attribute].dtype), times)
    return {attribute: columns[attribute] for attribute in tree.domain.attributes}


def shuffle_within(groups: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """The positions of `groups` (unsigned, below `number`), sorted by group, in uniformly random order within each.

    Sorts integers that hold group, random bits and position from the top down: several times faster than a
    permutation followed by a stable argsort. The few rows that drew equal bits are shuffled again among themselves.
    """
    n = len(groups)
    low, high = (n - 1).bit_length(), (number - 1).bit_length()
    keys = rng.integers(0, 2**64 - 1, size=n, dtype=np.uint64, endpoint=True)
    keys >>= np.uint64(low + high)
    keys <<= np.uint64(low)
    keys |= np.arange(n, dtype=np.uint64)
    if high:
        keys |= groups << np.uint64(64 - high)
    keys.sort()
    order = (keys & np.uint64(2**low - 1)).view(np.int64)
    keys >>= np.uint64(low)
    tied = keys[1:] == keys[:-1]
    if tied.any():
        follows = np.concatenate([[False], tied])
        tied = np.flatnonzero(follows | np.concatenate([tied, [False]]))
        runs = np.cumsum(~follows[tied], dtype=np.uint64) - np.uint64(1)
        order[tied] = order[tied[shuffle_within(runs, int(runs[-1]) + 1, rng)]]
    return order


def _systematic_counts(conditional: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How many rows of each group take each cell: sizes[g] * conditional[g] / its sum, rounded at random.

    Shape of `conditional`; each row of the result sums to sizes[g].
    """
    counts = np.zeros(conditional.shape, np.int64)
    present = np.flatnonzero(sizes)
    steps = np.cumsum(conditional[present], axis=1)
    mass = steps[:, -1:].copy()
    steps /= np.where(mass > 0, mass, 1.0)  # exactly one from the last possible cell on
    steps[:, -1] = 1.0
    steps *= sizes[present, None]
    steps -= rng.random((len(present), 1))
    counts[present] = np.diff(np.ceil(steps), axis=1, prepend=0)
    return counts


def _cell_numbers(domain: Domain, clique: Clique, columns: Codes, n: int) -> np.ndarray:
    numbers = np.zeros(n, np.uint64)
    for attribute in clique:
        numbers *= np.uint64(domain.size(attribute))
        numbers += columns[attribute]
    return numbers
