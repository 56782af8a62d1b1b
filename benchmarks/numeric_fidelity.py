"""How far do the numbers of a release lie from the real ones, and is that nearer than plain bins would be?

    python benchmarks/numeric_fidelity.py

Of each numeric column the Wasserstein distance (the mean shift that turns one distribution into the other) between a
release and the real values, beside the same mechanism at the same budget on a plain coding: 32 bins of equal width, and
values drawn evenly inside of a bin. Where the publisher states no bound, the plain coding is given the one that the
release learned, and pays nothing for it. Beside them a draw of as many real rows, which differs by chance alone.

Then `bili` of support2 with its upper bound left open: the mean of a long tail. And the weekdays, hours and months of
the invoices of online_retail, by total variation: as one column of times, by calendar parts, and as a day and an hour
of their own.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from _record import write
from _tables import raw_table, require_data
from scipy.stats import wasserstein_distance

import dpsynth

TABLES = ("support2", "credit_default")
DELTA = 1e-9
BINS = 32
OPEN = ("support2", "bili")
Bounds = Mapping[str, tuple[float, float]]


def fitted(real: pd.DataFrame, schema: dpsynth.Schema, mechanism: str, epsilon: float) -> dpsynth.Synthesizer:
    return dpsynth.Synthesizer(schema, mechanism, epsilon=epsilon, delta=DELTA, ledger=None).fit(real)


def bounds_of(schema: dpsynth.Schema, learned: Bounds) -> dict[str, tuple[float, float]]:
    """The bounds of every numeric column with more values than a plain coding has bins."""
    found = {}
    for name, column in schema.columns.items():
        if isinstance(column, dpsynth.Numeric):
            low, high = learned.get(name, (column.low, column.high))
            if column.spacing is None or (high - low) / column.spacing >= BINS:
                found[name] = (float(low), float(high))
    return found


def plain(
    real: pd.DataFrame, schema: dpsynth.Schema, bounds: Bounds, mechanism: str, epsilon: float, seed: int
) -> dict[str, np.ndarray]:
    """Values of these columns by equal bins, with the same mechanism and budget on the whole table."""
    coded, columns = real.copy(), dict(schema.columns)
    for name, (low, high) in bounds.items():
        column = schema.columns[name]
        values = pd.to_numeric(real[name], errors="coerce").astype(float)
        values = values.mask(values == column.missing_marker)
        cells = np.clip((values - low) / (high - low) * BINS, 0, BINS - 1)
        coded[name] = np.floor(cells).astype("Int64")
        columns[name] = dpsynth.Categorical(list(range(BINS)), ordered=True, nullable=column.nullable)
    release = fitted(coded, dpsynth.Schema(columns), mechanism, epsilon).sample(len(real), seed=seed)
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, (low, high) in bounds.items():
        cells = release[name].dropna().astype(float).to_numpy()
        values = low + (cells + rng.random(len(cells))) * (high - low) / BINS
        step = schema.columns[name].spacing
        drawn[name] = values if step is None else low + np.floor((values - low) / step) * step
    return drawn


def numbers(values: pd.Series, column: dpsynth.Numeric) -> np.ndarray:
    """What is a number, and none that stands for a missing one."""
    found = pd.to_numeric(values, errors="coerce").astype(float)
    return found[found.notna() & (found != column.missing_marker)].to_numpy()


def distance(real: np.ndarray, other: np.ndarray) -> float:
    return float(wasserstein_distance(real, other)) if len(other) else math.nan


def run(name: str, mechanism: str, epsilon: float, seeds: int) -> dict[str, Any]:
    real, schema = raw_table(name)
    columns: dict[str, dict[str, Any]] = {}
    for seed in range(seeds):
        synthesizer = fitted(real, schema, mechanism, epsilon)
        release = synthesizer.sample(len(real), seed=seed)
        bounds = bounds_of(schema, synthesizer.fitted_.bounds)
        beside = plain(real, schema, bounds, mechanism, epsilon, seed)
        again = real.sample(len(real), replace=True, random_state=seed)
        for c, ends in bounds.items():
            column = schema.columns[c]
            values = numbers(real[c], column)
            each = columns.setdefault(c, {"real mean": float(values.mean()), "sd": float(values.std()), "fits": []})
            each["fits"].append(
                {
                    "bounds": ends,
                    "mean": float(numbers(release[c], column).mean()),
                    "release": distance(values, numbers(release[c], column)),
                    "plain bins": distance(values, beside[c]),
                    "real rows": distance(values, numbers(again[c], column)),
                }
            )
    for each in columns.values():
        of = {kind: float(np.mean([fit[kind] for fit in each["fits"]])) for kind in ("release", "plain bins")}
        each["ratio"] = of["release"] / of["plain bins"]
        each["ratio of each fit"] = [fit["release"] / fit["plain bins"] for fit in each["fits"]]
    ratios = [each["ratio"] for each in columns.values()]
    return {
        "table": name,
        "mechanism": mechanism,
        "epsilon": epsilon,
        "rows": len(real),
        "geometric mean of ratios": float(np.exp(np.mean(np.log(ratios)))),
        "at most half": sum(ratio <= 0.5 for ratio in ratios),
        "columns": columns,
    }


def open_bound(mechanism: str, epsilon: float, seeds: int) -> dict[str, Any]:
    """The mean of a column with a long tail, whose upper bound is learned."""
    table, name = OPEN
    real, schema = raw_table(table)
    opened = dpsynth.Schema({**schema.columns, name: replace(schema.columns[name], high=None)})
    truth = float(numbers(real[name], opened.columns[name]).mean())
    fits = []
    for seed in range(seeds):
        synthesizer = fitted(real, opened, mechanism, epsilon)
        values = numbers(synthesizer.sample(len(real), seed=seed)[name], opened.columns[name])
        fits.append({"bounds": synthesizer.fitted_.bounds[name], "mean": float(values.mean())})
    off = [fit["mean"] / truth - 1 for fit in fits]
    return {
        "column": f"{name} of {table}",
        "epsilon": epsilon,
        "real mean": truth,
        "fits": fits,
        "off": off,
        "root mean square": float(np.sqrt(np.mean(np.square(off)))),
        "within 15 %": sum(abs(each) <= 0.15 for each in off),
    }


def shapes(days: pd.Series, hours: pd.Series) -> dict[str, np.ndarray]:
    weekdays = days.dt.day_of_week.to_numpy()
    codes = {
        "weekday": (weekdays, 7),
        "hour": (hours, 24),
        "hour of the week": (24 * weekdays + hours, 168),
        "month": (days.dt.month.to_numpy() - 1, 12),
        "week": ((days - pd.Timestamp("2010-12-01")).dt.days.to_numpy() // 7, 57),
    }
    return {name: np.bincount(code, minlength=size) / len(days) for name, (code, size) in codes.items()}


def calendar(mechanism: str, epsilon: float, seeds: int) -> dict[str, Any]:
    """Total-variation distances of calendar parts, every row a unit."""
    rows = pd.read_parquet(require_data() / "online_retail" / "data.parquet")[["InvoiceDate", "Quantity", "UnitPrice"]]
    amounts = {"Quantity": dpsynth.Numeric(-1000, 1000, integer=True), "UnitPrice": dpsynth.Numeric(0, 1000)}
    low, high = "2010-12-01", "2011-12-31"
    when = rows["InvoiceDate"]
    apart = rows.drop(columns="InvoiceDate").assign(day=when.dt.normalize(), hour=when.dt.hour)
    parts = {"day": dpsynth.Datetime(low, high), "hour": dpsynth.Categorical(range(24), ordered=True)}
    codings = {
        f"one column, resolution {step}": (
            rows,
            {"InvoiceDate": dpsynth.Datetime(low, f"{high}T23:59", resolution=step), **amounts},
        )
        for step in ("h", "min")
    } | {"a day and an hour": (apart, {**parts, **amounts})}
    for chosen in (("weekday", "hour"), ("month", "weekday", "hour")):
        times = dpsynth.Datetime(low, f"{high}T23:59", resolution="min", parts=chosen)
        codings["parts: " + ", ".join(chosen)] = (rows, {"InvoiceDate": times, **amounts})
    real = shapes(when, when.dt.hour.to_numpy())
    found: dict[str, Any] = {}
    for name, (table, columns) in codings.items():
        for seed in range(seeds):
            release = fitted(table, dpsynth.Schema(columns), mechanism, epsilon).sample(100_000, seed=seed)
            days = release["InvoiceDate" if "InvoiceDate" in columns else "day"]
            hours = days.dt.hour.to_numpy() if "InvoiceDate" in columns else release["hour"].astype(int).to_numpy()
            each = shapes(days, hours)
            off = {part: float(np.abs(each[part] - real[part]).sum() / 2) for part in real}
            found.setdefault(name, []).append(off)
    return {"table": "online_retail", "epsilon": epsilon, "distances": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="*", default=TABLES, choices=TABLES)
    parser.add_argument("--mechanism", default="canopy")
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=5, help="fits of each table")
    parser.add_argument("--tail-seeds", type=int, default=20, help="fits with an open bound; 0 for none")
    parser.add_argument("--times", action=argparse.BooleanOptionalAction, default=True, help="weekdays and hours")
    parser.add_argument("--out", default="benchmarks/results/numeric_fidelity.json")
    options = parser.parse_args()
    results = []
    for name in options.tables:
        found = run(name, options.mechanism, options.epsilon, options.seeds)
        results.append(found)
        for c, each in found["columns"].items():
            spread = f"{min(each['ratio of each fit']):.2f} to {max(each['ratio of each fit']):.2f}"
            means = [fit["mean"] / each["real mean"] for fit in each["fits"] if each["real mean"]]
            release, bins, floor = (
                np.mean([fit[kind] for fit in each["fits"]]) / each["sd"]
                for kind in ("release", "plain bins", "real rows")
            )
            print(
                f"{c:10} distance / sd {release:.4f}, plain {bins:.4f}, real rows {floor:.4f};"
                f" ratio {each['ratio']:.2f} ({spread}); mean / real {min(means):.2f} to {max(means):.2f}"
            )
        print(
            f"{name}: geometric mean of ratios {found['geometric mean of ratios']:.2f};"
            f" {found['at most half']} of {len(found['columns'])} columns at most half"
        )
    tail = open_bound(options.mechanism, options.epsilon, options.tail_seeds) if options.tail_seeds else None
    if tail:
        print(
            f"{tail['column']}, high open: off by {tail['root mean square']:.1%} (root mean square),"
            f" {min(tail['off']):+.1%} to {max(tail['off']):+.1%}; within 15 %: {tail['within 15 %']} of"
            f" {options.tail_seeds}"
        )
    times = calendar(options.mechanism, options.epsilon, options.seeds) if options.times else None
    for name, fits in times["distances"].items() if times else ():
        print(name, {part: round(float(np.mean([fit[part] for fit in fits])), 4) for part in fits[0]})
    write(options.out, {"delta": DELTA, "bins": BINS, "tables": results, "open bound": tail, "times": times})


if __name__ == "__main__":
    main()
