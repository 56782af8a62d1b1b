"""Magnitudes: the powers of two between which numbers lie, for columns whose bounds nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.data.values import number, read
from dpsynth.kernel.bounded import Bounded
from dpsynth.kernel.table import PrivateTable

_POWERS = 2.0 ** np.arange(-10, 50)
_ENDS = np.concatenate([[0.0], _POWERS, _POWERS[-1:]])

LOWS = np.concatenate([-_ENDS[:0:-1], [0.0], _ENDS[:-1]])
HIGHS = np.concatenate([-_ENDS[-2::-1], [0.0], _ENDS[1:]])
"""Public ends of the cells: negative numbers from the largest down, zero alone, positive numbers from the smallest up.
The outermost cells hold what lies beyond the last power of two, too."""

CELLS = LOWS.size + 1
"""Cells of a magnitude; the last one is for what is not a number."""


def magnitude_table(rows: Bounded, markers: Mapping[str, Any]) -> PrivateTable:
    """The magnitudes of some columns as a private table; each value is read by itself, as the codecs do.

    markers: for each column the value that stands for missing, which is no magnitude; None where there is none.
    """

    def encode(table: Any) -> dict[str, np.ndarray]:
        return {name: _magnitudes(table[name], marker) for name, marker in markers.items()}

    return PrivateTable.encoded(rows, encode, Domain.of(dict.fromkeys(markers, CELLS)))


def read_numbers(values: Any) -> np.ndarray:
    """The float64 that each value says, NaN if it says none: a pure function of each value."""
    return read(values, _Numbers())


def _magnitudes(values: Any, marker: Any) -> np.ndarray:
    x = read_numbers(values)
    steps = np.where(x == 0, 0, 1 + np.searchsorted(_POWERS, np.abs(x)))
    cells = LOWS.size // 2 + np.sign(np.nan_to_num(x)).astype(np.int64) * steps
    return np.where(np.isnan(x) | (x == number(marker)), CELLS - 1, cells).astype(np.uint8)


class _Numbers:
    """Reads numbers as they are; what is none is NaN."""

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return np.fromiter((number(v) for v in values), dtype=np.float64)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return values

    def moments(self, values: np.ndarray) -> np.ndarray:
        return np.full(len(values), np.nan)
