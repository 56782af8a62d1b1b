"""Ledger: what has been spent on a data set, in memory or as a file that outlives the process.

A ledger is a list of lines, each a JSON object that holds the hash of the line before it: one `open` line (data set,
unit, budget), a `run` line for each accountant, a `charge` line for each event. A line is only ever added. A file
ledger is added to under an exclusive lock, after reading what others have added, and is on disk (fsync) before the
charge is granted: a crash can lose a release, never a charge. The chain shows accidents and careless edits. Whoever
may write the file can cut off its end, or change a line and compute the chain anew; that shows only against a `head`
kept elsewhere, which is why every certificate carries one and `verify` takes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from dpsynth.privacy.budget import Budget, BudgetExceeded, affordable, spent
from dpsynth.privacy.events import Event, event_from_dict, event_to_dict
from dpsynth.privacy.unit import PrivacyUnit

FORMAT = 1
SECURE = "operating system"
"""What a `run` line calls noise that nobody can predict."""

_GENESIS = "0" * 64
_CHAIN = {"kind", "seq", "prev", "hash"}
_FIELDS = {
    "open": {"format", "dataset", "unit", "budget"},
    "run": {"run", "budget", "noise"},
    "charge": {"run", "purpose", "event"},
}


class LedgerCorrupt(ValueError):
    """The file is not a ledger that this version wrote, or it was changed."""


@dataclass(frozen=True)
class _Line:
    """A line that was found good: its fields, its bytes, and the account and the file as it leaves them."""

    fields: dict[str, Any]
    raw: bytes
    cost: int
    end: int


class Ledger:
    """The account of one data set: `create` or `open` it, then give it to as many accountants as you like."""

    def __init__(self, path: Path | None) -> None:
        self.path = None if path is None else path.absolute()
        self._lock, self._process = threading.Lock(), os.getpid()
        self._lines: list[_Line] = []

    @classmethod
    def create(cls, path: str | Path | None, budget: Budget, *, dataset: str, unit: PrivacyUnit) -> Ledger:
        """A new account. path: where the file goes, which must not exist; None keeps the ledger in memory."""
        if not isinstance(budget, Budget) or budget.epsilon <= 0:
            raise ValueError(f"a ledger needs a Budget with epsilon above 0, got {budget!r}")
        if not isinstance(unit, PrivacyUnit) or not isinstance(dataset, str):
            raise TypeError(f"a ledger needs the name of a data set and a PrivacyUnit, got {dataset!r} and {unit!r}")
        ledger = cls(None if path is None else Path(path))
        header = {"format": FORMAT, "dataset": dataset, "unit": asdict(unit), "budget": asdict(budget)}
        if ledger.path is not None:
            _file_locks()
            ledger.path.touch(exist_ok=False)
        with ledger._exclusively() as file:
            ledger._append("open", header, file)
        if ledger.path is not None:
            _sync_folder(ledger.path.parent)
        return ledger

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """An existing file ledger, verified."""
        ledger = cls(Path(path))
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path} does not exist: give the path of a ledger, or create one")
        ledger._refresh()
        if not ledger._lines:
            raise LedgerCorrupt(f"{path} is empty: a ledger starts with an open line")
        return ledger

    @property
    def dataset(self) -> str:
        return str(self._lines[0].fields["dataset"])

    @property
    def unit(self) -> PrivacyUnit:
        return PrivacyUnit(**self._lines[0].fields["unit"])

    @property
    def budget(self) -> Budget:
        return Budget(**self._lines[0].fields["budget"])

    @property
    def head(self) -> str:
        """The hash of the last line that this object has seen: it commits to everything before it."""
        return str(self._lines[-1].fields["hash"])

    @property
    def private(self) -> bool:
        """False once a seeded run has drawn on this account."""
        self._refresh()
        return all(line.fields.get("noise", SECURE) == SECURE for line in self._lines)

    def spent(self) -> Budget:
        self._refresh()
        return spent(self._lines[-1].cost, self.budget)

    def remaining(self) -> Budget:
        """What one further job could spend, at the ledger's delta. (Epsilons of parts do not add up to the whole.)"""
        return spent(max(0, self.cost_left), self.budget)

    @property
    def cost_left(self) -> int:
        """What can still be charged, in the units of `Event.cost`."""
        self._refresh()
        return affordable(self.budget) - self._lines[-1].cost

    def entries(self) -> list[dict[str, Any]]:
        """All lines, oldest first: copies, free to keep."""
        self._refresh()
        return [json.loads(line.raw) for line in self._lines]

    def verify(self, head: str | None = None) -> None:
        """Reads everything anew; raises LedgerCorrupt at the first line that does not follow from the one before.

        head: a hash that was noted earlier, on a certificate say; the ledger must still hold its line.
        """
        known = [line.raw for line in self._lines]
        lines = _read(None, known, "the ledger in memory") if self.path is None else Ledger.open(self.path)._lines
        if [line.raw for line in lines[: len(known)]] != known:
            raise LedgerCorrupt(f"{self.path} is no longer the ledger that was opened: lines are gone or replaced")
        if head is not None and all(line.fields["hash"] != head for line in lines):
            raise LedgerCorrupt(
                f"the ledger of {self.dataset!r} holds no line with hash {head}: its end was cut off,"
                " it was written anew, or the hash belongs to another ledger"
            )

    def start_run(self, run: str, budget: Budget, noise: str) -> None:
        """Records that an accountant begins, and where its noise comes from."""
        with self._exclusively() as file:
            self._append("run", {"run": run, "budget": asdict(budget), "noise": noise}, file)

    def charge(self, run: str, event: Event, purpose: str) -> None:
        """Records the event if the account can bear it, durably; raises BudgetExceeded, and records nothing, if not."""
        record = event_to_dict(event)
        if not isinstance(purpose, str):
            raise TypeError(f"a purpose must be text, for the reader of the ledger, got {type(purpose).__name__}")
        with self._exclusively() as file:
            before = self._lines[-1].cost
            after = before + event.cost
            if after > affordable(self.budget):
                raise BudgetExceeded.by(purpose, after, before, self.budget, f"the ledger of {self.dataset!r}")
            self._append("charge", {"run": run, "purpose": purpose, "event": record}, file)

    def _refresh(self) -> None:
        with self._exclusively():
            pass

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[FileIO | None]:
        """Holds the account alone, with all that others have written read."""
        with self._lock:
            if self.path is None:
                if self._process != os.getpid():
                    raise RuntimeError("a ledger in memory serves one process: to share it, keep it in a file")
                yield None
                return
            with _locked(self.path) as file:
                self._read_new_lines(file)
                yield file

    def _read_new_lines(self, file: FileIO) -> None:
        last = self._lines[-1] if self._lines else None
        if last is not None:
            file.seek(last.end - len(last.raw))
            if file.read(len(last.raw)) != last.raw:
                raise LedgerCorrupt(f"{self.path} has lost lines that were in it: restore it from a copy")
        *raws, rest = file.readall().split(b"\n")
        for line in _read(last, (raw + b"\n" for raw in raws), str(self.path)):
            self._lines.append(line)
        if rest and not self._lines:
            raise LedgerCorrupt(f"{self.path} is not a ledger")
        if rest:
            raise LedgerCorrupt(
                f"{self.path} ends in the middle of a line, whose charge was never granted: cut it off"
                f" (truncate -s {file.tell() - len(rest)} {self.path})"
            )

    def _append(self, kind: str, fields: dict[str, Any], file: FileIO | None) -> None:
        """Adds a line: checked as a reader would, written, then remembered."""
        last = self._lines[-1] if self._lines else None
        line = {"kind": kind, "seq": len(self._lines), "prev": last.fields["hash"] if last else _GENESIS, **fields}
        line["hash"] = _hash(line)
        new = _follow(last, _encode(line) + b"\n", "the ledger")
        if file is not None:
            _write(file, new.raw)
        self._lines.append(new)

    def _itself(self, *args: Any) -> Ledger:
        """A copy of an account is the account, or it could be spent twice."""
        return self

    def _closed(self, *args: Any) -> NoReturn:
        raise TypeError("a ledger cannot be pickled: open its file again")

    __copy__ = __deepcopy__ = _itself
    __reduce__ = __reduce_ex__ = __getstate__ = _closed


