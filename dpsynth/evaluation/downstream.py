"""Whether models that are trained on a release work on real rows, for everybody alike.

Three learners are trained on the real rows that the release was made from, and on the release, and
both are tried on a holdout: real rows that neither has seen. For evidence only, never for a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from dpsynth.base.progress import steps
from dpsynth.base.text import percent
from dpsynth.evaluation.asked import check_survival
from dpsynth.evaluation.measures import beyond
from dpsynth.evaluation.numbers import Numbers, is_measured, value_of
from dpsynth.evaluation.subgroups import Gap, GroupQuality, Predictions, subgroups
from dpsynth.evaluation.survival import SURVIVAL, apart, together
from dpsynth.evaluation.trials import (
    CHANCE,
    MEASURES,
    SEED,
    LearnerQuality,
    Task,
    learners_of,
)
from dpsynth.schema.columns import Boolean, Categorical, Column
from dpsynth.schema.table import Schema

MOST_CLASSES = 20
LEAST_BEYOND = 0.02
"""By how much a measure must pass that of a guess, for shares of that to mean something."""
MOST_GROUPS = 20

SURVIVAL_ROWS = 3000
"""Most rows of a holdout of times until an event: concordance compares all pairs."""
_SHOWN = 5
"""How many of the most useful columns are compared by name."""


@dataclass(frozen=True)
class Downstream:
    """What models trained on a release are worth on real rows.

    Parameters
    ----------
    target : str
        The column that is predicted from all others.
    measure : {"AUC", "balanced accuracy", "R squared", "concordance"}
        Of two classes (the area under the ROC curve), of more, of a number, and of a time until an
        event (Harrell's).
    second : str or None
        The second of two classes, whose probability models say; None of other targets.
    chance : float
        The measure of a guess that looks at nothing.
    rows_real, rows_synthetic, rows_holdout : int
        The rows of the tables in which the target is known; learners see 20,000 at most.
    learners : tuple of LearnerQuality
        The best on real rows first.
    choice_costs : float
        What somebody loses who takes the learner that is best by the release: the difference of
        two learners that are both trained on real rows.
    features : tuple of (str, float, float)
        The columns that the boosted trees of the real rows use most: by how much the measure falls
        when each is shuffled, of the model of the real rows and of the release.
    features_agree, features_floor : float
        Spearman's correlation of all these falls, real with synthetic; and of two trainings on
        real rows.
    beyond_low : float
        By how much the best learner on real rows is better than a guess: the lower end of a 90 %
        interval.
    groups : tuple of GroupQuality
        Of the columns that were asked for.
    gaps : tuple of Gap
        Of each of these columns.
    event : str or None
        Of a time until an event that event, such as "died = true".
    """

    target: str
    measure: str
    second: str | None
    chance: float
    rows_real: int
    rows_synthetic: int
    rows_holdout: int
    learners: tuple[LearnerQuality, ...]
    choice_costs: float
    features: tuple[tuple[str, float, float], ...]
    features_agree: float
    features_floor: float
    beyond_low: float
    groups: tuple[GroupQuality, ...] = ()
    gaps: tuple[Gap, ...] = ()
    event: str | None = None

    @property
    def kept(self) -> float | None:
        """The share that the release keeps of what the best model has beyond a guess.

        None where no model is clearly better than a guess on real rows.
        """
        best = self.learners[0]
        gained = best.real - self.chance
        if gained < LEAST_BEYOND or self.beyond_low <= 0:
            return None
        return max(best.synthetic - self.chance, 0.0) / gained

    def sentences(self) -> list[str]:
        """The result in words, for a reader who knows no measure."""
        best, kept = self.learners[0], self.kept
        if kept is None:
            return [
                f"No model of {self.target!r} does clearly better than a guess on real rows"
                f" ({self.measure} {best.real:.3f}, tried on {self.rows_holdout:,}): this target"
                " says nothing of the release."
            ]
        said = [
            f"The best model of {self.target!r} reaches {self.measure} {best.real:.3f} where it is"
            f" trained on real rows, and {best.synthetic:.3f} where trained on the release: it"
            f" keeps {percent(kept)} of what goes beyond a guess ({self.chance:.3f})."
        ]
        by_release = max(self.learners, key=lambda one: one.synthetic).name
        if by_release == best.name:
            said.append(f"The release names the same best learner, {best.name}.")
        else:
            said.append(
                f"The release names another best learner, {by_release}: that choice costs"
                f" {self.choice_costs:.3f} on real rows."
            )
        said.append(
            f"The order of useful columns agrees by {self.features_agree:.2f} (two trainings on"
            f" real rows: {self.features_floor:.2f})."
        )
        return said


def check_target(
    schema: Schema, target: str, groups: Sequence[str], event: str | None = None
) -> None:
    """ValueError where a column cannot be predicted, or groups cannot be formed by another one."""
    if event is not None:
        check_survival(schema, target, event)
    if target not in schema.coded:
        raise ValueError(
            f"{target!r} is no column that is compared: name one of {list(schema.coded)[:10]}"
        )
    column = schema.coded[target]
    if isinstance(column, Categorical) and not 2 <= len(column.categories) <= MOST_CLASSES:
        raise ValueError(
            f"the target {target!r} has {len(column.categories)} categories, and 2 to"
            f" {MOST_CLASSES} can be predicted: name another column"
        )
    if not schema.coded.keys() - {target, event}:
        raise ValueError(f"the target {target!r} is the only column: nothing predicts it")
    for name in (target, event):
        if name in groups:
            raise ValueError(f"{name!r} is the target, and no group beside: take it out of groups")
    check_groups(schema, groups)


def check_groups(schema: Schema, groups: Sequence[str]) -> None:
    """ValueError where a column does not split the rows into a few groups."""
    for name in groups:
        if name not in schema.coded:
            raise ValueError(
                f"{name!r} is no column that is compared: name one of {list(schema.coded)[:10]}"
            )
        size = len(getattr(schema.coded[name], "categories", ())) or 2
        if is_measured(schema.coded[name]) or size > MOST_GROUPS:
            raise ValueError(
                f"groups are by a column of {MOST_GROUPS} categories at most, got {name!r}: name"
                " another column, or declare broader categories"
            )


def downstream(
    tables: Sequence[Numbers],
    schema: Schema,
    target: str,
    groups: Sequence[str] = (),
    event: str | None = None,
) -> Downstream:
    """Trains on the real rows and on the release, and measures on the holdout.

    tables: the real rows, the release, the holdout. event: of a target that is a time until it.
    Call `check_target` first.

    Raises
    ------
    ValueError
        A table has no row in which the target is known, or the target has one value only in the
        holdout, or no row of that has the event.
    """
    kinds = learners_of().KINDS
    features = learners_of().Features.of(schema, {target, event})
    classes = _classes(schema.coded[target])
    if event is not None:
        tables, classes = [_until(table, target, event) for table in tables], SURVIVAL
    known = [_known(table, target) for table in tables]
    if event is not None:
        known[2] = known[2].at_most(SURVIVAL_ROWS, np.random.default_rng(SEED))
    held = known[2]
    truth = held.values[target]
    for table, name in zip(known, ("real rows", "release", "holdout"), strict=True):
        if not table.rows:
            raise ValueError(
                f"{target!r} is missing in every row of the {name}: name another target"
            )
    if np.unique(truth).size < 2:
        raise ValueError(f"{target!r} has one value only in the holdout: name another target")
    if event is not None and not apart(truth)[1].any():
        raise ValueError(f"no row of the holdout has the event {event!r}: give a larger holdout")
    task = Task(features, classes, held, target)
    trained = {
        kind: [task.trained(kind, table) for table in known[:2]]
        for kind in steps("training models", kinds)
    }
    learners = sorted((task.learner(kind, *trained[kind]) for kind in kinds), key=lambda x: -x.real)
    by_release = max(learners, key=lambda one: one.synthetic)
    ours, theirs = trained["boosting"]
    falls = [task.falls(ours[0]), task.falls(theirs[0]), task.falls(ours[1])]
    order = np.argsort(-falls[0])[:_SHOWN]
    said = Predictions(
        MEASURES[task.measure],
        task.classes,
        truth,
        [x.said for x in ours],
        [x.said for x in theirs],
    )
    chance = CHANCE.get(task.measure, 1 / np.unique(truth).size)
    best = trained[learners[0].name][0]
    by_column = [subgroups(name, schema.coded[name], known, target, said) for name in groups]
    return Downstream(
        target=target,
        measure=task.measure,
        second=value_of(schema.coded[target], 1.0) if task.classes == 2 else None,
        chance=chance,
        rows_real=known[0].rows,
        rows_synthetic=known[1].rows,
        rows_holdout=held.rows,
        learners=tuple(learners),
        choice_costs=learners[0].real - by_release.real,
        features=tuple(
            (features.columns[i], float(falls[0][i]), float(falls[1][i])) for i in order
        ),
        features_agree=_agreement(falls[0], falls[1]),
        features_floor=_agreement(falls[0], falls[2]),
        beyond_low=beyond([one.measured for one in best], chance).low,
        groups=tuple(group for found, _ in by_column for group in found),
        gaps=tuple(gap for _, found in by_column for gap in found),
        event=None if event is None else f"{event} = {value_of(schema.coded[event], 1.0)}",
    )


def _until(table: Numbers, target: str, event: str) -> Numbers:
    """The same table with both in the target's place; unknown where the time is below 0."""
    time, ended = table.values[target], table.values[event]
    both = np.full(table.rows, np.nan)
    known = np.isfinite(time) & np.isfinite(ended) & ~(time < 0)
    both[known] = together(time[known], ended[known] == 1)
    return Numbers(table.rows, {**table.values, target: both})


def _known(table: Numbers, target: str) -> Numbers:
    return table.take(np.flatnonzero(np.isfinite(table.values[target])))


def _classes(column: Column) -> int:
    if isinstance(column, Boolean):
        return 2
    return len(column.categories) if isinstance(column, Categorical) else 0


def _agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Spearman's correlation; 0 where one of them is constant, as nothing is put in an order."""
    if len(ours) < 2 or np.ptp(ours) == 0 or np.ptp(theirs) == 0:
        return 0.0
    return float(spearmanr(ours, theirs).statistic)
