"""The verdict of a quality page follows from its distances by a fixed rule, and says what it is about."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.evaluation.fidelity import evaluate
from dpsynth.evidence.verdict import GRADES, grade, verdict
from dpsynth.schema.table import Categorical, Schema

SHARES = st.floats(0, 1)


def ways(*distances, floor=0.0):
    return [{"columns": k, "distance": d, "floor": floor} for k, d in enumerate(distances, start=1)]


def column(name, distance, floor=0.0, missing=0.0):
    return {"name": name, "distance": distance, "floor": floor, "missing_real": 0.0, "missing_synthetic": missing}


@given(SHARES, SHARES, SHARES)
def test_a_larger_distance_has_no_better_grade_and_a_larger_yardstick_no_worse_one(distance, more, floor):
    at = GRADES.index(grade(distance, floor))
    assert GRADES.index(grade(max(distance, more), floor)) >= at
    assert GRADES.index(grade(distance, max(floor, more))) <= at


@pytest.mark.parametrize(
    ("distance", "floor", "found"),
    [
        (0.05, 0.0, "good"),
        (0.051, 0.0, "fair"),
        (0.15, 0.0, "fair"),
        (0.151, 0.0, "weak"),
        (0.3, 0.2, "good"),
        (0.4, 0.2, "fair"),
        (0.41, 0.2, "weak"),
    ],
)
def test_the_grades_are_those_that_the_page_states(distance, floor, found):
    assert grade(distance, floor) == found


def test_each_use_is_named_once_under_its_grade():
    told = verdict(ways(0.01, 0.1, 0.3), [column("a", 0.01)])
    assert told["grade"] == "fair"
    good, fair, weak = told["uses"]
    assert good == "Good for counts, shares and histograms of one column."
    assert fair.startswith("Usable with care for tables of two columns")
    assert weak.startswith("Weak at what depends on three or more columns")
    assert told["remarks"] == []


def test_triples_do_not_decide_the_first_line_and_a_single_column_has_a_verdict_too():
    assert verdict(ways(0.01, 0.01, 0.9), [column("a", 0.0)])["grade"] == "good"
    assert verdict(ways(0.9), [column("a", 0.9)])["grade"] == "weak"


def test_columns_that_are_far_off_are_named_worst_first_and_those_off_by_chance_are_not():
    far = [column(f"c{i}", 0.2 + i / 100) for i in range(7)] + [column("chance", 0.5, floor=0.4)]
    (said,) = verdict(ways(0.1), far)["remarks"]
    assert said == (
        "7 of 8 columns are more than 10 of 100 rows off: c6 (26.0\xa0%), c5 (25.0\xa0%), c4 (24.0\xa0%),"
        " c3 (23.0\xa0%), c2 (22.0\xa0%) and 2 more."
    )


def test_missing_values_that_differ_are_remarked():
    (said,) = verdict(ways(0.01), [column("a", 0.01, missing=0.06), column("b", 0.0, missing=0.05)])["remarks"]
    assert said == "Missing values differ by more than 5 of 100 rows in a."


def test_the_page_the_record_and_the_summary_say_the_verdict():
    schema = Schema({"sex": Categorical(["f", "m"]), "job": Categorical(["a", "b"])})
    real = pd.DataFrame({"sex": ["f", "m"] * 50, "job": ["a", "b"] * 50})
    apart = pd.DataFrame({"sex": ["f", "m"] * 50, "job": ["a", "a", "b", "b"] * 25})
    for release, marked in ((real, "GOOD: CLOSE"), (apart, "WEAK: FAR")):
        quality = evaluate(release, real, schema)
        assert quality.record["verdict"] == quality.verdict
        assert marked in quality.to_html()
        for use in quality.verdict["uses"]:
            assert use in quality.to_html()
            assert use in quality.summary()
