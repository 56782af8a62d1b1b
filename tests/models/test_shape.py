"""The shape of a wide column: positive, most likely among its neighbours, and with the cells that stand out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.models.counted import Counted
from dpsynth.models.shape import _Walk, shaped


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31), st.floats(0.1, 1e3))
def test_a_shape_is_positive_and_finite_for_any_counts(cells, seed, stddev):
    rng = np.random.default_rng(seed)
    counted = Counted.of_cells(rng.normal(0, 500, cells), stddev)
    found, _ = shaped(counted, rng.uniform(1e-6, 1e6, cells), 1000.0)
    assert found.shape == (cells,)
    assert np.all(found > 0)
    assert np.all(np.isfinite(found))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1.0, 10.0, 100.0]), st.booleans())
def test_newton_ends_where_the_slope_of_the_likelihood_is_none(seed, smooth, one_alone):
    """By differences of the value in each direction."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(20, 200, 12)
    counted = Counted.of_cells(truth + rng.normal(0, 5, 12), 5.0).with_sums(
        np.arange(12) // 4, np.add.reduceat(truth, [0, 4, 8]), 3.0
    )
    walk = _Walk(counted, np.ones(12), np.arange(12) == (5 if one_alone else 12))
    at = walk.settled(np.full(12, 4.0), smooth)
    for cell in np.eye(12):
        slope = (walk._value(at + 1e-4 * cell, smooth) - walk._value(at - 1e-4 * cell, smooth)) / 2e-4
        assert abs(slope) < 0.2


def test_evidence_is_that_of_the_integral_for_two_cells():
    """Laplace's approximation, beside a sum over a fine grid of both logarithms."""
    counted = Counted.of_cells(np.array([900.0, 1100.0]), 10.0)
    walk = _Walk(counted, np.ones(2), np.zeros(2, bool))
    axis = np.linspace(-0.25, 0.25, 401)
    found, exact = [], []
    for smooth in (10.0, 300.0):
        at = walk.settled(np.full(2, 7.0), smooth)
        found.append(walk.evidence(at, smooth))
        grid = [[walk._value(at + np.array([x, y]), smooth) for y in axis[::4]] for x in axis[::4]]
        exact.append(np.log(np.exp(np.min(grid) - np.array(grid)).sum()) - np.min(grid) + np.log(smooth) / 2)
    assert found[1] - found[0] == pytest.approx(exact[1] - exact[0], abs=0.05)


def test_a_cell_that_stands_out_keeps_its_rows_and_leaves_its_neighbours_theirs():
    """An atom of 800 rows among cells of 50, at a noise of 30 a cell (seed 1)."""
    truth = np.full(200, 50.0)
    truth[90] = 800.0
    found, _ = shaped(Counted.of_cells(truth + np.random.default_rng(1).normal(0, 30, 200), 30.0), np.ones(200), 1e4)
    assert found[90] == pytest.approx(800, abs=100)
    assert np.abs(found[80:101].mean() - (50 * 20 + 800) / 21) < 12
    assert found[[80, 85, 95, 100]].max() < 150


def test_a_smooth_shape_is_nearer_than_the_counts_by_far():
    """Root mean squares over 300 cells, at a noise of 40 on some 30 rows: a quarter or less (seed 5)."""
    place = np.arange(300)
    truth = 9000 / 40 / 2.5 * np.exp(-(((place - 120) / 40) ** 2) / 2)
    counts = truth + np.random.default_rng(5).normal(0, 40, 300)
    found, _ = shaped(Counted.of_cells(counts, 40.0), np.ones(300), 9000.0)
    assert np.sqrt(np.mean((found - truth) ** 2)) < 40 / 4
