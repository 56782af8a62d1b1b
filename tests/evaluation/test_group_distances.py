"""Distances within groups: small where a release is right, large in the one group in which it is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth as d

SCHEMA = d.Schema(
    {
        "ward": d.Categorical(["a", "b", "rare", "gone"]),
        "x": d.Categorical(["p", "q", "r"]),
        "y": d.Categorical(["p", "q", "r"]),
    }
)


def table(seed, rows=2000):
    rng = np.random.default_rng(seed)
    x = rng.choice(["p", "q", "r"], rows)
    y = np.where(rng.random(rows) < 0.6, x, rng.choice(["p", "q", "r"], rows))
    return pd.DataFrame(
        {"ward": rng.choice(["a", "b", "rare", "gone"], rows, p=[0.6, 0.35, 0.003, 0.047]), "x": x, "y": y}
    )


@pytest.fixture(scope="module")
def quality():
    """In ward b the release has lost what x says of y, and it has no row of ward gone."""
    release = table(2)
    in_b = release["ward"] == "b"
    release.loc[in_b, "y"] = release.loc[in_b, "y"].sample(frac=1, random_state=0).to_numpy()
    return d.evaluate(release[release["ward"] != "gone"], table(1), SCHEMA, groups=["ward"])


def group(quality, value):
    return next(one for one in quality.groups if one.value == value)


def test_where_the_release_is_right_the_distance_is_about_that_of_sampling(quality):
    right = group(quality, "a")
    assert right.grade == "good"
    assert right.pairs < 2.5 * right.pairs_floor
    assert right.columns < 0.05


def test_the_one_group_in_which_it_is_wrong_is_told(quality):
    wrong = group(quality, "b")
    assert wrong.grade == "weak"
    assert wrong.pairs > 0.2
    assert wrong.pairs_floor < 0.08
    assert wrong.columns < 0.06  # of single columns nothing is wrong


def test_what_sampling_gives_is_the_mean_distance_of_as_many_rows_drawn_from_the_group(quality):
    """Of n rows in cells of share p: half the sum of sqrt(2 p (1 - p) / (pi n)), within a third."""
    right = group(quality, "a")
    rows = table(1).query("ward == 'a'")
    share = (rows["x"] + rows["y"]).value_counts(normalize=True)
    expected = 0.5 * np.sqrt(2 * share * (1 - share) / (np.pi * right.rows_synthetic)).sum()
    assert right.pairs_floor == pytest.approx(expected, rel=0.34)


def test_a_group_that_the_release_lacks_is_weak_and_one_of_few_rows_is_not_judged(quality):
    lacking, few = group(quality, "gone"), group(quality, "rare")
    assert (lacking.rows_synthetic, lacking.columns, lacking.grade) == (0, None, "weak")
    assert few.rows_real < 10
    assert few.grade is None
    page = quality.to_html()
    assert "Distances within groups" in page
    assert "too few rows" in page


def test_a_table_of_one_column_beside_the_group_has_no_pairs_in_it():
    schema = d.Schema({"ward": SCHEMA.columns["ward"], "x": SCHEMA.columns["x"]})
    real, release = table(1)[["ward", "x"]], table(2)[["ward", "x"]]
    found = d.evaluate(release, real, schema, groups=["ward"]).groups
    assert found[0].pairs is None
    assert found[0].columns is not None
    with pytest.raises(ValueError, match="'nobody' is no column that is compared"):
        d.evaluate(table(2), table(1), schema, groups=["nobody"])
