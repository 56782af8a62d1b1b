"""Plan: what a fit would spend, how much noise its answers would carry, and whether it can be done at all.

Everything here follows from public facts: the schema, the settings, the budget, and a number of rows that somebody
assumes. No row is read and nothing is charged. Where a mechanism's charges depend on charged answers (how many pairs
are worth their noise), the plan gives the fewest and the most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dpsynth.base.domain import Domain
from dpsynth.base.text import short
from dpsynth.data.tables.codec import schema_domain
from dpsynth.kernel.budget import LEAST_COST, Budget, affordable
from dpsynth.kernel.events import Event
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.allocation import COLUMNS, Allocation, Part, Preview
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.bounds import bounds_cost
from dpsynth.mechanisms.prices import MEAN_ABS, informative_pairs
from dpsynth.mechanisms.registry import name_of
from dpsynth.schema.table import Schema

_ASSUMED_BOUNDS = (-(2.0**20), 2.0**20)


@dataclass(frozen=True)
class Query:
    """One kind of charge. charges: the fewest and the most of them; stddev: least and most noise on a count, in rows.

    most is infinite where a charge may get next to nothing of a budget that is shared by what the answers show; both
    are NaN where the noise is another program's.
    """

    what: str
    charges: tuple[int, int]
    stddev: tuple[float, float]


@dataclass(frozen=True)
class Plan:
    """What a fit would do. columns_error: the mean total variation distance of the one-way marginals, at the most;
    None where nobody can say.

    seconds, megabytes: from rules of thumb and our benchmarks, on one core; the truth may lie outside. The most seconds
    are infinite where nobody knows.
    """

    mechanism: str
    budget: Budget
    unit: PrivacyUnit
    rows: int
    columns: int
    cells: int
    pairs: int
    queries: tuple[Query, ...]
    training: Preview | None
    columns_error: float | None
    seconds: tuple[float, float]
    megabytes: float
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON can hold it: None for infinity."""
        return {
            **asdict(self),
            "queries": [
                {**asdict(q), "stddev": [s if math.isfinite(s) else None for s in q.stddev]} for q in self.queries
            ],
            "seconds": [s if math.isfinite(s) else None for s in self.seconds],
        }

    def table(self) -> list[tuple[str, str, str]]:
        """Kind of query, number of charges, noise: for a reader."""
        return [(q.what, _range(*map(str, q.charges)), _range(*map(_rows, q.stddev))) for q in self.queries]

    def summary(self) -> str:
        """A few lines for a terminal."""
        spends = f"epsilon {self.budget.epsilon:g} at delta {self.budget.delta:g}, all of it, in one fit"
        lines = [
            f"{self.mechanism} for {self.unit.describe()}: {spends}",
            f"{self.columns} columns with {self.cells:,} cells, {self.pairs:,} pairs; {self.rows:,} rows assumed",
            *(f"  {what:<48} {charges:>12} charges, noise {noise}" for what, charges, noise in self.table()),
            *([self.training.describe()] if self.training else []),
            f"one-way distributions: {self._columns_error()}",
            f"CPU seconds: {self._seconds()}; memory: up to {self.megabytes:,.0f} MB",
            *self.notes,
        ]
        return "\n".join(lines)

    def _columns_error(self) -> str:
        if self.columns_error is None:
            return "off by nobody knows how much"
        return f"off by {self.columns_error:.2g} at most on average (total variation, noise only)"

    def _seconds(self) -> str:
        least, most = self.seconds
        return f"{least:.1f} to {most:.0f}" if math.isfinite(most) else f"{least:.1f} or more"


def plan(schema: Schema, mechanism: Mechanism, budget: Budget, rows: int) -> Plan:
    """The plan of one fit. rows: how many the table is assumed to have, 1 or more.

    Raises ValueError for a budget that affords no noise that can be drawn, or a mechanism whose charges are not known,
    and BudgetExceededError where what the mechanism has to reserve is not affordable.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ValueError(f"rows must be a whole number, 1 or more: a guess at the table's size, got {rows!r}")
    cost, settled = affordable(budget), _settled(mechanism, budget, schema.unit)
    domain = schema_domain(schema, dict.fromkeys(schema.unbounded, _ASSUMED_BOUNDS))
    bounds = _bounds(cost, schema.unbounded)
    allocation = mechanism.allocation(cost - sum(p.charges[1] * p.costs[1] for p in bounds), domain, settled)
    if not isinstance(allocation, Allocation):
        raise ValueError(
            f"the mechanism {name_of(mechanism)} gave {type(allocation).__name__} for its allocation: an Allocation of"
            " dpsynth.mechanisms.allocation is wanted"
        )
    training = mechanism.preview(settled, domain, rows, schema.unit)
    takes = mechanism.footprint(domain, rows)
    most = takes.seconds[1] + (training.seconds if training else 0.0)
    sensitivity = schema.unit.count_sensitivity(2)[1]
    return Plan(
        mechanism=name_of(mechanism),
        budget=budget,
        unit=schema.unit,
        rows=rows,
        columns=len(domain.attributes),
        cells=sum(n for _, n in mechanism.seen(domain).sizes),
        pairs=len(informative_pairs(domain)),
        queries=tuple(Query(p.what, p.charges, p.stddev(sensitivity)) for p in (*bounds, *allocation.parts)),
        training=training,
        columns_error=_columns_error(allocation, domain, sensitivity, rows),
        seconds=(takes.seconds[0], most),
        megabytes=takes.megabytes,
        notes=(*_to_be_learned(schema.unbounded), *mechanism.remarks(budget)),
    )


def _settled(mechanism: Mechanism, budget: Budget, unit: PrivacyUnit) -> tuple[Event, ...]:
    """What the budget settles beforehand, refused here where a fit would refuse it.

    A budget that is kept for other programs buys no noise, and need not.
    """
    if affordable(budget) < LEAST_COST and not budget.programs_epsilon:
        raise ValueError(f"{budget} affords only noise of billions of rows: ask for a larger epsilon or delta")
    settled = tuple(mechanism.settled(budget))
    for event in settled:
        event.refuse(unit)
    if settled:
        Accountant(budget, reserve=list(settled))  # BudgetExceededError; its ledger is in memory and about no data
    return settled


def _bounds(cost: int, learned: Sequence[str]) -> list[Part]:
    if not learned:
        return []
    each = bounds_cost(cost) // len(learned)
    return [Part("bounds of a column", (len(learned),) * 2, (each, each))]


def _to_be_learned(learned: Sequence[str]) -> list[str]:
    if not learned:
        return []
    return [f"{', '.join(learned)}: bounds are to be learned; a wide range is assumed for their cells"]


def _columns_error(allocation: Allocation, domain: Domain, sensitivity: float, rows: int) -> float | None:
    """Half the L1 norm of the noise over the rows, as if nothing were done about it; no distance exceeds 1.

    None where columns are not measured one by one.
    """
    if (columns := allocation.part(COLUMNS)) is None:
        return None
    stddev = columns.stddev(sensitivity)[1]
    errors = [min(1.0, MEAN_ABS * stddev * n / (2 * rows)) for _, n in domain.sizes]
    return math.fsum(errors) / len(errors)


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _rows(stddev: float) -> str:
    return "unknown" if math.isnan(stddev) else short(stddev, 3) if math.isfinite(stddev) else "any"
