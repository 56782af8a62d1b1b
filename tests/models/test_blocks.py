"""Blocks of a wide column: cut where rows are, and with them a shape that is nearer than cells alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dpsynth.base.domain import Domain
from dpsynth.models.blocks import (
    BLOCKS,
    PARTS,
    TIMES,
    WIDE,
    blocks_by_mass,
    blocks_of,
    counted_together,
    masses_of,
    noise_of_a_block,
    noise_of_a_cell,
    times_counted,
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


@pytest.mark.parametrize(("widths", "times"), [((1.0,) * 300, 1), ((1.0, 2.0) * 150, 1), ((1.0, 3.0) * 150, TIMES)])
def test_blocks_count_more_often_where_cells_differ_in_length_and_noise_is_shared_out(widths, times):
    """A charge buys so much precision, for the cells and for blocks together."""
    table = Domain((("x", 301),), (("x", widths),))
    assert times_counted(table, "x") == times
    assert noise_of_a_cell(table, "x") ** -2 + noise_of_a_block(table, "x") ** -2 == pytest.approx(1)
    assert noise_of_a_cell(table, "x") ** 2 / noise_of_a_block(table, "x") ** 2 == pytest.approx(times)
    assert noise_of_a_cell(Domain.of({"x": 300}), "x") == 1


MASSES = hnp.arrays(np.float64, 60, elements=st.integers(0, 1000).map(float))
BINS = hnp.arrays(np.int64, 60, elements=st.integers(0, 4))


@given(MASSES, BINS)
def test_blocks_by_mass_are_runs_of_cells_that_lie_in_one_bin_each(masses, bins):
    blocks = blocks_by_mass(masses, bins, ordered=58)
    assert set(np.diff(blocks)) <= {0, 1}
    assert blocks[0] == 0
    assert np.diff(blocks[57:]).tolist() == [1, 1]
    for block in range(blocks[57] + 1):
        assert len(set(bins[:58][blocks[:58] == block])) == 1


def test_blocks_by_mass_are_fine_where_rows_are_and_tell_the_ends_apart():
    masses = np.append(np.r_[np.zeros(100), np.full(50, 20.0), np.full(50, 1.0), np.zeros(100)], 5.0)
    blocks = blocks_by_mass(masses, np.zeros(301, int), ordered=300)
    sizes = np.bincount(blocks)
    assert PARTS <= sizes.size - 1 <= PARTS + 6
    dense, thin = (np.bincount(blocks[cells]).max() for cells in (slice(100, 150), slice(150, 200)))
    assert dense < 10 < thin
    for end in (100, 200):
        assert blocks[end - 1] < blocks[end]


def measured(truth, blocks, stddev, rng):
    """What one charge gives of a wide column, with this noise on each count."""
    exact = np.concatenate([truth, *[np.bincount(blocks, truth)] * TIMES])
    return counted_together(exact + rng.normal(0, stddev, exact.size), stddev, blocks)


@given(st.integers(0, 2**31), st.floats(0.5, 300), st.floats(1, 1e5))
def test_masses_are_non_negative_and_sum_to_the_total(seed, stddev, total):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 50, 242) * rng.integers(0, 2, 242).astype(float)
    blocks = blocks_of(domain(240, 2), "x")
    found = masses_of(measured(truth, blocks, stddev, rng), (1.0,) * 240, total, blocks)
    assert found.shape == truth.shape
    assert np.all(found >= 0)
    assert found.sum() == pytest.approx(total)


def test_without_noise_to_speak_of_the_counts_come_back():
    rng = np.random.default_rng(0)
    truth = np.append(rng.integers(1, 900, 240), 40).astype(float)
    blocks = blocks_of(domain(240), "x")
    found = masses_of(measured(truth, blocks, 0.01, rng), (1.0,) * 240, truth.sum(), blocks)
    np.testing.assert_allclose(found, truth, atol=0.3)


def test_a_value_far_beyond_all_others_is_kept_where_it_stands_out():
    """As 99,999 among gains: 240 rows in the last cell, at a noise of 17 a count (seed 2)."""
    truth = np.r_[np.full(40, 200.0), np.zeros(259), 240.0, 0.0]
    blocks, rng = blocks_of(domain(300), "x"), np.random.default_rng(2)
    found = masses_of(measured(truth, blocks, 17.0, rng), (1.0,) * 300, truth.sum(), blocks)
    assert found[290:300].sum() == pytest.approx(240, abs=80)
    assert found[60:280].sum() < 80


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
        counted = measured(truth, blocks, stddev * np.sqrt(1 + TIMES), rng)
        both.append(area(masses_of(counted, (1.0,) * 360, truth.sum(), blocks)))
    assert np.mean(both) < np.mean(alone) * 2 / 3


def test_blocks_cut_by_what_was_measured_are_nearer_than_public_ones():
    """Rows in an eighth of the bounds, measured twice; the area over twelve draws, four fifths or less (seed 4)."""
    rng = np.random.default_rng(4)
    place = np.arange(360)
    density = np.exp(-(((place - 40) / 10) ** 2) / 2)
    truth = np.append(9000 * density / density.sum(), 300.0)
    public, widths = blocks_of(domain(360), "x"), (1.0,) * 360
    areas = {"public": [], "cut": []}
    for _ in range(12):
        first = measured(truth, public, 200.0, rng)
        masses = masses_of(first, widths, truth.sum(), public)
        cut = blocks_by_mass(masses, np.zeros(361, int), 360)
        for name, blocks in (("public", public), ("cut", cut)):
            both = first.and_also(measured(truth, blocks, 80.0, rng))
            found = masses_of(both, widths, truth.sum(), public)
            shares = [counts[:360] / counts[:360].sum() for counts in (found, truth)]
            areas[name].append(np.abs(np.cumsum(shares[0] - shares[1])).sum())
    assert np.mean(areas["cut"]) < 0.8 * np.mean(areas["public"])
