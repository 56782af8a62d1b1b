"""What a later step would stumble over ends a job before its fit, and nothing is spent."""

from __future__ import annotations

import json

import pandas as pd
import pytest

pytest.importorskip("cryptography", reason="jobs that sign need cryptography: pip install 'dpsynth[sign]'")

import dpsynth
from dpsynth.evidence.verify import read
from dpsynth.jobs import before, gate
from dpsynth.jobs import run as jobs
from dpsynth.jobs.run import run_job
from tests.jobs.made import JOB, job, runs

SLIPS = [
    ("seed: 1}", "level: quik}", "audit.level must be one of quick, standard, deep, got 'quik'"),
    ("seed: 1}", "policy: none.yaml}", "none.yaml does not exist"),
    ("seed: 1}", "sensitive: [nobody]}", "audit.sensitive names 'nobody'"),
    ("holdout: holdout.csv", "holdout: none.csv", "audit.holdout: .*none.csv does not exist"),
    ("holdout: holdout.csv", "holdout: odd.csv", "audit.holdout: none of the table's columns is declared"),
    ("evaluate: {}", "evaluate: {holdout: none.csv}", "evaluate.holdout: .*none.csv does not exist"),
    ("evaluate: {}", "evaluate: {target: sex}", "evaluate.target needs rows to try models on"),
    ("evaluate: {}", "evaluate: {groups: [age]}", "groups are by a column of 20"),
    ("evaluate: {}", "evaluate: {event: sex}", "evaluate.event needs the time until it: add evaluate.target"),
    ("evaluate: {}", "evaluate: {analyses: none.yaml}", "none.yaml does not exist"),
    ("evaluate: {}", "evaluate: {analyses: odd.yaml}", "odd.yaml: analysis 1 needs a kind"),
    ("evaluate: {}", "evaluate: {analyses: other.yaml}", "'ward' is no column that is compared"),
    ("evaluate: {}", "evaluate: {holdout: holdout.csv, target: nobody}", "'nobody' is no column that is compared"),
    ("evaluate: {}", "evaluate: {holdout: holdout.csv, target: sex, groups: [age]}", "groups are by a column of 20"),
    ("holdout: holdout.csv", "holdout: out/release/holdout.csv", "the output and the holdout of audit"),
    ("days: 365", "days: 0", "1 to 36,500 days, got 0"),
    ("days: 365", "role: The Boss", "a role is a word"),
    ("days: 365", "supersedes: [abc]", "got 'abc'"),
    ("signer: data office", "signer: ' '", "an empty name"),
    ("{pairs: 1.0}", "{triples: 1.0}", "gate.distance limits triples, and the schema has too few columns"),
]


@pytest.mark.parametrize(("old", "new", "why"), SLIPS)
def test_a_slip_of_a_later_step_ends_a_job_before_it_spends(old, new, why, folder):
    assert old in JOB
    pd.DataFrame({"x": [1]}).to_csv(folder / "odd.csv", index=False)
    (folder / "odd.yaml").write_text("analyses: [{kind: none}]\n")
    (folder / "other.yaml").write_text("analyses: [{kind: mean, column: ward}]\n")
    (folder / "job.yaml").write_text(JOB.replace(old, new))
    with pytest.raises((ValueError, OSError), match=why) as error:
        run_job(job(folder))
    assert "\n" not in str(error.value)
    assert runs(folder) == []
    assert not (folder / "out").exists()


def test_a_job_that_does_not_look_ahead_would_have_spent(folder, monkeypatch):
    monkeypatch.setattr(jobs, "check_before", lambda job: None)
    (folder / "job.yaml").write_text(JOB.replace("seed: 1}", "level: quik}"))
    with pytest.raises(ValueError, match="level must be one of"):
        run_job(job(folder))
    assert len(runs(folder)) == 1


def test_rows_that_cannot_be_written_so_end_a_job_before_it_spends(folder, monkeypatch):
    def refuse(ending, schema):
        raise dpsynth.SchemaError(f"rows cannot be written to {ending}")

    monkeypatch.setattr(before, "refuse_unwritable", refuse)
    with pytest.raises(dpsynth.SchemaError, match=r"\.csv"):
        run_job(job(folder))
    assert runs(folder) == []


def test_looking_ahead_reads_no_row_of_the_holdout(folder, monkeypatch):
    """A job whose holdout has a header only is refused by its steps, not before."""
    (folder / "holdout.csv").write_text("age,sex\n")
    before.check_before(job(folder))


def test_a_release_that_claims_nothing_is_held_back(folder):
    """Of a seeded fit, which no job makes."""
    run_job(job(folder))
    release = folder / "out" / "release"
    asked = gate.cases({}, release, None, None)
    assert gate.worst(asked) == "PASS"
    record = read(release)
    record["claim"] |= {"private": False, "sentence": "NOT PRIVATE", "epsilon": None, "delta": None}
    (release / "certificate.json").write_text(json.dumps(record))
    found = [case for case in gate.cases({}, release, None, None) if case.group == "gate.claim"]
    assert [(case.verdict, case.text) for case in found] == [("FAIL", "NOT PRIVATE")]
