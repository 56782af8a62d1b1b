"""Invented people: numbers and categories that hang together, and releases that leak in a known way."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dpsynth.schema.table import Categorical, Numeric, Schema

TOWNS = [f"t{i}" for i in range(10)]
SCHEMA = Schema(
    {
        **{f"x{i}": Numeric(-20, 20) for i in range(4)},
        **{f"c{i}": Categorical(list(range(8))) for i in range(3)},
        "town": Categorical(TOWNS),
    }
)


def people(n, seed):
    """n unique records: four numbers and three counts that hang together, and a town that depends on nothing."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    numbers = {f"x{i}": (z + rng.normal(size=n)).round(4) for i in range(4)}
    counts = {f"c{i}": np.clip(rng.poisson(np.exp(0.3 * z + 0.2 * i)), 0, 7) for i in range(3)}
    return pd.DataFrame({**numbers, **counts, "town": rng.choice(TOWNS, n)})


def mixed(n, train, leaked, seed=5):
    """A release of n rows: strangers, but for the first `leaked` rows of the training table."""
    return pd.concat([train.iloc[:leaked], people(n - leaked, seed)], ignore_index=True)
