"""What marginal mechanisms measure first: the row count and every one-way marginal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.mechanisms.allocation import COLUMNS, ROW_COUNT, Allocation
from dpsynth.models.base import LinearMeasurement, RoughMeasurement
from dpsynth.models.blocks import blocks_of, counted_together, masses_of, times_counted
from dpsynth.models.counted import Counted
from dpsynth.models.histogram import denoise


@dataclass(frozen=True, eq=False)
class WideMeasurement(LinearMeasurement):
    """A wide column, measured in cells and in blocks of cells.

    Parameters
    ----------
    counted : Counted
        What was counted. `values` are the best linear estimate by it, and `stddev` their noise,
        which is not independent.

    Examples
    --------
    >>> counted = Counted.of_cells(np.array([10.0, 20.0]), 2.0)
    >>> WideMeasurement.of(("age",), counted).values.tolist()
    [10.0, 20.0]
    """

    counted: Counted

    @classmethod
    def of(
        cls, clique: Clique, counted: Counted, charged: tuple[RoughMeasurement, ...] = ()
    ) -> WideMeasurement:
        """What was counted, with the best estimate by it."""
        return cls(clique, counted.values, counted.stddev, counted, charged=charged)


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
        Of each column: of wide ones, which are counted in blocks as well, a `WideMeasurement`.
    counts : mapping of tuple of str to Sensitive
        What was measured, closed, so that a second measurement need not read the rows again.

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
    counts: Mapping[Clique, Sensitive] = field(default_factory=dict, repr=False)

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
        if isinstance(m, WideMeasurement):
            return m.counted.stddev_of_sums(labels)
        return np.sqrt(np.bincount(labels, np.square(m.stddev) * np.ones(m.values.shape)))

    def _masses(self, attribute: str, rows: float) -> np.ndarray:
        m, widths = self.by_column[attribute], self.domain.width(attribute)
        blocks = blocks_of(self.domain, attribute)
        if isinstance(m, WideMeasurement) and blocks is not None and widths is not None:
            return masses_of(m.counted, widths, rows, blocks)
        return denoise(m.values, float(np.mean(m.stddev)), widths, rows)

    def last_cells(self) -> dict[str, tuple[float, float]]:
        """The count of each column's last cell as measured, and its noise's standard deviation."""
        return {
            a: (float(m.values[-1]), float(np.broadcast_to(m.stddev, m.values.shape)[-1]))
            for a, m in self.by_column.items()
        }

    @property
    def charged(self) -> tuple[RoughMeasurement, ...]:
        """All charged answers that these were made of."""
        measurements = [self.total, *self.by_column.values()]
        return tuple(each for m in measurements for each in m.charged)

    def counted(self) -> dict[str, Counted]:
        """What was measured of each wide column."""
        return {a: m.counted for a, m in self.by_column.items() if isinstance(m, WideMeasurement)}

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
    blocks = public_blocks(table.domain)
    counts = table.marginals([(), *((a,) for a in attributes)])
    answers = count_columns(table, counts, blocks)
    total = _as_charged(measure(accountant, (), answers[()], total_cost))
    costs = dict.fromkeys(attributes, oneway_cost // len(attributes))
    by_column = measure_columns(accountant, answers, costs, blocks)
    return OneWayMeasurements(table.domain, total, by_column, counts)


def public_blocks(domain: Domain) -> dict[str, np.ndarray]:
    """The blocks of all wide columns that follow from the domain."""
    found = {a: blocks_of(domain, a) for a in domain.attributes}
    return {a: blocks for a, blocks in found.items() if blocks is not None}


def count_columns(
    table: PrivateTable, counts: Mapping[Clique, Sensitive], blocks: Mapping[str, np.ndarray]
) -> dict[Clique, Sensitive]:
    """Counts of the row count and of columns, closed: a wide column's cells, and then its blocks,
    once or more often (`times_counted`).

    A row counts in one cell and in one block, which `stack` makes of their sensitivities.

    counts: the table's marginals of the row count and of columns. blocks: of each wide column the
    block of each cell.
    """
    answers = dict(counts)
    wide = {c[0]: blocks[c[0]] for c in counts if c and c[0] in blocks}
    sums = table.coarsen(wide).marginals([(a,) for a in wide]) if wide else {}
    for c, each in sums.items():
        often = times_counted(table.domain, *c)
        answers[c] = Sensitive.stack([answers[c], *[each] * often])
    return answers


def measure_columns(
    accountant: Accountant,
    answers: Mapping[Clique, Sensitive],
    costs: Mapping[str, int],
    blocks: Mapping[str, np.ndarray],
) -> dict[str, LinearMeasurement]:
    """Measures these columns of `count_columns`, one charge for each."""
    found = {}
    for a, cost in costs.items():
        m = measure(accountant, (a,), answers[a,], cost)
        found[a] = _as_charged(m) if a not in blocks else _wide(m, blocks[a])
    return found


def _as_charged(m: LinearMeasurement) -> LinearMeasurement:
    """A measurement of cells, which remembers what was drawn."""
    cells = tuple(np.arange(n) for n in m.values.shape)
    drawn = RoughMeasurement(m.clique, cells, m.values, float(np.max(m.stddev)))
    return replace(m, charged=(drawn,))


def _wide(m: LinearMeasurement, blocks: np.ndarray) -> WideMeasurement:
    """A measurement of cells, and then of blocks, as one of cells. Each time that blocks were
    counted is remembered by itself, as each was rounded by itself: a mean of two is no whole
    number, and has half the variance of one of them, rounding included.
    """
    noise = float(np.max(m.stddev))
    sums = m.values[blocks.size :].reshape(-1, int(blocks.max()) + 1)
    cells = RoughMeasurement(m.clique, (np.arange(blocks.size),), m.values[: blocks.size], noise)
    each = (RoughMeasurement(m.clique, (blocks,), values, noise) for values in sums)
    counted = counted_together(m.values, noise, blocks)
    return WideMeasurement.of(m.clique, counted, charged=(cells, *each))


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
    accountant: Accountant, clique: Clique, answer: Sensitive, cost: int, of: str = ""
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
    of : str
        For the ledger, what of the columns is counted, if not all of their cells.

    Returns
    -------
    LinearMeasurement
        Noisy counts, of the answer's shape, and the noise's standard deviation, in rows.
    """
    what = " ".join([of, " x ".join(clique)]).strip() if clique else "the row count"
    values, stddev = accountant.charge(Gaussian.spending(cost), f"measure {what}").gaussian(answer)
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
    """The best linear estimate by two measurements of one marginal."""
    charged = (*x.charged, *y.charged)
    if isinstance(x, WideMeasurement) or isinstance(y, WideMeasurement):
        return WideMeasurement.of(x.clique, _counted(x).and_also(_counted(y)), charged)
    a = np.square(x.stddev)
    b = np.square(y.stddev)
    mean = (x.values * b + y.values * a) / (a + b)
    return LinearMeasurement(x.clique, mean, np.sqrt(a * b / (a + b)), charged=charged)


def _counted(m: LinearMeasurement) -> Counted:
    return m.counted if isinstance(m, WideMeasurement) else Counted.of_cells(m.values, m.stddev)
