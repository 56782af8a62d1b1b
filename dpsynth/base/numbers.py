"""Checks of numbers that callers give."""

from __future__ import annotations


def whole(what: str, value: object, most: int) -> int:
    """`value`, where it is a whole number from 1 to `most`; else ValueError. what: its name."""
    if type(value) is int and 1 <= value <= most:
        return value
    raise ValueError(f"{what} must be a whole number from 1 to {most:,}, got {value!r}")
