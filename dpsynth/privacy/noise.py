r"""Privacy noise: a Gaussian rounded to the nearest integer, from the operating system's randomness.

**Why rounding is free.** For an integer x and real z, round(x + z) = x + round(z). So adding a *rounded* Gaussian to
integer counts is the true Gaussian mechanism followed by rounding, which is post-processing: the exact Gaussian
accounting of `curves.py` holds with nothing to correct, and no noisy count ever carries the low-order bits of a
floating-point sum (Mironov, CCS 2012: those bits betray the exact count).

**How it is drawn.** |z| = stddev * Q^-1(u), where Q is the upper tail of the standard normal and u is uniform on
(0, 1/2), and the sign is a fair bit. u is a bit string of the operating system of which as much is read as is needed:
63 bits say that u lies in [v, v + 1) / 2^64. Double precision brings |z| to within a *margin* (below). When no
half-integer lies within the margin, every u in that interval rounds to the same integer, and this integer is the
answer. Otherwise (about 2 in 10 million at stddev 1,000) more bits are read, 128 at a time, and u is compared with
Q(b / stddev), b the half-integer in question, in 700-bit arithmetic, until the bits decide.

**Total variation.** Given that the margin holds, each draw is exact except where 512 further bits leave u undecided,
which has probability below 2^-500. `TOTAL_VARIATION` = 2^-256 a draw is what we claim and charge to delta.

**The margin.** For v >= 2^52 the interval is narrower than 2^-52 u; as d|z|/du = stddev / phi, and u / phi <= 1.26
on (0, 1/2) (Mills' ratio), that moves |z| / stddev by less than 2^-51. scipy.special.ndtri (Cephes) states a
relative error below 2^-50, and the product with stddev adds 2^-53. Together they stay under
2^-48 max(1, |z| / stddev); the margin is 2^-34, sixteen thousand times as wide. A test compares ndtri with 60-digit
arithmetic over all magnitudes of u.
Smaller v (one draw in 2,048) are extended to 63 significant bits first.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
from mpmath import mp, mpf
from scipy.special import ndtri

Bits = Callable[[int], bytes]
"""A source of independent, uniformly random bytes."""

TOTAL_VARIATION = 2.0**-256
MAX_STDDEV = 2.0**40

_MARGIN = 2.0**-34
_BLOCK = 1 << 15
_EXTENSIONS = 4


def operating_system_bits(count: int) -> bytes:
    return os.urandom(count)


def seeded_bits(seed: int) -> Bits:
    """Predictable bits, for tests: a release made with them is NOT private."""
    return np.random.Generator(np.random.Philox(seed)).bytes


def rounded_gaussian(stddev: np.ndarray, bits: Bits) -> np.ndarray:
    """Independent draws of round(N(0, stddev^2)), one for each entry of `stddev`; int64, of the same shape.

    Nothing is kept between calls: a forked process shares no randomness with its parent.
    """
    scale = np.asarray(stddev, dtype=np.float64)
    if not bool(np.all((scale > 0) & (scale <= MAX_STDDEV))):
        raise ValueError(f"noise needs a standard deviation in (0, 2^40], got {scale.min():g} to {scale.max():g}")
    flat = scale.reshape(-1)
    out = np.empty(flat.size, dtype=np.int64)
    for start in range(0, flat.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        out[block] = _draw(flat[block], bits)
    return out.reshape(scale.shape)


def _draw(stddev: np.ndarray, bits: Bits) -> np.ndarray:
    words = np.frombuffer(bits(8 * stddev.size), dtype="<u8")
    v = (words >> np.uint64(1)).astype(np.int64)
    size = ndtri(v * 2.0**-64 + 2.0**-65)
    size *= -stddev
    nearest = np.rint(size)
    doubtful = np.abs(np.abs(size - nearest) - 0.5) < _MARGIN * np.maximum(size, stddev)
    doubtful |= v < 2**52
    result = nearest.astype(np.int64)
    for i in np.flatnonzero(doubtful):
        result[i] = _decide(int(v[i]), float(stddev[i]), bits)
    result *= 1 - 2 * (words & np.uint64(1)).astype(np.int64)
    return result


def _decide(v: int, stddev: float, bits: Bits) -> int:
    """round(stddev * Q^-1(u)) for u uniform on [v, v + 1) / 2^64: the same rule as `_draw`, with more bits."""
    length = 64
    while v.bit_length() < 63 and length < 1024:
        v, length = (v << 64) | int.from_bytes(bits(8)), length + 64
    u = math.ldexp(v >> (v.bit_length() - 63), v.bit_length() - 63 - length) if v else 2.0**-1000
    size = -float(ndtri(u)) * stddev
    nearest = round(size)
    if abs(abs(size - nearest) - 0.5) >= _MARGIN * max(size, stddev):
        return nearest
    boundary = math.floor(size) + 0.5
    with mp.workprec(length + 128 * _EXTENSIONS + 128):
        tail = mp.erfc(mpf(boundary) / (mpf(stddev) * mp.sqrt(2))) / 2
        for _ in range(_EXTENSIONS):
            threshold = tail * mpf(2) ** length
            if v > threshold:  # u > Q(boundary / stddev), so |z| < boundary
                return math.floor(boundary)
            if v + 1 < threshold:
                return math.ceil(boundary)
            v, length = (v << 128) | int.from_bytes(bits(16)), length + 128
    return math.floor(boundary)
