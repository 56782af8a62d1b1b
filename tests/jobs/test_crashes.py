"""A job that died at an awkward moment, and was changed before it ran again."""

from __future__ import annotations

import json
import shutil

import pytest

pytest.importorskip("cryptography", reason="jobs that sign need cryptography: pip install 'dpsynth[sign]'")

import dpsynth
from dpsynth.evidence.bundle.checks import SIGNATURES
from dpsynth.jobs import run as jobs
from dpsynth.jobs.run import run_job
from dpsynth.synthesizers import releasable_quality
from tests.jobs.made import JOB, job, runs

REPORT = "quality: {epsilon: 0.3, groups: [sex]}\n"


class Killed(BaseException):
    """As if the process died."""


def state(folder, **changed):
    """Writes the job's file, with some of its words changed."""
    text = JOB.replace("epsilon: 1, delta", "epsilon: 0.6, delta")
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "job.yaml").write_text(text)


def dies_in(monkeypatch, folder, step):
    """A run that ends right after the work of a step, before the step is noted."""
    work = jobs._WORK[step]

    def then_dies(run):
        work(run)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setitem(jobs._WORK, step, then_dies)
        with pytest.raises(Killed):
            run_job(job(folder))


@pytest.fixture
def spent(folder, monkeypatch):
    """A job whose fit spent and left no model."""
    state(folder)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "fit_into", lambda synthesizer, data, made: _spends(synthesizer, data))
        with pytest.raises(Killed):
            run_job(job(folder))
    assert len(runs(folder)) == 1
    return folder


def _spends(synthesizer, data):
    synthesizer.fit(data)
    raise Killed


def other_ledger(folder):
    budget = dpsynth.Budget(3.0, 1e-6)
    unit = dpsynth.Schema.load(folder / "schema.yaml").unit
    policy = dpsynth.Policy({"2026-11": budget})
    return dpsynth.Ledger.create(folder / "other.ledger", budget, dataset="stays", unit=unit, policy=policy)


def test_a_fit_that_spent_and_left_nothing_is_not_done_again_from_another_ledger(spent):
    state(spent, **{"stays.ledger": "other.ledger"})
    with pytest.raises(ValueError, match=r"began and left no model, and .*stays\.ledger has a run that may be its own"):
        run_job(job(spent))
    assert other_ledger(spent).runs() == []
    with pytest.raises(ValueError, match="began and left no model"):
        run_job(job(spent))
    assert dpsynth.Ledger.open(spent / "other.ledger").runs() == []


def test_a_fit_that_spent_and_left_nothing_is_not_done_again_from_the_same_ledger_in_another_place(spent):
    shutil.move(spent / "stays.ledger", spent / "other.ledger")
    state(spent, **{"stays.ledger": "other.ledger"})
    with pytest.raises(ValueError, match=r"began and left no model, and .*other\.ledger has a run"):
        run_job(job(spent))


def test_a_report_is_not_taken_for_one_of_other_settings(folder, monkeypatch):
    state(folder, **{"evaluate: {}\n": f"evaluate: {{}}\n{REPORT}"})
    dies_in(monkeypatch, folder, "quality")
    state(folder, **{"evaluate: {}\n": f"evaluate: {{}}\n{REPORT.replace('groups: [sex]', 'level: 0.95')}"})
    with pytest.raises(ValueError, match="has the quality of another groups, level: give another output"):
        run_job(job(folder))
    state(folder, **{"evaluate: {}\n": f"evaluate: {{}}\n{REPORT}"})
    assert run_job(job(folder)).verdict == "PASS"
    assert len(runs(folder)) == 2


def test_a_report_that_no_step_of_the_job_made_is_not_taken_for_its_own(folder, monkeypatch):
    state(folder)
    run_job(job(folder))
    for name in releasable_quality.FILES:
        (folder / "out" / "release" / name).write_text("{}")
    state(folder, **{"evaluate: {}\n": f"evaluate: {{}}\n{REPORT}"})
    with pytest.raises(ValueError, match="is there, and no step of this job made it: move the report elsewhere"):
        run_job(job(folder))
    assert len(runs(folder)) == 1


def test_a_signature_that_was_not_noted_is_taken_away_where_the_gate_no_longer_passes(folder, monkeypatch):
    state(folder)
    dies_in(monkeypatch, folder, "sign")
    signatures = folder / "out" / "release" / SIGNATURES
    assert len(list(signatures.iterdir())) == 1
    state(folder, **{"{pairs: 1.0}": "{pairs: 0.0}"})
    assert run_job(job(folder)).verdict == "FAIL"
    assert list(signatures.iterdir()) == []
    state(folder)
    assert run_job(job(folder)).steps == ["sign"]


def test_the_shares_of_groups_are_asked_of_a_job_without_a_target(folder):
    asked = {"evaluate: {}": "evaluate: {groups: [sex]}", "outside_schema: 0,": "outside_schema: 0, group_share: 1,"}
    state(folder, **asked)
    ended = run_job(job(folder))
    found = [case for case in ended.asked if case.group == "gate.group_share"]
    assert [case.verdict for case in found] == ["PASS", "PASS"]
    record = json.loads((folder / "out" / "internal" / "quality" / "quality.json").read_text())
    assert record["downstream"] is None
