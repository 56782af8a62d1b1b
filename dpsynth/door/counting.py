"""Backend: where coded rows come from; and the one kernel that counts them.

Counts add over partitions, so memory, a file larger than memory, a database and a cluster differ only in where the
partitions come from. Nothing here knows of privacy: exact counts go to `PrivateTable`, which closes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from dpsynth.base.cover import cover
from dpsynth.base.domain import Clique, Domain

_BLOCK = 1 << 14

Counting: TypeAlias = Callable[[Iterable[Mapping[str, np.ndarray]]], np.ndarray]
"""Counts of the rows of some partitions, as int64; they add over partitions."""


class Backend(Protocol):
    """Law: the union of the partitions is the table, whatever the partitions are."""

    def partitions(self, attributes: Sequence[str]) -> Iterable[Mapping[str, np.ndarray]]:
        """Pieces of the table: for each attribute (one or more) an integer array of codes, all of one length."""
        ...


@runtime_checkable
class Shared(Protocol):
    """Coded rows that lie in shares on other machines, and are counted there."""

    def told(self, attributes: Sequence[str], work: Counting) -> list[np.ndarray]:
        """What `work` returns of the partitions of each share, once."""
        ...


class MemoryBackend:
    """Coded rows held in memory.

    codes: for each attribute of the domain a one-dimensional integer array, all of one length.

    A code outside the domain is brought to the nearest cell: a value never makes a fit fail.
    """

    def __init__(self, codes: Mapping[str, np.ndarray], domain: Domain) -> None:
        missing = [a for a in domain.attributes if a not in codes]
        if missing:
            raise ValueError(f"codes lack the attributes {missing}")
        if len({len(codes[a]) for a in domain.attributes}) > 1:
            raise ValueError("codes must have one length for every attribute")
        for a in domain.attributes:
            if np.asarray(codes[a]).dtype.kind not in "iu":
                raise TypeError(f"codes of {a!r} must be integers")
        self._codes = {a: np.clip(codes[a], 0, domain.size(a) - 1) for a in domain.attributes}

    def partitions(self, attributes: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        yield {a: self._codes[a] for a in attributes}


def count(backend: Backend | Shared, domain: Domain, cliques: Sequence[Clique]) -> dict[Clique, np.ndarray]:
    """Exact counts of every clique, in one pass over the rows; int64 arrays of shape domain.shape(clique)."""
    joints = sorted(cover(domain, cliques), key=domain.cells)  # the first that holds a clique is the smallest
    if any(len({*joint}) < len(joint) for joint in joints):
        raise ValueError("a joint table holds an attribute twice")
    attributes = domain.ordered(a for joint in joints for a in joint)
    work = partial(_tables, domain, joints, attributes)
    if isinstance(backend, Shared):
        told = backend.told(attributes, work)
        whole = sum((np.asarray(each) for each in told), start=np.zeros(sum(map(domain.cells, joints)), dtype=np.int64))
    else:
        whole = work(backend.partitions(attributes))
    tables = dict(zip(joints, np.split(whole, np.cumsum([*map(domain.cells, joints)])[:-1]), strict=True))
    holding: dict[str, set[int]] = {a: set() for a in domain.attributes}
    for i, joint in enumerate(joints):
        for a in joint:
            holding[a].add(i)
    sources = [joints[min(set.intersection(*map(holding.__getitem__, c)))] if c else joints[0] for c in cliques]
    return {c: _from_joint(c, j, tables[j].reshape(domain.shape(j))) for c, j in zip(cliques, sources, strict=True)}


def _tables(
    domain: Domain, joints: Sequence[Clique], attributes: Sequence[str], partitions: Iterable[Mapping[str, np.ndarray]]
) -> np.ndarray:
    """The counts of all joint tables, one after another."""
    whole = np.zeros(sum(map(domain.cells, joints)), dtype=np.int64)
    tables = dict(zip(joints, np.split(whole, np.cumsum([*map(domain.cells, joints)])[:-1]), strict=True))
    for codes in partitions:
        for start in range(0, len(codes[attributes[0]]), _BLOCK):
            block = {a: codes[a][start : start + _BLOCK].astype(np.intp) for a in attributes}
            for joint, table in tables.items():
                table += np.bincount(_cell(block, joint, domain), minlength=table.size)
    return whole


def _cell(block: Mapping[str, np.ndarray], joint: Clique, domain: Domain) -> np.ndarray:
    cell = block[joint[0]]
    for a in joint[1:]:
        cell = cell * domain.size(a)
        cell += block[a]
    return cell


def _from_joint(clique: Clique, joint: Clique, table: np.ndarray) -> np.ndarray:
    axes = tuple(i for i, a in enumerate(joint) if a not in clique)
    kept = [a for a in joint if a in clique]
    return table.sum(axis=axes).transpose([kept.index(a) for a in clique])
