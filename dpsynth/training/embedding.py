r"""Embeddings: the sum over private rows of a bounded feature vector of each, as one Sensitive value.

For features phi of a kernel k(x, y) = <phi(x), phi(y)> the sum is the kernel mean embedding of the rows times how many
they are (Muandet et al., arXiv 1605.09522). Released once with Gaussian noise, it pays for any generator that is
fitted to it (Harder, Adamczewski and Park, "DP-MERF", arXiv 2002.11603).

**Sensitivity.** Each row's vector is clipped to a 2-norm of 1 in whole grains of 2^-20, as `clipping.py` says. So a row
moves the sum by 1 at most, whatever the features computed; the k rows of a unit move it by k, and k rows replaced by k
others by 2 k. How many rows there are is no part of it, unless a coordinate of the features counts them: nothing is
divided here.
"""

from __future__ import annotations

import math
from functools import partial

from dpsynth.base.code_name import code_name
from dpsynth.base.numbers import whole
from dpsynth.kernel.noise import operating_system_bits
from dpsynth.kernel.rows import SensitiveRows, _exact_codes
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.kernel.wall import behind_the_wall
from dpsynth.training.clipping import GRAINS, MAX_PARAMETERS, Vectors, refuse_coupling, sum_of_rows


def embed(rows: SensitiveRows, features: Vectors, *, dimensions: int) -> Sensitive:
    """The sum of the features of all rows, each clipped to a 2-norm of 1; shape (dimensions,).

    Raises TypeError for anything but SensitiveRows, ValueError when made-up rows show that `features` is no function
    of each row by itself or returns arrays of another shape, and RowsError when it fails on real ones.
    """
    codes = _exact_codes(rows)
    whole("dimensions", dimensions, MAX_PARAMETERS)
    refuse_coupling(features, rows.sizes, dimensions)
    total = behind_the_wall(partial(sum_of_rows, codes, features, dimensions, 1.0, operating_system_bits))
    unit = rows.protects
    l2 = float(unit.max_records * (2 if unit.adjacency == "replace" else 1))
    l1 = math.nextafter(l2 * math.sqrt(dimensions), math.inf)
    return Sensitive(total, l1=l1, l2=l2, scale=1 / GRAINS, protects=unit, code=code_name(features))
