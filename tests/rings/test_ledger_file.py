"""A ledger's file: damaged pages, other programs, copies, folders, forks, and disks that are full or fail."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import tempfile
from functools import partial
from pathlib import Path

import pytest

from dpsynth.base import file_systems
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.ledger import store
from dpsynth.ledger.chain import LedgerCorruptError
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from tests.rings.ledger_laws import held_open
from tests.rings.ledgers import BUDGET, create, golden, overwrite
from tests.rings.processes import in_children, needs_fork
from tests.rings.scratch import SCRATCH

# Pages.


def harm(path: Path, position: int, mask: int, lines: list) -> str:
    """What a flipped byte did: "noticed", or "harmless" when a ledger with the very same lines is read."""
    byte = path.read_bytes()[position]
    overwrite(path, position, byte ^ mask)
    try:
        ledger = Ledger.open(path)
        ledger.verify()
        found = ledger.entries()
    except (LedgerCorruptError, OSError):
        found = None
    overwrite(path, position, byte)
    assert found in (None, lines), f"byte {position} flipped by {mask}: other lines, and nobody noticed"
    return "noticed" if found is None else "harmless"


def test_a_flipped_byte_is_noticed_or_harmless(tmp_path):
    """400 bytes of the file at random; benchmarks/ledger_torture.py flips each."""
    lines = golden(tmp_path / "l").entries()
    size, rng = (tmp_path / "l").stat().st_size, random.Random(5)
    for position in sorted(rng.sample(range(size), 400)):
        harm(tmp_path / "l", position, rng.choice((1, 0x80, 0xFF)), lines)


def test_a_flipped_byte_where_lines_or_their_form_are_written_is_noticed(tmp_path):
    lines = golden(tmp_path / "l").entries()
    whole = (tmp_path / "l").read_bytes()
    for text in (b"CREATE TRIGGER line_changed", b"measure age", b'"reserve"', b"RAISE(ABORT"):
        start = whole.index(text)
        assert all(harm(tmp_path / "l", start + i, 4, lines) == "noticed" for i in range(len(text)))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("length", [0, 1, 99, 100, 4095, 4096, 5000, 8191])
def test_a_file_cut_short_is_noticed(length, tmp_path):
    ledger = golden(tmp_path / "l")
    whole, before = (tmp_path / "l").read_bytes(), ledger.spent()
    (tmp_path / "l").write_bytes(whole[:length])
    with contextlib.suppress(LedgerCorruptError):  # lines that were read before are read again by verify only
        assert ledger.spent() == before
    for act in (ledger.verify, lambda: Ledger.open(tmp_path / "l")):
        with pytest.raises(LedgerCorruptError):
            act()
    assert (tmp_path / "l").read_bytes() == whole[:length]


def test_a_database_that_is_no_ledger_is_refused_and_left_alone(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "l")) as connection:
        connection.execute("CREATE TABLE line (seq INTEGER PRIMARY KEY, raw BLOB)")
    before = (tmp_path / "l").read_bytes()
    with pytest.raises(LedgerCorruptError, match="is not a ledger"):
        Ledger.open(tmp_path / "l")
    assert (tmp_path / "l").read_bytes() == before


def test_a_creation_that_was_cut_short_is_no_account(tmp_path):
    store.File.create(tmp_path / "l", [])
    with pytest.raises(LedgerCorruptError, match="holds no account"):
        Ledger.open(tmp_path / "l")


# Other programs, and copies.


def test_what_was_granted_survives_the_loss_of_the_files_beside(tmp_path):
    ledger = create(tmp_path / "l")
    accountant = Accountant(BUDGET, ledger=ledger)
    with held_open(tmp_path / "l"):  # so that -wal and -shm stay
        accountant.charge(Gaussian(20.0), "work")
        assert (tmp_path / "l-wal").exists()
        (tmp_path / "copy").write_bytes((tmp_path / "l").read_bytes())
    for rest in tmp_path.glob("l-*"):
        rest.unlink()
    assert Ledger.open(tmp_path / "l").entries() == Ledger.open(tmp_path / "copy").entries() == ledger.entries()


def test_a_reader_that_stays_holds_up_a_charge_and_loses_none(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE", 0.2)
    ledger = create(tmp_path / "l")
    accountant = Accountant(BUDGET, ledger=ledger)
    with contextlib.closing(sqlite3.connect(tmp_path / "l", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM line").fetchall()
        with pytest.raises(OSError, match="by another program for longer than a minute"):
            accountant.charge(Gaussian(20.0), "not granted")
    assert ledger.entries() == Ledger.open(tmp_path / "l").entries()
    assert ledger.entries()[-1]["purpose"] == "not granted"
    accountant.charge(Gaussian(20.0), "granted")


def test_a_writer_that_stays_holds_up_a_charge(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE", 0.2)
    accountant = Accountant(BUDGET, ledger=create(tmp_path / "l"))
    with contextlib.closing(sqlite3.connect(tmp_path / "l", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match="in use by another program"):
            accountant.charge(Gaussian(20.0), "not granted")
    assert len(accountant.ledger.entries()) == 2
    accountant.charge(Gaussian(20.0), "granted")


def test_two_copies_of_a_file_diverge_and_a_noted_head_tells_them_apart(tmp_path):
    """A file copied to a second host is a second account, of which each shows only its own head."""
    one = create(tmp_path / "one")
    shutil.copy(tmp_path / "one", tmp_path / "two")
    two = Ledger.open(tmp_path / "two")
    shared = one.head
    for ledger in (one, two):
        Accountant(BUDGET, ledger=ledger)
        ledger.verify(shared)
    for ledger, other in ((one, two), (two, one)):
        with pytest.raises(LedgerCorruptError, match="or the hash belongs to another ledger"):
            ledger.verify(other.head)


def test_a_ledger_with_two_names_is_refused(tmp_path):
    ledger = create(tmp_path / "l")
    os.link(tmp_path / "l", tmp_path / "other")
    for act in (ledger.spent, lambda: Ledger.open(tmp_path / "other")):
        with pytest.raises(OSError, match="2 names"):
            act()
    (tmp_path / "other").unlink()
    ledger.spent()


@needs_fork
def test_a_ledger_opened_before_a_fork_is_not_used_after_it(tmp_path):
    ledger = create(tmp_path / "l")

    def inherited(tell):
        ledger.spent()

    def opened(tell):
        Accountant(Budget(0.1, 1e-6), ledger=Ledger.open(tmp_path / "l"))
        tell(b"reserved")

    assert in_children([inherited, opened]) == [b"RuntimeError", b"reserved"]
    assert ledger.spent().epsilon == pytest.approx(0.1, rel=1e-9)


@needs_fork
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_cannot_be_written_is_one_sentence():
    with tempfile.TemporaryDirectory(dir=SCRATCH) as name:
        folder = Path(name)
        create(folder / "l")
        folder.chmod(0o555)
        (folder / "l").chmod(0o444)

        def work(tell):
            os.setuid(65534)
            try:
                Ledger.open(folder / "l")
            except OSError as error:
                tell(str(error).encode())

        assert b"needs write permission for its file and its folder" in in_children([work])[0]
        folder.chmod(0o755)


# Where a ledger may lie.


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_refused_and_gets_no_file(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(file_systems, "_mounts", lambda: [("/", "ext4"), (str(tmp_path), kind)])
    with pytest.raises(OSError, match=f"network file system .{kind}."):
        create(tmp_path / "l")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "9p", "tmpfs", "fuse.lxcfs", "virtiofs"])
def test_file_systems_of_machines_and_containers_are_not_refused(kind, tmp_path, monkeypatch):
    mounts = [("/", "nfs"), (str(tmp_path), kind), (f"{tmp_path}/l2", "nfs")]
    monkeypatch.setattr(file_systems, "_mounts", lambda: mounts)
    create(tmp_path / "l").verify()


def test_an_existing_ledger_on_a_network_file_system_is_refused(tmp_path, monkeypatch):
    create(tmp_path / "l")
    mounts = [("/", "ext4"), (str(tmp_path), "ext4"), (str(tmp_path), "nfs")]
    monkeypatch.setattr(file_systems, "_mounts", lambda: mounts)
    with pytest.raises(OSError, match="network file system"):
        Ledger.open(tmp_path / "l")


# Disks.


@needs_fork
def test_a_full_disk_grants_nothing_and_loses_nothing(tmp_path):
    """A child whose files may not grow: every charge is refused, until they may."""
    import resource
    import signal

    path = tmp_path / "l"
    create(path)

    def work(tell):
        accountant = Accountant(BUDGET, ledger=Ledger.open(path))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        for room in (0, 100, 5000, path.stat().st_size):
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            try:
                while True:
                    accountant.charge(Gaussian(1e4), "x" * 3000)
                    tell(b"granted;")
            except OSError:
                tell(b"refused;")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        accountant.charge(Gaussian(1e4), "after all")
        tell(b"granted;")

    (told,) = in_children([work])
    assert told.count(b"refused") == 4
    ledger = Ledger.open(path)
    assert sum(e["kind"] == "charge" for e in ledger.entries()) >= told.count(b"granted")
    assert ledger.entries()[-1]["purpose"] == "after all"


@pytest.mark.parametrize("moment", ["INSERT", "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_never_makes_a_ledger_forget(moment, when, tmp_path, monkeypatch):
    """Ctrl-C in a notebook: nothing is granted, and what the file holds is what the object knows."""
    ledger = create(tmp_path / "l")
    accountant = Accountant(BUDGET, ledger=ledger)

    class Interrupted(sqlite3.Connection):
        def execute(self, statement, *rest):
            if statement.startswith(moment) and when == "before":
                raise KeyboardInterrupt
            result = super().execute(statement, *rest)
            if statement.startswith(moment):
                raise KeyboardInterrupt
            return result

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Interrupted))
        with pytest.raises(KeyboardInterrupt):
            accountant.charge(Gaussian(50.0), "interrupted")
    assert accountant.spent().epsilon == 0
    assert ledger.spent() == Ledger.open(tmp_path / "l").spent()
    accountant.charge(Gaussian(50.0), "more")
    assert ledger.entries() == Ledger.open(tmp_path / "l").entries()
