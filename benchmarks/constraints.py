"""What constraints cost and change: each kind by itself, and all together, on made-up visits.

    python benchmarks/constraints.py

For each kind two fits of the same rows, with and without it; both draw 100,000 rows. Satisfied: the share of drawn rows
that keep the constraints, by tests written here in pandas, which share no code with what draws the rows. Time: CPU
seconds of `sample`, the two taken in turn in one run; medians over the turns, added up over the seeds, and their ratio.
Of one fit by itself the ratio says little: which tables are measured differs, and with it the time to draw from them.
Distance: mean total variation distance of all pairs of columns that are in no constraint to the input rows, at most 20
bins a column, over the seeds. The fits are seeded so that they can be repeated: not private.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write

import dpsynth as d

ROWS, TURNS, SEEDS = 100_000, 3, 6
PLACES = [("DE", "Berlin"), ("DE", "Bonn"), ("DE", "Kiel"), ("FR", "Paris"), ("FR", "Lyon"), ("NL", "Delft")]
COLUMNS: dict[str, Any] = {
    "admitted": d.Datetime("2020-01-01", "2022-12-31"),
    "discharged": d.Datetime("2020-01-01", "2023-06-30", nullable=True),
    "sex": d.Categorical(["M", "F"]),
    "pregnancies": d.Numeric(0, 12, integer=True, nullable=True),
    "net": d.Numeric(0, 5000, decimals=2),
    "tax": d.Numeric(0, 1000, decimals=2),
    "total": d.Numeric(0, 6000, decimals=2),
    "weight": d.Numeric(30, 200, decimals=1),
    "height": d.Numeric(1.2, 2.2, decimals=2),
    "bmi": d.Numeric(5, 140, decimals=1),
    "country": d.Categorical(["DE", "FR", "NL"]),
    "city": d.Categorical([city for _, city in PLACES]),
    "sub_grade": d.Categorical([f"{letter}{n}" for letter in "ABCD" for n in range(5)]),
    "grade": d.Categorical(list("ABCD")),
    **{shift: d.Boolean() for shift in ("early", "late", "night")},
    "diastolic": d.Numeric(20, 150, integer=True),
    "mean_pressure": d.Numeric(30, 200, integer=True),
    "systolic": d.Numeric(50, 260, integer=True),
    "dose": d.Numeric(0, 100),
    "visit": d.Numeric(1, 10**7, integer=True),
    "age": d.Numeric(0, 105, integer=True),
    "ward": d.Categorical([f"ward {n}" for n in range(8)]),
    "severity": d.Numeric(0, 10, integer=True),
    "insured": d.Boolean(),
}
RULES: dict[str, list[Any]] = {
    "Sum, Derived by a formula": [d.Sum("total", ["net", "tax"]), d.Derived("bmi", "weight / height ** 2")],
    "Derived by a table": [
        d.Derived("grade", of="sub_grade", table={k: k[0] for k in COLUMNS["sub_grade"].categories})
    ],
    "FixedCombinations": [d.FixedCombinations(["country", "city"], public=PLACES)],
    "Order": [d.Order("admitted", "<=", "discharged")],
    "Range": [d.Range("diastolic", "mean_pressure", "systolic", strict=True)],
    "Implies": [d.Implies("sex == 'M'", "pregnancies is None"), d.Implies("age < 12", "pregnancies is None")],
    "OneHot": [d.OneHot(["early", "late", "night"])],
    "Unique": [d.Unique("visit")],
    "FixedIncrements": [d.FixedIncrements("dose", 2.5)],
}
FREE = ("ward", "severity", "insured")


def rows_of(n: int, seed: int) -> pd.DataFrame:
    """Made-up visits that keep all constraints."""
    rng = np.random.default_rng(seed)
    age = np.clip(rng.gamma(6, 9, n), 0, 105).astype(int)
    sex = rng.choice(["M", "F"], n, p=[0.45, 0.55])
    admitted = np.datetime64("2020-01-01") + rng.integers(0, 1096, n)
    stay = np.minimum(rng.geometric(1 / (2 + age / 15), n) - 1, 170)
    grade = rng.choice([f"{letter}{k}" for letter in "ABCD" for k in range(5)], n, p=rng.dirichlet(np.full(20, 2.0)))
    place = rng.choice(len(PLACES), n, p=[0.3, 0.1, 0.1, 0.25, 0.15, 0.1])
    net = np.round(np.clip(rng.lognormal(5, 1, n), 0, 5000), 2)
    tax = np.round(net * rng.choice([0.07, 0.19], n), 2)
    height = np.round(np.clip(rng.normal(1.7, 0.1, n), 1.2, 2.2), 2)
    weight = np.round(np.clip(height**2 * rng.normal(25, 4, n), 30, 200), 1)
    diastolic = np.clip(rng.normal(78, 12, n), 20, 140).astype(int)
    pressure = np.clip(diastolic + rng.integers(3, 30, n), 30, 190)
    systolic = np.clip(pressure + rng.integers(5, 60, n), 50, 260)
    shift = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    severity = np.clip(rng.normal(2 + age / 25, 1.5, n), 0, 10).astype(int)
    known = (sex == "F") & (age >= 12)
    return pd.DataFrame(
        {
            "admitted": admitted,
            "discharged": pd.Series(admitted + stay).where(rng.random(n) > 0.05),
            "sex": sex,
            "pregnancies": np.where(known, np.minimum(rng.poisson(1.4, n), 12), np.nan),
            "net": net,
            "tax": tax,
            "total": np.round(net + tax, 2),
            "weight": weight,
            "height": height,
            "bmi": np.round(weight / height**2, 1),
            "country": [PLACES[i][0] for i in place],
            "city": [PLACES[i][1] for i in place],
            "sub_grade": grade,
            "grade": [name[0] for name in grade],
            **{name: shift == i for i, name in enumerate(("early", "late", "night"))},
            "diastolic": diastolic,
            "mean_pressure": pressure,
            "systolic": systolic,
            "dose": 2.5 * rng.integers(0, 40, n),
            "visit": np.arange(1, n + 1),
            "age": age,
            "ward": [f"ward {(s + w) % 8}" for s, w in zip(severity, rng.integers(0, 3, n), strict=True)],
            "severity": severity,
            "insured": rng.random(n) < np.where(age > 60, 0.95, 0.8),
        }
    )


def _near(one: pd.Series, other: pd.Series, within: float) -> np.ndarray:
    return ((one - other).abs() <= within).to_numpy(bool)


TESTS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "Sum, Derived by a formula": lambda r: (
        _near(r.total, r.net + r.tax, 1e-6) & _near(r.bmi, r.weight / r.height**2, 0.0500001)
    ),
    "Derived by a table": lambda r: r.grade.astype(str) == r.sub_grade.astype(str).str[0],
    "FixedCombinations": lambda r: [pair in PLACES for pair in zip(r.country, r.city, strict=True)],
    "Order": lambda r: r.discharged.isna() | (r.admitted <= r.discharged),
    "Range": lambda r: (r.diastolic < r.mean_pressure) & (r.mean_pressure < r.systolic),
    "Implies": lambda r: r.pregnancies.isna() | ((r.sex == "F") & (r.age >= 12)),
    "OneHot": lambda r: r[["early", "late", "night"]].astype(int).sum(axis=1) == 1,
    "Unique": lambda r: ~r.visit.duplicated(keep=False),
    "FixedIncrements": lambda r: (r.dose / 2.5 - (r.dose / 2.5).round()).abs() < 1e-9,
}


def satisfied(rows: pd.DataFrame, kinds: list[str]) -> float:
    kept = [np.asarray(TESTS[kind](rows), dtype=bool) for kind in kinds]
    return float(np.logical_and.reduce(kept).mean())


def pair_distance(rows: pd.DataFrame, real: pd.DataFrame) -> float:
    """Of the pairs of columns that are in no constraint."""

    def shares(frame: pd.DataFrame, pair: tuple[str, str]) -> pd.Series:
        coarse = {name: frame[name].astype(object).map(str) for name in pair}
        return pd.DataFrame(coarse).value_counts(normalize=True)

    pairs = list(itertools.combinations(FREE, 2))
    found = [(shares(rows, pair).sub(shares(real, pair), fill_value=0)).abs().sum() / 2 for pair in pairs]
    return float(np.mean(found))


def fitted(real: pd.DataFrame, mechanism: str, rules: list[Any], seed: int) -> d.Synthesizer:
    schema = d.Schema(COLUMNS, constraints=rules)
    synth = d.Synthesizer(schema, mechanism, epsilon=1.0, delta=1e-6, ledger=None, unsafe_seed=seed)
    return synth.fit(real)


def seconds(draw: Callable[[], Any]) -> float:
    start = time.process_time()
    draw()
    return time.process_time() - start


def measured(kind: str, real: pd.DataFrame, mechanism: str, plain: list[d.Synthesizer]) -> dict[str, Any]:
    kinds = list(RULES) if kind == "all together" else [kind]
    rules = [rule for each in kinds for rule in RULES[each]]
    fits = [fitted(real, mechanism, rules, seed) for seed in range(1, SEEDS + 1)]
    without = with_rules = 0.0
    for free_fit, ruled_fit in zip(plain, fits, strict=True):
        pair = (lambda: free_fit.sample(ROWS, seed=1), lambda: ruled_fit.sample(ROWS, seed=1))  # noqa: B023
        turns = [(seconds(pair[0]), seconds(pair[1])) for _ in range(TURNS)]
        medians = [statistics.median(each) for each in zip(*turns, strict=True)]
        without, with_rules = without + medians[0] / SEEDS, with_rules + medians[1] / SEEDS
    drawn, free = ([synth.sample(ROWS, seed=1) for synth in group] for group in (fits, plain))
    return {
        "satisfied": min(satisfied(rows, kinds) for rows in drawn),
        "satisfied without": statistics.mean(satisfied(rows, kinds) for rows in free),
        "CPU s": with_rules,
        "CPU s without": without,
        "ratio": with_rules / without,
        "distance": statistics.mean(pair_distance(rows, real) for rows in drawn),
        "distance without": statistics.mean(pair_distance(rows, real) for rows in free),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=RESULTS / "constraints.json")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    real = rows_of(ROWS, 1)
    results: dict[str, Any] = {"rows": ROWS, "seeds": SEEDS, "turns": TURNS, "columns": len(COLUMNS)}
    for mechanism in ("canopy", "independent"):
        plain = [fitted(real, mechanism, [], seed) for seed in range(1, SEEDS + 1)]
        results[mechanism] = {kind: measured(kind, real, mechanism, plain) for kind in (*RULES, "all together")}
        for kind, found in results[mechanism].items():
            print(f"{mechanism:12} {kind:26}", ", ".join(f"{k} {v:.4f}" for k, v in found.items()), flush=True)
    write(options.out, results)


if __name__ == "__main__":
    main()
