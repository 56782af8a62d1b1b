"""Independent: every column by itself. The floor that any mechanism has to beat, and the answer when data are few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.table import PrivateTable
from dpsynth.mechanisms.base import FirstLook, check_shares, first_look
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.inference import estimate
from dpsynth.models.refined import RefinedModel


@dataclass(frozen=True)
class Independent:
    """Spends its budget on one-way marginals, evenly, and a little on the row count.

    total_share: the part of the budget that measures the row count.
    """

    total_share: float = 0.02

    def __post_init__(self) -> None:
        check_shares(total=self.total_share)

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A product of one-way distributions."""
        return _columns(table, _all_on_columns(table, accountant, self.total_share))


def rest_on_columns(table: PrivateTable, accountant: Accountant, look: FirstLook) -> RefinedModel:
    """The answer where no pair is worth its noise: all that is left goes to another look at every column."""
    return _columns(table, look_at_rest(table, accountant, look))


def look_at_rest(table: PrivateTable, accountant: Accountant, look: FirstLook) -> FirstLook:
    """The look, and another at every column for all that is left."""
    return look.combined(_all_on_columns(table, accountant, 0.02))


def _all_on_columns(table: PrivateTable, accountant: Accountant, total_share: float) -> FirstLook:
    total_cost = int(accountant.cost_left * total_share)
    return first_look(table, accountant, total_cost=total_cost, oneway_cost=accountant.cost_left - total_cost)


def _columns(table: PrivateTable, look: FirstLook) -> RefinedModel:
    return independent_model(table.domain, look.masses(), look.rows)


def independent_model(domain: Domain, masses: dict[str, np.ndarray], rows: float) -> RefinedModel:
    """The product of these one-way distributions, as one bin a column that holds all of its cells."""
    bins = {a: np.zeros(n, dtype=np.int64) for a, n in domain.sizes}
    coarse = Domain.of(dict.fromkeys(domain.attributes, 1))
    total = LinearMeasurement((), np.asarray(rows), 1.0)
    return RefinedModel(domain, estimate(coarse, [total]), bins, masses)
