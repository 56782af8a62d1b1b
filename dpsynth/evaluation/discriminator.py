"""Whether a model tells rows of a release from real ones, and by which columns.

For evidence only, never for a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsynth.evaluation.measures import area
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.trials import learners_of
from dpsynth.schema.table import Schema

ROWS = 10_000
"""Most rows of each table, so that the time does not grow with them."""
ERRORS = 4.0
"""A column is named where its fall is at least so many standard errors (DeLong's)."""
_FOLDS = 2
_SEED = 20240609
"""Any number: it makes the same tables give the same figures."""
_SHOWN = 5
"""How many of the columns that give a release away are named."""


@dataclass(frozen=True)
class Discriminator:
    """How well gradient-boosted trees tell a release from a holdout.

    Parameters
    ----------
    auc : float
        Area under the ROC curve on rows that the trees were not trained on: 0.5 where they cannot
        tell, 1 where they always can.
    floor : float
        The same for the real rows beside the holdout.
    rows : int
        Rows of each table, as many of both.
    columns : tuple of (str, float)
        The columns that give the release away: by how much the area falls when each is shuffled,
        the largest first.

    Examples
    --------
    >>> Discriminator(auc=0.71, floor=0.5, rows=5000, columns=(("age", 0.2),)).columns[0]
    ('age', 0.2)
    """

    auc: float
    floor: float
    rows: int
    columns: tuple[tuple[str, float], ...]

    def sentence(self) -> str:
        """The result in words."""
        found = (
            f"A model tells the release from real rows with AUC {self.auc:.3f}; real rows from"
            f" others, with {self.floor:.3f}."
        )
        if self.columns:
            found += " What gives it away: " + ", ".join(name for name, _ in self.columns) + "."
        return found


def discriminator(tables: Sequence[Numbers], schema: Schema) -> Discriminator:
    """tables: the real rows, the release, the holdout; ValueError if one has less than 4 rows."""
    rows = min(ROWS, *(table.rows for table in tables))
    if rows < 2 * _FOLDS:
        raise ValueError(
            f"a model that tells tables apart needs {2 * _FOLDS} rows of each, got {rows}: give"
            " more, or do without"
        )
    rng = np.random.default_rng(_SEED)
    features = learners_of().Features.of(schema)
    drawn = [features.matrix(table.at_most(rows, rng).values) for table in tables]
    auc, falls, errors = _told_apart(features, drawn[1], drawn[2], rng)
    floor, _, _ = _told_apart(features, drawn[0], drawn[2], rng)
    order = [i for i in np.argsort(-falls)[:_SHOWN] if falls[i] > ERRORS * errors[i]]
    columns = tuple((features.columns[i], float(falls[i])) for i in order)
    return Discriminator(auc, floor, rows, columns)


def _told_apart(
    features: Any, ours: np.ndarray, theirs: np.ndarray, rng: np.random.Generator
) -> tuple[float, np.ndarray, np.ndarray]:
    """The area on rows held out in turn; for each column its fall when that is shuffled, and its
    standard error. Areas are those of each fold, on average: two models have no common scale.
    """
    rows = np.concatenate([ours, theirs])
    is_ours = (np.arange(len(rows)) < len(ours)).astype(np.float64)
    fold = rng.permutation(len(rows)) % _FOLDS
    areas, falls, variances = np.empty(_FOLDS), [], []
    for held in range(_FOLDS):
        asked, truth = rows[fold == held], is_ours[fold == held]
        known = fold != held
        learned = learners_of().learned
        model = learned("boosting", 2, features, rows[known], is_ours[known], _SEED)
        whole = area(truth, model(asked))
        areas[held] = whole.value
        found = []
        for place in range(rows.shape[1]):
            shuffled = asked.copy()
            shuffled[:, place] = rng.permutation(asked[:, place])
            found.append(area(truth, model(shuffled)))
        falls.append([whole.value - one.value for one in found])
        variances.append([np.var(whole.influence - one.influence) / len(asked) for one in found])
    errors = np.sqrt(np.sum(variances, axis=0)) / _FOLDS
    return float(areas.mean()), np.mean(falls, axis=0), errors
