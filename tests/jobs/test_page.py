"""The page of a job: what the gate asked, which step made which file, and links that lead somewhere."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("cryptography", reason="jobs that sign need cryptography: pip install 'dpsynth[sign]'")

from dpsynth.jobs.run import run_job
from tests.evidence.test_pages import PYTHON, read, words
from tests.jobs.made import JOB, filled, job


def made_page(folder):
    """The folder of a job that was run, how it ended, and its page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DPSYNTH_KEY_PASSPHRASE", raising=False)
        patch.chdir(filled(folder))
        done = run_job(job(folder))
    return folder, done, (folder / "out" / "internal" / "job.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def passed(tmp_path_factory):
    return made_page(tmp_path_factory.mktemp("job"))


def test_the_page_begins_with_the_verdict_and_says_that_it_is_internal(passed):
    _, _, page = passed
    first = words(read(page).first)
    for said in ("INTERNAL: DO NOT PUBLISH", "✓ PASS", "so it may leave", "It is signed.", "Do not use it"):
        assert said in first
    assert len(first) < 2200
    assert not PYTHON.search(re.sub(r"\b[0-9a-f]{12,64}\b", "", words(read(page).all)))


def test_every_link_leads_to_a_file_and_every_file_of_a_step_has_one(passed):
    folder, _, page = passed
    links = set(re.findall(r'href="([^"]+)"', page))
    internal = folder / "out" / "internal"
    assert all((internal / link).is_file() for link in links)
    for name in ("../release/certificate.html", "../release/synthetic.csv", "quality/quality.html", "audit/audit.html"):
        assert name in links


def test_every_check_of_the_gate_is_on_the_page_with_its_verdict(passed):
    _, done, page = passed
    assert page.count('<td class="mark">✓ PASS</td></tr>') == len(done.asked)
    assert f"The {sum(case.group == 'gate.verify' for case in done.asked)} checks of" in page


def test_a_release_that_is_held_back_says_why_and_lists_the_step_that_was_taken_away(folder):
    run_job(job(folder))
    (folder / "job.yaml").write_text(JOB.replace("{pairs: 1.0}", "{pairs: 0.0}"))
    done = run_job(job(folder))
    (broken,) = [case.text for case in done.asked if case.verdict == "FAIL"]
    text = read((folder / "out" / "internal" / "job.html").read_text(encoding="utf-8"))
    assert "✕ FAIL The release breaks a limit" in words(text.first)
    assert broken in words(text.first)
    assert "Done before, and replaced or taken away since: sign" in words(text.all)
