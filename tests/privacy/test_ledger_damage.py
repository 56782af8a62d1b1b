"""Whatever happens to a ledger's file: noticed, or harmless; never a smaller spent, never a grant without a line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dpsynth.privacy import ledger as ledgers_module
from dpsynth.privacy.accountant import Accountant
from dpsynth.privacy.events import Gaussian
from dpsynth.privacy.ledger import Ledger, LedgerCorrupt
from tests.privacy.ledgers import BUDGET, edited, golden
from tests.privacy.processes import in_children, needs_fork


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger file of one run and two charges."""
    golden(tmp_path / "claims.ledger")
    return tmp_path / "claims.ledger"


# Damage.


def test_a_flipped_bit_anywhere_is_noticed(path):
    good = path.read_bytes()
    for position in range(len(good)):
        for flip in (7, 0x80):  # 7 turns a line feed into a carriage return
            path.write_bytes(good[:position] + bytes([good[position] ^ flip]) + good[position + 1 :])
            with pytest.raises(LedgerCorrupt):
                Ledger.open(path)


def test_a_cut_is_noticed_except_between_lines_where_a_noted_head_shows_it(path):
    good, head = path.read_bytes(), Ledger.open(path).head
    ends = [i + 1 for i, byte in enumerate(good) if byte == ord("\n")]
    for length in range(len(good)):
        path.write_bytes(good[:length])
        if length not in ends:
            with pytest.raises(LedgerCorrupt):
                Ledger.open(path)
        else:
            with pytest.raises(LedgerCorrupt, match="its end was cut off"):
                Ledger.open(path).verify(head)


def test_a_cut_under_an_open_ledger_is_noticed_wherever_it_is(path):
    good = path.read_bytes()
    for length in range(0, len(good), 7):
        path.write_bytes(good)
        ledger = Ledger.open(path)
        accountant = Accountant(BUDGET, ledger=ledger)
        path.write_bytes(good[:length])
        for act in (ledger.spent, ledger.verify, lambda a=accountant: a.charge(Gaussian(50.0), "more")):
            with pytest.raises(LedgerCorrupt):
                act()
        assert path.read_bytes() == good[:length]


def test_an_older_copy_put_in_place_of_an_open_ledger_is_noticed(path):
    older = path.read_bytes()
    ledger = Ledger.open(path)
    accountant = Accountant(BUDGET, ledger=ledger)
    accountant.charge(Gaussian(20.0), "more")
    path.unlink()
    path.write_bytes(older)
    with pytest.raises(LedgerCorrupt, match="has lost lines"):
        accountant.charge(Gaussian(20.0), "again")


def test_a_ledger_rewritten_under_an_open_one_is_noticed(path):
    ledger = Ledger.open(path)
    edited(path, 2, event={"event": "gaussian", "noise_multiplier": 4000.0})
    with pytest.raises(LedgerCorrupt):
        ledger.spent()
    with pytest.raises(LedgerCorrupt, match="no longer the ledger"):
        ledger.verify()


def test_a_half_written_line_is_named_with_the_way_to_remove_it(path):
    good = path.read_bytes()
    path.write_bytes(good + b'{"event":')
    with pytest.raises(LedgerCorrupt, match=f"never granted.*truncate -s {len(good)} "):
        Ledger.open(path)
    os.truncate(path, len(good))
    Ledger.open(path)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (0, {"format": 2}),
        (0, {"format": "1"}),
        (0, {"dataset": None}),
        (0, {"kind": "run"}),
        (0, {"unit": {"id_column": None, "max_records": 0, "adjacency": "replace"}}),
        (0, {"unit": {"max_records": 1, "whom": "persons"}}),
        (0, {"unit": []}),
        (0, {"budget": {"epsilon": -1.0, "delta": 1e-6}}),
        (0, {"budget": {"epsilon": 10**400, "delta": 1e-6}}),
        (0, {"budget": {"epsilon": 1.0}}),
        (0, {"budget": None}),
        (0, {"currency": "EUR"}),
        (1, {"kind": "open", "run": ...}),
        (1, {"noise": ["operating system"]}),
        (1, {"budget": {"epsilon": 1.0, "delta": 2.0}}),
        (2, {"kind": "refund"}),
        (2, {"kind": ["charge"]}),
        (2, {"kind": ...}),
        (2, {"seq": ...}),
        (2, {"seq": 3}),
        (2, {"purpose": ...}),
        (2, {"purpose": 3}),
        (2, {"note": "hello"}),
        (2, {"event": {"event": "laplace", "scale": 1.0}}),
        (2, {"event": {"event": "gaussian", "noise_multiplier": 1.0, "count": 0}}),
        (2, {"event": {"event": "gaussian", "noise_multiplier": -1.0}}),
        (2, {"event": {"event": "gaussian", "noise_multiplier": "40"}}),
        (2, {"event": {"event": [], "noise_multiplier": 40.0}}),
        (2, {"event": "gaussian"}),
        (2, {"event": None}),
    ],
    ids=str,
)
def test_what_this_version_does_not_know_is_refused(line, fields, path):
    edited(path, line, **fields)
    with pytest.raises(LedgerCorrupt, match=f"line {line + 1} of"):
        Ledger.open(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"3\n",
        b"null\n",
        b'"x"\n',
        b"\xff\n",
        b"NaN\n",
        b"[" * 100_000 + b"\n",
        b"9" * 5000 + b"\n",
    ],
    ids=lambda t: repr(t[:8]),
)
def test_a_file_that_is_no_ledger_is_refused(text, tmp_path):
    (tmp_path / "l").write_bytes(text)
    with pytest.raises(LedgerCorrupt):
        Ledger.open(tmp_path / "l")


