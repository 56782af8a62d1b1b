"""What one raw value says: a number, a time, or that it is missing.

Nothing here raises because of a value. The door reads containers, and in them numbers and times
(`door.columns`); what any other object says is read here, one value at a time, and what a text says
in `schema.texts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from numbers import Complex, Real
from typing import Any, Protocol

import numpy as np

from dpsynth.door.columns import is_missing, is_number, nanoseconds, pieces, real, seconds
from dpsynth.schema.columns import SECONDS, Column, Datetime
from dpsynth.schema.texts import TextReader, iso_seconds, moment_reader, number_of, number_reader


class Reader(Protocol):
    """Reads a column for the data owner, in the three forms in which containers hold values."""

    def objects(self, values: Iterable[object]) -> np.ndarray:
        """What is read of Python objects; None is missing."""
        ...

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """What is read of float64 numbers; NaN is missing."""
        ...

    def datetimes(self, values: np.ndarray) -> np.ndarray:
        """What is read of float64 seconds since 1970 UTC; NaN is missing."""
        ...


def read(column: Any, reader: Reader) -> np.ndarray:
    """What the reader reads of each value of a column (see `door.columns.pieces`)."""
    found = [reader.objects([])]
    # A long double beyond the largest double becomes infinite, as it should, without a warning.
    with np.errstate(all="ignore"):
        for values, places in pieces(column):
            answers = _read(values, reader)
            if places is not None:
                # Place -1 is a missing value: it finds the last answer, which is that for None.
                answers = np.append(answers, reader.objects([None]))[places]
            found.append(answers)
    return np.concatenate(found)


def read_numbers(values: Any, column: Column) -> np.ndarray:
    """The float64 that each value of a column says; NaN if it says none."""
    return read(values, _Numbers(number_reader(column)))


def steps_of(values: Any, column: Datetime) -> np.ndarray:
    """The step of the resolution since 1970 in which each value lies; NaN for what is no time."""
    seconds = read(values, _Moments(moment_reader(column)))
    steps: np.ndarray = np.floor(seconds / SECONDS[column.resolution])
    return steps


class _Moments:
    """Reads the time that a value says; a number says none."""

    def __init__(self, of_text: TextReader) -> None:
        self._of_text = of_text

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return np.fromiter((epoch_seconds(v, self._of_text) for v in values), dtype=np.float64)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return np.full(len(values), np.nan)

    def datetimes(self, values: np.ndarray) -> np.ndarray:
        return values


class _Numbers:
    """Reads the number that a value says; a time says none."""

    def __init__(self, of_text: TextReader) -> None:
        self._of_text = of_text

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return np.fromiter((number(v, self._of_text) for v in values), dtype=np.float64)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return values

    def datetimes(self, values: np.ndarray) -> np.ndarray:
        return np.full(len(values), np.nan)


def _read(values: list[Any] | np.ndarray, reader: Reader) -> np.ndarray:
    if isinstance(values, list):
        return reader.objects(values)
    if values.dtype.kind == "M":
        return reader.datetimes(seconds(values))
    return reader.numbers(values.astype(np.float64, copy=False))


def number(value: object, of_text: TextReader = number_of) -> float:
    """The float64 that a value says; NaN if it says none. True is 1, also as text."""
    if isinstance(value, str):
        return of_text(value)
    if isinstance(value, bool | np.bool_):
        return float(value)
    return plain_number(value)


def plain_number(value: object) -> float:
    """The float64 that a number says; NaN for anything else, text and truth values too."""
    try:
        if is_number(value):
            return real(value)
        if isinstance(value, bool | np.bool_ | np.timedelta64):  # which count as real numbers
            return math.nan
        return float(value) if isinstance(value, Real | Decimal) else math.nan
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]
    except Exception:  # a number that cannot be converted, such as a signalling NaN
        return math.nan


def epoch_seconds(value: object, of_text: TextReader = iso_seconds) -> float:
    """The whole seconds since 1970-01-01 UTC that a value says; NaN if it says none.

    Numbers are not read as times.
    """
    try:
        if isinstance(value, str):
            return of_text(value)
        if isinstance(value, date | np.datetime64) and not is_missing(value):
            return float(nanoseconds(value) // 10**9)
    except Exception:  # a time zone that fails
        return math.nan
    return math.nan


def is_null(value: object) -> bool:
    """Whether a value is missing: None, NA, NaT or NaN."""
    try:
        return is_missing(value) or (isinstance(value, Complex | Decimal) and bool(value != value))
    except Exception:  # a signalling NaN
        return True
