"""One-way measurements: a wide column is counted in cells and in blocks, and one charge pays for both."""

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.sensitive import Sensitive, _integers
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.allocation import again_part, first_parts, stddev_of_column
from dpsynth.mechanisms.marginal.aim import AIM
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.independent import Independent
from dpsynth.mechanisms.marginal.mst import MST
from dpsynth.mechanisms.oneway import (
    OneWayMeasurements,
    WideMeasurement,
    count_columns,
    measure_columns,
    measure_oneways,
    public_blocks,
)
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.blocks import BLOCKS, TIMES, blocks_of
from dpsynth.models.counted import Counted
from dpsynth.models.span import Span, rounded_variance
from dpsynth.testing import BlindAccountant

ORDERED = 300
DOMAIN = Domain((("x", ORDERED + 1), ("sex", 2)), (("x", (*(0.1,) * 100, *(1.0,) * 200)),))
REPLACED = PrivacyUnit(adjacency="replace")


def table(x, unit=None):
    codes = {"x": np.array(x), "sex": np.array(x) % 2}
    return PrivateTable.from_codes(codes, DOMAIN, *([unit] if unit else []))


def counts(x, unit=None):
    rows = table(x, unit)
    return count_columns(rows, rows.marginals([("x",), ("sex",)]), public_blocks(DOMAIN))


def test_the_answer_of_a_wide_column_has_its_cells_and_then_its_blocks_twice():
    x = np.random.default_rng(0).integers(0, ORDERED + 1, 500)
    answers = counts(x)
    cells = np.bincount(x, minlength=ORDERED + 1)
    blocks = np.bincount(blocks_of(DOMAIN, "x")[x], minlength=BLOCKS + 1)
    assert _integers(answers["x",]).tolist() == [*cells, *[*blocks] * TIMES]
    assert _integers(answers["sex",]).tolist() == np.bincount(x % 2).tolist()


def excess(counted, unit):
    """How many times further one row moves the answer than it says, at the most: every value, beside two others."""
    farthest = 0.0
    for value in range(ORDERED + 1):
        for other in (0, ORDERED):
            one, near = counted([5, other], unit), counted([5, value] if unit else [5, other, value], unit)
            moved = np.linalg.norm(_integers(one["x",]) - _integers(near["x",]))
            farthest = max(farthest, moved / one["x",].l2)
    return farthest


@pytest.mark.parametrize("unit", [None, REPLACED], ids=["a row more", "a row replaced"])
def test_no_row_moves_the_answer_further_than_it_says_and_some_as_far(unit):
    assert excess(counts, unit) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("unit", [None, REPLACED], ids=["a row more", "a row replaced"])
def test_blocks_that_nobody_pays_for_are_found(unit):
    """A mutant: cells and blocks with the sensitivity of cells."""

    def unpaid(x, unit):
        found = counts(x, unit)["x",]
        return {("x",): Sensitive(_integers(found), l1=found.l1 / 2, l2=found.l2 / np.sqrt(1 + TIMES))}

    assert excess(unpaid, unit) == pytest.approx(np.sqrt(1 + TIMES))


@pytest.mark.parametrize("unit", [None, REPLACED], ids=["a row more", "a row replaced"])
def test_blocks_that_lie_over_each_other_move_no_answer_further_than_it_says(unit):
    """Whatever cuts a column into blocks, a row is in one of them."""

    def cut(x, unit):
        labels = np.random.default_rng(3).integers(0, 5, ORDERED + 1)
        rows = table(x, unit)
        blocks = {"x": np.unique(labels, return_inverse=True)[1]}
        return count_columns(rows, rows.marginals([("x",)]), blocks)

    assert excess(cut, unit) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("mechanism", [Independent(), MST(), Canopy(), AIM()], ids=lambda m: type(m).__name__)
def test_models_of_wide_columns_depend_on_the_rows_through_charges_only(mechanism):
    def run(x):
        accountant = BlindAccountant(Budget(1.0, 1e-6))
        model = mechanism.fit(table(x), accountant)
        return model.project(("x",)).tolist(), accountant.ledger.entries()

    assert run([3] * 10) == run(np.random.default_rng(0).integers(0, ORDERED, 2999))


def test_one_charge_pays_for_a_column_however_wide():
    accountant = Accountant(Budget(1.0, 1e-6))
    cost = accountant.cost_left // 4
    measure_oneways(table([1, 2, 3]), accountant, total_cost=cost, oneway_cost=2 * cost)
    purposes = [line["purpose"] for line in accountant.ledger.entries() if line["kind"] == "charge"]
    assert purposes == ["measure the row count", "measure x", "measure sex"]


