"""A job whose gate limits what models lose that are trained on the release."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("cryptography", reason="jobs that sign need cryptography: pip install 'dpsynth[sign]'")
pytest.importorskip("sklearn", reason='learners need the extra: pip install "dpsynth[audit]"')

from dpsynth.jobs.gate import cases
from dpsynth.jobs.run import run_job
from tests.jobs.made import JOB, filled, job

LIMITS = {"model_loss": 0.05, "group_loss": 0.1}


def verdicts(release, learners, groups, limits=LIMITS):
    quality = {"ways": [], "columns": [], "downstream": {"measure": "AUC", "learners": learners, "groups": groups}}
    found = cases(limits, release, quality, None)
    return [(case.group, case.verdict) for case in found if case.group in ("gate.model_loss", "gate.group_loss")]


def group(real, synthetic):
    return {"column": "sex", "value": "f", "real": real, "synthetic": synthetic}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A job with a target, run to its end, in a folder of its own."""
    folder = filled(tmp_path_factory.mktemp("job"))
    asked = "evaluate: {holdout: holdout.csv, target: age, groups: [sex], analyses: analyses.yaml}"
    (folder / "analyses.yaml").write_text("analyses: [{kind: mean, column: age, by: sex}]\n")
    limits = "outside_schema: 0, model_loss: 9, analyses: 0,"
    text = JOB.replace("evaluate: {}", asked).replace("outside_schema: 0,", limits)
    (folder / "job.yaml").write_text(text)
    return folder, run_job(job(folder))


def test_a_job_trains_models_and_its_gate_asks_what_they_lose(done):
    folder, ended = done
    asked = {case.group: case for case in ended.asked}
    assert asked["gate.model_loss"].verdict == "PASS"
    assert "R squared" in asked["gate.model_loss"].text
    assert asked["gate.analyses"].verdict == "PASS"
    quality = json.loads((folder / "out" / "internal" / "quality" / "quality.json").read_text())
    assert quality["analyses"][0]["name"] == "mean of age by sex"
    assert [one["value"] for one in quality["downstream"]["groups"]] == ["f", "m"]


def test_a_larger_loss_of_the_best_learner_or_of_a_group_holds_a_release_back(done):
    release = done[0] / "out" / "release"
    best, other = {"name": "forest", "real": 0.9}, {"name": "linear", "real": 0.8, "synthetic": 0.1}
    good, bad = {**best, "synthetic": 0.86}, {**best, "synthetic": 0.84}
    model, of_group = "gate.model_loss", "gate.group_loss"
    assert verdicts(release, [good, other], [group(0.9, 0.85)]) == [(model, "PASS"), (of_group, "PASS")]
    assert verdicts(release, [bad, other], [group(0.9, 0.79)]) == [(model, "FAIL"), (of_group, "FAIL")]
    assert verdicts(release, [bad], [], {}) == []


def test_a_group_of_too_few_rows_concludes_nothing(done):
    release = done[0] / "out" / "release"
    assert verdicts(release, [], [group(None, None)], {"group_loss": 0.1}) == [("gate.group_loss", "INCONCLUSIVE")]


@pytest.mark.parametrize(("kept", "verdict"), [(0.8, "PASS"), (0.79, "FAIL"), (None, "INCONCLUSIVE")])
def test_a_release_that_keeps_too_few_estimates_is_held_back(done, kept, verdict):
    quality = {"ways": [], "columns": [], "downstream": None, "analyses_kept": {"kept": kept}}
    asked = cases({"analyses": 0.8}, done[0] / "out" / "release", quality, None)
    assert [case.verdict for case in asked if case.group == "gate.analyses"] == [verdict]
