"""Counts of groups of cells: pooled by least squares, and no more said of a pair than they say."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.models.base import LinearMeasurement, RoughMeasurement
from dpsynth.models.engines import estimate_exactly
from dpsynth.models.pooling import pool

DOMAIN = Domain.of({"a": 4, "b": 3, "c": 2})
LAST = {a: (np.arange(n) == n - 1).astype(int) for a, n in DOMAIN.sizes}
TOTAL = 10_000.0


def columns(stddev: float, seed: int = 0) -> list[LinearMeasurement]:
    rng = np.random.default_rng(seed)
    shares = {"a": [0.3, 0.2, 0.1, 0.4], "b": [0.35, 0.25, 0.4], "c": [0.6, 0.4]}
    return [
        LinearMeasurement((a,), TOTAL * np.array(s) + rng.normal(0, stddev, len(s)), stddev) for a, s in shares.items()
    ]


def rough(clique: tuple[str, str], values: np.ndarray, stddev: float) -> RoughMeasurement:
    return RoughMeasurement(clique, (LAST[clique[0]], LAST[clique[1]]), values, stddev)


def test_groups_of_one_cell_each_are_a_measurement_like_any_other():
    values = np.random.default_rng(1).uniform(0, 2000, (4, 3))
    apart = RoughMeasurement(("a", "b"), (np.arange(4), np.arange(3)), values, 30.0)
    plain = LinearMeasurement(("a", "b"), values, 30.0)
    one = estimate_exactly(DOMAIN, columns(1e-3), total=TOTAL, rough=[apart])
    other = estimate_exactly(DOMAIN, [*columns(1e-3), plain], total=TOTAL)
    np.testing.assert_allclose(one.project(("a", "b")), other.project(("a", "b")), atol=1.0)


def test_groups_are_pooled_as_least_squares_does_given_their_columns():
    """The counts that lie nearest to what was measured, of those that add up to the columns."""
    values = np.random.default_rng(2).uniform(0, 5000, (2, 2))
    pooled = pool(DOMAIN, columns(10.0), total=TOTAL, rough=[rough(("a", "b"), values, 40.0)])
    table = pooled["a", "b"]
    sums = [np.bincount(LAST[a], pooled[(a,)].values) for a in ("a", "b")]
    move = np.array([[1.0, -1.0], [-1.0, 1.0]])  # all that two columns leave open
    start = np.multiply.outer(*sums) / TOTAL
    nearest = start + move * np.sum(move * (values - start)) / np.sum(move**2)
    np.testing.assert_allclose(table.values, nearest, atol=1e-6)
    np.testing.assert_allclose(table.variance, 1600.0)


def test_groups_and_cells_of_one_pair_are_weighted_by_their_precision():
    cells = np.multiply.outer([3000, 2000, 1000, 4000], [0.35, 0.25, 0.4])
    together = np.array([[5000.0, 1000.0], [1000.0, 3000.0]])
    found = []
    for noise in (1.0, 1e6):
        pair = [*columns(1e-3), LinearMeasurement(("a", "b"), cells, 20.0)]
        table = pool(DOMAIN, pair, total=TOTAL, rough=[rough(("a", "b"), together, noise)])["a", "b"]
        assert table.groups is None
        np.testing.assert_allclose(table.values.sum(axis=1), cells.sum(axis=1), atol=0.1)
        found.append(table.values[-1, -1])
    assert found == pytest.approx([3000.0, cells[-1, -1]], rel=0.05)


def test_a_model_knows_of_groups_what_was_measured_and_of_their_cells_nothing_more():
    together = np.array([[5000.0, 1000.0], [1000.0, 3000.0]])
    model = estimate_exactly(DOMAIN, columns(1.0), total=TOTAL, rough=[rough(("a", "b"), together, 5.0)])
    table = model.project(("a", "b"))
    assert table[-1, -1] == pytest.approx(3000, abs=60)
    both = table[:-1, :-1]
    np.testing.assert_allclose(both, np.multiply.outer(both.sum(axis=1), both.sum(axis=0)) / both.sum(), atol=5)
    np.testing.assert_allclose(
        model.project(("a", "c")), np.multiply.outer(table.sum(axis=1), [0.6, 0.4]), rtol=0.01, atol=5
    )


def test_a_saved_model_of_groups_is_the_same_model():
    together = np.array([[5000.0, 1000.0], [1000.0, 3000.0]])
    model = estimate_exactly(DOMAIN, columns(1.0), total=TOTAL, rough=[rough(("a", "b"), together, 5.0)])
    again = type(model).from_arrays(model.to_arrays())
    np.testing.assert_allclose(again.project(("a", "b")), model.project(("a", "b")))
