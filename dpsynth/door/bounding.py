"""Contribution bounding: each unit keeps at most max_records rows, so that the bound is enforced and not assumed."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from dpsynth.door.ids import units
from dpsynth.kernel.unit import PrivacyUnit


def bounded_rows(ids: Any, unit: PrivacyUnit) -> np.ndarray:
    """Positions of the rows to keep, ascending: at most unit.max_records for each value of `ids` (see `ids.units`).

    Stability: which rows of a unit are kept depends on its own id and on the number and order of *its own* rows alone,
    so adding or removing one unit leaves every other unit's rows as they were. A unit with too many rows keeps those
    whose hash of id and place is smallest: no place is favoured over all units. Rows without an id are one unit.
    """
    keys, number = units(ids)
    hashes = _mixed(np.array([zlib.crc32(key) for key in keys], dtype=np.uint64))
    by_unit = np.argsort(number, kind="stable")
    place = _rank(number[by_unit])
    score = _mixed(hashes[number[by_unit]] + place.astype(np.uint64) * _ODD)
    by_score = by_unit[np.lexsort((score, number[by_unit]))]
    return np.sort(by_score[_rank(number[by_score]) < unit.max_records])


_ODD = np.uint64(0x9E3779B97F4A7C15)


def _rank(sorted_numbers: np.ndarray) -> np.ndarray:
    """For each row, how many rows of its unit stand before it; rows of a unit stand together."""
    counts = np.bincount(sorted_numbers, minlength=1)
    return np.arange(sorted_numbers.size) - (np.cumsum(counts) - counts)[sorted_numbers]


def _mixed(x: np.ndarray) -> np.ndarray:
    """Bits spread over the whole word (the finaliser of splitmix64: Steele, Lea, Flood, OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
