"""Trials: a learner is trained on a table several times, and tried on a holdout.

For evidence only, never for a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dpsynth.evaluation.measures import Measured, area, balanced_accuracy, difference, explained
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.survival import SURVIVAL, concordance, uno

TRAINING_ROWS = 20_000
"""Most rows that a learner is trained on, so that its time does not grow with the table."""
SEEDS = 3
"""Trainings of each learner, each on rows drawn anew with replacement."""
SEED = 20240608
"""Any number: it makes the same tables give the same figures."""
MEASURES = {
    "AUC": area,
    "balanced accuracy": balanced_accuracy,
    "R squared": explained,
    "concordance": concordance,
}
CHANCE = {"AUC": 0.5, "R squared": 0.0, "concordance": 0.5}
_SHUFFLED_ROWS = {"concordance": 2000}
_USUAL_SHUFFLED_ROWS = 20_000
"""Most rows of a holdout on which columns are shuffled."""


def learners_of() -> Any:
    """The learners; ImportError, in one sentence, where scikit-learn is not installed."""
    from dpsynth.evaluation import learners

    return learners


@dataclass(frozen=True)
class LearnerQuality:
    """One learner, trained on real rows and on the release, and tried on the holdout.

    Parameters
    ----------
    name : {"linear", "forest", "boosting"}
        Logistic or ridge regression, a random forest, or gradient-boosted trees.
    real, synthetic : float
        The measure, as the mean of several trainings.
    low, high : float
        A 90 % interval of `synthetic - real`.
    uno_real, uno_synthetic : float or None
        Of times until an event Uno's concordance, which does not depend on when rows are censored.
    """

    name: str
    real: float
    synthetic: float
    low: float
    high: float
    uno_real: float | None = None
    uno_synthetic: float | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """One training: its model, and what it says of the holdout."""

    model: Any
    said: np.ndarray
    measured: Measured


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be predicted, and the rows on which that is measured."""

    features: Any
    classes: int
    held: Numbers
    target: str

    @property
    def measure(self) -> str:
        names = {0: "R squared", 2: "AUC", SURVIVAL: "concordance"}
        return names.get(self.classes, "balanced accuracy")

    @property
    def truth(self) -> np.ndarray:
        return self.held.values[self.target]

    def trained(self, kind: str, table: Numbers) -> list[Trained]:
        asked = self.features.matrix(self.held.values)
        found = []
        for seed in range(SEEDS):
            rng = np.random.default_rng((SEED, seed))
            drawn = table.take(rng.integers(table.rows, size=min(table.rows, TRAINING_ROWS)))
            rows = self.features.matrix(drawn.values)
            target = drawn.values[self.target]
            model = learners_of().learned(kind, self.classes, self.features, rows, target, seed)
            said = model(asked)
            found.append(Trained(model, said, MEASURES[self.measure](self.truth, said)))
        return found

    def learner(self, kind: str, ours: list[Trained], theirs: list[Trained]) -> LearnerQuality:
        gap = difference([one.measured for one in theirs], [one.measured for one in ours])
        found = LearnerQuality(kind, _mean(ours), _mean(theirs), gap.low, gap.high)
        if self.classes != SURVIVAL:
            return found
        both = [np.mean([uno(self.truth, one.said) for one in each]) for each in (ours, theirs)]
        return replace(found, uno_real=float(both[0]), uno_synthetic=float(both[1]))

    def falls(self, trained: Trained) -> np.ndarray:
        """By how much the measure falls when each column is shuffled among the holdout's rows."""
        rng = np.random.default_rng(SEED)
        most = _SHUFFLED_ROWS.get(self.measure, _USUAL_SHUFFLED_ROWS)
        held = self.held.at_most(most, rng)
        rows, truth = self.features.matrix(held.values), held.values[self.target]
        whole = MEASURES[self.measure](truth, trained.model(rows)).value
        found = np.empty(rows.shape[1])
        for place in range(rows.shape[1]):
            shuffled = rows.copy()
            shuffled[:, place] = rows[rng.permutation(len(rows)), place]
            found[place] = whole - MEASURES[self.measure](truth, trained.model(shuffled)).value
        return found


def _mean(trained: Sequence[Trained]) -> float:
    return float(np.mean([one.measured.value for one in trained]))
