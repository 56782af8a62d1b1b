"""Made-up tables of many shapes without a planted pattern, and ones with patterns planted in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.pattern import Pattern
from dpsynth.evaluation.patterns import patterns
from dpsynth.schema.table import Boolean, Categorical, Datetime, Numeric, Schema

TOWNS = [f"t{i}" for i in range(12)]
SCHEMA = Schema(
    {
        "age": Numeric(0, 120, integer=True),
        "income": Numeric(0, 1e7),
        "spend": Numeric(0, 1e7),
        "town": Categorical(TOWNS),
        "sex": Categorical(["f", "m"]),
        "visits": Numeric(0, 1000, integer=True),
        "cost": Numeric(0, 1e6),
        "wait": Numeric(0, 1000, integer=True, nullable=True),
        "bmi": Numeric(0, 100, decimals=1),
        "ill": Boolean(),
        "stay": Numeric(-500, 500, integer=True),
        "seen": Datetime("2020-01-01", "2020-12-31"),
    }
)


def clean(rows: int, seed: int) -> pd.DataFrame:
    """Smooth shapes: normal, uniform, lognormal, Pareto, Poisson, geometric and two-peaked; some depend on others."""
    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(50, 18, rows), 0, 110).round() if seed % 2 else rng.integers(18, 90, rows)
    income = rng.lognormal(10, 1, rows)
    visits = rng.poisson(3 + age / 20) if seed % 2 else rng.negative_binomial(2, 0.2, rows)
    two_peaks = np.where(rng.random(rows) < 0.4, rng.normal(20, 3, rows), rng.normal(60, 8, rows))
    return pd.DataFrame(
        {
            "age": age.astype(int),
            "income": income,
            "spend": income * 0.2 * np.exp(rng.normal(0, 0.7, rows)),
            "town": rng.choice(TOWNS, rows, p=np.arange(1, 13) / 78),
            "sex": rng.choice(["f", "m"], rows),
            "visits": visits,
            "cost": rng.pareto(2.5, rows) * 100,
            "wait": np.where(rng.random(rows) < 0.1, np.nan, rng.exponential(10, rows).round()),
            "bmi": np.round(rng.normal(26, 4, rows) + 0.02 * age, 1),
            "ill": rng.random(rows) < 1 / (1 + np.exp(4 - age / 20)),
            "stay": two_peaks.round().astype(int),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, rows), unit="D"),
        }
    )


def heaped(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Three ages in ten are rounded to fives."""
    some = rng.random(len(table)) < 0.3
    return table.assign(age=np.where(some, 5 * np.rint(table["age"] / 5), table["age"]).astype(int))


def with_outliers(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One row in two hundred has a mass index about 95."""
    some = rng.random(len(table)) < 0.005
    return table.assign(bmi=np.where(some, rng.normal(95, 0.5, len(table)).round(1), table["bmi"]))


def with_spike(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One cost in ten is 250."""
    return table.assign(cost=np.where(rng.random(len(table)) < 0.1, 250.0, table["cost"]))


def reversed_in_a_town(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """More visits, longer stays; in t5 shorter ones."""
    sign = np.where(table["town"] == "t5", -1, 1)
    stay = 40 + 3 * sign * table["visits"] + rng.normal(0, 10, len(table))
    return table.assign(stay=stay.round().clip(-500, 500).astype(int))


def with_copies(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One row in fifty is a copy of another."""
    copies = len(table) // 50
    return pd.concat([table.iloc[copies:], table.iloc[-copies:]], ignore_index=True)


def dependent(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A town has one sex."""
    return table.assign(sex=np.where(table["town"].isin(TOWNS[::2]), "f", "m"))


def summed(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Visits and waits add up to the stay."""
    stay = table["visits"] + table["wait"]
    return table.assign(stay=stay.fillna(0).astype(int))


def together(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One row in twenty has the largest income and the largest cost, which do not depend on each other else."""
    some = rng.random(len(table)) < 0.05
    large = np.exp(rng.normal(13, 0.3, len(table)))
    return table.assign(
        income=np.where(some, large, table["income"]), cost=np.where(some, 5000 + large / 100, table["cost"])
    )


PLANTED = {
    ("heaping", ("age",)): heaped,
    ("outliers", ("bmi",)): with_outliers,
    ("spike", ("cost",)): with_spike,
    ("reversal", ("visits", "stay")): reversed_in_a_town,
    ("repeated rows", ()): with_copies,
    ("dependency", ("town", "sex")): dependent,
    ("sum", ("visits", "wait", "stay")): summed,
    ("joint extremes", ("income", "cost")): together,
}
"""Each pattern by its kind and columns, and who plants it."""


def numbers(table: pd.DataFrame) -> Numbers:
    return Numbers.of(table, SCHEMA)


def found(real: pd.DataFrame, synthetic: pd.DataFrame) -> dict[tuple[str, tuple[str, ...]], Pattern]:
    return {(p.kind, p.columns): p for p in patterns(numbers(real), numbers(synthetic), SCHEMA)}
