"""Rows from a model: codes drawn, decoded, and kept if they meet the conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dpsynth.data.tables.codec import codecs, decode_frame
from dpsynth.models.base import Model
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.conditions import ConditionError, Term

_TRIES = 200  # draws for each row wanted, on average: a condition met more rarely takes too long


def draw_rows(
    model: Model,
    schema: Schema,
    bounds: Mapping[str, tuple[float, float]],
    n: int,
    terms: Sequence[Term],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """n rows that meet all terms, from the model's distribution under this condition.

    Conditions enter the model as weights on cells, exactly. Where some values of a cell meet a term
    and others do not, rows that miss it are drawn again.
    """
    if not terms:
        return decode_frame(model.sample(n, rng), schema, bounds, rng)
    evidence = _evidence(schema, bounds, terms)
    frames: list[pd.DataFrame] = []
    missing = n
    drawn = 0
    while missing > 0 or not frames:
        batch = max(100, 2 * missing) if frames else n
        frame = decode_frame(model.sample(batch, rng, evidence), schema, bounds, rng)
        keep = np.logical_and.reduce([term.holds(frame[term.column]) for term in terms])
        kept = frame if keep.all() else frame[keep]
        frames.append(kept.iloc[:missing])
        missing -= len(frames[-1])
        drawn += batch
        if drawn > _TRIES * (n + 100) and missing > 0:
            raise ConditionError(
                f"too few drawn rows meet the condition, {n - missing:,} of {drawn:,}: widen"
                " its ranges"
            )
    if len(frames) == 1:
        return frames[0].reset_index(drop=True)
    return pd.concat(frames, ignore_index=True)


def _evidence(
    schema: Schema, bounds: Mapping[str, tuple[float, float]], terms: Sequence[Term]
) -> dict[str, np.ndarray]:
    """For each column of the terms, how much each of its cells counts; ConditionError for none."""
    found = codecs(schema, bounds)
    weights: dict[str, np.ndarray] = {}
    for term in terms:
        own = term.weights(found[term.column])
        weights[term.column] = weights.get(term.column, np.ones_like(own)) * own
        if not weights[term.column].any():
            raise ConditionError(f"no value of {term.column!r} can meet the condition: widen it")
    return weights
