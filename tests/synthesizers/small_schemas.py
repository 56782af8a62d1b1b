"""Random small schemas with constraints, and every row that their columns can have, by brute force."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

import dpsynth as d
from tests.synthesizers.constraint_cases import Row, keeps
from tests.synthesizers.random_rules import Vocabulary, values_of

CONDITIONS = (
    "i > 1", "i <= 1", "i == 0", "j >= 2", "j is None", "j is not None", "k < 2", "k == 3", "p == 'u'", "p != 'u'",
    "q == 'r'", "q in ['s', 't']", "p is None", "m == True", "o == False", "i >= 1 and q == 'r'", "m == True and k > 0",
    "t > 3", "t == 2", "t is None",
)  # fmt: skip
WORDS = Vocabulary(
    orders=("ijkt",),
    ranges="ijkt",
    conditions=CONDITIONS,
    combined="ijkpqmo",
    summed="ijk",
    formulas=("i + j", "2 * i + k", "i - k + 3", "max(i, k)", "i * j", "abs(i - j) + 1", "k / i"),
    looked_up="ijp",
    given=("q", ["r", "s", "t"]),
)
KINDS = ["order", "range", "implies", "implies", "implies", "combinations", "sum", "formula", "table", "one_hot"]


OPEN_WORDS = replace(WORDS, looked_up="iqq", given=("p", ["u", "v"]), listed={"q": ["r", "s", "t", "w"]})
"""For schemas of which `q` is open."""


def small_schema(rng: np.random.Generator, *, open_: bool = False) -> d.Schema:
    """Eight columns of few values and one to five constraints; SchemaError where these do not fit."""
    columns: dict[str, Any] = {
        "i": d.Numeric(0, 2, integer=True),
        "j": d.Numeric(int(rng.integers(0, 2)), 3, integer=True, nullable=bool(rng.random() < 0.4)),
        "k": d.Numeric(0, int(rng.integers(1, 4)), integer=True),
        "t": d.Numeric(
            int(rng.integers(0, 3)), int(rng.integers(3, 7)), integer=True, nullable=bool(rng.random() < 0.5)
        ),
        "p": d.Categorical(["u", "v"], nullable=bool(rng.random() < 0.3)),
        "q": d.Categorical(["r", "s", "t"]),
        "m": d.Boolean(),
        "o": d.Boolean(nullable=bool(rng.random() < 0.2)),
    }
    if open_:
        public = [text for text in "rst" if rng.random() < 0.4]
        columns["q"] = d.OpenCategorical(public=public, nullable=bool(rng.random() < 0.2))
        return d.Schema(columns, constraints=OPEN_WORDS.rules(rng, columns, KINDS, 5))
    return d.Schema(columns, constraints=WORDS.rules(rng, columns, KINDS, 5))


def kept_rows(schema: d.Schema) -> list[Row]:
    """Every row that keeps all constraints, by trying all combinations of values of the columns named."""
    every = [dict(zip(schema.columns, row, strict=True)) for row in product(*map(values_of, schema.columns.values()))]
    for rule in schema.constraints:
        every = [row for row in every if keeps(rule, row, schema)]
    return every


def any_rows(rng: np.random.Generator, schema: d.Schema, n: int) -> pd.DataFrame:
    """Rows of the columns' values that keep no constraint but by chance."""
    columns = {name: values_of(column) for name, column in schema.columns.items()}
    drawn = {name: [values[i] for i in rng.integers(len(values), size=n)] for name, values in columns.items()}
    return pd.DataFrame(drawn, dtype=object)
