"""Charged looks at when in the week the times of a column lie."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dpsynth.data.tables.inside import Inside
from dpsynth.data.tables.weeks import WeekCoding
from dpsynth.door.bounded import Bounded
from dpsynth.kernel.accountant import Accountant
from dpsynth.mechanisms.inside import Seen, look
from dpsynth.models.histogram import denoise
from dpsynth.schema.columns import Datetime

SHARE = 0.02
MAX_SHARE = 0.05
"""Of a fit's budget: what a look at one column's weeks costs, and at those of many together."""

_CLEAR = 5.0
"""Standard deviations of their sum, above which the counts are rows and not noise alone."""


def weeks_cost(cost: int, columns: int) -> int:
    """What the look at one column costs a fit that has this cost left."""
    return int(cost * min(MAX_SHARE, SHARE * columns)) // columns


def look_at_weeks(
    rows: Bounded, columns: Mapping[str, Datetime], accountant: Accountant, cost: int
) -> dict[str, Seen]:
    """How many rows each hour of a week has, or each weekday; one charge for a column."""
    found = {}
    codings = {name: WeekCoding(column) for name, column in columns.items()}
    purposes = {name: f"when in the week {name} lies" for name in columns}
    for name, (counts, noise) in look(rows, codings, accountant, cost, purposes).items():
        total = float(counts.sum())
        if total > _CLEAR * noise * math.sqrt(counts.size):
            found[name] = Seen(week=tuple(denoise(counts, noise, None, total).tolist()))
    return found


def weeks_of(seen: Seen) -> Inside:
    """What was seen, as shares of a week."""
    total = sum(seen.week)
    return Inside(week=tuple(each / total for each in seen.week))
