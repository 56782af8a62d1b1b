"""A little of the torture that benchmarks/ledger_torture.py does at length."""

from __future__ import annotations

import random
import sys

import pytest

from tests.rings import torture
from tests.rings.processes import needs_fork

pytestmark = needs_fork
faulty = pytest.mark.skipif(
    torture.COMPILER is None or not sys.platform.startswith("linux"), reason="faults.c needs Linux and a C compiler"
)


@faulty
def test_a_kill_at_any_call_loses_nothing_that_was_granted():
    found = torture.run("kills", 60)
    assert found["violations"] == 0
    assert found["granted"] > 40
    assert found["refused"] == found["other errors"] == 0


@faulty
def test_an_io_error_or_a_full_disk_at_any_call_grants_nothing_that_is_not_recorded():
    found = torture.run("errors", 30)
    assert found["violations"] == found["other errors"] == 0
    assert found["refused"] > 10


@faulty
def test_a_power_cut_at_any_call_loses_nothing_that_was_granted():
    found = torture.run("power", 40)
    assert (found["violations"], found["unreadable"]) == (0, 0)


def test_a_power_cut_keeps_what_was_synced_and_any_part_of_the_rest():
    begin, kept = {"l": b""}, [("W", "l", 0, b"granted"), ("S", "l", 0, b"")]
    rng = random.Random(0)
    assert all(torture.after_power_cut(begin, kept, rng)["l"] == b"granted" for _ in range(20))
    assert {torture.after_power_cut(begin, kept[:1], rng)["l"] for _ in range(20)} == {b"", b"granted"}


def test_32_processes_reserve_all_that_there_is_and_no_more():
    found = torture.run("races", 96)
    assert found["violations"] == 0
    assert found["granted"] == 96


def test_a_byte_changed_anywhere_in_the_file_is_noticed_or_harmless():
    assert torture.run("flips", 150)["violations"] == 0


@pytest.mark.slow
@faulty
@pytest.mark.parametrize(("kind", "amount"), [("kills", 400), ("errors", 300), ("power", 300), ("races", 2000)])
def test_more_torture_finds_no_more(kind, amount):
    assert torture.run(kind, amount)["violations"] == 0
