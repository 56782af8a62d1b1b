"""The rounded Gaussian: its distribution with power, its shape, and that nothing is kept between calls.

Fixed seeds; P_TRUE and P_FALSE are the p-values that the stated distribution must exceed and that a near miss must
stay below. `gof.p_value` is chi-square against the exact probabilities up to stddev 300, Kolmogorov-Smirnov above.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from dpsynth.kernel.noise import MAX_STDDEV, operating_system_bits, rounded_gaussian, seeded_bits
from tests.rings.gof import chi_square, p_value
from tests.rings.processes import in_children, needs_fork

P_TRUE, P_FALSE = 1e-4, 1e-9
STDDEVS = [0.5, 1.0, 3.7, 30.2, 300.0, 1000.0, 1e6]
SIZES = [300_000, pytest.param(10_000_000, marks=pytest.mark.slow)]


def draws(stddev: float, size: int, seed: int = 3) -> np.ndarray:
    return rounded_gaussian(np.full(size, stddev), seeded_bits(seed))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stddev", STDDEVS)
def test_draws_follow_the_rounded_gaussian(stddev, size):
    assert p_value(draws(stddev, size), stddev) > P_TRUE


@pytest.mark.parametrize("stddev", STDDEVS)
@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_the_test_rejects_a_scale_that_is_3_percent_off(stddev, factor):
    assert p_value(draws(factor * stddev, 300_000), stddev) < P_FALSE


@pytest.mark.parametrize("stddev", STDDEVS)
def test_the_test_rejects_noise_without_a_sign(stddev):
    assert p_value(np.abs(draws(stddev, 300_000)), stddev) < P_FALSE


@pytest.mark.parametrize("stddev", [0.5, 1.0, 3.7, 30.2])
def test_the_test_rejects_a_shift_by_a_third_of_a_unit(stddev):
    shifted = np.rint(np.random.default_rng(1).normal(1 / 3, stddev, size=3_000_000)).astype(np.int64)
    assert p_value(shifted, stddev) < P_FALSE


@pytest.mark.parametrize("stddev", [0.5, 1.0, 3.7, 30.2])
def test_the_test_rejects_truncation_in_place_of_rounding(stddev):
    truncated = np.trunc(np.random.default_rng(1).normal(0, stddev, size=300_000)).astype(np.int64)
    assert p_value(truncated, stddev) < P_FALSE


@pytest.mark.parametrize("stddev", [3.7, 30.2])
def test_the_test_rejects_numbers_that_prefer_to_be_even(stddev):
    fine = draws(stddev, 300_000)
    evened = np.where((fine % 2 == 1) & (np.arange(fine.size) % 20 == 0), fine + 1, fine)
    assert p_value(evened, stddev) < P_FALSE


def test_draws_from_the_operating_system_follow_it_too():
    """Not seeded: it fails once in a million runs."""
    assert chi_square(rounded_gaussian(np.full(200_000, 2.5), operating_system_bits), 2.5) > 1e-6


def test_draws_that_are_all_decided_with_further_bits_follow_it_too():
    """At 2^39 the margin is wider than a unit, so double precision decides nothing."""
    assert p_value(draws(2.0**39, 1500), 2.0**39) > P_TRUE


def test_neighbouring_draws_are_independent():
    """500,000 pairs: a correlation of 0.7 % would be seen."""
    z = draws(10.0, 1_000_001).astype(float) / 10
    for lag in (1, 2, 7):
        assert abs(np.mean(z[:-lag] * z[lag:])) < 5 / np.sqrt(z.size)
    squares = z**2 - 1
    assert abs(np.mean(squares[:-1] * squares[1:])) < 10 / np.sqrt(z.size)


def test_the_sign_is_independent_of_the_size():
    z = draws(4.0, 500_000)
    for size in (1, 3, 8):
        signs = np.sign(z[np.abs(z) == size])
        assert abs(signs.sum()) < 5 * np.sqrt(signs.size)


def test_every_entry_has_its_own_scale():
    scales = np.geomspace(0.4, 1e5, 6)
    z = rounded_gaussian(np.repeat(scales, 50_000).reshape(6, 50_000), seeded_bits(9))
    for row, scale in zip(z, scales, strict=True):
        assert p_value(row, scale) > P_TRUE


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0), (2, 3, 4), (40_000,), (2, 20_000)])
def test_draws_are_integers_in_the_shape_of_the_scales(shape):
    z = rounded_gaussian(np.full(shape, 5.0), seeded_bits(1))
    assert (z.shape, z.dtype) == (shape, np.int64)


def test_scales_may_be_broadcast_and_read_only():
    assert rounded_gaussian(np.broadcast_to(np.float64(2.0), (3, 4)), seeded_bits(1)).shape == (3, 4)


@pytest.mark.parametrize("bad", [0.0, -0.0, -1.0, np.nan, np.inf, -np.inf, 2 * MAX_STDDEV, None, "x", [1.0, 0.0]])
def test_an_impossible_scale_is_refused(bad):
    with pytest.raises((ValueError, TypeError)):
        rounded_gaussian(bad, seeded_bits(1))


def test_the_smallest_scale_gives_no_noise_and_the_largest_is_no_trouble():
    assert not rounded_gaussian(np.full(1000, 5e-324), seeded_bits(1)).any()
    assert 0.5 < np.std(rounded_gaussian(np.full(200, MAX_STDDEV), seeded_bits(1)).astype(float)) / MAX_STDDEV < 1.5


def test_a_seed_gives_the_same_draws_again_and_another_seed_does_not():
    assert np.array_equal(draws(30.0, 1000, seed=4), draws(30.0, 1000, seed=4))
    assert not np.array_equal(draws(30.0, 1000, seed=4), draws(30.0, 1000, seed=5))


def test_bits_are_asked_for_as_they_are_used_and_never_kept():
    asked: list[int] = []

    def bits(count: int) -> bytes:
        asked.append(count)
        return b"\x55" * count

    rounded_gaussian(np.full(5, 3.0), bits)
    assert asked == [40]
    rounded_gaussian(np.full(5, 3.0), bits)
    assert asked == [40, 40]


@needs_fork
def test_two_forks_draw_different_noise():
    rounded_gaussian(np.full(10, 1e6), operating_system_bits)

    def work(tell):
        tell(rounded_gaussian(np.full(10, 1e6), operating_system_bits).tobytes())

    one, other = in_children([work, work])
    assert len(one) == len(other) == 80
    assert one != other
    assert one != rounded_gaussian(np.full(10, 1e6), operating_system_bits).tobytes()


@needs_fork
def test_operating_system_bits_are_the_operating_systems(monkeypatch):
    monkeypatch.setattr(os, "urandom", lambda count: b"\x01" * count)
    assert operating_system_bits(3) == b"\x01" * 3
