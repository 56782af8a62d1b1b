"""Plan: which attacks are made on a release, at which level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
from scipy import sparse

from dpsynth.auditing.attacks import anonymity, attribute
from dpsynth.auditing.attacks.membership import Scene, ensemble, membership_scores
from dpsynth.auditing.attacks.shadow import Shadows
from dpsynth.auditing.release import trial
from dpsynth.auditing.release.sizes import SHARES, Parts
from dpsynth.auditing.release.trial import Trial
from dpsynth.base.domain import Clique
from dpsynth.base.progress import stage, steps

_MAX_PART = 0.75
"""Of the records: more of them are not told apart by how isolated they are."""


@dataclass(frozen=True)
class Effort:
    """max_rows: of each table, in attacks that compare record with record.

    deals: of the labels; no p-value is below 1 / (deals + 1). classifier: whether any is trained.
    """

    max_rows: int
    deals: int
    classifier: bool


EFFORTS = {
    "quick": Effort(10_000, 1_999, classifier=False),
    "standard": Effort(10_000, 9_999, classifier=True),
    "deep": Effort(50_000, 49_999, classifier=True),
}


@dataclass(frozen=True)
class Plan:
    """How hard to try, with which learned models, and what the caller asked about.

    `release.audit` describes the fields.

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


def trials(scene: Scene, plan: Plan, parts: Parts, rng: np.random.Generator) -> list[Trial]:
    """What the plan's attacks achieved, still without a look at any label."""
    columns = scene.records.columns
    stage("guessing who was in the training records")
    found = _membership_trials(scene, plan, parts.isolated, rng)
    found.append(trial.hits("near-copies", "nearest record", anonymity.near_copies(scene)))
    stage("singling out records and linking their halves")
    found += _rule_trials(scene, parts.fewest_rules, rng)
    if len(columns) > 1:
        halves = anonymity.halves(columns, rng)
        found += _link_trials(scene, halves)
        secrets = columns if plan.sensitive is None else plan.sensitive
        for secret in steps("guessing values column by column", secrets):
            found += _secret_trials(scene, secret, plan, rng)
    return found


def _link_trials(scene: Scene, halves: tuple[Clique, Clique]) -> Iterable[Trial]:
    for k, linked in anonymity.linked(scene, *halves).items():
        name = "two halves" if k == 1 else f"two halves, {k} neighbours"
        yield trial.hits("linkability", name, linked)


def _membership_trials(
    scene: Scene, plan: Plan, isolated: float | None, rng: np.random.Generator
) -> list[Trial]:
    scores = membership_scores(scene)
    if plan.learned is not None:
        scores["classifier"] = plan.learned.classifier_ratio(scene, rng)
    found: list[Trial] = []
    for name, score in scores.items():
        found += trial.ranking("membership", name, score)
    together = ensemble(scores)
    found += trial.ranking("membership", "ensemble", together)
    for name, among, widest in _groups(scene, plan.subgroups, isolated):
        ranked = trial.ranking("membership", f"ensemble, {name}", together, among)
        found += [replace(each, widest=widest) for each in ranked]
    if isolated != min(SHARES):
        for name, among, widest in _groups(scene, (), min(SHARES)):
            ranked = trial.ranking("membership", f"ensemble, {name}", together, among)
            found += [replace(each, widest=widest, may_pass=False) for each in ranked]
    return found


def _rule_trials(scene: Scene, fewest_rules: int, rng: np.random.Generator) -> list[Trial]:
    rules = {"one column": anonymity.single_column_rules(scene, rng)}
    if len(scene.records.columns) > 1:
        rules["3 to 6 columns"] = anonymity.many_column_rules(scene, rng)
    rules = {name: matches for name, matches in rules.items() if matches.shape[0]}
    found = [trial.predicates("singling out", name, each, rng) for name, each in rules.items()]
    if len(rules) > 1 and min(matches.shape[0] for matches in rules.values()) < fewest_rules:
        every = sparse.csr_array(sparse.vstack(list(rules.values())))
        together = trial.predicates("singling out", "1 or 3 to 6 columns", every, rng)
        found = [together, *(replace(each, may_pass=False) for each in found)]
    return found


def _secret_trials(
    scene: Scene,
    secret: str,
    plan: Plan,
    rng: np.random.Generator,
) -> Iterable[Trial]:
    def made(name: str, right: np.ndarray) -> Trial:
        return trial.hits("attribute", f"{secret}, {name}", right)

    yield made("nearest record", attribute.nearest_guess(scene, secret))
    keys = [name for name in plan.keys if name != secret]
    if keys:
        yield made("CAP", attribute.correct_attribution(scene, secret, keys))
    # It takes seconds a column: only where few secrets are named, or a slow level was asked for.
    if plan.sensitive is not None or plan.learned is not None:
        yield made("reconstruction", attribute.reconstruction(scene, secret, rng))
    if plan.learned is not None:
        yield made("model", plan.learned.model_guess(scene, secret, rng))


def _groups(
    scene: Scene, subgroups: Sequence[str], isolated: float | None
) -> Iterable[tuple[str, np.ndarray, float]]:
    """The share of the records that are farthest from all others, and the named groups.

    Of each its name, its records, and the largest part of all records that it may be.
    """
    groups = []
    if isolated is not None:
        isolation = scene.real.squared[:, -1]
        far = isolation >= np.quantile(isolation, 1 - isolated)
        # Where many records are equally isolated they are no such part; nothing is said of them.
        if far.mean() <= min(2 * isolated, _MAX_PART):
            groups.append((f"the most isolated {SHARES[isolated]}", far, max(SHARES)))
    for name in subgroups:
        bins = scene.records.bins[name]
        for value in np.unique(bins).tolist():
            among = bins == value
            groups.append((f"{name} group {value}", among, float(among.mean())))
    yield from (group for group in groups if group[1].sum() >= trial.MIN_GROUP)
