"""Each raw value is allowed, missing, or none that the schema allows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dpsynth.evaluation.reading import missing_and_outside, repeated_share, span
from dpsynth.schema.table import Boolean, Categorical, Datetime, Numeric

# column, values, which are missing, which are outside
CASES = {
    "whole numbers": (Numeric(0, 9, integer=True), [0, 9, 10, -1, 2.5, None], "000001", "001111"),
    "numbers": (Numeric(0, 1, nullable=True), [0.0, 0.5, 1.1, math.inf, math.nan], "00001", "00110"),
    "steps": (Numeric(0.1, 0.7, step=0.2), [0.1, 0.3, 0.7, 0.4, 0.9], "00000", "00011"),
    "number marker": (Numeric(0, 9, nullable=True, missing_marker=-1), [0, -1, -2, None], "0101", "0010"),
    "text marker of numbers": (Numeric(0, 9, nullable=True, missing_marker="N"), [5, "N", "x", "7"], "0100", "0010"),
    "an open bound": (Numeric(0, None), [0, 1e12, -1], "000", "001"),
    "text": (Categorical(["a", "b"]), ["a", "b", "c", None], "0001", "0011"),
    "text with other": (Categorical(["a", "b"], other="b"), ["a", "b", "c"], "000", "001"),
    "text marker": (Categorical(["a"], nullable=True, missing_marker="?"), ["a", "?", "!", None], "0101", "0010"),
    "number categories": (Categorical([1, 2]), [1, 2.0, "2", 3], "0000", "0001"),
    "truths": (Boolean(nullable=True, missing_marker="NA"), [True, "no", 1, "na", "maybe", None], "000101", "000010"),
    "days": (Datetime("2020-01-01", "2020-12-31"), ["2020-01-01", "2020-12-31", "2021-01-01", "x"], "0000", "0011"),
}


def flags(text):
    return [c == "1" for c in text]


@pytest.mark.parametrize(("column", "values", "missing", "outside"), CASES.values(), ids=CASES)
def test_a_value_is_allowed_or_missing_or_outside(column, values, missing, outside):
    found = missing_and_outside(pd.Series(values, dtype=object), column, None)
    assert [f.tolist() for f in found] == [flags(missing), flags(outside)]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, 5, None], dtype="Int64"),
        pd.Series([1.0, 5.0, math.nan]),
        pd.Series(["1", "5", None], dtype="string"),
        pd.Series([1, 5, None], dtype=pd.ArrowDtype(pa.int32())),
        pa.array([1, 5, None]),
        pa.chunked_array([[1], [5, None]]),
    ],
    ids=str,
)
def test_the_container_does_not_matter(values):
    column = Numeric(0, 4, integer=True, nullable=True)
    found = missing_and_outside(values, column, None)
    assert [f.tolist() for f in found] == [flags("001"), flags("010")]
    assert span(values, column) == (1.0, 5.0)


def test_learned_bounds_are_kept_too():
    column = Numeric(None, 10)
    assert missing_and_outside(pd.Series([1.0, -3.0]), column, (0.0, 8.0))[1].tolist() == [False, True]
    assert missing_and_outside(pd.Series([9.0]), column, (0.0, 8.0))[1].tolist() == [False]


def test_the_span_leaves_out_what_is_no_number():
    column = Numeric(None, None, nullable=True, missing_marker=-999)
    assert span(pd.Series([3, -999, math.inf, None, "7"], dtype=object), column) == (3.0, 7.0)
    assert span(pd.Series([], dtype=float), column) is None


def test_repeated_rows_equal_an_earlier_row_in_every_column():
    a, b = pd.Series([1, 1, 1, 2, None, None]), pd.Series(["x", "x", "y", "x", "z", "z"])
    assert repeated_share([a, b], 6) == pytest.approx(2 / 6)
    assert repeated_share([pa.chunked_array([a.tolist()]), b], 6) == pytest.approx(2 / 6)
    assert repeated_share([pd.Series([[1], [1], {}])], 3) == pytest.approx(1 / 3)
    assert repeated_share([a.head(0)], 0) == 0


def test_many_columns_do_not_overflow():
    rng = np.random.default_rng(0)
    columns = [pd.Series(rng.random(50)) for _ in range(40)]
    assert repeated_share(columns, 50) == 0
    assert repeated_share([pd.concat([c, c]) for c in columns], 100) == 0.5
