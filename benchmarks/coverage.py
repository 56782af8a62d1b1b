"""How often the intervals of answers hold the truth, and how often naive ones from synthetic rows do.

Each release is fitted to rows that are drawn anew, with replacement, from a real table, which is the population. An
interval for the private rows is judged by the rows drawn, one for the population by the whole table. Naive intervals
treat as many synthetic rows as if they were real ones.

python benchmarks/coverage.py            # 500 releases of two tables at epsilon 0.1, 1 and 10: half an hour of CPU
python benchmarks/coverage.py --releases 20 --show
"""

from __future__ import annotations

import argparse
import math
import resource
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write
from _tables import discrete_table

import dpsynth
from dpsynth.synthesizers.answers import Answer
from dpsynth.synthesizers.asked_cells import AskedCells
from dpsynth.synthesizers.model_answers import RowAnswers
from dpsynth.synthesizers.questions import Question

EPSILONS = (0.1, 1.0, 10.0)
DELTA = 1e-6
LEVEL = 0.9
Z = 1.6448536269514722
ROWS = 20_000
KINDS = {
    "adult_discretised": {
        "columns": {"age": "number", "sex": "code", "income>50K": "code"},
        "one-way count": "count where age >= 40",
        "two-way count": "count where sex == 1 and `income>50K` == 1",
        "mean": "mean(age)",
        "logistic coefficient": "logistic(`income>50K` == 1 ~ sex == 1)",
    },
    "brfss2015_diabetes": {
        "columns": {"GenHlth": "number", "HighBP": "code", "Diabetes_binary": "code"},
        "one-way count": "count where GenHlth >= 3",
        "two-way count": "count where HighBP == 1 and Diabetes_binary == 1",
        "mean": "mean(GenHlth)",
        "logistic coefficient": "logistic(Diabetes_binary == 1 ~ HighBP == 1)",
    },
}
"""The tables, their columns, and a question of each kind, fixed before any run."""
ASKED = ("one-way count", "two-way count", "mean", "logistic coefficient")


def population(name: str) -> tuple[pd.DataFrame, dpsynth.Schema]:
    """The whole table, and the schema of its columns: codes are categories, or numbers where they have an order."""
    rows, sizes = discrete_table(name)
    columns: dict[str, Any] = {}
    for column, kind in KINDS[name]["columns"].items():
        numbers = dpsynth.Numeric(0, sizes[column] - 1, integer=True)
        columns[column] = numbers if kind == "number" else dpsynth.Categorical(range(sizes[column]))
    return rows[list(columns)], dpsynth.Schema(columns)


def exact(rows: pd.DataFrame, schema: dpsynth.Schema, text: str, weight: float = 1.0) -> float:
    """The answer by rows; of a regression its last coefficient."""
    parts = RowAnswers(_typed(rows, schema), AskedCells(schema, {}), weight).estimates(Question.read(text))
    return parts[-1].value


def naive(rows: pd.DataFrame, schema: dpsynth.Schema, text: str, n: int) -> tuple[float, float]:
    """The usual interval, by synthetic rows as if they were real."""
    asked = Question.read(text)
    of_rows = RowAnswers(_typed(rows, schema), AskedCells(schema, {}), n / len(rows))
    if asked.kind == "logistic":
        value, error = _wald(*(of_rows.met(each) for each in asked.of))
    elif asked.kind == "count":
        share = float(of_rows.met(asked.where).mean())
        value, error = n * share, n * math.sqrt(share * (1 - share) / len(rows))
    else:
        numbers = rows[asked.of[0]].astype(float)
        value, error = float(numbers.mean()), float(numbers.std() / math.sqrt(len(rows)))
    return value - Z * error, value + Z * error


def _wald(outcome: np.ndarray, predictor: np.ndarray) -> tuple[float, float]:
    """The log odds ratio of two conditions, and its standard error."""
    pairs = [(outcome == a) & (predictor == b) for a in (1, 0) for b in (1, 0)]
    a, b, c, d = (float(each.sum()) for each in pairs)
    if min(a, b, c, d) == 0:
        return 0.0, math.inf
    return math.log(a * d / (b * c)), math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)


def _typed(rows: pd.DataFrame, schema: dpsynth.Schema) -> pd.DataFrame:
    """Real rows with the dtypes of synthetic ones."""
    kinds = {n: "category" if isinstance(c, dpsynth.Categorical) else "Int64" for n, c in schema.columns.items()}
    return rows.astype(kinds)


def holds(interval: tuple[float, float] | None, truth: float) -> bool:
    return interval is not None and interval[0] <= truth <= interval[1]


def covered(name: str, epsilon: float, releases: int) -> dict[str, Any]:
    """For each question how often it was measured, and how often its intervals held the truth then."""
    whole, schema = population(name)
    rng = np.random.default_rng(20261130)
    truths = {kind: exact(whole, schema, KINDS[name][kind], ROWS / len(whole)) for kind in ASKED}
    found: Mapping[str, Any] = {kind: defaultdict(int) for kind in ASKED}
    for _ in range(releases):
        rows = whole.iloc[rng.integers(0, len(whole), ROWS)].reset_index(drop=True)
        synth = dpsynth.Synthesizer(schema, "mst", epsilon=epsilon, delta=DELTA, ledger=None).fit(rows)
        synthetic = synth.sample(ROWS, seed=0)
        for kind in ASKED:
            text = KINDS[name][kind]
            answer: Answer = synth.answer(text, level=LEVEL)
            part, own = answer.parts[-1], found[kind]
            if answer.basis == "measured":
                own["measured"] += 1
                own["private rows"] += holds(part.privacy_interval, exact(rows, schema, text))
                own["population"] += holds(part.population_interval, truths[kind])
                own["everything"] += not np.isfinite(part.value)
            own["naive"] += holds(naive(synthetic, schema, text, ROWS), truths[kind])
    return {kind: {**own, "releases": releases} for kind, own in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=500)
    parser.add_argument("--show", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    tables: dict[str, Any] = {}
    for name in KINDS:
        for epsilon in EPSILONS:
            found = covered(name, epsilon, options.releases)
            tables.setdefault(name, {})[f"{epsilon:g}"] = found
            print(name, epsilon, {kind: dict(own) for kind, own in found.items()}, flush=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    questions = {name: {kind: facts[kind] for kind in ASKED} for name, facts in KINDS.items()}
    results = {
        "rows": ROWS,
        "level": LEVEL,
        "delta": DELTA,
        "mechanism": "mst",
        "cpu seconds": used.ru_utime + used.ru_stime,
        "questions": questions,
        "tables": tables,
    }
    if not options.show:
        print(write(RESULTS / "coverage.json", results))


if __name__ == "__main__":
    main()
