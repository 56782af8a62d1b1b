"""Records: tables brought into the forms that attacks compare, all tables together.

Ordered columns become ranks, so that no unit and no tail decides; nominal ones stay categories. The
squared distance of two records is the sum over columns of 1 for different categories (a missing
value is one) and of twice the squared difference of the ranks, ranks from 0 to 1: on average 1/3
for unrelated records, as in Gower's coefficient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.engines.files import Rows, column_names, open_rows
from dpsynth.data.engines.files import column as values_of
from dpsynth.data.tables.codec import check_columns
from dpsynth.evaluation.distances import equal_mass, most_frequent
from dpsynth.evaluation.reading import as_numbers
from dpsynth.schema.columns import Categorical, Column, Datetime, Numeric
from dpsynth.schema.table import Schema, SchemaError

BINS = 12
"""Of each column in marginals: as many as `evaluation.fidelity.PAIR_BINS` for pairs."""


@dataclass(frozen=True, eq=False)
class Records:
    """Rows of one table.

    Parameters
    ----------
    ordered, nominal : tuple of str
        The names of the two kinds of columns.
    ranks : ndarray of float32, shape (rows, ordered columns)
        From 0 to 1; NaN where missing.
    categories : ndarray of int32, shape (rows, nominal columns)
    bins : mapping of str to ndarray of int64, shape (rows,)
        Every column in at most 12 bins, for marginals; in the schema's order.
    same : ndarray of int64, shape (rows,)
        Equal for records that are equal in every column.
    """

    ordered: tuple[str, ...]
    nominal: tuple[str, ...]
    ranks: np.ndarray
    categories: np.ndarray
    bins: Mapping[str, np.ndarray]
    same: np.ndarray

    def __len__(self) -> int:
        return len(self.same)

    @property
    def columns(self) -> tuple[str, ...]:
        """In the schema's order."""
        return tuple(self.bins)

    def take(self, rows: np.ndarray) -> Records:
        """These rows, by position or by boolean."""
        bins = {name: codes[rows] for name, codes in self.bins.items()}
        return Records(
            self.ordered,
            self.nominal,
            self.ranks[rows],
            self.categories[rows],
            bins,
            self.same[rows],
        )

    def joined(self, other: Records) -> Records:
        """These rows, then the other's."""
        bins = {}
        for name, codes in self.bins.items():
            bins[name] = np.concatenate([codes, other.bins[name]])
        return Records(
            self.ordered,
            self.nominal,
            np.concatenate([self.ranks, other.ranks]),
            np.concatenate([self.categories, other.categories]),
            bins,
            np.concatenate([self.same, other.same]),
        )


def read_tables(tables: Mapping[str, Any], schema: Schema) -> dict[str, Records]:
    """The tables by name, in forms that may be compared with each other.

    Each is a DataFrame, an Arrow table or a path. Raises SchemaError, which names the table, when
    one cannot be read or its columns are not the schema's.
    """
    schema.refuse_text()
    if not schema.coded:
        raise SchemaError(
            "the schema has no column to compare, only identifiers: declare at least one other"
            " column"
        )
    opened = {name: open_table(name, table, schema) for name, table in tables.items()}
    ends = np.cumsum([len(rows) for rows in opened.values()])
    whole = _together(list(opened.values()), schema.coded)
    parts = np.split(np.arange(len(whole)), ends[:-1])
    return {name: whole.take(part) for name, part in zip(opened, parts, strict=True)}


def open_table(name: str, table: Any, schema: Schema) -> Rows:
    """The rows; SchemaError, which names the table, where their columns are not the schema's."""
    try:
        rows = open_rows(table)
        check_columns(column_names(rows), schema)
    except SchemaError as error:
        raise SchemaError(f"{name}: {error}") from None
    if not len(rows):
        raise SchemaError(f"{name} has no rows: give a table with rows")
    return rows


def _together(tables: Sequence[Rows], columns: Mapping[str, Column]) -> Records:
    """All tables as one, so that ranks, categories and bins mean the same in each."""
    ordered = tuple(name for name, column in columns.items() if is_ordered(column))
    nominal = tuple(name for name in columns if name not in ordered)
    numbers = {}
    groups = {}
    for name, column in columns.items():
        parts = [as_numbers(values_of(rows, name), column) for rows in tables]
        numbers[name] = np.concatenate(parts)
        groups[name] = pd.factorize(numbers[name], use_na_sentinel=False, sort=True)[0]
    rows = sum(len(table) for table in tables)
    return Records(
        ordered,
        nominal,
        _side_by_side([_ranks(numbers[name]) for name in ordered], rows, np.float32),
        _side_by_side([groups[name] for name in nominal], rows, np.int32),
        {name: _binned(numbers[name], groups[name], name in ordered) for name in columns},
        _equal_rows(list(groups.values())),
    )


def _side_by_side(columns: Sequence[np.ndarray], rows: int, dtype: type[np.generic]) -> np.ndarray:
    """Shape (rows, columns), of which there may be none."""
    if not columns:
        return np.zeros((rows, 0), dtype=dtype)
    return np.stack(columns, axis=1).astype(dtype)


def is_ordered(column: Column) -> bool:
    """Whether a column's values have an order that means something."""
    if isinstance(column, Categorical):
        return column.ordered
    return isinstance(column, Numeric | Datetime)


def _ranks(numbers: np.ndarray) -> np.ndarray:
    """Mid-ranks among the values that are there, from 0 to 1; NaN where missing."""
    known = np.sort(numbers[~np.isnan(numbers)])
    below = np.searchsorted(known, numbers, "left")
    not_above = np.searchsorted(known, numbers, "right")
    share = (below + not_above) / 2 / max(known.size, 1)
    return np.where(np.isnan(numbers), np.nan, share).astype(np.float32)


def _binned(numbers: np.ndarray, groups: np.ndarray, ordered: bool) -> np.ndarray:
    """The bin of each value. groups: of equal values, in their order, missing ones last."""
    counts = np.bincount(groups)
    if not ordered:
        return most_frequent(counts, BINS)[groups]
    missing = np.isnan(numbers).any()
    bins = equal_mass(counts[: counts.size - missing], BINS)
    if missing:
        bins = np.append(bins, bins.max(initial=-1) + 1)  # a bin of their own
    return bins[groups]


def _equal_rows(groups: Sequence[np.ndarray]) -> np.ndarray:
    """A number for each row, equal for equal rows. groups: for each column, of equal values."""
    same = np.zeros(len(groups[0]), dtype=np.int64)
    for numbers in groups:
        same = pd.factorize(same * (int(numbers.max(initial=0)) + 1) + numbers)[0]
    return same
