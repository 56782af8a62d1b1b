"""Records: tables brought into the forms that attacks compare, all tables together.

points: ordered columns as ranks, so that no unit and no tail decides; nominal ones as categories. The squared distance
of two records is the sum over columns of 1 for different categories (a missing value is one) and of twice the squared
difference of the ranks, ranks from 0 to 1: on average 1/3 for unrelated records, as in Gower's coefficient.
bins: every column in at most 12 bins, for marginals. same: a number for each record, equal for records that are equal
in every column.
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


@dataclass(frozen=True, eq=False)
class Records:
    """Rows of one table. ranks: float32, shape (rows, ordered columns), NaN where missing. categories: int32, shape
    (rows, nominal columns). bins: int64 for each column, in the schema's order. same: int64 of shape (rows,).
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
        return Records(self.ordered, self.nominal, self.ranks[rows], self.categories[rows], bins, self.same[rows])

    def joined(self, other: Records) -> Records:
        """These rows, then the other's."""
        return Records(
            self.ordered,
            self.nominal,
            np.concatenate([self.ranks, other.ranks]),
            np.concatenate([self.categories, other.categories]),
            {name: np.concatenate([codes, other.bins[name]]) for name, codes in self.bins.items()},
            np.concatenate([self.same, other.same]),
        )


def read_tables(tables: Mapping[str, Any], schema: Schema) -> dict[str, Records]:
    """The tables by name, each a DataFrame, an Arrow table or a path, in forms that may be compared with each other.

    Raises SchemaError, which names the table, when one cannot be read or its columns are not the schema's.
    """
    schema.refuse_text()
    if not schema.coded:
        raise SchemaError("the schema has no column to compare: all of them are identifiers, so declare another")
    opened = {name: _open(name, table, schema) for name, table in tables.items()}
    ends = np.cumsum([len(rows) for rows in opened.values()])
    whole = _together(list(opened.values()), schema.coded)
    parts = np.split(np.arange(len(whole)), ends[:-1])
    return {name: whole.take(part) for name, part in zip(opened, parts, strict=True)}


def drafted_schema(tables: Mapping[str, Any]) -> Schema:
    """A schema from the values themselves, for an audit without one: numbers, moments, and categories as they occur."""
    opened = {name: open_rows(table) for name, table in tables.items()}
    frames = [rows if isinstance(rows, pd.DataFrame) else rows.to_pandas() for rows in opened.values()]
    names = list(frames[0].columns)
    for title, frame in zip(opened, frames, strict=True):
        if list(frame.columns) != names:
            raise SchemaError(f"{title} has other columns than {next(iter(opened))}: give tables with the same columns")
    return Schema({str(name): _drafted(pd.concat([f[name] for f in frames], ignore_index=True)) for name in names})


def _drafted(values: pd.Series[Any]) -> Column:
    types = pd.api.types
    if types.is_datetime64_any_dtype(values.dtype) and values.notna().any():
        days = values.dt.tz_localize(None)
        return Datetime(str(days.min().date()), str(days.max().date()), resolution="s", nullable=True)
    if types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype):
        return Numeric(None, None, nullable=True)
    return Categorical([*sorted({str(v) for v in values.dropna()})] or ["none"], nullable=True)


def _open(name: str, table: Any, schema: Schema) -> Rows:
    try:
        rows = open_rows(table)
        check_columns(column_names(rows), schema)
    except SchemaError as error:
        raise SchemaError(f"{name}: {error}") from None
    if not len(rows):
        raise SchemaError(f"{name} has no rows: give a table with rows")
    return rows


def _together(tables: Sequence[Rows], columns: Mapping[str, Column]) -> Records:
    ordered = tuple(name for name, column in columns.items() if _is_ordered(column))
    nominal = tuple(name for name in columns if name not in ordered)
    numbers = {
        name: np.concatenate([as_numbers(values_of(rows, name), column) for rows in tables])
        for name, column in columns.items()
    }
    groups = {name: pd.factorize(x, use_na_sentinel=False, sort=True)[0] for name, x in numbers.items()}
    bins = {name: _binned(numbers[name], groups[name], name in ordered) for name in columns}
    ranks = [_ranks(numbers[name]) for name in ordered]
    rows = sum(len(rows) for rows in tables)
    categories = [groups[name] for name in nominal]
    return Records(
        ordered,
        nominal,
        np.stack(ranks, axis=1) if ranks else np.zeros((rows, 0), dtype=np.float32),
        np.stack(categories, axis=1).astype(np.int32) if categories else np.zeros((rows, 0), dtype=np.int32),
        bins,
        _equal_rows(list(groups.values())),
    )


def _is_ordered(column: Column) -> bool:
    return isinstance(column, Numeric | Datetime) or (isinstance(column, Categorical) and column.ordered)


def _ranks(numbers: np.ndarray) -> np.ndarray:
    """Mid-ranks among the values that are there, from 0 to 1; NaN where missing."""
    known = np.sort(numbers[~np.isnan(numbers)])
    middle = (np.searchsorted(known, numbers, "left") + np.searchsorted(known, numbers, "right")) / 2
    return np.where(np.isnan(numbers), np.nan, middle / max(known.size, 1)).astype(np.float32)


def _binned(numbers: np.ndarray, groups: np.ndarray, ordered: bool) -> np.ndarray:
    """groups: of equal values, in the order of the values, missing ones last."""
    counts = np.bincount(groups)
    if not ordered:
        return most_frequent(counts, BINS)[groups]
    missing = np.isnan(numbers).any()
    bins = equal_mass(counts[: counts.size - missing], BINS)
    return np.append(bins, bins.max(initial=-1) + 1)[groups] if missing else bins[groups]


def _equal_rows(groups: Sequence[np.ndarray]) -> np.ndarray:
    same = np.zeros(len(groups[0]), dtype=np.int64)
    for numbers in groups:
        same = pd.factorize(same * (int(numbers.max(initial=0)) + 1) + numbers)[0]
    return same
