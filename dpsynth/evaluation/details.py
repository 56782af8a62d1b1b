"""What a schema declares of numbers and times besides: round values, weekdays, hours and months.

Bins of a whole column hide them: each covers many days, or a multiple and the numbers beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.quality import DetailQuality
from dpsynth.evaluation.structure import PLACES
from dpsynth.schema.columns import Column, Datetime, Numeric
from dpsynth.schema.table import Schema

_NAMES: Mapping[str, tuple[str, ...]] = {
    "weekday": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "hour": tuple(f"{hour:02}" for hour in range(24)),
    "month": tuple(f"{month:02}" for month in range(1, 13)),
}

Places = Callable[[np.ndarray], np.ndarray]
"""For each number of a column the bin that it is in."""


def details(tables: Sequence[Numbers], schema: Schema) -> tuple[DetailQuality, ...]:
    """How far the declared parts and round values of a release are from the real ones.

    tables: the real rows, the release and the yardstick.
    """
    return tuple(
        DetailQuality.of(
            labels,
            [_shares(table.present(name), places, labels) for table in tables],
            column=name,
            what=what,
        )
        for name, column in schema.coded.items()
        for what, labels, places in _declared(column)
    )


def _declared(column: Column) -> Iterator[tuple[str, tuple[str, ...], Places]]:
    """What is declared, the names of its bins, and which value is in which."""
    if isinstance(column, Datetime):
        for part in column.parts:
            yield part, _NAMES[part], PLACES[part]
    if isinstance(column, Numeric):
        for grid in column.heaps:
            yield f"multiples of {grid:,}", ("multiples", "others"), _beside(grid)


def _beside(grid: int) -> Places:
    return lambda x: (np.rint(x / grid) * grid != x).astype(np.int64)


def _shares(known: np.ndarray, places: Places, labels: tuple[str, ...]) -> np.ndarray:
    """Of the numbers that are not missing, the share in each bin."""
    return np.bincount(places(known), minlength=len(labels)) / max(known.size, 1)
