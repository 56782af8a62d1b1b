"""Public grids: cells that cover the bounds, found exactly, drawn from within."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dpsynth.data.tables.grid import Grid, RealGrid, StepGrid, moment_edges, number_edges
from dpsynth.door.codes import Cuts

bounds = st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)).map(sorted) | st.sampled_from(
    [(0.0, 1e6), (-1e6, 0.0), (-50.0, 1e5), (0.0, 0.0), (1e9, 1e9 + 1e-6), (0.0, 1e-310), (-1e300, 1e300), (5.0, 5.0)]
)
lattices = st.tuples(
    st.integers(-(10**9), 10**9), st.sampled_from([1.0, 5.0, 0.1, 0.25]), st.integers(1, 5000) | st.integers(1, 10**9)
)


def cells_of(grid: Grid, values: np.ndarray) -> np.ndarray:
    return Cuts(grid.starts, range(len(grid.widths))).at(np.asarray(values, dtype=np.float64))


def edges_of(grid: RealGrid) -> np.ndarray:
    first, last = grid.ends()
    return np.append(first, np.nextafter(last[-1], np.inf))


@given(bounds=bounds, seed=st.integers(0, 99))
def test_a_real_value_stays_in_its_cell_and_in_the_bounds(bounds: tuple[float, float], seed: int) -> None:
    low, high = bounds
    grid, rng = RealGrid(low, high), np.random.default_rng(seed)
    cells = np.arange(len(grid.widths)).repeat(3)
    values = grid.draw(cells, rng)
    assert low <= values.min()
    assert values.max() <= high
    assert np.array_equal(cells_of(grid, values), cells)


@given(bounds=bounds)
def test_real_cells_are_fine_everywhere_and_finest_near_zero(bounds: tuple[float, float]) -> None:
    low, high = bounds
    assume(high - low > 1e-6 * max(abs(low), abs(high), 1e-200))
    edges, widths = edges_of(RealGrid(low, high)), np.array(RealGrid(low, high).widths)
    assert len(widths) <= 700
    assert np.all(widths > 0)
    assert np.all(np.diff(edges) <= (high - low) / 256 * (1 + 1e-6))
    distance = np.minimum(np.abs(edges[:-1]), np.abs(edges[1:]))
    finest = (high - low) * 2.0**-20
    assert np.all(np.diff(edges) <= np.maximum(distance * 0.1, finest * 1.1))
    assert widths.sum() == pytest.approx(high - low, rel=1e-5)


@given(bounds=bounds, seed=st.integers(0, 99))
@example(bounds=(0.0, 1e-05), seed=15)
def test_a_real_value_has_the_digits_that_its_cell_tells_apart(bounds: tuple[float, float], seed: int) -> None:
    """Ten or more decimals of the cell's length, and no more than a hundred; never more digits than float64 has."""
    grid, rng = RealGrid(*bounds), np.random.default_rng(seed)
    first, last = grid.ends()
    cells = np.flatnonzero((last > first) & (last - first > 1e-14 * np.maximum(abs(first), abs(last))))
    cells = cells[(last - first)[cells] > 1e-20]
    cells = cells[np.maximum(abs(first), abs(last))[cells] < 1e12]
    for value, length in zip(grid.draw(cells, rng).tolist(), (last - first)[cells].tolist(), strict=True):
        decimals = max(0, -Decimal(repr(value)).as_tuple().exponent)
        assert repr(value).endswith(".0") or 10.0**-decimals >= length / 100 * (1 - 1e-9)


def test_shortening_values_keeps_their_mean_and_leaves_ten_of_them_to_each_cell() -> None:
    grid, rng = RealGrid(0, 120), np.random.default_rng(5)
    first, last = grid.ends()
    for cell in (5, 60, 200, len(first) - 1):
        drawn = grid.draw(np.full(40_000, cell), rng)
        length = last[cell] - first[cell]
        assert abs(drawn.mean() - (first[cell] + last[cell]) / 2) < 0.02 * length
        assert len(np.unique(drawn)) >= 10
        assert np.bincount(np.unique(drawn, return_inverse=True)[1]).max() < 0.2 * 40_000


