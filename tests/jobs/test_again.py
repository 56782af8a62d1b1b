"""A job that is run again takes nothing for its own that was made from something else, and loses nothing."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("cryptography", reason="jobs that sign need cryptography: pip install 'dpsynth[sign]'")

from dpsynth.evidence.release import who_signed
from dpsynth.evidence.signing.trust import trust_in
from dpsynth.jobs import record
from dpsynth.jobs.record import digest_of
from dpsynth.jobs.run import run_job
from tests.jobs.made import JOB, job, runs


def state(folder, **changed):
    text = JOB
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "job.yaml").write_text(text)


def test_what_a_person_wrote_into_a_document_stays(folder):
    run_job(job(folder))
    document = folder / "out" / "documents" / "nist-800-226.md"
    document.write_text(document.read_text() + "\nThe board says so.\n")
    assert run_job(job(folder)).verdict == "PASS"
    state(folder, **{"[nist-800-226]": "[nist-800-226, datasheet]"})
    assert run_job(job(folder)).verdict == "PASS"
    assert "The board says so." in document.read_text()
    assert document.with_name("datasheet.md").is_file()


def test_a_release_is_not_taken_for_one_of_another_ledger(folder):
    run_job(job(folder))
    state(folder, **{"stays.ledger": "other.ledger"})
    with pytest.raises(ValueError, match="has the fit of another ledger: give another output"):
        run_job(job(folder))


def test_a_folder_of_a_job_can_be_moved_as_a_whole(folder, monkeypatch):
    run_job(job(folder))
    moved = folder.rename(folder.with_name("moved"))
    monkeypatch.chdir(moved)
    assert run_job(job(moved)).steps == []


@pytest.mark.parametrize("place", ["parts", "parts/*.csv"])
def test_rows_in_several_files_that_were_changed_are_refused(place, folder):
    (folder / "parts").mkdir()
    shutil.copy(folder / "train.csv", folder / "parts" / "1.csv")
    state(folder, **{"train.csv": f"'{place}'"})
    run_job(job(folder))
    shutil.copy(folder / "holdout.csv", folder / "parts" / "2.csv")
    with pytest.raises(ValueError, match="has the fit of another data"):
        run_job(job(folder))
    assert len(runs(folder)) == 1


def test_a_table_in_several_files_has_a_hash_of_their_names_and_bytes(tmp_path):
    pattern = tmp_path / "year=*" / "*.csv"
    assert digest_of(pattern) is None
    (tmp_path / "year=1").mkdir()
    (tmp_path / "year=1" / "a.csv").write_text("x\n1\n")
    first = digest_of(pattern)
    assert first == digest_of(pattern) is not None
    (tmp_path / "year=1").rename(tmp_path / "year=2")
    assert digest_of(pattern) != first


def test_each_of_the_jobs_own_files_is_read_for_its_hash_once(folder, monkeypatch):
    """It may be large."""
    asked, real = [], record.digest_of
    monkeypatch.setattr("dpsynth.jobs.run.digest_of", lambda place: asked.append(place) or real(place))
    run_job(job(folder))
    own = [folder / name for name in ("train.csv", "holdout.csv", "schema.yaml")]
    assert [asked.count(place) for place in own] == [1, 1, 1]


def test_a_signature_is_taken_away_where_the_gate_no_longer_passes(folder):
    run_job(job(folder))
    trust = trust_in(folder / "office.pub")
    assert who_signed(folder / "out" / "release", trust)
    state(folder, **{"{pairs: 1.0}": "{pairs: 0.0}"})
    assert run_job(job(folder)).verdict == "FAIL"
    assert who_signed(folder / "out" / "release", trust) == []
    state(folder)
    assert run_job(job(folder)).steps == ["sign"]
    assert who_signed(folder / "out" / "release", trust)


def test_a_signing_that_was_killed_does_not_hold_a_release_back(folder, monkeypatch):
    import os

    def killed(*places):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("dpsynth.evidence.sign.os", type("Killed", (), {**vars(os), "replace": killed}))
        with pytest.raises(SystemExit):
            run_job(job(folder))
    assert list((folder / "out" / "release").glob("*.dsse.json.new"))
    assert run_job(job(folder)).steps == ["sign"]
    assert not list((folder / "out" / "release").glob("*.new"))


@pytest.mark.parametrize("left", ["release", ".release.unfinished"])
def test_a_release_that_no_record_names_is_neither_taken_nor_removed(left, folder):
    run_job(job(folder))
    out = folder / "out"
    (out / "release").rename(out / left)
    shutil.rmtree(out / "internal")
    with pytest.raises(ValueError, match="does not say which job made it"):
        run_job(job(folder))
    assert (out / left / "model.dpsynth").is_file()
    assert len(runs(folder)) == 1
