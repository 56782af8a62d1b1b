"""Charged bounds: where a numeric column's values lie, when nobody knows beforehand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dpsynth.columns import Numeric
from dpsynth.data.magnitude import HIGHS, LOWS
from dpsynth.data.table import PrivateTable
from dpsynth.privacy.accountant import Accountant
from dpsynth.privacy.events import Gaussian

_CLEAR = 3.5
"""A cell counts as inhabited from 3.5 standard deviations on: 122 empty cells mislead with probability 0.03."""


def learn_bounds(
    table: PrivateTable, columns: Mapping[str, Numeric], accountant: Accountant, cost: int
) -> dict[str, tuple[float, float]]:
    """For each column the powers of two that enclose its clearly inhabited magnitudes; one charge a column.

    A bound that the schema states is kept. Values beyond the learned bounds are clipped to them, so a tail too thin
    to be seen above the noise ends at the bound.
    """
    answers = table.marginals([(name,) for name in columns])
    bounds = {}
    for name, column in columns.items():
        charge = accountant.charge(Gaussian.spending(cost // len(columns)), f"learn the bounds of {name}")
        counts, stddev = charge.gaussian(answers[name,])
        bounds[name] = _enclose(column, (counts > _CLEAR * stddev)[: LOWS.size])
    return bounds


def _enclose(column: Numeric, inhabited: np.ndarray) -> tuple[float, float]:
    """The stated bounds where there are any; else the ends of the inhabited cells."""
    cells = np.flatnonzero(inhabited) if inhabited.any() else [LOWS.size // 2]
    low = column.low if column.low is not None else float(LOWS[cells[0]])
    high = column.high if column.high is not None else float(HIGHS[cells[-1]])
    if column.low is None and 0 < low <= high / 4:  # small magnitudes are thin cells: what lies near zero reaches it
        low = 0.0
    if column.high is None and low / 4 <= high < 0:
        high = 0.0
    if high <= low:  # what was seen lies beyond the stated bound: the narrowest column that the bound allows
        width = column.spacing or 1.0
        low, high = (low, low + width) if column.low is not None else (high - width, high)
    return low, high
