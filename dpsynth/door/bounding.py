"""Contribution bounding: each unit keeps at most max_records rows, so that the bound is enforced and not assumed.

Stability: which rows of a unit are kept depends on its own id and on *its own* rows alone, so adding or removing one
unit leaves every other unit's rows as they were. A unit with too many rows keeps those whose hash is smallest: of its
id, of what the row says, and of how many rows before it say the same. So the order of rows does not matter, since rows
that say the same are one as good as another. Over all units every row of a unit is as likely kept as any other.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from dpsynth.door.ids import units
from dpsynth.kernel.unit import PrivacyUnit


def bounded_rows(ids: Any, unit: PrivacyUnit) -> np.ndarray:
    """Positions of the rows to keep, ascending: at most unit.max_records for each value of `ids` (see `ids.units`).

    What the rows say is not looked at: here their order matters. Rows without an id are one unit.
    """
    keys, number = units(ids)
    return np.flatnonzero(chosen(keys, number, np.zeros(len(number), dtype=np.uint64), unit))


def crowded(number: np.ndarray, unit: PrivacyUnit) -> np.ndarray:
    """For each row whether its unit has too many. number: of each row's unit."""
    many: np.ndarray = np.bincount(number, minlength=1)[number] > unit.max_records
    return many


def chosen(keys: Sequence[bytes], number: np.ndarray, said: np.ndarray, unit: PrivacyUnit) -> np.ndarray:
    """For each row whether it is kept.

    keys: of all units, by their number. number: for each row that of its unit; all rows of a unit are there. said: for
    each row a uint64 made from what it says.
    """
    alike = np.lexsort((said, number))
    copy = _rank(number[alike], said[alike])
    hashes = _mixed(np.array([zlib.crc32(key) for key in keys], dtype=np.uint64))
    score = _mixed(hashes[number[alike]] + _mixed(said[alike]) + copy.astype(np.uint64) * _ODD)
    by_score = alike[np.lexsort((score, number[alike]))]
    kept = np.zeros(len(number), dtype=bool)
    kept[by_score[_rank(number[by_score]) < unit.max_records]] = True
    return kept


def hashed(parts: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """For each row a uint64 of its codes in all parts."""
    found = np.zeros(rows, dtype=np.uint64)
    for part in parts:
        found = _mixed(found + part.astype(np.uint64) + _ODD)
    return found


_ODD = np.uint64(0x9E3779B97F4A7C15)


def _rank(*keys: np.ndarray) -> np.ndarray:
    """For each row, how many rows before it have the same keys; such rows stand together."""
    first = np.ones(keys[0].size, dtype=bool)
    first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    starts = np.flatnonzero(first)
    return np.arange(first.size) - starts[np.cumsum(first) - 1] if first.size else starts


def _mixed(x: np.ndarray) -> np.ndarray:
    """Bits spread over the whole word (the finaliser of splitmix64: Steele, Lea, Flood, OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
