"""What is known of partial rows: given values, and those that they decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.constraints.scale import Scale, near
from dpsynth.data.constraints.steps import CopyStep, Rows
from dpsynth.data.tables.check import missing_in
from dpsynth.data.tables.codec import codec_for
from dpsynth.schema.columns import Boolean, Categorical
from dpsynth.schema.constraints import Sum
from dpsynth.synthesizers.conditions import Term, equal
from dpsynth.synthesizers.sampled_rows import Origin

_NOTHING_DRAWN = np.random.default_rng(0)
"""Cells of named values are decoded without a draw."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of some rows: values as a release has them, and for each whether it is known.

    A missing value may be known, too.
    """

    n: int
    values: Mapping[str, pd.Series[Any]]
    at: Mapping[str, np.ndarray]

    def taken(self, rows: np.ndarray) -> Known:
        """The same of these rows."""
        return Known(
            len(rows),
            {name: each.iloc[rows].reset_index(drop=True) for name, each in self.values.items()},
            {name: each[rows] for name, each in self.at.items()},
        )

    def terms(self, row: int, origin: Origin) -> list[Term]:
        """That a row has its known values."""
        return [
            equal(name, plain(values.iloc[row]), origin.schema)
            for name, values in self.values.items()
            if self.at[name][row]
        ]

    def fits(self, rows: Rows, origin: Origin) -> np.ndarray:
        """For each row whether it has its known values, but for rounding."""
        fit = np.ones(self.n, dtype=bool)
        for name, values in self.values.items():
            column = recoding_of(origin.schema).columns[name]
            if isinstance(column, Categorical | Boolean):
                codec = codec_for(column)
                same = codec.encode(rows[name]) == codec.encode(values)
            else:
                scale = Scale(column)
                same = near(scale.released(rows[name]), scale.released(values), scale.spacing)
            fit &= same | ~self.at[name]
        return fit


def read_known(origin: Origin, table: pd.DataFrame) -> tuple[Known, dict[str, np.ndarray]]:
    """What rows of raw values say, and for each column where a value is not one of the schema's.

    A value that is missing or cannot be read counts as not known.
    """
    values: dict[str, pd.Series[Any]] = {}
    at: dict[str, np.ndarray] = {}
    odd: dict[str, np.ndarray] = {}
    for name in map(str, table):
        column = recoding_of(origin.schema).columns[name]
        present = ~missing_in(column, table[name])
        if isinstance(column, Categorical | Boolean):
            codec = codec_for(column)
            codes = codec.encode(table[name]).astype(np.int64)
            good = codes < len(codec.ends()[0])
            if getattr(column, "other", None) is not None:
                named = {str(each) for each in column.categories}  # type: ignore[union-attr]
                good &= table[name].astype(str).isin(named).to_numpy()
            values[name] = codec.decode(np.where(good, codes, 0), _NOTHING_DRAWN)
        else:
            scale = Scale(column)
            numbers = scale.read(table[name], clip=False)
            low, high = origin.bounds.get(name, (-np.inf, np.inf))
            good = scale.declared(table[name]) & (low <= numbers) & (numbers <= high)
            values[name] = scale.series(np.where(good & present, numbers, np.nan))
        at[name], odd[name] = present & good, present & ~good
    return Known(len(table), values, at), odd


def put(rows: Rows, places: np.ndarray, more: Mapping[str, pd.Series[Any]]) -> None:
    """Values in these places of the columns that `more` has."""
    for name, values in more.items():
        kept = rows[name].array.copy()
        kept[places] = values.array
        rows[name] = pd.Series(kept)


def inferred(known: Known, origin: Origin) -> Known:
    """With the parts and copies that other known values decide."""
    recoding = recoding_of(origin.schema)
    values, at = dict(known.values), dict(known.at)

    def decide(name: str, numbers: np.ndarray, where: np.ndarray) -> None:
        scale = Scale(recoding.columns[name])
        before = at.get(name, np.zeros(known.n, dtype=bool))
        new = where & ~before & ~np.isnan(numbers) & scale.allowed(numbers)
        old = scale.released(values[name]) if name in values else np.full(known.n, np.nan)
        values[name] = scale.series(np.where(new, scale.snapped(numbers), old))
        at[name] = before | new

    def number_of(name: str) -> np.ndarray:
        return Scale(recoding.columns[name]).released(values[name])

    for step in recoding.steps:
        if isinstance(step, CopyStep) and step.makes[0] in values:
            decide(step.needs[0], number_of(step.makes[0]), at[step.makes[0]])
    for rule in origin.schema.constraints:
        if not isinstance(rule, Sum) or rule.column not in values:
            continue
        for part in rule.parts:
            others = [name for name in rule.parts if name != part]
            if {*others} <= {*values} and not isinstance(
                recoding.columns[part], Boolean | Categorical
            ):
                rest = sum(number_of(name) for name in others)
                where = np.logical_and.reduce([at[name] for name in (rule.column, *others)])
                decide(part, number_of(rule.column) - rest, where)
    return Known(known.n, values, at)


def plain(value: Any) -> Any:
    """A value of a column as Python has it, None for a missing one."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    return value.item() if isinstance(value, np.generic) else value
