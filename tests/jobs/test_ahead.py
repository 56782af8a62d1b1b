"""A dry run refuses what the run would refuse, in the same words, and changes nothing."""

from __future__ import annotations

import shutil
import sys

import pytest

pytest.importorskip("cryptography", reason="jobs that sign need cryptography: pip install 'dpsynth[sign]'")

import dpsynth
from dpsynth.cli import main
from dpsynth.jobs.record import Record
from dpsynth.jobs.run import plan_of, run_job
from tests.jobs.made import JOB, filled, job


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A folder in which a job was run to its end; tests work on copies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DPSYNTH_KEY_PASSPHRASE", raising=False)
        folder = filled(tmp_path_factory.mktemp("ended"))
        patch.chdir(folder)
        run_job(job(folder))
    return folder


@pytest.fixture
def copy(ended, tmp_path, monkeypatch):
    shutil.copytree(ended, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def another(old, new):
    return lambda folder: (folder / "job.yaml").write_text(JOB.replace(old, new))


def begun(folder):
    """As a process leaves it that died while it fitted."""
    record = Record.open(folder / "out", 0)
    record.begun = {"runs": [], "inputs": {"ledger": "stays.ledger"}, "time": ""}
    record.steps.clear()
    record.save()
    shutil.rmtree(folder / "out" / "release")


REFUSED = {
    "another epsilon": (another("epsilon: 1, delta", "epsilon: 0.5, delta"), "has the fit of another epsilon"),
    "another number of rows": (another("rows: 300", "rows: 200"), "has the sample of another rows"),
    "other data": (lambda f: (f / "train.csv").write_text("age,sex\n1,f\n"), "has the fit of another data"),
    "rows that were changed": (lambda f: (f / "out/release/synthetic.csv").write_text("x"), "was changed or removed"),
    "a record that is gone": (lambda f: (f / "out/internal/job.json").unlink(), "does not say which job made it"),
    "a fit that died": (begun, "began and left no model"),
    "a cap that is spent": (another("output: out", "output: again"), "less than the 1 asked for"),
    "a purpose that is not allowed": (another("output: out", "output: again"), "purpose"),
    "a key that is gone": (lambda f: (f / "office.key").unlink(), "office.key"),
}


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("why", REFUSED)
def test_what_the_run_would_refuse_is_refused_in_the_same_words_and_nothing_is_changed(why, copy):
    spoil, said = REFUSED[why]
    spoil(copy)
    month = "2027-01" if "purpose" in why else "2026-11"
    before = files(copy)
    with pytest.raises((ValueError, OSError, RuntimeError), match=said) as dry:
        plan_of(job(copy, month))
    assert files(copy) == before
    with pytest.raises(type(dry.value)) as real:
        run_job(job(copy, month))
    assert str(real.value) == str(dry.value)


def test_a_step_that_would_be_done_again_is_to_do(copy):
    assert set(plan_of(job(copy)).values()) == {"done", "to do"}
    assert [step for step, state in plan_of(job(copy)).items() if state == "to do"] == ["gate"]
    another("seed: 1}", "seed: 2}")(copy)
    assert plan_of(job(copy))["audit"] == "to do"
    assert run_job(job(copy)).steps == ["audit"]


def test_a_job_with_room_for_it_is_planned_and_the_account_stays_as_it_is(copy):
    another("output: out", "output: again")(copy)
    head = dpsynth.Ledger.open(copy / "stays.ledger").head
    assert set(plan_of(job(copy, "2026-12")).values()) == {"to do"}
    assert dpsynth.Ledger.open(copy / "stays.ledger").head == head
    assert not (copy / "again").exists()


def test_a_dry_run_that_is_refused_ends_with_the_code_of_the_run(copy, monkeypatch, capsys):
    another("output: out", "output: again")(copy)
    monkeypatch.setattr(sys, "argv", ["dpsynth", "run", "job.yaml", "--set", "month=2026-11", "--dry-run"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 4
    assert "nothing was spent" in capsys.readouterr().err
