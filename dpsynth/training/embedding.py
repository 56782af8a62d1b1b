r"""Embeddings: the sum over private rows of a bounded feature vector of each, as one Sensitive value.

For features phi of a kernel k(x, y) = <phi(x), phi(y)> the sum is the kernel mean embedding of the rows times how many
they are (Muandet et al., arXiv 1605.09522). Released once with Gaussian noise, it pays for any generator that is
fitted to it (Harder, Adamczewski and Park, "DP-MERF", arXiv 2002.11603).

**Sensitivity.** Each row's vector is clipped to a 2-norm of 1 and cut to whole grains of 2^-20, as a gradient is in
`dpsgd.py`: an exact integer sum of squares decides, and a vector above it counts as zero. So a row moves the sum by 1
at most, whatever the features computed; the k rows of a unit move it by k, and k rows replaced by k others by 2 k. How
many rows there are is no part of it, unless a coordinate of the features counts them: nothing is divided here.

What is said in `dpsgd.py` of callbacks that see raw rows, and of a row's place in a piece, holds here too.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dpsynth.kernel.noise import operating_system_bits
from dpsynth.kernel.rows import SensitiveRows, _exact_codes
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.training.dpsgd import MOST_PARAMETERS, PIECE, _checked, _pieces, _refuse_coupling, clipped_sum

Features = Callable[[np.ndarray], np.ndarray]
"""Codes of PIECE rows, shape (PIECE, columns), to the features of each row by itself, shape (PIECE, dimensions)."""

GRAIN = 2.0**-20


def embed(rows: SensitiveRows, features: Features, *, dimensions: int) -> Sensitive:
    """The sum of the features of all rows, each clipped to a 2-norm of 1; shape (dimensions,).

    Raises TypeError for anything but SensitiveRows, and ValueError when `features` is no function of each row by
    itself, or returns arrays of another shape.
    """
    if not isinstance(rows, SensitiveRows):
        raise TypeError(f"an embedding is computed of SensitiveRows, got {type(rows).__name__}")
    if type(dimensions) is not int or not 1 <= dimensions <= MOST_PARAMETERS:
        raise ValueError(f"dimensions must be a whole number from 1 to {MOST_PARAMETERS:,}, got {dimensions!r}")
    _refuse_coupling(features, rows.sizes, dimensions)
    total = np.zeros(dimensions, dtype=np.int64)
    codes = _exact_codes(rows)
    places = np.frombuffer(operating_system_bits(len(codes)), dtype=np.uint8) % PIECE
    for piece, taken in _pieces(codes, places):
        total += clipped_sum(_checked(features(piece), dimensions)[taken], 1.0)
    unit = rows.protects
    l2 = float(unit.max_records * (2 if unit.adjacency == "replace" else 1))
    l1 = math.nextafter(l2 * math.sqrt(dimensions), math.inf)
    return Sensitive(total, l1=l1, l2=l2, unit=GRAIN, protects=unit)
