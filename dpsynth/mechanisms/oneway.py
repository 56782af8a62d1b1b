"""What marginal mechanisms measure first: the row count and every one-way marginal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.mechanisms.allocation import COLUMNS, ROW_COUNT, Allocation
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.blocks import (
    blocks_of,
    denoise_in_blocks,
    stddev_of_cells,
    together,
    variance_of_sums,
)
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
        Of each column. Cells of a wide one are counted in blocks as well (`models.blocks`), which
        these values contain.
    alone : frozenset of str
        Wide columns of which something else is known: their noise is taken for independent.

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
    alone: frozenset[str] = frozenset()

    @property
    def rows(self) -> float:
        """The estimated number of rows, at least 1: all totals, weighted by their precision."""
        totals = [float(self.total.values)]
        stddevs = [float(np.mean(self.total.stddev))]
        for a, m in self.by_column.items():
            totals.append(float(m.values.sum()))
            stddevs.append(float(self.stddev_of_sums(a, np.zeros(m.values.size, np.intp))[0]))
        weights = np.array([1 / stddev**2 for stddev in stddevs])
        return max(1.0, float(np.dot(weights, totals) / weights.sum()))

    def masses(self) -> dict[str, np.ndarray]:
        """Estimated counts of each column's cells."""
        rows = self.rows
        return {a: self._masses(a, rows) for a in self.by_column}

    def stddev_of_sums(self, attribute: str, labels: np.ndarray) -> np.ndarray:
        """The noise of sums of a column's cells, labels[cell] being the number of its sum."""
        m = self.by_column[attribute]
        variance = np.square(m.stddev) * np.ones(m.values.shape)
        blocks = blocks_of(self.domain, attribute)
        if blocks is None or attribute in self.alone:
            return np.sqrt(np.bincount(labels, variance))
        return np.sqrt(variance_of_sums(variance, blocks, labels))

    def _masses(self, attribute: str, rows: float) -> np.ndarray:
        m = self.by_column[attribute]
        stddev, widths = float(np.mean(m.stddev)), self.domain.width(attribute)
        blocks = blocks_of(self.domain, attribute)
        if blocks is None or widths is None:
            return denoise(m.values, stddev, widths, rows)
        of_blocks = float(np.mean(self.stddev_of_sums(attribute, blocks)))
        return denoise_in_blocks(m.values, (stddev, of_blocks), widths, rows, blocks)

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
        return replace(
            self,
            by_column={**self.by_column, a: _combined(self.by_column[a], more)},
            alone=self.alone | {a},
        )


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
    answers = count_columns(table, [(), *((a,) for a in attributes)])
    total = measure(accountant, (), answers[()], total_cost)
    costs = dict.fromkeys(attributes, oneway_cost // len(attributes))
    return OneWayMeasurements(
        table.domain, total, measure_columns(accountant, table.domain, answers, costs)
    )


def count_columns(table: PrivateTable, cliques: Sequence[Clique]) -> dict[Clique, Sensitive]:
    """Counts of the row count and of columns, closed: a wide column's cells, and then its blocks.

    A row counts in one cell and in one block, which `stack` makes of their sensitivities.
    """
    domain = table.domain
    blocks = {c[0]: found for c in cliques if c and (found := blocks_of(domain, c[0])) is not None}
    answers = table.marginals(cliques)
    sums = table.coarsen(blocks).marginals([(a,) for a in blocks]) if blocks else {}
    return {c: Sensitive.stack([x, sums[c]]) if c in sums else x for c, x in answers.items()}


def measure_columns(
    accountant: Accountant,
    domain: Domain,
    answers: Mapping[Clique, Sensitive],
    costs: Mapping[str, int],
) -> dict[str, LinearMeasurement]:
    """Measures these columns of `count_columns`, one charge for each."""
    return {a: _column(measure(accountant, (a,), answers[a,], costs[a]), domain) for a in costs}


def _column(m: LinearMeasurement, domain: Domain) -> LinearMeasurement:
    """The cells of a column as they were counted, alone or in blocks as well."""
    (a,) = m.clique
    blocks = blocks_of(domain, a)
    if blocks is None:
        return m
    cells, sums = np.split(m.values, [blocks.size])
    stddev = stddev_of_cells(float(np.max(m.stddev)), blocks)
    return LinearMeasurement(m.clique, together(cells, sums, blocks), stddev)


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
