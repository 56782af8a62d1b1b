"""Rows from a model: codes drawn, and decoded to values that meet the conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dpsynth.data.tables.codec import Codec, codecs, decode_frame
from dpsynth.data.tables.parts import Parts
from dpsynth.models.base import ConditionError, Model
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.conditions import Term


def draw_rows(
    model: Model,
    schema: Schema,
    bounds: Mapping[str, tuple[float, float]],
    n: int,
    terms: Sequence[Term],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """n rows that meet all terms, from the model's distribution under this condition."""
    found = codecs(schema, bounds)
    parts = {name: _parts(name, found[name], terms) for name in {t.column: 0 for t in terms}}
    evidence = {name: found[name].weights(each) for name, each in parts.items()}
    for name, weights in evidence.items():
        if not weights.any():
            raise ConditionError(f"no value of {name!r} can meet the condition: widen it")
    codes = model.sample(n, rng, evidence) if evidence else model.sample(n, rng)
    return decode_frame(codes, schema, bounds, rng, parts)


def _parts(name: str, codec: Codec, terms: Sequence[Term]) -> Parts:
    """The parts of a column's cells whose values meet all terms about it."""
    own = [term for term in terms if term.column == name]
    constants = [constant for term in own for constant in term.constants]
    return codec.parts(
        lambda values: np.logical_and.reduce([term.holds(values) for term in own]), constants
    )
