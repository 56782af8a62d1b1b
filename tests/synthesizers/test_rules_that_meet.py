"""Constraints where two facts meet: a marker, a missing value, a part of a total, a table with gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from tests.synthesizers.constraint_cases import broken

pytestmark = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")


def drawn(schema: d.Schema, rows: pd.DataFrame, n: int = 2000) -> pd.DataFrame:
    """Rows of a model with next to no noise."""
    return d.Synthesizer(schema, "mst", epsilon=50, delta=1e-6, unsafe_seed=1, ledger=None).fit(rows).sample(n, seed=1)


def parts(n: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame({"a": rng.integers(0, 11, n), "b": rng.integers(0, 11, n)})


def test_a_total_is_never_the_number_that_stands_for_missing() -> None:
    columns = {name: d.Numeric(0, 10, integer=True) for name in "ab"}
    columns["t"] = d.Numeric(0, 20, integer=True, nullable=True, missing_marker=7)
    schema = d.Schema(columns, constraints=[d.Sum("t", ["a", "b"])])
    frame = parts()
    rows = drawn(schema, frame.assign(t=frame["a"] + frame["b"]))
    assert (rows["a"] + rows["b"] == rows["t"]).all()
    assert 6 in set(rows["t"])
    assert 7 not in set(rows["t"])


def test_where_the_lower_column_is_missing_the_upper_one_has_all_its_values() -> None:
    schema = d.Schema(
        {"low": d.Numeric(20, 30, integer=True, nullable=True), "high": d.Numeric(0, 40, integer=True)},
        constraints=[d.Order("low", "<=", "high")],
    )
    rng = np.random.default_rng(3)
    low = pd.Series(rng.integers(20, 31, 3000)).mask(rng.random(3000) < 0.5)
    rows = drawn(schema, pd.DataFrame({"low": low, "high": np.where(low.isna(), rng.integers(0, 20, 3000), 35)}))
    assert broken(schema, rows) == []
    assert (rows["high"][rows["low"].isna()] < 20).mean() > 0.8


@pytest.mark.parametrize("order", [d.Order("t", ">=", "a"), d.Order("a", "<", "t"), d.Order("t", "<=", "b")])
@pytest.mark.parametrize("by_way_of", [False, True])
def test_a_total_may_be_in_order_with_a_part_that_it_is_computed_from(order: d.Order, by_way_of: bool) -> None:
    columns = {name: d.Numeric(0, 10, integer=True) for name in "ab"}
    columns |= {name: d.Numeric(-20, 60, integer=True) for name in "st"}
    rules = [d.Derived("s", "a + b"), d.Derived("t", "2 * s - a - b" if by_way_of else "a + b")]
    schema = d.Schema(columns, constraints=[*rules, order])
    frame = parts()
    rows = drawn(schema, frame.assign(s=frame["a"] + frame["b"], t=frame["a"] + frame["b"]))
    assert broken(schema, rows) == []
    assert (rows["a"] + rows["b"] == rows["t"]).all()


def test_a_number_that_a_table_does_not_list_is_missing() -> None:
    columns = {"ward": d.Categorical(["u", "v"]), "beds": d.Numeric(0, 40, integer=True, nullable=True)}
    schema = d.Schema(columns, constraints=[d.Derived("beds", of="ward", table={"u": 30})])
    rows = drawn(schema, pd.DataFrame({"ward": ["u", "v"] * 500, "beds": 30}))
    assert broken(schema, rows) == []
    assert rows["beds"].isna().mean() == pytest.approx(0.5, abs=0.05)
