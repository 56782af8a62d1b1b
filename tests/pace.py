"""CPU seconds as a usual core takes them: shared and older machines take several times as long for the same work."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import TypeVar

_ROUNDS = 1_000_000
_USUAL = 0.045
"""CPU seconds for so many additions on a core of 2022."""
_SLOWEST = 8.0
"""A machine counts as at most so many times slower: a tracer slows additions by more, and not what is timed."""
_TRIES = 3
"""A neighbour on the machine slows one try; the quickest of several says what the work itself needs."""

Answer = TypeVar("Answer")


def usual(seconds: float) -> float:
    """What these seconds, measured just now, would be on a usual core: an eighth to all of them."""
    slower = statistics.median(_additions() for _ in range(3)) / _USUAL
    return seconds / min(max(1.0, slower), _SLOWEST)


def soon(seconds: float, work: Callable[[], Answer]) -> Answer:
    """What the work answers, in at most so many seconds of a usual core; every try begins with empty caches."""
    quickest = float("inf")
    for _ in range(_TRIES):
        _forget()
        start = time.process_time()
        answer = work()
        took = time.process_time() - start
        quickest = min(quickest, took if took < seconds else usual(took))
        if quickest < seconds:
            return answer
    raise AssertionError(f"took {quickest:.2f} CPU s of a usual core, {seconds} at most")


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("dpsynth."):
            for value in vars(module).values():
                if callable(clear := getattr(value, "cache_clear", None)):
                    clear()


def _additions() -> float:
    start, total = time.process_time(), 0
    for number in range(_ROUNDS):
        total += number
    return time.process_time() - start
