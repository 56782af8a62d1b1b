"""What `evaluate` costs, what its search for patterns finds of planted ones, and what it finds where nothing is.

Tables are made up, with seeds; those of tests/evaluation/made_up.py for patterns.

python benchmarks/evaluate.py            # some CPU minutes
python benchmarks/evaluate.py --wide     # what 100 and 500 columns cost, into evaluate_wide.json
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from _record import RESULTS, ROOT, write

sys.path.insert(0, str(ROOT))

from dpsynth import Boolean, Categorical, Datetime, Numeric, Schema, evaluate
from dpsynth.evaluation.analyses import analyses
from dpsynth.evaluation.asked import analyses_of
from dpsynth.evaluation.blind_spots import BlindSpot, blind_spots
from dpsynth.evaluation.downstream import downstream
from dpsynth.evaluation.numbers import Numbers
from tests.evaluation.made_up import PLANTED, clean, found, numbers
from tests.evaluation.made_up import SCHEMA as MADE_UP

ROWS, COLUMNS = 50_000, 20
WIDE = 100, 500
TOWNS = [f"town {i}" for i in range(12)]
TARGET, GROUPS = "column 3", "column 2"
ASKED = [
    {"kind": "linear", "outcome": "column 1", "predictors": ["column 0", "column 2", "column 4"]},
    {"kind": "logistic", "outcome": "column 3", "predictors": ["column 0", "column 2", "column 4"]},
    {"kind": "cox", "time": "column 0", "event": "column 3", "predictors": ["column 1", "column 2"]},
    {"kind": "mean", "column": "column 1", "by": "column 2"},
    {"kind": "quantile", "column": "column 1", "at": 0.9, "by": "column 2"},
    {"kind": "table", "columns": ["column 2", "column 3"]},
    {"kind": "correlation", "columns": ["column 0", "column 1"]},
    {"kind": "survival", "time": "column 0", "event": "column 3", "by": "column 2"},
]
KINDS = (
    Numeric(0, 120, integer=True),
    Numeric(-10, 10),
    Categorical(TOWNS),
    Boolean(),
    Datetime("2020-01-01", "2020-12-31", resolution="h"),
)
SIZES = ((5000, 5000), (400, 400), (5000, 20), (50, 5000))
"""Rows of the real and of the synthetic table, where nothing was planted."""
COMPARISONS, PLANTINGS = 40, 20
LIMIT, LIMIT_WITH_MODELS = 60, 120
"""CPU seconds that a comparison of ROWS rows of COLUMNS columns may take."""


def main() -> None:
    if "--wide" in sys.argv:
        write(RESULTS / "evaluate_wide.json", {"costs": [cost(columns) for columns in WIDE]})
        return
    false = [false_findings(real, synthetic) for real, synthetic in SIZES]
    planted = [told(which) for which in PLANTED]
    found = {
        "limits": {"CPU s": LIMIT, "CPU s with models": LIMIT_WITH_MODELS},
        "cost": cost(),
        "models": models(),
        "survival": survival(),
        "false findings": false,
        "planted": planted,
        "false regions": regions(),
        "planted regions": planted_regions(),
    }
    write(RESULTS / "evaluate.json", found)
    alone = found["cost"]["CPU s"]
    if alone > LIMIT or alone + found["models"]["CPU s"] > LIMIT_WITH_MODELS:
        raise SystemExit(f"a comparison takes more than {LIMIT} CPU s, or {LIMIT_WITH_MODELS} with models")


def cost(columns: int = COLUMNS) -> dict[str, float]:
    schema, real, release = facts(columns), wide(0, columns), wide(1, columns)
    start = time.process_time()
    quality = evaluate(release, real, schema)
    compared = time.process_time()
    page, record = quality.to_html(), quality.to_json()
    written = time.process_time()
    return {
        "rows": ROWS,
        "columns": columns,
        "pairs": next(way.sets for way in quality.ways if way.columns == 2),
        "CPU s": compared - start,
        "CPU s of the page": written - compared,
        "page bytes": len(page.encode()),
        "JSON bytes": len(record.encode()),
    }


def survival() -> dict[str, float]:
    """The same for a time until an event, and eight analyses."""
    schema, tables = facts(), [Numbers.of(wide(seed), facts()) for seed in range(3)]
    start = time.process_time()
    downstream(tables, schema, "column 0", [GROUPS], event=TARGET)
    trained = time.process_time()
    analyses(tables, schema, analyses_of(ASKED))
    return {"CPU s": trained - start, "analyses": len(ASKED), "CPU s of analyses": time.process_time() - trained}


def regions() -> list[dict[str, int | float]]:
    """Clean tables in which a blind spot is told, and planted ones that are."""
    found: list[dict[str, int | float]] = []
    for real, synthetic in ((5000, 5000), (400, 400), (5000, 300)):
        told = [spots(clean(real, seed), clean(synthetic, seed + 1000)) for seed in range(COMPARISONS)]
        found.append({"real": real, "synthetic": synthetic, "comparisons": COMPARISONS, "wrong": sum(map(bool, told))})
    return found


def planted_regions() -> list[dict[str, float]]:
    """A corner of age and visits that is made empty in the release, but for a tenth; how often it is told."""
    found = []
    for age, visits in ((75, 9), (80, 10), (85, 11)):
        told, shares = 0, []
        for seed in range(PLANTINGS):
            real, release = clean(10_000, seed), clean(10_000, seed + 1000)
            shares.append(float(((real["age"] >= age) & (real["visits"] >= visits)).mean()))
            gone = (release["age"] >= age) & (release["visits"] >= visits)
            kept = ~gone | (np.random.default_rng(seed).random(len(release)) < 0.1)
            told += any("age" in spot.where and "visits" in spot.where for spot in spots(real, release[kept]))
        found.append({"share": float(np.mean(shares)), "plantings": PLANTINGS, "told": told})
    return found


def spots(real: pd.DataFrame, release: pd.DataFrame) -> tuple[BlindSpot, ...]:
    return blind_spots(numbers(real), numbers(release), MADE_UP)


def models() -> dict[str, float]:
    """What three learners, trained on both tables and tried on a holdout of as many rows, take besides."""
    schema, tables = facts(), [Numbers.of(wide(seed), facts()) for seed in range(3)]
    start = time.process_time()
    downstream(tables, schema, TARGET, [GROUPS])
    return {"groups": len(TOWNS), "CPU s": time.process_time() - start}


def facts(columns: int = COLUMNS) -> Schema:
    return Schema({f"column {i}": KINDS[i % len(KINDS)] for i in range(columns)})


def wide(seed: int, columns: int = COLUMNS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = {}
    for i in range(columns):
        values[f"column {i}"] = (
            rng.poisson(40, ROWS).clip(0, 120),
            rng.normal(size=ROWS),
            rng.choice(TOWNS, ROWS),
            rng.random(ROWS) < 0.3,
            pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 8760, ROWS), unit="h"),
        )[i % len(KINDS)]
    return pd.DataFrame(values)


def false_findings(real: int, synthetic: int) -> dict[str, int]:
    """In how many comparisons of two samples of one law a pattern is lost or invented."""
    wrong = 0
    for seed in range(COMPARISONS):
        patterns = found(clean(real, seed), clean(synthetic, seed + 1000)).values()
        wrong += any(p.fate in ("lost", "invented") for p in patterns)
    return {"real": real, "synthetic": synthetic, "comparisons": COMPARISONS, "wrong": wrong}


def told(which: tuple[str, tuple[str, ...]]) -> dict[str, str | int]:
    """Of one planted pattern how often each fate is told as it is, and how often none is told of the lost ones."""
    counts = {"kept": 0, "lost": 0, "invented": 0, "undecided": 0}
    for seed in range(PLANTINGS):
        plain = clean(5000, seed), clean(5000, seed + 1000)
        with_it = [
            PLANTED[which](table, np.random.default_rng(seed + i)) for i, table in zip((0, 1000), plain, strict=True)
        ]
        cases = {"kept": with_it, "lost": (with_it[0], plain[1]), "invented": (plain[0], with_it[1])}
        for fate, (real, release) in cases.items():
            pattern = found(real, release).get(which)
            counts[fate] += pattern is not None and pattern.fate == fate
            counts["undecided"] += pattern is not None and pattern.fate == "undecided"
    return {"kind": which[0], "plantings": PLANTINGS, **counts}


if __name__ == "__main__":
    main()
