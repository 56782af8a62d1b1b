"""HeldTexts: how many units hold each value of one column. Values and counts are private, and so is how many there are.

A unit counts once for a value that it holds in several rows. Without ids any max_records rows are a unit, and nobody
knows which: there each row counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from itertools import compress
from typing import Any

import numpy as np
import pyarrow as pa

from dpsynth.door.bounded import Bounded, Taken, _told
from dpsynth.door.codes import Coding
from dpsynth.door.columns import is_missing, is_number, pieces, real
from dpsynth.door.ids import Numbering
from dpsynth.door.keeping import ids_of
from dpsynth.kernel.rows import _BOUNDED, SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.kernel.wall import behind_the_wall

TextOf = Callable[[str | float], str | None]
"""The value that a text or a number says, as text; None for one that is not counted. Of nothing but its argument."""


class HeldTexts(SensitiveRows):
    """Texts, and for each how many units hold it; none has more than max_records of them. It has no coded column."""

    _closed_because = "values that rows hold are read by a charge only: accountant.charge(event, purpose).redeem(held)"
    __slots__ = ("__counts", "__texts")

    def __init__(self, texts: list[str], counts: np.ndarray, protects: PrivacyUnit, shown: object) -> None:
        if shown is not _BOUNDED:
            raise TypeError("values that units hold are counted by held_texts only, from bounded rows")
        super().__init__(np.zeros((0, 0), dtype=np.int32), sizes=(), protects=protects, shown=shown)
        object.__setattr__(self, "_HeldTexts__texts", texts)
        object.__setattr__(self, "_HeldTexts__counts", counts)

    def __repr__(self) -> str:
        return f"HeldTexts({self.protects.describe()})"


def held_texts(rows: Bounded, name: str, text_of: TextOf, dates: Mapping[str, Coding] = {}) -> HeldTexts:
    """How many units hold each text in a column of bounded rows. RowsError. dates: as in `bound_table`."""

    def work() -> HeldTexts:
        counts: Counter[str] = Counter()
        for told in _told(rows, [name, *rows.unit.columns], partial(_counted, rows.unit, name, text_of, dates)):
            counts.update(dict(zip(told["text"].to_pylist(), told["units"].to_pylist(), strict=True)))
        return HeldTexts([*counts], np.array([*counts.values()], dtype=np.int64), rows.unit, _BOUNDED)

    return behind_the_wall(work)


def _counted(protects: PrivacyUnit, name: str, text_of: TextOf, dates: Mapping[str, Coding], parts: Taken) -> pa.Table:
    """The texts of these parts, and how many units hold each."""
    numbers: dict[str, int] = {}
    numbering, with_ids = Numbering(), protects.id_column is not None
    found = [np.zeros(0, dtype=np.int64)]
    for part, kept in parts:
        held = np.concatenate([np.zeros(0, dtype=np.int64), *_numbered(part[name], text_of, numbers)])
        unit = numbering.of(ids_of(part, protects, dates)).astype(np.int64) if with_ids else np.zeros_like(held)
        found.append((unit << 32 | held)[kept][held[kept] >= 0])
    pairs = np.concatenate(found)
    held = (np.unique(pairs) if with_ids else pairs) & 0xFFFFFFFF
    counts = np.bincount(held, minlength=len(numbers)).astype(np.int64)
    some = counts > 0  # a dictionary may have entries that no row has, or none that is left
    texts = pa.array([*compress(numbers, some)], pa.large_string())
    return pa.table({"text": texts, "units": counts[some]})


def l2_of(unit: PrivacyUnit) -> float:
    """How far one unit moves all counts together.

    With ids it holds at most k texts and moves each count by 1: sqrt(k), and sqrt(2 k) where another unit replaces it.
    Without ids all k rows may hold one text.
    """
    if unit.id_column is None:
        return unit.count_sensitivity(2)[1]
    moved = unit.max_records * (1 if unit.adjacency == "add-remove" else 2)
    return math.nextafter(math.sqrt(moved), math.inf)


def _numbered(column: Any, text_of: TextOf, numbers: dict[str, int]) -> Iterator[np.ndarray]:
    """For each row of a column the number of its text, -1 for none. numbers: of each text, to which new ones come."""
    for values, places in pieces(column):
        distinct, entries = values, None
        if isinstance(values, np.ndarray):
            distinct, entries = np.unique(values, return_inverse=True)
        texts = [_text(value, text_of) for value in distinct]
        found = np.array(
            [-1 if t is None else numbers.setdefault(t, len(numbers)) for t in texts],
            dtype=np.int64,
        )
        found = found if entries is None else found[entries]
        yield found if places is None else np.append(found, -1)[places]


def _text(value: Any, text_of: TextOf) -> str | None:
    """The text of one value, which hangs on no other. What makes `text_of` fail, and no Unicode, is not counted.

    One record turns whole numbers into decimals, and arrays of numpy drop the NULs at the end of texts: so does this.
    """
    try:
        if is_missing(value) or not (isinstance(value, str | Decimal) or is_number(value)):
            return None
        text = text_of(str.__str__(value).rstrip("\0") if isinstance(value, str) else real(value))
        return text if type(text) is str and text.encode() else None
    except Exception:
        return None


def _exact_counts(held: HeldTexts) -> tuple[list[str], np.ndarray]:
    """The exact texts and counts. Called in this package only, once they are paid for."""
    texts: list[str] = object.__getattribute__(held, "_HeldTexts__texts")
    counts: np.ndarray = object.__getattribute__(held, "_HeldTexts__counts")
    return texts, counts
