"""Progress on stderr: stages, steps, and the time that is left."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from dpsynth.base import progress
from dpsynth.cli import progress as shown


@pytest.fixture
def lines(monkeypatch):
    """What a block prints on a stderr of this kind, while a clock of its own runs."""
    clock = [0.0]
    monkeypatch.setattr(shown.time, "monotonic", lambda: clock[0])

    def printed(block, *, terminal=False, asked=True):
        text = io.StringIO()
        monkeypatch.setattr(shown, "err", Console(file=text, force_terminal=terminal, width=200))
        with shown.following(asked):
            block(clock)
        return text.getvalue()

    return printed


def job(clock):
    for _ in progress.steps("attacking", range(20)):
        clock[0] += 3.0
    logging.getLogger("dpsynth.mechanisms").info("what a mechanism says")


def test_stages_and_tenths_are_lines_with_the_time_that_is_left(lines):
    assert lines(job).splitlines() == [
        "attacking",
        "attacking: 2 of 20, about 54 s left",
        "attacking: 4 of 20, about 48 s left",
        "attacking: 6 of 20, about 42 s left",
        "attacking: 8 of 20, about 36 s left",
        "attacking: 10 of 20, about 30 s left",
        "attacking: 12 of 20, about 24 s left",
        "attacking: 14 of 20, about 18 s left",
        "attacking: 16 of 20, about 12 s left",
        "attacking: 18 of 20, about 6 s left",
        "what a mechanism says",
    ]


def shares(clock):
    progress.stage("fitting")
    for start, end in ((0.0, 0.5), (0.5, 1.0)):
        with progress.within(start, end):
            for tenth in range(0, 11, 2):
                progress.share(tenth / 10)
                clock[0] += 1.0


def test_shares_are_told_in_per_cent_and_those_of_a_part_in_its_range(lines):
    assert lines(shares).splitlines() == [
        "fitting",
        "fitting: 10%, about 9 s left",
        "fitting: 20%, about 8 s left",
        "fitting: 30%, about 7 s left",
        "fitting: 40%, about 6 s left",
        "fitting: 50%, about 5 s left",
        "fitting: 60%, about 5 s left",
        "fitting: 70%, about 3 s left",
        "fitting: 80%, about 2 s left",
        "fitting: 90%, about 1 s left",
        "fitting: 100%",
    ]


def test_a_part_ends_with_its_block_also_where_it_fails(caplog):
    def fails():
        with progress.within(0.2, 0.4):
            progress.share(0.5)
            raise ZeroDivisionError

    with caplog.at_level(logging.DEBUG, logger="dpsynth"):
        with pytest.raises(ZeroDivisionError):
            fails()
        progress.share(0.5)
    assert [record.done for record in caplog.records] == pytest.approx([0.3, 0.5])


def test_a_terminal_shows_the_same_in_place(lines):
    said = lines(job, terminal=True)
    assert "what a mechanism says" in said
    assert logging.getLogger("dpsynth").handlers == []


@pytest.mark.parametrize(
    ("asked", "terminal", "there"), [(None, False, False), (None, True, True), (False, True, False)]
)
def test_by_default_a_terminal_is_told_and_a_file_is_not(asked, terminal, there, lines):
    assert bool(lines(job, terminal=terminal, asked=asked)) == there


def test_nothing_is_foreseen_before_a_second_has_passed(lines):
    def quick(clock):
        for _ in progress.steps("attacking", range(10)):
            clock[0] += 0.05

    assert "left" not in lines(quick)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (119, "119 s"), (600, "10 min"), (9000, "2 h")]
)
def test_a_time_is_told_in_the_unit_that_a_person_would_use(seconds, words):
    assert shown.in_words(seconds) == words


def test_steps_give_every_item_and_are_counted_when_the_next_is_asked_for(caplog):
    with caplog.at_level(logging.DEBUG, logger="dpsynth"):
        assert list(progress.steps("counting", "abc")) == ["a", "b", "c"]
    assert [(r.done, r.of) for r in caplog.records if hasattr(r, "done")] == [(0, 3), (1, 3), (2, 3)]
