"""The timer of tests can fail on every machine: what takes far too long is never called soon."""

from __future__ import annotations

import itertools

import pytest

from tests import pace


def ticking(monkeypatch, seconds):
    """A clock by which each piece of work takes so many seconds."""
    readings = (each * seconds for each in itertools.count())
    monkeypatch.setattr(pace.time, "process_time", lambda: next(readings))


@pytest.mark.parametrize("slower", [0.1, 1, 3, 1000, 1e9])
def test_work_that_takes_nine_times_its_limit_is_never_soon_however_slow_additions_are(monkeypatch, slower):
    ticking(monkeypatch, 9.0)
    monkeypatch.setattr(pace, "_additions", lambda: slower * 0.045)
    with pytest.raises(AssertionError, match="1 at most"):
        pace.soon(1, lambda: None)


@pytest.mark.parametrize("slower", [0.1, 1])
def test_on_a_usual_or_quicker_core_seconds_are_seconds(monkeypatch, slower):
    monkeypatch.setattr(pace, "_additions", lambda: slower * 0.045)
    assert pace.usual(2.0) == 2.0
    ticking(monkeypatch, 1.01)
    with pytest.raises(AssertionError, match="1 at most"):
        pace.soon(1, lambda: None)


def test_on_a_core_three_times_slower_work_has_three_times_as_long(monkeypatch):
    monkeypatch.setattr(pace, "_additions", lambda: 3 * 0.045)
    ticking(monkeypatch, 2.9)
    assert pace.soon(1, lambda: "done") == "done"
    ticking(monkeypatch, 3.1)
    with pytest.raises(AssertionError, match="1 at most"):
        pace.soon(1, lambda: "done")
