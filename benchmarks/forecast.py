"""How well does a plan foretell the CPU seconds of a fit?

    python benchmarks/forecast.py

For each mechanism, the figures of its `Pace` (`dpsynth/mechanisms/footprint.py`) by least squares on the logarithms of
measured fits: those in utility.json, speed.json and raw_tables.json. Written down are the figures, each fit beside its
forecast, and what the forecast is for a table that the figures were not fitted to.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from _record import RESULTS, write
from _tables import discrete_table, raw_table
from speed import published

from dpsynth import Budget, Schema
from dpsynth.data.tables.codec import schema_domain
from dpsynth.kernel.budget import affordable
from dpsynth.mechanisms.footprint import MIN_LIKELY, WITHIN, Pace, signal_of
from dpsynth.mechanisms.prices import Prices

MECHANISMS = ("independent", "mst", "canopy", "aim")
SHORTEST = 0.03
"""Seconds: shorter fits are taken to be as long, since what they take is not the table's."""

DELTA = 1e-9
ANY_BOUNDS = (0.0, 1.0)


def shape(name: str, kind: str) -> tuple[int, int]:
    """The rows and modelled columns of a table."""
    if kind == "discrete":
        rows, sizes = discrete_table(name)
        return len(rows), len(sizes)
    real, schema = raw_table(name) if kind == "raw" else published(*name.split("/"))
    return len(real), _columns(schema)


def _columns(schema: Schema) -> int:
    return len(schema_domain(schema.settled({}), dict.fromkeys(schema.unbounded, ANY_BOUNDS)).attributes)


def measured() -> Iterator[dict[str, Any]]:
    """Each fit: table, mechanism, epsilon, CPU seconds, rows and columns."""
    for found in _results("utility.json")["rows"]:
        if found["mechanism"] in MECHANISMS:
            seconds = found["fit CPU s"]["mean"]
            yield _fit(found["table"], "discrete", found["mechanism"], found["epsilon"], seconds)
    works = {"fit wide": "physionet2012_icu/wide.parquet", "fit nhanes": "nhanes/data.parquet"}
    for found in _results("speed.json")["measurements"]:
        if found["work"] in works and found["mechanism"] in MECHANISMS:
            yield _fit(works[found["work"]], "published", found["mechanism"], 1.0, found["CPU s"])
    for found in _results("raw_tables.json")["tables"]:
        yield _fit(found["table"], "raw", found["mechanism"], found["epsilon"], found["fit CPU s"])


def _results(file: str) -> dict[str, Any]:
    return dict(json.loads((RESULTS / file).read_text())["results"])


_SHAPES: dict[tuple[str, str], tuple[int, int]] = {}


def _fit(table: str, kind: str, mechanism: str, epsilon: float, seconds: float) -> dict[str, Any]:
    if (table, kind) not in _SHAPES:
        _SHAPES[table, kind] = shape(table, kind)
    rows, columns = _SHAPES[table, kind]
    return {
        "table": f"{table}, {kind}",
        "mechanism": mechanism,
        "epsilon": epsilon,
        "rows": rows,
        "columns": columns,
        "CPU s": seconds,
    }


def signal(fit: dict[str, Any]) -> float:
    return signal_of(fit["rows"], Prices(affordable(Budget(fit["epsilon"], DELTA)), 1.0))


def pace_of(fits: list[dict[str, Any]]) -> Pace:
    """The figures that are nearest to these fits, three digits each."""
    facts = np.array([[1.0, np.log(f["columns"]), np.log(signal(f))] for f in fits])
    logs = np.log([max(f["CPU s"], SHORTEST) for f in fits])
    (scale, by_columns, by_signal), *_ = np.linalg.lstsq(facts, logs)
    return Pace(*(float(f"{x:.3g}") for x in (np.exp(scale), by_columns, by_signal)))


def forecast(pace: Pace, fit: dict[str, Any]) -> float:
    return max(MIN_LIKELY, pace.seconds(fit["columns"], signal(fit)))


def within(fits: list[dict[str, Any]], name: str) -> float:
    """The share of fits that take no longer than a plan says, and no less than that or SHORTEST."""
    met = [f[name] / WITHIN <= max(f["CPU s"], MIN_LIKELY / WITHIN) <= f[name] * WITHIN for f in fits]
    return float(np.mean(met))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="benchmarks/results/forecast.json")
    options = parser.parse_args()
    fits = list(measured())
    paces = {}
    for mechanism in MECHANISMS:
        own = [fit for fit in fits if fit["mechanism"] == mechanism]
        pace = pace_of(own)
        for fit in own:
            others = [f for f in own if f["table"].partition(",")[0] != fit["table"].partition(",")[0]]
            fit |= {"forecast s": forecast(pace, fit), "forecast s from other tables": forecast(pace_of(others), fit)}
        shares = {name: within(own, name) for name in ("forecast s", "forecast s from other tables")}
        paces[mechanism] = {**asdict(pace), "fits": len(own), "share within the range": shares}
        print(f"{mechanism:12} {pace}, within the range: {shares}")
    write(options.out, {"delta": DELTA, "paces": paces, "fits": fits})


if __name__ == "__main__":
    main()
