"""For each wall of the ledger a mutant that breaks it, and the law that sees the break."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rings import kernel, laws, ledger_laws
from tests.rings.kernel import Mutant
from tests.rings.processes import needs_fork

MUTANTS = [
    Mutant(
        "room not checked",
        "ledger.py",
        "self._book.account.refuse_what_has_no_room(cost, budget, job.purpose)",
        "pass",
        ledger_laws.a_ledger_stays_within_its_budget,
    ),
    Mutant(
        "what others reserved does not count",
        "account.py",
        "total = total + run.reserved",
        "pass",
        ledger_laws.a_ledger_stays_within_its_budget,
    ),
    Mutant(
        "others' lines not read",
        "reader.py",
        "self._read_new_lines(transaction)\n",
        "self.lines or self._read_new_lines(transaction)\n",
        ledger_laws.a_ledger_stays_within_its_budget,
    ),
    Mutant(
        "an open run counts by its charges",
        "account.py",
        "total = total + run.reserved",
        "total = total + run.cost",
        ledger_laws.a_run_that_never_ended_stays_spent,
    ),
    Mutant(
        "a drawing run can be void",
        "account.py",
        'if self.open_run(record["run"]).state == "drawing":',
        "if False:",
        ledger_laws.what_was_drawn_is_never_given_back,
    ),
    Mutant(
        "an exception ends a run",
        "accountant.py",
        "if not self._ended and (kind is None or self._cost == NOTHING):",
        "if not self._ended:",
        ledger_laws.what_was_drawn_is_never_given_back,
    ),
    Mutant(
        "a commit gives everything back",
        "account.py",
        'return self.cost if self.state == "committed" else self.reserved',
        "return NOTHING",
        ledger_laws.what_was_drawn_is_never_given_back,
    ),
    Mutant(
        "a run can be overdrawn by hand",
        "account.py",
        "if not within(after, run.reserved):",
        "if False:",
        ledger_laws.lines_that_break_a_rule_are_refused,
    ),
    Mutant(
        "a charge before the drawing",
        "account.py",
        'if run.state != "drawing":',
        "if False:",
        ledger_laws.lines_that_break_a_rule_are_refused,
    ),
    Mutant(
        "a second run of the name",
        "account.py",
        'if record["run"] in self.runs:',
        "if False:",
        ledger_laws.lines_that_break_a_rule_are_refused,
    ),
    Mutant(
        "lines after the forward",
        "shared.py",
        "if self.closed is not None and (",
        "if self.closed is not None and self.forward is None and (",
        ledger_laws.lines_that_break_a_rule_are_refused,
    ),
    Mutant(
        "what was joined twice counts twice",
        "shared.py",
        'if record["account"] in self.linked:',
        "if False:",
        ledger_laws.lines_that_break_a_rule_are_refused,
    ),
    Mutant(
        "policy not asked",
        "ledger.py",
        "self._book.account.policy.refuse(job, self.unit)",
        "pass",
        ledger_laws.a_policy_is_kept,
    ),
    Mutant(
        "purposes have no caps",
        "shared.py",
        "if purpose in self.policy.purposes:",
        "if False:",
        ledger_laws.a_policy_is_kept,
    ),
    Mutant(
        "a run of five rows a person held to the ledger's one",
        "accountant.py",
        "ledger.unit.using(None if job is None else job.max_records)",
        "ledger.unit",
        ledger_laws.a_run_may_use_its_own_number_of_records_of_a_person,
    ),
    Mutant(
        "a resumed run held to the ledger's number",
        "accountant.py",
        "accountant._protects = ledger.unit.using(facts.job.max_records)",
        "accountant._protects = ledger.unit",
        ledger_laws.a_run_may_use_its_own_number_of_records_of_a_person,
    ),
    Mutant(
        "any number of rows, whatever the line says",
        "accountant.py",
        "protects == own or (fewer and protects.within(own))",
        "protects.id_column == own.id_column",
        ledger_laws.a_run_may_use_its_own_number_of_records_of_a_person,
    ),
    Mutant(
        "more records of a person than the run states",
        "unit.py",
        "and self.max_records <= stated.max_records",
        "",
        ledger_laws.a_run_may_use_its_own_number_of_records_of_a_person,
    ),
    Mutant(
        "fewer rows of nobody in particular than the run states",
        "unit.py",
        "self.id_column is not None and self.id_column == stated.id_column",
        "self.id_column == stated.id_column",
        ledger_laws.rows_without_ids_are_as_many_as_the_account_says,
    ),
    Mutant(
        "people that leave on an account of people that are replaced",
        "unit.py",
        "with_ids and self.adjacency == stated.adjacency and",
        "with_ids and",
        ledger_laws.a_run_may_use_its_own_number_of_records_of_a_person,
    ),
    Mutant(
        "groups of rows of any size on one account",
        "unit.py",
        "if max_records is not None and self.id_column is None:",
        "if False:",
        ledger_laws.a_run_may_use_its_own_number_of_records_of_a_person,
    ),
    Mutant(
        "lines that are not asked for a number of rows",
        "account.py",
        "        self.unit.using(own)  #",
        "        #",
        ledger_laws.a_run_may_use_its_own_number_of_records_of_a_person,
    ),
    Mutant(
        "runs that tell units apart by other declarations",
        "account.py",
        "if None not in (told, self.told) and told != self.told:",
        "if False:",
        ledger_laws.all_runs_tell_units_apart_alike,
    ),
    Mutant(
        "a joined account that told units apart otherwise",
        "linking.py",
        '"reading": other.told, ',
        "",
        ledger_laws.all_runs_tell_units_apart_alike,
    ),
    Mutant(
        "rows for persons",
        "ledger_policy.py",
        "if self.persons and (unit.id_column is None or unit.periods):",
        "if False:",
        ledger_laws.a_policy_is_kept,
    ),
    Mutant(
        "months of persons for persons",
        "ledger_policy.py",
        "if self.persons and (unit.id_column is None or unit.periods):",
        "if self.persons and unit.id_column is None:",
        ledger_laws.a_policy_is_kept,
    ),
    Mutant(
        "any approval will do",
        "ledger_policy.py",
        'if not job.approvals.get(name, "").strip()]',
        "if name not in job.approvals]",
        ledger_laws.a_policy_is_kept,
    ),
    Mutant(
        "what was spent elsewhere does not count",
        "shared.py",
        "for key in (None, purpose):",
        "for key in ():",
        ledger_laws.linked_accounts_are_one,
    ),
    Mutant(
        "accounts that a joined one paid for are forgotten",
        "shared.py",
        'self.linked |= {record["account"], *record["through"]}',
        'self.linked |= {record["account"]}',
        ledger_laws.what_a_cut_link_left_behind_can_be_brought,
    ),
    Mutant(
        "any account's spending is brought to any",
        "linking.py",
        "elif theirs.account.forward[0] not in (one.key, *mine.account.linked):",
        "elif False:",
        ledger_laws.what_a_cut_link_left_behind_can_be_brought,
    ),
    Mutant(
        "what was spent elsewhere counts for no purpose",
        "shared.py",
        "for key in (None, purpose):",
        "for key in (None,):",
        ledger_laws.linked_accounts_are_one,
    ),
    Mutant(
        "reservations elsewhere do not count",
        "shared.py",
        'elif run is not None and line["kind"] == "run" and run.state in ("reserved", "drawing"):',
        "elif False:",
        ledger_laws.linked_accounts_are_one,
    ),
    Mutant(
        "joined accounts both pay",
        "linking.py",
        'write("forward", {"account": one.key, "dataset": one.dataset, "time": time})',
        "pass",
        ledger_laws.linked_accounts_are_one,
    ),
    Mutant(
        "copies are spent from",
        "shared.py",
        "if self.copied:",
        "if False:",
        ledger_laws.a_copy_is_not_spent_from_until_it_is_declared_the_only_one,
    ),
    Mutant(
        "every import is the only one",
        "ledger.py",
        "if only:",
        "if True:",
        ledger_laws.a_copy_is_not_spent_from_until_it_is_declared_the_only_one,
    ),
    Mutant(
        "an import is no copy",
        "ledger.py",
        'write("copy", {"time": _now()})',
        "pass",
        ledger_laws.a_copy_is_not_spent_from_until_it_is_declared_the_only_one,
    ),
    Mutant(
        "a run goes on in a copy",
        "shared.py",
        '(self.forward is not None or record["kind"] != "only")',
        "self.forward is not None",
        ledger_laws.a_copy_is_not_spent_from_until_it_is_declared_the_only_one,
    ),
    Mutant(
        "a copy closes another account",
        "linking.py",
        "if one.closed is not None:",
        "if False:",
        ledger_laws.a_copy_is_not_spent_from_until_it_is_declared_the_only_one,
    ),
    Mutant(
        "declared the only one without being a copy",
        "shared.py",
        "if not self.copied:",
        "if False:",
        ledger_laws.lines_that_break_a_rule_are_refused,
    ),
    Mutant(
        "not recorded",
        "accountant.py",
        "self.ledger.charge(self.run, event, purpose, code)",
        "0",
        ledger_laws.what_is_granted_was_recorded_before,
    ),
    Mutant(
        "recorded after the noise was drawn",
        "accountant.py",
        "number = self.ledger.charge(self.run, event, purpose, code)",
        "number = 0; b, a = self._bits, (self.run, event, purpose, code);"
        " self._bits = lambda n: (b(n), self.ledger.charge(*a))[0]",
        ledger_laws.what_is_granted_was_recorded_before,
    ),
    Mutant(
        "granted while it is in the -wal file alone",
        "store.py",
        'connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()',
        "[0]",
        ledger_laws.what_is_granted_was_recorded_before,
    ),
    Mutant(
        "granted before it is on the disk",
        "store.py",
        '"synchronous = FULL"',
        '"synchronous = OFF"',
        ledger_laws.every_commit_is_synced,
    ),
    Mutant(
        "hash not checked",
        "chain.py",
        'record["hash"] == line_hash(record)',
        'bool(record["hash"])',
        ledger_laws.an_edited_ledger_is_refused,
    ),
    Mutant(
        "chain not checked",
        "chain.py",
        'linked = record["prev"] == prev and',
        "linked =",
        ledger_laws.an_edited_ledger_is_refused,
    ),
    Mutant(
        "lost lines not missed",
        "reader.py",
        "if last >= 0 and (not raws or raws[0] != self.lines[last].raw):",
        "if False:",
        ledger_laws.a_ledger_that_lost_lines_is_refused,
    ),
    Mutant("form not checked", "store.py", "found != _SCHEMA or", "", ledger_laws.a_file_of_another_form_is_refused),
    Mutant(
        "version not checked",
        "store.py",
        "if version != FORMAT:",
        "if False:",
        ledger_laws.a_file_of_another_form_is_refused,
    ),
    Mutant(
        "application not checked",
        "store.py",
        ".fetchone() != (_APPLICATION,):",
        ".fetchone() is None:",
        ledger_laws.a_file_of_another_form_is_refused,
    ),
    Mutant(
        "pages not checked",
        "store.py",
        "if check and",
        "if False and",
        ledger_laws.a_page_that_hides_its_last_line_is_refused,
    ),
    Mutant(
        "no lock before reading",
        "store.py",
        '"BEGIN IMMEDIATE" if write else "BEGIN"',
        '"BEGIN"',
        ledger_laws.a_ledger_file_is_changed_by_one_at_a_time,
    ),
]

LAWS = sorted({m.law for m in MUTANTS}, key=lambda law: law.__name__)


@pytest.fixture
def kernel_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[kernel.Build]:
    with kernel.workshop(tmp_path, monkeypatch) as build:
        yield build


@needs_fork
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_kernel_obeys_every_law(law: laws.Law) -> None:
    law(kernel.load())


@needs_fork
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_the_law_kills_the_mutant(mutant: Mutant, kernel_with) -> None:
    broken = kernel_with(mutant.file, mutant.old, mutant.new)
    with pytest.raises(AssertionError):
        mutant.law(broken)


def test_every_law_has_a_mutant() -> None:
    stated = {
        f
        for f in vars(ledger_laws).values()
        if callable(f) and getattr(f, "__annotations__", {}) == {"k": "Kernel", "return": "None"}
    }
    assert {law.__name__ for law in stated} == {law.__name__ for law in LAWS}
