"""Counts of cells and of their sums: the estimate and its noise are those of the normal equations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dpsynth.models.counted import Counted

CELLS = 9
LABELS = hnp.arrays(np.int64, CELLS, elements=st.integers(0, 3))


def numbered(labels):
    return np.unique(labels, return_inverse=True)[1]


def both(looks, rng):
    """The estimate of these looks, and the matrix, counts and noise that they are made of."""
    noise = rng.uniform(0.5, 20, CELLS)
    rows, stddevs = [np.eye(CELLS)], [noise]
    counts = [rng.normal(0, 100, CELLS)]
    counted = Counted.of_cells(counts[0], noise)
    for labels in looks:
        size = labels.max() + 1
        noise = rng.uniform(0.5, 20, size)
        noise[rng.random(size) < 0.2] = np.inf
        sums = rng.normal(0, 100, size)
        counted = counted.with_sums(labels, sums, noise)
        told = np.isfinite(noise)
        rows.append(np.eye(size)[labels].T[told])
        stddevs.append(noise[told])
        counts.append(sums[told])
    return counted, np.vstack(rows), np.concatenate(counts), np.concatenate(stddevs)


@settings(max_examples=60, deadline=None)
@given(st.lists(LABELS.map(numbered), max_size=3), LABELS.map(numbered), st.integers(0, 2**31))
def test_the_estimate_and_its_noise_are_those_of_the_normal_equations(looks, labels, seed):
    counted, matrix, counts, stddevs = both(looks, np.random.default_rng(seed))
    covariance = np.linalg.inv(matrix.T @ (matrix / stddevs[:, None] ** 2))
    np.testing.assert_allclose(counted.values, covariance @ (matrix.T @ (counts / stddevs**2)), atol=1e-7)
    np.testing.assert_allclose(counted.stddev**2, np.diag(covariance), rtol=1e-7)
    sums = np.eye(labels.max() + 1)[labels]
    np.testing.assert_allclose(counted.stddev_of_sums(labels) ** 2, np.diag(sums.T @ covariance @ sums), rtol=1e-7)
    values = np.arange(CELLS) - 3.0
    np.testing.assert_allclose(counted.within(values), np.linalg.solve(covariance, values), atol=1e-7)


@given(LABELS.map(numbered), st.integers(0, 2**31))
def test_two_looks_are_one_in_either_order_and_come_back_from_arrays(labels, seed):
    rng = np.random.default_rng(seed)
    one, other = (both([each], rng)[0] for each in (labels, numbered(labels[::-1])))
    together = one.and_also(other)
    np.testing.assert_allclose(together.values, other.and_also(one).values, atol=1e-9)
    again = Counted.from_arrays(together.to_arrays())
    assert np.array_equal(again.values, together.values)
    assert np.array_equal(again.stddev_of_sums(labels), together.stddev_of_sums(labels))


def test_a_part_takes_all_other_cells_for_empty():
    counted = Counted.of_cells(np.zeros(4), 1e3).with_sums(np.array([0, 0, 1, 1]), np.array([10.0, 30.0]), 0.1)
    assert counted.part(np.array([1, 2])).values == pytest.approx([10.0, 30.0], abs=0.01)
