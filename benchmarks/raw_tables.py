"""Does the whole road work on real tables of mixed types?

    python benchmarks/raw_tables.py

Schema from the publisher's public facts, fit, sample, and then: columns, dtypes and missing values as the schema has
them, nothing outside the public domain, and the one-way distance of each column. The fit's budget includes bounds that
had to be learned. Of each numeric column besides: mean, standard deviation and quantiles, over several fits, and
whether a mean that is off by more than 10 % lies within the noise that a plan foretells.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from _record import write
from _tables import raw_table

import dpsynth
from dpsynth.mechanisms.allocation import COLUMNS
from dpsynth.synthesizers.numbers import MeanNoise, mean_noise

TABLES = ("adult", "support2", "credit_default", "nist_acs_national2019")
DELTA = 1e-9
LEVELS = (0.1, 0.5, 0.9, 0.99)


def outside_domain(release: pd.DataFrame, schema: dpsynth.Schema, bounds: dict[str, tuple[float, float]]) -> int:
    """Synthetic values that the schema, with the learned bounds, does not allow."""
    count = 0
    for name, column in schema.columns.items():
        known = release[name].dropna()
        if isinstance(column, dpsynth.Categorical):
            count += int((~known.isin(column.categories)).sum())
        elif isinstance(column, dpsynth.Numeric):
            low, high = bounds.get(name, (column.low, column.high))
            count += int(((known < low) | (known > high)).sum())
            count += int((known.astype(float) % 1 != 0).sum()) if column.integer else 0
        count += 0 if getattr(column, "nullable", False) else int(release[name].isna().sum())
    return count


def expected_dtype(column: Any) -> str:
    if isinstance(column, dpsynth.Categorical):
        return "category"
    return "Int64" if column.integer else "float64"


def run(name: str, mechanism: str, epsilon: float) -> dict[str, Any]:
    real, schema = raw_table(name)
    synthesizer = dpsynth.Synthesizer(schema, mechanism, epsilon=epsilon, delta=DELTA, ledger=None)
    start = time.process_time()
    synthesizer.fit(real)
    fitted = time.process_time()
    release = synthesizer.sample(len(real), seed=0)
    sampled = time.process_time()
    bounds = synthesizer.certificate.record["released"].get("bounds", {})
    quality = dpsynth.evaluate(release, real, schema, bounds=synthesizer.fitted_.bounds)
    wrong = [c for c in schema.columns if str(release[c].dtype) != expected_dtype(schema.columns[c])]
    columns = {c.name: c.distance for c in quality.columns}
    missing = {c: [float(real[c].isna().mean()), float(release[c].isna().mean())] for c in schema.columns}
    return {
        "table": name,
        "mechanism": mechanism,
        "epsilon": epsilon,
        "rows": len(real),
        "columns": len(schema.columns),
        "bounds learned": len(synthesizer.fitted_.bounds),
        "fit CPU s": fitted - start,
        "sample CPU s": sampled - fitted,
        "columns in order": list(release.columns) == list(schema.columns),
        "wrong dtypes": wrong,
        "values outside the domain": outside_domain(release, schema, {**bounds, **synthesizer.fitted_.bounds}),
        "mean 1-way": float(np.mean(list(columns.values()))),
        "mean of all ways": [{"synthetic": way.distance, "bootstrap": way.floor} for way in quality.ways],
        "1-way": columns,
        "missing, real and synthetic": {c: m for c, m in missing.items() if max(m) > 0},
    }


def figures(values: pd.Series) -> dict[str, float]:
    known = pd.to_numeric(values, errors="coerce").dropna().astype(float)
    quantiles = {f"{level:.0%}": float(known.quantile(level)) for level in LEVELS}
    return {"mean": float(known.mean()), "sd": float(known.std(ddof=0)), **quantiles}


def numbers(name: str, mechanism: str, epsilon: float, seeds: int) -> dict[str, Any]:
    """The figures of every numeric column, of the real table and of the release of each of several fits."""
    real, schema = raw_table(name)
    numeric = [c for c, column in schema.columns.items() if isinstance(column, dpsynth.Numeric)]
    releases, foretold = [], []
    for seed in range(seeds):
        synthesizer = dpsynth.Synthesizer(schema, mechanism, epsilon=epsilon, delta=DELTA, ledger=None)
        releases.append(synthesizer.fit(real).sample(len(real), seed=seed))
        foretold.append(noise_of_means(synthesizer, len(real)))
    columns = {
        c: {
            "real": figures(real[c]),
            "synthetic": [figures(r[c]) for r in releases],
            "noise of the mean that plan foretells": [asdict(noise[c]) for noise in foretold],
        }
        for c in numeric
    }
    for each in columns.values():
        each["mean"] = judged(each)
    return {"table": name, "mechanism": mechanism, "epsilon": epsilon, "columns": columns}


def noise_of_means(synthesizer: dpsynth.Synthesizer, rows: int) -> dict[str, MeanNoise]:
    """What a plan foretells, for learned bounds once they are known."""
    columns = next(query for query in synthesizer.plan(rows).queries if query.what == COLUMNS)
    found = mean_noise(synthesizer.schema, columns.stddev[1], rows, True, synthesizer.fitted_.bounds)
    return {mean.column: mean for mean in found}


def judged(column: dict[str, Any]) -> str:
    """How the synthetic mean, averaged over fits, lies beside the real one."""
    real = column["real"]["mean"]
    off = abs(float(np.mean([s["mean"] for s in column["synthetic"]])) - real)
    if off <= 0.1 * abs(real):
        return "within 10 %"
    foretold = column["noise of the mean that plan foretells"]
    noise, tail = (float(np.mean([each[name] for each in foretold])) for name in ("stddev", "tail"))
    if off <= noise:
        return "within the noise foretold"
    return "within the noise and the cut tail foretold" if off <= noise + tail else "beyond what is foretold"


def mean_ratios(found: dict[str, Any]) -> dict[str, float]:
    """Synthetic mean over real mean, averaged over fits; columns whose mean is zero are left out."""
    return {
        c: float(np.mean([s["mean"] for s in each["synthetic"]])) / each["real"]["mean"]
        for c, each in found["columns"].items()
        if each["real"]["mean"]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--mechanism", default="canopy")
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=5, help="fits whose figures of numbers are compared")
    parser.add_argument("--out", default="benchmarks/results/raw_tables.json")
    options = parser.parse_args()
    results = [run(name, options.mechanism, options.epsilon) for name in options.tables]
    for r in results:
        worst = max(r["1-way"], key=r["1-way"].get)
        print(
            f"{r['table']:22} {r['columns']} columns, {r['bounds learned']} learned bounds,"
            f" fit {r['fit CPU s']:.2f} CPU s; mean 1-way {r['mean 1-way']:.4f}, worst {worst} {r['1-way'][worst]:.4f};"
            f" wrong dtypes {r['wrong dtypes']}, outside the domain {r['values outside the domain']}"
        )
    compared = [numbers(t, options.mechanism, e, options.seeds) for t in options.tables for e in (1.0, 10.0)]
    for found in compared:
        ratios = mean_ratios(found)
        far = {c: round(r, 2) for c, r in sorted(ratios.items(), key=lambda it: -abs(np.log(max(it[1], 1e-9))))[:8]}
        words = Counter(each["mean"] for each in found["columns"].values())
        beyond = [c for c, each in found["columns"].items() if each["mean"].startswith("beyond")]
        print(f"{found['table']:22} epsilon {found['epsilon']:g}: means {dict(words)} {beyond}; furthest {far}")
    write(options.out, {"delta": DELTA, "tables": results, "numbers": compared})


if __name__ == "__main__":
    main()
