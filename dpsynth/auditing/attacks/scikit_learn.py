"""Attacks with learned models, from scikit-learn (extra `audit`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsynth.auditing.attacks.membership import Scene
from dpsynth.auditing.attacks.records import Records

try:
    from sklearn.ensemble import HistGradientBoostingClassifier
except ImportError:
    raise ImportError(
        'levels "standard" and "deep" train classifiers with scikit-learn: pip install'
        ' "dpsynth[audit]", or ask for level="quick"'
    ) from None

_FOLDS = 2
_TREES = 50
"""Of a model: few, as the data are few, and a level `standard` trains one for each column."""


def classifier_ratio(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The log odds, by a gradient-boosted classifier, that a record is synthetic rather than real.

    It learns the release against real records in two folds, and scores those that it has not seen.
    """
    released = _features(scene.synthetic, ())
    real = _features(scene.population, ())
    fold = rng.integers(_FOLDS, size=len(real))
    scores = np.empty(len(real))
    for held in range(_FOLDS):
        known = real[fold != held]
        model = _model(rng)
        is_released = np.arange(len(released) + len(known)) < len(released)
        model.fit(np.concatenate([released, known]), is_released)
        if (fold == held).any():
            scores[fold == held] = model.decision_function(real[fold == held])
    found: np.ndarray = scores[: len(scene.records)]
    return found


def model_guess(scene: Scene, secret: str, rng: np.random.Generator) -> np.ndarray:
    """1 where a classifier guesses the secret's bin from the other columns, else 0.

    It learned from the release alone.
    """
    target = scene.synthetic.bins[secret]
    truth = scene.records.bins[secret]
    if np.unique(target).size < 2:
        return (truth == target[0]).astype(np.float64)
    model = _model(rng)
    model.fit(_features(scene.synthetic, (secret,)), target)
    guess = model.predict(_features(scene.records, (secret,)))
    found: np.ndarray = (guess == truth).astype(np.float64)
    return found


def _features(records: Records, without: tuple[str, ...]) -> np.ndarray:
    """Ranks and numbers of categories, without some columns; shape (records, columns left)."""
    ordered = [i for i, name in enumerate(records.ordered) if name not in without]
    nominal = [i for i, name in enumerate(records.nominal) if name not in without]
    return np.concatenate([records.ranks[:, ordered], records.categories[:, nominal]], axis=1)


def _model(rng: np.random.Generator) -> Any:
    return HistGradientBoostingClassifier(
        max_iter=_TREES,
        early_stopping=False,
        random_state=int(rng.integers(2**31)),
    )