def _file_locks() -> ModuleType:
    try:
        import fcntl
    except ImportError:
        raise OSError("a ledger file needs POSIX file locks, which are missing here: use ledger=None") from None
    return fcntl


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[FileIO]:
    locks = _file_locks()
    with path.open("r+b", buffering=0) as file:
        locks.flock(file, locks.LOCK_EX)
        yield file


def _write(file: FileIO, raw: bytes) -> None:
    """All of `raw`, durably, or nothing of it as far as the system lets us."""
    end = file.seek(0, os.SEEK_END)
    try:
        if file.write(raw) != len(raw):
            raise OSError("the ledger could not be written in full: is the disk full?")
        os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            file.truncate(end)
        raise


def _sync_folder(folder: Path) -> None:
    """Makes the name of a new file durable, as fsync of the file makes its contents."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _encode(line: dict[str, Any]) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _hash(line: dict[str, Any]) -> str:
    return hashlib.sha256(_encode({k: v for k, v in line.items() if k != "hash"})).hexdigest()


def _read(last: _Line | None, raws: Iterable[bytes], where: str) -> list[_Line]:
    lines = []
    for raw in raws:
        last = _follow(last, raw, where)
        lines.append(last)
    return lines


def _follow(last: _Line | None, raw: bytes, where: str) -> _Line:
    """The line in `raw`, if it is whole, canonical, known, and follows from the line before it."""
    seq, prev = (last.fields["seq"] + 1, last.fields["hash"]) if last else (0, _GENESIS)
    try:
        line = json.loads(raw)
        whole = _encode(line) + b"\n" == raw and line["hash"] == _hash(line)
        linked = line["prev"] == prev and line["seq"] == seq
        known = set(line) == _FIELDS.get(line["kind"], set()) | _CHAIN and (line["kind"] == "open") == (last is None)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise LedgerCorrupt(f"line {seq + 1} of {where} is not a ledger line") from None
    if not whole or not linked:
        raise LedgerCorrupt(f"line {seq + 1} of {where} does not follow from the line before it: it was changed")
    if not known:
        raise LedgerCorrupt(f"line {seq + 1} of {where} is of a kind or form that this version does not know")
    try:
        cost = _cost(line)
    except (ValueError, TypeError) as reason:
        raise LedgerCorrupt(f"line {seq + 1} of {where}: {reason}") from None
    return _Line(line, raw, (last.cost if last else 0) + cost, (last.end if last else 0) + len(raw))


def _cost(line: dict[str, Any]) -> int:
    """What a line charges; ValueError or TypeError when it says something that this version does not know."""
    for name in ("dataset", "run", "noise", "purpose"):
        if not isinstance(line.get(name, ""), str):
            raise TypeError(f"{name} must be text, got {type(line[name]).__name__}")
    if line["kind"] == "charge":
        return event_from_dict(line["event"]).cost
    Budget(**line["budget"])
    if line["kind"] == "open":
        PrivacyUnit(**line["unit"])
        if line["format"] != FORMAT:
            raise ValueError(f"format {line['format']!r}, where this version reads {FORMAT}: update dpsynth")
    return 0
