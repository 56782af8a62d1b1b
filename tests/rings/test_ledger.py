"""The ledger: one format, kept, and what it remembers."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import sqlite3
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dpsynth.accounting.ledger_policy import Policy
from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget, BudgetExceededError, affordable
from dpsynth.kernel.cost import NOTHING
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.chain import LedgerCorruptError
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.programs.external import ExternalProgram
from dpsynth.training.steps import Steps
from tests.rings import oracle
from tests.rings.laws import rehashed
from tests.rings.ledgers import BUDGET, GOLDEN, JOB, create, golden, lines_of

KINDS = ["open", "policy", "run", "drawing", "charge", "charge", "commit", "run", "void", "run", "drawing", "charge"]
KINDS += ["charge", "steps", "steps", "steps"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The golden ledger's file."""
    golden(tmp_path / "claims.ledger")
    return tmp_path / "claims.ledger"


# The format.


def test_the_format_stays_what_it_is(path, tmp_path):
    assert lines_of(Ledger.open(path), tmp_path / "lines").read_bytes() == GOLDEN.read_bytes()


def test_lines_that_the_first_version_wrote_can_be_read(tmp_path):
    ledger = Ledger.import_lines(GOLDEN, tmp_path / "l")
    assert (ledger.dataset, ledger.budget) == ("claims", BUDGET)
    assert ledger.unit == PrivacyUnit("person", 3, "replace")
    lines = ledger.entries()
    assert ledger.runs()[-1].trainings == {12: Steps(8, upto=8, resumed=1, lost=1)}
    counted = [e["noise_multiplier"] for e in (lines[4]["event"], lines[5]["event"], *lines[9]["reserve"])]
    mu_squared = sum(1 / Fraction(multiplier) ** 2 for multiplier in counted)
    assert float(oracle.delta(ledger.spent().epsilon, mu_squared)) == pytest.approx(1e-6, rel=1e-9)
    assert [e["kind"] for e in lines] == [*KINDS, "copy"]
    assert [run.state for run in ledger.runs()] == ["committed", "void", "drawing"]


@pytest.mark.parametrize("only", [False, True])
def test_an_import_holds_the_same_lines_and_then_says_what_it_is(only, path, tmp_path):
    first = Ledger.open(path)
    lines = lines_of(first, tmp_path / "one")
    again = Ledger.import_lines(lines, tmp_path / "again.ledger", only=only, by="the owner" if only else "")
    *same, last = lines_of(again, tmp_path / "two").read_bytes().splitlines(keepends=True)
    assert b"".join(same[: len(KINDS)]) == lines.read_bytes()
    assert [e["kind"] for e in again.entries()[len(KINDS) :]] == (["copy", "only"] if only else ["copy"])
    assert (json.loads(last).get("by"), again.key) == ("the owner" if only else None, first.key)
    assert (again.spent(), again.policy, again.runs()) == (first.spent(), first.policy, first.runs())
    again.verify(first.head)
    with pytest.raises(FileExistsError):
        first.export(tmp_path / "one")


@pytest.mark.parametrize("facts", [{"by": "me"}, {"by": 3, "only": True}, {"by": None, "only": True}], ids=str)
def test_who_declares_is_named_in_a_declaration_only(facts, tmp_path):
    with pytest.raises(ValueError, match="by is text, who declares an import the only copy: give it with only=True"):
        Ledger.import_lines(GOLDEN, tmp_path / "l", **facts)
    assert not (tmp_path / "l").exists()


def test_a_copy_says_in_a_sentence_how_it_could_be_spent_from(path, tmp_path):
    copy = Ledger.import_lines(lines_of(Ledger.open(path), tmp_path / "one"), tmp_path / "again.ledger")
    assert Ledger.open(path).closed is None
    assert "is an imported copy, which is read and not spent from: use the one that it was exported" in copy.closed
    for ledger in (copy, Ledger.open(tmp_path / "again.ledger")):
        with pytest.raises(BudgetExceededError, match=r"import with --only .*; nothing was spent"):
            Accountant(Budget(0.1, 1e-7), ledger=ledger, job=JOB)
        with pytest.raises(ValueError, match="is an imported copy"):
            ledger.set_policy(Policy())
    with pytest.raises(ValueError, match="is an imported copy"):
        copy.commit(copy.runs()[-1].name)


