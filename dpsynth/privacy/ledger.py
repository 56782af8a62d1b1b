"""Ledger: what has been spent on a data set, in memory or as a file that outlives the process.

A ledger is a list of lines, each a JSON object that holds the hash of the line before it: one `open` line (data set,
unit, budget), a `run` line for each accountant, a `charge` line for each event. A line is only ever added. A file
ledger is added to under an exclusive lock, after reading what others have added, and is on disk (fsync) before the
charge is granted: a crash can lose a release, never a charge. A chain shows edits; that its *end* was not cut off
shows only against a `head` kept elsewhere, which is why every certificate carries one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from dpsynth.privacy.budget import Budget, BudgetExceeded, affordable, spent
from dpsynth.privacy.events import Event, event_from_dict, event_to_dict
from dpsynth.privacy.unit import PrivacyUnit

FORMAT = 1
_GENESIS = "0" * 64
_FIELDS = {
    "open": {"format", "dataset", "unit", "budget"},
    "run": {"run", "budget", "noise"},
    "charge": {"run", "purpose", "event"},
}


class LedgerCorrupt(ValueError):
    """The file is not a ledger that this version wrote, or it was changed."""


class Ledger:
    """The account of one data set: `create` or `open` it, then give it to as many accountants as you like."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._lines: list[dict[str, Any]] = []
        self._cost = 0
        self._bytes_read = 0

    @classmethod
    def create(cls, path: str | Path | None, budget: Budget, *, dataset: str, unit: PrivacyUnit) -> Ledger:
        """A new account. path: where the file goes, which must not exist; None keeps the ledger in memory."""
        if budget.epsilon <= 0:
            raise ValueError("a ledger needs a budget with epsilon above 0")
        ledger = cls(None if path is None else Path(path))
        header = {"format": FORMAT, "dataset": dataset, "unit": asdict(unit), "budget": asdict(budget)}
        if ledger.path is not None:
            ledger.path.touch(exist_ok=False)
        with ledger._exclusively() as file:
            ledger._append("open", header, file)
        return ledger

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """An existing file ledger, verified."""
        ledger = cls(Path(path))
        with ledger._exclusively():
            pass
        if not ledger._lines:
            raise LedgerCorrupt(f"{path} is empty: a ledger starts with an open line")
        return ledger

    @property
    def dataset(self) -> str:
        return str(self._lines[0]["dataset"])

    @property
    def unit(self) -> PrivacyUnit:
        return PrivacyUnit(**self._lines[0]["unit"])

    @property
    def budget(self) -> Budget:
        return Budget(**self._lines[0]["budget"])

    @property
    def head(self) -> str:
        """The hash of the last line: it commits to everything before it."""
        return str(self._lines[-1]["hash"])

    def spent(self) -> Budget:
        self._refresh()
        return spent(self._cost, self.budget)

    def remaining(self) -> Budget:
        """What one further job could spend, at the ledger's delta. (Epsilons of parts do not add up to the whole.)"""
        return spent(max(0, self.cost_left), self.budget)

    @property
    def cost_left(self) -> int:
        """What can still be charged, in the units of `Event.cost`."""
        self._refresh()
        return affordable(self.budget) - self._cost

    def entries(self) -> list[dict[str, Any]]:
        """All lines, oldest first: copies, free to keep."""
        self._refresh()
        return json.loads(json.dumps(self._lines))

    def verify(self) -> None:
        """Reads everything anew; raises LedgerCorrupt at the first line that does not follow from the one before."""
        if self.path is None:
            _check_chain([_encode(line) for line in self._lines])
        else:
            Ledger.open(self.path)

    def start_run(self, run: str, budget: Budget, noise: str) -> None:
        """Records that an accountant begins, and where its noise comes from."""
        with self._exclusively() as file:
            self._append("run", {"run": run, "budget": asdict(budget), "noise": noise}, file)

    def charge(self, run: str, event: Event, purpose: str) -> None:
        """Records the event if the account can bear it, durably; raises BudgetExceeded, and records nothing, if not."""
        with self._exclusively() as file:
            after = self._cost + event.cost
            if after > affordable(self.budget):
                raise BudgetExceeded.by(purpose, after, self._cost, self.budget, f"the ledger of {self.dataset!r}")
            self._append("charge", {"run": run, "purpose": purpose, "event": event_to_dict(event)}, file)

    def _refresh(self) -> None:
        if self.path is not None:
            with self._exclusively():
                pass

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[BinaryIO | None]:
        """Holds the account alone, with all that others have written read."""
        with self._lock:
            if self.path is None:
                yield None
                return
            with _locked(self.path) as file:
                self._read_new_lines(file)
                yield file

    def _read_new_lines(self, file: BinaryIO) -> None:
        file.seek(self._bytes_read)
        new = file.read()
        if self._bytes_read and file.tell() < self._bytes_read:
            raise LedgerCorrupt(f"{self.path} is shorter than it was: restore it from a copy, or from its last head")
        if new and not new.endswith(b"\n"):
            raise LedgerCorrupt(f"{self.path} ends in the middle of a line: remove the unfinished line by hand")
        for raw in new.splitlines():
            self._accept(_follow(self._lines, raw, str(self.path)))
        self._bytes_read += len(new)

    def _append(self, kind: str, fields: dict[str, Any], file: BinaryIO | None) -> None:
        line = {"kind": kind, "seq": len(self._lines), "prev": self.head if self._lines else _GENESIS, **fields}
        line["hash"] = _hash(line)
        if file is not None:
            raw = _encode(line)
            file.seek(0, os.SEEK_END)
            file.write(raw + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._bytes_read += len(raw) + 1
        self._accept(line)

    def _accept(self, line: dict[str, Any]) -> None:
        self._lines.append(line)
        if line["kind"] == "charge":
            self._cost += event_from_dict(line["event"]).cost


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    try:
        import fcntl
    except ImportError:
        raise OSError("a ledger file needs POSIX file locks, which are missing here: use ledger=None") from None
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _encode(line: dict[str, Any]) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _hash(line: dict[str, Any]) -> str:
    return hashlib.sha256(_encode({k: v for k, v in line.items() if k != "hash"})).hexdigest()


def _check_chain(raws: list[bytes]) -> None:
    lines: list[dict[str, Any]] = []
    for raw in raws:
        lines.append(_follow(lines, raw, "the ledger in memory"))


def _follow(lines: list[dict[str, Any]], raw: bytes, where: str) -> dict[str, Any]:
    """The line in `raw`, if it is whole, canonical, known, and follows from the lines before it."""
    number = len(lines) + 1
    try:
        line = json.loads(raw)
        canonical = _encode(line) == raw and line["hash"] == _hash(line)
    except (ValueError, TypeError, KeyError):
        raise LedgerCorrupt(f"line {number} of {where} is not a ledger line") from None
    if not canonical or line["prev"] != (lines[-1]["hash"] if lines else _GENESIS) or line["seq"] != len(lines):
        raise LedgerCorrupt(f"line {number} of {where} does not follow from the line before it: it was changed")
    kind = line["kind"]
    if (kind == "open") != (not lines) or set(line) != _FIELDS.get(kind, set()) | {"kind", "seq", "prev", "hash"}:
        raise LedgerCorrupt(f"line {number} of {where} is of a kind or form that this version does not know")
    if kind == "open" and line["format"] != FORMAT:
        raise LedgerCorrupt(f"{where} has format {line['format']!r}; this version reads {FORMAT}: update dpsynth")
    return line
