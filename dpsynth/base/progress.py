"""Stages and steps of a long job, as records of the logger "dpsynth".

They say what is done and how far it has come: never a value. A stage is a line at level INFO. A
step, or the share of a stage, is a record at level DEBUG, with the attributes `done` and `of`, from
which `base.following` shows how long the rest will take. Rows that are drawn are counted so too.

**What they depend on.** Words and counts here follow from public facts (names, numbers of pairs)
and from charged measurements (which pairs are tried, how close a model has come to noisy counts,
what part of the budget is spent). So they say nothing of the rows that the charges do
not: `dpsynth.testing.check_mechanism` compares the records of two tables. How many rows have been
read or counted is never said. *When* a record comes does depend on the rows, as all time that a fit
takes does; docs/known-limits.md says so. Neither is part of a release.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_log = logging.getLogger("dpsynth")

_part: ContextVar[tuple[float, float]] = ContextVar("_part", default=(0.0, 1.0))
"""From and to which share of the stage the present work goes."""


def stage(what: str) -> None:
    """Says what is done from now on."""
    _log.info("%s", what, extra={"stage": what})


def step(done: int, of: int) -> None:
    """Says that so many steps of the stage are done."""
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("%d of %d", done, of, extra={"done": done, "of": of})


def rows(done: int, of: int) -> None:
    """Says that so many rows are there: first of all those that were there before the stage."""
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("%d of %d rows", done, of, extra={"done": done, "of": of, "rows": True})


def share(done: float) -> None:
    """Says that about this share of the work is done, from 0 to 1."""
    if _log.isEnabledFor(logging.DEBUG):
        start, end = _part.get()
        at = start + (end - start) * done
        _log.debug("%.0f %%", 100 * at, extra={"done": at, "of": 1.0})


@contextlib.contextmanager
def within(start: float, end: float) -> Iterator[None]:
    """Work whose shares go from one share of the stage to another."""
    before = _part.set((start, end))
    try:
        yield
    finally:
        _part.reset(before)


def steps(what: str, items: Sequence[T]) -> Iterator[T]:
    """The items of a new stage, one by one; each counts as done when the next is asked for."""
    stage(what)
    for done, item in enumerate(items):
        step(done, len(items))
        yield item