def test_what_was_joined_is_imported_as_it_is_and_cannot_be_declared_the_only_one(tmp_path):
    one, other = create(tmp_path / "a"), create(tmp_path / "b", dataset="visits")
    one.link(other)
    lines = lines_of(other, tmp_path / "lines")
    copy = Ledger.import_lines(lines, tmp_path / "c")
    assert copy.entries() == other.entries()
    assert copy.closed == other.closed == (
        "the ledger of 'visits' was joined to that of 'claims', which pays for both: use that one; nothing was spent"
    )  # fmt: skip
    with pytest.raises(ValueError, match="was joined to that of 'claims'"):
        Ledger.import_lines(lines, tmp_path / "d", only=True)
    assert not (tmp_path / "d").exists()


def test_each_line_holds_the_hash_of_the_one_before(path, tmp_path):
    text = lines_of(Ledger.open(path), tmp_path / "lines").read_text()
    records = [json.loads(raw) for raw in text.splitlines()]
    assert [r["seq"] for r in records] == list(range(len(KINDS)))
    assert [r["prev"] for r in records] == ["0" * 64, *(r["hash"] for r in records[:-1])]
    assert [rehashed(r) for r in records] == text.splitlines()


def test_a_ledger_in_memory_keeps_the_same_lines_without_key_and_dates():
    ledger = create(None)
    accountant = Accountant(BUDGET, ledger=ledger)
    accountant.charge(Gaussian(50.0), "work")
    accountant.close()
    assert [(e["kind"], e.get("time")) for e in ledger.entries()] == [
        (kind, None) for kind in ("open", "run", "drawing", "charge", "commit")
    ]
    assert ledger.entries()[0]["account"] == ""
    ledger.verify(ledger.head)


# What a ledger remembers.


def test_a_ledger_survives_being_closed_and_opened(tmp_path):
    first = create(tmp_path / "l")
    Accountant(Budget(0.5, 1e-6), ledger=first).charge(Gaussian(20.0), "more")
    again = Ledger.open(tmp_path / "l")
    assert again.spent() == first.spent()
    assert again.remaining() == first.remaining()
    assert again.entries() == first.entries()
    assert again.head == first.head


def test_an_open_ledger_sees_what_others_add(tmp_path):
    one = create(tmp_path / "l")
    other = Ledger.open(tmp_path / "l")
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
        (lambda ledger: len(ledger.runs()), 0),
    ],
    ids=["entries", "private", "spent", "cost_left", "remaining", "runs"],
)
def test_every_answer_takes_in_what_others_added(question, before, tmp_path):
    one = create(tmp_path / "l")
    assert question(one) == before
    Accountant(BUDGET, ledger=Ledger.open(tmp_path / "l"), unsafe_seed=1).charge(Gaussian(10.0), "elsewhere")
    assert question(one) != before


def test_a_reservation_that_takes_exactly_what_is_left_is_granted():
    ledger = create(None)
    whole = Gaussian.spending(affordable(BUDGET))
    ledger.reserve("run", BUDGET, [whole], "operating system", Job())
    assert ledger.cost_left == affordable(BUDGET) - whole.cost.gaussian
    ledger.charge("run", whole, "everything")


@pytest.mark.parametrize("where", ["file", "memory"])
def test_the_head_changes_with_every_line_and_stays_in_the_ledger(where, tmp_path):
    ledger = create(tmp_path / "l" if where == "file" else None)
    heads = [ledger.head]
    accountant = Accountant(BUDGET, ledger=ledger)
    for _ in range(3):
        heads.append(ledger.head)
        accountant.charge(Gaussian(50.0), "the same again")
    assert len({*heads, ledger.head}) == 5
    for head in heads:
        ledger.verify(head)
    with pytest.raises(LedgerCorruptError, match="holds no line with hash"):
        ledger.verify("f" * 64)


