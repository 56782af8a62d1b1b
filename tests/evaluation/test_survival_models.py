"""Models of a time until an event: planted hazards are told, and so is a release that lost them."""

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
        "days": d.Numeric(0, 1e6),
        "died": d.Categorical(["no", "yes"]),
        "age": d.Numeric(-10, 10, nullable=True),
        "stage": d.Categorical(["i", "ii", "iii"]),
        "noise": d.Numeric(-10, 10),
        "sex": d.Categorical(["f", "m"]),
    }
)


@pytest.fixture(scope="module", autouse=True)
def small_learners():
    """A few trees and rounds are enough for hazards as strong as these, and take a fifth of the time."""
    from dpsynth.evaluation import learners

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learners, "_TREES", 10)
        patch.setattr(learners, "_ROUNDS", 20)
        yield


def table(seed, rows=400):
    """The hazard rises with age and with the stage; a third of the rows are censored."""
    rng = np.random.default_rng(seed)
    age, stage = rng.normal(size=rows), rng.integers(0, 3, rows)
    time = 100 * rng.exponential(np.exp(-0.8 * age - 0.6 * stage))
    left = 100 * rng.exponential(1.0, rows)
    return pd.DataFrame(
        {
            "days": np.minimum(time, left),
            "died": np.where(time <= left, "yes", "no"),
            "age": np.where(rng.random(rows) < 0.05, np.nan, age),
            "stage": np.array(["i", "ii", "iii"])[stage],
            "noise": rng.normal(size=rows),
            "sex": rng.choice(["f", "m"], rows),
        }
    )


def found(release, holdout=None, groups=()):
    tables = [table(1), release, table(2) if holdout is None else holdout]
    check_target(SCHEMA, "days", groups, "died")
    return downstream([Numbers.of(one, SCHEMA) for one in tables], SCHEMA, "days", groups, "died")


@pytest.fixture(scope="module")
def kept():
    return found(table(3), groups=("sex",))


def test_planted_hazards_are_found_and_a_release_of_the_same_law_keeps_them(kept):
    """The law's own concordance is about .75."""
    assert (kept.measure, kept.event, kept.chance) == ("concordance", "died = yes", 0.5)
    for learner in kept.learners:
        assert 0.66 < learner.real < 0.8
        assert learner.low <= 0.01
        assert learner.high >= -0.01
        assert abs(learner.uno_real - learner.real) < 0.1
    assert kept.learners[0].name == "linear"  # which the hazards were planted for
    assert {name for name, _, _ in kept.features[:2]} == {"age", "stage"}
    assert "died" not in {name for name, _, _ in kept.features}


def test_groups_have_the_share_of_the_event_and_their_own_concordance(kept):
    died = (table(1).query("sex == 'f'")["died"] == "yes").mean()
    assert kept.groups[0].outcome_real == pytest.approx(died)
    assert kept.groups[0].real > 0.65
    assert kept.gaps == ()


def test_a_release_that_lost_the_hazards_is_told_so_and_loses_the_order_of_columns():
    release = table(3)
    for seed, name in enumerate(["age", "stage"]):
        release[name] = release[name].sample(frac=1, random_state=seed).to_numpy()
    lost = found(release)
    for learner in lost.learners:
        assert learner.synthetic < 0.62
        assert learner.high < -0.05
    assert lost.features[0][2] < lost.features[0][1] / 2


def test_a_release_without_an_event_is_worth_a_guess_and_a_holdout_without_one_is_refused():
    without = table(3).assign(died="no")
    assert {learner.synthetic for learner in found(without).learners} == {0.5}
    with pytest.raises(ValueError, match="no row of the holdout has the event 'died': give a larger holdout"):
        found(table(3), without)


@pytest.mark.parametrize(
    ("target", "event", "said"),
    [
        ("age", "died", "'age' must be a column of numbers of 0 or more: name another column"),
        ("days", "stage", "'stage' must be a column of two values, of which the second is the event: name another"),
        ("days", "gone", "'gone' is no column that is compared: name one of"),
    ],
)
def test_a_time_is_a_number_and_an_event_one_of_two_values(target, event, said):
    with pytest.raises(ValueError, match=said):
        check_target(SCHEMA, target, (), event)


def test_evaluate_says_it_on_its_page():
    release, real, holdout = (table(seed, 60) for seed in (3, 1, 2))
    page = d.evaluate(release, real, SCHEMA, holdout=holdout, target="days", event="died").to_html()
    assert "Concordance is Harrell" in page
    assert "until <strong>died = yes</strong>" in page
    with pytest.raises(ValueError, match="an event, 'died', needs a target, the time until it: name one"):
        d.evaluate(release, real, SCHEMA, holdout=holdout, event="died")
