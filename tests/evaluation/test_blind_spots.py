"""Regions that a release lost or made up are told in words; of two samples of one law none is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.evaluation.blind_spots import blind_spots
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.regions import Binned
from tests.evaluation.made_up import SCHEMA as MANY
from tests.evaluation.made_up import clean, numbers

SCHEMA = d.Schema(
    {
        "age": d.Numeric(0, 120, integer=True),
        "hrt": d.Numeric(0, 300, integer=True, nullable=True),
        "ward": d.Categorical(["a", "b", "c", "e"]),
        "seen": d.Datetime("2024-01-01", "2024-12-31"),
        "died": d.Boolean(),
    }
)


def table(seed, rows=3000):
    rng = np.random.default_rng(seed)
    seen = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, rows), unit="D")
    hrt = np.where(rng.random(rows) < 0.05, np.nan, rng.normal(100, 20, rows).clip(30, 250).round())
    facts = {"ward": rng.choice([*"abce"], rows), "seen": seen, "died": rng.random(rows) < 0.2}
    return pd.DataFrame({"age": rng.integers(20, 100, rows), "hrt": hrt, **facts})


def found(real, release, schema=SCHEMA):
    return blind_spots(Numbers.of(real, schema), Numbers.of(release, schema), schema)


@pytest.mark.parametrize(("real", "release"), [(3000, 3000), (400, 400), (3000, 300)])
def test_in_forty_comparisons_of_clean_tables_no_region_is_reported(real, release):
    for seed in range(7):  # 7 of each size, and of two schemas: 42 comparisons
        assert found(table(seed, real), table(seed + 100, release)) == ()
        assert blind_spots(numbers(clean(real, seed)), numbers(clean(release, seed + 100)), MANY) == ()


def test_a_corner_of_two_columns_that_a_release_lacks_is_said_in_words():
    real, release = table(1, 6000), table(2, 6000)
    gone = (release["age"] >= 80) & (release["hrt"] >= 120)
    (spot,) = found(real, release[~gone])
    assert spot.fate == "lost"
    low, high = (int(part.split()[0]) for part in spot.where.split(" from ")[1:])
    assert spot.where == f"age from {low} and hrt from {high}"
    assert 74 <= low <= 85
    assert 110 <= high <= 126
    assert spot.high < 0.5
    assert spot.sentence().startswith(f"{spot.where}: ")


def test_a_group_that_a_release_made_up_is_told_and_so_is_a_missing_value_that_it_fills():
    real, release = table(1), table(2)
    release.loc[(np.arange(3000) % 10 == 0), "ward"] = "c"
    release.loc[(release["ward"] == "c") & (release["age"] < 50), "died"] = True
    told = found(real, release)
    assert told[0].fate == "invented"
    assert "ward c" in told[0].where
    assert "died true" in told[0].where
    filled = table(2)
    filled["hrt"] = filled["hrt"].fillna(100.0)
    assert [(spot.where, spot.fate) for spot in found(real, filled)] == [("hrt missing", "lost")]


def test_shares_are_of_rows_by_which_the_region_was_not_found():
    real, release = table(1), table(2)
    gone = release["ward"].eq("e") & release["died"]
    (spot,) = found(real, release[~gone])
    assert spot.where in ("ward e and died true", "died true and ward e")
    assert spot.real == pytest.approx(0.05, abs=0.012)  # of half of the rows, by which it was not chosen
    assert spot.synthetic == 0
    assert 0 < spot.low < spot.high < 0.5


def test_the_words_of_a_region_are_its_rows():
    """Rows in a region of each kind are those that its words say, by a search in the table."""
    rows = table(3)
    binned = Binned.of([Numbers.of(rows, SCHEMA)] * 2, SCHEMA)
    edge = binned.edges["age"][3]
    age = np.zeros(binned.sizes["age"], dtype=bool)
    age[4:-1] = True
    ward = np.array([True, False, True, False, False])
    hrt = np.ones(binned.sizes["hrt"], dtype=bool)
    hrt[:2] = False
    region = {"age": age, "ward": ward, "hrt": hrt}
    start = int(binned.edges["hrt"][1])
    assert binned.words(region) == f"age from {int(edge)} and ward a or c and hrt from {start} or missing"
    inside = (rows["age"] >= edge) & rows["ward"].isin(["a", "c"]) & ~(rows["hrt"] < start)
    assert np.array_equal(binned.inside(region, 0), inside.to_numpy())


def test_few_rows_and_columns_without_values_are_no_fault():
    real = table(1, 250)
    assert found(table(1, 150), table(2)) == ()
    assert found(real.assign(hrt=np.nan, ward="a"), real.assign(hrt=np.nan, ward="a")) == ()


def test_blind_spots_are_on_the_page():
    real, release = table(1), table(2)
    quality = d.evaluate(release[release["ward"] != "e"], real, SCHEMA)
    assert quality.blind_spots[0].where == "ward e"
    assert "Blind spots" in quality.to_html()
    assert quality.record["blind_spots_said"][0] == quality.blind_spots[0].sentence()
