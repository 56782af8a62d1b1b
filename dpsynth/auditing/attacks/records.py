"""Records: tables brought into the forms that attacks compare, all tables together.

Nominal columns stay categories; ordered ones are compared in two ways.

* By ranks, from 0 to 1, so that no unit and no tail decides. The squared distance of two records is
  the sum over columns of 1 for different categories (a missing value is one) and of twice the
  squared difference of the ranks: on average 1/3 for unrelated records, as in Gower's coefficient.
* By spreads: in units of the column's standard deviation among real records, at most 10 from the
  mean. Half the squared difference counts: on average 1 for unrelated records, as much as two
  different categories. Noise of a fixed size moves a record by as much wherever it lies, while
  ranks move most where records lie close together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.engines.files import Rows, column_names, open_rows
from dpsynth.data.engines.files import column as values_of
from dpsynth.data.tables.codec import check_columns
from dpsynth.evaluation.reading import as_numbers
from dpsynth.models.distances import equal_mass, most_frequent
from dpsynth.schema.columns import Categorical, Column, Datetime, Numeric
from dpsynth.schema.table import Schema, SchemaError

BINS = 12
"""Of each column in marginals: as many as `evaluation.fidelity.PAIR_BINS` for pairs."""
_FARTHEST = 10.0
"""Standard deviations from the mean that count: a distance in float32 keeps four digits of the
others then."""
_ROUNDING = 1e-12
"""Of the largest value of a column: what varies by less is a rounding error."""


@dataclass(frozen=True, eq=False)
class Records:
    """Rows of one table.

    Parameters
    ----------
    ordered, nominal : tuple of str
        The names of the two kinds of columns.
    ranks : ndarray of float32, shape (rows, ordered columns)
        From 0 to 1; NaN where missing.
    spreads : ndarray of float32, shape (rows, ordered columns)
        Half the standard deviations from the mean, so that the distance of two records has the
        same form as that of ranks; NaN where missing.
    categories : ndarray of int32, shape (rows, nominal columns)
    bins : mapping of str to ndarray of int64, shape (rows,)
        Every column in at most 12 bins, for marginals; in the schema's order.
    same : ndarray of int64, shape (rows,)
        Equal for records that are equal in every column.
    """

    ordered: tuple[str, ...]
    nominal: tuple[str, ...]
    ranks: np.ndarray
    spreads: np.ndarray
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
            self.spreads[rows],
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
            np.concatenate([self.spreads, other.spreads]),
            np.concatenate([self.categories, other.categories]),
            bins,
            np.concatenate([self.same, other.same]),
        )


def read_tables(
    tables: Mapping[str, Any], schema: Schema, real: Collection[str] | None = None
) -> dict[str, Records]:
    """The tables by name, in forms that may be compared with each other.

    real: the names of those whose standard deviations are the units of spreads; by default all.

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
    sizes = [len(rows) for rows in opened.values()]
    ends = np.cumsum(sizes)
    measured = np.repeat([real is None or name in real for name in opened], sizes)
    whole = _together(list(opened.values()), schema.coded, measured)
    parts = np.split(np.arange(len(whole)), ends[:-1])
    return {name: whole.take(part) for name, part in zip(opened, parts, strict=True)}


def open_table(name: str, table: Any, schema: Schema) -> Rows:
    """The rows; SchemaError, which names the table, where their columns are not the schema's."""
    try:
        rows = open_rows(table, schema)
        check_columns(column_names(rows), schema)
    except SchemaError as error:
        raise SchemaError(f"{name}: {error}") from None
    if not len(rows):
        raise SchemaError(f"{name} has no rows: give a table with rows")
    return rows


def _together(
    tables: Sequence[Rows], columns: Mapping[str, Column], measured: np.ndarray
) -> Records:
    """All tables as one, so that ranks, spreads, categories and bins mean the same in each.

    measured: booleans, the rows whose standard deviations are the units of spreads.
    """
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
        _side_by_side([_spreads(numbers[name], measured) for name in ordered], rows, np.float32),
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


def _spreads(numbers: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Half the standard deviations from the mean, which is 0; NaN where missing.

    Infinities are as far as a value can be. A column in which only rounding varies is constant.
    """
    known = measured & np.isfinite(numbers)
    if not known.any():
        return np.where(np.isnan(numbers), np.nan, 0.0)
    # Halved, so that the difference of the largest doubles is none too large.
    halves = numbers / 2
    centred = halves - float(np.median(halves[known]))
    unit = float(np.abs(centred[known]).max()) or 1.0
    rounding = _ROUNDING * float(np.abs(halves[known]).max())
    with np.errstate(over="ignore"):  # numbers of the release, which are cut off
        centred /= unit
        mean = float(centred[known].mean())
        spread = max(float(centred[known].std()), rounding / unit) or 1.0
        return np.clip((centred - mean) / spread, -_FARTHEST, _FARTHEST) / 2


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
