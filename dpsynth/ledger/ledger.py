"""Ledger: the account of one data set, from which every run that ever touches it is paid.

A ledger is a chain of lines (`chain`), kept in memory or in a file (`store`), which amount to an account (`account`).
A run is paid in four steps, each durable before the next begins: `reserve` its whole cost, in the one transaction that
checks that there is room; `charge` each event before its noise is drawn (the first one, or `begin`, marks the run as
drawing); `commit` with the hash of what was released, which gives back what was never begun. A crash anywhere loses a
release, never a charge: what was reserved stays spent. `void` gives a reservation back as long as no row was read for
it. The steps of a training are claimed before they are taken (`steps`), so that one that died may go on with those that
are left.

What makes two runs share a budget is the account that they are given, and nothing about the file their rows came from:
a data set renamed, reordered or exported anew is paid from the same account. An account has a random key, the name of
its data set and its unit, and each run records the fingerprint of its schema: public facts, all of them.

The chain shows accidents and careless edits. Whoever may write the file can cut off its end, or put an older copy in
its place; that shows only against a `head` kept elsewhere, which is why every certificate carries one.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dpsynth.accounting.ledger_policy import Policy, policy_record
from dpsynth.base.closed import Closed
from dpsynth.base.job import Job
from dpsynth.kernel import budget as budgets
from dpsynth.kernel.account import FORMAT, SECURE, Run, gaussian_spending
from dpsynth.kernel.budget import Budget, BudgetExceededError
from dpsynth.kernel.cost import NOTHING, Cost
from dpsynth.kernel.events import Event, Progress
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger import linking
from dpsynth.ledger.chain import LedgerCorruptError
from dpsynth.ledger.names import event_from_dict, event_to_dict
from dpsynth.ledger.reader import Book
from dpsynth.ledger.store import File, Memory


class Ledger(Closed):
    """The account of one data set: `create` or `open` it, then give it to as many accountants as you like.

    Parameters
    ----------
    book : Book
        Its lines; `create`, `open` and `import_lines` make one.
    """

    _closed_because = "a ledger cannot be pickled: open its file again"

    def __init__(self, book: Book) -> None:
        self._book = book

    @classmethod
    def create(
        cls, path: str | Path | None, budget: Budget, *, dataset: str, unit: PrivacyUnit, policy: Policy | None = None
    ) -> Ledger:
        """A new account. path: a new file; None keeps it in memory, without key and dates, until its process ends."""
        if not isinstance(budget, Budget) or budget.epsilon <= 0:
            raise ValueError(f"a ledger needs a Budget with epsilon above 0, got {budget!r}")
        if not isinstance(unit, PrivacyUnit) or not isinstance(dataset, str):
            raise TypeError(f"a ledger needs the name of a data set and a PrivacyUnit, got {dataset!r} and {unit!r}")
        key, time = ("", None) if path is None else (secrets.token_hex(16), _now())
        draft = Book(Memory())
        facts = {"dataset": dataset, "account": key, "unit": asdict(unit), "budget": asdict(budget)}
        with draft.writing() as write:
            write("open", {**facts, "format": FORMAT, "time": time})
            if policy is not None:
                write("policy", {"policy": policy_record(policy), "time": time})
        return cls(draft) if path is None else cls._kept(draft, Path(path))

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """An existing file ledger, verified; one that another process makes at this moment is waited for."""
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path} does not exist: give the path of a ledger, or create one")
        file = File(Path(path).absolute())
        file.await_lines()
        book = Book(file)
        book.refresh(check=True)
        if not book.lines:
            raise LedgerCorruptError(f"{path} holds no account: remove it, and create one")
        return cls(book)

    @classmethod
    def import_lines(cls, source: str | Path, path: str | Path, *, only: bool = False, by: str = "") -> Ledger:
        """A new file ledger of the lines that `export` wrote: a copy, which is read and not spent from.

        only: declares that no other copy of the account is spent from any more; then this one goes on in place of the
        first. by: who declares it. Both are lines of the ledger (`copy`, `only`).
        """
        if not isinstance(by, str) or (by and not only):
            raise ValueError(f"by is text, who declares an import the only copy: give it with only=True, got {by!r}")
        *raws, rest = Path(source).read_bytes().split(b"\n")
        if rest or not raws:
            raise LedgerCorruptError(f"{source} is empty, or ends in the middle of a line: fetch it again")
        draft = Book(Memory(raws))
        with draft.writing() as write:
            if draft.account.closed is None:
                write("copy", {"time": _now()})
            if only:
                write("only", {"by": by, "time": _now()})
        return cls._kept(draft, Path(path))

    def export(self, path: str | Path) -> None:
        """Writes all lines to a new text file, one JSON object each: the same bytes, and the same hashes."""
        self._book.refresh()
        with Path(path).open("xb") as file:
            file.writelines(line.raw + b"\n" for line in self._book.lines)

    @property
    def path(self) -> Path | None:
        return self._book.store.path if isinstance(self._book.store, File) else None

    @property
    def dataset(self) -> str:
        return self._book.account.dataset

    @property
    def key(self) -> str:
        """What identifies the account, wherever its file lies."""
        return self._book.account.key

    @property
    def unit(self) -> PrivacyUnit:
        return self._book.account.unit

    @property
    def budget(self) -> Budget:
        return self._book.account.budget

    @property
    def head(self) -> str:
        """The hash of the last line that this object has seen: it commits to everything before it."""
        return self._book.lines[-1].hash

    @property
    def policy(self) -> Policy:
        """What is asked of a run now."""
        self._book.refresh()
        return self._book.account.policy

    @property
    def private(self) -> bool:
        """False once a seeded run has drawn on this account."""
        return all(run.noise == SECURE for run in self.runs())

    @property
    def joined_to(self) -> str | None:
        """The data set whose account pays for this one since they were linked, if they were."""
        self._book.refresh()
        return self._book.account.forward[1] if self._book.account.forward else None

    @property
    def closed(self) -> str | None:
        """Why nothing can be spent here, in a sentence: it was joined to another, or is a copy. None where it pays."""
        self._book.refresh()
        return self._book.account.closed

    @property
    def cost_left(self) -> int:
        """What a Gaussian run could still reserve, in the units of `Event.cost`."""
        cost = self.cost
        left = budgets.gaussian_left(cost, self.budget) if self._book.account.closed is None else 0
        return left if budgets.fits(cost, self.budget) else min(0, left)

    @property
    def cost(self) -> Cost:
        """What all runs have spent or hold reserved, in the units of `Event.cost`."""
        self._book.refresh()
        return self._book.account.cost()

    def spent(self, purpose: str | None = None) -> Budget:
        """What all runs, or those of one purpose, have spent or hold reserved."""
        self._book.refresh()
        return budgets.spent(self._book.account.cost(purpose), self.budget)

    def remaining(self) -> Budget:
        """What one further fit could spend, at the ledger's delta. (Epsilons of parts do not add up to the whole.)"""
        return gaussian_spending(self.cost_left, self.budget)

    def runs(self) -> list[Run]:
        """All runs, oldest first: copies, free to keep."""
        self._book.refresh()
        return [replace(run, trainings=dict(run.trainings)) for run in self._book.account.runs.values()]

    def entries(self) -> list[dict[str, Any]]:
        """All lines, oldest first: copies, free to keep."""
        self._book.refresh()
        return [json.loads(line.raw) for line in self._book.lines]

    def reserved_by(self, run: str) -> tuple[Event, ...]:
        """The events that a run has reserved."""
        line = next(line for line in self.entries() if line["kind"] == "run" and line["run"] == run)
        return tuple(map(event_from_dict, line["reserve"]))

    def event_at(self, line: int) -> Event:
        """The event that a line charges."""
        return event_from_dict(self.entries()[line]["event"])

    def verify(self, head: str | None = None) -> None:
        """Reads everything anew; raises LedgerCorruptError at the first line that does not follow from the one before.

        head: a hash that was noted earlier, on a certificate say, or its first 16 digits or more; the ledger must still
        hold its line. ValueError for what is no such text.
        """
        if head is not None and not re.fullmatch(r"[0-9a-f]{16,64}", head):
            raise ValueError(f"a head is a hash of 64 digits 0-9 and a-f, or at least the first 16, got {head!r}")
        again, known = Book(self._book.store), self._book.lines
        again.refresh(check=True)
        if [line.raw for line in again.lines[: len(known)]] != [line.raw for line in known]:
            raise LedgerCorruptError(
                f"{again.store.where} is no longer the ledger that was opened, lines differ: restore it from a copy"
            )
        if head is not None and not any(line.hash.startswith(head) for line in again.lines):
            raise LedgerCorruptError(
                f"the ledger of {self.dataset!r} holds no line with hash {head}: its end was cut off,"
                " it was written anew, or the hash belongs to another ledger; restore it, or give a head of its own"
            )

    def set_policy(self, policy: Policy) -> None:
        """Asks this of every run from now on. Earlier policies stay in the ledger's lines."""
        with self._book.writing() as write:
            write("policy", {"policy": policy_record(policy), "time": self._time()})

    def reserve(self, run: str, budget: Budget, events: Sequence[Event], noise: str, job: Job) -> Cost:
        """Reserves the cost of these events for a run, durably, and returns it.

        Raises PolicyRefusedError or BudgetExceededError, and records nothing, if the account cannot bear all of it.
        """
        records = [event_to_dict(event) for event in events]
        for event in events:
            event.refuse(self.unit)
        cost = sum((event.cost for event in events), start=NOTHING)
        if not budgets.fits(cost, budget):
            raise BudgetExceededError.by("reserve", cost, NOTHING, budget, "this run's budget")
        with self._book.writing() as write:
            self._book.account.policy.refuse(job, self.unit)
            self._book.account.refuse_what_has_no_room(cost, budget, job.purpose)
            fields = {"run": run, "budget": asdict(budget), "noise": noise, "reserve": records, "time": self._time()}
            write("run", {**fields, **asdict(job)})
        return cost

    def begin(self, run: str) -> None:
        """Marks a run as drawing, durably, before its rows are read: from then on it cannot be voided. Idempotent."""
        with self._book.writing() as write:
            if self._book.account.open_run(run).state == "reserved":
                write("drawing", {"run": run})

    def charge(self, run: str, event: Event, purpose: str, code: str | None = None) -> int:
        """Records the event if the run has reserved it, durably, and returns the number of its line.

        code: of a function that sees raw rows (`base/code_name.py`).
        Raises BudgetExceededError, and records nothing, if the run has not.
        """
        record = event_to_dict(event)
        event.refuse(self.unit)
        if not isinstance(purpose, str):
            raise TypeError(f"a purpose must be text, for the reader of the ledger, got {type(purpose).__name__}")
        with self._book.writing() as write:
            facts = self._book.account.open_run(run)
            after = facts.cost + event.cost
            if not budgets.within(after, facts.reserved):
                raise BudgetExceededError.by(purpose, after, facts.cost, facts.budget, "this run's reservation")
            if facts.state == "reserved":
                write("drawing", {"run": run})
            write("charge", {"run": run, "purpose": purpose, "event": record, "code": code})
            return len(self._book.lines) - 1

    def claim(self, run: str, charge: int, resumed: int, most: int) -> Progress:
        """Claims the next steps of a training, durably: before the first of them is taken. What is claimed then.

        charge: the number of the line that pays. resumed: how often the training was when the claimant took it up.
        most: how many; fewer where no more are left. Raises ValueError, and records nothing, where none is left, the
        run has ended, or somebody has resumed the training since.
        """
        with self._book.writing() as write:
            steps = self._book.account.training(run, charge)
            facts = {"resumed": resumed, "lost": steps.lost, "upto": min(steps.upto + most, steps.paid)}
            write("steps", {"run": run, "charge": charge, **facts})
            return self._book.account.training(run, charge)

    def resume(self, run: str, charge: int, done: int, code: str | None = None) -> Progress:
        """Takes a training over, durably, from a state after `done` steps; what else was claimed by now is lost.

        Whoever had it before is refused from then on. It may have no steps left. Raises ValueError where the run has
        ended, or fewer steps than that were claimed.
        """
        with self._book.writing() as write:
            steps = self._book.account.training(run, charge)
            facts = {"resumed": steps.resumed + 1, "lost": steps.upto - done, "upto": steps.upto}
            write("steps", {"run": run, "charge": charge, **facts, "code": code})
            return self._book.account.training(run, charge)

    def commit(self, run: str, release: str | None = None) -> None:
        """Ends a run: its charges stay spent, the rest of its reservation is free again. release: a SHA-256."""
        with self._book.writing() as write:
            write("commit", {"run": run, "release": release, "time": self._time()})

    def void(self, run: str) -> None:
        """Gives back what a run has reserved. Raises ValueError when noise may have been drawn: then it stays spent."""
        with self._book.writing() as write:
            write("void", {"run": run, "time": self._time()})

    def link(self, other: Ledger) -> None:
        """From now on this account pays for the people in `other` too, and bears what was spent or reserved there.

        The other account is closed first; after a crash in between call `link` again, before anything else is spent
        here: until then this account does not bear what the other one did.
        """
        linking.link(self._book, other._book, _now())

    @classmethod
    def _kept(cls, draft: Book, path: Path) -> Ledger:
        """The lines of a draft in a new file."""
        book = Book(File.create(path.absolute(), [line.raw for line in draft.lines]))
        book.refresh()
        return cls(book)

    def _time(self) -> str | None:
        return None if self.path is None else _now()

    def _itself(self, *args: Any) -> Ledger:
        """A copy of an account is the account, or it could be spent twice."""
        return self

    __copy__ = __deepcopy__ = _itself  # type: ignore[assignment]


def _now() -> str:
    """An annotation for readers: no decision is taken by a clock."""
    return datetime.now(UTC).isoformat(timespec="seconds")
