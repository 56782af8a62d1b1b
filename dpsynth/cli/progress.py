"""Progress on stderr: the stage, how far it has come, and about how long the rest will take."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from dpsynth.cli.common import err

Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        help="Say on stderr what is done. By default only where stderr is a terminal.",
    ),
]

_FORESEEN = 1.0
"""Seconds of a stage after which its rest is foreseen."""


class _Teller(logging.Handler):
    """Tells what the logger says: on a terminal in one line that changes, else line by line."""

    def __init__(self, console: Console, status: Status | None) -> None:
        super().__init__(logging.DEBUG)
        self._console = console
        self._status = status
        self._stage = ""
        self._began = time.monotonic()
        self._tenth = 0

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(record, "stage"):
            self._stage, self._began, self._tenth = record.getMessage(), time.monotonic(), 0
            self._show(self._stage)
        elif hasattr(record, "done"):
            self._step(record.done, record.of)  # type: ignore[attr-defined]
        elif record.levelno >= logging.INFO:
            self._print(record.getMessage())

    def _step(self, done: float, of: float) -> None:
        """of: how many steps there are; 1.0 where `done` is a share."""
        at = f"{done:.0%}" if isinstance(of, float) else f"{done:,} of {of:,}"
        text = f"{self._stage}: {at}{self._left(done, of)}"
        if self._status is not None:
            self._show(text)
        elif int(10 * done / of) > self._tenth:
            self._tenth = int(10 * done / of)
            self._print(text)

    def _left(self, done: float, of: float) -> str:
        passed = time.monotonic() - self._began
        if not 0 < done < of or passed < _FORESEEN:
            return ""
        return f", about {in_words(passed * (of - done) / done)} left"

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
def following(asked: bool | None) -> Iterator[None]:
    """Shows on stderr what the logger "dpsynth" says while the block runs.

    asked: None for only where stderr is a terminal.
    """
    if not (err.is_terminal if asked is None else asked):
        yield
        return
    status = err.status("starting") if err.is_terminal else None
    teller = _Teller(err, status)
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
