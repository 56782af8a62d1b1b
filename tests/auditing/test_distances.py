"""Distances, kernels and marginals against slow and obvious versions of themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from dpsynth.auditing.attacks.marginals import all_cliques, marginal_ratio
from dpsynth.auditing.attacks.membership import Scene, membership_scores
from dpsynth.auditing.attacks.neighbours import log_kernel_sum, nearest, nearest_without
from dpsynth.auditing.attacks.records import read_tables
from dpsynth.schema.table import Categorical, Datetime, Numeric, Schema, SchemaError

SCHEMA = Schema(
    {
        "x": Numeric(0, 100, nullable=True),
        "day": Datetime("2020-01-01", "2020-12-31"),
        "few": Categorical(["a", "b", "c"], nullable=True),
        "many": Categorical([f"m{i}" for i in range(90)]),
        "grade": Categorical(["low", "mid", "high"], ordered=True),
    }
)


def table(n, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(2, 1, n).clip(0, 100)),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, n), unit="D"),
            "few": rng.choice(["a", "b", "c", None], n),
            "many": [f"m{i}" for i in rng.integers(0, 90, n)],
            "grade": rng.choice(["low", "mid", "high"], n),
        }
    )


TABLES = read_tables({"left": table(150, 1), "right": table(200, 2)}, SCHEMA)
LEFT, RIGHT = TABLES["left"], TABLES["right"]


def slow_squared(a, b, columns):
    """The definition in words, one pair at a time."""
    found = np.zeros((len(a), len(b)))
    for i, j in itertools.product(range(len(a)), range(len(b))):
        for name in columns:
            if name in a.nominal:
                k = a.nominal.index(name)
                found[i, j] += a.categories[i, k] != b.categories[j, k]
            else:
                k = a.ordered.index(name)
                x, y = a.ranks[i, k].astype(float), b.ranks[j, k].astype(float)
                if np.isnan(x) and np.isnan(y):
                    continue
                if np.isnan(x) or np.isnan(y):
                    found[i, j] += 1 + 2 * (np.nan_to_num(x, nan=0.5) - np.nan_to_num(y, nan=0.5)) ** 2
                else:
                    found[i, j] += 2 * (x - y) ** 2
    return found


@pytest.mark.parametrize("columns", [LEFT.columns, ("x",), ("few", "many"), ("day", "grade")])
def test_nearest_rows_are_those_of_the_definition(columns):
    slow = slow_squared(LEFT, RIGHT, columns)
    found = nearest(LEFT, RIGHT, 5, columns=columns)
    assert found.squared == pytest.approx(np.sort(slow, axis=1)[:, :5], abs=2e-5)
    assert found.squared == pytest.approx(np.take_along_axis(slow, found.rows, 1), abs=1e-9)


def test_no_record_is_its_own_neighbour():
    both = LEFT.joined(RIGHT)
    slow = slow_squared(LEFT, both, LEFT.columns)
    slow[np.arange(len(LEFT)), np.arange(len(LEFT))] = np.inf
    assert nearest(LEFT, both, 1, columns=LEFT.columns, own=True).squared[:, 0] == pytest.approx(slow.min(1), abs=2e-5)


@pytest.mark.parametrize("name", LEFT.columns)
def test_the_nearest_row_without_a_column_does_not_look_at_it(name):
    others = [c for c in LEFT.columns if c != name]
    found = nearest_without(LEFT, RIGHT)[name]
    assert found.squared[:, 0] == pytest.approx(slow_squared(LEFT, RIGHT, others).min(axis=1), abs=4e-5)
    if name == "few":
        changed = LEFT.take(np.arange(len(LEFT)))
        changed.categories[:, 0] = (changed.categories[:, 0] + 1) % 4
        assert np.array_equal(nearest_without(changed, RIGHT)[name].rows, found.rows)


def test_kernel_sums_are_those_of_the_definition():
    bandwidth = np.linspace(0.05, 2, len(LEFT))
    slow = np.log(np.exp(-slow_squared(LEFT, RIGHT, LEFT.columns) / (2 * bandwidth[:, None])).sum(axis=1))
    assert log_kernel_sum(LEFT, RIGHT, bandwidth) == pytest.approx(slow, abs=2e-4)


def test_a_copy_is_at_distance_zero_and_equal_rows_have_one_number():
    both = read_tables({"a": table(50, 1), "b": table(50, 1).astype(object), "c": table(50, 3)}, SCHEMA)
    assert np.all(nearest(both["a"], both["b"], 1, columns=both["a"].columns).squared == 0)
    assert np.array_equal(both["a"].same, both["b"].same)
    assert len(set(both["a"].same)) == len(table(50, 1).drop_duplicates())


def test_scores_do_not_depend_on_the_units_of_a_column():
    """Ranks decide, so that any increasing function of a column changes nothing."""
    frames = {name: table(80, seed) for name, seed in (("real", 4), ("synthetic", 5))}
    other = {name: frame.assign(x=np.sqrt(frame["x"])) for name, frame in frames.items()}
    scores = []
    for tables in (frames, other):
        records = read_tables(tables, SCHEMA)
        scores.append(membership_scores(Scene(records["real"], records["synthetic"])))
    for name, score in scores[0].items():
        assert score == pytest.approx(scores[1][name], abs=1e-6), name


def test_the_marginal_ratio_is_the_sum_over_cliques_of_log_ratios_without_the_record():
    cliques = [("few",), ("few", "grade"), ("x", "day", "many")]
    score = marginal_ratio(LEFT, RIGHT, LEFT, cliques)
    for i in range(0, 150, 37):
        expected = 0.0
        for clique in cliques:
            cell = [LEFT.bins[c][i] for c in clique]
            hit = [np.all([t.bins[c] == v for c, v in zip(clique, cell, strict=True)], axis=0) for t in (RIGHT, LEFT)]
            expected += np.log((hit[0].sum() + 0.5) / 200) - np.log((hit[1].sum() - 1 + 0.5 * 150 / 200) / 150)
        assert score[i] == pytest.approx(expected)


def test_cliques_are_all_of_a_size_or_three_hundred_of_them():
    rng = np.random.default_rng(0)
    assert len(all_cliques(tuple("abcde"), (1, 2, 3), rng)) == 5 + 10 + 10
    many = all_cliques(tuple(f"c{i}" for i in range(30)), (3,), rng)
    assert len(set(many)) == 300


def test_the_table_that_cannot_be_read_is_named():
    with pytest.raises(SchemaError, match=r"left: .*lacks 'x'"):
        read_tables({"left": table(3, 1).drop(columns="x")}, SCHEMA)
