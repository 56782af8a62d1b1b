"""Membership inference: scores that are higher for records that the release gives away.

Every attack sees the release and all real records at hand, unlabelled: it knows the population but
not who of it was used. Each record is left out of the population when it is scored. This attacker
knows more than a real one, and because no score looks at the labels, dealing them anew is an exact
test.

* distance: minus the distance to the nearest synthetic record. Ranks dense regions first, and is
  blind to leaks that move every record a long way.
* calibrated distance: the distance to the nearest other real record less that to the nearest
  synthetic one. Blind to the same leaks.
* distance in spreads, calibrated distance in spreads: the same two, in units of the columns'
  spread instead of ranks. See more where noise was added to the records' numbers.
* partial distance: the most by which, without some one column, the nearest synthetic record is
  nearer than the nearest other real one. Finds records that were moved along one column, however
  far; blind to changes of several columns.
* density ratio: log of kernel densities at the record, release over population (as DOMIAS,
  arXiv 2302.12580). Weak with few synthetic rows and many columns.
* local likelihood: how much likelier the population makes a record's synthetic neighbours once it
  holds that record (as Gen-LRA, arXiv 2508.21146). Blind to leaks far from the record.
* marginal ratio: see `marginals`; of pairs, of triples, and of focal marginals that the caller
  names. Blind to leaks that no such marginal shows.
* shadow models: see `shadow`; where the synthesizer can be run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import stats

from dpsynth.auditing.attacks.marginals import all_cliques, marginal_ratio
from dpsynth.auditing.attacks.neighbours import Neighbours, log_kernel_sum, nearest, nearest_without
from dpsynth.auditing.attacks.records import Records
from dpsynth.auditing.attacks.shadow import Shadows, shadow_scores
from dpsynth.base.domain import Clique

NEIGHBOURS = 5
"""Enough to say how dense a region is, few enough to stay in it."""
_MIN_BANDWIDTH = 1e-3
"""h^2: tells ranks apart by some percent, where a record has equals."""
_MIN_MASS = 1e-3
"""Of a kernel sum: the weight of what nobody has seen, in records."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What an attacker sees.

    Parameters
    ----------
    records : Records
        To be told apart, unlabelled.
    synthetic : Records
        The release.
    others : Records, optional
        Further real records of the population, known to be none of them.
    focal : sequence of Clique
        Marginals that the synthesizer is known to keep.
    rng_seed : int
        Of the draws of marginals.
    shadows : Shadows, optional
        What the synthesizer makes of other tables.
    """

    records: Records
    synthetic: Records
    others: Records | None = None
    focal: Sequence[Clique] = ()
    rng_seed: int = field(default=0)
    shadows: Shadows | None = None

    @cached_property
    def population(self) -> Records:
        """All real records, those to be told apart first."""
        return self.records if self.others is None else self.records.joined(self.others)

    @cached_property
    def released(self) -> Neighbours:
        """The nearest synthetic records."""
        return nearest(self.records, self.synthetic, NEIGHBOURS, columns=self.records.columns)

    @cached_property
    def real(self) -> Neighbours:
        """The nearest other real records."""
        columns = self.records.columns
        return nearest(self.records, self.population, NEIGHBOURS, columns=columns, own=True)

    @cached_property
    def released_in_spreads(self) -> Neighbours:
        """The nearest synthetic record, in units of the columns' spread."""
        columns = self.records.columns
        return nearest(self.records, self.synthetic, 1, columns=columns, by="spreads")

    @cached_property
    def real_in_spreads(self) -> Neighbours:
        """The nearest other real record, in units of the columns' spread."""
        columns = self.records.columns
        return nearest(self.records, self.population, 1, columns=columns, own=True, by="spreads")

    @cached_property
    def without(self) -> dict[str, Neighbours]:
        """For each column the nearest synthetic record by all the others."""
        return nearest_without(self.records, self.synthetic)


