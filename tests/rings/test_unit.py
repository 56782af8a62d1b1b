"""PrivacyUnit: how far one unit moves the counts of a marginal, against all the ways in which it could."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dpsynth.kernel.unit import PrivacyUnit
from tests.rings import oracle


@pytest.mark.parametrize("adjacency", ["add-remove", "replace"])
@pytest.mark.parametrize("records", [1, 2, 3])
@pytest.mark.parametrize("cells", [1, 2, 3, 4])
def test_the_sensitivity_of_counts_is_the_farthest_that_one_unit_moves_them(adjacency, records, cells):
    l1, l2 = PrivacyUnit(max_records=records, adjacency=adjacency).count_sensitivity(cells)
    moves = oracle.movements(cells, records, adjacency)
    assert l1 == max(int(np.abs(m).sum()) for m in moves)
    farthest = max(int(m @ m) for m in moves)
    assert farthest <= Fraction(l2) ** 2 <= farthest * (1 + Fraction(1, 10**14))


@pytest.mark.parametrize("records", [1, 3, 10**6 + 1, 2**31 - 1, 2**40])
def test_the_sensitivity_is_never_rounded_down(records):
    l1, l2 = PrivacyUnit(max_records=records, adjacency="replace").count_sensitivity(2)
    assert Fraction(l1) >= 2 * records
    assert Fraction(l2) ** 2 >= 2 * records**2


@pytest.mark.parametrize("records", [0, -1, 1.0, True, "1", None, np.int64(3), 2**40 + 1, 10**400, float("nan")])
def test_max_records_must_be_a_whole_number_that_makes_sense(records):
    with pytest.raises(ValueError, match="max_records"):
        PrivacyUnit(max_records=records)


@pytest.mark.parametrize("named", [["a", "a"], ["month(visit)"], ["visit", "month(visit)"], ["day(a)", "week(b)"]])
def test_a_unit_needs_a_column_of_ids_and_names_none_twice(named):
    with pytest.raises(ValueError, match="must name a column of ids, and none twice"):
        PrivacyUnit(named)


def test_a_unit_of_several_columns_says_its_columns_and_periods():
    house = PrivacyUnit(["surname", "address"], 4)
    assert (house.columns, house.periods) == (("surname", "address"), {})
    assert house.describe() == (
        "every combination of 'surname' and 'address', of whom at most 4 records are used, added or removed"
    )
    month = PrivacyUnit(("patient", "month(date (of visit))"))
    assert month.parts == (("patient", None), ("date (of visit)", "month"))
    assert month.periods == {"date (of visit)": "month"}
    assert PrivacyUnit("month(visit)").parts == (("month(visit)", None),)  # by itself it is a column's name
    assert PrivacyUnit(["a"]) == PrivacyUnit("a")
    assert hash(PrivacyUnit(["a", "b"])) == hash(PrivacyUnit(("a", "b")))


@pytest.mark.parametrize(
    "fields",
    [
        {"adjacency": "both"},
        {"adjacency": None},
        {"id_column": ""},
        {"id_column": 3},
        {"id_column": []},
        {"id_column": ["a", 3]},
        {"id_column": {"a": 1}},
    ],
)
def test_other_nonsense_is_refused(fields):
    with pytest.raises(ValueError, match="must be"):
        PrivacyUnit(**fields)


def test_a_unit_says_who_is_protected():
    assert PrivacyUnit().describe() == "any 1 record, added or removed"
    person = PrivacyUnit("person", max_records=3, adjacency="replace")
    assert person.describe() == "every 'person', of whom at most 3 records are used, replaced by others"
