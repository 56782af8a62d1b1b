"""Codes: each value of a column as the number of a public cell.

The door reads what there is much of, numbers and datetimes, against public edges; a codec is asked for every other
value alone, and its answer is brought to the public range. So the code of a value depends on that value and on no
other, unless a codec keeps what it was asked before: Python has no walls against that.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from dpsynth.door.columns import is_missing, is_number, nanoseconds, pieces, real, seconds

_BUCKETS = 1 << 16
_FEW = 16
"""Edges that a binary search finds as fast as buckets do, without their half a megabyte."""


class Cuts:
    """The codes of numbers: codes[i] for all from edges[i - 1] on and below edges[i]. Edges ascend strictly."""

    def __init__(self, edges: Any, codes: Any) -> None:
        self.edges = np.array(edges, dtype=np.float64)
        self.codes = np.array(codes, dtype=np.int64)
        if len(self.codes) != len(self.edges) + 1 or not (np.diff(self.edges) > 0).all():
            raise ValueError("cuts are edges that ascend strictly, and one code more than there are edges")
        self._list = self.edges.tolist()

    def of(self, number: float) -> int:
        """The code of one number."""
        return int(self.codes[bisect_right(self._list, number)])

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """The codes of float64 numbers, none of them NaN: what `of` says of each.

        A binary search costs 50 ns a number where edges are many, so numbers fall into equal buckets first, and only
        those in a bucket with an edge in it are searched for. The bucket is a monotone function of the number, rounding
        included.
        """
        found: np.ndarray
        if len(self.edges) <= _FEW:
            found = self.codes[np.searchsorted(self.edges, numbers, side="right")]
            return found
        bucket = self._bucket(numbers)
        interval = self._interval_of_bucket[bucket]
        unsure = np.flatnonzero(interval < 0)
        interval[unsure] = np.searchsorted(self.edges, numbers[unsure], side="right")
        found = self.codes[interval]
        return found

    def _bucket(self, numbers: np.ndarray) -> np.ndarray:
        low, high = self._list[0], self._list[-1]
        scale = min(_BUCKETS / max(high - low, 1e-300), 1e300)
        return ((np.clip(numbers, low, high) - low) * scale).astype(np.int64)

    @cached_property
    def _interval_of_bucket(self) -> np.ndarray:
        with_edges = self._bucket(self.edges)
        interval = np.searchsorted(with_edges, np.arange(_BUCKETS + 2), side="left")
        interval[with_edges] = -1
        return interval


class Decimals:
    """The codes of numbers by the decimals that write them: 0 for whole numbers, up to `most`, and most + 1 beyond.

    One number has a code of its own: that of what is missing. NaN: none has.
    """

    def __init__(self, most: int, number: float, code: int) -> None:
        self.most, self._number, self._code = most, number, code

    def of(self, number: float) -> int:
        """The code of one number."""
        return int(self.at(np.array([number]))[0])

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """The codes of float64 numbers: the fewest decimals whose nearest multiple is the number itself."""
        codes = np.full(len(numbers), self.most + 1)
        with np.errstate(all="ignore"):
            for places in reversed(range(self.most + 1)):
                codes[np.rint(numbers * 10.0**places) / 10.0**places == numbers] = places
        return np.where(numbers == self._number, self._code, codes)


class Codes(Protocol):
    """A code for each number, which follows from that number alone."""

    def of(self, number: float) -> int:
        """The code of one number."""
        ...

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """The codes of float64 numbers, none of them NaN: what `of` says of each."""
        ...


class Coding(Protocol):
    """What a codec says of its column, all of it public.

    size: how many codes there are, from 0 on. null, bad: the codes of what is missing, and of what cannot be read.
    numbers, datetimes: the codes of numbers, and of datetimes in seconds since 1970 UTC.
    """

    size: int
    null: int
    bad: int

    @property
    def numbers(self) -> Codes: ...

    @property
    def datetimes(self) -> Codes: ...

    def code(self, value: Any) -> int:
        """The code of one value that is neither missing nor a number nor a date, such as a text."""
        ...


def code_of(value: Any, coding: Coding) -> int:
    """The code of one value. What makes the codec or Python fail is what cannot be read."""
    try:
        if is_missing(value):
            return coding.null
        if is_number(value):
            return coding.numbers.of(real(value))
        if isinstance(value, date | np.datetime64):
            return coding.datetimes.of(float(nanoseconds(value) // 10**9))
        return min(max(int(coding.code(value)), 0), coding.size - 1)
    except Exception:
        return coding.bad


def codes_of(column: Any, coding: Coding) -> np.ndarray:
    """One code for each row of a column, in the smallest of uint8, uint16 and int32."""
    found = [_in_range([], coding)]
    for values, places in pieces(column):
        codes = _coded(values, coding)
        found.append(codes if places is None else np.append(codes, _in_range([coding.null], coding))[places])
    return np.concatenate(found)


def _in_range(codes: Any, coding: Coding) -> np.ndarray:
    kind = np.uint8 if coding.size <= 1 << 8 else np.uint16 if coding.size <= 1 << 16 else np.int32
    return np.clip(np.asarray(codes, dtype=np.int64), 0, coding.size - 1).astype(kind)


def _coded(values: list[Any] | np.ndarray, coding: Coding) -> np.ndarray:
    if isinstance(values, list) and {*map(type, values)} <= {float, type(None)}:
        values = np.array(values, dtype=np.float64)
    if isinstance(values, list):
        return _in_range([code_of(value, coding) for value in values], coding)
    if values.dtype.kind in "iu" and len(values) and (span := int(values.max()) - int(values.min())) < len(values):
        wide = values.astype(np.int64 if values.dtype.kind == "i" else np.uint64, copy=False)
        each = wide.min() + np.arange(span + 1).astype(wide.dtype)  # fewer than there are values: look them up
        return _in_range(_of_numbers(each, coding), coding)[(wide - wide.min()).astype(np.intp)]
    return _in_range(_of_numbers(values, coding), coding)


def _of_numbers(values: np.ndarray, coding: Coding) -> np.ndarray:
    cuts = coding.numbers
    if values.dtype.kind == "M":
        values, cuts = seconds(values), coding.datetimes
    x = values.astype(np.float64, copy=False)
    missing = np.isnan(x)
    if missing.any():
        return np.where(missing, coding.null, cuts.at(np.where(missing, 0.0, x)))
    return cuts.at(x)
