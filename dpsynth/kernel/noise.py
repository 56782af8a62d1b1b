r"""Privacy noise: a Gaussian rounded to the nearest integer, from the operating system's randomness.

**Why rounding is free.** For an integer x and real z, round(x + z) = x + round(z). So adding a *rounded* Gaussian to
integer counts is the true Gaussian mechanism followed by rounding, which is post-processing: the exact Gaussian
accounting of `gaussian_dp.py` holds with nothing to correct, and no noisy count ever carries the low-order bits of a
floating-point sum (Mironov, CCS 2012: those bits betray the exact count).

**How it is drawn.** |z| = stddev * Q^-1(u), where Q is the upper tail of the standard normal and u is uniform on
(0, 1/2), and the sign is a fair bit. u is a bit string of the operating system of which as much is read as is needed:
63 bits say that u lies in [v, v + 1) / 2^64. Double precision brings |z| to within a *margin* (below). When no
half-integer lies within the margin, every u in that interval rounds to the same integer, and this integer is the
answer. Otherwise (about 1.4 in 10 million at stddev 1,000) more bits are read, 128 at a time, and u is compared with
Q(b / stddev), b the half-integer in question, in 800-bit arithmetic, until the bits decide.

**Total variation.** Given uniform bits and the margin, a draw is exact unless 512 further bits leave u undecided
(probability 2^-512 whatever came before), 800-bit arithmetic misplaces Q(b / stddev) by more than those bits resolve
(2^-140 times as rare), or u is below 2^-960. `TOTAL_VARIATION` = 2^-400 a draw is what we claim and charge to delta.

**The margin.** For v >= 2^52 the double that stands for u is within 2^-53 u (half the interval) and two roundings of
2^-53 u of every number in the interval. As d|z|/du = stddev / phi, and u / phi <= 1.26 on (0, 1/2) (Mills' ratio),
that moves |z| / stddev by less than 2^-51. scipy.special.ndtri (Cephes) errs by less than 2^-50 max(1, |z| / stddev),
and the product with stddev by 2^-53 of itself. Together this is under 2^-48 max(1, |z| / stddev), which in units of 1
is under 1/2 for every stddev up to 2^40, as |z| < 39 stddev: only the nearest half-integer can be in question. The
margin is 2^-34, sixteen thousand times as wide. Tests compare ndtri with 60-digit arithmetic over all magnitudes of u,
and put u on either side of thresholds, down to 2^-500 of u away from them. Smaller v (one draw in 2,048) are extended
to 63 significant bits first.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
from mpmath import mp as _default_mp
from scipy.special import ndtri

Bits = Callable[[int], bytes]
"""A source of independent, uniformly random bytes."""

TOTAL_VARIATION = 2.0**-400
MAX_STDDEV = 2.0**40

_MARGIN = 2.0**-34
_BLOCK = 1 << 15
_EXTENSIONS = 4

_mp = _default_mp.clone()  # arithmetic of our own: no other thread and no caller changes its precision
_mp.prec = 800


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
    spare = max(0, v.bit_length() - 63)
    u = math.ldexp(v >> spare, spare - length) or 2.0**-1024
    size = -float(ndtri(u)) * stddev
    nearest = round(size)
    if abs(abs(size - nearest) - 0.5) >= _MARGIN * max(size, stddev):
        return nearest
    boundary = math.floor(size) + 0.5  # the only half-integer within the error of `size`, which is below 1/2
    tail = _mp.erfc(boundary / (stddev * _mp.sqrt(2))) / 2
    threshold = _mp.ldexp(tail, length)  # u < Q(boundary / stddev), and so |z| > boundary, where v + 1 <= threshold
    for _ in range(_EXTENSIONS):
        if v < threshold < v + 1:
            v, threshold = (v << 128) | int.from_bytes(bits(16)), _mp.ldexp(threshold, 128)
    return math.floor(boundary) if v >= threshold else math.ceil(boundary)
