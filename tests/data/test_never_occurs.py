"""A check names the declared categories that never occur, for the owner of the data alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dpsynth.data.tables.check import check_rows
from dpsynth.schema.table import Boolean, Categorical, Column, Datetime, Numeric, Schema


def never(column: Column, values: list[object]) -> tuple[object, ...]:
    (found,) = check_rows(pd.DataFrame({"x": pd.Series(values, dtype=object)}), Schema({"x": column}))
    return found.never


@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_what_never_occurs_is_what_no_value_says(nullable: bool, seed: int):
    rng = np.random.default_rng(seed)
    names = [f"c{number}" for number in range(12)]
    values = rng.choice([*names[:9], "odd", None], size=rng.integers(0, 20)).tolist()
    column = Categorical(names, nullable=nullable)
    assert never(column, values) == tuple(name for name in names if name not in values)


@pytest.mark.parametrize(
    ("column", "values", "absent"),
    [
        (Categorical(["a", "b"], ignore_case=True), ["A ", "A"], ("b",)),
        (Categorical([1, 2, 3]), ["1.0", 3], (2,)),
        (Categorical(["1", "2"]), [1.0], ("2",)),
        (Categorical(["a", "rest"], other="rest"), ["a", "z"], ()),
        (Categorical(["a", "rest"], other="rest"), ["a"], ("rest",)),
        (Categorical(["a", "rest"], other="rest", nullable=True), ["a", None], ("rest",)),
        (Categorical(["a", "b"], nullable=True, missing_marker="?"), ["?"], ("a", "b")),
        (Boolean(), [True], ()),
        (Numeric(0, 9), [1], ()),
        (Datetime("2020-01-01", "2020-12-31"), ["2020-02-01"], ()),
    ],
)
def test_values_are_matched_as_a_fit_matches_them(column: Column, values: list[object], absent: tuple[object, ...]):
    assert never(column, values) == absent
