"""What a mechanism is, and the first look that all of ours share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.kernel.table import PrivateTable
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.checkpoint import Checkpoint
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.histogram import denoise


@runtime_checkable
class Mechanism(Protocol):
    """A frozen dataclass of public settings.

    Law: what `fit` returns depends on the table through the accountant's charges only, and it spends what the
    accountant has left, never more.
    """

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model: ...


@runtime_checkable
class Reserves(Mechanism, Protocol):
    """A mechanism that charges for more than Gaussian noise, and says beforehand what its run has to set aside.

    `fit` needs an accountant that was made with `reserve=mechanism.reserve(budget)`. What is reserved and not charged
    for training may be spent otherwise.
    """

    def reserve(self, budget: Budget) -> list[Event]:
        """All of the budget. Raises BudgetExceeded, or ImportError where this machine cannot train."""
        ...


@runtime_checkable
class ServesSomeUnits(Mechanism, Protocol):
    """A mechanism whose guarantee is not for units of every kind."""

    def check_unit(self, unit: PrivacyUnit) -> None:
        """ValueError for a unit that it does not serve."""
        ...


@runtime_checkable
class Resumes(Reserves, Protocol):
    """A mechanism whose training can go on in another process, under the charge that it began with.

    `fit` takes a checkpoint to keep its state in; `resume` goes on from it, with the accountant of the same run.
    """

    def fit(self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint | None = None) -> Model: ...

    def resume(self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint) -> Model: ...


@dataclass(frozen=True, eq=False)
class FirstLook:
    """The row count and every one-way marginal, measured, and what they say about each column."""

    domain: Domain
    total: LinearMeasurement
    oneways: Mapping[str, LinearMeasurement]

    @property
    def rows(self) -> float:
        """The estimated number of rows, at least 1: the measurements' own totals, weighted by their precision."""
        sums = [(float(self.total.values), float(np.mean(self.total.stddev)))]
        for m in self.oneways.values():
            sums.append((float(m.values.sum()), float(np.sqrt(np.sum(np.square(m.stddev))))))
        weights = np.array([1 / s**2 for _, s in sums])
        return max(1.0, float(np.dot(weights, [y for y, _ in sums]) / weights.sum()))

    def masses(self) -> dict[str, np.ndarray]:
        """Estimated counts of each column's cells."""
        rows = self.rows
        return {
            a: denoise(m.values, float(np.mean(m.stddev)), self.domain.width(a), rows) for a, m in self.oneways.items()
        }

    def combined(self, other: FirstLook) -> FirstLook:
        """Both looks as one: inverse-variance weighted means."""
        return replace(self.again(other.oneways), total=_combined(self.total, other.total))

    def again(self, oneways: Mapping[str, LinearMeasurement]) -> FirstLook:
        """This look and a second one at the columns."""
        return replace(self, oneways={a: _combined(m, oneways[a]) for a, m in self.oneways.items()})

    def told(self, more: LinearMeasurement) -> FirstLook:
        """This look, and one more measurement of the row count or of one column."""
        if not more.clique:
            return replace(self, total=_combined(self.total, more))
        (a,) = more.clique
        return replace(self, oneways={**self.oneways, a: _combined(self.oneways[a], more)})


LEAST_SHARE = 1e-6
"""Of a budget: a smaller part would buy noise that drowns everything, or that cannot be drawn."""


def check_shares(**shares: float) -> None:
    """Parts of a budget: each LEAST_SHARE or more, and as much left; ValueError, before any charge, if they are not."""
    if not all(share >= LEAST_SHARE for share in shares.values()) or not sum(shares.values()) <= 1 - LEAST_SHARE:
        raise ValueError(f"shares of the budget must be {LEAST_SHARE:g} or more and leave as much, got {shares}")


def first_look(table: PrivateTable, accountant: Accountant, *, total_cost: int, oneway_cost: int) -> FirstLook:
    """Measures the row count for `total_cost` and the one-way marginals for `oneway_cost` together, evenly."""
    attributes = table.domain.attributes
    answers = table.marginals([(), *((a,) for a in attributes)])
    total = measure(accountant, (), answers[()], total_cost)
    each = oneway_cost // len(attributes)
    return FirstLook(table.domain, total, {a: measure(accountant, (a,), answers[a,], each) for a in attributes})


def measure(accountant: Accountant, clique: Clique, answer: Sensitive, cost: int) -> LinearMeasurement:
    """One marginal for this cost: a charge, and what it returns."""
    purpose = f"measure {' x '.join(clique)}" if clique else "measure the row count"
    values, stddev = accountant.charge(Gaussian.spending(cost), purpose).gaussian(answer)
    return LinearMeasurement(clique, values, stddev)


def measure_all(
    accountant: Accountant, answers: Mapping[Clique, Sensitive], costs: Mapping[Clique, int]
) -> list[LinearMeasurement]:
    """One charge for each of `costs`."""
    return [measure(accountant, clique, answers[clique], cost) for clique, cost in costs.items()]


def _combined(x: LinearMeasurement, y: LinearMeasurement) -> LinearMeasurement:
    a, b = np.square(x.stddev), np.square(y.stddev)
    return LinearMeasurement(x.clique, (x.values * b + y.values * a) / (a + b), np.sqrt(a * b / (a + b)))
