"""Magnitudes: the powers of two between which numbers lie, for columns whose bounds nobody knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.data.tables.cells import with_exact
from dpsynth.data.values import number
from dpsynth.door.bounded import Bounded
from dpsynth.door.codes import Cuts
from dpsynth.door.table import PrivateTable

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
    codings = {name: Magnitudes(marker) for name, marker in markers.items()}
    return PrivateTable.encoded(rows, codings, Domain.of(dict.fromkeys(markers, CELLS)))


class Magnitudes:
    """The coding of a column by the powers of two between which its numbers lie."""

    size = CELLS
    null = bad = CELLS - 1
    moments = Cuts([], [bad])

    def __init__(self, marker: Any) -> None:
        self.numbers = with_exact(_MAGNITUDES, number(marker), self.null)

    def code(self, value: object) -> int:
        x = number(value)
        return self.null if math.isnan(x) else self.numbers.of(x)


def _magnitudes() -> Cuts:
    """Zero alone; else 2^k belongs to what lies below it on the side of zero, as `LOWS` and `HIGHS` say."""
    above = np.nextafter(_POWERS, math.inf)
    edges = np.concatenate([-_POWERS[::-1], [0.0, 5e-324], above])
    return Cuts(edges, np.arange(len(edges) + 1))


_MAGNITUDES = _magnitudes()
