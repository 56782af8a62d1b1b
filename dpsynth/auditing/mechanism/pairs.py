"""Neighbouring tables on which leaks show best: small, and as unlike as one record makes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dpsynth.auditing.mechanism.queries import Target
from dpsynth.schema.columns import (
    Boolean,
    Categorical,
    Column,
    Datetime,
    Identifier,
    Numeric,
    OpenCategorical,
)
from dpsynth.schema.table import Schema

ROWS = 10
"""Of the smaller tables: few, so that a run takes little time and one record is a large part."""
_FAR = 1000
"""How far a number without an upper bound lies from the lowest; any such number would do."""
Record = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two tables that differ in one record.

    Parameters
    ----------
    name : str
        What the pair shows.
    first, second : DataFrame
        The tables, with the same columns.

    Examples
    --------
    >>> import pandas as pd
    >>> pair = Pair("one more", pd.DataFrame({"x": [1, 1]}), pd.DataFrame({"x": [1, 1, 7]}))
    >>> len(pair.targets)
    1
    """

    name: str
    first: pd.DataFrame
    second: pd.DataFrame

    @property
    def targets(self) -> tuple[Target, ...]:
        """The records that are in the second table only, then those that are in the first only."""
        first = Counter(_rows(self.first))
        second = Counter(_rows(self.second))
        only_here = [(self.second, second - first), (self.first, first - second)]
        found = []
        for table, rows in only_here:
            for row in rows:
                record = _record(table, _rows(table).index(row))
                found.append(Target.of(record, table))
        return tuple(found)


def _record(table: pd.DataFrame, row: int) -> Record:
    return {str(name): table[name].iloc[row] for name in table.columns}


def _rows(table: pd.DataFrame) -> list[str]:
    return [repr(row) for row in table.itertuples(index=False, name=None)]


def worst_case_pairs(schema: Schema, rows: int = ROWS) -> tuple[Pair, ...]:
    """Pairs for the schema's adjacency; the plainest first.

    | pair                  | what it shows                                                |
    |-----------------------|--------------------------------------------------------------|
    | one among zeros       | wrong noise, sensitivity, composition; exact counts          |
    | one more of the same  | counts that are scaled, capped or thresholded                |
    | first in line         | work that depends on the order or the position of rows       |
    | one record            | special cases of the empty table                             |
    | a record of nothing   | missing values that change types, bounds or paths            |
    | a record from outside | domains read from the data; errors that quote values         |

    Parameters
    ----------
    schema : Schema
        Its adjacency decides whether a record is added or replaced.
    rows : int
        That the first tables have, 1 or more.

    Returns
    -------
    tuple of Pair

    Examples
    --------
    >>> from dpsynth.schema.table import Categorical, Schema
    >>> pairs = worst_case_pairs(Schema({"sex": Categorical(["f", "m"])}))
    >>> [pair.name for pair in pairs[:2]]
    ['one among zeros', 'one more of the same']
    >>> len(pairs[0].first), len(pairs[0].second)
    (10, 11)
    """
    low = {name: _first(column) for name, column in schema.columns.items()}
    high = {name: _last(column) for name, column in schema.columns.items()}
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
    """Makes tables with the schema's columns.

    By the unit's columns of ids every record is a unit of its own.
    """
    ids = {name for name, column in schema.columns.items() if isinstance(column, Identifier)}
    ids |= {*schema.unit.columns} - {*schema.unit.periods}

    def table(records: list[Record]) -> pd.DataFrame:
        columns: dict[str, Any] = {}
        for name in sorted(ids):
            columns[name] = [f"unit {i}" for i in range(len(records))]
        for name in schema.columns:
            if name not in ids:
                columns[name] = pd.Series([record[name] for record in records], dtype=object)
        return pd.DataFrame(columns)

    return table


def _first(column: Column) -> Any:
    match column:
        case Categorical():
            return column.categories[0]
        case OpenCategorical():
            return next(iter(column.public), "a value that many have")
        case Boolean():
            return False
        case Numeric():
            known = (bound for bound in (column.low, column.high) if bound is not None)
            return next(known, 0)
        case Datetime():
            return column.low
    return None


def _last(column: Column) -> Any:
    match column:
        case Categorical():
            return column.categories[-1]
        case OpenCategorical():
            return "a value that few have"
        case Boolean():
            return True
        case Numeric():
            if column.high is not None:
                return column.high
            return _FAR if column.low is None else column.low + _FAR
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
