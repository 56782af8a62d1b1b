"""Bank transactions of which 1 % are frauds: name the column that matters, and it survives.

python examples/rare_fraud.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.synthesizers.drawing import draw_rows_to
from dpsynth.synthesizers.release import make_release

SCHEMA = dpsynth.Schema(
    {
        "hour": dpsynth.Numeric(0, 24),
        "amount": dpsynth.Numeric(0, 5000, step=10),
        "channel": dpsynth.Categorical(["card", "transfer", "cash"]),
        "abroad": dpsynth.Boolean(),
        "fraud": dpsynth.Boolean(),
    }
)


def transactions(rows: int, seed: int) -> pd.DataFrame:
    """Made-up transactions: frauds come at night, and are large."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < 0.01
    return pd.DataFrame(
        {
            "hour": np.where(fraud, rng.uniform(0, 6, rows), rng.normal(14, 4, rows).clip(0, 24)),
            "amount": np.where(fraud, rng.normal(2500, 600, rows), rng.gamma(2, 60, rows)).clip(0, 5000).round(-1),
            "channel": rng.choice(["card", "transfer", "cash"], rows, p=[0.7, 0.2, 0.1]),
            "abroad": rng.random(rows) < np.where(fraud, 0.5, 0.05),
            "fraud": fraud,
        }
    )


def at_night(table: pd.DataFrame) -> float:
    """The share of frauds before six in the morning."""
    return float((table.loc[table["fraud"].astype(bool), "hour"] < 6).mean())


def main(folder: Path) -> None:
    real = transactions(100_000, seed=1)
    workload = dpsynth.Workload(target="fraud")  # the column to be predicted: pairs with it are measured first
    # The rows are made up, so no ledger has to remember what was spent on them.
    synthesizer = dpsynth.Synthesizer(SCHEMA, epsilon=1.0, delta=1e-7, workload=workload, ledger=None)
    rows = make_release(synthesizer, real, folder, n=100_000, seed=3, ending=".parquet").path
    draw_rows_to(folder / "frauds.parquet", synthesizer, 500, where="fraud == True and amount > 1000", seed=3)

    release = pd.read_parquet(rows)
    print(f"frauds: {real['fraud'].mean():.2%} of the real rows, {release['fraud'].mean():.2%} of the synthetic ones")
    print(f"frauds before six: {at_night(real):.0%} real, {at_night(release):.0%} synthetic")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
