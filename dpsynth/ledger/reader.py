"""Book: the lines of a ledger as one process has read them, in step with the store, to which others write as well."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dpsynth.ledger.chain import LedgerCorruptError, Line, follow, next_line
from dpsynth.ledger.shared import SharedAccount
from dpsynth.ledger.store import File, Memory, Transaction

Write = Callable[[str, Mapping[str, Any]], None]
"""Adds a line of this kind with these fields; ValueError when the rules do not allow it."""

_TURN = threading.Lock()
"""Held by the thread that works on a ledger, and by whoever forks: no child inherits a transaction under way."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_TURN.acquire, after_in_parent=_TURN.release, after_in_child=_TURN.release)


class Book:
    """`lines` as far as they were read, and the `account` that they amount to. It serves one process."""

    def __init__(self, store: File | Memory) -> None:
        self.store, self._process = store, os.getpid()
        self.lines: list[Line] = []
        self.account = SharedAccount()

    def refresh(self, *, check: bool = False) -> None:
        """Reads what others have added. check: also every page of the file."""
        with self._transaction(write=False, check=check):
            pass

    @contextlib.contextmanager
    def writing(self) -> Iterator[Write]:
        """Holds the ledger alone, with all that others have added read. What is written is durable when it ends."""
        with self._transaction(write=True) as transaction:

            def write(kind: str, fields: Mapping[str, Any]) -> None:
                line = next_line(self.lines[-1] if self.lines else None, kind, fields)
                effect = self.account.reading(line.fields)
                transaction.add(len(self.lines), line.raw)
                self.lines.append(line)
                effect()

            yield write

    def take_in(self, raws: Sequence[bytes]) -> None:
        """Reads further lines. Raises LedgerCorruptError at the first that does not follow or breaks a rule."""
        for raw in raws:
            line = follow(self.lines[-1] if self.lines else None, raw, self.store.where)
            try:
                effect = self.account.reading(line.fields)
            except (ValueError, TypeError, KeyError, AttributeError) as reason:
                raise LedgerCorruptError.at(len(self.lines), self.store.where, f"breaks a rule ({reason})") from None
            self.lines.append(line)
            effect()

    @contextlib.contextmanager
    def _transaction(self, *, write: bool, check: bool = False) -> Iterator[Transaction]:
        if self._process != os.getpid():
            raise RuntimeError("a ledger serves the process that opened it: in another one, open its file again")
        with _TURN:
            known = len(self.lines)
            try:
                with self.store.transaction(write=write, check=check) as transaction:
                    self._read_new_lines(transaction)
                    known = len(self.lines)
                    yield transaction
            except BaseException:
                self._forget_after(known)
                raise

    def _read_new_lines(self, transaction: Transaction) -> None:
        last = len(self.lines) - 1
        raws = transaction.since(max(last, 0))
        if last >= 0 and (not raws or raws[0] != self.lines[last].raw):
            raise LedgerCorruptError(f"{self.store.where} has lost lines that were in it: restore it from a copy")
        self.take_in(raws[1:] if last >= 0 else raws)

    def _forget_after(self, known: int) -> None:
        """Back to so many lines, when those after them may not be in the store."""
        if len(self.lines) > known:
            raws, self.lines, self.account = [line.raw for line in self.lines[:known]], [], SharedAccount()
            self.take_in(raws)
