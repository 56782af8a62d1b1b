"""Small domains and sets of cliques, labelled by what they might break."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from dpsynth.base.domain import Domain

DOMAIN = Domain.of({"a": 2, "b": 3, "c": 4, "d": 1, "e": 3})

CASES = {
    "empty": [],
    "total": [()],
    "singletons": [("a",), ("c",)],
    "one pair": [("b", "a")],
    "chain": [("a", "b"), ("b", "c"), ("c", "e")],
    "star": [("c", "a"), ("c", "b"), ("c", "d"), ("c", "e")],
    "cycle": [("a", "b"), ("b", "c"), ("c", "e"), ("e", "a")],
    "disconnected": [("a", "b"), ("c", "e")],
    "nested": [("a", "b", "c"), ("b", "c"), ("c",), ("b", "a")],
    "overlapping": [("a", "b", "c"), ("b", "c", "e")],
    "one cell": [("d",), ("d", "a"), ("b", "d")],
    "complete": list(itertools.combinations("abce", 2)),
    "everything": [("e", "d", "c", "b", "a")],
}


TWO_TREES = (
    Domain.of({"u": 4, "v": 2, "w": 3, "x": 2, "y": 2}),
    [("v", "w"), ("w", "x", "u"), ("y", "u"), ("y", "v")],
)
"""Elimination joins attributes that no clique joins, and the tree of its nodes would be another."""


def potentials(domain, cliques, seed, scale=2.0):
    """A table of normal potentials for each clique."""
    rng = np.random.default_rng(seed)
    return {clique: rng.normal(0, scale, domain.shape(clique)) for clique in cliques}


@st.composite
def graphs(draw, max_cliques=6):
    """A domain of one to six attributes, and cliques of it."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    domain = Domain.of(dict(zip("uvwxyz", sizes, strict=False)))
    clique = st.permutations(domain.attributes).flatmap(lambda p: st.integers(0, len(p)).map(lambda k: tuple(p[:k])))
    return domain, draw(st.lists(clique, max_size=max_cliques, unique=True))
