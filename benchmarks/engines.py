"""Where is which exact engine faster, and does the public rule know?

    python benchmarks/engines.py

CPU milliseconds of one evaluation (log-partition function and all marginals) by elimination and by dense nodes, for
all cliques of the given widths over so many columns of so many cells, and what `dense.is_crowded` says.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _record import RESULTS, write

from dpsynth.base.domain import Domain
from dpsynth.models.dense import Calibration, is_crowded
from dpsynth.models.elimination import Elimination
from dpsynth.models.junction_tree import JunctionTree

CASES = [
    (16, 2, (1, 2)),
    (16, 2, (1, 2, 3)),
    (12, 2, (1, 2, 3)),
    (10, 3, (1, 2)),
    (6, 8, (1, 2)),
    (4, 20, (1, 2)),
    (3, 60, (1, 2)),
    (2, 500, (1, 2)),
]


def milliseconds(call: Callable[[], Any]) -> float:
    """The least CPU time of five calls."""
    times = []
    for _ in range(5):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def one_case(columns: int, size: int, widths: tuple[int, ...]) -> dict[str, Any]:
    domain = Domain.of({f"x{i:02}": size for i in range(columns)})
    cliques = [c for width in widths for c in itertools.combinations(domain.attributes, width)]
    rng = np.random.default_rng(0)
    tables = [rng.normal(0, 0.3, domain.shape(c)) for c in cliques]
    tree = JunctionTree.of(domain, cliques)
    elimination, dense = Elimination(domain, cliques, tree.order), Calibration(domain, cliques, tree)
    return {
        "columns": columns,
        "cells of each": size,
        "widths": widths,
        "cliques": len(cliques),
        "elimination ms": milliseconds(lambda: elimination(tables)),
        "dense ms": milliseconds(lambda: dense(tables)),
        "rule": "dense" if is_crowded(tree, cliques) else "elimination",
    }


def main() -> None:
    rows = [one_case(*case) for case in CASES]
    for row in rows:
        print(" ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    write(RESULTS / "engines.json", {"evaluations": rows})


if __name__ == "__main__":
    main()
