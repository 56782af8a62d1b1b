"""Shares of rows in named bins, compared: of calendar parts and declared details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dpsynth.models.distances import total_variation


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The shares of the rows in bins; `distance` and `floor` are from the real records."""

    distance: float
    floor: float
    labels: tuple[str, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]

    @classmethod
    def of(cls, labels: tuple[str, ...], shares: Sequence[np.ndarray], **where: Any) -> Self:
        """shares: of the real records, the release and the yardstick; where: the other fields."""
        real, synthetic, other = shares
        return cls(
            distance=total_variation(real, synthetic),
            floor=total_variation(real, other),
            labels=labels,
            real=tuple(real.tolist()),
            synthetic=tuple(synthetic.tolist()),
            **where,
        )
