"""A charged look at how far the rows are from what is expected of them: one number for each set of
columns, by one charge for all sets.

A distance is half the sum of |rows in a cell - rows expected there|: how many rows would have to
change. A unit moves it by half of what it moves the counts, whatever number of cells there is
(`Sensitive.l1_error`), so that the distance itself is measured, and not the table behind it. No
noise has to be corrected for: the noisy number is without bias, and its noise is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from dpsynth.base.domain import Clique
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive

PARTS = 256
"""An expectation is rounded to so many parts of a row: the error of that is far below any noise."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Some cells of a set of columns, and the rows that are expected in each.

    Parameters
    ----------
    columns : tuple of str
        The columns.
    expected : ndarray
        Shape domain.shape(columns): rows.
    among : ndarray or None
        Of the same shape: the cells that count, as bools; None for all.
    """

    columns: Clique
    expected: np.ndarray
    among: np.ndarray | None = None

    @property
    def by_chance(self) -> float:
        """The distance, in rows, at which rows that are drawn by these expectations lie.

        A cell's rows are then nearly a Poisson variable of mean m, whose mean absolute deviation is
        2 exp(-m) m^(k + 1) / k! for k = floor(m) (Crow, Sankhya 19, 1958).
        """
        mean = self.expected if self.among is None else self.expected[self.among]
        mean = mean[mean > 0]
        whole = np.floor(mean)
        deviation = 2 * np.exp((whole + 1) * np.log(mean) - mean - gammaln(whole + 1))
        return float(deviation.sum()) / 2


def look_at_distances(
    table: PrivateTable, looked_at: Sequence[Cells], accountant: Accountant, cost: int, purpose: str
) -> tuple[np.ndarray, float]:
    """The distances in rows, with noise, and the standard deviation of the noise of each.

    The noise of several is independent, so that their mean has that of one over the root of their
    number.
    """
    counts = table.marginals([*{each.columns: None for each in looked_at}])
    errors = [
        counts[each.columns].l1_error(each.expected, 0.5, among=each.among, parts=PARTS)
        for each in looked_at
    ]
    charge = accountant.charge(Gaussian.spending(cost), purpose)
    values, stddev = charge.gaussian(Sensitive.stack(errors))
    return values, float(np.max(stddev))


def stddev_factor(sets: int, counts: tuple[float, float]) -> float:
    """The noise of a distance of so many, beside that of one count measured for the same cost.

    counts: how far a unit moves counts, as an L1 and an L2 norm.
    """
    return math.sqrt(sets) * counts[0] / 2 / counts[1]


def in_groups(
    table: PrivateTable, groups: Mapping[str, np.ndarray], columns: Sequence[Clique]
) -> PrivateTable:
    """The table with the cells of these columns merged."""
    used = {a for clique in columns for a in clique}
    return table.coarsen({a: groups[a] for a in groups if a in used})
