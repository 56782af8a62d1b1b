"""Which rows agree with a record, and how many of them agree on every combination of columns."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.auditing.mechanism.pairs import worst_case_pairs
from dpsynth.auditing.mechanism.queries import Target, combinations, counts
from tests.auditing.faults import SCHEMA

TABLE = pd.DataFrame(
    {
        "town": pd.Categorical(["u", "v", "u", None], ["u", "v"]),
        "age": pd.array([30, 31, 90, None], dtype="Int64"),
        "member": [True, False, True, True],
        "since": pd.to_datetime(["2020-01-01", "2021-01-01", "2020-01-01", None]),
    }
)


@pytest.mark.parametrize(
    ("row", "expected"),
    [(0, [(1, 1, 1, 1), (0, 1, 0, 0), (1, 0, 1, 1), (0, 0, 1, 0)]), (3, [(0, 0, 1, 0)] * 1)],
    ids=["values", "missing"],
)
def test_values_agree_when_equal_numbers_when_near_and_nothing_with_nothing(row, expected):
    record = {name: TABLE[name].iloc[row] for name in TABLE.columns}
    agreement = Target.of(record, TABLE).agreement(TABLE).astype(int)
    np.testing.assert_array_equal(agreement[row], np.ones(4))
    np.testing.assert_array_equal(agreement[: len(expected)], expected)


def test_a_column_that_is_not_there_agrees_nowhere_and_text_may_stand_for_what_it_says():
    target = Target.of({"town": 1, "age": 30}, pd.DataFrame({"town": [1], "age": [30]}))
    assert not target.agreement(TABLE[["age"]])[:, 0].any()
    assert Target({"town": True}, {}).agreement(pd.DataFrame({"town": ["True", "False"]})).tolist() == [[True], [False]]
    nullable = pd.DataFrame({"town": pd.array([True, None, False], dtype="boolean")})
    assert Target({"town": True}, {}).agreement(nullable)[:, 0].tolist() == [True, False, False]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(0, 30), st.integers(0, 2**32 - 1), st.integers(1, 64))
def test_counts_are_those_of_a_loop_over_rows(columns, rows, seed, most):
    agreement = np.random.default_rng(seed).random((rows, columns)) < 0.7
    names = [f"c{i}" for i in range(columns)]
    asked = combinations(names, most)
    assert len(asked) == len(set(asked)) <= most
    expected = [sum(all(row[names.index(c)] for c in combination) for row in agreement) for combination in asked]
    assert counts(agreement, names, asked).tolist() == expected


def test_the_whole_record_is_asked_for_first_then_fewer_columns_before_more():
    asked = combinations(list("abcd"), 100)
    assert asked[0] == ("a", "b", "c", "d")
    parts = [c for k in (1, 2, 3) for c in itertools.combinations("abcd", k)]
    assert asked[1:] == parts
    assert combinations(["a"], 100) == [("a",)]


@pytest.mark.parametrize("adjacency", ["add-remove", "replace"])
def test_a_pair_knows_which_records_it_differs_in(adjacency):
    schema = type(SCHEMA)(dict(SCHEMA.columns), unit=type(SCHEMA.unit)(adjacency=adjacency))
    for pair in worst_case_pairs(schema):
        targets = pair.targets
        assert len(targets) == (1 if adjacency == "add-remove" else 2)
        there = targets[0].agreement(pair.second).all(axis=1).sum()
        assert there == targets[0].agreement(pair.first).all(axis=1).sum() + 1
