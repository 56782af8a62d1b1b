"""What is each choice of canopy worth?

    python benchmarks/ablation.py [--tables adult] [--epsilon 0.1 1 10] [--seeds 3]

Each variant replaces one choice by the plain alternative, in this process only, and is measured as `utility.py`
measures: mean total-variation distance through the front door. Every figure is a ratio to canopy as it is, in the same
run; above 1 the choice pays.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from _record import RESULTS, write
from _tables import DISCRETE, discrete_table
from utility import one_run

from dpsynth.mechanisms.marginal import binned, canopy, selection
from dpsynth.mechanisms.prices import Prices
from dpsynth.models import inference, sampling

WAYS = ("1-way", "2-way", "3-way")


def even_shares(prices: Prices, cells: dict[Any, float]) -> dict[Any, int]:
    return dict.fromkeys(cells, prices.cost // max(len(cells), 1))


def every_cell(domain: Any, *rest: Any) -> dict[str, np.ndarray]:
    return {a: np.arange(n) for a, n in domain.sizes}


def one_ridge(domain: Any, clique: Any, pooled: Any) -> np.ndarray:
    """The same prior variance of a count in every cell of a marginal: that of its mean."""
    table = pooled[clique]
    mean = float(pooled[()].values) / table.values.size
    return table.variance / max(mean, 1.0)


def plain_draws(conditional: np.ndarray, sizes: np.ndarray, shape: Any, rng: np.random.Generator) -> np.ndarray:
    total = conditional.sum(axis=1, keepdims=True)
    even = np.full(conditional.shape, 1 / conditional.shape[1])
    return rng.multinomial(sizes, np.where(total > 0, conditional / np.where(total > 0, total, 1), even))


VARIANTS: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "no batch: the tree is measured twice": ((canopy, "choose_batch", lambda *a, **k: []),),
    "the batch is scored against independent columns": ((canopy, "_estimates", lambda b, model: b.independent()),),
    "scores are gains, chance and noise with them": ((canopy, "dependence", lambda scores, *a, **k: scores.gains()),),
    "a row of a rare level counts as any other": (
        (canopy, "rarity", lambda masses, noise, target: {a: np.ones(m.size) for a, m in masses.items()}),
    ),
    "a batch adds its gains less its noise": (
        (selection, "removed", lambda gains, noise: float((gains - noise).sum())),
    ),
    "a tree costs half, whatever it is worth": ((canopy, "_PARTS", (1.0,)),),
    "even shares": ((Prices, "shared", even_shares),),
    "columns get little of the second look": ((canopy, "_COLUMN", 1e-3),),
    "all of the noise counts against a pair": ((canopy, "_BELIEVED", 1.0),),
    "cells are never merged": ((binned, "choose_bins", every_cell),),
    "one prior for all cells, nothing estimated": ((inference, "_ridge", one_ridge),),
    "plain draws": ((sampling, "counts_of_groups", plain_draws),),
}


@contextmanager
def replaced(changes: tuple[tuple[Any, str, Any], ...]) -> Iterator[None]:
    undo: list[Callable[[], Any]] = []
    try:
        for where, name, what in changes:
            change = patch.object(where, name, what)
            change.start()
            undo.append(change.stop)
        yield
    finally:
        for stop in undo:
            stop()


def measured(table: str, epsilon: float, seeds: int, changes: tuple[tuple[Any, str, Any], ...]) -> dict[str, float]:
    real, sizes = discrete_table(table)
    with replaced(changes):
        runs = [one_run(real, sizes, "canopy", epsilon, seed) for seed in range(seeds)]
    return {key: float(np.mean([run[key] for run in runs])) for key in (*WAYS, "fit CPU s")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = ["adult", "german_credit", "credit_default", "nist_acs_national2019"]
    parser.add_argument("--tables", nargs="+", default=tables, choices=DISCRETE)
    parser.add_argument("--epsilon", nargs="+", type=float, default=[0.1, 1.0, 10.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default=RESULTS / "ablation.json")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for table in options.tables:
        for epsilon in options.epsilon:
            whole = measured(table, epsilon, options.seeds, ())
            for name, changes in VARIANTS.items():
                found = measured(table, epsilon, options.seeds, changes)
                ratios = {key: found[key] / whole[key] for key in whole}
                rows.append({"table": table, "epsilon": epsilon, "variant": name, **ratios})
                print(f"{table:22} {epsilon:5} {name:50}", *(f"{k} {v:.2f}" for k, v in ratios.items()), flush=True)
            write(options.out, {"seeds": options.seeds, "rows": rows})


if __name__ == "__main__":
    main()
