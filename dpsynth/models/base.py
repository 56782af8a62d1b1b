"""What a model is: measurements in, a distribution out. Public mathematics: no private value comes
here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.base.errors import DPSynthError

Codes = dict[str, np.ndarray]
"""Discrete rows, column-wise: for each attribute a one-dimensional array of cell numbers."""


def code_dtype(cells: int) -> type[np.unsignedinteger] | type[np.int32]:
    """The smallest type that numbers this many cells."""
    return np.uint8 if cells <= 2**8 else np.uint16 if cells <= 2**16 else np.int32


Evidence = Mapping[str, np.ndarray]
"""For some attributes, a non-negative weight for each of their cells: what a sample must agree
with.
"""


class ConditionError(DPSynthError, ValueError):
    """A condition cannot be read, or asks for what the schema or the model excludes."""

    @classmethod
    def no_row(cls, evidence: Collection[str]) -> ConditionError:
        """For evidence on these columns that a model gives no mass to."""
        names = " and ".join(f"`{name}`" for name in evidence)
        narrower = "" if len(evidence) == 1 else " leave a part of it out,"
        return cls(
            f"the model gives probability 0 to rows that meet the condition on {names}: widen it,"
            f"{narrower} or fit again with a larger epsilon, which shows smaller groups"
        )


@dataclass(frozen=True, eq=False)
class RoughMeasurement:
    """Noisy counts of one marginal, in which groups of cells are counted together.

    Parameters
    ----------
    clique : tuple of str
        Its columns, in the order of the domain.
    groups : tuple of ndarray
        For each of them the group of each cell, numbered from 0 without gaps.
    values : ndarray
        A count for each combination of groups, in rows.
    stddev : float
        Standard deviation of the noise on each, in rows.

    Examples
    --------
    >>> known = np.array([0, 0, 1])
    >>> both = RoughMeasurement(("a", "b"), (known, known), np.array([[50.0, 3.0], [2.0, 45.0]]), 1)
    >>> both.values.shape
    (2, 2)
    """

    clique: Clique
    groups: tuple[np.ndarray, ...]
    values: np.ndarray
    stddev: float


@dataclass(frozen=True, eq=False)
class LinearMeasurement:
    """Noisy counts of one marginal.

    Parameters
    ----------
    clique : tuple of str
        Its columns, `()` for the row count.
    values : ndarray
        Shape `domain.shape(clique)`, in rows.
    stddev : float or ndarray
        Standard deviation of the noise, in rows; an array broadcasts to `values`.
    charged : tuple of RoughMeasurement
        The charged answers that `values` were made of, as they were drawn. What is known beforehand
        has no part in them.

    Raises
    ------
    ValueError
        For a clique that is no tuple, values that are not finite, and a stddev whose square is not
        positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> LinearMeasurement(("sex",), np.array([52.0, 47.0]), stddev=3.0).clique
    ('sex',)
    """

    clique: Clique
    values: np.ndarray
    stddev: float | np.ndarray
    charged: tuple[RoughMeasurement, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.clique, tuple):
            raise ValueError(f"a clique is a tuple of attributes, got {self.clique!r}")
        variance = np.square(np.asarray(self.stddev, dtype=float))
        if not (
            np.all(np.asarray(self.stddev) > 0)
            and np.all(variance > 0)
            and np.all(np.isfinite(variance))
        ):
            raise ValueError(
                f"the standard deviation of {self.clique} must be positive and finite, and so its"
                " square"
            )
        if not np.all(np.isfinite(self.values)):
            raise ValueError(f"the values of {self.clique} must be finite")


@runtime_checkable
class Model(Protocol):
    """A distribution over `domain`, scaled to `total` rows.

    Law: projections agree with one another (`project(c)` summed over an attribute equals `project`
    of the rest), are non-negative, and sum to `total`; samples follow them.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> from dpsynth.models.engines import estimate
    >>> measured = LinearMeasurement(("a",), np.array([3.0, 1.0]), 0.1)
    >>> model = estimate(Domain.of({"a": 2}), [measured], total=4.0)
    >>> isinstance(model, Model)
    True
    >>> model.project(("a",)).round(1)
    array([3., 1.])
    """

    @property
    def domain(self) -> Domain: ...

    @property
    def total(self) -> float: ...

    def project(self, clique: Clique) -> np.ndarray:
        """Expected counts of a marginal.

        Parameters
        ----------
        clique : tuple of str
            Its attributes; `()` gives the total.

        Returns
        -------
        ndarray
            Shape `domain.shape(clique)`, axes in the order of `clique`, in rows.
        """
        ...

    def sample(self, n: int, rng: np.random.Generator, evidence: Evidence | None = None) -> Codes:
        """Rows that follow the model.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Seeded by the caller: no private randomness comes from here.
        evidence : mapping of str to ndarray, optional
            For some attributes a weight of 0 or more for each of their cells, which samples agree
            with.

        Returns
        -------
        dict of str to ndarray
            For each attribute its cell numbers, shape (n,).
        """
        ...
