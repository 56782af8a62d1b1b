"""What the releasable quality report of 20 columns and 50,000 rows spends, how exact it is, and how often it holds.

The table is made up, with a seed: half numbers, half categories, in three groups that depend on each other. Each report
is held against the exact distances of the same rows in the same cells. Beside it stands the figure of a fit that held a
twentieth of its budget back.

python benchmarks/releasable.py            # five CPU minutes
"""

from __future__ import annotations

import math
import time

import numpy as np
import pandas as pd
from _record import RESULTS, write

import dpsynth
from dpsynth import Budget, Categorical, Numeric, Schema
from dpsynth.door.table import PrivateTable
from dpsynth.synthesizers.paid_quality import budget_of, evaluate_releasable, questions_of
from dpsynth.synthesizers.quality_looks import Looking

ROWS, COLUMNS = 50_000, 20
EPSILONS = (0.1, 1.0, 10.0)
DELTA = 1e-6
LEVEL = 0.9
Z = 1.6448536269514722
REPORTS = 20
PARTS = ("columns", "pairs", "triples")


def table() -> tuple[pd.DataFrame, Schema]:
    rng = np.random.default_rng(20261130)
    hidden = rng.normal(size=(ROWS, 3))
    values, columns = {}, {}
    for i in range(COLUMNS - 1):
        x = hidden[:, i % 3] + rng.normal(size=ROWS)
        if i % 2:
            values[f"number {i}"] = np.clip(np.round(40 + 12 * x), 0, 100).astype(int)
            columns[f"number {i}"] = Numeric(0, 100, integer=True)
        else:
            values[f"class {i}"] = np.digitize(x, [-1, 0, 0.5, 1, 2]).astype(str)
            columns[f"class {i}"] = Categorical([str(j) for j in range(6)])
    values["sex"] = np.where(rng.random(ROWS) < 0.4, "f", "m")
    return pd.DataFrame(values), Schema({**columns, "sex": Categorical(["f", "m"])})


def exact(asked, rows: pd.DataFrame) -> dict[str, list[float]]:
    """The distances of each part's sets, without noise."""
    codes = {a: codec.encode(rows[a]) for a, codec in asked.codecs.items()}
    found: dict[str, list[float]] = {}
    for part, sets in asked.sets.items():
        groups = asked.alone if part == "columns" else asked.together
        found[part] = []
        for each in sets:
            counts = np.zeros([int(groups[a].max()) + 1 for a in each])
            np.add.at(counts, tuple(groups[a][codes[a]] for a in each), 1 / len(rows))
            found[part].append(float(np.abs(counts - asked.shares(groups, each)).sum()) / 2)
    return found


def report(epsilon: float) -> dict[str, object]:
    rows, schema = table()
    synth = dpsynth.Synthesizer(schema, epsilon=epsilon, delta=DELTA, ledger=None, holdback=0.05).fit(rows)
    release = synth.sample(ROWS, seed=1)
    start = time.process_time()
    one = evaluate_releasable(synth, rows, rows=release, groups=["sex"], ledger=None)
    took = time.process_time() - start
    asked = questions_of(synth, release, ["sex"], None)
    truths = exact(asked, rows)
    codes = {a: codec.encode(rows[a]) for a, codec in asked.codecs.items()}
    coded, budget = PrivateTable.from_codes(codes, asked.domain), budget_of(synth, None, None)
    held: dict[str, list[bool]] = {part: [] for part in (*PARTS, "means")}
    for _ in range(REPORTS):
        accountant = dpsynth.Accountant(Budget(budget.epsilon, budget.delta))
        found = Looking(asked, coded, accountant, asked.costs(accountant.cost_left), Z).figures()
        for part, way in zip(PARTS, found["ways"], strict=True):
            truth = truths[part]
            pairs = zip(found[part], truth, strict=True)
            held[part] += [each.low <= own <= each.high for each, own in pairs]
            held["means"].append(way.low <= float(np.mean(truth)) <= way.high)
    back = synth.certificate.record["released"]["held_back"]
    return {
        "epsilon of the fit": epsilon,
        "epsilon of the report": budget.epsilon,
        "CPU s": took,
        "grade": one.verdict["grade"],
        "means": {
            part: {
                "exact": float(np.mean(truths[part])),
                "reported": way.distance,
                "low": way.low,
                "high": way.high,
                "yardstick": way.yardstick,
                "sets": way.sets,
                "reach of one": (one_set.high - one_set.low) / 2,
            }
            for part, way in zip(PARTS, one.ways, strict=True)
            for one_set in [max(getattr(one, part), key=lambda each: each.high - each.low)]
        },
        "held": {part: float(np.mean(each)) for part, each in held.items()},
        "numbers held": {part: len(each) for part, each in held.items()},
        "held back": {**back, "reach": (back["high"] - back["low"]) / 2},
        "groups": [{"group": each.group, "distance": each.distance, "high": each.high} for each in one.groups],
    }


def main() -> None:
    reports = []
    for epsilon in EPSILONS:
        reports.append(report(epsilon))
        print(reports[-1], flush=True)
    facts = {"rows": ROWS, "columns": COLUMNS, "delta": DELTA, "level": LEVEL, "reports": REPORTS}
    assert all(math.isfinite(each["CPU s"]) for each in reports)
    write(RESULTS / "releasable.json", {**facts, "by epsilon": reports})


if __name__ == "__main__":
    main()
