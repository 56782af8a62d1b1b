"""Magnitudes: the powers of two between which numbers lie, for columns without public bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.data.tables.cuts import with_exact
from dpsynth.data.values import number
from dpsynth.door.bounded import Bounded
from dpsynth.door.codes import Cuts
from dpsynth.door.table import PrivateTable
from dpsynth.schema.columns import Numeric
from dpsynth.schema.texts import number_reader

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

OCTAVES = 4
"""How many cells of one sign make a group."""


def _groups() -> np.ndarray:
    above = np.arange(LOWS.size // 2) // OCTAVES
    zero = int(above[-1]) + 1
    return np.concatenate([zero - 1 - above[::-1], [zero], zero + 1 + above, [2 * zero + 1]])


GROUPS = _groups()
"""The group of each cell: zero alone, and four octaves of either sign; those next to it first."""

_LARGEST = 2.0**200
"""What lies beyond, infinity among it, is no magnitude: a division by zero, or a sign for no limit.

No amount, time or count of this world comes near it.
"""


def magnitude_table(rows: Bounded, columns: Mapping[str, Numeric]) -> PrivateTable:
    """The magnitudes of some columns as a private table; each value is read by itself."""
    codings = {name: Magnitudes(column) for name, column in columns.items()}
    return PrivateTable.encoded(rows, codings, Domain.of(dict.fromkeys(columns, CELLS)))


class Magnitudes:
    """The coding of a column by the powers of two between which its numbers lie.

    The value that stands for missing has no magnitude.
    """

    size = CELLS
    null = CELLS - 1
    bad = CELLS - 1
    datetimes = Cuts([], [bad])

    def __init__(self, column: Numeric) -> None:
        self._of_text = number_reader(column)
        marker = number(column.missing_marker, self._of_text)
        self.numbers = with_exact(_MAGNITUDES, marker, self.null)

    def code(self, value: object) -> int:
        x = number(value, self._of_text)
        return self.null if math.isnan(x) else self.numbers.of(x)


def _magnitudes() -> Cuts:
    """Cuts at the powers of two, of which each belongs to the cell on the side of zero."""
    above = np.nextafter([*_POWERS, _LARGEST], math.inf)
    zero_alone = [0.0, math.ulp(0.0)]
    edges = np.concatenate([[-_LARGEST], -_POWERS[::-1], zero_alone, above])
    return Cuts(edges, [Magnitudes.bad, *range(len(edges) - 1), Magnitudes.bad])


_MAGNITUDES = _magnitudes()
