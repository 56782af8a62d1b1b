"""What a model is: measurements in, a distribution out. Public mathematics: no private value comes
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from dpsynth.base.domain import Clique, Domain

Codes = dict[str, np.ndarray]
"""Discrete rows, column-wise: for each attribute a one-dimensional array of cell numbers."""


def code_dtype(cells: int) -> type[np.unsignedinteger] | type[np.int32]:
    """The smallest type that numbers this many cells."""
    return np.uint8 if cells <= 2**8 else np.uint16 if cells <= 2**16 else np.int32


Evidence = Mapping[str, np.ndarray]
"""For some attributes, a non-negative weight for each of their cells: what a sample must agree
with.
"""


@dataclass(frozen=True, eq=False)
class LinearMeasurement:
    """Noisy counts of one marginal.

    values: shape domain.shape(clique), in rows. stddev: standard deviation of the noise, in rows; a
    float, or an array that broadcasts to `values`.
    """

    clique: Clique
    values: np.ndarray
    stddev: float | np.ndarray

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

    Law: projections agree with one another (project(c) summed over an attribute equals project of
    the rest), are non-negative, and sum to `total`; samples follow them.
    """

    @property
    def domain(self) -> Domain: ...

    @property
    def total(self) -> float: ...

    def project(self, clique: Clique) -> np.ndarray:
        """Expected counts, shape domain.shape(clique), axes in the order of `clique`; `()` gives
        the total.
        """
        ...

    def sample(self, n: int, rng: np.random.Generator, evidence: Evidence | None = None) -> Codes:
        """n rows, each attribute an integer array of length n, conditional on the evidence if there
        is any.
        """
        ...
