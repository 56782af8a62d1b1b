"""Backend: where coded rows come from; and the one kernel that counts them.

Counts add over partitions, so memory, a file larger than memory, a database and a cluster differ only in where the
partitions come from. Nothing here knows of privacy: exact counts go to `PrivateTable`, which closes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from dpsynth.base.domain import Clique, Domain

_BLOCK = 1 << 14
_JOINT_CELLS = 1 << 14


class Backend(Protocol):
    """Law: the union of the partitions is the table, whatever the partitions are."""

    def partitions(self, attributes: Sequence[str]) -> Iterable[Mapping[str, np.ndarray]]:
        """Pieces of the table: for each attribute (one or more) an integer array of codes, all of one length."""
        ...


def count(backend: Backend, domain: Domain, cliques: Sequence[Clique]) -> dict[Clique, np.ndarray]:
    """Exact counts of every clique, in one pass over the rows; int64 arrays of shape domain.shape(clique)."""
    joints = cover(domain, cliques)
    tables = {joint: np.zeros(domain.cells(joint), dtype=np.int64) for joint in joints}
    attributes = domain.ordered(a for joint in joints for a in joint)
    for codes in backend.partitions(attributes):
        for start in range(0, len(codes[attributes[0]]), _BLOCK):
            block = {a: codes[a][start : start + _BLOCK].astype(np.intp) for a in attributes}
            for joint, table in tables.items():
                table += np.bincount(_cell(block, joint, domain), minlength=table.size)
    counts = {joint: table.reshape(domain.shape(joint)) for joint, table in tables.items()}
    return {clique: _from_joint(clique, counts) for clique in cliques}


def cover(domain: Domain, cliques: Sequence[Clique]) -> list[Clique]:
    """Joint tables from which every clique follows by summing, so that the rows are counted fewer times.

    One count of (a, b, c) gives the pairs (a, b), (a, c), (b, c): a third of the passes, as long as the joint table
    stays in the processor's cache. Greedy: start from a missing pair, add the attribute that completes most pairs.
    """
    joints = [domain.ordered(c) for c in cliques if len(c) > 2]
    joints += _cover_pairs(domain, [c for c in cliques if len(c) == 2])
    counted = {a for joint in joints for a in joint}
    joints += [c for c in cliques if len(c) == 1 and c[0] not in counted]
    return list(dict.fromkeys(joints)) or [domain.attributes[:1]]


def _cover_pairs(domain: Domain, pairs: Sequence[Clique]) -> list[Clique]:
    index = {a: i for i, a in enumerate(domain.attributes)}
    missing = np.zeros((len(index), len(index)), dtype=bool)
    for a, b in pairs:
        missing[index[a], index[b]] = missing[index[b], index[a]] = True
    sizes = np.array([size for _, size in domain.sizes], dtype=np.float64)
    joints = []
    for i, j in zip(*np.nonzero(np.triu(missing)), strict=True):
        if missing[i, j]:
            joint = _grow([int(i), int(j)], missing, sizes)
            missing[np.ix_(joint, joint)] = False
            joints.append(domain.ordered(domain.attributes[k] for k in joint))
    return joints


def _grow(joint: list[int], missing: np.ndarray, sizes: np.ndarray) -> list[int]:
    cells = float(np.prod(sizes[joint]))
    while True:
        gain = missing[:, joint].sum(axis=1)
        gain[joint] = 0
        gain[cells * sizes > _JOINT_CELLS] = 0
        best = int(np.argmax(gain))
        if gain[best] == 0:
            return joint
        joint.append(best)
        cells *= sizes[best]


def _cell(block: Mapping[str, np.ndarray], joint: Clique, domain: Domain) -> np.ndarray:
    cell = block[joint[0]]
    for a in joint[1:]:
        cell = cell * domain.size(a)
        cell += block[a]
    return cell


def _from_joint(clique: Clique, counts: Mapping[Clique, np.ndarray]) -> np.ndarray:
    joint = min((j for j in counts if set(clique) <= set(j)), key=lambda j: counts[j].size)
    axes = tuple(i for i, a in enumerate(joint) if a not in clique)
    kept = [a for a in joint if a in clique]
    return counts[joint].sum(axis=axes).transpose([kept.index(a) for a in clique])
