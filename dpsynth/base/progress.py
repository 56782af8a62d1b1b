"""Stages and steps of a long job, as records of the logger "dpsynth".

They say what is done and how far it has come, in words and counts that are public: never a value.
A stage is a line at level INFO. A step is a record at level DEBUG, with the attributes `done` and
`of`, from which a terminal shows how long the rest will take.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

_log = logging.getLogger("dpsynth")


def stage(what: str) -> None:
    """Says what is done from now on."""
    _log.info("%s", what, extra={"stage": what})


def step(done: int, of: int) -> None:
    """Says that so many steps of the stage are done."""
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("%d of %d", done, of, extra={"done": done, "of": of})


def steps(what: str, items: Sequence[T]) -> Iterator[T]:
    """The items of a new stage, one by one; each counts as done when the next is asked for."""
    stage(what)
    for done, item in enumerate(items):
        step(done, len(items))
        yield item
