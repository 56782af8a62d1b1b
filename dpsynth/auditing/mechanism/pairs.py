"""Neighbouring tables on which leaks show best: small, and as unlike as one record can make them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dpsynth.auditing.mechanism.queries import Target
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime, Identifier, Numeric
from dpsynth.schema.table import Schema

ROWS = 10
Record = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two tables that differ in one record."""

    name: str
    first: pd.DataFrame
    second: pd.DataFrame

    @property
    def targets(self) -> tuple[Target, ...]:
        """The records that are in the second table only, then those that are in the first only."""
        first, second = (Counter(_rows(table)) for table in (self.first, self.second))
        found = [(key, self.second) for key in second - first] + [(key, self.first) for key in first - second]
        return tuple(Target.of(_record(table, _rows(table).index(key)), table) for key, table in found)


def _record(table: pd.DataFrame, row: int) -> Record:
    return {str(name): table[name].iloc[row] for name in table.columns}


def _rows(table: pd.DataFrame) -> list[str]:
    return [repr(row) for row in table.itertuples(index=False, name=None)]


def worst_case_pairs(schema: Schema, rows: int = ROWS) -> tuple[Pair, ...]:
    """Pairs for the schema's adjacency; the plainest first.

    | pair                       | what it shows                                                            |
    |----------------------------|--------------------------------------------------------------------------|
    | one among zeros            | wrong noise, sensitivity or composition; exact row counts; empty cells   |
    | one more of the same       | counts that are scaled, capped or thresholded                            |
    | first in line              | work that depends on the order or the position of rows                   |
    | one record                 | special cases of the empty table                                         |
    | a record of nothing        | missing values that change types, bounds or paths                        |
    | a record from outside      | categories, bounds and bins read from the data; errors that quote values |
    """
    low, high = ({name: pick(c) for name, c in schema.columns.items()} for pick in (_first, _last))
    strange = {name: _outside(c) for name, c in schema.columns.items()}
    missing: Record = dict.fromkeys(schema.columns)
    table = _maker(schema)
    zeros: list[Record] = [low] * rows
    if schema.unit.adjacency == "replace":
        fewer = zeros[1:]
        return (
            Pair("one among zeros", table(zeros), table([*fewer, high])),
            Pair("first in line", table(zeros), table([high, *fewer])),
            Pair("a record of nothing", table(zeros), table([*fewer, missing])),
            Pair("a record from outside", table(zeros), table([*fewer, strange])),
        )
    return (
        Pair("one among zeros", table(zeros), table([*zeros, high])),
        Pair("one more of the same", table([*zeros, high]), table([*zeros, high, high])),
        Pair("first in line", table(zeros), table([high, *zeros])),
        Pair("one record", table([]), table([high])),
        Pair("a record of nothing", table(zeros), table([*zeros, missing])),
        Pair("a record from outside", table(zeros), table([*zeros, strange])),
    )


def _maker(schema: Schema) -> Callable[[list[Record]], pd.DataFrame]:
    """Tables with the schema's columns, and with the unit's id column, in which every record is a unit of its own."""
    ids = {name for name, column in schema.columns.items() if isinstance(column, Identifier)}
    ids |= set() if schema.unit.id_column is None else {schema.unit.id_column}

    def table(records: list[Record]) -> pd.DataFrame:
        columns = {name: [r[name] for r in records] for name in schema.columns if name not in ids}
        named = {name: [f"unit {i}" for i in range(len(records))] for name in sorted(ids)}
        return pd.DataFrame({**named, **{n: pd.Series(v, dtype=object) for n, v in columns.items()}})

    return table


def _first(column: Column) -> Any:
    match column:
        case Categorical():
            return column.categories[0]
        case Boolean():
            return False
        case Numeric():
            return column.low if column.low is not None else 0 if column.high is None else column.high
        case Datetime():
            return column.low
    return None


def _last(column: Column) -> Any:
    match column:
        case Categorical():
            return column.categories[-1]
        case Boolean():
            return True
        case Numeric():
            return column.high if column.high is not None else 1000 if column.low is None else column.low + 1000
        case Datetime():
            return column.high
    return None


def _outside(column: Column) -> Any:
    match column:
        case Numeric():
            return 1e9
        case Datetime():
            return "2999-12-31"
    return "a value that nobody else has"
