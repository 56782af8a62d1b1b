"""Charged bounds: wide enough, kept where stated, and blind to rows but for their charge."""

import numpy as np
import pandas as pd
import pytest

from dpsynth.data.tables.magnitude import CELLS, HIGHS, LOWS, Magnitudes, magnitude_table
from dpsynth.door.bounded import bound_table
from dpsynth.door.codes import codes_of
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.bounds import learn_bounds
from dpsynth.schema.table import Numeric
from dpsynth.testing import BlindAccountant

BUDGET = Budget(1.0, 1e-6)


def magnitudes(values, marker=None):
    return magnitude_table(bound_table(lambda: pd.DataFrame({"x": values}), PrivacyUnit()), {"x": marker})


def learn(values, column, accountant=None):
    table = magnitudes(values)
    accountant = accountant or Accountant(BUDGET)
    return learn_bounds(table, {"x": column}, accountant, accountant.cost_left // 2)["x"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.arange(1, 10_001) % 1000 + 0.5, (0.0, 1024.0)),
        (np.tile([-700.0, 3.0], 5000), (-1024.0, 4.0)),
        (np.tile([-6.0, -5.0], 5000), (-8.0, -4.0)),
        (np.tile([0.0, 100.0], 5000), (0.0, 128.0)),
    ],
    ids=["positive", "both signs", "negative", "zero and positive"],
)
def test_learned_bounds_enclose_the_values_within_powers_of_two(values, expected):
    low, high = learn(values, Numeric(None, None))
    assert expected[0] <= low <= values.min()
    assert values.max() <= high <= expected[1]


def test_a_stated_bound_is_kept():
    low, high = learn(np.tile([5.0, 90.0], 5000), Numeric(2, None))
    assert (low, high) == (2, 128.0)
    assert learn(np.tile([5.0, 90.0], 5000), Numeric(None, 100))[1] == 100


def test_every_number_lies_between_the_ends_of_its_cell():
    numbers = np.array([0.0, -0.0, 1e-9, -1e-9, 1.0, -1.0, 1.5, -1.5, 2.0, -2.0, 2.0**49, -(2.0**49)])
    cells = codes_of(numbers, Magnitudes(None))
    assert np.all(numbers >= LOWS[cells])
    assert np.all(numbers <= HIGHS[cells])
    assert list(codes_of(np.array([2.0**200, -(2.0**200)]), Magnitudes(None))) == [CELLS - 2, 0]
    beyond = np.array([np.inf, -np.inf, np.nan, np.nextafter(2.0**200, np.inf), -1e300])
    assert list(codes_of(beyond, Magnitudes(None))) == [CELLS - 1] * 5
    assert list(codes_of(pd.Series(["inf", "-Infinity", 10**400], dtype=object), Magnitudes(None))) == [CELLS - 1] * 3
    assert np.all(np.diff(LOWS) >= 0)


@pytest.mark.parametrize("values", [[], [None, None], ["words", "alone"], [1e300, -1e300, np.inf]])
@pytest.mark.parametrize("column", [Numeric(None, None), Numeric(7, None), Numeric(None, -3, integer=True)], ids=repr)
def test_no_value_makes_learning_fail(values, column):
    low, high = learn(pd.Series(values, dtype=object), column)
    assert -np.inf < low < high < np.inf


@pytest.mark.parametrize("beyond", [np.inf, -np.inf, 1e300, -1e300])
def test_what_has_no_magnitude_moves_no_learned_bound(beyond):
    values = np.tile([3.0, 5.0, 6.0, beyond], 5000)
    low, high = learn(values, Numeric(None, None))
    assert 0 <= low <= 3
    assert 6 <= high <= 8


def test_a_missing_marker_is_no_magnitude():
    values = np.tile([-999_999.0, 5.0], 5000)
    table = magnitudes(values, -999_999)
    accountant = Accountant(BUDGET)
    low, high = learn_bounds(table, {"x": Numeric(None, None)}, accountant, accountant.cost_left)["x"]
    assert 0 <= low <= high <= 8


def test_bounds_depend_on_the_rows_through_their_charge_only():
    def run(values):
        accountant = BlindAccountant(BUDGET)
        return learn(values, Numeric(None, None), accountant), accountant.ledger.entries()

    assert run(np.array([1.0])) == run(pd.Series(["x", None, 5e10, True] * 99, dtype=object))
