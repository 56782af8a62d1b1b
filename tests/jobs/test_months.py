"""A year's account pays for twelve months of the cap that docs/pipelines.md names, and for no thirteenth."""

from __future__ import annotations

import re

import pytest

import dpsynth
from dpsynth.jobs.file import read_job
from tests.structure.pages import fenced
from tests.structure.source import ROOT

PAGE = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
CAP = float(re.search(r"--purpose 2027-01=([\d.]+)", PAGE)[1])
MONTHS = [f"2027-{month:02}" for month in range(1, 13)]


@pytest.fixture
def ledger():
    policy = dpsynth.Policy({month: dpsynth.Budget(CAP, 1e-6) for month in MONTHS})
    unit = dpsynth.PrivacyUnit("patient", 3)
    return dpsynth.Ledger.create(None, dpsynth.Budget(3.0, 1e-6), dataset="stays", unit=unit, policy=policy)


def spend(ledger, month, epsilon=CAP):
    job = dpsynth.Job("canopy", month, max_records=None)
    dpsynth.Accountant(dpsynth.Budget(epsilon, 1e-6), ledger=ledger, job=job)


def test_twelve_months_fit_into_the_year_and_a_second_release_of_one_does_not(ledger):
    for month in MONTHS:
        spend(ledger, month)
        with pytest.raises(dpsynth.BudgetExceededError):
            spend(ledger, month, 0.05)
    assert 2.9 < ledger.spent().epsilon <= 3.0


def test_a_cap_that_is_a_hundredth_larger_does_not_fit_twelve_times():
    unit = dpsynth.PrivacyUnit("patient", 3)
    ledger = dpsynth.Ledger.create(None, dpsynth.Budget(3.0, 1e-6), dataset="stays", unit=unit)
    for month in MONTHS[:11]:
        spend(ledger, month, CAP * 1.01)
    with pytest.raises(dpsynth.BudgetExceededError):
        spend(ledger, MONTHS[11], CAP * 1.01)


def test_a_month_that_has_no_cap_is_refused(ledger):
    with pytest.raises(dpsynth.PolicyRefusedError):
        spend(ledger, "2028-01")


def test_the_job_of_the_page_is_one(tmp_path):
    text = next(block for block in fenced(PAGE, "yaml") if block.startswith("dpsynth_job"))
    (tmp_path / "job.yaml").write_text(text)
    job = read_job(tmp_path / "job.yaml", {"month": "2027-01"})
    assert job.of("fit")["epsilon"] == CAP
    assert job.output == tmp_path / "releases" / "2027-01"
    assert set(job.sections) == {"fit", "sample", "evaluate", "audit", "certify", "gate", "sign"}
