"""Where the lines of a ledger are kept: in memory, or in a file that no crash and no full disk can cut short.

The file is a SQLite database with one table, to which lines can only be added: triggers stop every change and every
gap. Each transaction has a connection of its own, so that nothing is shared with a fork and nothing but the one file
lies there between transactions. A write takes the file's write lock before it reads (BEGIN IMMEDIATE), is synced at
its commit (WAL, synchronous=FULL), and is then folded into the file itself, synced again, before it returns: what was
granted never rests on the `-wal` file alone, which somebody may delete, or leave behind when copying.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from dpsynth.base.file_systems import file_system
from dpsynth.kernel.account import FORMAT
from dpsynth.ledger.chain import LedgerCorruptError

PATIENCE = 60.0
"""Seconds that a transaction waits for others."""

MAKING = 5.0
"""Seconds that another process is given to make a new file."""

SMALLEST = 8192
"""Bytes of a file with lines: one page for SQLite's catalogue, one for them. They come all at once."""

_APPLICATION = 0x64707379  # "dpsy"
_SCHEMA = {
    "line": "CREATE TABLE line (seq INTEGER PRIMARY KEY, raw BLOB NOT NULL CHECK (typeof(raw) = 'blob'))",
    "line_added": (
        "CREATE TRIGGER line_added BEFORE INSERT ON line"
        " WHEN NEW.seq IS NOT (SELECT coalesce(max(seq) + 1, 0) FROM line)"
        " BEGIN SELECT RAISE(ABORT, 'a line is added after the last one'); END"
    ),
    "line_changed": (
        "CREATE TRIGGER line_changed BEFORE UPDATE ON line BEGIN SELECT RAISE(ABORT, 'a line stays as it is'); END"
    ),
    "line_removed": (
        "CREATE TRIGGER line_removed BEFORE DELETE ON line BEGIN SELECT RAISE(ABORT, 'a line stays where it is'); END"
    ),
}
_TROUBLE = {
    sqlite3.SQLITE_BUSY: "is in use by another program for longer than a minute: try again when that is done",
    sqlite3.SQLITE_LOCKED: "is in use by another program: try again when that is done",
    sqlite3.SQLITE_FULL: "could not be written, as the disk is full: make room",
    sqlite3.SQLITE_IOERR: "could not be read or written (input/output error): look after the disk",
    sqlite3.SQLITE_NOMEM: "could not be read: memory is full",
    **dict.fromkeys(
        (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
        "cannot be opened or written: an account needs write permission for its file and its folder",
    ),
}
_NETWORK = {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "gpfs", "beegfs",
            "glusterfs", "ocfs2", "gfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse",
            "fuse.ceph", "fuse.ceph-fuse", "fuse.juicefs", "fuse.cifs", "fuse.davfs", "davfs"}  # fmt: skip


class Transaction(Protocol):
    """The lines as they stand while it lasts; what is added is durable when it ends, or is not there at all."""

    def since(self, seq: int) -> Sequence[bytes]:
        """All lines from number `seq` on."""
        ...

    def add(self, seq: int, raw: bytes) -> None: ...


class Memory:
    """Lines that are forgotten with the process."""

    where = "the ledger in memory"

    def __init__(self, raws: Iterable[bytes] = ()) -> None:
        self._lines = list(raws)

    @contextlib.contextmanager
    def transaction(self, *, write: bool, check: bool = False) -> Iterator[Transaction]:
        before = len(self._lines)
        try:
            yield self
        except BaseException:
            del self._lines[before:]
            raise

    def since(self, seq: int) -> Sequence[bytes]:
        return self._lines[seq:]

    def add(self, seq: int, raw: bytes) -> None:
        self._lines.append(raw)


class File:
    """Lines in a SQLite file on a local disk. OSError on a network file system, known where /proc tells its type."""

    def __init__(self, path: Path) -> None:
        if (kind := file_system(path)) in _NETWORK:
            raise OSError(
                f"{path} lies on a network file system ({kind}), where locks fail: keep the ledger on a local disk"
            )
        self.path, self.where = path, str(path)

    @classmethod
    def create(cls, path: Path, raws: Sequence[bytes]) -> File:
        """A new file with these lines, or none. Raises FileExistsError, or OSError where an account cannot be kept."""
        file = cls(path)
        path.touch(exist_ok=False)
        try:
            with file._connection() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
                for statement in _SCHEMA.values():
                    connection.execute(statement)
                connection.executemany("INSERT INTO line VALUES (?, ?)", enumerate(raws))
                _finish(connection)
            _sync_folder(path.parent)
        except BaseException:
            path.unlink()
            raise
        return file

    def await_lines(self) -> None:
        """Waits while another process makes the file. Asks for its length only: to close a file would end our locks."""
        until = time.monotonic() + MAKING
        while self.path.is_file() and self._half_made() and time.monotonic() < until:
            time.sleep(0.01)

    def _half_made(self) -> bool:
        """A file of SQLite grows by whole pages, of 512 bytes or more: others are not waited for."""
        size = self.path.stat().st_size
        return size < SMALLEST and size % 512 == 0

    @contextlib.contextmanager
    def transaction(self, *, write: bool, check: bool = False) -> Iterator[Transaction]:
        """check: also compares every page of the file with what SQLite says it must be."""
        self._refuse_what_is_no_file_of_its_own()
        with self._connection() as connection:
            if connection.execute("PRAGMA application_id").fetchone() != (_APPLICATION,):
                raise LedgerCorruptError(f"{self.path} is not a ledger: give another path")
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            _check_form(connection, self.where)
            if check and connection.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
                raise LedgerCorruptError(f"{self.path} is damaged: restore it from a copy, and compare the head")
            yield _Rows(connection, self.where)
            if write:
                _finish(connection)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            uri = f"{self.path.as_uri()}?mode=rw"
            with contextlib.closing(
                sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
            ) as connection:
                for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "synchronous = FULL"):
                    connection.execute(f"PRAGMA {setting}")
                yield connection
        except (sqlite3.Error, UnicodeDecodeError) as error:
            sentence = _TROUBLE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
            if sentence is None:
                raise LedgerCorruptError(f"{self.path} is no ledger, or is damaged: restore it from a copy") from None
            raise OSError(f"the ledger {self.path} {sentence}") from None

    def _refuse_what_is_no_file_of_its_own(self) -> None:
        facts = self.path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise LedgerCorruptError(f"{self.path} is not a file: give another path")
        if facts.st_nlink > 1:
            raise OSError(
                f"the ledger {self.path} has {facts.st_nlink} names (hard links): leave it one, or it is spent twice"
            )


