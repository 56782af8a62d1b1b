"""Rows from a model: codes drawn, decoded, and kept if they meet the conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dpsynth.data.tables.codec import codecs, decode_frame
from dpsynth.models.base import Model
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.conditions import ConditionError, Term

_TRIES = 200


def draw_rows(
    model: Model,
    schema: Schema,
    bounds: Mapping[str, tuple[float, float]],
    n: int,
    terms: Sequence[Term],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """n rows that meet all terms, from the model's distribution given that they do.

    Conditions enter the model as weights on cells, exactly; where a cell holds values of both kinds, rows that miss
    are drawn again.
    """
    if not terms:
        return decode_frame(model.sample(n, rng), schema, bounds, rng)
    evidence = _evidence(schema, bounds, terms)
    frames: list[pd.DataFrame] = []
    missing, drawn = n, 0
    while missing > 0 or not frames:
        batch = max(100, 2 * missing) if frames else n
        frame = decode_frame(model.sample(batch, rng, evidence), schema, bounds, rng)
        keep = np.logical_and.reduce([term.holds(frame[term.column]) for term in terms])
        frames.append((frame if keep.all() else frame[keep]).iloc[:missing])
        missing -= len(frames[-1])
        drawn += batch
        if drawn > _TRIES * (n + 100) and missing > 0:
            raise ConditionError(
                f"the condition leaves values too few to hit: {n - missing} of {drawn} rows met it; widen its ranges"
            )
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0].reset_index(drop=True)


def _evidence(
    schema: Schema, bounds: Mapping[str, tuple[float, float]], terms: Sequence[Term]
) -> dict[str, np.ndarray]:
    found = codecs(schema, bounds)
    weights: dict[str, np.ndarray] = {}
    for term in terms:
        own = term.weights(found[term.column])
        weights[term.column] = weights.get(term.column, np.ones_like(own)) * own
        if not weights[term.column].any():
            raise ConditionError(f"no value of {term.column!r} can meet the condition: widen it")
    return weights
