"""Random schemas with constraints, random rows for them, and a checker that reads one row at a time.

The checker shares no code with what draws rows: it is plain Python over single values.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

import dpsynth as d
from tests.synthesizers.random_rules import Vocabulary

Row = dict[str, Any]
COMPARE = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b or (isinstance(a, float) and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)),
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
}


def plain_rows(frame: pd.DataFrame) -> list[Row]:
    """The rows with Python's own values, None for a missing one."""
    found = frame.astype(object).where(frame.notna(), None)
    return [dict(zip(frame.columns, map(_plain, row), strict=True)) for row in found.itertuples(index=False, name=None)]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if isinstance(value, np.generic) else value


def broken(schema: d.Schema, frame: pd.DataFrame) -> list[str]:
    """A line for each constraint that a row breaks, and for each value that its column cannot have."""
    rows = plain_rows(frame)
    found = [f"{rule.describe()}: {row}" for rule in schema.constraints for row in rows if not keeps(rule, row, schema)]
    for rule in schema.constraints:
        if isinstance(rule, d.Unique):
            times = Counter(row[rule.column] for row in rows)
            found += [f"{rule.describe()}: {value}" for value, count in times.items() if count > 1]
    return found + [f"{name}={row[name]!r}" for row in rows for name in row if not _possible(schema, name, row[name])]


def _possible(schema: d.Schema, name: str, value: Any) -> bool:
    column = schema.columns[name]
    if isinstance(column, d.Identifier):
        return isinstance(value, str)
    if value is None:
        return column.nullable
    match column:
        case d.Categorical():
            return value in column.categories
        case d.OpenCategorical():
            return isinstance(value, str)
        case d.Boolean():
            return isinstance(value, bool)
        case d.Datetime():
            low, high = (datetime.fromisoformat(str(end)) for end in (column.low, column.high))
            return low <= value <= high
    low = -math.inf if column.low is None else column.low
    high = math.inf if column.high is None else column.high
    return low <= value <= high and (not column.integer or value == int(value))


def keeps(rule: Any, row: Row, schema: d.Schema) -> bool:
    match rule:
        case d.Order():
            pair = row[rule.left], row[rule.right]
            if rule.op == "==" and None in pair:
                return pair == (None, None)
            return None in pair or COMPARE[rule.op](*pair)
        case d.Range():
            op = "<" if rule.strict else "<="
            pairs = [(row[rule.low], row[rule.column]), (row[rule.column], row[rule.high])]
            return all(None in pair or COMPARE[op](*pair) for pair in pairs)
        case d.Implies():
            return not _condition(rule.when, row) or _condition(rule.then, row)
        case d.FixedCombinations():
            return any(_stands_for(rule, row, listed, schema) for listed in rule.public)
        case d.OneHot():
            true = sum(bool(row[name]) for name in rule.columns)
            return None not in [row[name] for name in rule.columns] and (true == 1 or (rule.none and true == 0))
        case d.Sum():
            return _equals(schema, rule.column, row, _number_sum(schema, rule, row))
        case d.Derived() if rule.formula is not None:
            return _equals(schema, rule.column, row, _computed(schema, rule, row))
        case d.Derived():
            table = {tuple(entry[:-1]): entry[-1] for entry in rule.table}
            return row[rule.column] == table.get(tuple(row[name] for name in rule.of))
        case d.FixedIncrements():
            value = row[rule.column]
            return value is None or abs(value / rule.step - round(value / rule.step)) < 1e-6
    return True


def _stands_for(rule: Any, row: Row, listed: tuple[Any, ...], schema: d.Schema) -> bool:
    """Whether each value is the listed one, or the category for what a fit did not find of an open column."""
    for name, value in zip(rule.columns, listed, strict=True):
        column = schema.columns[name]
        unfound = isinstance(column, d.OpenCategorical) and row[name] == "OTHER" and value not in column.public
        if row[name] != value and not (unfound and value is not None):
            return False
    return True


def _condition(text: str, row: Row) -> bool:
    """Parts joined by `and`, each of which begins with its column."""
    for part in text.split(" and "):
        name, _, test = part.partition(" ")
        if test in ("is None", "is not None"):
            if (row[name] is None) != (test == "is None"):
                return False
        elif row[name] is None or not eval(f"value {test}", {"value": row[name]}):
            return False
    return True


def _number(schema: d.Schema, name: str, row: Row) -> float | None:
    value = row[name]
    if isinstance(schema.columns[name], d.Datetime) and value is not None:
        return (value - datetime(1970, 1, 1)) // timedelta(days=1)
    return value


def _number_sum(schema: d.Schema, rule: d.Sum, row: Row) -> float | None:
    parts = [_number(schema, name, row) for name in rule.parts]
    return None if None in parts else sum(parts)


