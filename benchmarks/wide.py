"""Tables of a thousand columns and more: what a fit takes, what its plan foretold, and what it is worth.

    python benchmarks/wide.py [--columns 1000] [--rows 50000] [--epsilon 1]

Made-up columns of eight levels, in groups of ten: each follows an earlier one of its group in three rows of five. The
order of all columns is one of chance, so that nothing but the rows says which ones belong together. Errors are total
variation distances of 50,000 released rows from the table: of single columns, of 4,000 pairs of one group, and of 4,000
other pairs; the rows of `independent` are the same table's. Each fit runs in a process of its own: CPU seconds include
the start of Python and the sample, memory is the peak of the process, and the plan was made before, from the schema.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
from _record import write
from scale import peak

LEVELS, GROUP = 8, 10
PAIRS = 4_000
MECHANISMS = ("independent", "mst", "canopy")


def table(columns: int, rows: int) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """The rows, and the pairs of columns of one group."""
    rng = np.random.default_rng([columns, 5])
    made: list[np.ndarray] = []
    for i in range(columns):
        own = rng.integers(0, LEVELS, rows, dtype=np.uint8)
        if i % GROUP:
            earlier = made[i - 1 - int(rng.integers(0, i % GROUP))]
            own = np.where(rng.random(rows) < 0.6, earlier, own)
        made.append(own)
    names = [f"c{i}" for i in range(columns)]
    groups = [names[start : start + GROUP] for start in range(0, columns, GROUP)]
    related = [pair for group in groups for pair in itertools.combinations(group, 2)]
    order = rng.permutation(columns).tolist()
    return pd.DataFrame({names[i]: made[i] for i in order}), related


def schema(names: list[str]) -> Any:
    import dpsynth

    return dpsynth.Schema({name: dpsynth.Categorical([*range(LEVELS)]) for name in names})


def distance(real: pd.DataFrame, drawn: pd.DataFrame, sets: list[tuple[str, ...]]) -> float:
    """The mean total variation distance of these marginals."""

    def shares(frame: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
        cells = np.zeros(len(frame), dtype=np.int64)
        for name in names:
            cells = cells * LEVELS + frame[name].to_numpy()
        return np.bincount(cells, minlength=LEVELS ** len(names)) / len(frame)

    return float(np.mean([np.abs(shares(real, names) - shares(drawn, names)).sum() / 2 for names in sets]))


def fit(columns: str, rows: str, epsilon: str, mechanism: str) -> dict[str, Any]:
    import dpsynth

    frame, related = table(int(columns), int(rows))
    synthesizer = dpsynth.Synthesizer(schema([*frame]), mechanism, epsilon=float(epsilon), delta=1e-9, ledger=None)
    plan = synthesizer.plan(rows=int(rows))
    drawn = synthesizer.fit(frame).sample(int(rows), seed=1)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    rng = np.random.default_rng(7)
    within, alike = rng.permutation(len(related))[:PAIRS], {*related}
    others = [tuple(rng.choice(frame.columns.to_numpy(), 2, replace=False)) for _ in range(PAIRS)]
    return {
        "CPU s": usage.ru_utime + usage.ru_stime,
        "peak MB": peak(usage.ru_maxrss / 1024),
        "plan": {"seconds": plan.seconds, "megabytes": plan.megabytes},
        "error of columns": distance(frame, drawn, [(name,) for name in frame]),
        "error of related pairs": distance(frame, drawn, [related[i] for i in within]),
        "error of other pairs": distance(frame, drawn, [c for c in others if {c, c[::-1]}.isdisjoint(alike)]),
    }


def alone(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", __file__, "--run", *arguments]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    print(*arguments, found, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, nargs="+", default=[1000])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--epsilon", type=float, nargs="+", default=[1.0])
    parser.add_argument("--mechanisms", nargs="+", default=[*MECHANISMS])
    parser.add_argument("--out", default="benchmarks/results/wide.json")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(fit(*options.run)))
        return
    results: dict[str, Any] = {"rows": options.rows, "levels": LEVELS}
    for columns, epsilon in itertools.product(options.columns, options.epsilon):
        results[f"{columns} columns, epsilon {epsilon:g}"] = {
            mechanism: alone(str(columns), str(options.rows), str(epsilon), mechanism)
            for mechanism in options.mechanisms
        }
    print(write(options.out, results))


if __name__ == "__main__":
    main()
