"""Whatever happens to a ledger's lines: noticed, or harmless; never a smaller spent, never a grant without a line."""

from __future__ import annotations

import contextlib
import json
import os
from itertools import count
from pathlib import Path

import pytest

from dpsynth.kernel.events import Gaussian
from dpsynth.ledger.chain import LedgerCorruptError
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from tests.rings.ledgers import BUDGET, broken_into, create, edited, golden, lines_of, overwrite

NUMBERS = count()


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """The golden ledger's lines, as text."""
    return lines_of(golden(tmp_path / "claims.ledger"), tmp_path / "lines")


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """The lines of a short ledger, as text."""
    ledger = create(tmp_path / "short.ledger")
    with Accountant(BUDGET, ledger=ledger) as accountant:
        accountant.charge(Gaussian(40.0), "measure age")
    return lines_of(ledger, tmp_path / "few")


def read(lines: Path) -> Ledger:
    """The ledger of these lines, in a file of its own."""
    return Ledger.import_lines(lines, lines.with_name(f"{next(NUMBERS)}.ledger"))


# Damage.


def test_a_flipped_bit_anywhere_is_noticed(few):
    good = few.read_bytes()
    for position in range(len(good)):
        for flip in (7, 0x80):  # 7 turns a line feed into a carriage return
            overwrite(few, position, good[position] ^ flip)
            with pytest.raises(LedgerCorruptError):
                read(few)
        overwrite(few, position, good[position])
    assert not list(few.parent.glob("[0-9]*.ledger"))
    read(few)


def test_a_cut_is_noticed_except_between_lines_where_a_noted_head_shows_it(few):
    good, head = few.read_bytes(), json.loads(few.read_bytes().splitlines()[-1])["hash"]
    for length in reversed(range(len(good))):
        os.truncate(few, length)
        with pytest.raises(LedgerCorruptError) as caught:
            read(few).verify(head)
        assert ("its end was cut off" in str(caught.value)) == (length > 0 and good[length - 1] == ord("\n"))


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (0, {"format": 2}),
        (0, {"format": 0}),
        (0, {"format": "1"}),
        (0, {"dataset": None}),
        (0, {"account": 7}),
        (0, {"kind": "run"}),
        (0, {"time": 0}),
        (0, {"unit": {"id_column": None, "max_records": 0, "adjacency": "replace"}}),
        (0, {"unit": {"max_records": 1, "whom": "persons"}}),
        (0, {"unit": []}),
        (0, {"budget": {"epsilon": -1.0, "delta": 1e-6}}),
        (0, {"budget": {"epsilon": 10**400, "delta": 1e-6}}),
        (0, {"budget": {"epsilon": 1.0}}),
        (0, {"budget": None}),
        (0, {"currency": "EUR"}),
        (1, {"policy": None}),
        (1, {"policy": {"purposes": {}, "approvals": [], "mechanisms": []}}),
        (1, {"policy": {"purposes": {}, "approvals": [], "mechanisms": [], "persons": "no"}}),
        (1, {"policy": {"purposes": {}, "approvals": [], "mechanisms": [], "persons": False, "hours": 9}}),
        (1, {"policy": {"purposes": {"research": 1}, "approvals": [], "mechanisms": [], "persons": False}}),
        (2, {"kind": "open", "run": ...}),
        (2, {"noise": ["operating system"]}),
        (2, {"budget": {"epsilon": 1.0, "delta": 2.0}}),
        (2, {"reserve": {}}),
        (2, {"reserve": [{"event": "gaussian", "noise_multiplier": 1e9}]}),
        (2, {"reserve": None}),
        (2, {"approvals": ["ethics board"]}),
        (2, {"approvals": {"ethics board": 17}}),
        (2, {"mechanism": None}),
        (3, {"run": "another"}),
        (4, {"kind": "refund"}),
        (4, {"kind": ["charge"]}),
        (4, {"kind": ...}),
        (4, {"seq": ...}),
        (4, {"seq": 3}),
        (4, {"run": "another"}),
        (4, {"run": ["one"]}),
        (4, {"purpose": ...}),
        (4, {"purpose": 3}),
        (4, {"note": "hello"}),
        (4, {"event": {"event": "telepathy", "scale": 1.0}}),
        (4, {"event": {"event": "gaussian", "noise_multiplier": 1.0, "weight": 0}}),
        (4, {"event": {"event": "gaussian", "noise_multiplier": -1.0}}),
        (4, {"event": {"event": "gaussian", "noise_multiplier": 0.1}}),
        (4, {"event": {"event": "gaussian", "noise_multiplier": "40"}}),
        (4, {"event": {"event": [], "noise_multiplier": 40.0}}),
        (4, {"event": "gaussian"}),
        (4, {"event": None}),
        (6, {"release": 7}),
        (6, {"kind": "void", "release": ...}),
        (6, {"run": "another"}),
        (13, {"charge": 11}),
        (13, {"charge": 12.0}),
        (13, {"charge": [12]}),
        (13, {"run": "seeded-7-another"}),
        (13, {"upto": 9}),
        (13, {"upto": 3.0}),
        (13, {"upto": True}),
        (13, {"upto": 0}),
        (13, {"lost": 1}),
        (13, {"resumed": 1}),
        (14, {"lost": 4}),
        (14, {"lost": -1}),
        (14, {"resumed": 2}),
        (14, {"upto": 4}),
        (15, {"resumed": 0}),
        (15, {"upto": 3}),
        (15, {"lost": 0}),
    ],
    ids=str,
)
def test_what_this_version_does_not_know_is_refused(line, fields, lines):
    edited(lines, line, **fields)
    with pytest.raises(LedgerCorruptError, match=r"line \d+ of"):
        read(lines)
    assert not list(lines.parent.glob("[0-9]*.ledger"))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"{}\n", b"[]\n", b"3\n", b"null\n", b'"x"\n',
     b"\xff\n", b"NaN\n", b"[" * 100_000 + b"\n", b"9" * 5000 + b"\n"],
    ids=lambda t: repr(t[:8]),
)  # fmt: skip
def test_text_that_holds_no_lines_is_refused(text, tmp_path):
    (tmp_path / "l").write_bytes(text)
    with pytest.raises(LedgerCorruptError):
        read(tmp_path / "l")
    with pytest.raises(LedgerCorruptError):
        Ledger.open(tmp_path / "l")
    assert (tmp_path / "l").read_bytes() == text


