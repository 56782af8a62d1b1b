"""Which joint tables to count, so that many marginals follow from few passes over the rows. Public arithmetic.

A proposal only: `door/counting.py` counts what is proposed, and takes a marginal from a table that holds all of its
attributes or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dpsynth.base.domain import Clique, Domain

_JOINT_CELLS = 1 << 14
"""Of a joint table at most: it stays in the processor's cache."""


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