def test_stated_noise_is_the_noise_of_cells_blocks_and_of_the_whole_column():
    """200 measurements: root mean squares within a tenth, which is four standard errors (seed 1)."""
    x = np.random.default_rng(1).integers(0, ORDERED, 4000)
    answers, truth = counts(x), np.bincount(x, minlength=ORDERED + 1)
    accountant = Accountant(Budget(10.0, 1e-6), unsafe_seed=1)
    cost = accountant.cost_left // 200
    labels = {"cells": np.arange(ORDERED + 1), "blocks": blocks_of(DOMAIN, "x"), "all": np.zeros(ORDERED + 1, int)}
    labels["half a block and more"] = (np.arange(ORDERED + 1) > 6).astype(int)
    squares = {name: [] for name in labels}
    for _ in range(200):
        m = measure_columns(accountant, answers, {"x": cost}, public_blocks(DOMAIN))["x"]
        found = OneWayMeasurements(DOMAIN, LinearMeasurement((), np.array(1.0), 1.0), {"x": m})
        for name, each in labels.items():
            off = np.bincount(each, m.values - truth) / found.stddev_of_sums("x", each)
            squares[name].append(np.mean(off**2))
    for name, found in squares.items():
        tolerance = 0.1 if len(np.unique(labels[name])) > 20 else 0.3
        assert np.sqrt(np.mean(found)) == pytest.approx(1.0, abs=tolerance), name


def test_what_is_known_of_a_wide_column_counts_beside_its_cells_and_blocks():
    blocks = blocks_of(DOMAIN, "x")
    counted = Counted.of_cells(np.zeros(ORDERED + 1), 2.0).with_sums(blocks, np.full(BLOCKS + 1, 26.0), 1.0)
    once = OneWayMeasurements(
        DOMAIN, LinearMeasurement((), np.array(1.0), 1.0), {"x": WideMeasurement.of(("x",), counted)}
    )
    known = once.with_prior(LinearMeasurement(("x",), np.full(ORDERED + 1, 5.0), 1e-6))
    assert known.by_column["x"].values == pytest.approx(np.full(ORDERED + 1, 5.0), abs=1e-3)
    everything = np.zeros(ORDERED + 1, int)
    assert known.stddev_of_sums("x", everything) < 1e-4 < once.stddev_of_sums("x", everything)
    assert once.combined(once).stddev_of_sums("x", blocks) == pytest.approx(
        once.stddev_of_sums("x", blocks) / np.sqrt(2)
    )


def test_plans_say_the_noise_of_the_widest_column_and_of_each():
    least, most = first_parts(DOMAIN, total=100, oneway=200)[1].stddev(1.0)
    narrow = Domain.of({"sex": 2, "job": 4})
    assert most / first_parts(narrow, total=100, oneway=200)[1].stddev(1.0)[1] == pytest.approx(np.sqrt(1 + TIMES))
    assert stddev_of_column(DOMAIN, "x", most) == pytest.approx(most)
    assert stddev_of_column(DOMAIN, "sex", most) == pytest.approx(most / np.sqrt(1 + TIMES))
    assert least < stddev_of_column(narrow, "sex", 1.0) * most
    assert again_part(DOMAIN, 50, (0, 1)).factors[1] == pytest.approx(np.sqrt(1 + TIMES))


def test_noise_of_blocks_that_are_counted_twice_is_that_of_two_rounded_counts():
    """40 charges of 24 blocks, threshold 5 standard errors, seeds 0 to 39, epsilon near 100. One rounded count with
    half the variance, which has 0.4 times the variance, is refuted."""
    x = np.random.default_rng(5).integers(0, ORDERED, 4000)
    blocks, answers = blocks_of(DOMAIN, "x"), counts(x)
    truth = np.bincount(blocks[x], minlength=BLOCKS + 1)
    squares, stddev = [], 0.0
    for seed in range(40):
        accountant = Accountant(Budget(100.0, 1e-6), unsafe_seed=seed)
        cost = accountant.cost_left // 3
        m = measure_columns(accountant, answers, {"x": cost}, public_blocks(DOMAIN))["x"]
        stddev = m.charged[0].stddev
        found = Span(DOMAIN, m.charged).estimates([[{"x": blocks == i}] for i in range(BLOCKS)])
        squares.append((found.values - truth[:BLOCKS]) ** 2 / np.diag(found.covariance))
    off = np.array(squares).ravel()
    assert 0.25 < stddev < 0.35
    assert abs(off.mean() - 1) < 5 * off.std() / np.sqrt(off.size)
    one = rounded_variance(stddev / np.sqrt(2)) / (rounded_variance(stddev) / 2)
    assert off.mean() / one - 1 > 5 * off.std() / one / np.sqrt(off.size)
    assert one == pytest.approx(0.4, abs=0.1)
    assert found.steps[:BLOCKS] == pytest.approx(0.25, abs=0.03)  # of a mean of two, half a step of 1/2
