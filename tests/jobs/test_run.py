"""A job makes a release step by step, goes on after a kill at any place, and never pays twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

pytest.importorskip("cryptography", reason="jobs that sign need cryptography: pip install 'dpsynth[sign]'")

import dpsynth
from dpsynth.cli import main
from dpsynth.evidence.release import check_release, examine_release, who_signed
from dpsynth.evidence.signing.trust import trust_in
from dpsynth.jobs import run as jobs
from dpsynth.jobs.run import plan_of, run_job
from tests.jobs.made import JOB, job, runs
from tests.structure.source import ROOT

STEPS = ("fit", "sample", "evaluate", "audit", "certify", "sign")


def release(folder):
    """The bytes of a release, without its signatures, whose time is that of their signing."""
    files = (path for path in (folder / "out" / "release").iterdir() if path.is_file())
    return {path.name: path.read_bytes() for path in files}


class Killed(BaseException):
    """Stands for the end of the process: nothing in the package catches it."""


def test_a_job_makes_a_signed_release_with_evidence(folder):
    done = run_job(job(folder))
    assert (done.verdict, done.steps) == ("PASS", list(STEPS))
    out = folder / "out"
    assert check_release(out / "release") == []
    assert who_signed(out / "release", trust_in(folder / "office.pub"))[0].startswith("key 1 as preparer")
    for name in ("internal/quality/quality.html", "internal/audit/audit.html", "internal/job.xml"):
        assert (out / name).is_file()
    assert (out / "documents" / "nist-800-226.md").is_file()
    assert [run.job.purpose for run in runs(folder)] == ["2026-11"]


def test_nothing_in_the_release_or_the_documents_has_a_hash_of_private_rows(folder):
    run_job(job(folder))
    record = json.loads((folder / "out" / "internal" / "job.json").read_text())
    private = {record["steps"]["fit"]["inputs"]["data"], record["steps"]["audit"]["inputs"]["holdout"]}
    private |= {h for s in ("evaluate", "audit") for h in record["steps"][s]["files"].values()}
    assert len(private) > 4
    public = [*(folder / "out" / "release").rglob("*"), *(folder / "out" / "documents").rglob("*")]
    texts = [path.read_bytes().decode("latin-1") for path in public if path.is_file()]
    assert not any(each in text for each in private for text in texts)


def test_every_file_has_its_step_its_inputs_and_the_versions(folder):
    run_job(job(folder))
    record = json.loads((folder / "out" / "internal" / "job.json").read_text())
    known = {name for step in record["steps"].values() for name in step["files"]}
    beside = {f"internal/job.{kind}" for kind in ("html", "json", "lock", "xml")} | {"release/manifest.json"}
    made = {p.relative_to(folder / "out").as_posix() for p in (folder / "out").rglob("*") if p.is_file()}
    assert made - known == beside
    for step in record["steps"].values():
        assert {"inputs", "files", "started", "ended", "versions"} == set(step)
        assert step["versions"]["dpsynth"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_job_that_was_killed_goes_on_without_a_second_charge_and_with_the_same_bytes(
    step, moment, folder, monkeypatch
):
    """before: the step has not begun; after: its files are there, and nothing has noted them."""
    work = jobs._WORK[step]

    def killed(run):
        if moment == "after":
            work(run)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setitem(jobs._WORK, step, killed)
        with pytest.raises(Killed):
            run_job(job(folder))
    left = release(folder) if (folder / "out" / "release").exists() else {}
    assert run_job(job(folder)).verdict == "PASS"
    assert len(runs(folder)) == 1
    now = release(folder)
    assert {name: now[name] for name in left if name != "manifest.json"} == {
        name: raw for name, raw in left.items() if name != "manifest.json"
    }
    assert check_release(folder / "out" / "release") == []
    assert run_job(job(folder)).steps == []
    assert release(folder) == now


def test_a_job_that_was_killed_after_the_fit_makes_the_bytes_that_it_would_have_made(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(jobs._WORK, "sample", lambda run: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            run_job(job(folder))
    shutil.copytree(folder / "out", folder / "copy")
    run_job(job(folder))
    straight = release(folder)
    shutil.rmtree(folder / "out")
    (folder / "copy").rename(folder / "out")
    for step in ("evaluate", "audit", "certify", "sign"):
        with monkeypatch.context() as patch:
            patch.setitem(jobs._WORK, step, lambda run: (_ for _ in ()).throw(Killed))
            with pytest.raises(Killed):
                run_job(job(folder))
    run_job(job(folder))
    assert release(folder) == straight
    assert len(runs(folder)) == 1


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_while_it_fits_leaves_a_job_that_is_refused(folder):
    code = (
        "import os, signal, sys\n"
        "from dpsynth.synthesizers import release\n"
        "release.keep_fit = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from dpsynth.jobs.file import read_job\nfrom dpsynth.jobs.run import run_job\n"
        "from pathlib import Path\n"
        "run_job(read_job(Path('job.yaml'), {'month': '2026-11'}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with pytest.raises(ValueError, match=r"began and left no model, and .* has a run that may be its own"):
        run_job(job(folder))
    assert len(runs(folder)) == 1


def test_a_fit_that_was_refused_costs_nothing_and_can_be_tried_again(folder):
    with pytest.raises(dpsynth.PolicyRefusedError):
        run_job(job(folder, "2027-01"))
    assert runs(folder) == []
    shutil.rmtree(folder / "out")
    assert run_job(job(folder)).verdict == "PASS"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("epsilon: 1, delta", "epsilon: 0.5, delta", "has the fit of another epsilon: give another output"),
        ("rows: 300", "rows: 200", "has the sample of another rows"),
    ],
)
def test_a_job_that_was_changed_after_its_fit_is_refused(old, new, why, folder):
    run_job(job(folder))
    (folder / "job.yaml").write_text(JOB.replace(old, new))
    with pytest.raises(ValueError, match=why):
        run_job(job(folder))
    assert len(runs(folder)) == 1


def test_rows_that_were_changed_after_they_were_drawn_are_refused(folder):
    run_job(job(folder))
    (folder / "out" / "release" / "synthetic.csv").write_text("age,sex\n1,f\n")
    with pytest.raises(ValueError, match=r"release/synthetic\.csv in .* was changed or removed since the sample"):
        run_job(job(folder))


def test_other_settings_of_the_audit_run_it_again_and_the_first_is_remembered(folder):
    run_job(job(folder))
    (folder / "job.yaml").write_text(JOB.replace("seed: 1", "seed: 2"))
    assert run_job(job(folder)).steps == ["audit"]
    record = json.loads((folder / "out" / "internal" / "job.json").read_text())
    assert [each["step"] for each in record["earlier"]] == ["audit"]


def test_two_runs_of_a_job_at_once_are_refused(folder):
    with jobs.alone(folder / "out"), pytest.raises(ValueError, match="another run of this job"):
        run_job(job(folder))
    assert run_job(job(folder)).verdict == "PASS"


@pytest.mark.parametrize(
    ("limit", "group"),
    [
        ("epsilon: 1, account", "gate.epsilon"),
        ("account_epsilon: 3", "gate.account_epsilon"),
        ("{pairs: 1.0}", "gate.distance"),
        ("audit: [PASS, INCONCLUSIVE, FAIL, INVALID]", "gate.audit"),
    ],
)
def test_a_release_that_breaks_a_limit_is_held_back_and_not_signed(limit, group, folder):
    tighter = {
        "epsilon: 1, account": "epsilon: 0.9, account",
        "account_epsilon: 3": "account_epsilon: 0.1",
        "{pairs: 1.0}": "{pairs: 0.0}",
        "audit: [PASS, INCONCLUSIVE, FAIL, INVALID]": "audit: [INVALID]",
    }
    (folder / "job.yaml").write_text(JOB.replace(limit, tighter[limit]))
    done = run_job(job(folder))
    broken = [case.group for case in done.asked if case.verdict != "PASS"]
    if group != "gate.audit" or broken:  # where the audit passes, its verdict is no fault by itself
        assert broken == [group]
        assert done.verdict != "PASS"
        assert not (folder / "out" / "release" / "signatures").exists()
    stamps = [(folder / "out" / "internal" / name).read_text() for name in ("job.xml", "job.json")]
    assert "INTERNAL: exact figures of private rows" in stamps[0]
    assert json.loads(stamps[1])["internal"].startswith("This record holds hashes of private rows")
    suite = ET.parse(folder / "out" / "internal" / "job.xml").getroot()
    assert int(suite.get("tests")) == len(done.asked)
    assert (folder / "out" / "release" / "synthetic.csv").is_file()


def test_a_dry_run_opens_no_data_and_makes_nothing(folder, monkeypatch, capsys):
    (folder / "train.csv").unlink()
    monkeypatch.setattr(sys, "argv", ["dpsynth", "run", "job.yaml", "--set", "month=2026-11", "--dry-run"])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr().out
    assert (left.value.code or 0) == 0
    assert "fit       to do" in said
    assert "epsilon 1" in said
    assert not (folder / "out").exists()
    assert plan_of(job(folder))["sign"] == "to do"


@pytest.mark.parametrize(("month", "code"), [("2026-11", 0), ("2027-01", 2)])
def test_the_command_ends_with_the_code_of_its_gate_or_its_slip(month, code, folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dpsynth", "run", "job.yaml", "--set", f"month={month}", "--json"])
    with pytest.raises(SystemExit) as left:
        main()
    streams = capsys.readouterr()
    assert (left.value.code or 0) == code, streams.err
    assert (json.loads(streams.out)["verdict"] == "PASS") if code == 0 else streams.out == ""


def test_a_months_cap_that_is_spent_ends_with_code_4(folder, monkeypatch, capsys):
    run_job(job(folder))
    (folder / "job.yaml").write_text(JOB.replace("output: out", "output: again"))
    monkeypatch.setattr(sys, "argv", ["dpsynth", "run", "job.yaml", "--set", "month=2026-11"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 4
    assert len(runs(folder)) == 1
    assert run_job(job(folder, "2026-12")).verdict == "PASS"


def test_a_key_that_others_can_read_stops_a_job_before_it_spends(folder):
    if os.name == "posix":
        (folder / "office.key").chmod(0o644)
        with pytest.raises(ValueError, match="chmod 600"):
            run_job(job(folder))
    assert runs(folder) == []
    assert not examine_release.__defaults__[1]


def with_quality(folder):
    text = (folder / "job.yaml").read_text().replace("epsilon: 1, delta", "epsilon: 0.9, delta")
    (folder / "job.yaml").write_text(text.replace("evaluate: {}", "quality: {epsilon: 0.3, groups: [sex]}"))
    limits = "distance: {pairs: 1.0}, outside_schema: 0,"
    (folder / "job.yaml").write_text((folder / "job.yaml").read_text().replace(limits, ""))


def test_a_job_with_a_report_to_publish_pays_for_it_once_and_the_release_lists_it(folder, monkeypatch):
    with_quality(folder)
    assert run_job(job(folder)).verdict == "PASS"
    report = json.loads((folder / "out" / "release" / "releasable.json").read_text())
    assert [each["group"] for each in report["groups"]] == [["sex", "f"], ["sex", "m"]]
    assert [run.job.mechanism for run in runs(folder)] == ["independent", "evaluate"]
    assert {run.job.purpose for run in runs(folder)} == {"2026-11"}
    assert run_job(job(folder)).steps == []
    text = (folder / "job.yaml").read_text()
    (folder / "job.yaml").write_text(text.replace("epsilon: 0.3", "epsilon: 0.2"))
    with pytest.raises(ValueError, match="has the quality of another epsilon"):
        run_job(job(folder))
    assert len(runs(folder)) == 2


def test_a_report_that_was_paid_for_and_lost_is_not_paid_for_again(folder, monkeypatch):
    """The process dies after the charges, before or after the files are written."""
    from dpsynth.synthesizers import releasable_quality

    with_quality(folder)
    save = releasable_quality.ReleasableQuality.save

    def dies_before(self, place):
        raise KeyboardInterrupt

    def dies_after(self, place):
        save(self, place)
        raise KeyboardInterrupt

    monkeypatch.setattr(releasable_quality.ReleasableQuality, "save", dies_before)
    with pytest.raises(KeyboardInterrupt):
        run_job(job(folder))
    with pytest.raises(ValueError, match="began and left nothing"):
        run_job(job(folder))
    assert len(runs(folder)) == 2
    (folder / "job.yaml").write_text((folder / "job.yaml").read_text().replace("output: out", "output: other"))
    monkeypatch.setattr(releasable_quality.ReleasableQuality, "save", dies_after)
    with pytest.raises(KeyboardInterrupt):
        run_job(job(folder, "2026-12"))
    assert run_job(job(folder, "2026-12")).verdict == "PASS"
    assert len(runs(folder)) == 4


def test_the_account_has_paid_for_the_report_too_when_the_gate_asks(folder):
    with_quality(folder)
    assert run_job(job(folder)).verdict == "PASS"
    certificate = json.loads((folder / "out" / "release" / "certificate.json").read_text())
    issued = certificate["ledger"]["spent"]["epsilon"]
    after = dpsynth.Ledger.open(job(folder).ledger).spent().epsilon
    assert after > issued + 0.01
    text = (folder / "job.yaml").read_text()
    (folder / "job.yaml").write_text(text.replace("account_epsilon: 3", f"account_epsilon: {(issued + after) / 2}"))
    done = run_job(job(folder))
    assert done.verdict == "FAIL"
    assert [case.group for case in done.asked if case.verdict == "FAIL"] == ["gate.account_epsilon"]


def test_a_report_that_died_after_it_spent_counts_in_the_account(folder, monkeypatch):
    """The job may go on without it, and what it spent stays spent."""
    with_quality(folder)

    def dies(self, place):
        raise KeyboardInterrupt

    monkeypatch.setattr("dpsynth.synthesizers.releasable_quality.ReleasableQuality.save", dies)
    with pytest.raises(KeyboardInterrupt):
        run_job(job(folder))
    spent = dpsynth.Ledger.open(job(folder).ledger).spent().epsilon
    text = (folder / "job.yaml").read_text().replace("quality: {epsilon: 0.3, groups: [sex]}", "")
    (folder / "job.yaml").write_text(text.replace("account_epsilon: 3", f"account_epsilon: {spent - 0.01}"))
    failed = [case.group for case in run_job(job(folder)).asked if case.verdict == "FAIL"]
    assert failed == ["gate.account_epsilon"]