def test_entries_are_copies(path):
    ledger = Ledger.open(path)
    ledger.entries()[4]["event"]["noise_multiplier"] = 1e9
    ledger.entries().clear()
    ledger.runs()[0].cost = NOTHING
    assert ledger.entries()[4]["event"]["noise_multiplier"] == 40.0
    assert ledger.runs()[0].cost.gaussian > 0
    ledger.verify()


def test_no_line_holds_a_private_value(tmp_path):
    ledger = create(tmp_path / "l")
    charge = Accountant(BUDGET, ledger=ledger).charge(Gaussian(50.0), "count")
    charge.gaussian(Sensitive(np.array([731903624]), l1=1, l2=1))
    assert b"7319036" not in (tmp_path / "l").read_bytes()


def test_a_copy_of_a_ledger_is_the_ledger_and_it_cannot_be_pickled(path):
    for ledger in (Ledger.open(path), create(None)):
        assert copy.copy(ledger) is copy.deepcopy(ledger) is ledger
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(ledger)


def test_an_existing_file_is_never_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        create(path)
    assert path.read_bytes() == before


def test_a_ledger_stays_with_its_file_when_the_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = create(Path("l"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    Accountant(BUDGET, ledger=ledger)
    assert len(ledger.entries()) == 2


def test_nothing_lies_beside_the_file_between_two_transactions(path):
    Ledger.open(path).spent()
    assert [p.name for p in path.parent.iterdir()] == ["claims.ledger"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE line SET raw = x'00'",
        "DELETE FROM line",
        "INSERT INTO line VALUES (90, x'00')",
        "INSERT OR REPLACE INTO line VALUES (2, x'00')",
    ],
)
def test_the_table_takes_further_lines_and_no_change(statement, path):
    with contextlib.closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    Ledger.open(path).verify()


@pytest.mark.parametrize("year", [1970, 2100])
def test_a_clock_decides_nothing(year, tmp_path, monkeypatch):
    now = create(tmp_path / "a")
    monkeypatch.setattr("dpsynth.ledger.ledger._now", lambda: f"{year}-01-01T00:00:00+00:00")
    other = create(tmp_path / "b")
    for ledger in (now, other):
        Accountant(Budget(0.9, 1e-6), ledger=ledger).charge(Gaussian(20.0), "work")
        with pytest.raises(BudgetExceededError):
            Accountant(Budget(0.9, 1e-6), ledger=ledger)
    assert now.spent() == other.spent()
    assert [e["kind"] for e in now.entries()] == [e["kind"] for e in other.entries()]
    assert now.entries()[-1].keys() == other.entries()[-1].keys()
    now.verify()


# Linked accounts.


def test_linked_accounts_share_one_budget(tmp_path):
    one, other = create(tmp_path / "a"), create(tmp_path / "b", dataset="visits")
    with Accountant(Budget(0.8, 1e-6), ledger=other) as accountant:
        accountant.charge(Gaussian.spending(accountant.cost_left), "there")
    with Accountant(Budget(0.3, 1e-6), ledger=one) as accountant:
        accountant.charge(Gaussian.spending(accountant.cost_left), "here")
    one.link(other)
    assert 0.8 < one.spent().epsilon < 1
    assert (one.joined_to, other.joined_to, other.remaining().epsilon) == (None, "claims", 0)
    with pytest.raises(BudgetExceededError, match="was joined to that of 'claims', which pays for both: use that one"):
        Accountant(Budget(0.1, 1e-6), ledger=Ledger.open(tmp_path / "b"))
    with pytest.raises(BudgetExceededError):
        Accountant(Budget(0.6, 1e-6), ledger=one)
    for ledger in (one, other):
        ledger.verify(ledger.head)


def test_caps_of_purposes_follow_a_link_and_a_link_of_links(tmp_path):
    policy = Policy({"research": Budget(0.9, 1e-6), "teaching": Budget(0.9, 1e-6)})
    first, second, third = (create(tmp_path / n, Budget(2.0, 1e-6), dataset=n, policy=policy) for n in "abc")
    research, teaching = (Job(purpose=p) for p in ("research", "teaching"))
    with Accountant(Budget(0.5, 1e-6), ledger=third, job=research) as accountant:
        accountant.charge(Gaussian.spending(accountant.cost_left), "ended")
    Accountant(Budget(0.4, 1e-6), ledger=second, job=research).charge(Gaussian(100.0), "died")
    second.link(third)
    first.link(second)
    assert first.spent("research") == first.spent()
    assert 0.6 < first.spent("research").epsilon < 0.9
    assert first.spent("teaching").epsilon == 0
    with pytest.raises(BudgetExceededError, match="the purpose 'research' has epsilon"):
        Accountant(Budget(0.8, 1e-6), ledger=first, job=research)
    Accountant(Budget(0.8, 1e-6), ledger=first, job=teaching).close()
    Ledger.open(tmp_path / "a").verify(first.head)


def test_an_account_that_a_link_brought_over_what_it_kept_grants_nothing_more(tmp_path):
    one, other = create(tmp_path / "one"), create(tmp_path / "other", Budget(1.0, 1e-6, 0.5))
    Accountant(Budget(0.5, 1e-6, 0.5), ledger=other, reserve=[ExternalProgram(0.5)]).charge(
        ExternalProgram(0.5), "theirs"
    )
    one.link(other)
    assert one.spent().epsilon == 0.5
    assert one.cost_left == 0
    assert one.remaining().epsilon == 0
    with pytest.raises(BudgetExceededError, match=r"epsilons of other programs would come to 0\.5, over the 0 that"):
        Accountant(Budget(0.1, 1e-6), ledger=one)


def test_a_link_that_was_cut_short_goes_on(tmp_path, monkeypatch):
    one, other = create(tmp_path / "a"), create(tmp_path / "b")
    Accountant(Budget(0.5, 1e-6), ledger=other).charge(Gaussian(50.0), "there")
    with monkeypatch.context() as patch:
        patch.setattr("dpsynth.ledger.shared.SharedAccount.counted_events", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            one.link(other)
    assert (one.spent().epsilon, other.joined_to) == (0, "claims")
    one.link(other)
    one.link(other)
    assert one.spent().epsilon == pytest.approx(0.5, rel=1e-9)
    assert [e["kind"] for e in one.entries()] == ["open", "link"]


def test_what_a_link_that_was_cut_short_left_behind_can_be_brought_to_whoever_pays_now(tmp_path, monkeypatch):
    """The account in the middle was joined on, twice, before anybody gave the first command again."""
    spent, middle, third, last = (create(tmp_path / name, dataset=name) for name in ("w", "z", "v", "u"))
    Accountant(Budget(0.5, 1e-6), ledger=spent).charge(Gaussian(50.0), "there")
    with monkeypatch.context() as patch:
        patch.setattr("dpsynth.ledger.shared.SharedAccount.counted_events", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            middle.link(spent)
    third.link(middle)
    last.link(third)
    with pytest.raises(ValueError, match="'z' was joined to that of 'v', which pays for both: use that one"):
        middle.link(spent)
    assert last.spent().epsilon == 0
    last.link(spent)
    last.link(spent)
    assert last.spent().epsilon == pytest.approx(0.5, rel=1e-9)
    Ledger.open(tmp_path / "u").verify(last.head)


def test_accounts_that_cannot_be_one_are_not_linked(tmp_path):
    one, same = create(tmp_path / "a"), Ledger.open(tmp_path / "a")
    third, fourth = create(tmp_path / "c"), create(tmp_path / "d")
    for other in (one, same, create(None), create(tmp_path / "b", unit=PrivacyUnit("person"))):
        with pytest.raises(ValueError, match=r"a file of its own|one account needs one unit"):
            one.link(other)
    one.link(third)
    for refused in (lambda: fourth.link(third), lambda: third.link(fourth)):
        with pytest.raises(ValueError, match="was joined to that of 'claims', which pays for both: use that one"):
            refused()
    assert [e["kind"] for e in fourth.entries()] == ["open"]
