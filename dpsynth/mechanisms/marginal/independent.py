"""Independent: every column by itself. The floor that any mechanism has to beat, and the answer
when data are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Event
from dpsynth.mechanisms.allocation import Allocation, first_parts
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.footprint import Footprint, Pace, footprint
from dpsynth.mechanisms.oneway import OneWayMeasurements, allocated_oneways, check_shares
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.inference import estimate
from dpsynth.models.refined import RefinedModel

PACE_OF_COLUMNS = Pace(0.000516, 1.29, 0.09)
"""Of single columns; benchmarks/results/forecast.json."""


@dataclass(frozen=True)
class Independent(Mechanism):
    """Measures every column by itself, evenly, and the row count a little.

    Parameters
    ----------
    total_share : float
        The part of the budget that measures the row count.

    Raises
    ------
    ValueError
        For a share that leaves nothing for the columns.

    Examples
    --------
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"age": 100, "sex": 2})
    >>> [(part.what, part.costs[1]) for part in Independent().allocation(1_000_000, domain).parts]
    [('the row count', 20000), ('every column', 490000)]
    """

    total_share: float = 0.02

    def __post_init__(self) -> None:
        check_shares(total=self.total_share)

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        total = int(cost * self.total_share)
        return Allocation(first_parts(domain, total=total, oneway=cost - total))

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        return footprint(domain, rows, prices, pairs=False, pace=PACE_OF_COLUMNS)

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A product of one-way distributions."""
        return _columns(table, all_on_columns(table, accountant, self))


def rest_on_columns(
    table: PrivateTable, accountant: Accountant, oneway: OneWayMeasurements
) -> RefinedModel:
    """The answer where no pair is worth its noise: all that is left measures every column."""
    return _columns(table, measure_rest(table, accountant, oneway))


def measure_rest(
    table: PrivateTable, accountant: Accountant, oneway: OneWayMeasurements
) -> OneWayMeasurements:
    """These, and every column measured once more for all that is left."""
    return oneway.combined(all_on_columns(table, accountant))


def all_on_columns(
    table: PrivateTable, accountant: Accountant, how: Independent | None = None
) -> OneWayMeasurements:
    """Spends all that is left on the row count and the columns, shared out as `how` says."""
    how = how or Independent()
    return allocated_oneways(table, accountant, how.allocation(accountant.cost_left, table.domain))


def _columns(table: PrivateTable, oneway: OneWayMeasurements) -> RefinedModel:
    model = independent_model(table.domain, oneway.masses(), oneway.rows)
    found = replace(model, last_cells=oneway.last_cells(), counted=oneway.counted())
    return replace(found, charged=oneway.charged)


def independent_model(domain: Domain, masses: dict[str, np.ndarray], rows: float) -> RefinedModel:
    """The product of one-way distributions, as a model that can be stored.

    Parameters
    ----------
    domain : Domain
        Of the columns.
    masses : dict of str to ndarray
        For each column the relative masses of its cells, shape (cells,), 0 or more.
    rows : float
        What the model is scaled to.

    Returns
    -------
    RefinedModel
        One bin a column, which holds all of its cells.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"age": 3, "sex": 2})
    >>> masses = {"age": np.array([1.0, 1.0, 2.0]), "sex": np.array([3.0, 1.0])}
    >>> independent_model(domain, masses, 100.0).project(("age", "sex")).round(2)
    array([[18.75,  6.25],
           [18.75,  6.25],
           [37.5 , 12.5 ]])
    """
    bins = {a: np.zeros(n, dtype=np.int64) for a, n in domain.sizes}
    coarse = Domain.of(dict.fromkeys(domain.attributes, 1))
    total = LinearMeasurement((), np.asarray(rows), 1.0)
    return RefinedModel(domain, estimate(coarse, [total]), bins, masses)
