"""Noisy counts of one column's cells and of sums of its cells, as one linear estimate.

Public mathematics on charged answers: generalised least squares over counts whose noise was drawn
independently. What counts say of cells together is kept as it was measured, so that any sum has
the noise that it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve


@dataclass(frozen=True, eq=False)
class Counted:
    """What was measured of a column's cells: the precision of a Gaussian, and where it lies.

    Parameters
    ----------
    precision : ndarray
        One over the variance of each cell's own count, positive.
    pull : ndarray
        Of each cell, the sum over all counts that it is in of count over variance.
    groups : tuple of (ndarray, ndarray)
        Of each way that cells were counted together: the group of each cell, numbered from 0, and
        one over the variance of each group's count, 0 for one that was not counted.

    Examples
    --------
    >>> cells = Counted.of_cells(np.array([10.0, 20.0, 30.0]), 2.0)
    >>> both = cells.with_sums(np.array([0, 0, 1]), np.array([36.0, 30.0]), 2.0)
    >>> both.values.round(6)
    array([12., 22., 30.])
    >>> bool(both.stddev_of_sums(np.array([0, 0, 1]))[0] < 2.0)
    True
    """

    precision: np.ndarray
    pull: np.ndarray
    groups: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    @classmethod
    def of_cells(cls, values: np.ndarray, stddev: np.ndarray | float) -> Counted:
        """Cells that were counted one by one, with noise of this standard deviation."""
        precision = 1 / np.square(stddev) * np.ones(values.shape)
        return cls(precision, values * precision)

    @classmethod
    def from_arrays(cls, saved: Mapping[str, np.ndarray]) -> Counted:
        """What `to_arrays` has given; KeyError for what lacks one of them."""
        number = sum(name.startswith("labels") for name in saved)
        groups = ((saved[f"labels{i}"], saved[f"weight{i}"]) for i in range(number))
        return cls(saved["precision"], saved["pull"], tuple(groups))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that is known, for a checkpoint."""
        found = {"precision": self.precision, "pull": self.pull}
        for i, (labels, weight) in enumerate(self.groups):
            found |= {f"labels{i}": labels, f"weight{i}": weight}
        return found

    def with_sums(
        self, labels: np.ndarray, sums: np.ndarray, stddev: np.ndarray | float
    ) -> Counted:
        """These, and the count of each group of cells; infinite noise says nothing of one."""
        weight = 1 / np.square(stddev) * np.ones(sums.shape)
        pull = self.pull + (sums * weight)[labels]
        return Counted(self.precision, pull, (*self.groups, (labels, weight)))

    def and_also(self, other: Counted) -> Counted:
        """These and others of the same cells."""
        return Counted(
            self.precision + other.precision, self.pull + other.pull, self.groups + other.groups
        )

    def part(self, cells: np.ndarray) -> Counted:
        """What is said of these cells, all others of their groups being taken for empty."""
        groups = tuple((labels[cells], weight) for labels, weight in self.groups)
        return Counted(self.precision[cells], self.pull[cells], groups)

    def within(self, values: np.ndarray) -> np.ndarray:
        """The precision of all cells together, times these values."""
        found = self.precision * values
        for labels, weight in self.groups:
            found += (weight * np.bincount(labels, values, weight.size))[labels]
        return np.asarray(found)

    @cached_property
    def roots(self) -> np.ndarray:
        """Shape (cells, groups): the part of the precision that groups add is its square."""
        columns = [np.diag(np.sqrt(weight))[labels] for labels, weight in self.groups]
        return np.hstack(columns) if columns else np.zeros((self.pull.size, 0))

    @property
    def values(self) -> np.ndarray:
        """The best linear estimate of each cell."""
        spread = self.roots / self.precision[:, None]
        inner = cho_solve(self._inner, spread.T @ self.pull)
        return np.asarray(self.pull / self.precision - spread @ inner)

    def stddev_of_sums(self, labels: np.ndarray) -> np.ndarray:
        """The noise of sums of estimated cells, labels[cell] being the number of its sum."""
        spread = self.roots / self.precision[:, None]
        sums = np.zeros((int(labels.max()) + 1, spread.shape[1]))
        np.add.at(sums, labels, spread)
        known = np.einsum("ij,ji->i", sums, cho_solve(self._inner, sums.T))
        return np.sqrt(np.bincount(labels, 1 / self.precision) - known)

    @property
    def stddev(self) -> np.ndarray:
        """The noise of each estimated cell."""
        return self.stddev_of_sums(np.arange(self.pull.size))

    @cached_property
    def _inner(self) -> tuple[np.ndarray, bool]:
        """Woodbury: the inverse of a diagonal and a few groups needs one of the groups only."""
        inner = np.eye(self.roots.shape[1]) + self.roots.T @ (self.roots / self.precision[:, None])
        factor, lower = cho_factor(inner)
        return factor, bool(lower)
