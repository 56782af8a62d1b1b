"""Generative networks, ours and a peer's, beside marginal mechanisms: distances, AUC and CPU seconds.

    python benchmarks/peers/prepare.py DIR --peers smartnoise
    PEERS_FOLDER=DIR python benchmarks/gan.py [--tables german_credit adult] [--epsilon 1 3 10]

Every run is a process of its own on one core (`peers/run.py`), whose CPU seconds count importing PyTorch too. Fitted to
70 % of the rows, delta 1e-9, the domain public; AUC on the other 30 % as in `downstream.py`. References, at epsilon 0,
are what no release of as many rows can be: the rows drawn anew, and their columns shuffled. Runs that the result file
holds are skipped, so a command that was stopped can be given again, and several may write to one file. Needs the extras
gan and test.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, commit
from _scores import train_test
from _tables import discrete_table
from downstream import areas

sys.path.append(str(Path(__file__).parent / "peers"))
from run import Run, alone, change, holds, load, measure, scores, show

TARGETS = {"adult": "income", "german_credit": "credit_risk"}
METHODS = (
    "dpsynth/independent",
    "dpsynth/mst",
    "dpsynth/canopy",
    "dpsynth/dp-ctgan",
    "dpsynth/hybrid",
    "dpsynth/pate-gan",
    "smartnoise/patectgan",
    "smartnoise/dpctgan",
)
REFERENCES = ("bootstrap", "exact independent")


def row(run: Run, folder: Path, cap: int) -> dict[str, Any]:
    """What `peers/run.py` measures, and the AUC of models trained on the release."""
    found = measure(run, folder, cap)
    if found["outcome"] == "finished":
        rows, sizes = discrete_table(run.table)
        synthetic = pd.read_parquet(run.release(folder))
        found |= areas(synthetic, train_test(rows)[1], sizes, TARGETS[run.table])
    return found


def reference(run: Run) -> dict[str, Any]:
    """What no release can be, in the same figures: the rows drawn anew, or their columns shuffled; not private."""
    real, sizes = run.rows()
    rng = np.random.default_rng(run.seed)
    drawn = real.sample(len(real), replace=True, random_state=rng)
    mixed = pd.DataFrame({c: rng.permutation(real[c].to_numpy()) for c in sizes})
    release = (drawn if run.method == "bootstrap" else mixed).reset_index(drop=True)
    learnt = areas(release, train_test(discrete_table(run.table)[0])[1], sizes, TARGETS[run.table])
    nothing = {"outcome": "finished", "CPU s": 0.0, "peak MB": 0, "commit": commit()}
    return {**run.key, **nothing, **scores(real, release, sizes), **learnt}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=os.environ.get("PEERS_FOLDER"), help="what prepare.py filled")
    parser.add_argument("--tables", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--epsilon", nargs="+", type=float, default=[1.0, 3.0, 10.0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cap", type=int, default=300, help="CPU seconds of one run")
    parser.add_argument("--out", type=Path, default=RESULTS / "gan.json")
    options = parser.parse_args()
    if options.folder is None:
        parser.error("say where the environments are: --folder or PEERS_FOLDER")
    budgets = [(m, e) for e in options.epsilon for m in options.methods] + [(m, 0.0) for m in REFERENCES]
    for seed, table, (method, epsilon) in itertools.product(range(options.seeds), options.tables, budgets):
        run = Run(table, "train", epsilon, method, seed)
        with alone(options.out):
            rows = load(options.out)
        if not any(holds(r, run.key) for r in rows):
            found = reference(run) if method in REFERENCES else row(run, options.folder.resolve(), options.cap)
            show(found)
            change(options.out, options.cap, lambda rows, found=found: [*rows, found])


if __name__ == "__main__":
    main()
