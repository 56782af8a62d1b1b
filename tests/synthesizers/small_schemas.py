"""Random small schemas with constraints, and every row that their columns can have, by brute force."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

import dpsynth as d
from tests.synthesizers.constraint_cases import Row, _keeps

CONDITIONS = (
    "i > 1", "i <= 1", "i == 0", "j >= 2", "j is None", "j is not None", "k < 2", "k == 3", "p == 'u'", "p != 'u'",
    "q == 'r'", "q in ['s', 't']", "p is None", "m == True", "o == False", "i >= 1 and q == 'r'", "m == True and k > 0",
    "t > 3", "t == 2", "t is None",
)  # fmt: skip
FORMULAS = ("i + j", "2 * i + k", "i - k + 3", "max(i, k)", "i * j", "abs(i - j) + 1", "k / i")


def small_schema(rng: np.random.Generator) -> d.Schema:
    """Eight columns of few values and two to five constraints; SchemaError where these do not fit."""
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
    makers = (_order, _range, _implies, _implies, _implies, _combinations, _sum, _derived, _table, _one_hot)
    rules = [makers[rng.integers(len(makers))](rng, columns) for _ in range(rng.integers(2, 6))]
    return d.Schema(columns, constraints=list(dict.fromkeys(rules)))


def _of(rng: np.random.Generator, names: str, count: int) -> list[str]:
    return [str(name) for name in rng.choice(list(names), count, replace=False)]


def _order(rng: np.random.Generator, columns: dict[str, Any]) -> Any:
    left, right = _of(rng, "ijkt", 2)
    return d.Order(left, str(rng.choice(["<", "<=", ">=", ">", "=="])), right)


def _range(rng: np.random.Generator, columns: dict[str, Any]) -> Any:
    return d.Range(*_of(rng, "ijkt", 3), strict=bool(rng.random() < 0.5))


def _implies(rng: np.random.Generator, columns: dict[str, Any]) -> Any:
    return d.Implies(*map(str, rng.choice(CONDITIONS, 2, replace=False)))


def _combinations(rng: np.random.Generator, columns: dict[str, Any]) -> Any:
    names = _of(rng, "ijkpqmo", int(rng.integers(2, 4)))
    every = list(product(*(values_of(columns[name]) for name in names)))
    kept = rng.choice(len(every), max(1, len(every) // int(rng.integers(2, 5))), replace=False)
    return d.FixedCombinations(names, public=[every[place] for place in kept])


def _sum(rng: np.random.Generator, columns: dict[str, Any]) -> Any:
    return d.Sum("t", _of(rng, "ijk", int(rng.integers(2, 4))))


def _derived(rng: np.random.Generator, columns: dict[str, Any]) -> Any:
    return d.Derived("t", str(rng.choice(FORMULAS)))


def _table(rng: np.random.Generator, columns: dict[str, Any]) -> Any:
    (of,) = _of(rng, "ijp", 1)
    return d.Derived("q", of=of, table={v: str(rng.choice(["r", "s", "t"])) for v in values_of(columns[of])})


def _one_hot(rng: np.random.Generator, columns: dict[str, Any]) -> Any:
    return d.OneHot(["m", "o"], none=bool(rng.random() < 0.5))


def values_of(column: Any) -> list[Any]:
    """All values that a column can have."""
    match column:
        case d.Categorical():
            listed = list(column.categories)
        case d.Boolean():
            listed = [False, True]
        case _:
            listed = list(range(int(column.low), int(column.high) + 1))
    return [*listed, None] if column.nullable else listed


def kept_rows(schema: d.Schema) -> list[Row]:
    """Every row that keeps all constraints, by trying all combinations of values of the columns named."""
    every = [dict(zip(schema.columns, row, strict=True)) for row in product(*map(values_of, schema.columns.values()))]
    for rule in schema.constraints:
        every = [row for row in every if _keeps(rule, row, schema)]
    return every


def any_rows(rng: np.random.Generator, schema: d.Schema, n: int) -> pd.DataFrame:
    """Rows of the columns' values that keep no constraint but by chance."""
    columns = {name: values_of(column) for name, column in schema.columns.items()}
    drawn = {name: [values[i] for i in rng.integers(len(values), size=n)] for name, values in columns.items()}
    return pd.DataFrame(drawn, dtype=object)
