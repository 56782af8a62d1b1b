"""Declared calendar parts and round values beside the bins of whole columns: exact shares, and a place on the page."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.evidence.pages import charts

PARTS = ["month", "weekday", "hour"]
SCHEMA = d.Schema(
    {
        "age": d.Numeric(0, 120, integer=True, nullable=True, heaping=[5, 10], missing_marker=-1),
        "seen": d.Datetime(
            "2019-01-01", "2022-12-31", resolution="min", nullable=True, parts=["month", "weekday", "hour"]
        ),
        "plain": d.Datetime("2019-01-01", "2022-12-31"),
        "x": d.Numeric(0, 9, integer=True),
    }
)


def table(n: int, seed: int, opens: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 1460, n), unit="D")
    seen = pd.Series(days + pd.to_timedelta(rng.integers(60 * opens, 1440, n), unit="min"))
    age = pd.Series(rng.integers(0, 121, n), dtype=float)
    return pd.DataFrame(
        {
            "age": age.where(rng.random(n) > 0.1, -1),
            "seen": seen.where(rng.random(n) > 0.2),
            "plain": days,
            "x": rng.integers(0, 10, n),
        }
    )


def shares(series: pd.Series, values: range) -> list[float]:
    counts = series.value_counts(normalize=True)
    return [float(counts.get(each, 0.0)) for each in values]


@pytest.mark.parametrize("holdout", [None, 3])
def test_shares_are_those_that_pandas_counts(holdout: int | None) -> None:
    real, release = table(900, 1), table(700, 2, opens=7)
    other = None if holdout is None else table(800, holdout)
    quality = d.evaluate(release, real, SCHEMA, holdout=other)
    found = {(each.column, each.what): each for each in quality.details}
    assert [*found] == [
        ("age", "multiples of 5"),
        ("age", "multiples of 10"),
        ("seen", "month"),
        ("seen", "weekday"),
        ("seen", "hour"),
    ]
    wanted = {"month": ("month", range(1, 13)), "weekday": ("day_of_week", range(7)), "hour": ("hour", range(24))}
    for what, (name, values) in wanted.items():
        each = found["seen", what]
        ours, theirs = (shares(getattr(rows["seen"].dropna().dt, name), values) for rows in (real, release))
        assert each.real == pytest.approx(ours)
        assert each.synthetic == pytest.approx(theirs)
        assert each.distance == pytest.approx(np.abs(np.subtract(ours, theirs)).sum() / 2)
        assert 0 < each.floor < 0.2
        if other is not None:
            held = shares(getattr(other["seen"].dropna().dt, name), values)
            assert each.floor == pytest.approx(np.abs(np.subtract(ours, held)).sum() / 2)
    ages = real["age"][real["age"] >= 0]
    assert found["age", "multiples of 5"].real[0] == pytest.approx((ages % 5 == 0).mean())
    assert found["age", "multiples of 10"].real[0] == pytest.approx((ages % 10 == 0).mean())
    assert found["seen", "hour"].synthetic[3] == 0
    assert quality.record["details"][0]["what"] == "multiples of 5"


def test_the_page_shows_them_and_one_column_is_no_columns() -> None:
    page = d.evaluate(table(200, 2), table(300, 1), SCHEMA).to_html()
    assert "Calendar parts and round values" in page
    assert "multiples of 10" in page
    assert "seen by hour" in page
    without = d.Schema({f"x{i}": d.Numeric(0, 9, integer=True) for i in range(7)})
    rows = pd.DataFrame({name: [1, 2, 3] for name in without.columns})
    page = d.evaluate(rows, rows, without).to_html()
    assert "Calendar parts" not in page
    assert "The plot of the other column" in page
    assert "1 columns" not in page


def test_tables_without_a_value_have_shares_of_nothing() -> None:
    empty = table(40, 1).assign(age=-1, seen=pd.NaT)
    for each in d.evaluate(empty, empty, SCHEMA).details:
        assert set(each.real) == {0.0}
        assert each.distance == 0


def test_the_axis_names_the_ends_of_long_ranges_whole() -> None:
    long = [f"2020-0{i}-01 00:00 to 2020-0{i}-28 23:59" for i in range(1, 7)]
    drawn = str(charts.steps("t", long, [1 / 6] * 6, [1 / 6] * 6, 6))
    assert ">2020-01-01 00:00<" in drawn
    assert ">2020-06-28 23:59<" in drawn
    assert "…" not in drawn
