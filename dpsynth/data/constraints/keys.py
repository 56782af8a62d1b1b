"""Keys: columns without repeats, made for the rows of one sample. No row is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.scale import Scale
from dpsynth.data.tables.identifiers import distinct_numbers, generate_identifiers
from dpsynth.schema.columns import Column, Identifier, SchemaError


def generated_keys(name: str, column: Column, n: int, rng: np.random.Generator) -> pd.Series[Any]:
    """n different values of a column in random order; SchemaError where it has fewer."""
    if isinstance(column, Identifier):
        return generate_identifiers(column, n, rng)
    scale = Scale(column)
    last = int(scale.steps(np.array([scale.high]))[0])
    first = int(scale.steps(np.array([scale.low]))[0])
    if last - first + 1 < n:
        raise SchemaError(
            f"{name!r} has {last - first + 1:,} values between its bounds, fewer than {n:,} rows:"
            " widen them, or ask for fewer rows"
        )
    return scale.series(scale.at(first + distinct_numbers(n, last - first + 1, rng).astype(float)))
