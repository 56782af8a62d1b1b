"""Sizes: how many units have how many rows, as counts of units, of which each unit is in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from dpsynth.door.bounded import Bounded, Taken, _told
from dpsynth.door.codes import Coding
from dpsynth.door.ids import Numbering
from dpsynth.door.keeping import ids_of
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.kernel.wall import behind_the_wall


def unit_sizes(rows: Bounded, starts: Sequence[int], dates: Mapping[str, Coding] = {}) -> Sensitive:
    """How many units have from starts[i] to below starts[i + 1] of the bounded rows, the last from there on. RowsError.

    Sensitivity: a unit lies in one cell, however many rows it has, and one without rows in none. So a unit that comes
    or goes moves one count by 1, and one in another's place moves two: as the counts of a unit with one record.
    """
    if rows.unit.id_column is None or [*starts] != sorted({1, *starts}):
        raise ValueError("sizes are of units with ids, in cells that ascend from 1")

    def work() -> np.ndarray:
        told = _told(rows, rows.unit.columns, partial(_in_cells, rows.unit, starts, dates))
        return sum((each["units"].to_numpy() for each in told), start=np.zeros(len(starts), dtype=np.int64))

    l1, l2 = rows.unit.using(1).count_sensitivity(len(starts))
    return Sensitive(behind_the_wall(work), l1=l1, l2=l2, protects=rows.unit)


def _in_cells(unit: PrivacyUnit, starts: Sequence[int], dates: Mapping[str, Coding], parts: Taken) -> pa.Table:
    numbering, held = Numbering(), np.zeros(0, dtype=np.int64)
    for part, kept in parts:
        more = np.bincount(numbering.of(ids_of(part, unit, dates))[kept], minlength=held.size)
        more[: held.size] += held
        held = more
    cells = np.searchsorted(starts, held[held > 0], side="right") - 1
    return pa.table({"units": np.bincount(cells, minlength=len(starts))})
