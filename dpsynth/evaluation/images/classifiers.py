"""Whether classifiers that are trained on synthetic images work on real ones, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.evaluation.images.features import Seen
from dpsynth.evaluation.images.learners import learned
from dpsynth.evaluation.measures import Measured, balanced_accuracy, difference

SEEDS = 3
"""Trainings of each classifier, each on images drawn anew with replacement."""
_SEED = 20240611

Labelled = tuple[Seen, np.ndarray]


@dataclass(frozen=True)
class ClassAccuracy:
    """The share of one class's images in the holdout that are recognised.

    Parameters
    ----------
    label : int
        The class.
    holdout : int
        Its images in the holdout.
    real, synthetic : float
        By classifiers trained on real images, and on synthetic ones: means of several trainings.

    Examples
    --------
    >>> ClassAccuracy(3, 1010, real=0.93, synthetic=0.81).label
    3
    """

    label: int
    holdout: int
    real: float
    synthetic: float


@dataclass(frozen=True)
class ImageClassifier:
    """One learner, trained on real images and on synthetic ones, and tried on the holdout.

    Parameters
    ----------
    name : {"linear in the pixels", "linear in fixed features", "network"}
        Logistic regression on pixels, on what a random network sees, or a small convolutional
        network.
    real, synthetic : float
        Balanced accuracy on the holdout, as means of several trainings.
    low, high : float
        A 90 % interval of `synthetic - real`.
    trained_on : int
        Images of a training, as many of both sides.
    classes : tuple of ClassAccuracy
        Each class of the holdout by itself.

    Examples
    --------
    >>> ImageClassifier("network", 0.97, 0.91, -0.07, -0.05, 10_000, ()).synthetic
    0.91
    """

    name: str
    real: float
    synthetic: float
    low: float
    high: float
    trained_on: int
    classes: tuple[ClassAccuracy, ...]


def classifier(
    kind: str, real: Labelled, synthetic: Labelled, holdout: Labelled
) -> ImageClassifier:
    """Trained on as many of both, and tried on the holdout. Labels are any whole numbers."""
    known = np.union1d(real[1], synthetic[1])
    size = min(len(real[1]), len(synthetic[1]))
    ours, theirs = (_said(kind, each, holdout[0], known, size) for each in (real, synthetic))
    truth = holdout[1]
    measured = [[balanced_accuracy(truth, said) for said in each] for each in (ours, theirs)]
    gap = difference(measured[1], measured[0])
    return ImageClassifier(
        name=kind,
        real=_mean(measured[0]),
        synthetic=_mean(measured[1]),
        low=gap.low,
        high=gap.high,
        trained_on=size,
        classes=tuple(
            ClassAccuracy(
                label=int(label),
                holdout=int((truth == label).sum()),
                real=_right(ours, truth, label),
                synthetic=_right(theirs, truth, label),
            )
            for label in np.unique(truth)
        ),
    )


def _said(
    kind: str, train: Labelled, asked: Seen, known: np.ndarray, size: int
) -> list[np.ndarray]:
    """What each training says of the images that are asked about."""
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng((_SEED, seed))
        drawn = rng.integers(len(train[1]), size=size)
        targets = np.searchsorted(known, train[1][drawn])
        model = learned(kind, train[0].take(drawn), targets, len(known), seed)
        found.append(known[model(asked).argmax(axis=1)])
    return found


def _right(said: Sequence[np.ndarray], truth: np.ndarray, label: int) -> float:
    mine = truth == label
    return float(np.mean([(each[mine] == label).mean() for each in said]))


def _mean(measured: Sequence[Measured]) -> float:
    return float(np.mean([each.value for each in measured]))
