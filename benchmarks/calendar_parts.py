"""What calendar parts of a time are worth beside one place on a line, and what heaps come back.

    python benchmarks/calendar_parts.py

Made-up hospital visits of three years, kept to the minute: planned visits on weekdays from seven to two, transfers from
nine to seven, emergencies more at night and in winter, and diagnoses of which half follow the season. Total-variation
distances of calendar parts, and of pairs of them with other columns. Then `credit_default`: how far off the shares of
multiples of 5, 10, 100 and 1,000 are in its amounts.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import numpy as np
import pandas as pd
from _record import write
from _tables import raw_table

import dpsynth

KINDS = ("planned", "emergency", "transfer")
DAYS = 3 * 365
PARTS: tuple[tuple[str, ...], ...] = ((), ("weekday", "hour"), ("month", "weekday", "hour"))
SHOWN: tuple[tuple[str, ...], ...] = (
    ("weekday",),
    ("hour",),
    ("month",),
    ("week",),
    ("hour", "weekday"),
    ("weekday", "kind"),
    ("hour", "kind"),
    ("hour", "department"),
    ("month", "diagnosis"),
)
OTHERS = ("kind", "department", "diagnosis", "age", "sex", "stay")
GRIDS = (5, 10, 100, 1000)


def hospital(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    day = np.arange(DAYS)
    weekday = (day + 2) % 7  # 2020 began on a Wednesday
    month = (np.datetime64("2020-01-01") + day).astype("datetime64[M]").astype(int) % 12
    hour = np.arange(24)
    kind = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    by_weekday = [np.where(weekday < 5, 1, weekend) for weekend in (0.05, 1.2, 0.5)]
    by_season = [1, 1 + 0.6 * np.cos(2 * np.pi * month / 12), 1]
    by_hour = [
        np.isin(hour, range(7, 15)) * 1.0,
        1 + 0.8 * np.sin(2 * np.pi * (hour - 10) / 24),
        np.isin(hour, range(9, 20)) * 1.0,
    ]
    days, hours = np.zeros(n, int), np.zeros(n, int)
    for k in range(3):
        own = kind == k
        weights = by_weekday[k] * by_season[k] * (1 + 0.5 * day / DAYS)
        days[own] = rng.choice(DAYS, own.sum(), p=weights / weights.sum())
        hours[own] = rng.choice(24, own.sum(), p=by_hour[k] / by_hour[k].sum())
    planned = rng.choice(5, n, p=[0.4, 0.3, 0.2, 0.05, 0.05])
    others = rng.choice(5, n, p=[0.1, 0.1, 0.2, 0.3, 0.3])
    seasonal = (month[days] // 3 * 2 + rng.integers(0, 2, n)) % 8
    seconds = days * 86_400 + hours * 3600 + 60 * rng.integers(0, 60, n)
    return pd.DataFrame(
        {
            "admitted": np.datetime64("2020-01-01", "s") + seconds,
            "kind": np.array(KINDS)[kind],
            "department": np.array(list("ABCDE"))[np.where(kind == 0, planned, others)],
            "diagnosis": np.where(rng.random(n) < 0.5, rng.integers(0, 8, n), seasonal),
            "age": np.clip(rng.normal(55 + 10 * (kind == 1), 18, n), 0, 99).astype(int),
            "sex": rng.choice(["f", "m"], n),
            "stay": np.minimum(rng.exponential(5, n).astype(int), 60),
        }
    )


def schema(parts: tuple[str, ...]) -> dpsynth.Schema:
    return dpsynth.Schema(
        {
            "admitted": dpsynth.Datetime("2020-01-01", "2022-12-30T23:59", resolution="min", parts=parts),
            "kind": dpsynth.Categorical(KINDS),
            "department": dpsynth.Categorical(list("ABCDE")),
            "diagnosis": dpsynth.Categorical(range(8)),
            "age": dpsynth.Numeric(0, 99, integer=True),
            "sex": dpsynth.Categorical(["f", "m"]),
            "stay": dpsynth.Numeric(0, 60, integer=True),
        }
    )


def seen(rows: pd.DataFrame) -> pd.DataFrame:
    """What distances are of: calendar parts, and other columns in a few classes."""
    times = rows["admitted"].dt
    return pd.DataFrame(
        {
            "weekday": times.day_of_week,
            "hour": times.hour,
            "month": times.month,
            "week": (rows["admitted"] - pd.Timestamp("2020-01-01")).dt.days // 7,
            **{name: rows[name].astype(str) for name in ("kind", "department", "diagnosis", "sex")},
            "age": rows["age"].astype(int) // 10,
            "stay": rows["stay"].astype(int) // 4,
        }
    )


def distance(one: pd.DataFrame, other: pd.DataFrame, names: tuple[str, ...]) -> float:
    shares = [rows.groupby([*names]).size() / len(rows) for rows in (one, other)]
    return float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2)


def times(rows: int, epsilon: float, parts: tuple[str, ...], seeds: int) -> dict[str, Any]:
    real = hospital(rows, 0)
    found = []
    for seed in range(seeds):
        fitted = dpsynth.Synthesizer(schema(parts), "canopy", epsilon=epsilon, delta=1e-6, ledger=None).fit(real)
        release = seen(fitted.sample(50_000, seed=seed))
        each = {" x ".join(names): distance(seen(real), release, names) for names in SHOWN}
        pairs = [distance(seen(real), release, pair) for pair in itertools.combinations(OTHERS, 2)]
        found.append({**each, "other pairs": float(np.mean(pairs))})
    means = {name: float(np.mean([each[name] for each in found])) for name in found[0]}
    return {"rows": rows, "epsilon": epsilon, "parts": list(parts), "distances": means}


def heaps(epsilon: float, seeds: int) -> dict[str, Any]:
    """Of the amounts of credit_default: the mean difference between the shares of multiples."""
    real, declared = raw_table("credit_default")
    amounts = [name for name in declared.columns if "_AMT" in name or name == "LIMIT_BAL"]
    off: dict[int, list[float]] = {grid: [] for grid in GRIDS}
    for seed in range(seeds):
        fitted = dpsynth.Synthesizer(declared, "canopy", epsilon=epsilon, delta=1e-9, ledger=None).fit(real)
        release = fitted.sample(len(real), seed=seed)
        for name, grid in itertools.product(amounts, GRIDS):
            shares = [float((rows[name].dropna().astype(float) % grid == 0).mean()) for rows in (real, release)]
            off[grid].append(abs(shares[0] - shares[1]))
    return {"epsilon": epsilon, "columns": len(amounts), "off": {g: float(np.mean(each)) for g, each in off.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", type=int, default=[2000, 50_000])
    parser.add_argument("--epsilon", nargs="*", type=float, default=[1.0, 10.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default="benchmarks/results/calendar_parts.json")
    options = parser.parse_args()
    settings = itertools.product(options.rows, options.epsilon, PARTS)
    found = [times(rows, epsilon, parts, options.seeds) for rows, epsilon, parts in settings]
    for each in found:
        shown = ", ".join(f"{name} {off:.3f}" for name, off in each["distances"].items())
        print(f"{each['rows']} rows, epsilon {each['epsilon']:g}, parts {each['parts']}: {shown}")
    rounded = [heaps(epsilon, options.seeds) for epsilon in options.epsilon]
    print(rounded)
    write(options.out, {"times": found, "heaps": rounded})


if __name__ == "__main__":
    main()
