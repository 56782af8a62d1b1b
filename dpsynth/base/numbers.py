"""Checks of numbers that callers give."""

from __future__ import annotations

import sys


def whole(what: str, value: object, most: int) -> int:
    """`value`, where it is a whole number from 1 to `most`; else ValueError. what: its name."""
    if type(value) is int and 1 <= value <= most:
        return value
    raise ValueError(f"{what} must be a whole number from 1 to {most:,}, got {value!r}")


def positive(what: str, value: object) -> float:
    """`value`, when it is a finite number above zero; else one sentence."""
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 < value <= sys.float_info.max
    ):
        return float(value)
    raise ValueError(f"{what} must be a finite number above 0, got {value!r}")


def probability(what: str, value: object) -> float:
    """`value`, when it lies strictly between 0 and 1; else one sentence."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    raise ValueError(f"{what} must lie strictly between 0 and 1, got {value!r}")
