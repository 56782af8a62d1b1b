"""Denoising and binning: laws, and less error than the noisy counts they start from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dpsynth.base.domain import Domain
from dpsynth.data.tables.codec import codec_for
from dpsynth.models.bins import choose_bins
from dpsynth.models.histogram import _plateaus, _visible, _with_tails, denoise
from dpsynth.schema.table import Numeric

noisy = hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e6, 1e6).map(round))


@settings(max_examples=150, deadline=None)
@given(noisy, st.floats(0.5, 1e4), st.booleans(), st.floats(1, 1e6))
def test_estimates_are_non_negative_and_sum_to_the_total(y, stddev, ordered, total):
    widths = (1.0,) * max(1, y.size - 1) if ordered else None
    estimate = denoise(y, stddev, widths, total)
    assert estimate.shape == y.shape
    assert np.all(estimate >= 0)
    assert estimate.sum() == pytest.approx(total)


@pytest.mark.parametrize("ordered", [False, True], ids=["nominal", "ordered"])
@pytest.mark.parametrize(
    ("truth", "nominal_error", "ordered_error"),
    [
        (np.repeat([1000.0, 50.0, 10.0, 0.0], 50), 0.6, 0.3),
        (np.concatenate([[20000.0], np.zeros(199)]), 0.1, 0.1),
        (1000 * np.exp(-(((np.arange(200) - 80) / 30) ** 2)), 0.9, 0.7),
    ],
    ids=["steps", "spike", "bell"],
)
def test_denoising_removes_much_of_the_error(truth, nominal_error, ordered_error, ordered):
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(10):
        y = truth + np.rint(rng.normal(0, 30, truth.size))
        estimate = denoise(y, 30.0, (1.0,) * truth.size if ordered else None, truth.sum())
        errors.append(np.abs(estimate - truth).sum() / np.abs(y - truth).sum())
    assert np.mean(errors) < (ordered_error if ordered else nominal_error)


def test_a_rare_category_keeps_some_mass():
    y = np.array([5000.0, 3000.0, 12.0, -7.0, 3.0, -15.0])
    assert np.all(denoise(y, 10.0, None, 8000.0)[2:] > 0)


def test_without_noise_to_speak_of_the_counts_come_back():
    y = np.array([5.0, 900.0, 30.0, 0.0, 77.0])
    for widths in (None, (1.0,) * 5):
        np.testing.assert_allclose(denoise(y, 0.01, widths, y.sum()), y, atol=0.2)


def test_plateaus_are_the_best_of_all_segmentations():
    rng = np.random.default_rng(3)
    widths = rng.integers(1, 4, 8).astype(float)
    y, stddev = rng.normal(10, 8, 8), 4.0
    price = np.log(8) * stddev**2

    def cost(bounds):
        total = 0.0
        for i, j in zip([0, *bounds], [*bounds, 8], strict=True):
            d = max(0.0, (widths[i:j] @ y[i:j]) / (widths[i:j] @ widths[i:j]))
            total += ((y[i:j] - d * widths[i:j]) ** 2).sum() + price
        return total

    everything = [[k + 1 for k in range(7) if mask >> k & 1] for mask in range(128)]
    density = _plateaus(y, widths, stddev) / widths
    found = [k + 1 for k in range(7) if not np.isclose(density[k], density[k + 1])]
    assert cost(found) == pytest.approx(min(map(cost, everything)))


def test_a_million_cells_are_denoised_in_a_moment():
    y = np.rint(np.random.default_rng(0).normal(0, 20, 1_000_000))
    y[:50] += 1000
    estimate = denoise(y, 20.0, None, 50_000.0)
    assert estimate[:50].sum() > 0.95 * 50_000


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=40), st.integers(0, 40), st.floats(0.1, 1e5))
def test_bins_are_numbered_without_gaps_and_runs_on_a_scale(mass, ordered, stddev):
    ordered = min(ordered, len(mass))
    domain = Domain((("a", len(mass)), ("b", 3)), (("a", (1.0,) * ordered),) if ordered else ())
    bins = choose_bins(domain, {"a": np.array(mass), "b": np.ones(3)}, stddev)
    assert sorted(set(bins["a"])) == list(range(bins["a"].max() + 1))


def test_more_noise_means_fewer_bins_and_neighbours_stay_together():
    mass = np.full(100, 500.0)
    domain = Domain((("a", 100), ("b", 10)), (("a", (1.0,) * 100),))
    counts = [
        choose_bins(domain, {"a": mass, "b": np.full(10, 5000.0)}, stddev)["a"] for stddev in (0.01, 10.0, 100.0, 1e6)
    ]
    sizes = [b.max() + 1 for b in counts]
    assert sizes[0] == 100
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1
    assert all(np.all(np.diff(b) >= 0) for b in counts[:3])


WIDE = tuple(1.3 ** np.arange(60))
"""Cells of amounts under generous bounds: the last is five million times as wide as the first."""


def drawn_evenly(counts, widths):
    """The mean of values drawn evenly from each cell."""
    ends = np.cumsum(widths)
    return float(counts @ (ends - np.array(widths) / 2) / counts.sum())


@pytest.mark.parametrize("turned", [False, True], ids=["far above", "far below"])
def test_noise_in_wide_cells_far_from_all_rows_does_not_move_the_mean(turned):
    truth = np.zeros(60)
    truth[:20] = 100 * np.arange(1, 21)
    rng = np.random.default_rng(1)
    widths = WIDE[::-1] if turned else WIDE
    real = drawn_evenly(truth, WIDE)
    for _ in range(20):
        y = truth + np.rint(rng.normal(0, 15, 60))
        counts = denoise(y[::-1] if turned else y, 15.0, widths, truth.sum())
        assert drawn_evenly(counts[::-1] if turned else counts, WIDE) == pytest.approx(real, rel=0.1)


def test_a_thin_tail_in_reach_keeps_its_mass():
    """Forty cells of equal width: the tail of 10 rows a cell is below the noise, and as near as the body is wide."""
    truth = np.repeat([1000.0, 10.0], 20)
    rng = np.random.default_rng(2)
    kept = [
        denoise(truth + rng.normal(0, 30, 40).round(), 30.0, (1.0,) * 40, truth.sum())[20:].sum() for _ in range(40)
    ]
    assert np.mean(kept) == pytest.approx(200, rel=0.5)


def test_noise_alone_is_seen_in_one_column_of_twenty_at_most():
    rng = np.random.default_rng(3)
    seen = [_visible(rng.normal(0, 7, 100), 7.0, np.ones(100)) != (0, 100) for _ in range(2000)]
    assert np.mean(seen) < 0.05


def test_what_stands_out_is_seen_to_its_outermost_cells():
    rng = np.random.default_rng(4)
    truth = np.zeros(100)
    truth[30:50] = 20.0  # none stands out by itself
    truth[70] = 200.0
    for _ in range(20):
        first, last = _visible(truth + rng.normal(0, 10, 100), 10.0, np.ones(100))
        assert 28 <= first <= 50
        assert last >= 71


def test_rows_that_no_run_shows_are_not_lost():
    """Most rows are zeros; the others lie so thin that no run of cells stands out. The row count tells of them."""
    truth = np.concatenate([[6300.0], np.full(150, 18.0), np.zeros(50)])
    widths = (1e-3, *(4000.0,) * 200)
    rng = np.random.default_rng(5)
    kept = [denoise(truth + rng.normal(0, 60, 201).round(), 60.0, widths, 9000.0)[1:].sum() for _ in range(40)]
    assert np.mean(kept) == pytest.approx(2700, rel=0.1)
    assert min(kept) > 1800


def amounts(rng, stddev):
    """Noisy counts of 40,000 lognormal amounts on a grid from 0 to a million, their widths, and the real mean."""
    codec = codec_for(Numeric(0, 1_000_000))
    truth = np.bincount(codec.encode(rng.lognormal(3, 1, 40_000)), minlength=len(codec.widths)).astype(float)
    return truth + rng.normal(0, stddev, truth.size).round(), codec.widths, drawn_evenly(truth, codec.widths)


def test_generous_bounds_do_not_let_a_false_alarm_far_out_make_the_mean():
    """Of 100 columns, noise makes a run far out stand out in a few; one threshold for all made the worst mean 50 times
    too large.
    """
    rng = np.random.default_rng(11)
    ratios = []
    for _ in range(100):
        y, widths, real = amounts(rng, 6.0)
        ratios.append(drawn_evenly(denoise(y, 6.0, widths, 40_000.0), widths) / real)
    assert max(ratios) < 1.5
    assert min(ratios) > 0.8


def test_the_further_a_run_lies_the_more_it_must_stand_out():
    truth = np.zeros(100)
    truth[:10] = 500.0
    for far, seen in ((15, True), (90, False)):
        y = truth.copy()
        y[far] = 45.0  # four and a half standard deviations
        widths = 2.0 ** np.maximum(np.arange(100) - 10, 0)
        assert (_visible(y, 10.0, widths)[1] == far + 1) is seen


def test_cells_are_looked_at_no_further_beyond_the_visible_ones_than_rows_are_lacking():
    """Eight hundred rows lie just beyond what is seen, each cell below the noise; far out there is nothing."""
    truth = np.concatenate([np.full(20, 500.0), np.full(40, 20.0), np.zeros(440)])
    rng = np.random.default_rng(12)
    ends = [_with_tails(truth + rng.normal(0, 30, 500), 30.0, np.ones(500), truth.sum()).stop for _ in range(40)]
    assert np.mean(ends) < 120
    assert min(ends) >= 40


@pytest.mark.parametrize("missing", [0.0, 400.0])
def test_what_the_cells_of_a_scale_lack_is_not_made_up_by_the_missing_ones(missing):
    """Of 400 columns, seed 0: noise 40. The missing values are off by no more than their own count is, but for a tenth,
    and in the mean by no more than a fifth of its noise; cut off at zero, noise of 40 has a mean of 16.
    """
    rng = np.random.default_rng(0)
    truth = np.append(20_000 * np.exp(-np.arange(24) / 3), missing)
    noisy = truth + rng.normal(0, 40, (400, 25))
    found = np.array([denoise(y, 40, (1.0,) * 24, truth.sum())[-1] for y in noisy])
    assert np.sqrt(np.mean((found - missing) ** 2)) <= 1.1 * 40
    assert abs(found.mean() - missing) <= (16 if missing == 0 else 0) + 0.2 * 40


def test_a_light_cell_joins_a_heavy_bin_of_few_cells_not_a_long_tail_that_noise_makes_heavy():
    domain = Domain((("a", 301), ("b", 4)), (("a", (1.0,) * 300),))
    masses = {"a": np.concatenate([np.full(88, 12.0), np.full(212, 5.0), [3.0]]), "b": np.full(4, 500.0)}
    bins = choose_bins(domain, masses, stddev=50.0)["a"]
    assert np.argmax(np.bincount(bins, masses["a"])) == bins[299]
    assert bins[-1] == bins[0] != bins[299]