@pytest.mark.parametrize(
    "change", [lambda b: b.replace(b"\n", b"\r\n"), lambda b: b + b"\n", lambda b: b"\n" + b, lambda b: b + b]
)
def test_another_way_of_writing_the_same_lines_is_refused(change, lines):
    lines.write_bytes(change(lines.read_bytes()))
    with pytest.raises(LedgerCorruptError):
        read(lines)


def test_equal_json_in_other_words_is_refused(lines):
    raws = lines.read_text().splitlines()
    for other in (
        json.dumps(json.loads(raws[4])),
        raws[4].replace("40.0", "4e1"),
        raws[4].replace("40.0", "40"),
        raws[4].replace('{"event":"gaussian"', '{"event":"gaussian","event":"gaussian"'),
    ):
        assert other != raws[4]
        lines.write_text("\n".join([*raws[:4], other, *raws[5:], ""]))
        with pytest.raises(LedgerCorruptError):
            read(lines)


# The same under an open ledger.


def test_an_older_copy_put_in_place_of_an_open_ledger_is_noticed(tmp_path):
    path = tmp_path / "l"
    ledger = create(path)
    older = path.read_bytes()
    accountant = Accountant(BUDGET, ledger=ledger)
    accountant.charge(Gaussian(20.0), "more")
    path.unlink()
    path.write_bytes(older)
    for act in (ledger.spent, ledger.verify, lambda: accountant.charge(Gaussian(20.0), "again")):
        with pytest.raises(LedgerCorruptError, match=r"has lost lines|no longer the ledger"):
            act()


def test_a_line_changed_under_an_open_ledger_is_noticed(tmp_path):
    ledger = golden(tmp_path / "l")
    edited(lines_of(ledger, tmp_path / "lines"), 4, purpose="measure sex")
    for seq, raw in enumerate((tmp_path / "lines").read_bytes().splitlines()):
        broken_into(tmp_path / "l", f"UPDATE line SET raw = x'{raw.hex()}' WHERE seq = {seq}")
    Ledger.open(tmp_path / "l").verify()  # forged from end to end: a chain that holds, of another history
    with pytest.raises(LedgerCorruptError):
        ledger.spent()
    with pytest.raises(LedgerCorruptError, match="no longer the ledger"):
        ledger.verify()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM line WHERE seq = 15",
        "DELETE FROM line WHERE seq = 4",
        "DELETE FROM line",
        "UPDATE line SET seq = 16 WHERE seq = 15",
        "UPDATE line SET seq = -1 WHERE seq = 0",
        "UPDATE line SET raw = CAST(replace(raw, 'age', 'sex') AS BLOB) WHERE seq = 4",
        "UPDATE line SET raw = x'' WHERE seq = 7",
        "INSERT INTO line SELECT 16, raw FROM line WHERE seq = 4",
    ],
)
def test_a_row_changed_past_the_triggers_is_noticed(statement, tmp_path):
    ledger = golden(tmp_path / "l")
    before = ledger.spent()
    broken_into(tmp_path / "l", statement)
    with pytest.raises(LedgerCorruptError):
        ledger.verify()
    with pytest.raises(LedgerCorruptError):
        Ledger.open(tmp_path / "l").verify(ledger.head)
    with contextlib.suppress(LedgerCorruptError):  # lines that were read before are read again by verify only
        assert ledger.spent() == before


def test_a_missing_file_grants_nothing(tmp_path):
    path = tmp_path / "l"
    accountant = Accountant(BUDGET, ledger=create(path))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        accountant.charge(Gaussian(50.0), "more")
    assert accountant.spent().epsilon == 0
    assert not path.exists()
