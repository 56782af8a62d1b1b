"""Three learners of scikit-learn (extra `audit`): what an analyst would train on a release.

For evidence only: they are trained on raw rows, and nothing of them is released.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from dpsynth.evaluation.survival import SURVIVAL, apart, cox, cumulative_hazard
from dpsynth.schema.columns import Boolean, Categorical
from dpsynth.schema.table import Schema

try:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
except ImportError:
    raise ImportError(
        "models that are trained on a release need scikit-learn: pip install"
        ' "dpsynth[audit]", or leave the target out'
    ) from None

KINDS = ("linear", "forest", "boosting")
_TREES, _ROUNDS = 60, 100
"""Of a forest and of boosting: few, as each is trained six times."""
_LEAST_IN_LEAF = 5
_LEAST_OF_RISKS = 15
"""Of times until an event, of which many rows say little."""
_LEVELS = 50
"""Of a category's indicators in the linear model; rarer values share one."""
_FAR = 1e30
"""Largest magnitude that a model is given: the squares of larger ones leave double precision."""

Model = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Features:
    """How the columns but the target are shown to learners.

    columns: their names, in the order of the matrix. categories: for each whether it is categories.
    """

    columns: tuple[str, ...]
    categories: tuple[bool, ...]

    @classmethod
    def of(cls, schema: Schema, without: Collection[str] = ()) -> Features:
        """All columns that are compared, but some, such as the target."""
        names = tuple(name for name in schema.coded if name not in without)
        return cls(
            names, tuple(isinstance(schema.coded[name], Categorical | Boolean) for name in names)
        )

    def matrix(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Shape (rows, columns): positions of categories and numbers; NaN where missing."""
        found = np.stack([values[name] for name in self.columns], axis=1)
        return np.where(np.isfinite(found), np.clip(found, -_FAR, _FAR), np.nan)


def learned(
    kind: str, classes: int, features: Features, rows: np.ndarray, target: np.ndarray, seed: int
) -> Model:
    """A model trained on these rows.

    kind: one of KINDS. classes: of the target, 0 where it is a number. Its answers have the shape
    (rows,): the number; of two classes the probability of the second one; of more the likeliest; of
    a time until an event (SURVIVAL, as `together` writes it) the risk, on any rising scale.
    """
    if classes == SURVIVAL:
        return _risk(kind, features, rows, target, seed)
    known = np.unique(target)
    if known.size < 2:
        only = float(known[0]) if known.size else 0.0
        return lambda asked: np.full(len(asked), only)
    empty = np.isnan(rows).all(axis=0)
    rows = np.where(empty, 0.0, rows)
    scale = 1.0 if classes else float(np.abs(target).max()) or 1.0  # no square overflows
    made = _made(kind, classes > 0, features, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early, it is a model as well
        made.fit(rows, target.astype(np.int64) if classes else target / scale)

    def answer(asked: np.ndarray) -> np.ndarray:
        asked = np.where(empty, 0.0, asked)
        if classes == 2:
            return np.asarray(made.predict_proba(asked)[:, 1])
        return np.asarray(made.predict(asked), dtype=np.float64) * scale

    return answer


def _risk(kind: str, features: Features, rows: np.ndarray, both: np.ndarray, seed: int) -> Model:
    """Cox regression with a ridge of 1; or trees for the full likelihood of proportional hazards.

    The latter is that of Poisson counts, the events, with the cumulative hazard as exposure, by
    Nelson and Aalen's estimate (LeBlanc and Crowley, 1992).
    """
    time, event = apart(both)
    if not event.any():
        return lambda asked: np.zeros(len(asked))
    empty = np.isnan(rows).all(axis=0)
    rows = np.where(empty, 0.0, rows)
    if kind == "linear":
        spread = _spread(features)
        columns = spread.fit_transform(rows)
        at, _ = cox(time, event, columns, ridge=1.0)
        return lambda asked: np.asarray(spread.transform(np.where(empty, 0.0, asked)) @ at)
    hazard = cumulative_hazard(time, event, time)
    hazard = np.maximum(hazard, hazard[event].min() / 2)  # those who left before the first event
    if kind == "forest":
        made = RandomForestRegressor(
            n_estimators=_TREES,
            min_samples_leaf=_LEAST_OF_RISKS,
            max_features=1 / 3,
            random_state=seed,
        )
    else:
        made = HistGradientBoostingRegressor(
            loss="poisson", max_iter=_ROUNDS, early_stopping=False, random_state=seed
        )
    made.fit(rows, event / hazard, sample_weight=hazard)
    return lambda asked: np.asarray(made.predict(np.where(empty, 0.0, asked)), dtype=np.float64)


def _made(kind: str, classifies: bool, features: Features, seed: int):  # type: ignore[no-untyped-def]
    if kind == "linear":
        last = LogisticRegression(max_iter=2000) if classifies else Ridge()
        return make_pipeline(_spread(features), last)
    if kind == "forest":
        forest = RandomForestClassifier if classifies else RandomForestRegressor
        return forest(n_estimators=_TREES, min_samples_leaf=_LEAST_IN_LEAF, random_state=seed)
    boosting = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
    return boosting(max_iter=_ROUNDS, early_stopping=False, random_state=seed)


def _spread(features: Features):  # type: ignore[no-untyped-def]
    """Indicators of categories; numbers on one scale, and whether they are missing."""
    flags = np.array(features.categories)
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    indicators = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_LEVELS)
    return make_column_transformer(
        (indicators, np.flatnonzero(flags)),
        (numbers, np.flatnonzero(~flags)),
        sparse_threshold=0,
    )
