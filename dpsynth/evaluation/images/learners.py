"""Three learners of images: linear in the pixels, linear in fixed features, and a network.

A learner takes images with targets 0 to classes - 1, and gives a function of images: logarithms of
probabilities, (n, classes).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dpsynth.evaluation.images.features import Scale, Seen
from dpsynth.evaluation.images.linear import logistic

LINEAR, FEATURES, NETWORK = "linear in the pixels", "linear in fixed features", "network"

Scores = Callable[[Seen], np.ndarray]


def learned(kind: str, seen: Seen, targets: np.ndarray, classes: int, seed: int) -> Scores:
    """A model of this kind; ImportError where it is a network and PyTorch is not installed."""
    if kind == NETWORK:
        from dpsynth.evaluation.images.network import network

        made = network(seen.images, targets, classes, seed)
        return lambda asked: made(asked.images)
    columns = _pixels if kind == LINEAR else Scale.of(seen.features).columns
    model = logistic(columns(seen), targets, classes)
    return lambda asked: model.scores(columns(asked))


def _pixels(seen: Seen) -> np.ndarray:
    return seen.images.reshape(len(seen), -1) / 255 - 0.5
