"""Public tables of values that several columns have together, as codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.scale import Scale
from dpsynth.data.tables.codec import Codec, codec_for
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime, Numeric, SchemaError
from dpsynth.schema.constraints import Derived, FixedCombinations, OneHot

Columns = Mapping[str, Column]

_MOST_PLACES = 2**16
"""Keys below this are looked up in an array of all, which takes a tenth of the time of a search."""


class Lookup:
    """Rows of codes of several columns, each row once.

    names: of the columns. codes: shape (rows, columns).
    """

    def __init__(self, columns: Columns, names: Sequence[str], codes: np.ndarray) -> None:
        self.names = tuple(names)
        self.codecs: list[Codec] = [codec_for(columns[name]) for name in self.names]
        self.codes = codes
        self._levels: list[_Level] = []
        place = np.zeros(len(codes), dtype=np.int64)
        found = 1
        for codec, own in zip(self.codecs, codes.T, strict=True):
            keys, place = np.unique(place * codec.size + own, return_inverse=True)
            self._levels.append(_Level(keys, found * codec.size))
            found = len(keys)
        self._row = np.empty(len(codes), dtype=np.int64)
        self._row[place] = np.arange(len(codes))

    def rows_of(self, values: Mapping[str, Any]) -> np.ndarray:
        """For each row of raw values the number of its row here; -1 where there is none."""
        place: np.ndarray | None = None
        for name, codec, level in zip(self.names, self.codecs, self._levels, strict=True):
            codes = codec.encode(values[name]).astype(np.int64)
            key = codes if place is None else np.where(place < 0, -1, place * codec.size + codes)
            place = level.of(key)
        assert place is not None
        return np.where(place < 0, -1, self._row[place])


class _Level:
    """The place of each key among some, in ascending order; keys lie below `end`."""

    def __init__(self, keys: np.ndarray, end: int) -> None:
        self._keys = keys
        self._places: np.ndarray | None = None
        if end <= _MOST_PLACES:
            self._places = np.full(end + 1, -1)  # the last one is that of -1, which is no key
            self._places[keys] = np.arange(len(keys))

    def of(self, keys: np.ndarray) -> np.ndarray:
        """The place of each key, -1 for one that is not among them."""
        if self._places is not None:
            return self._places[keys]
        found = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[found] == keys, found, -1)


def codes_of_rule(rule: FixedCombinations | OneHot | Derived, columns: Columns) -> np.ndarray:
    """The rows that a rule lists, as codes; SchemaError for a value that is not declared."""
    names = (*rule.parts, rule.column) if isinstance(rule, Derived) else rule.columns
    rows = np.array(rule.keys, dtype=object)
    if isinstance(rule, OneHot):
        return rows.astype(np.int64)
    read = [_declared(columns[name], rows[:, i], name, rule) for i, name in enumerate(names)]
    return np.column_stack(read).astype(np.int64)


def joined(rules: Sequence[FixedCombinations | OneHot], columns: Columns) -> Lookup:
    """What all of these rules allow together; SchemaError where that is nothing."""
    whole = pd.DataFrame(codes_of_rule(rules[0], columns), columns=list(rules[0].columns))
    for place, rule in enumerate(rules[1:], start=1):
        other = pd.DataFrame(codes_of_rule(rule, columns), columns=list(rule.columns))
        shared = [str(name) for name in other if name in whole]
        whole = whole.merge(other, on=shared)
        if whole.empty:
            said = " and ".join(f"`{each.describe()}`" for each in rules[: place + 1])
            raise SchemaError(f"no row can meet {said}: correct a public table")
    whole = whole.drop_duplicates(ignore_index=True)
    return Lookup(columns, [*map(str, whole)], whole.to_numpy(np.int64))


def _declared(
    column: Column, values: np.ndarray, name: str, rule: FixedCombinations | Derived
) -> np.ndarray:
    """The codes of public values; SchemaError for one that the column does not declare."""
    listed = list(values)
    if not isinstance(rule, Derived) or name != rule.column:
        _check_single(column, name, rule)
    if isinstance(column, Categorical | Boolean):
        strict = replace(column, nullable=True)
        if isinstance(strict, Categorical):
            strict = replace(strict, other=None)
        special = codec_for(strict)
        odd = special.encode(listed) == special.size - 1
    else:
        scale = Scale(column)
        odd = ~scale.declared(listed)
    allowed = np.array([value is None for value in listed]) & bool(
        getattr(column, "nullable", False)
    )
    if (wrong := odd & ~allowed).any():
        value = listed[int(np.flatnonzero(wrong)[0])]
        raise SchemaError(
            f"the constraint `{rule.describe()}` lists {value!r}, which {name!r} cannot have: add"
            " it to the column, or take it out of the public table"
        )
    if isinstance(column, Numeric) and not column.bounded:
        return np.zeros(len(listed), dtype=np.int64)  # its numbers are looked up as they are
    return codec_for(column).encode(listed)


def _check_single(column: Column, name: str, rule: FixedCombinations | Derived) -> None:
    """SchemaError for a column with cells of several values, which a code does not tell apart."""
    if isinstance(column, Numeric) and not column.bounded:
        several = True
    elif isinstance(column, Numeric | Datetime):
        several = not codec_for(column).single
    else:
        several = False
    if several:
        raise SchemaError(
            f"the constraint `{rule.describe()}` looks values up by {name!r}, which has more than"
            " 1,024 of them: declare it Categorical, or in steps between nearer bounds"
        )
