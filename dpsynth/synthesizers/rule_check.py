"""How many input rows break each constraint, for the data owner only.

PRIVATE: these are exact counts of private rows, as those of `data.tables.check`. They help a person
to correct a schema. Nothing of them may enter a release or leave the owner's screen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.holds import holds, texts_of
from dpsynth.data.constraints.scale import Scale
from dpsynth.data.engines.files import Rows, column, column_names
from dpsynth.data.tables.check import missing_in
from dpsynth.data.tables.codec import codec_for
from dpsynth.schema.columns import (
    OTHER,
    Boolean,
    Categorical,
    Column,
    Identifier,
    OpenCategorical,
)
from dpsynth.schema.constraint_check import stepped_columns
from dpsynth.schema.constraints import Constraint, Derived, FixedCombinations, Implies
from dpsynth.schema.opened import listed_values, open_columns
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.feasible import refuse_unkeepable
from dpsynth.synthesizers.implications import implications_of


@dataclass(frozen=True)
class RuleCheck:
    """How many rows break a constraint. A fit reads them record by record, and fails for none."""

    constraint: str
    broken: int


def check_rules(rows: Rows, schema: Schema) -> list[RuleCheck]:
    """A RuleCheck for each constraint, in the schema's order; identifiers need not be there.

    Raises
    ------
    SchemaError
        For constraints that no row can keep.
    """
    refuse_unkeepable(schema)
    return [
        RuleCheck(rule.describe(), int((~kept).sum())) for rule, kept in kept_rules(rows, schema)
    ]


def kept_rules(rows: Rows, schema: Schema) -> Iterator[tuple[Constraint, np.ndarray]]:
    """For each constraint whose columns are all there which rows keep it."""
    present = set(column_names(rows))
    raw = {name: column(rows, name) for name in schema.columns if name in present}
    stepped = _with_listed(schema, stepped_columns(schema.columns, schema.constraints))
    implied = {each.rule: each for each in implications_of(schema)}
    for rule in schema.constraints:
        named = implied[rule].columns if isinstance(rule, Implies) else rule.columns_of
        if not {*named} <= present:
            continue
        if isinstance(rule, Implies):
            values = _Typed(raw, schema.columns)
            yield rule, ~implied[rule].when.holds(values) | implied[rule].then.holds(values)
        else:
            looked_up = isinstance(rule, FixedCombinations | Derived)
            yield rule, holds(rule, raw, stepped if looked_up else schema.columns)


def _with_listed(schema: Schema, columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns, open ones with the categories that tables list: any other value is none."""
    listed = listed_values(schema.constraints, schema.columns)
    named = {
        name: Categorical([*column.public, *listed[name]] or [OTHER], nullable=column.nullable)
        for name, column in open_columns(schema.columns).items()
    }
    return {**columns, **named}


class _Typed(Mapping[str, Any]):
    """Raw columns as conditions compare them: what cannot be read is missing."""

    def __init__(self, raw: Mapping[str, Any], columns: Mapping[str, Column]) -> None:
        self._raw, self._columns = raw, columns

    def __getitem__(self, name: str) -> pd.Series[Any]:
        declared = self._columns[name]
        if isinstance(declared, OpenCategorical):
            missing = missing_in(declared, self._raw[name])
            return pd.Series(texts_of(self._raw[name]), dtype=object).mask(missing, None)
        if isinstance(declared, Categorical | Boolean):
            codec = codec_for(replace(declared, nullable=True))
            return codec.decode(codec.encode(self._raw[name]), np.random.default_rng(0))
        scale = Scale(declared)
        numbers = scale.read(self._raw[name], clip=False)
        if scale.dated:
            return scale.series(numbers)
        return pd.Series(numbers)

    def __iter__(self) -> Any:
        return (n for n in self._raw if not isinstance(self._columns[n], Identifier))

    def __len__(self) -> int:
        return sum(1 for _ in self)