@pytest.mark.parametrize(
    "change", [lambda b: b.replace(b"\n", b"\r\n"), lambda b: b + b"\n", lambda b: b"\n" + b, lambda b: b + b]
)
def test_another_way_of_writing_the_same_lines_is_refused(change, path):
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(LedgerCorrupt):
        Ledger.open(path)


def test_equal_json_in_other_words_is_refused(path):
    lines = path.read_text().splitlines()
    for other in (
        json.dumps(json.loads(lines[2])),
        lines[2].replace("40.0", "4e1"),
        lines[2].replace("40.0", "40"),
        lines[2].replace('{"event":"gaussian"', '{"event":"gaussian","event":"gaussian"'),
    ):
        assert other != lines[2]
        path.write_text("\n".join([*lines[:2], other, *lines[3:], ""]))
        with pytest.raises(LedgerCorrupt):
            Ledger.open(path)


def test_a_missing_file_grants_nothing(path):
    accountant = Accountant(BUDGET, ledger=Ledger.open(path))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        accountant.charge(Gaussian(50.0), "more")
    assert accountant.spent().epsilon == 0
    assert not path.exists()


# A disk that fails.


def test_a_failing_sync_grants_nothing_and_leaves_the_file_as_it_was(path, monkeypatch):
    accountant = Accountant(BUDGET, ledger=Ledger.open(path))
    before, left = path.read_bytes(), accountant.cost_left

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            accountant.charge(Gaussian(50.0), "more")
    assert (path.read_bytes(), accountant.cost_left) == (before, left)
    accountant.charge(Gaussian(50.0), "more")
    assert Ledger.open(path).entries()[-1]["purpose"] == "more"


@needs_fork
def test_a_full_disk_grants_nothing_and_leaves_the_file_as_it_was(path):
    """A child that may not make the file longer than part of the next line."""
    import resource
    import signal

    before = path.read_bytes()

    def work(tell):
        accountant = Accountant(BUDGET, ledger=Ledger.open(path))
        size = path.stat().st_size
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
        try:
            accountant.charge(Gaussian(50.0), "more")
        except OSError:
            tell(b"refused;")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        tell(b"whole;" if path.stat().st_size == size else b"TORN;")
        accountant.charge(Gaussian(50.0), "after all")

    assert in_children([work]) == [b"refused;whole;"]
    assert Ledger.open(path).entries()[-1]["purpose"] == "after all"
    assert path.read_bytes().startswith(before)


@pytest.mark.parametrize("moment", ["before the line is written", "after the line is written"])
def test_an_interrupt_never_makes_a_ledger_forget(moment, path, monkeypatch):
    """Ctrl-C in a notebook: nothing is granted, and what the file holds is what the object knows."""
    ledger = Ledger.open(path)
    accountant = Accountant(BUDGET, ledger=ledger)
    write = ledgers_module._write

    def interrupted(file, raw):
        if moment == "after the line is written":
            write(file, raw)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledgers_module, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            accountant.charge(Gaussian(50.0), "interrupted")
    assert ledger.spent() == Ledger.open(path).spent()
    accountant.charge(Gaussian(50.0), "more")
    assert ledger.entries() == Ledger.open(path).entries()
