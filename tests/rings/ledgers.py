"""Ledgers for the tests: one whose every byte is known, a forger's hand, and a burglar's."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from unittest import mock

from dpsynth.accounting.ledger_policy import Policy
from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.training.event import DpSgd
from tests.rings.laws import rehashed

BUDGET = Budget(1.0, 1e-6)
GOLDEN = Path(__file__).parents[1] / "golden" / "formats" / "ledger.jsonl"
JOB = Job("mst", "research", {"ethics board": "case 2026/17"}, "c0ffee")
NOON = "2026-11-22T12:00:00+00:00"


def create(path: Path | None, budget: Budget = BUDGET, **facts) -> Ledger:
    return Ledger.create(path, budget, **{"dataset": "claims", "unit": PrivacyUnit(), **facts})


def golden(path: Path) -> Ledger:
    """What the golden lines tell, done anew with a known key and clock: a policy, and three runs, one of each end.

    The last one died while it trained, and was resumed.
    """
    policy = Policy({"research": Budget(0.9, 1e-6)}, ("ethics board",), ("mst",))
    unit = PrivacyUnit("person", 3, "replace")
    with (
        mock.patch("dpsynth.ledger.ledger._now", return_value=NOON),
        mock.patch("secrets.token_hex", lambda n: "7" * 2 * n),
    ):
        ledger = create(path, unit=unit, policy=policy)
        one = Accountant(Budget(0.5, 1e-7), ledger=ledger, job=JOB, unsafe_seed=7)
        one.charge(Gaussian(40.0), "measure age")
        one.charge(Gaussian(1 / 0.03), "measure age x düsseldorf")
        one.close("ab" * 32)
        Accountant(Budget(0.1, 1e-7), ledger=ledger, job=JOB, unsafe_seed=8).close()
        last = Accountant(Budget(0.2, 1e-7), ledger=ledger, job=JOB, unsafe_seed=9)
        last.charge(Gaussian(100.0), "never ended")
        last.charge(DpSgd(1.0, 500.0, 8), "train")
        ledger.claim(last.run, 12, 0, 3)
        ledger.resume(last.run, 12, 2)
        ledger.claim(last.run, 12, 1, 8)
    return ledger


def lines_of(ledger: Ledger, path: Path) -> Path:
    """The ledger's lines as a text file."""
    ledger.export(path)
    return path


def edited(path: Path, line: int, **fields) -> None:
    """Changes a line of a text file and computes every hash from there on anew: what a forger would do."""
    records = [json.loads(raw) for raw in path.read_text().splitlines()]
    records[line] = {k: v for k, v in {**records[line], **fields}.items() if v is not ...}
    forged, prev = [], "0" * 64
    for record in records:
        forged.append(rehashed({**record, "prev": prev}))
        prev = json.loads(forged[-1])["hash"]
    path.write_text("".join(f"{raw}\n" for raw in forged))


def broken_into(path: Path, *statements: str) -> None:
    """Changes the table of a ledger's file, past its triggers, and leaves the form of the file as it was."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in (*statements, *(sql for _, sql in triggers)):
            connection.execute(statement)


def overwrite(path: Path, position: int, byte: int) -> None:
    """One byte, in place: a file that is truncated and written anew would wait for the disk."""
    with path.open("r+b", buffering=0) as file:
        file.seek(position)
        file.write(bytes([byte]))