def _computed(schema: d.Schema, rule: d.Derived, row: Row) -> float | None:
    values = {name: _number(schema, name, row) for name in rule.parts}
    if None in values.values():
        return None
    try:
        return eval(rule.formula, {"max": max, "min": min, "abs": abs}, values)
    except ZeroDivisionError:
        return None


def _equals(schema: d.Schema, name: str, row: Row, wanted: float | None) -> bool:
    """Whether a value is what is wanted, to the nearest of its column's steps."""
    stated = _number(schema, name, row)
    if stated is None or wanted is None:
        return stated is wanted
    column = schema.columns[name]
    step = 1 if isinstance(column, d.Datetime) else column.spacing or 0
    return abs(stated - wanted) <= step / 2 + 1e-9 * max(1, abs(wanted))


# Random schemas

CONDITIONS = (
    "i > 3", "i <= 5", "j == 2", "j is None", "j is not None", "k < 40", "x >= 4.5", "y < 6", "p == 'u'", "p is None",
    "p != 'v'", "q == 'r'", "m == True", "o == False", "p in ['u', 'w']", "q == 's' and o == True", "i >= 2 and x < 8",
    "t > 20", "t is None",
)  # fmt: skip
WORDS = Vocabulary(
    orders=("ijk", "xy", "ab", "ix"),
    ranges="ijk",
    conditions=CONDITIONS,
    combined="ijpqmo",
    summed="ijkxy",
    formulas=("x / i ** 2", "x * y - 3", "max(i, j) + 1", "b - a", "abs(x) / 3 + o"),
    looked_up="ijp",
    given=("q", ["r", "s"]),
    increments=(("k", 5), ("x", 0.5), ("y", 0.2), ("i", 2)),
)
KINDS = ["order", "range", "implies", "combinations", "sum", "derived", "one_hot", "increment", "unique"]


def random_schema(rng: np.random.Generator) -> d.Schema:
    """A schema of ten columns with one to five constraints; SchemaError where these do not fit."""
    columns = {
        "i": d.Numeric(0, int(rng.integers(3, 12)), integer=True, nullable=bool(rng.random() < 0.2)),
        "j": d.Numeric(int(rng.integers(-3, 3)), 9, integer=True, nullable=bool(rng.random() < 0.3)),
        "k": d.Numeric(0, int(rng.integers(5, 3000)), integer=True),
        "x": d.Numeric(0, 10, decimals=1) if rng.random() < 0.5 else d.Numeric(-5, 10),
        "y": d.Numeric(0, 12, decimals=1, nullable=bool(rng.random() < 0.3))
        if rng.random() < 0.5
        else d.Numeric(0, 20),
        "t": d.Numeric(-100, 4000, nullable=bool(rng.random() < 0.6)),
        "a": d.Datetime("2020-01-01", "2020-03-01"),
        "b": d.Datetime("2020-01-15", "2026-06-01", nullable=bool(rng.random() < 0.4)),
        "p": d.Categorical(["u", "v", "w"], nullable=bool(rng.random() < 0.3)),
        "q": d.Categorical(["r", "s"]),
        "m": d.Boolean(nullable=bool(rng.random() < 0.2)),
        "o": d.Boolean(),
        "n": d.Numeric(1, 5000, integer=True),
    }
    return d.Schema(columns, constraints=WORDS.rules(rng, columns, KINDS, 5))


def random_rows(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Rows of those columns that keep no constraint but by chance; some values are not declared."""
    days = [date(2020, 1, 1) + timedelta(days=int(x)) for x in rng.integers(-5, 200, n)]
    later = [day + timedelta(days=int(x)) for day, x in zip(days, rng.integers(-3, 60, n), strict=True)]
    frame = pd.DataFrame(
        {
            "i": rng.integers(-1, 13, n),
            "j": rng.integers(-4, 10, n),
            "k": rng.integers(0, 3000, n),
            "x": np.round(rng.normal(4, 3, n), 1),
            "y": np.round(rng.normal(8, 5, n), 1),
            "t": rng.normal(10, 20, n),
            "a": days,
            "b": later,
            "p": rng.choice(["u", "v", "w", "strange"], n),
            "q": rng.choice(["r", "s"], n),
            "m": rng.random(n) < 0.4,
            "o": rng.random(n) < 0.5,
            "n": rng.integers(1, 50, n),
        }
    ).astype(object)
    return frame.mask(rng.random(frame.shape) < 0.05, None)


def cases(seed: int, count: int) -> Iterator[tuple[np.random.Generator, d.Schema]]:
    """So many random schemas that can be declared."""
    rng = np.random.default_rng(seed)
    while count:
        try:
            schema = random_schema(rng)
        except d.SchemaError:
            continue
        count -= 1
        yield rng, schema
