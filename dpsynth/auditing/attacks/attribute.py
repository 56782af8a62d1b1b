"""Attribute disclosure: what a release tells of one person's secret, beyond anybody else's.

A model of the population predicts secrets too, and no release that is of use could prevent it. So
every guess is made for training records and for a holdout alike, from the same other columns, and
only the difference counts. A guess is right when it falls into the secret's bin (a category, or one
of at most 12 bins of an ordered column).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsqr

from dpsynth.auditing.attacks.marginals import all_cliques, cells_of
from dpsynth.auditing.attacks.membership import Scene
from dpsynth.base.domain import Clique

_DAMPING = 1.0
"""Of the least squares, in records: a cell of one record moves its secret half of the way."""
_ITERATIONS = 50
"""Of the solver: what further ones add is below the noise of the cells."""


def nearest_guess(scene: Scene, secret: str) -> np.ndarray:
    """1 where the synthetic record that is nearest by all other columns has the secret, else 0."""
    guess = scene.synthetic.bins[secret][scene.without[secret].rows[:, 0]]
    found: np.ndarray = (guess == scene.records.bins[secret]).astype(np.float64)
    return found


def correct_attribution(scene: Scene, secret: str, keys: Sequence[str]) -> np.ndarray:
    """The share of the synthetic records with the same keys that have the secret too.

    It is 0 where none has the same keys.

    CAP, the correct attribution probability (Elliot 2014; Taub et al. 2018), which is usually read
    without a control.
    """
    mine, released = cells_of([scene.records, scene.synthetic], tuple(keys))
    both_mine, both = cells_of([scene.records, scene.synthetic], (*keys, secret))
    alike = _count(released, mine)
    right = _count(both, both_mine)
    return right / np.maximum(alike, 1)


def reconstruction(scene: Scene, secret: str, rng: np.random.Generator) -> np.ndarray:
    """The chance given to the truth by linear reconstruction.

    (Annamalai, Gadotti, Rocher, arXiv 2301.10053.) The secret is whether a record is in the
    column's most frequent bin. For each cell of every pair of other columns the release says which
    part has it; the secrets that agree best with all of these are found by least squares.
    """
    frequent = np.bincount(scene.synthetic.bins[secret]).argmax()
    truth = scene.records.bins[secret] == frequent
    released = scene.synthetic.bins[secret] == frequent
    columns = tuple(c for c in scene.records.columns if c != secret)
    blocks = []
    targets = []
    for clique in all_cliques(columns, (min(2, len(columns)),), rng):
        block, target = _equations(scene, clique, released)
        blocks.append(block)
        targets.append(target)
    # The unknowns are each record's chance of the secret, less the share of all that have it.
    found = lsqr(
        sparse.vstack(blocks, format="csr"),
        np.concatenate(targets),
        damp=_DAMPING,
        iter_lim=_ITERATIONS,
    )[0]
    chance = np.clip(released.mean() + found, 0, 1)
    return np.where(truth, chance, 1 - chance)


def _equations(
    scene: Scene,
    clique: Clique,
    released: np.ndarray,
) -> tuple[sparse.csr_array, np.ndarray]:
    """For each cell: its records' secrets add up to what the release says of it.

    Each equation is divided by the root of the cell's size, the standard deviation of such a sum
    but for a factor. A cell that the release leaves empty says nothing, and gets weight 0.
    """
    mine, cells = cells_of([scene.records, scene.synthetic], clique)
    names, number = np.unique(mine, return_inverse=True)
    size = np.bincount(number)
    share = _share(cells, released, names)
    known = ~np.isnan(share)
    weight = known / np.sqrt(size)
    shape = (names.size, number.size)
    block = sparse.csr_array((weight[number], (number, np.arange(number.size))), shape)
    target = np.where(known, weight * size * (share - released.mean()), 0.0)
    return block, target


def _count(among: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """For each of `cells` how many of the others are equal to it."""
    ordered = np.sort(among)
    return np.searchsorted(ordered, cells, "right") - np.searchsorted(ordered, cells, "left")


def _share(cells: np.ndarray, flags: np.ndarray, names: np.ndarray) -> np.ndarray:
    """The share of the flags in each named cell; NaN where the cell is empty."""
    place = np.searchsorted(names, cells)
    inside = (place < names.size) & (names[np.minimum(place, names.size - 1)] == cells)
    total = np.bincount(place[inside], minlength=names.size)
    flagged = np.bincount(place[inside], weights=flags[inside], minlength=names.size)
    return np.where(total > 0, flagged / np.maximum(total, 1), np.nan)