class _Rows:
    """The lines in the table of an open transaction."""

    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection, self._where = connection, where

    def since(self, seq: int) -> Sequence[bytes]:
        rows = self._connection.execute("SELECT seq, raw FROM line WHERE seq >= ? ORDER BY seq", (seq,)).fetchall()
        for expected, (number, raw) in enumerate(rows, seq):
            if number != expected or not isinstance(raw, bytes):
                raise LedgerCorruptError.at(expected, self._where, "is gone or replaced")
        return [raw for _, raw in rows]

    def add(self, seq: int, raw: bytes) -> None:
        self._connection.execute("INSERT INTO line VALUES (?, ?)", (seq, raw))


def _check_form(connection: sqlite3.Connection, where: str) -> None:
    """Before a table is read or a trigger can run: the file holds what `_SCHEMA` says, and nothing else."""
    found = dict(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT:
        raise LedgerCorruptError(f"{where} has format {version}, where this version reads {FORMAT}: update dpsynth")
    if found != _SCHEMA or connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        raise LedgerCorruptError(
            f"{where} has another table, trigger or journal than it was made with: restore it from a copy"
        )


def _finish(connection: sqlite3.Connection) -> None:
    """Commits, then moves all lines from the -wal file into the file itself; both are on the disk when it returns."""
    connection.execute("COMMIT")
    patience = time.monotonic() + PATIENCE
    while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:  # busy: another one is at it
        if time.monotonic() > patience:
            raise OSError("the ledger is read by another program for longer than a minute: end that, and try again")
        time.sleep(0.002)


def _sync_folder(folder: Path) -> None:
    """Makes the name of a new file durable, as a sync of the file makes its contents."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
