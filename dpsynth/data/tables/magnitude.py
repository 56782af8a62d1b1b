"""Magnitudes: the powers of two between which numbers lie, for columns without public bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.data.tables.cuts import with_exact
from dpsynth.data.values import number
from dpsynth.door.bounded import Bounded
from dpsynth.door.codes import Cuts
from dpsynth.door.table import PrivateTable

_POWERS = 2.0 ** np.arange(-10, 50)
"""From a thousandth to half a quadrillion, between which the numbers of most columns lie."""

_ENDS = np.concatenate([[0.0], _POWERS, _POWERS[-1:]])
"""Between which the cells of positive numbers lie; the last one is taken as a single number."""

LOWS = np.concatenate([-_ENDS[:0:-1], [0.0], _ENDS[:-1]])
"""Where each cell begins, which is public: negative numbers, zero alone, positive numbers.

The outermost cells hold the numbers beyond the last power of two as well, up to 2**200.
"""

HIGHS = np.concatenate([-_ENDS[-2::-1], [0.0], _ENDS[1:]])
"""Where each cell ends."""

CELLS = LOWS.size + 1
"""How many cells there are; the last one is for what is not a number, or has no magnitude."""

_LARGEST = 2.0**200
"""What lies beyond, infinity among it, is no magnitude: a division by zero, or a sign for no limit.

No amount, time or count of this world comes near it.
"""


def magnitude_table(rows: Bounded, markers: Mapping[str, Any]) -> PrivateTable:
    """The magnitudes of some columns as a private table; each value is read by itself.

    markers: for each column the value that stands for missing, or None. It has no magnitude.
    """
    codings = {name: Magnitudes(marker) for name, marker in markers.items()}
    return PrivateTable.encoded(rows, codings, Domain.of(dict.fromkeys(markers, CELLS)))


class Magnitudes:
    """The coding of a column by the powers of two between which its numbers lie."""

    size = CELLS
    null = CELLS - 1
    bad = CELLS - 1
    datetimes = Cuts([], [bad])

    def __init__(self, marker: Any) -> None:
        self.numbers = with_exact(_MAGNITUDES, number(marker), self.null)

    def code(self, value: object) -> int:
        x = number(value)
        return self.null if math.isnan(x) else self.numbers.of(x)


def _magnitudes() -> Cuts:
    """Cuts at the powers of two, of which each belongs to the cell on the side of zero."""
    above = np.nextafter([*_POWERS, _LARGEST], math.inf)
    zero_alone = [0.0, math.ulp(0.0)]
    edges = np.concatenate([[-_LARGEST], -_POWERS[::-1], zero_alone, above])
    return Cuts(edges, [Magnitudes.bad, *range(len(edges) - 1), Magnitudes.bad])


_MAGNITUDES = _magnitudes()
