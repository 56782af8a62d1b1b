"""How often the intervals of combined imputations hold the truth, and how often those of one synthetic table do.

Each release is fitted to rows that are drawn anew, with replacement, from a real table, which is the population. An
analyst's own regressions are run on each imputation, and combined. Where the release says that noisy counts do not
cover an analysis it gives no interval; the one that the same rules would give is counted apart. Naive intervals
take the first imputation for real rows.

python benchmarks/imputations.py            # 100 releases of two tables by two mechanisms at epsilon 0.1, 1 and 10
python benchmarks/imputations.py --releases 5 --show
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write
from _tables import discrete_table
from scipy.stats import t as student

import dpsynth

FILE = RESULTS / "imputations.json"
EPSILONS = (0.1, 1.0, 10.0)
MECHANISMS = ("canopy", "mst")
DELTA = 1e-6
LEVEL = 0.9
Z = 1.6448536269514722
ROWS = 20_000
IMPUTATIONS = 10
TABLES: Mapping[str, Mapping[str, str]] = {
    "adult_discretised": {"age": "number", "education-num": "number", "sex": "code", "income>50K": "code"},
    "brfss2015_diabetes": {"BMI": "number", "Age": "number", "HighBP": "code", "Diabetes_binary": "code"},
}
ANALYSES: Mapping[str, Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "adult_discretised": {
        "mean": (("age",), ("income>50K",)),
        "logistic, one predictor": (("income>50K", "sex"), ("income>50K", "age")),
        "logistic, three predictors": (("income>50K", "age", "education-num", "sex"),),
        "linear, one predictor": (("education-num", "sex"),),
        "linear, two predictors": (("education-num", "age", "sex"),),
    },
    "brfss2015_diabetes": {
        "mean": (("BMI",), ("Diabetes_binary",)),
        "logistic, one predictor": (("Diabetes_binary", "HighBP"), ("Diabetes_binary", "BMI")),
        "logistic, three predictors": (("Diabetes_binary", "BMI", "Age", "HighBP"),),
        "linear, one predictor": (("BMI", "HighBP"),),
        "linear, two predictors": (("BMI", "Age", "HighBP"),),
    },
}
"""Of each table the analyses of each kind: an outcome and its predictors."""


@lru_cache
def population(name: str) -> tuple[pd.DataFrame, dpsynth.Schema]:
    """The whole table, and the schema of its columns: codes are categories, or numbers where they have an order."""
    rows, sizes = discrete_table(name)
    columns: dict[str, Any] = {}
    for column, kind in TABLES[name].items():
        numbers = dpsynth.Numeric(0, sizes[column] - 1, integer=True)
        columns[column] = numbers if kind == "number" else dpsynth.Categorical(range(sizes[column]))
    return rows[list(columns)], dpsynth.Schema(columns)


@lru_cache
def truth_of(name: str, kind: str, columns: tuple[str, ...]) -> np.ndarray:
    return analysed(population(name)[0], kind, columns)[0]


def analysed(rows: pd.DataFrame, kind: str, columns: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A mean, or the slopes of a regression, and their variances by the usual sandwich."""
    codes = [rows[name].to_numpy(dtype=np.int64) for name in columns]
    shape = [int(each.max()) + 1 for each in codes]
    times = np.bincount(np.ravel_multi_index(codes, shape))  # rows that are alike, once
    cells = np.column_stack(np.unravel_index(np.flatnonzero(times), shape)).astype(float)
    outcome, weight = cells[:, 0], times[times > 0].astype(float)
    design = np.column_stack([np.ones(len(cells)), cells[:, 1:]])
    found = _logistic if kind.startswith("logistic") else _linear
    slopes, inverse, residual = found(design, outcome, weight)
    meat = (design * (weight * residual**2)[:, None]).T @ design
    variance = np.diag(inverse @ meat @ inverse)
    return (slopes, variance) if kind == "mean" else (slopes[1:], variance[1:])


def _linear(design: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weighted = design * weight[:, None]
    inverse = np.linalg.inv(weighted.T @ design)
    slopes = inverse @ (weighted.T @ outcome)
    return slopes, inverse, outcome - design @ slopes


def _logistic(design: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    slopes = np.zeros(design.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-design @ slopes))
        inverse = np.linalg.pinv((design * (weight * chance * (1 - chance))[:, None]).T @ design)
        step = inverse @ (design.T @ (weight * (outcome - chance)))
        slopes = slopes + step
        if np.abs(step).max() < 1e-8:
            break
    return slopes, inverse, outcome - 1 / (1 + np.exp(-design @ slopes))


def released(task: tuple[str, str, float, int]) -> tuple[dict[str, Counter[str]], float]:
    """One release: for each kind of analysis how many coefficients there were and intervals held; and CPU seconds."""
    began = time.process_time()
    name, mechanism, epsilon, number = task
    whole, schema = population(name)
    rng = np.random.default_rng([20261130, number])
    rows = whole.iloc[rng.integers(0, len(whole), ROWS)].reset_index(drop=True)
    synth = dpsynth.Synthesizer(schema, mechanism, epsilon=epsilon, delta=DELTA, ledger=None).fit(rows)
    tables = synth.imputations(IMPUTATIONS, seed=number)
    found: dict[str, Counter[str]] = {}
    for kind, analyses in ANALYSES[name].items():
        own = found.setdefault(kind, Counter())
        for columns in analyses:
            truth = truth_of(name, kind, columns)
            each = [analysed(table, kind, columns) for table in tables]
            combined = tables.combine([one[0] for one in each], [one[1] for one in each], columns=columns, level=LEVEL)
            reach = student.ppf((1 + LEVEL) / 2, combined.degrees_of_freedom) * combined.std_errors
            held = int((np.abs(combined.estimates - truth) <= reach).sum())
            own["coefficients"] += truth.size
            own["measured"] += truth.size * (combined.basis == "measured")
            own["held" if combined.basis == "measured" else "held, not measured"] += held
            own["naive"] += int((np.abs(each[0][0] - truth) <= Z * np.sqrt(each[0][1])).sum())
    return found, time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1, help="releases that are made beside each other")
    parser.add_argument("--go-on", action="store_true", help="keep what the file has, and add what it lacks")
    parser.add_argument("--show", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    found: dict[str, Any] = json.loads(FILE.read_text())["results"]["found"] if options.go_on else {}
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for mechanism in MECHANISMS:
            for epsilon in EPSILONS:
                for name in TABLES:
                    if name in found.get(mechanism, {}).get(f"{epsilon:g}", {}):
                        continue
                    tasks = [(name, mechanism, epsilon, number) for number in range(options.releases)]
                    whole: dict[str, Counter[str]] = {kind: Counter() for kind in ANALYSES[name]}
                    spent = 0.0
                    for one, seconds in pool.imap_unordered(released, tasks):
                        spent += seconds
                        for kind, counts in one.items():
                            whole[kind].update(counts)
                    plain = {kind: dict(counts) for kind, counts in whole.items()}
                    cell = {"releases": options.releases, "cpu seconds": spent, "kinds": plain}
                    found.setdefault(mechanism, {}).setdefault(f"{epsilon:g}", {})[name] = cell
                    print(mechanism, epsilon, name, cell, flush=True)
                    if not options.show:  # each time, so that a run that ends early leaves what it found
                        _write(found)


def _write(found: Mapping[str, Any]) -> None:
    facts = {"rows": ROWS, "imputations": IMPUTATIONS, "level": LEVEL, "delta": DELTA}
    write(FILE, {**facts, "analyses": ANALYSES, "found": found})


if __name__ == "__main__":
    main()
