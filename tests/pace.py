"""CPU seconds as a usual core takes them: shared and older machines take several times as long for the same work."""

from __future__ import annotations

import statistics
import time

_ROUNDS = 1_000_000
_USUAL = 0.045
"""CPU seconds for so many additions on a core of 2022."""


def usual(seconds: float) -> float:
    """What these seconds, measured just now, would be on a usual core; never more than they are."""
    return seconds / max(1.0, statistics.median(_additions() for _ in range(3)) / _USUAL)


def _additions() -> float:
    start, total = time.process_time(), 0
    for number in range(_ROUNDS):
        total += number
    return time.process_time() - start
