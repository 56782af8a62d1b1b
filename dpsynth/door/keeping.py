"""Keeping: which rows of a table are kept, by the ids in its own columns, whatever parts it comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dpsynth.door.bounding import chosen, crowded, hashed
from dpsynth.door.codes import Coding, codes_of
from dpsynth.door.ids import Joint, Numbering, digest
from dpsynth.kernel.unit import PrivacyUnit

Read: TypeAlias = Callable[[Sequence[str]], Iterable[Any]]
"""Reads a table anew, in parts: DataFrames or Arrow tables with these columns, or more. Each time they are
the same rows, in the same order and the same parts; a reader that sees another table raises.
"""


class Held:
    """Reads a table once, and holds it: whatever is read of it later is the same."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = cache(read)

    def __call__(self, columns: Sequence[str]) -> list[Any]:
        return [self._read()]


class Part(NamedTuple):
    """Of a part of a table: for each row whether it is kept, and a hash of the ids; None where the table is held."""

    kept: np.ndarray
    ids: bytes | None


def bounds_of(read: Read, unit: PrivacyUnit, dates: Mapping[str, Coding], records: Mapping[str, Coding]) -> list[Part]:
    """One reading, whether or not anybody has too many rows."""
    numbering = Numbering()
    numbers, hashes, said = [], [], [np.zeros(0, dtype=np.uint64)]
    for part in read([*records, *unit.columns]):
        ids = ids_of(part, unit, dates)
        numbers.append(numbering.of(ids).astype(np.int32))
        hashes.append(None if isinstance(read, Held) else digest(ids))
        said.append(hashed([codes_of(part[name], records[name]) for name in sorted(records)], len(part)))
    number = np.concatenate([np.zeros(0, dtype=np.int32), *numbers])
    many = crowded(number, unit)
    kept = ~many
    kept[many] = chosen(numbering.keys, number[many], np.concatenate(said)[many], unit)
    return [*map(Part, np.split(kept, np.cumsum([*map(len, numbers)])[:-1]), hashes)]


def ids_of(table: Any, unit: PrivacyUnit, dates: Mapping[str, Coding] = {}) -> Any:
    """Whose each row of a table is: its column of ids, several as one, or None where the unit has none."""
    found = [codes_of(table[c], dates[c]) if period else table[c] for c, period in unit.parts]
    return Joint(tuple(found)) if len(found) > 1 else found[0] if found else None
