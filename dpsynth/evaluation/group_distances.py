"""How far a release is from the real rows within each group of people.

For evidence only, never for a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base.progress import steps
from dpsynth.evaluation.comparison import Comparison
from dpsynth.evaluation.numbers import Numbers, value_of
from dpsynth.evidence.verdict import GRADES, WEAK, grade
from dpsynth.models.distances import all_ways, frequencies, total_variation
from dpsynth.schema.table import Schema

LEAST_ROWS = 10
"""Real rows of a group, of which no distance is taken with fewer."""
_SEED = 20240610
"""Any number: it makes the same tables give the same figures."""


@dataclass(frozen=True)
class GroupDistance:
    """How far the rows of one group are from the real ones.

    Parameters
    ----------
    column, value : str
        The group: rows with this value.
    rows_real, rows_synthetic : int
        Its rows in each table.
    columns, columns_floor : float or None
        The mean total-variation distance over single columns, 0 to 1; and what sampling alone
        gives: the distance of as many rows as the release has of the group, drawn from its real
        rows. None where the group has less than 10 real rows, or no synthetic one.
    pairs, pairs_floor : float or None
        The same over pairs of columns.
    grade : {"good", "fair", "weak"} or None
        Of the worse of the two; None of a group that has less than 10 real rows.

    Examples
    --------
    >>> GroupDistance("sex", "f", 90, 80, 0.04, 0.03, 0.1, 0.09, "good").pairs
    0.1
    """

    column: str
    value: str
    rows_real: int
    rows_synthetic: int
    columns: float | None
    columns_floor: float | None
    pairs: float | None
    pairs_floor: float | None
    grade: str | None


def group_distances(
    names: Sequence[str],
    tables: Sequence[Numbers],
    schema: Schema,
    ones: Comparison,
    more: Comparison,
) -> tuple[GroupDistance, ...]:
    """Of each group of these columns that occurs in the real rows.

    tables: the real rows and the release; ones, more: the same in bins, for columns and for pairs.
    """
    rng = np.random.default_rng(_SEED)
    found = []
    for name in steps("comparing groups", list(names)):
        groups = [table.values[name] for table in tables[:2]]
        for value in np.unique(groups[0][~np.isnan(groups[0])]):
            inside = [np.flatnonzero(rows == value) for rows in groups]
            inside.append(rng.choice(inside[0], inside[1].size))
            rows = inside[0].size, inside[1].size
            columns = pairs = _UNKNOWN
            if rows[0] >= LEAST_ROWS and rows[1]:
                columns, pairs = (_mean(x, inside, k, name) for x, k in ((ones, 1), (more, 2)))
            which = value_of(schema.coded[name], value)
            graded = _grade(rows[0], (columns, pairs))
            found.append(GroupDistance(name, which, *rows, *columns, *pairs, graded))
    return tuple(found)


_Pair = tuple[float | None, float | None]
_UNKNOWN: _Pair = (None, None)


def _mean(bins: Comparison, inside: Sequence[np.ndarray], k: int, group: str) -> _Pair:
    """The mean distance over sets of k columns without that of the group, and of rows drawn anew.

    inside: positions of the group's rows in the real table, in the release, and in the real table
    again. None for both where there are too few columns for a set.
    """
    real, release = bins.tables[:2]
    rows = [
        {name: table[name][at] for name in bins.domain.attributes}
        for table, at in zip((real, release, real), inside, strict=True)
    ]
    others = [name for name in bins.domain.attributes if name != group]
    found = []
    for clique in all_ways(tuple(others)).get(k, []):
        ours, theirs, drawn = (frequencies(each, clique, bins.domain) for each in rows)
        found.append((total_variation(ours, theirs), total_variation(ours, drawn)))
    if not found:
        return _UNKNOWN
    distance, floor = np.mean(found, axis=0).tolist()
    return distance, floor


def _grade(rows: int, measured: Sequence[_Pair]) -> str | None:
    if rows < LEAST_ROWS:
        return None
    grades = [grade(far, usual) for far, usual in measured if far is not None and usual is not None]
    return max(grades, key=GRADES.index) if grades else WEAK


def weak_groups(groups: Sequence[GroupDistance]) -> list[str]:
    """The groups that the release is weak in, by name."""
    return [f"{one.column} = {one.value}" for one in groups if one.grade == WEAK]
