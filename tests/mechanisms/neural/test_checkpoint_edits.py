"""Checkpoints that somebody edited: the ledger, not the file, says whose run it is and how far it came."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")

import dpsynth
from dpsynth.accounting.ledger_policy import Policy
from dpsynth.base.archive import read_archive, write_archive
from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms import checkpoint
from tests.mechanisms.neural.test_checkpoint import died, dies, fit, folder, once_kept, refused  # noqa: F401  # fixtures
from tests.mechanisms.neural.test_command import schema


def edited(folder, **changed):  # noqa: F811  # the fixture's value
    document, arrays = read_archive(folder / "c", "checkpoint.json")
    write_archive(folder / "c", "checkpoint.json", {**document, **changed}, arrays)


@pytest.mark.parametrize("changed", [{"charge": 0}, {"charge": 3}, {"done": -1}, {"done": 50}], ids=str)
def test_steps_that_the_ledger_does_not_count_are_refused(changed, folder):  # noqa: F811
    edited(folder, **changed)
    refused(folder, "counts steps that the ledger does not")


FACTS = {"mechanism": "dp-ctgan", "purpose": "", "approvals": {}}
OTHER_JOBS = [
    {"mechanism": "hybrid"},
    {"purpose": "research"},
    {"approvals": {"board": "case 1"}},
    {"schema": "c0ffee"},
]


def begun_by_another(folder, changed):  # noqa: F811
    """A second run on the account, of another fit that is drawing, which the edited file names."""
    ledger = dpsynth.Ledger.open(folder / "l")
    job = Job(**{**FACTS, "schema": schema().fingerprint(), **changed})
    other = dpsynth.Accountant(Budget(1, 1e-6), ledger=ledger, job=job)
    other.charge(dpsynth.Gaussian(50.0), "look")
    edited(folder, run=other.run)


@pytest.mark.parametrize("changed", [*OTHER_JOBS, {}], ids=str)
def test_the_run_of_another_fit_is_refused_whatever_the_file_says(changed, tmp_path):
    """The last one is a run with another budget."""
    ledger = dpsynth.Ledger.create(tmp_path / "l", Budget(20, 1e-6), dataset="d", unit=PrivacyUnit())
    dies(once_kept(9), lambda: fit(tmp_path))
    begun_by_another(tmp_path, changed)
    ledger.set_policy(Policy(mechanisms=("hybrid",)))
    refused(tmp_path, "names a run of another fit")


def test_a_reader_that_believes_the_file_is_seen(tmp_path, monkeypatch):
    dpsynth.Ledger.create(tmp_path / "l", Budget(20, 1e-6), dataset="d", unit=PrivacyUnit())
    dies(once_kept(9), lambda: fit(tmp_path))
    begun_by_another(tmp_path, {"mechanism": "hybrid"})
    monkeypatch.setattr(checkpoint, "_refuse_another_run", lambda *_: None)
    with pytest.raises((AssertionError, ValueError), match=r"charges run .* for no training|did not match"):
        refused(tmp_path, "names a run of another fit")
