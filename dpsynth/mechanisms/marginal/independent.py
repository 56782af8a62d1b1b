"""Independent: every column by itself. The floor that any mechanism has to beat, and the answer
when data are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Event
from dpsynth.kernel.table import PrivateTable
from dpsynth.mechanisms.allocation import Allocation, Footprint, first_parts, footprint
from dpsynth.mechanisms.base import FirstLook, Mechanism, allocated_look, check_shares
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.inference import estimate
from dpsynth.models.refined import RefinedModel

SLOWEST_OF_COLUMNS = 2.0
"""Seconds of our slowest table, single columns only."""


@dataclass(frozen=True)
class Independent(Mechanism):
    """Spends its budget on one-way marginals, evenly, and a little on the row count.

    total_share: the part of the budget that measures the row count.
    """

    total_share: float = 0.02

    def __post_init__(self) -> None:
        check_shares(total=self.total_share)

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        total = int(cost * self.total_share)
        return Allocation(first_parts(domain, total=total, oneway=cost - total))

    def footprint(self, domain: Domain, rows: int) -> Footprint:
        return footprint(domain, rows, pairs=False, slowest=SLOWEST_OF_COLUMNS)

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A product of one-way distributions."""
        return _columns(table, all_on_columns(table, accountant, self))


def rest_on_columns(table: PrivateTable, accountant: Accountant, look: FirstLook) -> RefinedModel:
    """The answer where no pair is worth its noise: all that is left goes to another look at every
    column.
    """
    return _columns(table, look_at_rest(table, accountant, look))


def look_at_rest(table: PrivateTable, accountant: Accountant, look: FirstLook) -> FirstLook:
    """The look, and another at every column for all that is left."""
    return look.combined(all_on_columns(table, accountant))


def all_on_columns(
    table: PrivateTable, accountant: Accountant, how: Independent | None = None
) -> FirstLook:
    """Spends all that is left on the row count and the columns, shared out as `how` says."""
    how = how or Independent()
    return allocated_look(table, accountant, how.allocation(accountant.cost_left, table.domain))


def _columns(table: PrivateTable, look: FirstLook) -> RefinedModel:
    return independent_model(table.domain, look.masses(), look.rows)


def independent_model(domain: Domain, masses: dict[str, np.ndarray], rows: float) -> RefinedModel:
    """The product of these one-way distributions, as one bin a column that holds all of its
    cells.
    """
    bins = {a: np.zeros(n, dtype=np.int64) for a, n in domain.sizes}
    coarse = Domain.of(dict.fromkeys(domain.attributes, 1))
    total = LinearMeasurement((), np.asarray(rows), 1.0)
    return RefinedModel(domain, estimate(coarse, [total]), bins, masses)
