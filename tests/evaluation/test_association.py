"""Associations, quantiles, calendar parts, values missing together: laws, other programs' values, planted changes."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import contingency, spearmanr
from sklearn.metrics import mutual_info_score

from dpsynth.evaluation.association import columns_of, correlations, cramers_v, mutual_information
from dpsynth.evaluation.fidelity import evaluate
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.scores import kolmogorov_smirnov
from dpsynth.schema.table import Boolean, Categorical, Datetime, Numeric, Schema
from tests.evaluation.made_up import SCHEMA, clean

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sdmetrics.json").read_text())
SMALL = Schema(
    {
        "age": Numeric(0, 120, integer=True),
        "income": Numeric(0, 1e6, decimals=2, nullable=True),
        "seen": Datetime("2020-01-01", "2021-12-31"),
        "town": Categorical(["a", "b", "c", "d"], nullable=True),
        "ill": Boolean(),
    }
)
TIMES = Schema({"at": Datetime("2020-01-01", "2020-12-30", resolution="h"), "x": Numeric(0, 1, nullable=True)})


@pytest.fixture(scope="module")
def small():
    return evaluate(pd.DataFrame(GOLDEN["synthetic"]), pd.DataFrame(GOLDEN["real"]), SMALL)


@pytest.fixture(scope="module")
def quality():
    return evaluate(clean(3000, 1000), clean(3000, 0), SCHEMA)


def hours(n, seed, wakes=0):
    rng = np.random.default_rng(seed)
    hour = wakes + rng.integers(0, 24 - wakes, n)
    at = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 364, n) * 24 + hour, unit="h")
    return pd.DataFrame({"at": at, "x": np.where(rng.random(n) < 0.2, np.nan, rng.random(n))})


@pytest.mark.parametrize("key", ["column_shapes", "pair_trends", "overall"])
def test_the_scores_of_a_table_are_those_of_sdmetrics(small, key):
    assert getattr(small.scores, key) == pytest.approx(GOLDEN[key], abs=1e-6)


@pytest.mark.parametrize("name", GOLDEN["columns"])
def test_the_scores_of_a_column_are_those_of_sdmetrics(small, name):
    (column,) = [c for c in small.scores.columns if c.name == name]
    for key, value in GOLDEN["columns"][name].items():
        assert getattr(column, key) == pytest.approx(value, abs=1e-6), key


@pytest.mark.parametrize("pair", GOLDEN["pearson"])
def test_correlations_are_those_of_sdmetrics(small, pair):
    (found,) = [a for a in small.associations if ", ".join(a.columns) == pair]
    assert found.pearson_real == pytest.approx(GOLDEN["pearson"][pair]["real"], abs=1e-6)
    assert found.pearson_synthetic == pytest.approx(GOLDEN["pearson"][pair]["synthetic"], abs=1e-6)


def test_rank_correlations_are_those_of_scipy():
    numbers = Numbers.of(clean(500, 0), SCHEMA)
    names = ["age", "spend", "cost", "seen", "ill"]
    found = correlations(columns_of(numbers, names, ranked=True))[0]
    for i, j in combinations(range(5), 2):
        expected = spearmanr(numbers.values[names[i]], numbers.values[names[j]]).statistic
        assert found[i, j] == pytest.approx(expected, abs=1e-12)


def test_a_large_mean_beside_a_small_spread_costs_a_correlation_no_digits():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1000))
    far = Numbers(1000, {"x": 1e9 + x, "y": 1e12 + 3 * x + y})
    near = Numbers(1000, {"x": x, "y": 3 * x + y})
    found, expected = (correlations(columns_of(each, ["x", "y"]))[0][0, 1] for each in (far, near))
    assert found == pytest.approx(expected, abs=1e-5)


def test_cramers_v_and_shared_bits_are_those_of_other_programs():
    rng = np.random.default_rng(0)
    for shape in ((2, 2), (3, 5), (12, 4)):
        counts = rng.integers(1, 50, shape)
        shares = counts / counts.sum()
        assert cramers_v(shares) == pytest.approx(contingency.association(counts, method="cramer"), abs=1e-12)
        nats = mutual_info_score(None, None, contingency=counts)
        assert mutual_information(shares) == pytest.approx(nats / np.log(2), abs=1e-12)


@pytest.mark.parametrize("shares", [np.zeros((2, 3)), np.eye(3)[:1], np.array([[0.5, 0.5]])])
def test_a_table_with_one_row_or_none_has_no_association(shares):
    assert cramers_v(shares) == 0
    assert mutual_information(shares) == 0


def test_a_column_that_is_constant_in_some_rows_has_no_correlation_there_though_means_are_rounded():
    rng = np.random.default_rng(0)
    for rows in (200, 700, 1000):
        group = rng.random(4000) < rows / 4000
        table = Numbers(4000, {name: np.where(group, 3.0, rng.poisson(9, 4000)) for name in "ab"})
        columns = columns_of(table, ["a", "b"], ranked=True)
        assert correlations(columns)[0][0, 1] != 0
        found, count = correlations(columns[group])
        assert count[0, 1] == group.sum()
        assert found.tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("large", [1e-300, 1e300, np.inf])
def test_the_largest_and_the_smallest_doubles_are_compared_and_written(large):
    schema = Schema({name: Numeric(None, None, nullable=True) for name in "ab"})
    rng = np.random.default_rng(0)
    real, release = (pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"]) for _ in range(2))
    expected, within = evaluate(release, real, schema).associations[0], 1e-9 if np.isfinite(large) else 0.01
    if np.isfinite(large):
        real, release = real * large, release * large
    else:
        real.loc[0, "a"], real.loc[1, "a"], release.loc[0, "b"] = large, -large, large
    quality = evaluate(release, real, schema)
    assert quality.associations[0].pearson_real == pytest.approx(expected.pearson_real, abs=within)
    assert "nan" not in quality.to_json().lower()


def test_the_distance_of_distributions_is_the_largest_gap():
    assert kolmogorov_smirnov(np.array([1.0, 2.0]), np.array([3.0])) == 1
    assert kolmogorov_smirnov(np.array([1.0, 2.0]), np.array([2.0, 1.0, 2.0, 1.0])) == 0


def test_a_correlation_that_the_release_lost_is_the_farthest_off_and_on_the_page(quality):
    real, release = clean(3000, 0), clean(3000, 1000)
    release["spend"] = np.random.default_rng(0).permutation(release["spend"])
    lost = evaluate(release, real, SCHEMA)
    first = max(lost.associations, key=lambda a: a.difference)
    assert first.columns == ("income", "spend")
    assert first.real > 0.7
    assert abs(first.synthetic) < 0.1
    assert abs(first.real - first.floor) < 0.05
    names = [c.name for c in lost.columns]
    differences = lost.record["association_differences"]
    assert differences[names.index("income")][names.index("spend")] == first.difference
    assert "income × spend" in lost.to_html()  # noqa: RUF001
    kept = quality.record["mean_association_difference"]
    assert kept["release"] < 2 * kept["yardstick"]  # two samples of one law, 3,000 rows each


def test_quantiles_are_values_of_the_tables(quality):
    found = {q.name: q for q in quality.quantiles}
    assert {*found} == {"age", "income", "spend", "visits", "cost", "wait", "bmi", "stay", "seen"}
    income = clean(3000, 0)["income"].to_numpy()
    assert found["income"].real[4] == np.sort(income)[1499]
    assert found["seen"].written_real[0].startswith("2020-01-0")
    assert found["age"].synthetic == tuple(sorted(found["age"].synthetic))


def test_hours_that_a_release_forgot_are_seen_and_its_days_are_at_the_yardstick():
    real, holdout, release = hours(4000, 0, wakes=8), hours(4000, 1, wakes=8), hours(4000, 2)
    parts = {p.part: p for p in evaluate(release, real, TIMES, holdout=holdout).calendar}
    assert {*parts} == {"hour", "weekday", "month", "day of the month"}
    assert parts["hour"].distance == pytest.approx(1 / 3, abs=0.03)
    assert sum(parts["hour"].real[:8]) == 0
    assert all(parts[name].distance < 2 * parts[name].floor for name in ("weekday", "month"))
    assert parts["weekday"].labels[0] == "Monday"


def test_calendar_parts_are_those_of_pandas():
    real = hours(500, 0)
    parts = {p.part: p for p in evaluate(real, real, TIMES).calendar}
    at = real["at"].dt
    of_pandas = {"hour": at.hour, "weekday": at.day_of_week, "month": at.month - 1, "day of the month": at.day - 1}
    for part, expected in of_pandas.items():
        counts = np.bincount(expected, minlength=len(parts[part].labels))
        assert parts[part].real == pytest.approx(counts / 500)


def test_values_that_are_missing_together_are_told_from_ones_that_are_missing_apart():
    schema = Schema({name: Numeric(0, 1, nullable=True) for name in "ab"})
    rng = np.random.default_rng(0)
    gone = rng.random(4000) < 0.2
    real = pd.DataFrame({name: np.where(gone, np.nan, 0.5) for name in "ab"})
    release = pd.DataFrame({name: np.where(rng.random(4000) < 0.2, np.nan, 0.5) for name in "ab"})
    found = evaluate(release, real, schema).missing_together
    assert found.distance == pytest.approx(2 * 0.2 * 0.8, abs=0.03)
    assert found.floor < 0.03
    assert {*found.columns} == {(), ("a",), ("b",), ("a", "b")}
    assert found.real[found.columns.index(("a",))] == 0
    assert evaluate(release, real, schema).columns[0].distance < 0.02


def test_where_nothing_is_missing_nothing_is_said_of_it():
    table = clean(100, 0).drop(columns="wait")
    schema = Schema({n: c for n, c in SCHEMA.columns.items() if n != "wait"})
    quality = evaluate(table, table, schema)
    assert quality.missing_together is None
    assert "missing together" not in quality.to_html()
