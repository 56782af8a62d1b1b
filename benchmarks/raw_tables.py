"""Does the whole road work on real tables of mixed types?

    python benchmarks/raw_tables.py
    python benchmarks/raw_tables.py --tables nhanes --skip-numbers --out nhanes.json

Every table of ../shared/data, or those that are named. The schema has the publisher's public facts alone; bounds and
categories that these leave open are found by charges of the same budget. Where a person or a stay has several rows,
that is the unit, with as many rows as a charged look recommends (`choose_records`). Then fit, sample, and compare:
columns, order and dtypes; values outside the domain; missing values, by column and by what is missing together;
constraints; distances of one, two and three columns. Of each numeric column of some tables besides: mean, standard
deviation and quantiles, over several fits, and whether a mean that is off by more than 10 % lies within the noise that
a plan foretells.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from _missing import missing
from _record import write
from _tables import Published, published, published_tables, raw_table

import dpsynth
from dpsynth.data.engines.files import open_rows
from dpsynth.mechanisms.allocation import COLUMNS
from dpsynth.synthesizers.numbers import MeanNoise, mean_noise
from dpsynth.synthesizers.rule_check import check_rules

NUMBERS = ("adult", "support2", "credit_default", "nist_acs_national2019")
DELTA = 1e-9
LEVELS = (0.1, 0.5, 0.9, 0.99)
LOOK = 0.2
MOST_CUT = 0.5
CEILINGS = (100, 1_000, 10_000)


def outside_domain(release: pd.DataFrame, schema: dpsynth.Schema, bounds: dict[str, tuple[float, float]]) -> int:
    """Synthetic values that the schema, with what was learned, does not allow."""
    count = 0
    for name, column in schema.coded.items():
        known = release[name].dropna()
        if isinstance(column, dpsynth.Categorical):
            count += int((~known.isin(column.categories)).sum())
        elif isinstance(column, dpsynth.Datetime):
            count += int((~known.between(pd.Timestamp(column.low), pd.Timestamp(column.high))).sum())
        elif isinstance(column, dpsynth.Numeric):
            low, high = bounds.get(name, (column.low, column.high))
            low, high = (end if end is not None else edge for end, edge in ((low, -np.inf), (high, np.inf)))
            count += int(((known < low) | (known > high)).sum())
            count += int((known.astype(float) % 1 != 0).sum()) if column.integer else 0
        count += 0 if column.nullable else int(release[name].isna().sum())
    return count


def expected_dtype(column: Any) -> str:
    match column:
        case dpsynth.Categorical():
            return "category"
        case dpsynth.Datetime():
            return "datetime64[s]"
        case dpsynth.Identifier():
            return "string"
    return "Int64" if column.integer else "float64"


def choose_records(table: Published) -> dict[str, Any]:
    """max_records by the rule of docs/units.md: what a look recommends, with a larger ceiling where units reach it.

    Where nothing is recommended even then, the fewest that cut at most half of the rows. The looks' epsilon is told.
    """
    spent = 0.0
    for ceiling in CEILINGS:
        spent += LOOK
        look = dpsynth.rows_per_unit(
            table.rows, table.bounded(1), epsilon=LOOK, delta=DELTA, ledger=None, ceiling=ceiling
        )
        if look.recommended is not None or look.choices[-1].max_records < ceiling:
            break
    kept = next(c.max_records for c in look.choices if c.rows_cut <= MOST_CUT)
    return {
        "unit": table.whose,
        "max_records": look.recommended or kept,
        "recommended": look.recommended,
        "epsilon of looks": spent,
        "units": int(table.rows[table.whose].nunique()),
    }


def run(name: str, mechanism: str, epsilon: float) -> dict[str, Any]:
    table = published(name)
    real, schema = table.rows, table.schema
    unit: dict[str, Any] = {}
    if table.whose is not None:
        unit = choose_records(table)
        schema = table.bounded(unit["max_records"])
    synthesizer = dpsynth.Synthesizer(schema, mechanism, epsilon=epsilon, delta=DELTA, ledger=None)
    start = time.process_time()
    synthesizer.fit(real)
    fitted = time.process_time()
    release = synthesizer.sample(len(real), seed=0)
    sampled = time.process_time()
    settled = schema.settled(synthesizer.categories)
    released = synthesizer.certificate.record["released"]
    bounds = {**released.get("bounds", {}), **synthesizer.fitted_.bounds}
    data = real[[*settled.coded]]
    known = dpsynth.Schema(settled.coded, not_identifying=[*settled.coded])
    quality = dpsynth.evaluate(release[[*settled.coded]], data, known, bounds=synthesizer.fitted_.bounds)
    columns = {c.name: c.distance for c in quality.columns}
    return {
        "table": name,
        "mechanism": mechanism,
        "epsilon": epsilon,
        "rows": len(real),
        "columns": len(schema.columns),
        "left out": table.left_out,
        "unit": unit,
        "bounds learned": len(synthesizer.fitted_.bounds),
        "categories found": {c: len(found) for c, found in synthesizer.categories.items()},
        "fit CPU s": fitted - start,
        "sample CPU s": sampled - fitted,
        "columns in order": list(release.columns) == list(schema.columns),
        "wrong dtypes": [c for c, col in settled.columns.items() if str(release[c].dtype) != expected_dtype(col)],
        "values outside the domain": outside_domain(release, settled, bounds),
        "constraints": constraints(real, release, settled),
        "missing": missing(real, release, settled, released.get("undeclared", {}), synthesizer.fitted_.model.total),
        "mean 1-way": float(np.mean(list(columns.values()))),
        "mean of all ways": [{"synthetic": way.distance, "bootstrap": way.floor} for way in quality.ways],
        "1-way": columns,
    }


def constraints(real: pd.DataFrame, release: pd.DataFrame, schema: dpsynth.Schema) -> dict[str, Any]:
    """How many constraints there are, and the share of rows that keep the one that most break."""
    if not schema.constraints:
        return {"declared": 0}
    broken = [[rule.broken for rule in check_rules(open_rows(rows, schema), schema)] for rows in (real, release)]
    kept = [1 - max(each) / len(rows) for each, rows in zip(broken, (real, release), strict=True)]
    return {"declared": len(schema.constraints), "kept, real": kept[0], "kept, synthetic": kept[1]}


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


def told(r: dict[str, Any]) -> str:
    worst = max(r["1-way"], key=r["1-way"].get)
    lacking = {what: found for what, found in r["missing"].items() if what != "columns"}
    return (
        f"{r['table']}: {r['columns']} columns, {r['bounds learned']} learned bounds, fit {r['fit CPU s']:.1f} CPU s;"
        f" mean 1-way {r['mean 1-way']:.4f}, worst {worst} {r['1-way'][worst]:.4f}; in order {r['columns in order']},"
        f" wrong dtypes {r['wrong dtypes']}, outside the domain {r['values outside the domain']};"
        f" constraints {r['constraints']}; unit {r['unit']}; missing {lacking}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=None, help="by default all that there are")
    parser.add_argument("--mechanism", default="canopy")
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=5, help="fits whose figures of numbers are compared")
    parser.add_argument("--skip-numbers", action="store_true", help="without the figures of numeric columns")
    parser.add_argument("--out", default="benchmarks/results/raw_tables.json")
    options = parser.parse_args()
    results = []
    for name in options.tables or published_tables():
        results.append(run(name, options.mechanism, options.epsilon))
        print(told(results[-1]), flush=True)
    chosen = [] if options.skip_numbers else [t for t in NUMBERS if options.tables is None or t in options.tables]
    compared = [numbers(t, options.mechanism, e, options.seeds) for t in chosen for e in (1.0, 10.0)]
    for found in compared:
        ratios = mean_ratios(found)
        far = {c: round(r, 2) for c, r in sorted(ratios.items(), key=lambda it: -abs(np.log(max(it[1], 1e-9))))[:8]}
        words = Counter(each["mean"] for each in found["columns"].values())
        beyond = [c for c, each in found["columns"].items() if each["mean"].startswith("beyond")]
        print(f"{found['table']:22} epsilon {found['epsilon']:g}: means {dict(words)} {beyond}; furthest {far}")
    write(options.out, {"delta": DELTA, "tables": results, "numbers": compared})


if __name__ == "__main__":
    main()
