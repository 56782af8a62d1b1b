"""Magnitudes: the powers of two between which numbers lie, for columns whose bounds nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dpsynth.data.table import PrivateTable
from dpsynth.data.values import number, read
from dpsynth.domain import Domain
from dpsynth.privacy.unit import PrivacyUnit

_POWERS = 2.0 ** np.arange(-10, 50)
EDGES = np.concatenate([-_POWERS[::-1], [0.0], _POWERS])
"""Public edges of the cells: cell i holds EDGES[i - 1] < x <= EDGES[i]; the first and last cells are open."""

CELLS = EDGES.size + 2
"""Cells of a magnitude: below, between and above the edges, and one for what is not a number."""


def magnitude_table(columns: Mapping[str, Any], unit: PrivacyUnit) -> PrivateTable:
    """The columns' magnitudes as a private table; each value is read by itself, as the codecs do."""
    codes = {name: _magnitudes(values) for name, values in columns.items()}
    return PrivateTable.from_codes(codes, Domain.of(dict.fromkeys(codes, CELLS)), unit)


def read_numbers(values: Any) -> np.ndarray:
    """The float64 that each value says, NaN if it says none: a pure function of each value."""
    return read(values, _Numbers())


def _magnitudes(values: Any) -> np.ndarray:
    x = read_numbers(values)
    return np.where(np.isnan(x), CELLS - 1, np.searchsorted(EDGES, x)).astype(np.uint8)


class _Numbers:
    """Reads numbers as they are; what is none is NaN."""

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return np.fromiter((number(v) for v in values), dtype=np.float64)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return values

    def moments(self, values: np.ndarray) -> np.ndarray:
        return np.full(len(values), np.nan)
