"""Singling out, linkability and near-copies: the failures of anonymity that Opinion 05/2014 of the Article 29 Working
Party (WP 216) names, each measured against a holdout.

Singling out: a rule read off the release ("age 31 to 33 and from Ulm") that one record alone meets (Cohen and Nissim,
arXiv 1904.06009). Linkability: two parts of a record, known to come from the same person because both are nearest to
the same synthetic record.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from dpsynth.auditing.attacks.marginals import cells_of
from dpsynth.auditing.attacks.membership import Scene
from dpsynth.auditing.attacks.neighbours import nearest

RULES = 6000
_CLIQUES = 100
_LARGEST_CLIQUE = 6
_MOST_MATCHES = 40
_NEAR = 0.01


def near_copies(scene: Scene) -> np.ndarray:
    """1 for a record with a synthetic one nearer than its nearest other record is to all but 1 % of records."""
    near = np.quantile(scene.real.squared[:, 0], _NEAR)
    found: np.ndarray = (scene.released.squared[:, 0] <= near).astype(np.float64)
    return found


def single_column_rules(scene: Scene, rng: np.random.Generator) -> sparse.csr_array:
    """Rules "this column has this value", for values that one synthetic record alone has. Shape (rules, records)."""
    values = [(scene.records.ranks[:, i], scene.synthetic.ranks[:, i]) for i in range(len(scene.records.ordered))]
    nominal = range(len(scene.records.nominal))
    values += [(scene.records.categories[:, i], scene.synthetic.categories[:, i]) for i in nominal]
    each = max(1, RULES // len(values))
    return _stack([_rules(mine, released, each, rng) for mine, released in values], len(scene.records))


def many_column_rules(scene: Scene, rng: np.random.Generator) -> sparse.csr_array:
    """Rules "these columns have values in these bins", for sets of 3 to 6 columns and cells that one synthetic record
    alone is in. Shape (rules, records).
    """
    columns = scene.records.columns
    found = []
    for _ in range(_CLIQUES):
        size = min(int(rng.integers(3, _LARGEST_CLIQUE + 1)), len(columns))
        clique = tuple(columns[i] for i in sorted(rng.choice(len(columns), size, replace=False)))
        mine, released = cells_of([scene.records, scene.synthetic], clique)
        found.append(_rules(mine, released, RULES // _CLIQUES, rng))
    return _stack(found, len(scene.records))


def linked(scene: Scene, left: Sequence[str], right: Sequence[str]) -> np.ndarray:
    """1 for a record whose two parts have the same nearest synthetic record, or equal ones."""
    parts = [nearest(scene.records, scene.synthetic, 1, columns=part).rows[:, 0] for part in (left, right)]
    same = [scene.synthetic.same[rows] for rows in parts]
    found: np.ndarray = (same[0] == same[1]).astype(np.float64)
    return found


def halves(columns: Sequence[str], rng: np.random.Generator) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns, dealt into two parts."""
    order = rng.permutation(len(columns))
    middle = len(columns) // 2
    return tuple(columns[i] for i in sorted(order[:middle])), tuple(columns[i] for i in sorted(order[middle:]))


def _rules(mine: np.ndarray, released: np.ndarray, most: int, rng: np.random.Generator) -> sparse.csr_array:
    """One row for each of up to `most` values that are there once in the release: which records have it too."""
    values, counts = np.unique(
        released[~np.isnan(released)] if released.dtype.kind == "f" else released, return_counts=True
    )
    alone = values[counts == 1]
    alone = np.sort(rng.permutation(alone)[:most])
    if not alone.size:
        return sparse.csr_array((0, mine.size))
    place = np.minimum(np.searchsorted(alone, mine), alone.size - 1)
    has = np.flatnonzero(alone[place] == mine)
    found = sparse.csr_array((np.ones(has.size), (place[has], has)), (alone.size, mine.size))
    return found[np.asarray(found.sum(axis=1)).reshape(-1) <= _MOST_MATCHES]


def _stack(parts: Sequence[sparse.csr_array], records: int) -> sparse.csr_array:
    if not any(part.shape[0] for part in parts):
        return sparse.csr_array((0, records))
    return sparse.csr_array(sparse.vstack([part for part in parts if part.shape[0]], format="csr"))
