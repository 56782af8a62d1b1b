"""Several processes whose first fit makes the one ledger: one makes it, and the others are paid from it."""

from __future__ import annotations

import time

import pytest

from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger import store
from dpsynth.ledger.chain import LedgerCorruptError
from dpsynth.ledger.ledger import Ledger
from dpsynth.synthesizers import account
from tests.rings.processes import finish, in_children, needs_fork, start

pytestmark = needs_fork
BUDGET = Budget(1.0, 1e-6)


def reserve(path, tell, unit=PrivacyUnit()):  # noqa: B008
    account.accountant_for(path, unit, BUDGET, Job("independent"))
    tell(b"reserved")


def slow(monkeypatch):
    """A file takes half a second between its name and its lines, as on a slow disk."""
    connection = store.File._connection

    def late(self):
        time.sleep(0.5)
        return connection(self)

    monkeypatch.setattr(store.File, "_connection", late)


@pytest.mark.parametrize("turn", range(5))
def test_of_processes_that_make_one_ledger_one_has_its_budget_and_the_others_find_it_spent(turn, tmp_path):
    path = tmp_path / "l"
    told = in_children([lambda tell: reserve(path, tell)] * 6)
    assert sorted(told) == [b"BudgetExceededError"] * 5 + [b"reserved"]
    ledger = Ledger.open(path)
    ledger.verify()
    assert len(ledger.runs()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["l"]


def early_and_late(path, monkeypatch, **facts):
    """What two processes say, of which the second comes while the first one makes the ledger."""

    def first(tell):
        slow(monkeypatch)
        reserve(path, tell)

    child = start(first)
    while not path.exists():
        time.sleep(0.005)
    late = start(lambda tell: reserve(path, tell, **facts))
    return finish(*child), finish(*late)


def open_or_create(path, tell):
    """As somebody's own program would: the account, which the first of several processes makes."""
    if path.exists():
        Ledger.open(path).verify()
        tell(b"opened")
    else:
        try:
            Ledger.create(path, BUDGET, dataset="d", unit=PrivacyUnit())
            tell(b"created")
        except FileExistsError:
            Ledger.open(path).verify()
            tell(b"opened")


@pytest.mark.parametrize("turn", range(5))
def test_of_processes_that_open_or_create_one_ledger_one_makes_it_and_the_others_open_it(turn, tmp_path):
    told = in_children([lambda tell: open_or_create(tmp_path / "l", tell)] * 6)
    assert sorted(told) == [b"created"] + [b"opened"] * 5


def opened_while_made(path, monkeypatch):
    """What a process says that opens the ledger while another one makes it, on a slow disk."""

    def first(tell):
        slow(monkeypatch)
        open_or_create(path, tell)

    child = start(first)
    while not path.exists():
        time.sleep(0.005)
    late = start(lambda tell: open_or_create(path, tell))
    return finish(*child), finish(*late)


def test_a_ledger_that_is_opened_while_it_is_made_is_waited_for(tmp_path, monkeypatch):
    assert opened_while_made(tmp_path / "l", monkeypatch) == (b"created", b"opened")


def test_without_patience_what_is_opened_while_it_is_made_is_taken_for_a_broken_one(tmp_path, monkeypatch):
    """The mutant of the test above."""
    monkeypatch.setattr(store, "MAKING", 0.0)
    assert opened_while_made(tmp_path / "l", monkeypatch) == (b"created", b"LedgerCorruptError")


def test_a_ledger_that_is_being_made_is_waited_for(tmp_path, monkeypatch):
    told = early_and_late(tmp_path / "l", monkeypatch)
    assert sorted(told) == [b"BudgetExceededError", b"reserved"]  # whichever of them reserves first
    Ledger.open(tmp_path / "l").verify()


def test_a_ledger_of_another_unit_is_refused_once_it_is_made(tmp_path, monkeypatch):
    unit = PrivacyUnit("patient_id", max_records=3)
    assert early_and_late(tmp_path / "l", monkeypatch, unit=unit) == (b"reserved", b"ValueError")


def test_without_patience_the_half_made_file_is_taken_for_a_broken_one(tmp_path, monkeypatch):
    """The mutant of the test above."""
    monkeypatch.setattr(store, "MAKING", 0.0)
    assert early_and_late(tmp_path / "l", monkeypatch)[1] == b"LedgerCorruptError"


@pytest.mark.parametrize("policy", [False, True])
def test_every_ledger_has_the_length_that_is_waited_for(policy, tmp_path):
    from dpsynth.accounting.ledger_policy import Policy

    facts = {"policy": Policy()} if policy else {}
    Ledger.create(tmp_path / "l", BUDGET, dataset="d", unit=PrivacyUnit(), **facts)
    assert (tmp_path / "l").stat().st_size >= store.SMALLEST


def test_an_empty_file_is_no_ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MAKING", 0.1)
    (tmp_path / "l").touch()
    with pytest.raises(LedgerCorruptError, match="not a ledger: give another path"):
        reserve(tmp_path / "l", print)
