"""Plan: which attacks are made on a release, at which level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from dpsynth.auditing.attacks import anonymity, attribute
from dpsynth.auditing.attacks.membership import Scene, ensemble, membership_scores
from dpsynth.auditing.attacks.shadow import Shadows
from dpsynth.auditing.release import trial
from dpsynth.auditing.release.trial import Trial

_EXPOSED = 0.1


@dataclass(frozen=True)
class Effort:
    """most_rows: of each table, in attacks that compare record with record. deals: of the labels."""

    most_rows: int
    deals: int
    classifier: bool


EFFORTS = {
    "quick": Effort(10_000, 1_999, classifier=False),
    "standard": Effort(10_000, 9_999, classifier=True),
    "deep": Effort(50_000, 49_999, classifier=True),
}


@dataclass(frozen=True)
class Plan:
    """How hard to try, with which learned models, and what the caller asked about (see `release.audit`).

    shadows: about the training records, then the holdout.
    """

    effort: Effort
    learned: ModuleType | None
    sensitive: Sequence[str] | None
    keys: tuple[str, ...]
    subgroups: tuple[str, ...]
    focal: tuple[tuple[str, ...], ...]
    shadows: Shadows | None = None


def classifiers() -> ModuleType:
    """Imported before any work is done, as it may be absent."""
    from dpsynth.auditing.attacks import scikit_learn

    return scikit_learn


def trials(scene: Scene, plan: Plan, rng: np.random.Generator) -> list[Trial]:
    """What the plan's attacks achieved, still without a look at any label."""
    columns = scene.records.columns
    scores = membership_scores(scene)
    if plan.learned is not None:
        scores["classifier"] = plan.learned.classifier_ratio(scene, rng)
    together = ensemble(scores)
    found = [t for name, score in scores.items() for t in trial.ranking("membership", name, score)]
    found += trial.ranking("membership", "ensemble", together)
    for name, among in _groups(scene, plan.subgroups):
        found += trial.ranking("membership", f"ensemble, {name}", together, among)
    found.append(trial.hits("near-copies", "nearest record", anonymity.near_copies(scene)))
    rules = {"one column": anonymity.single_column_rules(scene, rng)}
    if len(columns) > 1:
        rules["3 to 6 columns"] = anonymity.many_column_rules(scene, rng)
    found += [trial.predicates("singling out", name, r, rng) for name, r in rules.items() if r.shape[0]]
    if len(columns) > 1:
        found.append(trial.hits("linkability", "two halves", anonymity.linked(scene, *anonymity.halves(columns, rng))))
        for secret in columns if plan.sensitive is None else plan.sensitive:
            found += _secret_trials(scene, secret, plan, rng)
    return found


def _secret_trials(scene: Scene, secret: str, plan: Plan, rng: np.random.Generator) -> Iterable[Trial]:
    yield trial.hits("attribute", f"{secret}, nearest record", attribute.nearest_guess(scene, secret))
    if keys := [name for name in plan.keys if name != secret]:
        yield trial.hits("attribute", f"{secret}, CAP", attribute.correct_attribution(scene, secret, keys))
    if plan.sensitive is not None or plan.learned is not None:
        yield trial.hits("attribute", f"{secret}, reconstruction", attribute.reconstruction(scene, secret, rng))
    if plan.learned is not None:
        yield trial.hits("attribute", f"{secret}, model", plan.learned.model_guess(scene, secret, rng))


def _groups(scene: Scene, subgroups: Sequence[str]) -> Iterable[tuple[str, np.ndarray]]:
    """The tenth of the records that are farthest from all others, and the groups that the caller names."""
    isolation = scene.real.squared[:, -1]
    isolated = isolation >= np.quantile(isolation, 1 - _EXPOSED)
    groups = [("the most isolated tenth", isolated)] if isolated.mean() <= 2 * _EXPOSED else []
    for name in subgroups:
        bins = scene.records.bins[name]
        groups += [(f"{name} group {value}", bins == value) for value in np.unique(bins).tolist()]
    for name, among in groups:
        if among.sum() >= trial.LEAST_GROUP:
            yield name, among