def membership_scores(scene: Scene) -> dict[str, np.ndarray]:
    """A score for each record by each attack, higher for members."""
    rng = np.random.default_rng(scene.rng_seed)
    columns = scene.records.columns
    found = {
        "distance": -_distance(scene.released),
        "calibrated distance": _distance(scene.real) - _distance(scene.released),
        "distance in spreads": -_distance(scene.released_in_spreads),
        "calibrated distance in spreads": (
            _distance(scene.real_in_spreads) - _distance(scene.released_in_spreads)
        ),
        "partial distance": _partial_distance(scene),
        "density ratio": _density_ratio(scene),
        "local likelihood": _local_likelihood(scene),
        "marginal ratio, pairs": _marginal_ratio(scene, all_cliques(columns, (1, 2), rng)),
    }
    if len(columns) > 2:
        found["marginal ratio, triples"] = _marginal_ratio(scene, all_cliques(columns, (3,), rng))
    if scene.focal:
        found["marginal ratio, focal"] = _marginal_ratio(scene, scene.focal)
    if scene.shadows is not None:
        found |= shadow_scores(scene.records, scene.synthetic, scene.shadows, rng)
    return found


def ensemble(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """The mean of the ranks."""
    mean: np.ndarray = np.mean([stats.rankdata(s) for s in scores.values()], axis=0)
    return mean


def _distance(neighbours: Neighbours) -> np.ndarray:
    found: np.ndarray = np.sqrt(neighbours.squared[:, 0])
    return found


def _partial_distance(scene: Scene) -> np.ndarray:
    """The most by which, one column left out, the release is nearer than the other real records."""
    if len(scene.records.columns) < 2:
        return _distance(scene.real) - _distance(scene.released)
    real = nearest_without(scene.records, scene.population, own=True)
    gaps = []
    for column, released in scene.without.items():
        gaps.append(_distance(real[column]) - _distance(released))
    most: np.ndarray = np.max(gaps, axis=0)
    return most


def _bandwidth(neighbours: Neighbours) -> np.ndarray:
    """h^2 at each record: its fifth neighbour is three h away.

    There the kernel is e^-4.5, so that nearer records outweigh all that are farther.
    """
    found: np.ndarray = np.maximum(neighbours.squared[:, -1] / 9, _MIN_BANDWIDTH)
    return found


def _density_ratio(scene: Scene) -> np.ndarray:
    """One bandwidth for both densities at each record.

    So kernels need no norm, and dense regions no correction.
    """
    bandwidth = _bandwidth(scene.real)
    released = log_kernel_sum(scene.records, scene.synthetic, bandwidth)
    real = log_kernel_sum(scene.records, scene.population, bandwidth, own=True)
    floor = np.log(_MIN_MASS)
    return np.logaddexp(released, floor) - np.logaddexp(real, floor)


def _local_likelihood(scene: Scene) -> np.ndarray:
    """Sum over a record's synthetic neighbours s of log p(s) with the record - log p(s) without it.

    With m(s) the kernel sum over the whole population and K(s, x) the record's own part of it, the
    two are m(s) and m(s) - K(s, x), but for a factor that is the same for all: one kernel sum
    serves every record.
    """
    synthetic = scene.synthetic
    population = scene.population
    bandwidth = _bandwidth(nearest(synthetic, population, NEIGHBOURS, columns=population.columns))
    mass = np.exp(log_kernel_sum(synthetic, population, bandwidth)) + _MIN_MASS
    near = scene.released
    own = np.exp(-0.5 * near.squared / bandwidth[near.rows])
    without = np.maximum(mass[near.rows] - own, _MIN_MASS)
    score: np.ndarray = (np.log(mass[near.rows]) - np.log(without)).sum(axis=1)
    return score


def _marginal_ratio(scene: Scene, cliques: Sequence[Clique]) -> np.ndarray:
    return marginal_ratio(scene.records, scene.synthetic, scene.population, cliques)
