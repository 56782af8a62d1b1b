"""A part of the budget that is held back from a fit, for a figure on what the model was not told.

Once the model is fixed, one charge measures how far the private rows are from it, over sets of
three columns that were fixed beforehand by their names alone. Nothing of it goes into the model.
Measurements that the model was fitted to cannot say how good it is elsewhere; this can.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.allocation import Part
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.distance_look import Cells, in_groups, look_at_distances, stddev_factor
from dpsynth.mechanisms.registry import name_of
from dpsynth.models.base import Model
from dpsynth.models.distances import TRIPLES, bins_of, frequencies, some_sets

BINS = 12
"""Of each column at most, as where a release is compared with real rows."""

LEVEL = 0.9
MAX_SHARE = 0.5

_SIZE = 3
_ROWS = 1_000_000
_MAX_CODES = 1 << 27
"""Rows that are drawn from the model: at least so many, and at most so many codes in all."""

_SEED = 20261130
"""Any number: it makes the same columns give the same sets."""


@dataclass(frozen=True)
class HeldBack:
    """How far the private rows are from the model, on what it was not fitted to.

    Parameters
    ----------
    columns : int
        How many columns a set has: 3, or fewer where the table has fewer.
    sets : int
        Over how many sets the mean is taken.
    distance : float
        The mean distance, with noise, as a share of the rows; below 0 by noise alone.
    low, high : float
        Where the exact one lies.
    level : float
        How often.
    by_chance : float
        The distance at which as many rows lie that are drawn from the model itself.

    Examples
    --------
    >>> HeldBack(3, 200, 0.061, 0.058, 0.064, 0.9, 0.04).distance
    0.061
    """

    columns: int
    sets: int
    distance: float
    low: float
    high: float
    level: float
    by_chance: float

    def told(self) -> dict[str, Any]:
        """For the certificate."""
        return asdict(self)


def check_holdback(share: Any, mechanism: Mechanism, budget: Budget) -> None:
    """ValueError for a share that is none, and for a mechanism that leaves nothing to hold back."""
    number = isinstance(share, int | float) and not isinstance(share, bool)
    if not number or not 0 <= share <= MAX_SHARE:
        raise ValueError(
            f"holdback must be a part of the budget from 0 to {MAX_SHARE:g}, got {share!r}:"
            " 0.05 is usual"
        )
    if share and not (mechanism.gaussian and not mechanism.settled(budget)):
        raise ValueError(
            f"{name_of(mechanism)} spends its budget on a training or on a program, and nothing can"
            " be held back: leave out holdback, or use canopy, aim, mst or independent"
        )


def holdback_cost(cost: int, share: float) -> int:
    """What is held back of this cost."""
    return int(cost * share)


def holdback_parts(cost: int, domain: Domain, unit: PrivacyUnit) -> list[Part]:
    """The charge, for a plan; none where nothing is held back."""
    if not cost:
        return []
    size = min(_SIZE, len(domain.attributes))
    sets = min(math.comb(len(domain.attributes), size), TRIPLES)
    factor = stddev_factor(sets, unit.count_sensitivity(2))
    what = f"distances over {sets:,} sets of {size} columns, held back"
    return [Part(what, (1, 1), (cost, cost), (factor, factor))]


def look_held_back(
    model: Model, table: PrivateTable, accountant: Accountant, cost: int
) -> HeldBack:
    """The figure, by one charge of this cost."""
    groups, looked_at = _expected(model)
    sets, size = len(looked_at), len(looked_at[0].columns)
    coarse = in_groups(table, groups, [each.columns for each in looked_at])
    purpose = f"distances over {sets} sets of {size} columns, held back from the model"
    values, stddev = look_at_distances(coarse, looked_at, accountant, cost, purpose)
    rows = max(float(model.total), 1.0)
    mean, noise = float(values.mean()) / rows, stddev / math.sqrt(sets) / rows
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * noise
    chance = float(np.mean([each.by_chance for each in looked_at])) / rows
    return HeldBack(size, sets, mean, mean - reach, mean + reach, LEVEL, chance)


def _expected(model: Model) -> tuple[dict[str, np.ndarray], list[Cells]]:
    """For each column the group of each cell, and the sets with what the model expects of them.

    By rows that are drawn from it, many more than the table has: a model need not be able to say
    what it expects of any three columns.
    """
    domain = model.domain
    most = min(max(_ROWS, round(4 * model.total)), _MAX_CODES // len(domain.attributes))
    codes = model.sample(most, np.random.default_rng(_SEED))
    groups = {a: bins_of(codes, domain, a, BINS) for a in domain.attributes}
    codes = {a: groups[a][codes[a]].astype(np.int8) for a in groups}
    coarse = Domain.of({a: int(own.max()) + 1 for a, own in groups.items()})
    size = min(_SIZE, len(domain.attributes))
    scale = max(float(model.total), 0.0)
    looked_at = [
        Cells(each, scale * frequencies(codes, each, coarse).reshape(coarse.shape(each)))
        for each in some_sets(tuple(sorted(domain.attributes)), size, TRIPLES, _SEED)
    ]
    return groups, looked_at


def in_words(told: Mapping[str, Any]) -> str:
    """A sentence for a terminal."""
    share = 100 * told["distance"]
    return (
        f"on {told['sets']} sets of {told['columns']} columns that it was not fitted to, the model"
        f" is {share:.2f} % off ({100 * told['low']:.2f} to {100 * told['high']:.2f}); rows drawn"
        f" from it are {100 * told['by_chance']:.2f} % off by chance"
    )
