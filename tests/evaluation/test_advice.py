"""Two sentences on top of the page: what a release is good for and what to avoid, from the findings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dpsynth.evaluation.advice import advice
from dpsynth.evaluation.analyses import AnalysisQuality, compared
from dpsynth.evaluation.blind_spots import BlindSpot
from dpsynth.evaluation.downstream import Downstream
from dpsynth.evaluation.fidelity import evaluate
from dpsynth.evaluation.group_distances import GroupDistance
from dpsynth.evaluation.pattern import Pattern
from dpsynth.evaluation.trials import LearnerQuality
from tests.evaluation.made_up import PLANTED, SCHEMA, clean

GOOD = {"ways": {1: "good", 2: "good", 3: "fair"}}
SPOT = BlindSpot("age from 80 and visits from 9", "lost", 0.02, 0.003, 0.1, 0.3)
LOST = Pattern("upper tail", ("cost",), "lost", 0.01, 0.0, 9.0, "...")
WEAK = GroupDistance("ward", "b", 90, 80, 0.3, 0.1, 0.4, 0.1, "weak")
MODELS = Downstream(
    *("died", "AUC", "true", 0.5, 900, 900, 900),
    (LearnerQuality("linear", 0.8, 0.79, -0.02, 0.0),),
    *(0.0, (), 1.0, 1.0, 0.25),
)


def told(verdict=GOOD, columns=(), patterns=(), spots=(), groups=(), models=None, analyses=()):
    return advice(verdict, columns, patterns, spots, groups, models, analyses)


def test_of_a_good_release_nothing_is_avoided():
    good, avoid = told()
    assert good == "Rely on it for: single columns; pairs of columns."
    assert avoid.startswith("Nothing that was looked for speaks against a use")


def test_of_a_weak_release_nothing_is_relied_on():
    good, avoid = told({"ways": {1: "weak", 2: "weak"}}, [{"name": "age", "distance": 0.4, "floor": 0.01}])
    assert good.startswith("Nothing that was compared is close enough")
    assert avoid == "Avoid: single columns; pairs of columns; columns: age."


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ({"patterns": [LOST]}, "what was lost: upper tail of cost"),
        ({"patterns": [replace(LOST, fate="invented")]}, "what was invented: upper tail of cost"),
        ({"spots": [SPOT]}, "regions: age from 80 and visits from 9"),
        ({"groups": [WEAK]}, "groups: ward = b"),
    ],
)
def test_each_finding_is_in_what_to_avoid(finding, said):
    assert told(**finding)[1] == f"Avoid: {said}."
    assert "lost" not in told(patterns=[replace(LOST, fate="kept")])[1]


@pytest.mark.parametrize(("synthetic", "where"), [(0.79, 0), (0.72, None), (0.6, 1)])
def test_models_are_relied_on_or_avoided_by_what_they_keep(synthetic, where):
    learner = replace(MODELS.learners[0], synthetic=synthetic)
    found = told(models=replace(MODELS, learners=(learner,)))
    assert [("models of died" in said) for said in found] == [where == 0, where == 1]


def test_analyses_are_relied_on_or_avoided_by_what_is_kept_that_the_yardstick_keeps():
    kept = compared("age", True, (0.5, 0.1), (0.5, 0.1), (0.5, 0.1))
    lost = compared("age", True, (0.5, 0.1), (0.0, 0.1), (0.5, 0.1))
    chance = compared("age", True, (0.2, 0.1), (0.0, 0.1), (0.0, 0.1))
    one = AnalysisQuality("mean of age", "mean", 90, 90, None, (kept,))
    found = told(
        analyses=[one, replace(one, name="mean of stay", estimates=(lost,)), replace(one, estimates=(chance,))]
    )
    assert found == (
        "Rely on it for: single columns; pairs of columns; analyses: mean of age.",
        "Avoid: analyses: mean of stay.",
    )


def test_the_page_and_the_summary_begin_with_both_sentences():
    which = ("heaping", ("age",))
    real = PLANTED[which](clean(2000, 0), np.random.default_rng(0))
    quality = evaluate(clean(2000, 1000), real, SCHEMA)
    good, avoid = quality.advice
    assert "what was lost: heaping of age" in avoid
    assert all(said in quality.to_html() and said in quality.summary() for said in (good, avoid))
    assert quality.record["advice"] == quality.advice
