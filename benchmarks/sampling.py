"""How fast are rows drawn from a fitted model, and how much memory does it take?

    python benchmarks/sampling.py --rows 10000000

Two models of `adult`: what mechanism "mst" fits (a tree of pairs), and one fitted to 25 noisy pairs (nodes of two to
five columns, separators of thousands of cells); then the front door, `Synthesizer.sample`, to a DataFrame. CPU seconds
of the process, user and system: run it on a quiet machine, others who share its caches can double them. Peak memory is
that of a second draw, traced, beside what the result itself takes. The largest error is that of any one-way count.
"""

from __future__ import annotations

import argparse
import itertools
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _record import write
from _tables import discrete_schema, discrete_table

import dpsynth
from dpsynth.base.domain import Domain
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.inference import estimate
from dpsynth.models.junction_tree import tree_cells

PAIRS, STDDEV, MAX_CELLS = 25, 30.0, 2_000_000


def loopy_model(real: pd.DataFrame, sizes: dict[str, int]) -> GraphicalModel:
    """Fitted to pairs in random order, each taken if the tree stays below MAX_CELLS. For speed only: not private."""
    rng, domain = np.random.default_rng(0), Domain.of(sizes)
    chosen: list[tuple[str, ...]] = []
    for pair in rng.permutation(list(itertools.combinations(domain.attributes, 2))).tolist():
        if len(chosen) < PAIRS and tree_cells(domain, [*chosen, tuple(pair)]) < MAX_CELLS:
            chosen.append(tuple(pair))
    measurements = []
    for pair in chosen:
        shape = domain.shape(pair)
        cells = np.ravel_multi_index([real[c].to_numpy() for c in pair], shape)
        counts = np.bincount(cells, minlength=domain.cells(pair)).reshape(shape)
        measurements.append(LinearMeasurement(pair, counts + rng.normal(0, STDDEV, shape), STDDEV))
    return estimate(domain, measurements, total=float(len(real)))


def cost(draw: Callable[[int], Any], taken: Callable[[Any], int], rows: int) -> tuple[dict[str, float], Any]:
    """CPU seconds of draw(rows), the result's memory, and how much of it all is taken at the peak; and the result."""
    draw(1000)
    start = time.process_time()
    result = draw(rows)
    seconds = time.process_time() - start
    size = taken(result)
    del result
    tracemalloc.start()
    result = draw(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"CPU s": seconds, "result MiB": size / 2**20, "peak MiB": peak / 2**20}, result


def sampled(model: Model, rows: int) -> dict[str, float]:
    """The cost of `model.sample`, and its largest error in a one-way count, in rows."""
    found, codes = cost(
        lambda n: model.sample(n, np.random.default_rng(0)), lambda c: sum(a.nbytes for a in c.values()), rows
    )
    errors = [
        np.abs(np.bincount(codes[a], minlength=size) - rows / model.total * model.project((a,))).max()
        for a, size in model.domain.sizes
    ]
    return {**found, "largest error": float(max(errors))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--out", default="benchmarks/results/sampling.json")
    options = parser.parse_args()
    real, sizes = discrete_table("adult")
    schema = discrete_schema(sizes)
    synthesizer = dpsynth.Synthesizer(schema, "mst", epsilon=1.0, delta=1e-9, unsafe_seed=1, ledger=None).fit(real)
    loopy = loopy_model(real, sizes)
    groups = max(loopy.domain.cells(separator) for separator in loopy.tree.separators)
    results: dict[str, Any] = {"rows": options.rows, "columns": len(sizes), "cells of the largest separator": groups}
    results["mst"] = sampled(synthesizer.fitted_.model, options.rows)
    results["25 pairs"] = sampled(loopy, options.rows)
    results["mst to DataFrame"], _ = cost(
        lambda n: synthesizer.sample(n, seed=0),
        lambda f: int(f.memory_usage(index=False, deep=True).sum()),
        options.rows,
    )
    for name in ("mst", "25 pairs", "mst to DataFrame"):
        print(f"{name:18}", ", ".join(f"{k} {v:.1f}" for k, v in results[name].items()), flush=True)
    write(options.out, results)


if __name__ == "__main__":
    main()
