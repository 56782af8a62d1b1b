"""Models trained on a release: planted losses and planted unfairness are told right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.evaluation.downstream import check_target, downstream
from dpsynth.evaluation.numbers import Numbers

pytest.importorskip("sklearn", reason='learners need the extra: pip install "dpsynth[audit]"')

SCHEMA = d.Schema(
    {
        "group": d.Categorical(["a", "b", "rare"]),
        "x": d.Numeric(-10, 10),
        "z": d.Numeric(-10, 10, nullable=True),
        "noise": d.Numeric(-10, 10),
        "kind": d.Categorical(["p", "q", "r"]),
        "paid": d.Boolean(),
    }
)
APART = 0.3
"""By how much the planted shares of `paid` differ between groups a and b."""


def table(rows, seed, fair=False):
    """`paid` follows from x, z and group; z tells kind; 2 % of the rows are of the rare group."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b", "rare"], rows, p=[0.5, 0.48, 0.02])
    x, z = rng.normal(size=rows), rng.normal(size=rows)
    share = 0.35 + (0 if fair else APART) * (group == "a")
    rank = pd.Series(x + z + 0.3 * rng.normal(size=rows)).groupby(group).rank(pct=True).to_numpy()
    kind = np.array(["p", "q", "r"])[np.digitize(z, [-0.5, 0.5])]
    z[rng.random(rows) < 0.05] = np.nan
    return pd.DataFrame(
        {"group": group, "x": x, "z": z, "noise": rng.normal(size=rows), "kind": kind, "paid": rank > 1 - share}
    )


def found(release, target="paid", groups=("group",), schema=SCHEMA, real=None):
    tables = [table(1500, 1) if real is None else real, release, table(1500, 2)]
    check_target(schema, target, groups)
    return downstream([Numbers.of(one, schema) for one in tables], schema, target, groups)


@pytest.fixture(scope="module")
def kept():
    return found(table(1500, 3))


def shuffled(columns):
    release = table(1500, 3)
    for seed, name in enumerate(columns):
        release[name] = release[name].sample(frac=1, random_state=seed).to_numpy()
    return release


def test_rows_of_the_same_people_lose_nothing(kept):
    for learner in kept.learners:
        assert learner.real > 0.9
        assert learner.low <= 0.01
        assert learner.high >= -0.01
    assert kept.choice_costs <= 0.01
    assert kept.features_agree > 0.6
    assert {name for name, _, _ in kept.features[:2]} == {"x", "z"}
    assert (kept.measure, kept.second) == ("AUC", "true")


def test_a_release_that_lost_what_the_target_depends_on_is_told_so():
    lost = found(shuffled(["x", "z", "kind"]))
    for learner in lost.learners:
        assert learner.high < -0.05
        assert learner.synthetic < 0.75 < learner.real - 0.15
    assert "keeps" in lost.sentences()[0]


def test_classes_and_numbers_are_measured_by_their_own_measures():
    by_class = found(table(1500, 3), "kind", groups=())
    assert (by_class.measure, by_class.chance) == ("balanced accuracy", pytest.approx(1 / 3))
    assert by_class.learners[0].real > 0.8
    assert by_class.gaps == ()
    number = found(table(1500, 3), "x")
    assert (number.measure, number.chance) == ("R squared", 0)
    assert 0.2 < number.learners[0].real < 1
    assert number.groups[0].outcome_real == pytest.approx(0, abs=0.1)


def gap_of(result, what):
    return next(gap for gap in result.gaps if gap.what == what)


def test_planted_unfairness_lies_within_its_interval_in_both_tables(kept):
    gap = gap_of(kept, "outcome")
    for value, low, high in (gap.real, gap.synthetic):
        assert low <= APART <= high
        assert abs(value - APART) < 0.06


def test_a_release_made_fair_is_seen_to_be_so_and_its_models_select_more_alike(kept):
    fair = found(table(1500, 3, fair=True))
    gap = gap_of(fair, "outcome")
    assert gap.real[1] > 0.2
    assert gap.synthetic[1] <= 0.02
    assert gap_of(fair, "selected").synthetic[0] < gap_of(kept, "selected").synthetic[0] - 0.05


def test_intervals_of_gaps_hold_the_planted_gap_in_nine_of_ten_tables():
    """200 tables of 1,000 rows; with three groups the interval is Bonferroni's and errs to the safe side."""
    from dpsynth.evaluation.subgroups import _counts, _gap

    held = 0
    for seed in range(200):
        rng = np.random.default_rng((17, seed))
        groups = rng.integers(0, 2, 1000).astype(float)
        paid = (rng.random(1000) < np.where(groups == 0, 0.35, 0.65)).astype(float)
        _, low, high = _gap(_counts(groups, np.array([0.0, 1.0]), paid))
        held += low <= APART <= high
    assert 0.84 <= held / 200 <= 0.96


