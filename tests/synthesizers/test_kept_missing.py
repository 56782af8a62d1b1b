"""Values are missing as often as the model says, where rows are drawn again to keep a rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.synthesizers import kept_block

ROWS = 20_000

LABS = {"low": d.Numeric(0, 100, nullable=True), "mean": d.Numeric(0, 100, nullable=True)}
LABS["high"] = d.Numeric(0, 100, nullable=True)
ORDERED = d.Schema(LABS, not_identifying=[*LABS], constraints=[d.Range("low", "mean", "high")])

ADULTS = d.Schema(
    {
        "age": d.Numeric(0, 99, integer=True),
        "income": d.Numeric(0, 1000, nullable=True),
        "job": d.Categorical(["a", "b", "c"], nullable=True),
    },
    not_identifying=["age", "income", "job"],
    constraints=[d.Implies("age < 15", "income is None and job == 'a'")],
)


def labs() -> pd.DataFrame:
    """Three numbers in order, each missing in 10, 30 and 20 % of the rows by itself."""
    rng = np.random.default_rng(1)
    values = np.sort(rng.uniform(0, 100, (ROWS, 3)), axis=1)
    values[rng.random((ROWS, 3)) < [0.1, 0.3, 0.2]] = np.nan
    return pd.DataFrame(values, columns=[*LABS])


def adults() -> pd.DataFrame:
    """A third are children, who have no income; a fifth of the others have none either."""
    rng = np.random.default_rng(2)
    age = np.where(rng.random(ROWS) < 0.3, rng.integers(0, 15, ROWS), rng.integers(15, 100, ROWS))
    income = np.where((age < 15) | (rng.random(ROWS) < 0.2), np.nan, rng.uniform(0, 1000, ROWS))
    job = np.where(age < 15, "a", rng.choice(["a", "b", "c"], ROWS))
    return pd.DataFrame({"age": age, "income": income, "job": job})


def released(schema: d.Schema, rows: pd.DataFrame, **asked: Any) -> pd.DataFrame:
    """Of `independent`, which knows no dependence: most rows are drawn again."""
    synth = d.Synthesizer(schema, "independent", epsilon=10.0, delta=1e-6, ledger=None)
    return synth.fit(rows).sample(ROWS, seed=1, **asked)


def off(schema: d.Schema, rows: pd.DataFrame) -> dict[str, float]:
    """For each column how far its share of missing values is off, of all rows."""
    found = released(schema, rows)
    return {name: abs(float(found[name].isna().mean() - rows[name].isna().mean())) for name in rows}


def test_an_order_changes_no_share_of_missing_values_and_is_kept():
    """Noise and drawing are .005 at most."""
    found = released(ORDERED, labs())
    for low, high in (("low", "mean"), ("mean", "high")):
        assert (found[low].isna() | found[high].isna() | (found[low] <= found[high])).all()
    assert max(off(ORDERED, labs()).values()) < 0.015


def test_rows_drawn_again_as_a_whole_lack_more_values(monkeypatch):
    monkeypatch.setattr(kept_block, "by_pattern", lambda rows, places, checks: ([], places))
    assert max(off(ORDERED, labs()).values()) > 0.05


def test_a_condition_on_the_same_columns_is_met_beside_the_order():
    found = released(ORDERED, labs(), where="mean is not None and high is None")
    assert found["mean"].notna().all()
    assert found["high"].isna().all()
    assert (found["low"].fillna(-1.0) <= found["mean"]).all()
    assert found["low"].isna().mean() == pytest.approx(0.1, abs=0.02)


def test_an_order_that_known_values_hardly_keep_is_kept_in_few_draws_by_rows_that_lack_them():
    """Bounds that overlap in one thousandth: of known values one pair in two million is in order."""
    columns = {"low": d.Numeric(50, 100, nullable=True), "high": d.Numeric(0, 50.05, nullable=True)}
    schema = d.Schema(columns, not_identifying=[*columns], constraints=[d.Order("low", "<=", "high")])
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"low": rng.uniform(50, 100, ROWS), "high": rng.uniform(0, 50, ROWS)})
    rows = rows.mask(rng.random((ROWS, 2)) < 0.3)
    found = released(schema, rows)
    assert len(found) == ROWS
    assert (found["low"].isna() | found["high"].isna() | (found["low"] <= found["high"])).all()


def test_an_implication_that_makes_values_missing_leaves_their_share_and_that_of_its_condition():
    found = released(ADULTS, adults())
    children = found["age"] < 15
    assert found.loc[children, "income"].isna().all()
    assert (found.loc[children, "job"] == "a").all()
    assert children.mean() == pytest.approx((adults()["age"] < 15).mean(), abs=0.015)
    assert off(ADULTS, adults())["income"] < 0.015


def test_without_values_in_other_rows_an_implication_makes_more_of_them_missing(monkeypatch):
    monkeypatch.setattr(kept_block, "too_many", lambda *_: np.zeros(0, int))
    assert off(ADULTS, adults())["income"] > 0.1


def test_where_all_rows_are_to_lack_the_value_none_gets_one():
    found = released(ADULTS, adults(), where="income is None")
    assert found["income"].isna().all()
    assert (found.loc[found["age"] < 15, "job"] == "a").all()
