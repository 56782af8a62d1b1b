"""A table as numbers, for comparisons that the bins of distances are too coarse for.

For evidence only, never for a fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np

from dpsynth.base.text import short
from dpsynth.data.engines.files import Rows
from dpsynth.data.engines.files import column as values_of
from dpsynth.evaluation.reading import as_numbers
from dpsynth.schema.columns import EPOCH, Boolean, Categorical, Column, Datetime, Numeric
from dpsynth.schema.table import Schema

MEASURED: tuple[type[Column], ...] = (Numeric, Datetime)
"""Columns whose differences of values mean something: numbers and moments."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """The columns of a table that are compared, as float64.

    values: for each column shape (rows,): the number, the seconds since 1970 or the position of
    the category; NaN where it is missing or is none of the column's categories.
    """

    rows: int
    values: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, rows: Rows, schema: Schema) -> Numbers:
        coded = schema.coded
        found = {name: as_numbers(values_of(rows, name), column) for name, column in coded.items()}
        return cls(len(rows), found)

    @cached_property
    def codes(self) -> Mapping[str, np.ndarray]:
        """Each column as whole numbers from 0, equal for equal values; missing ones are equal."""
        return {name: np.unique(v, return_inverse=True)[1] for name, v in self.values.items()}

    @cached_property
    def distinct(self) -> Mapping[str, int]:
        """How many different values each column has; missing ones are not counted."""
        return {name: np.unique(v[~np.isnan(v)]).size for name, v in self.values.items()}

    def present(self, name: str) -> np.ndarray:
        """The values of a column that are there and finite."""
        values = self.values[name]
        return values[np.isfinite(values)]

    def take(self, positions: np.ndarray) -> Numbers:
        """The rows at these positions, as a table of their own."""
        return Numbers(len(positions), {name: v[positions] for name, v in self.values.items()})

    def at_most(self, rows: int, rng: np.random.Generator) -> Numbers:
        """These rows, or so many of them drawn without replacement."""
        if self.rows <= rows:
            return self
        return self.take(np.sort(rng.choice(self.rows, rows, replace=False)))


def is_measured(column: Column) -> bool:
    """Whether differences of the column's values mean something: numbers and moments."""
    return isinstance(column, MEASURED)


def in_both(
    real: Numbers, synthetic: Numbers, schema: Schema, *kinds: type[Column]
) -> Iterator[tuple[str, Column, np.ndarray, np.ndarray]]:
    """The columns of these kinds: name, column, and the values that are present in each table."""
    for name, column in schema.coded.items():
        if isinstance(column, kinds):
            yield name, column, real.present(name), synthetic.present(name)


def value_of(column: Column, value: float) -> str:
    """A value in words: the category at this position, the moment, or the number."""
    match column:
        case Categorical():
            return str(column.categories[int(value)])
        case Boolean():
            return str(column.written[int(value)]).lower()
        case Datetime():
            when = EPOCH + timedelta(seconds=int(value))
            minutes = when.isoformat(sep=" ", timespec="minutes")
            return when.date().isoformat() if column.resolution == "D" else minutes
    return short(value)