@pytest.mark.parametrize(("low", "high"), [(0, 1e6), (-1e6, 0), (-1, 1), (-5, 1e5)])
def test_zero_has_a_cell_of_its_own(low: float, high: float) -> None:
    grid = RealGrid(low, high)
    zero = cells_of(grid, np.array([0.0, -0.0]))
    near = [x for x in (1e-9, -1e-9) if low <= x <= high]
    assert zero[0] == zero[1]
    assert not np.isin(cells_of(grid, np.array(near)), zero).any()
    assert np.array_equal(grid.draw(zero.repeat(50), np.random.default_rng(0)), np.zeros(100))


@given(lattice=lattices, seed=st.integers(0, 99))
def test_a_step_is_found_where_counting_finds_it(lattice: tuple[int, float, int], seed: int) -> None:
    start, step, count = lattice
    low, rng = start * step, np.random.default_rng(seed)
    edges = number_edges(low, step, count)
    grid = StepGrid(low, step, edges)
    assert np.all(np.diff(edges) > 0)
    assert (edges[0], edges[-1]) == (0, count)
    assert len(edges) <= 1025
    assert grid.widths == tuple(np.diff(edges).astype(float))
    steps = rng.integers(0, count, 50)
    cells = np.searchsorted(edges, steps, side="right") - 1
    assert np.array_equal(cells_of(grid, low + steps * step), cells)
    drawn = grid.draw(cells, rng)
    assert np.array_equal(np.searchsorted(edges, drawn, side="right") - 1, cells)


def test_few_values_have_a_cell_each_and_many_have_one_each_near_zero() -> None:
    assert np.array_equal(number_edges(3, 1, 1024), np.arange(1025))
    incomes = StepGrid(-1000, 1, number_edges(-1000, 1, 1_001_001))
    assert len(incomes.widths) < 700
    near_zero = cells_of(incomes, np.arange(-10.0, 11.0))
    assert len(set(near_zero.tolist())) == 21
    assert {incomes.widths[cell] for cell in near_zero} == {1.0}
    assert max(incomes.widths) <= 1_001_000 / 256 + 1


def test_values_outside_are_clipped_and_between_steps_belong_to_the_nearest() -> None:
    grid = StepGrid(0, 0.5, number_edges(0, 0.5, 5))
    assert cells_of(grid, np.array([-np.inf, -3, 0.2, 0.3, 0.6, 2, 2.1, 1e300, np.inf])).tolist() == [
        0,
        0,
        0,
        1,
        1,
        4,
        4,
        4,
        4,
    ]
    real = RealGrid(-2, 3)
    assert cells_of(real, np.array([-np.inf, -1e300])).tolist() == [0, 0]
    assert set(cells_of(real, np.array([np.inf, 1e300, 3.0]))) == {len(real.widths) - 1}


@pytest.mark.parametrize("count", [1, 2, 1024, 1025, 9131, 10**6, 3 * 10**9])
def test_moments_have_equal_cells(count: int) -> None:
    edges = moment_edges(count)
    assert (edges[0], edges[-1]) == (0, count)
    assert len(edges) - 1 == (count if count <= 1024 else 512)
    assert np.ptp(np.diff(edges)) <= 1


@given(
    edges=st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=60, unique=True).map(sorted),
    places=st.lists(st.floats(0, 1, exclude_max=True), max_size=60),
)
def test_buckets_find_what_a_binary_search_finds(edges: list[float], places: list[float]) -> None:
    low, high = edges[0], edges[-1]
    values = np.array([*edges, *(low + place * (high - low) for place in places), -np.inf, np.inf, -1e300, 1e300])
    codes = np.random.default_rng(len(places)).integers(0, 9, len(edges) + 1)
    cuts = Cuts(edges, codes)
    assert np.array_equal(cuts.at(values), codes[np.searchsorted(edges, values, side="right")])
    assert [cuts.of(value) for value in values.tolist()] == cuts.at(values).tolist()


def test_cuts_need_ascending_edges_and_a_code_for_each_interval() -> None:
    for edges, codes in (([1, 1], [0, 1, 2]), ([2, 1], [0, 1, 2]), ([1], [0]), ([np.nan, 1], [0, 1, 2])):
        with pytest.raises(ValueError, match="ascend strictly"):
            Cuts(edges, codes)
