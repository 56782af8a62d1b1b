"""What the logger "dpsynth" says, told on stderr: the stage, how far it has come, and how long the
rest will take. `base.progress` says what its records have.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

_FORESEEN = 1.0
"""Seconds of a stage after which its rest is foreseen."""

_SILENT = 60.0
"""Seconds after which a long stage is heard of again where lines do not change."""


class _Teller(logging.Handler):
    """Tells what the logger says: on a terminal in one line that changes, else line by line."""

    def __init__(self, console: Console, status: Status | None) -> None:
        super().__init__(logging.DEBUG)
        self._console = console
        self._status = status
        self._begins("")

    def _begins(self, stage: str) -> None:
        self._stage = stage
        self._began = self._told = time.monotonic()
        self._tenth = 0
        self._there: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(record, "stage"):
            self._begins(record.getMessage())
            self._show(self._stage)
        elif hasattr(record, "done"):
            self._step(record.done, record.of, hasattr(record, "rows"))  # type: ignore[attr-defined]
        elif record.levelno >= logging.INFO:
            self._print(record.getMessage())

    def _step(self, done: float, of: float, rows: bool) -> None:
        """of: how many steps or rows there are; 1.0 where `done` is a share."""
        at = f"{done:.0%}" if isinstance(of, float) else f"{done:,} of {of:,}"
        rest = self._of_rows(int(done), int(of)) if rows else self._left(done, done, of)
        text = f"{self._stage}: {at}{rest}"
        now, tenth = time.monotonic(), int(10 * done / of) if of else 0
        if self._status is not None:
            self._show(text)
        elif tenth > self._tenth or now - self._told >= _SILENT:
            self._tenth, self._told = tenth, now
            self._print(text)

    def _of_rows(self, done: int, of: int) -> str:
        """The first count of a stage is of rows that were there before: they took no time."""
        if self._there is None:
            self._there, self._tenth = done, int(10 * done / of) if of else 0
        drawn, passed = done - self._there, time.monotonic() - self._began
        speed = f", {drawn / passed:,.0f} a second" if drawn and passed >= _FORESEEN else ""
        return f" rows{speed}{self._left(drawn, done, of)}"

    def _left(self, since: float, done: float, of: float) -> str:
        """since: what was done in this stage."""
        passed = time.monotonic() - self._began
        if not 0 < done < of or since <= 0 or passed < _FORESEEN:
            return ""
        return f", about {in_words(passed * (of - done) / since)} left"

    def _show(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)
        else:
            self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)


def in_words(seconds: float) -> str:
    """A time for a person: 40 s, 12 min, 3 h."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1.0, seconds):.0f} s"


@contextlib.contextmanager
def following(asked: bool | None, console: Console | None = None) -> Iterator[None]:
    """Shows on stderr what the logger "dpsynth" says while the block runs.

    asked: None for only where stderr is a terminal.
    """
    shown = sys.stderr.isatty() if console is None else console.is_terminal
    if not (shown if asked is None else asked):
        yield
        return
    if console is None:
        from rich.console import Console

        console = Console(stderr=True, soft_wrap=True)
    status = console.status("starting") if console.is_terminal else None
    teller = _Teller(console, status)
    log = logging.getLogger("dpsynth")
    before = log.level
    log.addHandler(teller)
    log.setLevel(logging.DEBUG)
    try:
        with status or contextlib.nullcontext():
            yield
    finally:
        log.removeHandler(teller)
        log.setLevel(before)
