"""Whose record a row is: each id as bytes that are made from it alone, whatever container holds it.

One record can widen the type of a whole column: a decimal turns all whole numbers into decimals, bytes turn all texts
into bytes, a word may turn numbers into digits. So ids that say the same number, text, date or span of time have the
same bytes whatever their type, and so have lists, records, sets and intervals of them; others go by their type and what
Python writes for them, or by their type alone where that is no more than an address.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.door.columns import is_missing, is_number, nanoseconds, pieces, utf_8

NO_ID = b""
"""The key of rows without an id: they are one unit."""


@dataclass(frozen=True)
class Joint:
    """Ids in several columns of one table: rows are one unit that agree in all of them, in what is missing too."""

    columns: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.columns[0])


class Numbering:
    """Numbers the units of rows that come in parts: an id has one number in all of them."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    @property
    def keys(self) -> list[bytes]:
        """The key of each unit, by its number."""
        return list(self._numbers)

    def of(self, ids: Any) -> np.ndarray:
        """For each row the number of its unit. ids: a column, see `columns.pieces`, or a Joint.

        The key of several columns is the keys in each of them, after their lengths: no two lists of ids have one key.
        """
        if isinstance(ids, Joint):
            joint, number = [b""], np.zeros(len(ids), dtype=np.intp)
            for more, numbers_there in map(units, ids.columns):
                pairs, number = np.unique(number * len(more) + numbers_there, return_inverse=True)
                joint = [joint[pair // len(more)] + _sized(more[pair % len(more)]) for pair in pairs.tolist()]
            return self._known(joint)[number]
        rows = [np.zeros(0, dtype=np.intp)]
        for values, places in pieces(ids):
            distinct, entries = values, np.arange(len(values))
            if isinstance(values, np.ndarray):
                distinct, entries = np.unique(values, return_inverse=True)
            known = self._known([*map(key, distinct), NO_ID])
            entries = np.append(entries, -1)
            rows.append(known[entries[:-1] if places is None else entries[places]])
        return np.concatenate(rows)

    def _known(self, keys: list[bytes]) -> np.ndarray:
        numbers = self._numbers
        return np.array([numbers.setdefault(each, len(numbers)) for each in keys], dtype=np.intp)


def units(ids: Any) -> tuple[list[bytes], np.ndarray]:
    """The keys of all units, and for each row the number of its unit."""
    numbering = Numbering()
    numbers = numbering.of(ids)
    return numbering.keys, numbers


def digest(ids: Any) -> bytes:
    """A hash of ids in their order, by which two readings of one table in one process are compared.

    It hangs on the rows and on no container that holds several of them: chunks and dictionaries may differ.
    """
    found = hashlib.blake2b(digest_size=16)
    for column in ids.columns if isinstance(ids, Joint) else (ids,):
        rows = [_hashes([])]
        for values, places in pieces(column):
            each = _hashes(values)
            rows.append(each if places is None else np.append(each, np.zeros(1, dtype=_HASH))[places])
        whole = np.concatenate(rows)
        found.update(len(whole).to_bytes(8) + whole.tobytes())
    return found.digest()


_HASH = np.dtype([("kind", np.uint32), ("value", np.int64)])
"""The kind of a value and a hash of what it says; both are 0 for a row without a value."""


def _hashes(values: list[Any] | np.ndarray) -> np.ndarray:
    if isinstance(values, list):
        said = ((1, hash(v)) if type(v) is str else (0, 0) if is_missing(v) else (2, hash(key(v))) for v in values)
        return np.fromiter(said, dtype=_HASH, count=len(values))
    found = np.zeros(len(values), dtype=_HASH)
    found["kind"] = zlib.crc32(values.dtype.str.encode())
    bits = values.astype(np.float64) if values.dtype.kind == "f" else values
    found["value"] = bits.view(np.int64) if values.dtype.kind in "fM" else bits.astype(np.int64)
    return found


def key(value: Any) -> bytes:
    """The bytes of one id: a letter for its kind, and what it says. An id that cannot be written goes by its type."""
    try:
        if is_missing(value):
            return NO_ID
        if isinstance(value, pa.Scalar):
            return key(value.as_py())
        if isinstance(value, date | np.datetime64):
            return b"m%x" % nanoseconds(value)
        if isinstance(value, timedelta | np.timedelta64):
            return b"d%x" % _span(value)
        if isinstance(value, pd.Interval):
            return b"v" + _joined([value.left, value.right, value.closed])
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, str):
            return _text(utf_8(plain))
        if isinstance(plain, bytes | bytearray | memoryview):
            return _text(bytes(plain))
        if isinstance(plain, dict):  # Arrow gives a record all fields that any record has: those without a value go
            return b"{" + _joined(part for name in sorted(plain) if key(plain[name]) for part in (name, plain[name]))
        if isinstance(plain, set | frozenset):
            return b"s" + _joined(sorted(plain, key=key))
        if isinstance(plain, list | tuple | np.ndarray):
            return b"[" + _joined(plain)
        if is_number(plain):
            plain = plain.real
        elif isinstance(plain, complex | np.complexfloating):
            return b"c" + _joined([plain.real, plain.imag])
        if isinstance(plain, int | float | np.floating):
            return _number(plain)
        if isinstance(plain, Decimal) and -_FAR < plain.adjusted() < _FAR:
            return _number(plain)
        written = repr(plain)
        if " at 0x" in written:
            raise ValueError("an address is another one in every run")
        return b"o" + utf_8(f"{type(plain).__name__} {written}")
    except Exception:
        return b"unreadable" + utf_8(type(value).__name__)


_FAR = 10_000
"""Digits before or after the point: no column of decimals holds as many, and to write out more would take long."""
_LONG = 1_000
"""Bits of a whole number that no column of texts need hold: Python refuses to write very long ones in digits."""


def _text(raw: bytes) -> bytes:
    """Text by its bytes, without the NULs at its end: arrays of numpy drop them, until one record is no text."""
    return b"t" + raw.rstrip(b"\0")


def _number(number: Any) -> bytes:
    """A whole number by its digits, as text that says it; any other by the float64 nearest to it.

    Decimal("1.50") says what Decimal("1.5") says, and a long double or a decimal what is left of it among doubles.
    """
    if abs(number) == np.inf:
        return b"+" if number > 0 else b"-"
    top, bottom = number.as_integer_ratio()
    if bottom != 1:
        return b"r" + float(number).hex().encode()
    return b"t%d" % top if top.bit_length() < _LONG else b"i%x" % top


def _span(value: Any) -> int:
    """Nanoseconds in a span of time, whatever unit its column counts in."""
    span = pd.Timedelta(value) if isinstance(value, np.timedelta64) else value
    whole = (span.days * 86_400 + span.seconds) * 10**6 + span.microseconds
    return int(whole * 1000 + getattr(span, "nanoseconds", 0))


def _joined(parts: Iterable[Any]) -> bytes:
    """The keys of several values, each after its length, so that no two lists of values have the same bytes."""
    return b"".join(map(_sized, map(key, parts)))


def _sized(each: bytes) -> bytes:
    return b"%x:%b" % (len(each), each)
