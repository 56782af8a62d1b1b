"""How close is a release to the real table, at what cost in CPU time?

    python benchmarks/utility.py --tables adult_discretised --epsilon 1 --seeds 5

Mean total-variation distance over all 1-way, all 2-way and 200 fixed 3-way marginals, through the front door
(Synthesizer, schema of categories, delta 1e-9, add/remove), CPU seconds of `fit`. Two reference rows: a bootstrap of
the real rows, which no release of this size can be expected to beat, and the exact, non-private independent model.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from _record import write
from _tables import DISCRETE, discrete_schema, discrete_table, distances

import dpsynth

DELTA = 1e-9


def references(real: pd.DataFrame, sizes: dict[str, int], seed: int) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng(seed)
    bootstrap = real.iloc[rng.integers(0, len(real), len(real))]
    independent = pd.DataFrame({c: rng.permutation(real[c].to_numpy()) for c in sizes})
    return {"bootstrap": distances(real, bootstrap, sizes), "exact independent": distances(real, independent, sizes)}


def one_run(real: pd.DataFrame, sizes: dict[str, int], mechanism: str, epsilon: float, seed: int) -> dict[str, float]:
    schema = discrete_schema(sizes)
    synthesizer = dpsynth.Synthesizer(schema, mechanism, epsilon=epsilon, delta=DELTA, ledger=None)
    start = time.process_time()
    synthesizer.fit(real)
    fitted = time.process_time()
    release = synthesizer.sample(len(real), seed=seed).astype("int64")
    sampled = time.process_time()
    return {**distances(real, release, sizes), "fit CPU s": fitted - start, "sample CPU s": sampled - fitted}


def summary(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over seeds."""
    values = {k: np.array([r[k] for r in runs]) for k in runs[0]}
    return {k: {"mean": float(v.mean()), "sd": float(v.std(ddof=1)) if len(v) > 1 else 0.0} for k, v in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=list(DISCRETE), choices=DISCRETE)
    parser.add_argument("--mechanisms", nargs="+", default=["independent", "mst"])
    parser.add_argument("--epsilon", nargs="+", type=float, default=[1.0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", default="benchmarks/results/utility.json")
    options = parser.parse_args()
    rows = []
    for table in options.tables:
        real, sizes = discrete_table(table)
        for name, result in references(real, sizes, 0).items():
            rows.append({"table": table, "mechanism": name, **{k: {"mean": v, "sd": 0.0} for k, v in result.items()}})
            show(rows[-1])
        for epsilon in options.epsilon:
            for mechanism in options.mechanisms:
                runs = [one_run(real, sizes, mechanism, epsilon, seed) for seed in range(options.seeds)]
                rows.append({"table": table, "mechanism": mechanism, "epsilon": epsilon, **summary(runs)})
                show(rows[-1])
    write(options.out, {"delta": DELTA, "seeds": options.seeds, "rows": rows})


def show(row: dict) -> None:
    head = f"{row['table']:24} {row['mechanism']:18} {row.get('epsilon', ''):>4}"
    cells = [f"{k} {row[k]['mean']:.4f}" for k in ("1-way", "2-way", "3-way")]
    cpu = f"fit {row['fit CPU s']['mean']:.2f} CPU s" if "fit CPU s" in row else ""
    print(head, *cells, cpu, flush=True)


if __name__ == "__main__":
    main()