def test_a_group_of_few_rows_is_counted_and_not_measured(kept):
    few = next(group for group in kept.groups if group.value == "rare")
    assert 0 < few.rows_holdout < 100
    assert few.real is None
    assert few.share_real == pytest.approx(0.02, abs=0.01)


def test_a_group_that_the_release_lacks_is_said_to_be_none_of_its_rows():
    release = table(1500, 3)
    lacking = found(release[release["group"] != "b"].reset_index(drop=True))
    group = next(one for one in lacking.groups if one.value == "b")
    assert (group.share_synthetic, group.outcome_synthetic) == (0, None)
    assert group.high < 0.05


def test_where_nothing_can_be_predicted_no_share_is_said_to_be_kept():
    nothing = found(table(1500, 3), "noise", groups=())
    (said,) = nothing.sentences()
    assert said.startswith("No model of 'noise' does clearly better than a guess on real rows (R squared -0.")
    assert "keeps" not in said


def test_a_few_rows_that_a_model_tells_by_chance_say_nothing_of_a_release():
    """The best of three learners on 30 rows of noise: its AUC is above .52 in most such holdouts."""
    held = table(30, 7)
    held["paid"] = np.arange(30) % 2 == 0
    tables = [Numbers.of(one, SCHEMA) for one in (table(300, 1), table(300, 3), held)]
    nothing = downstream(tables, SCHEMA, "paid")
    assert nothing.learners[0].real > 0.52
    assert nothing.sentences()[0].startswith("No model of 'paid' does clearly better than a guess")


def test_numbers_whose_squares_overflow_are_predicted_all_the_same():
    schema = d.Schema({"x": d.Numeric(-9, 9), "huge": d.Numeric(0, 1e300)})
    tables = []
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=200)
        tables.append(Numbers.of(pd.DataFrame({"x": x, "huge": (x > 0) * 1e299}), schema))
    assert downstream(tables, schema, "huge").learners[0].real > 0.95


def test_a_release_of_one_class_is_worth_a_guess():
    release = table(1500, 3)
    release["paid"] = True
    assert all(learner.synthetic == 0.5 for learner in found(release).learners)


@pytest.mark.parametrize(
    ("target", "groups", "said"),
    [
        ("nothing", (), "'nothing' is no column that is compared: name one of"),
        ("paid", ("x",), "groups are by a column of 20 categories at most, got 'x'"),
        ("paid", ("who",), "'who' is no column"),
        ("paid", ("paid",), "'paid' is the target, and no group beside"),
    ],
)
def test_what_cannot_be_a_target_or_a_group_is_refused_in_a_sentence(target, groups, said):
    with pytest.raises(ValueError, match=said):
        check_target(SCHEMA, target, groups)


def test_a_target_that_nobody_has_or_that_never_varies_is_refused():
    schema = d.Schema({"a": d.Numeric(0, 1, nullable=True), "b": d.Boolean(nullable=True)})
    rows = Numbers.of(pd.DataFrame({"a": [0.0, 1.0], "b": [True, False]}), schema)
    none = Numbers.of(pd.DataFrame({"a": [0.0, 1.0], "b": [None, None]}), schema)
    same = Numbers.of(pd.DataFrame({"a": [0.0, 1.0], "b": [True, True]}), schema)
    with pytest.raises(ValueError, match="'b' is missing in every row of the release: name another target"):
        downstream([rows, none, rows], schema, "b")
    with pytest.raises(ValueError, match="'b' has one value only in the holdout"):
        downstream([rows, rows, same], schema, "b")


def test_a_column_without_a_value_and_infinite_numbers_are_no_fault():
    release, real = table(400, 3), table(400, 4)
    release["z"] = np.nan
    release.loc[0, "x"] = np.inf
    assert len(found(release, real=real, groups=()).learners) == 3


def test_evaluate_says_what_models_are_worth_on_its_page_and_in_its_summary(tmp_path):
    release, real, holdout = table(600, 3), table(600, 4), table(600, 5)
    quality = d.evaluate(release, real, SCHEMA, holdout=holdout, target="paid", groups=["group"])
    said = quality.downstream.sentences()
    assert all(line in quality.summary() for line in said)
    quality.save(tmp_path)
    page = (tmp_path / "quality.html").read_text()
    assert "Models trained on the release" in page
    assert "paid = true" in page
    assert quality.record["downstream"]["learners"][0]["name"] in ("linear", "forest", "boosting")
    without = d.evaluate(release, real, SCHEMA)
    assert without.downstream is None
    assert "Models trained on the release" not in without.to_html()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"target": "paid"}, "a target, 'paid', needs a holdout, on which models are tried: give real rows"),
        ({"groups": ["x"]}, "groups are by a column of 20 categories at most, got 'x'"),
    ],
)
def test_a_target_needs_a_holdout_and_a_group_few_categories(given, said):
    with pytest.raises(ValueError, match=said):
        d.evaluate(table(50, 1), table(50, 2), SCHEMA, **given)
