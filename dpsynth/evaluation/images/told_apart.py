"""Whether a model tells synthetic images from real ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dpsynth.evaluation.images.features import Seen
from dpsynth.evaluation.images.learners import learned
from dpsynth.evaluation.measures import area
from dpsynth.evaluation.pattern import CLEAR

LEAST = 4
"""Fewest images of each side: each fold has two of both."""
TELLING = 0.6
"""From this area on images are told apart; below it, hardly, however many images show it."""
_FOLDS = 2
_SEED = 20240612
_REACH = 1.6448536269514722
"""Standard errors on both sides of a 90 % interval."""


@dataclass(frozen=True)
class ImageDiscriminator:
    """How well a learner tells the release from a holdout.

    Parameters
    ----------
    name : {"linear in fixed features", "network"}
        The learner.
    auc : float
        Area under the ROC curve on images that it was not trained on: 0.5 where it cannot tell, 1
        where it always can.
    error : float
        Its standard error (DeLong's).
    floor, floor_error : float
        The same for real images beside the holdout.
    images : int
        Images of each side, as many of both.

    Examples
    --------
    >>> ImageDiscriminator("network", 0.97, 0.002, 0.501, 0.006, 5000).tells
    True
    """

    name: str
    auc: float
    error: float
    floor: float
    floor_error: float
    images: int

    @property
    def low(self) -> float:
        """The lower end of a 90 % interval of the area."""
        return max(0.0, self.auc - _REACH * self.error)

    @property
    def high(self) -> float:
        """The upper end of a 90 % interval of the area."""
        return min(1.0, self.auc + _REACH * self.error)

    @property
    def tells(self) -> bool:
        """Whether it clearly tells the release apart, and not the real images."""
        errors = CLEAR * math.hypot(self.error, self.floor_error)
        return self.auc >= TELLING and self.auc - self.floor > errors

    def sentence(self) -> str:
        """The result in words."""
        return (
            f"A model ({self.name}) tells synthetic images from real ones with AUC {self.auc:.3f};"
            f" real images from others, with {self.floor:.3f}."
        )


def told_apart(kind: str, real: Seen, synthetic: Seen, holdout: Seen) -> ImageDiscriminator:
    """Of as many images of each side, LEAST at least."""
    size = min(map(len, (real, synthetic, holdout)))
    rng = np.random.default_rng(_SEED)
    ours, theirs, others = (each.at_most(size, rng) for each in (real, synthetic, holdout))
    auc, error = _area(kind, theirs, others, rng)
    floor, floor_error = _area(kind, ours, others, rng)
    return ImageDiscriminator(kind, auc, error, floor, floor_error, size)


def _area(kind: str, ours: Seen, theirs: Seen, rng: np.random.Generator) -> tuple[float, float]:
    """The area on images held out in turn, on average over the folds, and its standard error."""
    images = np.concatenate([ours.images, theirs.images])
    seen = Seen(images, np.concatenate([ours.features, theirs.features]))
    is_ours = np.repeat([1, 0], [len(ours), len(theirs)])
    fold = np.concatenate([rng.permutation(len(each)) % _FOLDS for each in (ours, theirs)])
    areas, variances = [], []
    for held in range(_FOLDS):
        known, asked = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        model = learned(kind, seen.take(known), is_ours[known], 2, _SEED)
        scores = model(seen.take(asked))
        found = area(is_ours[asked], scores[:, 1] - scores[:, 0])
        areas.append(found.value)
        variances.append(float(np.var(found.influence)) / len(asked))
    return float(np.mean(areas)), math.sqrt(sum(variances)) / _FOLDS
