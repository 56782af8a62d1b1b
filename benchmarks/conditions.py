"""What do samples under conditions cost, and do their rows follow the model?

    python benchmarks/conditions.py -o benchmarks/results/conditions.json

A model of `adult` (mechanism "canopy", epsilon 1; its junction tree has some 900,000 cells), and 10,000 rows of each
kind of request through the front door, to a DataFrame. CPU seconds of the process, user and system, the least of three
draws. Beside them the share that the model gives to the tests of single columns. "plain" is without a condition.

The distance is that of the other columns' one-way distributions from the model's conditional, on average, and of the
same number of independent draws of it: a draw that is as good as independent rows has a ratio of 1, an evener one less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write
from _tables import raw_table

import dpsynth
from dpsynth.synthesizers.cases import cases_of

ROWS, SEEDS = 10_000, 3
FIVE = "age >= 30 and sex == 'Female' and `hours-per-week` >= 50 and race == 'Black' and income == '>50K'"
WHERE = {
    "a class of 0.1 %": "`marital-status` == 'Married-AF-spouse'",
    "a class of 0.01 %": "workclass == 'Without-pay'",
    "a window of ages": "80 <= age < 81",
    "five conditions": FIVE,
    "or, across columns": "workclass == 'Without-pay' or `marital-status` == 'Married-AF-spouse'",
    "two columns compared": "`hours-per-week` > age",
    "two compared, rare": "`hours-per-week` == age and race == 'Other' and `capital-gain` > 5000",
}
GRID = {"sex": ["Female", "Male"], "age": ["age < 30", "30 <= age < 60", "age >= 60"], "income": ["<=50K", ">50K"]}
SHARES = {"income": {">50K": 0.5}, "sex": {"Female": 0.5}, "race": {"Black": 0.25, "Other": 0.25}}


def seconds(draw: Callable[[int], pd.DataFrame]) -> tuple[float, pd.DataFrame]:
    """The least CPU seconds of several draws, and the last rows."""
    found = []
    for seed in range(SEEDS):
        start = time.process_time()
        rows = draw(seed)
        found.append(time.process_time() - start)
    return min(found), rows


def distance(synth: dpsynth.Synthesizer, rows: pd.DataFrame, where: str) -> dict[str, float]:
    """From the model's conditional, of the columns that the condition is not about; by brute force of the tree."""
    origin = synth._origin()
    (case,) = cases_of(where, None, synth.schema)
    rng, far, independent = np.random.default_rng(0), [], []
    for name, codec in origin.codecs.items():
        if name in case.columns:
            continue
        counts = origin.counts((name,), case)
        shares = counts / counts.sum()
        seen = np.bincount(codec.encode(rows[name]), minlength=len(shares)) / len(rows)
        far.append(0.5 * np.abs(seen - shares).sum())
        independent.append(0.5 * np.abs(rng.multinomial(len(rows), shares) / len(rows) - shares).sum())
    return {"distance": float(np.mean(far)), "ratio to independent draws": float(np.mean(far) / np.mean(independent))}


def share(synth: dpsynth.Synthesizer, where: str) -> float:
    """What the model gives to the tests of single columns in a condition."""
    origin = synth._origin()
    return float(sum(origin.counts((), case) for case in cases_of(where, None, synth.schema)) / origin.model.total)


def requests(synth: dpsynth.Synthesizer, real: pd.DataFrame) -> dict[str, Callable[[int], pd.DataFrame]]:
    """Everything that is not a condition."""
    holes = real.head(ROWS).mask(np.random.default_rng(0).random((ROWS, real.shape[1])) < 0.1)
    grid = dpsynth.Scenario.from_dict({"grid": GRID})
    return {
        "plain": lambda seed: synth.sample(ROWS, seed=seed),
        "support": lambda seed: synth.sample(ROWS, support=True, seed=seed),
        "balance of one column": lambda seed: synth.sample(ROWS, balance={"income": {">50K": 0.5}}, seed=seed),
        "balance of three columns": lambda seed: synth.sample(ROWS, balance=SHARES, seed=seed),
        "a grid of 12 cells": lambda seed: synth.sample(ROWS, scenario=grid, seed=seed),
        "10,000 partial rows (age, sex)": lambda seed: synth.sample(given=real[["age", "sex"]].head(ROWS), seed=seed),
        "impute, 10 % missing": lambda seed: synth.impute(holes, seed=seed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "conditions.json")
    real, schema = raw_table("adult")
    settings = {"epsilon": 1.0, "delta": 1e-6, "ledger": None, "unsafe_seed": 1}
    synth = dpsynth.Synthesizer(schema, "canopy", **settings).fit(real)
    synth.sample(1000, seed=0)
    found: dict[str, dict[str, Any]] = {}
    for name, where in WHERE.items():
        cpu, rows = seconds(lambda seed, where=where: synth.sample(ROWS, where=where, seed=seed))  # type: ignore[misc]
        found[name] = {"where": where, "rows": len(rows), "share": share(synth, where), "CPU s": cpu}
        if "compared" not in name and " or " not in where:
            found[name] |= distance(synth, rows, where)
    for name, draw in requests(synth, real).items():
        cpu, rows = seconds(draw)
        found[name] = {"rows": len(rows), "CPU s": cpu}
        if "extrapolated" in rows:
            found[name]["extrapolated"] = float(rows["extrapolated"].mean())
    for name, row in found.items():
        print(f"{name:<32}", {k: v if isinstance(v, str) else round(v, 4) for k, v in row.items() if k != "where"})
    print(write(parser.parse_args().output, found))


if __name__ == "__main__":
    main()
