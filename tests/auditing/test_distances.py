"""Distances, kernels and marginals against slow and obvious versions of themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from dpsynth.auditing.attacks.anonymity import linked
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


def slow_squared(a, b, columns, by="ranks"):
    """The definition in words, one pair at a time."""
    found = np.zeros((len(a), len(b)))
    middle = {"ranks": 0.5, "spreads": 0.0}[by]
    for i, j in itertools.product(range(len(a)), range(len(b))):
        for name in columns:
            if name in a.nominal:
                k = a.nominal.index(name)
                found[i, j] += a.categories[i, k] != b.categories[j, k]
            else:
                k = a.ordered.index(name)
                x, y = float(getattr(a, by)[i, k]), float(getattr(b, by)[j, k])
                if np.isnan(x) and np.isnan(y):
                    continue
                if np.isnan(x) or np.isnan(y):
                    found[i, j] += 1 + 2 * (np.nan_to_num(x, nan=middle) - np.nan_to_num(y, nan=middle)) ** 2
                else:
                    found[i, j] += 2 * (x - y) ** 2
    return found


@pytest.mark.parametrize("by", ["ranks", "spreads"])
@pytest.mark.parametrize("columns", [LEFT.columns, ("x",), ("few", "many"), ("day", "grade")])
def test_nearest_rows_are_those_of_the_definition(columns, by):
    slow = slow_squared(LEFT, RIGHT, columns, by)
    found = nearest(LEFT, RIGHT, 5, columns=columns, by=by)
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


@pytest.mark.parametrize("change", [np.sqrt, lambda x: 0.3 * x + 7])
def test_scores_do_not_depend_on_the_units_of_a_column(change):
    """Ranks keep under any increasing function of a column, spreads under a change of its unit and origin."""
    frames = {name: table(80, seed) for name, seed in (("real", 4), ("synthetic", 5))}
    other = {name: frame.assign(x=change(frame["x"])) for name, frame in frames.items()}
    scores = []
    for tables in (frames, other):
        records = read_tables(tables, SCHEMA)
        scores.append(membership_scores(Scene(records["real"], records["synthetic"])))
    for name, score in scores[0].items():
        if not ("spreads" in name and change is np.sqrt):
            assert score == pytest.approx(scores[1][name], abs=1e-5), name


NUMBERS = Schema({"x": Numeric(None, None, nullable=True)})


def spreads_of(values, real):
    tables = {"real": pd.DataFrame({"x": real}), "release": pd.DataFrame({"x": values})}
    return read_tables(tables, NUMBERS, real=["real"])["release"].spreads[:, 0]


def test_a_spread_is_half_a_standard_deviation_of_the_real_values_whatever_the_release_holds():
    real = np.random.default_rng(0).normal(50, 4, 500)
    found = spreads_of([real.mean(), real.mean() + real.std(), np.nan, 1e300, -1e300, np.inf], real)
    assert found == pytest.approx([0, 0.5, np.nan, 5, -5, 5], abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("unit", [1e-300, 1e-5, 1.0, 1e300])
def test_spreads_are_finite_for_numbers_of_any_size(unit):
    real = np.array([1.0, 2.0, 3.0, 4.0]) * unit
    assert spreads_of(real, real) == pytest.approx(np.array([-1.5, -0.5, 0.5, 1.5]) / np.sqrt(5), abs=1e-6)
    assert np.isfinite(spreads_of([-1.7e308, 1.7e308], [1.7e308, -1.7e308])).all()


def test_a_column_that_is_constant_but_for_rounding_has_no_spread():
    found = spreads_of([0.1, 0.2, 0.1 + 1e-17], [0.1] * 7 + [0.30000000000000004 - 0.2])
    assert found == pytest.approx([0, 5, 0], abs=0.01)
    assert spreads_of([np.nan], [np.nan]) == pytest.approx([np.nan], nan_ok=True)
    assert spreads_of([1.0], [np.nan]) == pytest.approx([0.0])


@pytest.mark.parametrize("most", [1, 3, 5])
def test_parts_are_linked_where_a_near_synthetic_record_is_shared_as_the_definition_says(most):
    """One record at a time: the numbers are drawn, so that no two distances tie."""
    rng = np.random.default_rng(9)
    names = [f"n{i}" for i in range(5)]
    schema = Schema({name: Numeric(-10, 10) for name in names})
    frames = {
        title: pd.DataFrame(rng.normal(size=(n, 5)), columns=names) for title, n in (("real", 60), ("release", 40))
    }
    read = read_tables(frames, schema)
    parts = (("n0", "n3"), ("n1", "n2", "n4"))
    found = linked(Scene(read["real"], read["release"]), *parts, most)
    assert list(found) == sorted({1, most})
    unit = pd.concat(frames.values()).std(ddof=0)
    for k, flags in found.items():
        for i, record in frames["real"].iterrows():
            near = []
            for columns in parts:
                gaps = (frames["release"] - record)[list(columns)] / unit[list(columns)]
                near.append(set((gaps**2).sum(axis=1).nsmallest(k).index))
            assert flags[i] == bool(near[0] & near[1]), (k, i)


def test_a_record_whose_copies_are_in_the_release_is_linked_whichever_copy_is_found():
    rng = np.random.default_rng(9)
    schema = Schema({name: Numeric(-10, 10) for name in "abcd"})
    real = pd.DataFrame(rng.normal(size=(30, 4)), columns=list("abcd"))
    read = read_tables({"real": real, "release": pd.concat([real, real])}, schema)
    for flags in linked(Scene(read["real"], read["release"]), ("a", "b"), ("c", "d")).values():
        assert flags.all()


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
