"""Does a rare class keep what sets it apart, and is a small table's release no matter of luck?

    python benchmarks/rare_and_small.py

*Rare*: 280,000 made-up transactions, of which about 500 are frauds that all happen before six in the morning; the share
of frauds before six in the release, by seed, by default and with the column named as the target. Epsilon 1, delta 1e-6.

*Small*: tables of about 1,000 rows; three-way distance by seed of canopy, and of mst and independent beside it. Epsilon
1, delta 1e-9.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from _record import write
from _tables import discrete_schema, discrete_table, distances

import dpsynth

FRAUD = dpsynth.Schema(
    {
        "amount": dpsynth.Numeric(0, 2000, step=0.01),
        "score": dpsynth.Numeric(-20, 20),
        "hour": dpsynth.Numeric(0, 23, integer=True),
        "fraud": dpsynth.Boolean(),
    }
)
SMALL = {"german_credit": None, "adult": 1000, "support2": 1300}
"""Tables, and how many of their first rows in an order of chance are taken."""


def transactions(seed: int, rows: int = 280_000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < 0.0018
    amount = np.where(fraud, rng.lognormal(5.5, 0.8, rows), rng.lognormal(3.2, 1.1, rows))
    return pd.DataFrame(
        {
            "amount": amount.clip(0, 2000).round(2),
            "score": np.where(fraud, rng.normal(-4, 2, rows), rng.normal(0, 1.5, rows)),
            "hour": np.where(fraud, rng.integers(0, 6, rows), rng.integers(0, 24, rows)),
            "fraud": fraud,
        }
    )


def before_six(seed: int, workload: dpsynth.Workload) -> float:
    """The share of synthetic frauds that happen before six; of all transactions it is a quarter."""
    synthesizer = dpsynth.Synthesizer(FRAUD, epsilon=1.0, delta=1e-6, ledger=None, workload=workload)
    frauds = synthesizer.fit(transactions(seed)).sample(4000, where="fraud == True", seed=seed)
    return float((frauds["hour"] < 6).mean())


def small_table(name: str, rows: int | None) -> tuple[pd.DataFrame, dict[str, int]]:
    table, sizes = discrete_table(name)
    return (table if rows is None else table.sample(rows, random_state=0).reset_index(drop=True)), sizes


def three_way(table: pd.DataFrame, sizes: dict[str, int], mechanism: str, seed: int) -> float:
    schema = discrete_schema(sizes)
    synthesizer = dpsynth.Synthesizer(schema, mechanism, epsilon=1.0, delta=1e-9, ledger=None).fit(table)
    return distances(table, synthesizer.sample(len(table), seed=seed).astype("int64"), sizes)["3-way"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rare-seeds", type=int, default=5)
    parser.add_argument("--small-seeds", type=int, default=20)
    parser.add_argument("--out", default="benchmarks/results/rare_and_small.json")
    options = parser.parse_args()
    workloads = {"default": dpsynth.Workload(), "target": dpsynth.Workload(target="fraud")}
    rare = {
        name: [before_six(seed, workload) for seed in range(options.rare_seeds)] for name, workload in workloads.items()
    }
    print(rare, flush=True)
    small = []
    for name, rows in SMALL.items():
        table, sizes = small_table(name, rows)
        for mechanism in ("independent", "mst", "canopy"):
            found = [three_way(table, sizes, mechanism, seed) for seed in range(options.small_seeds)]
            small.append({"table": name, "rows": len(table), "mechanism": mechanism, "3-way": found})
            print(
                f"{name:15} {mechanism:12} {np.mean(found):.4f} sd {np.std(found, ddof=1):.4f} max {max(found):.4f}",
                flush=True,
            )
    write(options.out, {"rare": rare, "small": small})


if __name__ == "__main__":
    main()
