"""Charged bounds: where a numeric column's values lie, when nobody knows beforehand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dpsynth.data.tables.bounds import settled_bounds
from dpsynth.data.tables.magnitude import HIGHS, LOWS
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.schema.columns import Numeric

BOUNDS_SHARE = 0.05
"""Of a fit's budget: what learning the bounds of all columns costs together."""


def bounds_cost(cost: int) -> int:
    """What learning the bounds of all columns costs a fit that has this cost left."""
    return int(cost * BOUNDS_SHARE)


_CLEAR = 5.0
_LIKELY = 3.0
"""A cell counts as inhabited from 5 standard deviations on (122 empty cells mislead with
probability 0.00004), and next to an inhabited one from 3 on: a tail falls off through neighbouring
cells, noise does not.
"""


def learn_bounds(
    table: PrivateTable, columns: Mapping[str, Numeric], accountant: Accountant, cost: int
) -> dict[str, tuple[float, float]]:
    """For each column the powers of two that enclose its clearly inhabited magnitudes; one charge a
    column.

    A bound that the schema states is kept. Values beyond the learned bounds are clipped to them, so
    a tail too thin to be seen above the noise ends at the bound.
    """
    answers = table.marginals([(name,) for name in columns])
    bounds = {}
    for name, column in columns.items():
        charge = accountant.charge(
            Gaussian.spending(cost // len(columns)), f"learn the bounds of {name}"
        )
        counts, stddev = charge.gaussian(answers[name,])
        bounds[name] = _enclose(column, _inhabited((counts / stddev)[: LOWS.size]))
    return bounds


def _inhabited(strength: np.ndarray) -> np.ndarray:
    """Numbers of the first and the last inhabited cell, given each cell's count in standard
    deviations.

    No sign appears that is not clearly there: from zero, and across it, the search for a tail does
    not go on.
    """
    clear = np.flatnonzero(strength > _CLEAR)
    zero = strength.size // 2
    if not clear.size:
        return np.full(2, zero)
    first = int(clear[0])
    last = int(clear[-1])
    while first not in (0, zero, zero + 1) and strength[first - 1] > _LIKELY:
        first -= 1
    while last not in (strength.size - 1, zero, zero - 1) and strength[last + 1] > _LIKELY:
        last += 1
    return np.array([first, last])


def _enclose(column: Numeric, cells: np.ndarray) -> tuple[float, float]:
    """The stated bounds where there are any; else the ends of the first and the last inhabited
    cell.
    """
    low = column.low if column.low is not None else float(LOWS[cells[0]])
    high = column.high if column.high is not None else float(HIGHS[cells[-1]])
    # small magnitudes are thin cells: what lies near zero reaches it
    if column.low is None and 0 < low <= high / 4:
        low = 0.0
    if column.high is None and low / 4 <= high < 0:
        high = 0.0
    # what was seen lies beyond the stated bound: the narrowest column that the bound allows
    if high <= low:
        width = column.spacing or 1.0
        low, high = (low, low + width) if column.low is not None else (high - width, high)
    return settled_bounds(column, (low, high))
