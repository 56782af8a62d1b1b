"""Whose record a row is: each id as bytes that are made from it alone, whatever container holds it.

Ids that say the same whole number, text, bytes or moment have the same bytes in every container; those of any other
kind go by their type and what Python writes for them.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from dpsynth.door.columns import is_missing, is_number, nanoseconds, pieces

NO_ID = b""
"""The key of rows without an id: they are one unit."""


def units(ids: Any) -> tuple[list[bytes], np.ndarray]:
    """The keys of all units, and for each row the number of its unit. ids: a column, see `columns.pieces`."""
    numbers: dict[bytes, int] = {}
    rows = [np.zeros(0, dtype=np.intp)]
    for values, places in pieces(ids):
        distinct, entries = values, np.arange(len(values))
        if isinstance(values, np.ndarray):
            distinct, entries = np.unique(values, return_inverse=True)
        keys = [*map(key, distinct), NO_ID]
        known = np.array([numbers.setdefault(each, len(numbers)) for each in keys], dtype=np.intp)
        entries = np.append(entries, -1)
        rows.append(known[entries[:-1] if places is None else entries[places]])
    return list(numbers), np.concatenate(rows)


def key(value: Any) -> bytes:
    """The bytes of one id: a letter for its kind, and what it says. An id that cannot be written goes by its type."""
    try:
        if is_missing(value):
            return NO_ID
        if isinstance(value, str):
            return b"t" + str.encode(value, "utf-8", "surrogatepass")
        if isinstance(value, bytes):
            return b"b" + bytes(value)
        if isinstance(value, date | np.datetime64):
            return b"m%x" % nanoseconds(value)
        plain = value.item() if isinstance(value, np.generic) else value
        if is_number(plain):
            plain = plain.real
        if isinstance(plain, int) or (isinstance(plain, float | np.floating) and plain.is_integer()):
            return b"i%x" % int(plain)
        return b"o" + f"{type(plain).__name__} {plain!r}".encode("utf-8", "surrogatepass")
    except Exception:
        return b"unreadable" + type(value).__name__.encode("utf-8", "surrogatepass")
