"""Rows from a model: codes drawn, and decoded to values that meet the conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.tables.cells import NumericCodec
from dpsynth.data.tables.codec import Codec, codecs, decode_frame
from dpsynth.data.tables.identifiers import RowsOfUnits, keyed_identifiers
from dpsynth.data.tables.inside import Inside, with_inside
from dpsynth.data.tables.parts import Parts
from dpsynth.models.base import ConditionError, Model
from dpsynth.schema.table import Identifier, Schema
from dpsynth.synthesizers.conditions import Term


def draw_rows(
    model: Model,
    schema: Schema,
    bounds: Mapping[str, tuple[float, float]],
    n: int,
    terms: Sequence[Term],
    rng: np.random.Generator,
    inside: Mapping[str, Inside] = {},
    names: Mapping[str, pd.Series[Any]] = {},
) -> pd.DataFrame:
    """n rows that meet all terms, from the model's distribution under this condition.

    inside: what is known of the values in the cells of some columns. names: identifiers that hang
    on more than the number of rows.
    """
    found = codecs(schema, bounds)
    wanted = {t.column: 0 for t in terms}
    parts = {
        name: _parts(name, found[name], terms, inside.get(name)) for name in {**wanted, **inside}
    }
    evidence = {name: found[name].weights(parts[name]) for name in wanted}
    for name, weights in evidence.items():
        if not weights.any():
            raise ConditionError(f"no value of {name!r} can meet the condition: widen it")
    codes = model.sample(n, rng, evidence) if evidence else model.sample(n, rng)
    return decode_frame(codes, schema, bounds, rng, parts, names)


def names_of(
    schema: Schema, people: RowsOfUnits | None, n: int, seed: Any
) -> dict[str, pd.Series[Any]]:
    """The identifiers that repeat, or have a key, of n rows.

    people: how many rows units have; None where no identifier repeats.
    """
    columns = {name: c for name, c in schema.columns.items() if isinstance(c, Identifier)}
    keyed = {name: column for name, column in columns.items() if column.repeats or column.key}
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    repeating = {c.key or name for name, c in keyed.items() if c.repeats}
    owners: dict[str, np.ndarray] = {}
    for name, column in keyed.items():  # columns with one key are of one person
        key = column.key or name
        if key not in owners:
            sizes = people if key in repeating else None
            owners[key] = (sizes or RowsOfUnits((1,), (1.0,))).draw(n, rng)
    return {
        name: keyed_identifiers(column, name, owners[column.key or name], seed)
        for name, column in keyed.items()
    }


def _parts(name: str, codec: Codec, terms: Sequence[Term], inside: Inside | None) -> Parts:
    """The parts of a column's cells whose values meet all terms about it."""
    own = [term for term in terms if term.column == name]
    constants = [constant for term in own for constant in term.constants]

    def holds(values: pd.Series[Any]) -> np.ndarray:
        every = np.ones(len(values), dtype=bool)
        return np.logical_and.reduce([every, *(term.holds(values) for term in own)])

    parts = codec.parts(holds, constants)
    if inside is None or not isinstance(codec, NumericCodec):
        return parts
    return with_inside(parts, codec, inside, holds, free=not own)
