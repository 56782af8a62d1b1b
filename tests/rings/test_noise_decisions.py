"""The proof in noise.py, step by step: the quantile's error, the margin, and the draws that need further bits."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp
from scipy.special import ndtri

from dpsynth.kernel import noise
from dpsynth.kernel.noise import MAX_STDDEV, TOTAL_VARIATION, rounded_gaussian
from tests.rings import kernel, laws, oracle

DIGITS = mp.clone()
DIGITS.dps = 60


def quantile_error(u: float) -> float:
    """|ndtri(u) - Q^-1| as a share of max(1, |Q^-1|), by one Newton step: exact up to its own square."""
    z = -DIGITS.mpf(float(ndtri(u)))
    tail = DIGITS.erfc(z / DIGITS.sqrt(2)) / 2
    density = DIGITS.exp(-z * z / 2) / DIGITS.sqrt(2 * DIGITS.pi)
    return float(abs((tail - DIGITS.mpf(u)) / density) / max(1, z))


def probes() -> np.ndarray:
    rng = np.random.default_rng(0)
    magnitudes = 2.0 ** -rng.uniform(1, 64, size=1500)
    deep = 2.0 ** -rng.uniform(64, 1022, size=500)
    ends = [0.5, np.nextafter(0.5, 0), 2.0**-64, 2.0**-65, 2.0**-1024]
    powers = [2.0**-k * (1 + s * 2.0**-52) for k in range(1, 65) for s in (-1, 0, 1)]
    branches = [b * (1 + s * 2.0**-52) for b in (math.exp(-2), math.exp(-32), 1 - math.exp(-2)) for s in range(-40, 41)]
    near_half = 0.5 - 2.0 ** -rng.uniform(2, 53, size=200)
    every = np.concatenate([magnitudes, deep, ends, powers, branches, near_half])
    return every[every <= 0.5]


def test_the_quantile_is_far_more_accurate_than_the_margin():
    worst = max(quantile_error(float(u)) for u in probes())
    assert worst < 2.0**-49
    assert worst < noise._MARGIN * 2.0**-14


def test_the_margin_covers_every_error_at_every_scale():
    """All in units of stddev max(1, |z| / stddev); the reasons stand in noise.py."""
    mills = Fraction(126, 100)
    assert mills**2 * 2 > Fraction(314159, 100_000)  # u / phi is largest at 0: sqrt(pi / 2)
    interval = mills * (Fraction(1, 2**53) + Fraction(2, 2**53))  # half an interval, and two roundings of u
    assert interval < Fraction(1, 2**51)
    together = interval + Fraction(1, 2**49) + Fraction(1, 2**53)
    assert together < Fraction(1, 2**48)
    assert together * 2**14 < Fraction(noise._MARGIN)


def test_no_second_half_integer_lies_within_the_error():
    largest = Fraction(MAX_STDDEV) * 39  # Q(39) < 2^-1024, the least u that is told from 0
    assert oracle.upper_tail(39) < oracle.WIDE.ldexp(1, -1024)
    assert largest / 2**48 < Fraction(1, 2)
    assert largest < 2**52


def test_the_bits_suffice_for_the_total_variation_that_is_charged():
    further = 128 * noise._EXTENSIONS
    arithmetic = Fraction(1, 2 ** (noise._mp.prec - 16 - 640))  # error of a threshold below 2^640, in last places
    undecided = Fraction(1, 2**further) * (1 + arithmetic)
    nothing_but_zeros = Fraction(1, 2 ** (1024 - 64))
    assert undecided + nothing_but_zeros < Fraction(TOTAL_VARIATION)


def test_thresholds_are_computed_to_nearly_all_their_bits():
    bound = oracle.WIDE.ldexp(1, 16 - noise._mp.prec)
    for x in np.random.default_rng(2).uniform(0, 38, size=15):
        ours = noise._mp.erfc(noise._mp.mpf(x) / noise._mp.sqrt(2)) / 2
        exact = oracle.upper_tail(x)
        assert abs(oracle.WIDE.mpf(ours) / exact - 1) < bound


@pytest.mark.parametrize("apart", [52, 60, 64, 100, 128, 300, 500])
@pytest.mark.parametrize("stddev", [0.5, 1.0, 30.2, 1000.0, 1e6, 2.0**40])
@pytest.mark.parametrize("sigmas", [0.0, 0.6, 3.0, 8.4, 20.0])
def test_a_draw_on_either_side_of_a_threshold_is_rounded_to_its_own_side(stddev, sigmas, apart):
    boundary = math.floor(sigmas * stddev) + 0.5
    ours = kernel.load()
    assert laws.decided(ours, stddev, boundary, side=1, apart=apart) == math.floor(boundary)
    assert laws.decided(ours, stddev, boundary, side=-1, apart=apart) == math.ceil(boundary)


@pytest.mark.parametrize("stddev", [0.5, 30.0, 2.0**40])
def test_a_draw_on_a_threshold_ends_all_the_same(stddev):
    boundary = math.floor(stddev) + 0.5
    assert laws.decided(kernel.load(), stddev, boundary, side=1, apart=2000) in (boundary - 0.5, boundary + 0.5)


@pytest.mark.parametrize("stddev", [0.7, 2.0**37, 2.0**39.5])
def test_draws_are_the_exact_function_of_their_bits(stddev):
    """Against 3,000-bit arithmetic: Q(|n| + 1/2) <= u <= Q(|n| - 1/2), with the bits that were used."""
    rng = np.random.default_rng(8)
    for _ in range(40):
        used: list[bytes] = []

        def bits(count: int, used: list[bytes] = used) -> bytes:
            used.append(rng.bytes(count))
            return used[-1]

        n = int(rounded_gaussian(np.array([stddev]), bits)[0])
        word = int.from_bytes(used[0], "little")
        digits, length = word >> 1, 64
        for more in used[1:]:
            digits, length = (digits << 8 * len(more)) | int.from_bytes(more, "big"), length + 8 * len(more)
        size = -n if word & 1 else n
        assert size >= 0
        assert digits + 1 > oracle.WIDE.ldexp(oracle.upper_tail((size + 0.5) / oracle.WIDE.mpf(stddev)), length)
        assert size == 0 or digits < oracle.WIDE.ldexp(
            oracle.upper_tail((size - 0.5) / oracle.WIDE.mpf(stddev)), length
        )


@pytest.mark.parametrize("zeros", [1, 2, 8, 15, 16, 17, 40])
@pytest.mark.parametrize("stddev", [0.5, 1000.0, 2.0**40])
def test_long_runs_of_zeros_give_a_large_draw_and_end(zeros, stddev):
    calls = [0]

    def bits(count: int) -> bytes:
        calls[0] += 1
        return bytes(count) if calls[0] <= zeros else b"\x2a" * count

    draw = int(rounded_gaussian(np.array([stddev]), bits)[0])
    assert min(7.0, math.sqrt(2 * math.log(2) * 64 * min(zeros, 15)) - 3) * stddev - 1 < draw < 39 * stddev + 1
    assert calls[0] < 25


@pytest.mark.parametrize("stddev", [1e-3, 1.0, 2.0**40])
def test_runs_of_ones_give_the_smallest_draw(stddev):
    assert not rounded_gaussian(np.full(3, min(stddev, 1e6)), lambda count: b"\xff" * count).any()


def test_few_draws_need_further_bits():
    asked: list[int] = []
    source = noise.seeded_bits(0)

    def bits(count: int) -> bytes:
        asked.append(count)
        return source(count)

    rounded_gaussian(np.full(200_000, 1000.0), bits)
    further = sum(count in (8, 16) for count in asked)
    assert 40 < further < 200  # one in 2,048 for the tail: 98 expected
