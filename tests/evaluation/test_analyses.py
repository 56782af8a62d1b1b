"""Analyses on both tables: estimates against statsmodels, what is kept and lost, and slips in a list."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.evaluation.analyses import compared, overlap, share_kept
from dpsynth.evaluation.asked import KEYS, analyses_of, check_analyses, read_analyses

SCHEMA = d.Schema(
    {
        "age": d.Numeric(0, 120, nullable=True),
        "sex": d.Categorical(["f", "m"]),
        "ward": d.Categorical(["a", "b", "c"]),
        "stay": d.Numeric(-100, 1000),
        "died": d.Boolean(),
        "days": d.Numeric(0, 10_000),
        "seen": d.Datetime("2024-01-01", "2024-12-31"),
    }
)
ASKED = [
    {"kind": "linear", "outcome": "stay", "predictors": ["age", "sex", "ward", "seen"]},
    {"kind": "logistic", "outcome": "died", "predictors": ["age", "ward"]},
    {"kind": "cox", "time": "days", "event": "died", "predictors": ["age", "sex"]},
    {"kind": "mean", "column": "stay", "by": "ward"},
    {"kind": "quantile", "column": "stay", "at": 0.9},
    {"kind": "table", "columns": ["sex", "ward"]},
    {"kind": "correlation", "columns": ["age", "stay"]},
    {"kind": "survival", "time": "days", "event": "died", "by": "sex"},
]


def table(seed, rows=1500):
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, rows)
    sex, ward = rng.choice(["f", "m"], rows), rng.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2])
    stay = 5 + 0.2 * age + 3 * (ward == "c") + rng.normal(0, 4, rows)
    days = rng.exponential(100 * np.exp(-0.05 * (age - 60) - 0.7 * (sex == "m")))
    left = rng.exponential(150, rows)
    age[rng.random(rows) < 0.05] = np.nan
    seen = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, rows), unit="D")
    facts = {"days": np.minimum(days, left), "died": days <= left, "seen": seen}
    return pd.DataFrame({"age": age, "sex": sex, "ward": ward, "stay": stay, **facts})


REAL = table(1)


@pytest.fixture(scope="module")
def same_law():
    return d.evaluate(table(2), REAL, SCHEMA, analyses=ASKED)


@pytest.fixture(scope="module")
def shuffled():
    """A release in which age has nothing to do with the rest."""
    release = table(2).assign(age=table(3)["age"])
    return d.evaluate(release, REAL, SCHEMA, analyses=ASKED)


def of(quality, kind):
    return next(one for one in quality.analyses if one.kind == kind)


def term(quality, kind, start):
    return next(e for e in of(quality, kind).estimates if e.term.startswith(start))


def test_regressions_are_those_of_statsmodels_with_the_most_frequent_category_as_the_baseline(same_law):
    sm = pytest.importorskip("statsmodels.api", reason="the oracle")
    known = REAL.dropna()
    days = (known["seen"] - pd.Timestamp("1970-01-01")) / pd.Timedelta("1D") - 19_800
    x = np.c_[known["age"], known["sex"] == "m", known["ward"] == "b", known["ward"] == "c", days, np.ones(len(known))]
    if REAL["sex"].value_counts().idxmax() == "m":
        x[:, 1] = 1 - x[:, 1]
    least = sm.OLS(known["stay"].to_numpy(), x).fit()
    found = of(same_law, "linear").estimates
    assert [e.real for e in found] == pytest.approx(least.params[:-1], rel=1e-6)
    assert [e.real_error for e in found] == pytest.approx(least.bse[:-1], rel=1e-6)
    assert found[3].term == "ward: c, not a"
    odds = sm.Logit(known["died"].astype(float).to_numpy(), x[:, [0, 2, 3, 5]]).fit(disp=0)
    found = of(same_law, "logistic").estimates
    assert [e.real for e in found] == pytest.approx(odds.params[:-1], rel=1e-5)
    assert [e.real_error for e in found] == pytest.approx(odds.bse[:-1], rel=1e-5)


def test_means_and_shares_have_their_usual_errors(same_law):
    stay = REAL.loc[REAL["ward"] == "b", "stay"]
    mean = term(same_law, "mean", "ward b")
    assert (mean.real, mean.real_error) == pytest.approx((stay.mean(), stay.sem()))
    cell = term(same_law, "table", "sex f, ward a")
    assert cell.real == pytest.approx(((REAL["sex"] == "f") & (REAL["ward"] == "a")).mean())
    both = REAL.dropna()
    assert term(same_law, "correlation", "age").real == pytest.approx(np.corrcoef(both["age"], both["stay"])[0, 1])


def test_the_error_of_a_quantile_is_its_spread_over_samples():
    """300 samples of 300 rows: standard deviations agree within 15 %, over three times their error of 4 %."""
    from dpsynth.evaluation.estimates import MADE, Shared
    from dpsynth.evaluation.numbers import Numbers

    (asked,) = analyses_of([{"kind": "quantile", "column": "stay", "at": 0.9}])
    shared, rng, found = Shared(SCHEMA, {}, np.empty(0)), np.random.default_rng(0), []
    for _ in range(300):
        rows = Numbers(300, {"stay": rng.normal(size=300)})
        found.append(MADE["quantile"](asked, rows, shared)["all rows"])
    values, errors = np.array(found).T
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.15)


def test_a_release_of_the_same_law_keeps_about_what_the_yardstick_keeps(same_law):
    assert share_kept(same_law.analyses) > 0.7
    assert share_kept(same_law.analyses, "yardstick") > 0.8
    age = term(same_law, "cox", "age")
    assert (age.kept, age.sign, age.significance) == (True, True, True)
    assert age.real == pytest.approx(0.05, abs=0.02)


def test_what_depends_on_a_shuffled_column_is_not_kept_and_the_rest_is(shuffled):
    for kind in ("linear", "cox", "correlation"):
        lost = term(shuffled, kind, "age")
        assert not lost.kept
        assert not lost.significance
        assert abs(lost.difference) > 3
    assert term(shuffled, "table", "sex f, ward a").kept
    assert of(shuffled, "mean").estimates[0].sign is None


def test_overlap_is_the_mean_share_of_both_intervals():
    z = 1.959963984540054
    one, other = (0.0, 1 / z), (1.0, 2 / z)  # [-1, 1] and [-1, 3]
    assert overlap(one, other, 0.95) == pytest.approx((2 / 2 + 2 / 4) / 2)
    assert overlap((0.0, 1.0), (9.0, 1.0), 0.95) == 0
    assert overlap((1.0, 0.5), (1.0, 0.5), 0.9) == 1
    assert overlap((1.0, 0.0), (1.0, 0.5), 0.9) == 1
    assert overlap((9.0, 0.0), (1.0, 0.5), 0.9) == 0


@pytest.mark.parametrize(
    ("real", "synthetic", "kept"),
    [
        ((0.5, 0.1), (0.45, 0.1), True),
        ((0.2, 0.08), (0.1, 0.08), False),  # no longer significant
        ((0.1, 0.08), (0.2, 0.08), False),  # made significant
        ((0.5, 0.1), (0.8, 0.1), False),  # intervals that hardly meet
        ((0.5, 0.1), None, False),
    ],
)
def test_an_estimate_is_kept_where_the_release_says_what_the_real_rows_say(real, synthetic, kept):
    assert compared("age", True, real, synthetic, real).kept is kept
    assert compared("age", True, real, synthetic, real).yardstick


def test_an_analysis_that_cannot_be_made_says_where_and_why():
    release = table(2)
    release["ward"], release["died"] = "a", False
    asked = [ASKED[1], ASKED[2], {"kind": "linear", "outcome": "stay", "predictors": ["ward"]}]
    logistic, cox, linear = d.evaluate(release, REAL, SCHEMA, analyses=asked).analyses
    assert logistic.problem == "It cannot be made on the release: the outcome has one value only."
    assert cox.problem == "It cannot be made on the release: no row has the event."
    assert linear.problem == "It cannot be made on the release: no predictor varies."
    assert [e.synthetic for e in linear.estimates] == [None, None]
    real = REAL.assign(died=REAL["stay"] > 17)
    asked = [{"kind": "logistic", "outcome": "died", "predictors": ["stay"]}]
    quality = d.evaluate(REAL, real, SCHEMA, analyses=asked)
    assert "real rows: its coefficients grow without end" in quality.analyses[0].problem
    assert quality.record["analyses_kept"] == {"kept": None, "yardstick": None}
    assert "Analyses preserved" in quality.to_html()


def test_analyses_are_on_the_page_in_the_file_and_in_the_summary(shuffled):
    page = shuffled.to_html()
    assert "Cox regression of died in days on age, sex" in page
    assert "The yardstick is the real rows drawn anew." in page
    assert "✕ not kept" in page
    record = json.loads(shuffled.to_json())
    assert record["analyses_kept"]["kept"] == pytest.approx(share_kept(shuffled.analyses))
    assert record["analyses_said"][0] in shuffled.summary()
    assert "Analyses preserved" not in d.evaluate(table(2, 100), table(1, 100), SCHEMA).to_html()


def test_a_file_lists_analyses(tmp_path):
    file = tmp_path / "analyses.yaml"
    file.write_text("analyses:\n- kind: mean\n  column: stay\n  by: ward\n- {kind: table, columns: [sex]}\n")
    assert [one.name for one in read_analyses(file)] == ["mean of stay by ward", "table of sex"]
    file.write_text("analysis: []\n")
    with pytest.raises(ValueError, match="the file has one key, analyses, with a list"):
        read_analyses(file)
    assert {one["kind"] for one in ASKED} == {*KEYS}


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ([], "must be a list with at least one"),
        ([{"kind": "anova"}], "analysis 1 needs a kind, one of linear, logistic, cox.*: got 'anova', correct it"),
        ([{"kind": "mean"}], "analysis 1, mean, needs column: add it"),
        ([{"kind": "mean", "column": "stay", "bye": "ward"}], "has no key 'bye': .*it may have column, by"),
        ([{"kind": "quantile", "column": "stay", "at": 90}], "at must lie between 0 and 1, got 90: correct it"),
        ([{"kind": "table", "columns": "sex"}], "columns must be a list of columns, got 'sex': correct it"),
        ([{"kind": "mean", "column": "who"}], "'who' is no column that is compared: name one of"),
        ([{"kind": "mean", "column": "ward"}], "'ward' must be a column of numbers or of true and false: name another"),
        ([{"kind": "logistic", "outcome": "ward", "predictors": ["age"]}], "'ward' must be a column of two values"),
        (
            [{"kind": "cox", "time": "stay", "event": "died", "predictors": ["age"]}],
            "'stay' must be a column of numbers of",
        ),
        ([{"kind": "linear", "outcome": "stay", "predictors": ["stay"]}], "a column is named twice: name it once"),
        ([{"kind": "correlation", "columns": ["age"]}], "a correlation is of two columns: name two"),
    ],
)
def test_a_slip_in_a_list_is_told_in_a_sentence(stated, said):
    with pytest.raises(ValueError, match=said):
        check_analyses(analyses_of(stated), SCHEMA)
