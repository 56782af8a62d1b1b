"""Which joint tables to count, so that many marginals follow from few passes over the rows.

Public arithmetic, and a proposal only: `door/counting.py` counts what is proposed, and takes a
marginal from a table that holds all of its attributes or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dpsynth.base.domain import Clique, Domain

JOINT_CELLS = 1 << 14
"""The most cells of a joint table: with 8 bytes a cell it stays in a processor's cache."""


def cover(domain: Domain, cliques: Sequence[Clique]) -> list[Clique]:
    """Joint tables from which every clique follows by summing.

    One count of (a, b, c) gives the pairs (a, b), (a, c) and (b, c), in a third of the passes over
    the rows, as long as the joint table stays in the processor's cache. Greedy: start from a pair
    that is missing, then add the attribute that completes most pairs.
    """
    joints = [domain.ordered(c) for c in cliques if len(c) > 2]
    joints += _cover_pairs(domain, [c for c in cliques if len(c) == 2])
    counted = {a for joint in joints for a in joint}
    joints += [c for c in cliques if len(c) == 1 and c[0] not in counted]
    # Where only the total is asked for, any one column gives it.
    return list(dict.fromkeys(joints)) or [domain.attributes[:1]]


def _cover_pairs(domain: Domain, pairs: Sequence[Clique]) -> list[Clique]:
    """Joint tables that hold all of these pairs."""
    index = {a: i for i, a in enumerate(domain.attributes)}
    missing = np.zeros((len(index), len(index)), dtype=bool)
    for a, b in pairs:
        missing[index[a], index[b]] = True
        missing[index[b], index[a]] = True
    sizes = np.array([size for _, size in domain.sizes], dtype=np.float64)
    joints = []
    for i, j in zip(*np.nonzero(np.triu(missing)), strict=True):
        if missing[i, j]:
            joint = _grow([int(i), int(j)], missing, sizes)
            missing[np.ix_(joint, joint)] = False
            joints.append(domain.ordered(domain.attributes[k] for k in joint))
    return joints


def _grow(joint: list[int], missing: np.ndarray, sizes: np.ndarray) -> list[int]:
    """The joint table with attributes added, while one of them completes a pair and fits."""
    cells = float(np.prod(sizes[joint]))
    while True:
        gain = missing[:, joint].sum(axis=1)
        gain[joint] = 0
        gain[cells * sizes > JOINT_CELLS] = 0
        best = int(np.argmax(gain))
        if gain[best] == 0:
            return joint
        joint.append(best)
        cells *= sizes[best]
