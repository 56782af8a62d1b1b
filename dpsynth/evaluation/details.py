"""What a schema declares of numbers and times besides: round values, weekdays, hours and months.

Bins of a whole column hide them: each covers many days, or a multiple and the numbers beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from dpsynth.data.engines.files import Rows
from dpsynth.data.engines.files import column as values_of
from dpsynth.evaluation.quality import DetailQuality
from dpsynth.evaluation.reading import as_numbers
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


def details(
    schema: Schema, real: Rows, synthetic: Rows, yardstick: Rows | np.ndarray
) -> tuple[DetailQuality, ...]:
    """How far the declared parts and round values of a release are from the real ones.

    yardstick: other real rows, or numbers of the real rows, drawn anew.
    """
    found = []
    for name, column in schema.coded.items():
        declared = [*_declared(column)]
        if not declared:
            continue
        numbers = [as_numbers(values_of(rows, name), column) for rows in (real, synthetic)]
        if isinstance(yardstick, np.ndarray):
            numbers.append(numbers[0][yardstick])
        else:
            numbers.append(as_numbers(values_of(yardstick, name), column))
        for what, labels, places in declared:
            shares = [_shares(x, places, labels) for x in numbers]
            found.append(DetailQuality.of(labels, shares, column=name, what=what))
    return tuple(found)


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


def _shares(x: np.ndarray, places: Places, labels: tuple[str, ...]) -> np.ndarray:
    """Of the numbers that are not missing, the share in each bin."""
    known = x[np.isfinite(x)]
    return np.bincount(places(known), minlength=len(labels)) / max(known.size, 1)
