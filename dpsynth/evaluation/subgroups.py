"""What a release does for each group of people: shares, outcomes, predictions and who is selected.

For evidence only, never for a fit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from dpsynth.evaluation.measures import Measure, difference
from dpsynth.evaluation.numbers import Numbers, value_of
from dpsynth.evaluation.survival import SURVIVAL, apart
from dpsynth.schema.columns import Column

LEAST_ROWS = 100
"""Of a group in the holdout: of fewer rows, no measure says much."""

Rates = tuple[float, float, float]


@dataclass(frozen=True)
class GroupQuality:
    """What a release does for one group of people.

    Parameters
    ----------
    column, value : str
        The group: rows with this value.
    rows_holdout : int
        Rows of the holdout in it.
    share_real, share_synthetic : float
        Its share of the rows.
    outcome_real, outcome_synthetic : float or None
        The mean of the target in the group, in both tables: of two classes the share of the second,
        of a time until an event the share of rows that have it. None where a table has no row of
        the group.
    real, synthetic : float or None
        The measure of gradient-boosted trees on its rows of the holdout; None for a group that has
        less than 100 of them, or one class of the target only, or no event.
    low, high : float or None
        A 90 % interval of `synthetic - real`.
    """

    column: str
    value: str
    rows_holdout: int
    share_real: float
    share_synthetic: float
    outcome_real: float | None
    outcome_synthetic: float | None
    real: float | None
    synthetic: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Gap:
    """By how much the groups of a column differ at the most, of those with 100 rows or more.

    Parameters
    ----------
    column : str
        The groups.
    what : {"outcome", "selected", "true positives", "false positives"}
        The share of the target's second class in both tables; and, on the holdout, which share of a
        group is selected (demographic parity), of its rows with the second class and of those with
        the first one (equalised odds). Selected are the highest scores, as many as have the second
        class in the whole holdout.
    real, synthetic : (float, float, float) or None
        The largest difference of two groups, for the real rows and for the release, with a 90 %
        interval: the intervals of all pairs hold together (Bonferroni). None where less than two
        groups have 100 rows.
    """

    column: str
    what: str
    real: Rates | None
    synthetic: Rates | None


@dataclass(frozen=True, eq=False)
class Predictions:
    """What models said of the holdout, and what is true there.

    truth: shape (rows,). ours, theirs: what models say that were trained on real rows and on the
    release, one array of the same shape for each training. classes: of the target.
    """

    measure: Measure
    classes: int
    truth: np.ndarray
    ours: Sequence[np.ndarray]
    theirs: Sequence[np.ndarray]

    def selected(self, said: Sequence[np.ndarray]) -> np.ndarray:
        """How often each row is among the highest scores; shape (rows,)."""
        many = int((self.truth == 1).sum())
        found = np.zeros(len(self.truth))
        for one in said:
            found[np.argsort(-one, kind="stable")[:many]] += 1 / len(said)
        return found


def subgroups(
    name: str, column: Column, tables: Sequence[Numbers], target: str, said: Predictions
) -> tuple[list[GroupQuality], list[Gap]]:
    """Each group of a column that occurs in the real rows, and by how much they differ.

    tables: the real rows, the release and the holdout, where the target is known.
    """
    groups = [table.values[name] for table in tables]
    outcomes = [_scaled(table.values[target], said.classes) for table in tables]
    values = np.unique(groups[0][~np.isnan(groups[0])])
    found = []
    for value in values:
        inside = [rows == value for rows in groups]
        real, synthetic, low, high = _measured(said, inside[2])
        found.append(
            GroupQuality(
                column=name,
                value=value_of(column, value),
                rows_holdout=int(inside[2].sum()),
                share_real=float(inside[0].mean()),
                share_synthetic=float(inside[1].mean()),
                outcome_real=_mean(outcomes[0][inside[0]]),
                outcome_synthetic=_mean(outcomes[1][inside[1]]),
                real=real,
                synthetic=synthetic,
                low=low,
                high=high,
            )
        )
    if said.classes != 2:
        return found, []
    by_table = [_counts(groups[i], values, outcomes[i]) for i in (0, 1)]
    gaps = [Gap(name, "outcome", *map(_gap, by_table))]
    picked = [said.selected(each) for each in (said.ours, said.theirs)]
    for what, among in _among(said.truth).items():
        rates = [_counts(groups[2][among], values, picks[among]) for picks in picked]
        gaps.append(Gap(name, what, *map(_gap, rates)))
    return found, gaps


def _scaled(target: np.ndarray, classes: int) -> np.ndarray:
    """Of two classes whether it is the second one, of a time whether it ended by the event."""
    if classes == SURVIVAL:
        return apart(target)[1].astype(np.float64)
    return (target == 1).astype(np.float64) if classes == 2 else target


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _measured(said: Predictions, held: np.ndarray) -> tuple[float | None, ...]:
    """The measure of both on these rows, and an interval of what lies between."""
    truth = said.truth[held]
    if held.sum() < LEAST_ROWS or np.unique(_scaled(truth, said.classes)).size < 2:
        return (None,) * 4
    ours, theirs = ([said.measure(truth, x[held]) for x in y] for y in (said.ours, said.theirs))
    gap, real = difference(theirs, ours), float(np.mean([one.value for one in ours]))
    return real, real + gap.value, gap.low, gap.high


def _among(truth: np.ndarray) -> dict[str, np.ndarray]:
    everybody = np.ones(len(truth), dtype=bool)
    return {"selected": everybody, "true positives": truth == 1, "false positives": truth == 0}


def _counts(groups: np.ndarray, values: np.ndarray, share: np.ndarray) -> list[tuple[int, float]]:
    """Of each group with enough rows their number and the mean share."""
    inside = [groups == value for value in values]
    return [(int(i.sum()), float(share[i].mean())) for i in inside if i.sum() >= LEAST_ROWS]


def _gap(groups: Sequence[tuple[int, float]]) -> Rates | None:
    """The largest difference of two rates, and its interval; None of less than two groups."""
    pairs = list(itertools.combinations(groups, 2))
    if not pairs:
        return None
    wide = float(norm.ppf(1 - 0.05 / len(pairs)))
    gaps = np.array([abs(one[1] - other[1]) for one, other in pairs])
    reach = np.array([wide * math.hypot(_error(*one), _error(*other)) for one, other in pairs])
    low, high = float((gaps - reach).max()), float((gaps + reach).max())
    return float(gaps.max()), max(low, 0.0), min(high, 1.0)


def _error(rows: int, rate: float) -> float:
    """Standard error of a share; never 0, by one more row of each kind (Agresti and Coull)."""
    rate = (rate * rows + 1) / (rows + 2)
    return math.sqrt(rate * (1 - rate) / rows)
