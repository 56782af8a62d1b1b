"""What marginal mechanisms measure first: the row count and every one-way marginal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.mechanisms.allocation import COLUMNS, ROW_COUNT, Allocation
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.histogram import denoise


@dataclass(frozen=True, eq=False)
class OneWayMeasurements:
    """The row count and every one-way marginal, measured.

    Parameters
    ----------
    domain : Domain
        Of the table.
    total : LinearMeasurement
        Of the row count: its clique is `()`.
    by_column : mapping of str to LinearMeasurement
        Of each column.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> total = LinearMeasurement((), np.asarray(100.0), 5.0)
    >>> sexes = LinearMeasurement(("sex",), np.array([60.0, 44.0]), 5.0)
    >>> oneway = OneWayMeasurements(Domain.of({"sex": 2}), total, {"sex": sexes})
    >>> round(oneway.rows, 1)
    101.3
    >>> round(float(oneway.masses()["sex"].sum()), 1)
    101.3
    """

    domain: Domain
    total: LinearMeasurement
    by_column: Mapping[str, LinearMeasurement]

    @property
    def rows(self) -> float:
        """The estimated number of rows, at least 1: all totals, weighted by their precision."""
        totals = [float(self.total.values)]
        stddevs = [float(np.mean(self.total.stddev))]
        for m in self.by_column.values():
            totals.append(float(m.values.sum()))
            variances = np.broadcast_to(np.square(m.stddev), m.values.shape)
            stddevs.append(float(np.sqrt(np.sum(variances))))
        weights = np.array([1 / stddev**2 for stddev in stddevs])
        return max(1.0, float(np.dot(weights, totals) / weights.sum()))

    def masses(self) -> dict[str, np.ndarray]:
        """Estimated counts of each column's cells."""
        rows = self.rows
        return {
            a: denoise(m.values, float(np.mean(m.stddev)), self.domain.width(a), rows)
            for a, m in self.by_column.items()
        }

    def last_cells(self) -> dict[str, tuple[float, float]]:
        """The count of each column's last cell as measured, and its noise's standard deviation."""
        return {
            a: (float(m.values[-1]), float(np.broadcast_to(m.stddev, m.values.shape)[-1]))
            for a, m in self.by_column.items()
        }

    def combined(self, other: OneWayMeasurements) -> OneWayMeasurements:
        """Both as one: inverse-variance weighted means."""
        return replace(self.again(other.by_column), total=_combined(self.total, other.total))

    def again(self, by_column: Mapping[str, LinearMeasurement]) -> OneWayMeasurements:
        """These measurements, and the columns measured once more."""
        return replace(
            self, by_column={a: _combined(m, by_column[a]) for a, m in self.by_column.items()}
        )

    def with_prior(self, more: LinearMeasurement) -> OneWayMeasurements:
        """These, and one known beforehand, of the row count or of one column."""
        if not more.clique:
            return replace(self, total=_combined(self.total, more))
        (a,) = more.clique
        return replace(self, by_column={**self.by_column, a: _combined(self.by_column[a], more)})


MIN_SHARE = 1e-6
"""Of a budget: a smaller part would buy noise larger than any count, or more than can be drawn."""


def check_shares(**shares: float) -> None:
    """Refuses parts of a budget that are too small, or leave too little.

    Parameters
    ----------
    **shares : float
        Parts by name: each MIN_SHARE or more, and as much left of all.

    Raises
    ------
    ValueError
        Before any charge, where they are not.
    """
    if (
        not all(share >= MIN_SHARE for share in shares.values())
        or not sum(shares.values()) <= 1 - MIN_SHARE
    ):
        raise ValueError(
            f"shares of the budget must be {MIN_SHARE:g} or more and leave as much, got {shares}"
        )


def measure_oneways(
    table: PrivateTable, accountant: Accountant, *, total_cost: int, oneway_cost: int
) -> OneWayMeasurements:
    """Measures the row count, and every column evenly.

    Parameters
    ----------
    table : PrivateTable
        What is measured.
    accountant : Accountant
        What charges.
    total_cost : int
        Of the row count, in units of `gaussian_dp.COST_UNIT`.
    oneway_cost : int
        Of all columns together.

    Returns
    -------
    OneWayMeasurements
        What was measured.
    """
    attributes = table.domain.attributes
    answers = table.marginals([(), *((a,) for a in attributes)])
    total = measure(accountant, (), answers[()], total_cost)
    each = oneway_cost // len(attributes)
    return OneWayMeasurements(
        table.domain, total, {a: measure(accountant, (a,), answers[a,], each) for a in attributes}
    )


def allocated_oneways(
    table: PrivateTable, accountant: Accountant, allocation: Allocation
) -> OneWayMeasurements:
    """Measures the row count and every column for what the allocation gives them.

    Parameters
    ----------
    table : PrivateTable
        What is measured.
    accountant : Accountant
        What charges.
    allocation : Allocation
        With the parts of `first_parts`.

    Returns
    -------
    OneWayMeasurements
        What was measured.
    """
    oneway = allocation.cost(COLUMNS) * len(table.domain.attributes)
    return measure_oneways(
        table, accountant, total_cost=allocation.cost(ROW_COUNT), oneway_cost=oneway
    )


def measure(
    accountant: Accountant, clique: Clique, answer: Sensitive, cost: int
) -> LinearMeasurement:
    """Measures one marginal: a charge, and what it returns.

    Parameters
    ----------
    accountant : Accountant
        What charges.
    clique : tuple of str
        The marginal's columns; `()` is the row count.
    answer : Sensitive
        Its exact counts, which cannot be read.
    cost : int
        In units of `gaussian_dp.COST_UNIT`.

    Returns
    -------
    LinearMeasurement
        Noisy counts, shape `domain.shape(clique)`, and the noise's standard deviation, in rows.
    """
    purpose = f"measure {' x '.join(clique)}" if clique else "measure the row count"
    values, stddev = accountant.charge(Gaussian.spending(cost), purpose).gaussian(answer)
    return LinearMeasurement(clique, values, stddev)


def measure_all(
    accountant: Accountant, answers: Mapping[Clique, Sensitive], costs: Mapping[Clique, int]
) -> list[LinearMeasurement]:
    """Measures several marginals, one charge for each of `costs`.

    Parameters
    ----------
    accountant : Accountant
        What charges.
    answers : mapping of tuple of str to Sensitive
        Exact counts by clique, at least those of `costs`.
    costs : mapping of tuple of str to int
        What each measurement costs.

    Returns
    -------
    list of LinearMeasurement
        In the order of `costs`.
    """
    return [measure(accountant, clique, answers[clique], cost) for clique, cost in costs.items()]


def _combined(x: LinearMeasurement, y: LinearMeasurement) -> LinearMeasurement:
    """The inverse-variance weighted mean of two measurements of one marginal."""
    a = np.square(x.stddev)
    b = np.square(y.stddev)
    return LinearMeasurement(
        x.clique, (x.values * b + y.values * a) / (a + b), np.sqrt(a * b / (a + b))
    )
