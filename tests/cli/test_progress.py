"""Progress on stderr: stages, steps, and the time that is left."""

from __future__ import annotations

import io
import logging

import pandas as pd
import pytest
from rich.console import Console

import dpsynth
from dpsynth.base import following as shown
from dpsynth.base import progress
from dpsynth.synthesizers import block_job, blocks


@pytest.fixture
def lines(monkeypatch):
    """What a block prints on a stderr of this kind, while a clock of its own runs."""
    clock = [0.0]
    monkeypatch.setattr(shown.time, "monotonic", lambda: clock[0])

    def printed(block, *, terminal=False, asked=True):
        text = io.StringIO()
        with shown.following(asked, Console(file=text, force_terminal=terminal, width=200)):
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


def drawn_on(clock):
    progress.stage("drawing")
    for done in range(300, 1_001, 100):
        progress.rows(done, 1_000)
        clock[0] += 10.0


def test_rows_that_were_there_before_count_as_done_and_not_for_the_speed(lines):
    assert lines(drawn_on).splitlines() == [
        "drawing",
        "drawing: 400 of 1,000 rows, 10 a second, about 60 s left",
        "drawing: 500 of 1,000 rows, 10 a second, about 50 s left",
        "drawing: 600 of 1,000 rows, 10 a second, about 40 s left",
        "drawing: 700 of 1,000 rows, 10 a second, about 30 s left",
        "drawing: 800 of 1,000 rows, 10 a second, about 20 s left",
        "drawing: 900 of 1,000 rows, 10 a second, about 10 s left",
        "drawing: 1,000 of 1,000 rows, 10 a second",
    ]


def test_a_long_stage_is_heard_of_each_minute(lines):
    def long(clock):
        progress.stage("drawing")
        for done in range(100):
            progress.rows(done, 10_000)
            clock[0] += 7.0

    assert len(lines(long).splitlines()) == 1 + 99 * 7 // 63


def test_no_rows_are_no_steps(lines):
    def none(clock):
        progress.stage("drawing")
        progress.rows(0, 0)
        clock[0] += 7.0
        progress.rows(0, 0)

    assert lines(none) == "drawing\n"


@pytest.fixture(scope="module")
def synth():
    schema = dpsynth.Schema({"a": dpsynth.Boolean()})
    fitted = dpsynth.Synthesizer(schema, epsilon=1, delta=1e-6, ledger=None, unsafe_seed=1)
    return fitted.fit(pd.DataFrame({"a": [True, False] * 20}))


def test_a_write_that_goes_on_counts_the_rows_that_lie_there(synth, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(block_job, "ROWS_OF_A_BLOCK", 10)
    real = blocks.write_rows

    def ends(rows, path, schema):
        if "rows-3" in path.name:
            raise KeyboardInterrupt
        real(rows, path, schema)

    monkeypatch.setattr(blocks, "write_rows", ends)
    with pytest.raises(KeyboardInterrupt):
        synth.write(tmp_path / "out", 50, seed=1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(blocks, "write_rows", real)
    synth.write(tmp_path / "out", 50, seed=1, progress=True)
    assert capsys.readouterr().err.splitlines() == [
        "drawing 50 rows into 5 files",
        "drawing 50 rows into 5 files: 40 of 50 rows",
        "drawing 50 rows into 5 files: 50 of 50 rows",
    ]


def test_rows_are_told_once_by_the_command_that_writes_them(synth, tmp_path, run):
    synth.save(tmp_path / "m.dpsynth")
    code, _, err = run(f"sample {tmp_path}/m.dpsynth -n 30 -o {tmp_path}/out/ --progress")
    assert (code, err.splitlines()) == (
        0,
        ["drawing 30 rows into 1 file", "drawing 30 rows into 1 file: 30 of 30 rows"],
    )


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
