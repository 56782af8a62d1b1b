"""Blocks of a wide column: the estimate and its noise as least squares have them, and nearer than cells alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dpsynth.base.domain import Domain
from dpsynth.models.blocks import (
    BLOCKS,
    WIDE,
    blocks_of,
    denoise_in_blocks,
    stddev_of_cells,
    together,
    variance_of_sums,
)
from dpsynth.models.histogram import denoise


def domain(ordered, special=1):
    return Domain((("x", ordered + special),), (("x", (1.0,) * ordered),))


def test_only_columns_of_many_ordered_cells_have_blocks():
    assert blocks_of(domain(WIDE - 1), "x") is None
    assert blocks_of(Domain.of({"x": 5000}), "x") is None
    assert blocks_of(domain(WIDE), "x") is not None


@given(st.integers(WIDE, 3000), st.integers(0, 2))
def test_blocks_are_runs_of_nearly_as_many_cells_and_special_cells_stand_alone(ordered, special):
    blocks = blocks_of(domain(ordered, special), "x")
    assert blocks.size == ordered + special
    assert set(np.diff(blocks)) <= {0, 1}
    sizes = np.bincount(blocks)
    assert sizes.size == BLOCKS + special
    assert np.ptp(sizes[:BLOCKS]) <= 1
    assert np.all(sizes[BLOCKS:] == 1)


LABELS = hnp.arrays(np.int64, 9, elements=st.integers(0, 3))


def solved(blocks, stddev):
    """The matrix of the best linear estimate, and its covariance, from the normal equations."""
    design = np.vstack([np.eye(blocks.size), np.eye(blocks.max() + 1)[blocks].T])
    covariance = np.linalg.inv(design.T @ design) * stddev**2
    return covariance @ design.T / stddev**2, covariance


@settings(max_examples=60, deadline=None)
@given(LABELS, LABELS, st.floats(0.5, 50), st.integers(0, 2**31))
def test_the_estimate_and_its_noise_are_those_of_the_normal_equations(blocks, labels, stddev, seed):
    blocks, labels = (np.unique(each, return_inverse=True)[1] for each in (blocks, labels))
    matrix, covariance = solved(blocks, stddev)
    measured = np.random.default_rng(seed).normal(0, 100, 9 + blocks.max() + 1)
    np.testing.assert_allclose(together(measured[:9], measured[9:], blocks), matrix @ measured, atol=1e-9)
    cells = stddev_of_cells(stddev, blocks)
    np.testing.assert_allclose(cells**2, np.diag(covariance))
    sums = np.eye(labels.max() + 1)[labels]
    expected = np.diag(sums.T @ covariance @ sums)
    np.testing.assert_allclose(variance_of_sums(cells**2, blocks, labels), expected)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float64, 52, elements=st.floats(-1e5, 1e5).map(round)), st.floats(0.5, 1e3), st.floats(1, 1e5))
def test_estimates_are_non_negative_and_sum_to_the_total(y, stddev, total):
    blocks = np.append(np.arange(50) // 5, 10 + np.arange(2))
    found = denoise_in_blocks(y, (stddev, stddev), (1.0,) * 50, total, blocks)
    assert found.shape == y.shape
    assert np.all(found >= 0)
    assert found.sum() == pytest.approx(total)


def test_without_noise_to_speak_of_the_counts_come_back():
    y = np.append(np.random.default_rng(0).integers(0, 900, 60), 40).astype(float)
    blocks = np.append(np.arange(60) // 6, 10)
    np.testing.assert_allclose(denoise_in_blocks(y, (0.01, 0.01), (1.0,) * 60, y.sum(), blocks), y, atol=0.2)


@pytest.mark.parametrize("shape", ["bell", "long tail"])
def test_for_one_budget_cells_and_blocks_are_nearer_than_cells_alone(shape):
    """The area between cumulative counts, over ten draws: two thirds of it or less (seed 3)."""
    rng = np.random.default_rng(3)
    place = np.arange(360)
    density = np.exp(-(((place - 150) / 60) ** 2) / 2) if shape == "bell" else 1 / (1 + place) ** 1.3
    truth, stddev = np.append(9000 * density / density.sum(), 300.0), 40.0
    blocks = blocks_of(domain(360), "x")

    def area(found):
        return np.abs(np.cumsum(found - truth)).sum()

    alone, both = [], []
    for _ in range(10):
        y = truth + rng.normal(0, stddev, truth.size)
        alone.append(area(denoise(y, stddev, (1.0,) * 360, truth.sum())))
        each = stddev * np.sqrt(2)
        cells = truth + rng.normal(0, each, truth.size)
        sums = np.bincount(blocks, truth) + rng.normal(0, each, BLOCKS + 1)
        estimate, noise = together(cells, sums, blocks), stddev_of_cells(each, blocks)
        of_blocks = float(np.sqrt(variance_of_sums(noise**2, blocks, blocks)).mean())
        stddevs = (float(noise.mean()), of_blocks)
        both.append(area(denoise_in_blocks(estimate, stddevs, (1.0,) * 360, truth.sum(), blocks)))
    assert np.mean(both) < np.mean(alone) * 2 / 3
