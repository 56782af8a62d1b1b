"""Whole numbers near expectations: what each draw keeps, what draws keep on average, and what would break it."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth.models import rounding
from dpsynth.models.rounding import counts_of_groups, settle, systematic_counts


def a_case(seed, groups=40, shape=(5,), rows=300):
    """Conditionals of groups that differ, their sizes, and what their cells expect."""
    rng = np.random.default_rng(seed)
    conditional = rng.dirichlet(np.full(int(np.prod(shape)), 0.7), groups)
    sizes = rng.multinomial(rows, rng.dirichlet(np.ones(groups)))
    return conditional, sizes, conditional * sizes[:, None]


def misses(counts, expected, shape):
    """For each axis the largest departure of its counts over all groups from what they expect."""
    gap = (counts - expected).reshape(-1, *shape)
    return [np.abs(gap.sum(axis=tuple(i for i in range(gap.ndim) if i != axis))).max() for axis in range(1, gap.ndim)]


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4)])
@pytest.mark.parametrize("seed", range(20))
def test_counts_are_floor_or_ceil_and_groups_keep_their_sizes(shape, seed):
    conditional, sizes, expected = a_case(seed, shape=shape)
    counts = counts_of_groups(conditional, sizes, shape, np.random.default_rng(seed))
    assert np.all(counts.sum(axis=1) == sizes)
    assert np.all(counts >= np.floor(expected - 1e-6))
    assert np.all(counts <= np.ceil(expected + 1e-6))


@pytest.mark.parametrize("shape", [(8,), (5, 4), (2, 3, 4)])
def test_columns_are_nearer_than_where_rows_are_rounded_one_by_one(shape, monkeypatch):
    conditional, sizes, expected = a_case(0, groups=1000, shape=shape, rows=20_000)

    def spread():
        rng = np.random.default_rng(1)
        found = [misses(counts_of_groups(conditional, sizes, shape, rng), expected, shape) for _ in range(20)]
        return np.mean(found, axis=0)

    settled = spread()
    monkeypatch.setattr(rounding, "settle", lambda part, rng: part)
    assert np.all(settled < 0.5 * spread())


def bias(draws, seed=3):
    """The largest departure of a cell's mean from what it expects, in standard errors."""
    conditional, sizes, expected = a_case(seed, groups=12, shape=(3, 2), rows=30)
    rng = np.random.default_rng(seed)
    total = sum(counts_of_groups(conditional, sizes, (3, 2), rng) for _ in range(draws))
    part = expected - np.floor(expected)
    return float(np.max(np.abs(total / draws - expected) / np.sqrt(np.maximum(part * (1 - part), 0.01) / draws)))


@pytest.mark.parametrize("draws", [400, pytest.param(4000, marks=pytest.mark.slow)])
def test_expectations_stay(draws):
    assert bias(draws) < 4.5  # 72 cells: exceeded by chance less than once in a thousand times


def test_a_game_that_is_not_fair_would_shift_them(monkeypatch):
    class Unfair:
        """A mutant: whichever way, with equal probability."""

        def __init__(self, rng):
            self.rng, self.permutation = rng, rng.permutation

        def random(self, shape):
            draw = self.rng.random(shape)
            return draw if isinstance(shape, tuple) else np.where(draw < 0.5, 0.0, 1.0)

    monkeypatch.setattr(rounding, "settle", lambda part, rng: settle(part, Unfair(rng)))
    assert bias(600) > 9


@pytest.mark.parametrize("seed", range(10))
def test_settling_keeps_all_sums_and_leaves_little_open(seed):
    rng = np.random.default_rng(seed)
    part = rng.random((500, 7)) * (rng.random((500, 7)) < 0.8)
    settled = settle(part, rng)
    np.testing.assert_allclose(settled.sum(axis=0), part.sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(settled.sum(axis=1), part.sum(axis=1), atol=1e-6)
    assert np.all((settled >= 0) & (settled <= 1))
    assert rounding._open(settled).mean() < 0.4 * rounding._open(part).mean()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows(n):
    conditional = np.array([[0.5, 0.5], [0.1, 0.9]])
    assert counts_of_groups(conditional, np.array([0, n]), (2,), np.random.default_rng(0)).sum() == n


def test_systematic_counts_give_nothing_to_what_is_impossible():
    counts = systematic_counts(np.array([[0.0, 0.3, 0.7, 0.0]] * 500), np.full(500, 3), np.random.default_rng(0))
    assert counts[:, [0, 3]].sum() == 0


def test_a_group_without_mass_still_gives_its_rows_a_cell():
    counts = counts_of_groups(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([4, 2]), (2,), np.random.default_rng(0))
    assert counts.tolist() == [[2, 2], [2, 0]]


class Extreme:
    """A generator whose uniform draws are as near to 1 as they come."""

    def random(self, shape):
        return np.full(shape, 1 - 2.0**-53)


def test_no_row_is_lost_where_a_draw_is_next_to_one():
    counts = systematic_counts(np.array([[0.5, 0.5, 0.0]]), np.array([1_000_000]), Extreme())
    assert counts.sum() == 1_000_000
    assert counts[0, 2] == 0


def pairs_settled_one_by_one(upper, lower, uniform):
    """The slow way: the first and the last column where both rows are fractional, until there are none."""
    open_in = [
        [j for j in range(upper.shape[1]) if 0 < a[j] < 1 and 0 < b[j] < 1] for a, b in zip(upper, lower, strict=True)
    ]
    while going := [i for i, columns in enumerate(open_in) if len(columns) > 1]:
        for i, u in zip(going, uniform(len(going)), strict=True):
            j, k = open_in[i][0], open_in[i][-1]
            up = min(1 - upper[i, j], upper[i, k], lower[i, j], 1 - lower[i, k])
            down = min(upper[i, j], 1 - upper[i, k], 1 - lower[i, j], lower[i, k])
            move = up if u * (up + down) < down else -down
            for table, at, sign in ((upper, j, 1), (upper, k, -1), (lower, j, -1), (lower, k, 1)):
                value = table[i, at] + sign * move
                table[i, at] = 0.0 if value < 1e-9 else 1.0 if value > 1 - 1e-9 else value
            open_in[i] = [c for c in open_in[i] if 0 < upper[i, c] < 1 and 0 < lower[i, c] < 1]


@pytest.mark.parametrize("seed", range(30))
def test_pairs_settle_as_they_do_one_by_one(seed):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 30)), int(rng.integers(1, 12)))
    upper, lower = (rng.random(shape) * (rng.random(shape) < 0.7) for _ in range(2))
    slow = upper.copy(), lower.copy()
    pairs_settled_one_by_one(*slow, np.random.default_rng(seed).random)
    rounding._settle_pairs(upper, lower, np.random.default_rng(seed))
    assert np.array_equal(upper, slow[0])
    assert np.array_equal(lower, slow[1])
