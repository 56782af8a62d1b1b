"""Singling out, linkability and near-copies, each measured against a holdout.

The first two are failures of anonymity that Opinion 05/2014 of the Article 29 Working Party
(WP 216) names.

Singling out: a rule read off the release ("age 31 to 33 and from Ulm") that one record alone meets
(Cohen and Nissim, arXiv 1904.06009). Linkability: two parts of a record, taken to come from the
same person because one synthetic record is near to both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from dpsynth.auditing.attacks.marginals import cells_of
from dpsynth.auditing.attacks.membership import Scene
from dpsynth.auditing.attacks.neighbours import nearest
from dpsynth.base.domain import Clique

RULES = 6000
"""Of each kind: a rate among so many is known to about 0.013 either way at 95 %."""
_CLIQUES = 100
"""Sets of columns, with 60 rules each, so that no set decides."""
_SMALLEST_CLIQUE = 3
_LARGEST_CLIQUE = 6
"""Columns of a rule: fewer seldom isolate anybody, more isolate everybody."""
_MAX_MATCHES = 40
"""A rule that more real records meet hardly ever has one of them alone, and takes memory."""
SHARED = 5
"""Synthetic records near each part of a record: of 1, 5, 10 and 20, the number by which most
training records of noisy, smoothed and copied releases of adult were linked, less the holdout's."""
_NEAR = 0.01
"""The share of real records that have a neighbour as near as a near-copy."""


def near_copies(scene: Scene) -> np.ndarray:
    """1 for each record with a near-copy among the synthetic ones, else 0.

    A synthetic record is a near-copy if it is as near as, for 1 % of the records, another real one
    is.
    """
    near = np.quantile(scene.real.squared[:, 0], _NEAR)
    found: np.ndarray = (scene.released.squared[:, 0] <= near).astype(np.float64)
    return found


def single_column_rules(scene: Scene, rng: np.random.Generator) -> sparse.csr_array:
    """Rules "this column has this value", for values that one synthetic record alone has.

    Shape (rules, records).
    """
    mine = [*scene.records.ranks.T, *scene.records.categories.T]
    released = [*scene.synthetic.ranks.T, *scene.synthetic.categories.T]
    alone = [_alone(column) for column in released]
    found = []
    # Columns with few such values leave room to those with many.
    order = sorted(range(len(alone)), key=lambda i: alone[i].size)
    room = RULES
    for columns_left, i in zip(range(len(order), 0, -1), order, strict=True):
        most = room // columns_left
        room -= min(most, alone[i].size)
        found.append(_rules(mine[i], alone[i], most, rng))
    return _stack(found, len(scene.records))


def many_column_rules(scene: Scene, rng: np.random.Generator) -> sparse.csr_array:
    """Rules "these columns have values in these bins", for cells of one synthetic record alone.

    Each is about 3 to 6 columns. Shape (rules, records).
    """
    columns = scene.records.columns
    found = []
    for _ in range(_CLIQUES):
        size = int(rng.integers(_SMALLEST_CLIQUE, _LARGEST_CLIQUE + 1))
        size = min(size, len(columns))
        clique = tuple(columns[i] for i in sorted(rng.choice(len(columns), size, replace=False)))
        mine, released = cells_of([scene.records, scene.synthetic], clique)
        found.append(_rules(mine, _alone(released), RULES // _CLIQUES, rng))
    return _stack(found, len(scene.records))


def linked(
    scene: Scene, left: Sequence[str], right: Sequence[str], most: int = SHARED
) -> dict[int, np.ndarray]:
    """For 1 and for `most` neighbours: 1 for a record whose two parts share a near synthetic one.

    Each part has that many nearest synthetic records, in units of the columns' spread; the parts
    are linked where one of these is, or equals, one of the other part's (Giomi et al., arXiv
    2211.10459).
    """
    near = [_nearest_records(scene, columns, most) for columns in (left, right)]
    found = {}
    for k in dict.fromkeys((1, most)):
        by_left, by_right = (rows[:, :k] for rows in near)
        shared = (by_left[:, :, None] == by_right[:, None, :]).any(axis=(1, 2))
        found[k] = shared.astype(np.float64)
    return found


def _nearest_records(scene: Scene, columns: Sequence[str], k: int) -> np.ndarray:
    """The nearest synthetic records by these columns, as numbers that equal records share."""
    near = nearest(scene.records, scene.synthetic, k, columns=columns, by="spreads")
    found: np.ndarray = scene.synthetic.same[near.rows]
    return found


def halves(columns: Sequence[str], rng: np.random.Generator) -> tuple[Clique, Clique]:
    """The columns, dealt into two parts, each in the columns' order."""
    order = rng.permutation(len(columns))
    middle = len(columns) // 2
    left = tuple(columns[i] for i in sorted(order[:middle]))
    right = tuple(columns[i] for i in sorted(order[middle:]))
    return left, right


def _alone(released: np.ndarray) -> np.ndarray:
    """The values that are in the release once."""
    known = released[~np.isnan(released)] if released.dtype.kind == "f" else released
    values, counts = np.unique(known, return_counts=True)
    found: np.ndarray = values[counts == 1]
    return found


def _rules(
    mine: np.ndarray,
    values: np.ndarray,
    most: int,
    rng: np.random.Generator,
) -> sparse.csr_array:
    """Rules for up to `most` of the values: which records have them too."""
    alone = np.sort(rng.permutation(values)[:most])
    if not alone.size:
        return sparse.csr_array((0, mine.size))
    # Where each real record's value would stand among these, and whether it is there.
    place = np.minimum(np.searchsorted(alone, mine), alone.size - 1)
    has = np.flatnonzero(alone[place] == mine)
    found = sparse.csr_array((np.ones(has.size), (place[has], has)), (alone.size, mine.size))
    matches: np.ndarray = np.asarray(found.sum(axis=1)).reshape(-1)
    return found[matches <= _MAX_MATCHES]


def _stack(parts: Sequence[sparse.csr_array], records: int) -> sparse.csr_array:
    """The rules of all parts, one below the other."""
    full = [part for part in parts if part.shape[0]]
    if not full:
        return sparse.csr_array((0, records))
    return sparse.csr_array(sparse.vstack(full, format="csr"))
