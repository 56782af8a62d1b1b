"""The laws of the ledger: what is reserved, what is durable when, and what a reader refuses.

Each is a function of a kernel, as in `laws`: it returns when it holds and raises AssertionError when it does not.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np

from tests.rings.laws import BUDGET, Kernel, counts, fails, granted, ledger_file, rehashed

# Reservations.


def a_ledger_stays_within_its_budget(k: Kernel) -> None:
    """Of three jobs of which two fit, whoever comes last is refused, and nothing of it is recorded."""
    with ledger_file(k) as (path, ledger):
        half = k.Gaussian.spending(k.affordable(k.Budget(*BUDGET)) // 2)
        ledgers = [k.Ledger.open(path) for _ in "123"]
        jobs = [lambda x=x: k.Accountant(k.Budget(0.9, 1e-6), ledger=x, reserve=[half]) for x in ledgers]
        held = [granted(jobs[0]), granted(jobs[1])]
        lines = ledger.entries()
        fails(k.BudgetExceededError, jobs[2])
        assert ledger.entries() == lines
        assert ledger.spent().epsilon <= 1.0
        assert all(accountant.cost_left > 0 for accountant in held)


def a_run_that_never_ended_stays_spent(k: Kernel) -> None:
    with ledger_file(k) as (path, _):
        accountant = k.Accountant(k.Budget(*BUDGET), ledger=k.Ledger.open(path))
        for _ in "12":
            assert k.Ledger.open(path).spent().epsilon > 1 - 1e-9
            accountant.charge(k.Gaussian(1000.0), "a little")


def what_was_drawn_is_never_given_back(k: Kernel) -> None:
    ledger = k.Ledger.create(None, k.Budget(*BUDGET), dataset="law", unit=k.PrivacyUnit())
    accountant = k.Accountant(k.Budget(*BUDGET), ledger=ledger)
    accountant.charge(k.Gaussian(1000.0), "a little")
    fails(ValueError, lambda: ledger.void(accountant.run))
    with contextlib.suppress(KeyboardInterrupt), accountant:
        raise KeyboardInterrupt
    assert ledger.spent().epsilon > 1 - 1e-9
    accountant.close()
    assert ledger.spent() == accountant.spent() != k.Budget(0, 1e-6)
    for late in (ledger.void, ledger.commit, lambda run: ledger.charge(run, k.Gaussian(1000.0), "late")):
        fails(ValueError, lambda late=late: late(accountant.run))


def lines_that_break_a_rule_are_refused(k: Kernel) -> None:
    """Lines whose hashes are right, and which no ledger would have written."""
    event = {"event": "gaussian", "noise_multiplier": 100.0}
    run = {"run": "r", "budget": {"epsilon": 1.0, "delta": 1e-6}, "noise": "operating system", "reserve": [event]}
    run |= {"mechanism": "", "purpose": "", "approvals": {}, "schema": "", "time": None}
    charge, end = {"run": "r", "purpose": "", "event": event}, {"run": "r", "time": None}
    joined = {"account": "other", "dataset": "other", "time": None}
    good = [("run", run), ("drawing", {"run": "r"}), ("charge", charge), ("commit", {**end, "release": None})]
    bad = [
        [*good, ("charge", charge)],
        [*good[:3], ("charge", charge)],
        [good[0], good[2]],
        [*good[:3], ("void", end)],
        [*good[:2], good[0]],
        [*good[:2], good[1]],
        [*good, ("commit", {**end, "release": None})],
        [("forward", joined), good[0]],
        2 * [("link", {**joined, "head": "", "through": [], "events": [{"purpose": "", "event": event}]})],
        [("link", {**joined, "head": "", "through": [], "events": [{"purpose": 1, "event": event}]})],
        [("link", {**joined, "head": "", "through": [1], "events": []})],
        [("only", {"by": "", "time": None})],
        [("copy", {"time": None}), good[0]],
        [("copy", {"time": None}), ("copy", {"time": None})],
        [("forward", joined), ("copy", {"time": None})],
    ]
    taken_in(k, good)
    for lines in bad:
        taken_in(k, lines[:-1])
        fails(k.LedgerCorruptError, lambda lines=lines: taken_in(k, lines))


def a_run_may_use_its_own_number_of_records_of_a_person(k: Kernel) -> None:
    person = k.PrivacyUnit("person", 1)
    ledger = k.Ledger.create(None, k.Budget(*BUDGET), dataset="law", unit=person)

    def counted(unit: object) -> object:
        return k.Sensitive(np.array([3, 4]), l1=5.0, l2=5.0, protects=unit)

    for records in (None, 5):
        job = k.Job(max_records=records)
        accountant = k.Accountant(k.Budget(0.2, 1e-6), ledger=ledger, job=job)
        assert ledger.entries()[-1].get("max_records") == records
        assert ledger.runs()[-1].job == job
        resumed = ledger.runs()[-1].name
        own, swapped = person.using(records), k.PrivacyUnit("person", 1, "replace")
        for unit in (*map(person.using, (1, 4, 5, 6, 7)), k.PrivacyUnit("other", 5), k.PrivacyUnit(), swapped):
            charge = accountant.charge(k.Gaussian(1000.0), "look")
            if unit in [person.using(fewer) for fewer in range(1, own.max_records + 1)]:
                granted(lambda charge=charge, unit=unit: charge.gaussian(counted(unit)))
            else:
                fails(ValueError, lambda charge=charge, unit=unit: charge.gaussian(counted(unit)))
        again = k.Accountant.resumed(ledger, resumed).charge(k.Gaussian(1000.0), "look")
        granted(lambda again=again, own=own: again.gaussian(counted(own)))
    rows = k.Ledger.create(None, k.Budget(*BUDGET), dataset="law", unit=k.PrivacyUnit())
    for where, records in ((rows, 5), (ledger, 0), (ledger, True), (ledger, 2.0)):
        before = where.entries()
        job = k.Job(max_records=records)
        fails(ValueError, lambda where=where, job=job: k.Accountant(k.Budget(0.1, 1e-6), ledger=where, job=job))
        line = (k.Budget(0.1, 1e-6), [k.Gaussian(1000.0)], "operating system", job)
        fails(ValueError, lambda where=where, line=line: where.reserve("run", *line))
        assert where.entries() == before


def rows_without_ids_are_as_many_as_the_account_says(k: Kernel) -> None:
    ledger = k.Ledger.create(None, k.Budget(*BUDGET), dataset="law", unit=k.PrivacyUnit(max_records=5))
    for records in (1, 4, 5, 6):
        value = k.Sensitive(np.array([3, 4]), l1=5.0, l2=5.0, protects=k.PrivacyUnit(max_records=records))
        charge = k.Accountant(k.Budget(0.1, 1e-6), ledger=ledger).charge(k.Gaussian(1000.0), "look")
        if records == 5:
            granted(lambda charge=charge, value=value: charge.gaussian(value))
        else:
            fails(ValueError, lambda charge=charge, value=value: charge.gaussian(value))


def all_runs_tell_units_apart_alike(k: Kernel) -> None:
    for first, other in ((None, "a"), ("a", None), ("a", "b")):
        ledger = k.Ledger.create(None, k.Budget(*BUDGET), dataset="law", unit=k.PrivacyUnit("person"))

        def run(reading: object, ledger: object = ledger) -> object:
            return k.Accountant(k.Budget(0.1, 1e-6), ledger=ledger, job=k.Job(reading=reading))

        run(first)
        granted(lambda run=run, first=first: run(first))
        before = ledger.entries()
        assert before[-1].get("reading") == first
        fails(ValueError, lambda run=run, other=other: run(other))
        assert ledger.entries() == before
    for first, other in ((None, "a"), ("a", None), ("a", "b")):
        with ledger_file(k) as (_, fresh), ledger_file(k) as (_, one), ledger_file(k) as (_, two):
            runs = [(one, first), (two, other)]
            for ledger, reading in runs:
                k.Accountant(k.Budget(0.1, 1e-6), ledger=ledger, job=k.Job(reading=reading)).close()
            fails(ValueError, lambda one=one, two=two: one.link(two))
            k.Accountant(k.Budget(0.1, 1e-6), ledger=two, job=k.Job(reading=other)).close()  # it is not closed
            fresh.link(one)
            for job in (k.Job(reading=other), k.Job(reading=first)):
                begun = lambda job=job, fresh=fresh: k.Accountant(k.Budget(0.1, 1e-6), ledger=fresh, job=job)  # noqa: E731
                granted(begun) if job.reading == first else fails(ValueError, begun)


def a_policy_is_kept(k: Kernel) -> None:
    policy = k.Policy({"research": k.Budget(0.3, 1e-6)}, ("board",), ("mst",))
    ledger = k.Ledger.create(None, k.Budget(*BUDGET), dataset="law", unit=k.PrivacyUnit(), policy=policy)

    def job(epsilon: float, **other: object) -> object:
        facts = {"mechanism": "mst", "purpose": "research", "approvals": {"board": "case 1"}, **other}
        return k.Accountant(k.Budget(epsilon, 1e-6), ledger=ledger, job=k.Job(**facts))

    for other in ({"mechanism": "aim"}, {"purpose": "sale"}, {"approvals": {}}, {"approvals": {"board": " "}}):
        fails(k.PolicyRefusedError, lambda other=other: job(0.1, **other))
    ledger.set_policy(k.Policy(persons=True))
    fails(k.PolicyRefusedError, lambda: job(0.1))
    ledger.set_policy(policy)
    months = k.PrivacyUnit(["person", "month(visit)"])
    other = k.Ledger.create(None, k.Budget(*BUDGET), dataset="x", unit=months, policy=k.Policy(persons=True))
    fails(k.PolicyRefusedError, lambda: k.Accountant(k.Budget(0.1, 1e-6), ledger=other))
    job(0.2)
    fails(k.BudgetExceededError, lambda: job(0.29))
    assert [e["kind"] for e in ledger.entries()] == ["open", "policy", "policy", "policy", "run"]


def linked_accounts_are_one(k: Kernel) -> None:
    with ledger_file(k) as (_, one), ledger_file(k) as (path, other):
        done = k.Accountant(k.Budget(0.5, 1e-6), ledger=other, job=k.Job(purpose="research"))
        done.charge(k.Gaussian(20.0), "done")
        done.close()
        open_ = k.Accountant(k.Budget(0.3, 1e-6), ledger=other, job=k.Job(purpose="teaching"))
        cost = done._cost + open_._reserved
        one.link(other)
        assert [one.spent(p).epsilon for p in ("research", "teaching")] == [
            other.spent(p).epsilon for p in ("research", "teaching")
        ]
        assert one.cost_left == k.affordable(one.budget) - cost.gaussian
        for ledger in (other, k.Ledger.open(path)):
            fails(k.BudgetExceededError, lambda ledger=ledger: k.Accountant(k.Budget(0.1, 1e-6), ledger=ledger))
        fails(ValueError, lambda: open_.charge(k.Gaussian(1000.0), "after it was joined"))
        one.link(other)
        assert one.cost_left == k.affordable(one.budget) - cost.gaussian


def what_a_cut_link_left_behind_can_be_brought(k: Kernel) -> None:
    with ledger_file(k) as (_, spent), ledger_file(k) as (_, middle), ledger_file(k) as (_, last):
        k.Accountant(k.Budget(0.5, 1e-6), ledger=spent).charge(k.Gaussian(20.0), "there")
        with spent._book.writing() as write:  # a link of middle and spent dies here
            write("forward", {"account": middle._book.account.key, "dataset": "middle", "time": ""})
        with ledger_file(k) as (_, between):
            between.link(middle)
            fails(ValueError, lambda: last.link(spent))
            last.link(between)
        with contextlib.suppress(ValueError):
            last.link(spent)
        assert last.spent().epsilon == spent.spent().epsilon > 0
        fails(ValueError, lambda: middle.link(spent))


def a_copy_is_not_spent_from_until_it_is_declared_the_only_one(k: Kernel) -> None:
    with ledger_file(k) as (path, ledger), ledger_file(k) as (_, other):
        names = (path.with_name(f"{number}") for number in itertools.count())
        held = k.Accountant(k.Budget(0.3, 1e-6), ledger=ledger)
        held.charge(k.Gaussian(1000.0), "before")

        def imported(source: object, **facts: object) -> object:
            lines, copy = next(names), next(names)
            source.export(lines)
            return k.Ledger.import_lines(lines, copy, **facts)

        first = imported(ledger)
        copies = [first, k.Ledger.open(first.path), imported(first)]
        for copy in copies:
            lines = copy.entries()
            assert lines[:-1] == ledger.entries()
            fails(k.BudgetExceededError, lambda copy=copy: k.Accountant(k.Budget(0.1, 1e-6), ledger=copy))
            for act in (lambda c: c.charge(held.run, k.Gaussian(1000.0), "after"), lambda c: c.commit(held.run),
                        lambda c: c.link(other), lambda c: other.link(c)):  # fmt: skip
                fails(ValueError, lambda copy=copy, act=act: act(copy))
            assert copy.entries() == lines
            assert copy.cost_left == 0 < copy.spent().epsilon == ledger.spent().epsilon
        assert len(other.entries()) == 1
        declared = imported(first, only=True, by="the owner")
        assert [line["kind"] for line in declared.entries()[-2:]] == ["copy", "only"]
        declared.charge(held.run, k.Gaussian(1000.0), "after")
        assert declared.cost_left == ledger.cost_left > 0
        k.Accountant(k.Budget(0.1, 1e-6), ledger=declared)
        other.link(declared)
        fails(ValueError, lambda: imported(declared, only=True))
        fails(k.BudgetExceededError, lambda: k.Accountant(k.Budget(0.1, 1e-6), ledger=imported(declared)))


# What is durable when.


def what_is_granted_was_recorded_before(k: Kernel) -> None:
    """When the first random bit is asked for, the file itself, without what lies beside it, holds the charge."""
    with ledger_file(k) as (path, ledger):
        accountant, seen = k.Accountant(k.Budget(*BUDGET), ledger=ledger), []

        def recorded() -> list[str]:
            copy = path.with_name(f"copy-{len(seen)}")
            copy.write_bytes(path.read_bytes())
            return [str(line["kind"]) for line in k.Ledger.open(copy).entries()]

        def bits(count: int) -> bytes:
            seen.append(recorded())
            return os.urandom(count)

        accountant._bits = bits
        with held_open(path):
            charge = accountant.charge(k.Gaussian(50.0), "look behind you")
            assert recorded()[-2:] == ["drawing", "charge"]
            charge.gaussian(counts(k, np.array([1]), 1, 1))
        assert seen
        assert all("charge" in kinds for kinds in seen)


def every_commit_is_synced(k: Kernel) -> None:
    """At each COMMIT the connection is one that waits for the disk."""
    levels = []

    class Watched(sqlite3.Connection):
        def execute(self, statement: str, *rest: object) -> sqlite3.Cursor:
            if statement == "COMMIT":
                levels.append(super().execute("PRAGMA synchronous").fetchone()[0])
            return super().execute(statement, *rest)

    with (
        mock.patch.object(sqlite3, "connect", partial(sqlite3.connect, factory=Watched)),
        ledger_file(k) as (_, ledger),
    ):
        k.Accountant(k.Budget(*BUDGET), ledger=ledger).charge(k.Gaussian(50.0), "law")
    assert len(levels) == 3
    assert min(levels) >= 2


# The ledger's lines and its file.


def an_edited_ledger_is_refused(k: Kernel) -> None:
    """A line whose hash was computed anew breaks the link of the next; one whose hash was not, its own."""
    with ledger_file(k) as (path, ledger):
        accountant = k.Accountant(k.Budget(*BUDGET), ledger=ledger)
        for purpose in ("first", "second"):
            accountant.charge(k.Gaussian(20.0), purpose)
        ledger.export(path.with_name("lines"))
        good = path.with_name("lines").read_text()

        def read(text: str) -> None:
            source, copy = (path.with_name(f"{next(NUMBERS)}") for _ in "12")
            source.write_text(text)
            k.Ledger.import_lines(source, copy).verify()

        read(good)
        lines = good.splitlines(True)
        record = json.loads(lines[3])
        record["event"]["noise_multiplier"] = 2000.0
        forged = [*lines[:3], rehashed(record) + "\n", *lines[4:]]
        for bad in (good.replace("second", "2econd"), "".join(forged), "".join(lines[:2] + lines[3:])):
            fails(k.LedgerCorruptError, lambda bad=bad: read(bad))


def a_ledger_that_lost_lines_is_refused(k: Kernel) -> None:
    with ledger_file(k) as (path, ledger):
        older = path.read_bytes()
        accountant = k.Accountant(k.Budget(*BUDGET), ledger=ledger)
        accountant.charge(k.Gaussian(20.0), "first")
        newer = path.read_bytes()
        path.write_bytes(older)
        fails(k.LedgerCorruptError, ledger.spent)
        fails(k.LedgerCorruptError, lambda: accountant.charge(k.Gaussian(20.0), "second"))
        path.write_bytes(newer)
        ledger.verify(ledger.head)


def a_file_of_another_form_is_refused(k: Kernel) -> None:
    for change in (
        "DROP TRIGGER line_changed",
        "CREATE TABLE more (x)",
        "PRAGMA user_version = 2",
        "PRAGMA application_id = 1",
    ):
        with ledger_file(k) as (path, ledger):
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute(change)
            fails(k.LedgerCorruptError, ledger.spent)


def a_page_that_hides_its_last_line_is_refused(k: Kernel) -> None:
    """One byte of a page says how many lines it holds: with one less, the chain is whole, and a charge is gone."""
    with ledger_file(k) as (path, ledger):
        k.Accountant(k.Budget(*BUDGET), ledger=ledger)
        whole, found = path.read_bytes(), 0
        for page in range(4096, len(whole), 4096):
            if whole[page : page + 5] == bytes([0x0D, 0, 0, 0, 2]):  # a leaf of a table, with two cells
                path.write_bytes(whole[: page + 4] + b"\x01" + whole[page + 5 :])
                fails(k.LedgerCorruptError, lambda: k.Ledger.open(path))
                found += 1
        assert found == 1


def a_ledger_file_is_changed_by_one_at_a_time(k: Kernel) -> None:
    """A reservation that waits for another program's turn has not looked yet: what that one adds, it takes in."""
    with ledger_file(k) as (path, ledger):
        event, failures = k.Gaussian.spending(k.affordable(k.Budget(*BUDGET)) * 2 // 3), []

        def work() -> None:
            try:
                ledger.reserve("second", k.Budget(*BUDGET), [event], "operating system", k.Job())
            except Exception as error:
                failures.append(type(error))

        other = k.Book(k.File(path))
        other.refresh()
        run = {
            "run": "first",
            "budget": {"epsilon": 1.0, "delta": 1e-6},
            "noise": "",
            "reserve": [k.event_to_dict(event)],
        }
        run |= {"mechanism": "", "purpose": "", "approvals": {}, "schema": "", "time": None}
        line = k.next_line(other.lines[-1], "run", run)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            waiting = threading.Thread(target=work)
            waiting.start()
            waiting.join(0.2)
            assert waiting.is_alive()
            connection.execute("INSERT INTO line VALUES (1, ?)", (line.raw,))
            connection.execute("COMMIT")
        waiting.join()
        assert failures == [k.BudgetExceededError]


# What the laws are made of.


NUMBERS = itertools.count()


@contextlib.contextmanager
def held_open(path: Path) -> Iterator[None]:
    """Another program has the file open, so that closing ours does not tidy up."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("SELECT count(*) FROM line").fetchone()
        yield


def taken_in(k: Kernel, lines: list[tuple[str, dict]]) -> None:
    """Reads these lines after an open line, as from a file: their hashes are right."""
    unit, budget = {"id_column": None, "max_records": 1, "adjacency": "add-remove"}, {"epsilon": 1.0, "delta": 1e-6}
    opened = {"format": k.FORMAT, "dataset": "law", "account": "", "unit": unit, "budget": budget, "time": None}
    book, raws, last = k.Book(k.Memory()), [], None
    for kind, fields in [("open", opened), *lines]:
        last = k.next_line(last, kind, fields)
        raws.append(last.raw)
    book.take_in(raws)
