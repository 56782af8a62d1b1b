"""The ledger: one format, kept, and what it remembers."""

from __future__ import annotations

import copy
import json
import os
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest

from dpsynth.privacy.accountant import Accountant
from dpsynth.privacy.budget import affordable
from dpsynth.privacy.events import Gaussian
from dpsynth.privacy.ledger import Ledger, LedgerCorrupt
from dpsynth.privacy.sensitive import Sensitive
from dpsynth.privacy.unit import PrivacyUnit
from tests.privacy.laws import rehashed
from tests.privacy.ledgers import BUDGET, GOLDEN, golden


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger file of one run and two charges."""
    golden(tmp_path / "claims.ledger")
    return tmp_path / "claims.ledger"


# The format.


def test_the_format_stays_what_it_is(tmp_path):
    golden(tmp_path / "l")
    assert (tmp_path / "l").read_bytes() == GOLDEN.read_bytes()


def test_a_ledger_written_by_the_first_version_can_be_read(tmp_path):
    (tmp_path / "l").write_bytes(GOLDEN.read_bytes())
    ledger = Ledger.open(tmp_path / "l")
    assert (ledger.dataset, ledger.budget) == ("claims", BUDGET)
    assert ledger.unit == PrivacyUnit("person", 3, "replace")
    assert ledger.spent().epsilon == pytest.approx(0.145282763897, rel=1e-9)
    assert [e["kind"] for e in ledger.entries()] == ["open", "run", "charge", "charge"]


def test_each_line_holds_the_hash_of_the_one_before(path):
    records = [json.loads(raw) for raw in path.read_text().splitlines()]
    assert [r["seq"] for r in records] == [0, 1, 2, 3]
    assert [r["prev"] for r in records] == ["0" * 64, *(r["hash"] for r in records[:-1])]
    assert [rehashed(r) for r in records] == path.read_text().splitlines()


def test_a_ledger_in_memory_keeps_the_same_lines():
    assert [rehashed(entry) for entry in golden(None).entries()] == GOLDEN.read_text().splitlines()


# What a ledger remembers.


def test_a_ledger_survives_being_closed_and_opened(path):
    first = Ledger.open(path)
    accountant = Accountant(BUDGET, ledger=first)
    accountant.charge(Gaussian(10.0), "more")
    again = Ledger.open(path)
    assert again.spent() == first.spent()
    assert again.remaining() == first.remaining()
    assert again.entries() == first.entries()
    assert again.head == first.head


def test_an_open_ledger_sees_what_others_add(path):
    one, other = Ledger.open(path), Ledger.open(path)
    before = one.spent()
    Accountant(BUDGET, ledger=other).charge(Gaussian(10.0), "elsewhere")
    assert one.spent() == other.spent()
    assert one.spent().epsilon > before.epsilon
    one.verify()


@pytest.mark.parametrize(
    ("question", "before"),
    [
        (lambda ledger: len(ledger.entries()), 1),
        (lambda ledger: ledger.private, True),
        (lambda ledger: ledger.spent().epsilon == 0, True),
        (lambda ledger: ledger.cost_left == affordable(BUDGET), True),
        (lambda ledger: ledger.remaining().epsilon > 0.999, True),
    ],
    ids=["entries", "private", "spent", "cost_left", "remaining"],
)
def test_every_answer_takes_in_what_others_added(question, before, tmp_path):
    one = Ledger.create(tmp_path / "l", BUDGET, dataset="d", unit=PrivacyUnit())
    assert question(one) == before
    Accountant(BUDGET, ledger=Ledger.open(tmp_path / "l"), unsafe_seed=1).charge(Gaussian(10.0), "elsewhere")
    assert question(one) != before


def test_a_charge_that_takes_exactly_what_is_left_is_recorded(monkeypatch):
    ledger, event = Ledger.create(None, BUDGET, dataset="d", unit=PrivacyUnit()), Gaussian(50.0)
    monkeypatch.setattr("dpsynth.privacy.ledger.affordable", lambda budget: event.cost)
    ledger.charge("run", event, "everything")
    assert ledger.cost_left == 0


def test_a_new_ledgers_name_is_as_durable_as_its_lines(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(stat.S_ISDIR(os.fstat(handle).st_mode)))
    golden(tmp_path / "l")
    assert synced == [False, True, False, False, False]


@pytest.mark.parametrize("where", ["file", "memory"])
def test_the_head_changes_with_every_line_and_stays_in_the_ledger(where, tmp_path):
    ledger = golden(tmp_path / "l" if where == "file" else None)
    heads = [ledger.head]
    accountant = Accountant(BUDGET, ledger=ledger)
    for _ in range(3):
        heads.append(ledger.head)
        accountant.charge(Gaussian(50.0), "the same again")
    assert len({*heads, ledger.head}) == 5
    for head in heads:
        ledger.verify(head)
    with pytest.raises(LedgerCorrupt, match="holds no line with hash"):
        ledger.verify("f" * 64)


def test_entries_are_copies(path):
    ledger = Ledger.open(path)
    ledger.entries()[2]["event"]["noise_multiplier"] = 1e9
    ledger.entries().clear()
    assert ledger.entries()[2]["event"]["noise_multiplier"] == 40.0
    ledger.verify()


def test_no_line_holds_a_private_value(path):
    ledger = Ledger.open(path)
    charge = Accountant(BUDGET, ledger=ledger).charge(Gaussian(50.0), "count")
    charge.gaussian(Sensitive(np.array([731903624]), l1=1, l2=1))
    assert "7319036" not in path.read_text()


def test_a_copy_of_a_ledger_is_the_ledger_and_it_cannot_be_pickled(path):
    for ledger in (Ledger.open(path), golden(None)):
        assert copy.copy(ledger) is copy.deepcopy(ledger) is ledger
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(ledger)


def test_an_existing_file_is_never_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        golden(path)
    assert path.read_bytes() == before


def test_a_ledger_stays_with_its_file_when_the_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = golden(Path("l"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    Accountant(BUDGET, ledger=ledger)
    assert len(ledger.entries()) == 5
