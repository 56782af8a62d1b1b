"""A model that tells a release from real rows cannot where there is nothing to tell, and names what gives it away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.evaluation.discriminator import discriminator
from dpsynth.evaluation.numbers import Numbers

pytest.importorskip("sklearn", reason='learners need the extra: pip install "dpsynth[audit]"')

SCHEMA = d.Schema(
    {"x": d.Numeric(-9, 9), "y": d.Numeric(-9, 9, nullable=True), "kind": d.Categorical(["p", "q"]), "on": d.Boolean()}
)


def table(seed, rows=1500):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    y = np.where(rng.random(rows) < 0.1, np.nan, x + rng.normal(size=rows))
    return pd.DataFrame({"x": x, "y": y, "kind": rng.choice(["p", "q"], rows), "on": x > 0})


def found(release, **more):
    return discriminator([Numbers.of(one, SCHEMA) for one in (table(1), release, table(2))], SCHEMA, **more)


def test_rows_of_the_same_people_are_not_told_apart():
    """Of four releases the area stays within .04 of a half: its standard error is about .011."""
    for seed in range(10, 14):
        told = found(table(seed))
        assert abs(told.auc - 0.5) < 0.04
        assert told.columns == ()
        assert abs(told.floor - 0.5) < 0.04


def test_a_column_by_itself_that_is_odd_gives_a_release_away():
    release = table(3)
    release["x"] = release["x"].round(1)
    told = found(release)
    assert told.auc > 0.9
    assert told.columns[0][0] == "x"
    assert "What gives it away: x" in told.sentence()


def test_lost_dependence_is_told_by_the_columns_that_it_was_between():
    release = table(3)
    release["on"] = release["on"].sample(frac=1, random_state=0).to_numpy()
    told = found(release)
    assert 0.65 < told.auc < 0.9
    assert {name for name, _ in told.columns} == {"x", "on"}


def test_missing_values_alone_can_give_a_release_away():
    release = table(3)
    release["y"] = release["y"].fillna(0.0)
    told = found(release)
    assert told.auc > 0.52
    assert told.columns[0][0] == "y"


def test_tables_of_no_rows_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="needs 4 rows of each, got 1: give more, or do without"):
        found(table(3, rows=1))


def test_evaluate_says_it_on_its_page_and_needs_a_holdout():
    release, real, holdout = table(3, 300), table(4, 300), table(5, 300)
    release["x"] = release["x"].round(1)
    quality = d.evaluate(release, real, SCHEMA, holdout=holdout, told_apart=True)
    said = quality.discriminator.sentence()
    assert said in quality.summary()
    assert "Told apart by a model" in quality.to_html()
    assert "Told apart by a model" not in d.evaluate(release, real, SCHEMA).to_html()
    with pytest.raises(ValueError, match="needs a holdout"):
        d.evaluate(release, real, SCHEMA, told_apart=True)
