"""What a merge is worth: two halves of a table beside the whole one, two releases of a table, and conflicts.

python benchmarks/merging.py     # some CPU minutes; needs the real tables in ../shared/data
"""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write
from _tables import discrete_schema, discrete_table

from dpsynth import Merged, Schema, Synthesizer, merge
from dpsynth.models.distances import total_variation

TABLE, TURNED = "adult_discretised", "workclass"
ROWS = 10_000
MECHANISM, EPSILONS, SEEDS = "canopy", (1.0,), 2
CLEAN, PLANTED = 10, 3
"""Pairs of halves in which nothing was planted, and pairs in which a column's two most frequent codes are exchanged."""


def main() -> None:
    rows, sizes = discrete_table(TABLE)
    schema = discrete_schema(sizes)
    found = [distances(rows, schema, epsilon) for epsilon in EPSILONS]
    results = {"table": TABLE, "rows": ROWS, "mechanism": MECHANISM, "seeds": SEEDS}
    write(RESULTS / "merging.json", {**results, "distances": found, "conflicts": conflicts(rows, schema)})


def distances(rows: pd.DataFrame, schema: Schema, epsilon: float) -> dict[str, Any]:
    """Mean distances of pairs of columns, in percent of the rows, and the CPU seconds of a merge."""
    found: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        whole, (one, other) = drawn(rows, seed)
        fits = [fitted(part, schema, epsilon, 10 * seed + i) for i, part in enumerate((one, other, whole, whole))]
        start = time.process_time()
        added = merge(fits[:2], counts="add", disjoint=True)
        took = time.process_time() - start
        average = merge(fits[2:], counts="average")
        for name, synth in zip(
            ("half", "half", "whole", "whole", "added", "average"), (*fits, added, average), strict=True
        ):
            found.setdefault(name, []).append(distance(synth, whole))
        found.setdefault("CPU s", []).append(took)
    return {"epsilon": epsilon, **{name: statistics.mean(values) for name, values in found.items()}}


def conflicts(rows: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """How many pairs have a conflict that is named, and of planted ones how many name the column."""
    clean, compared = 0, 0
    for seed in range(CLEAN):
        merged = pair(*drawn(rows, 100 + seed)[1], schema, seed)
        compared += len(merged.conflicts)
        clean += bool(merged.certificate.conflicts)
    planted = 0
    for seed in range(PLANTED):
        one, other = drawn(rows, 200 + seed)[1]
        first, second = rows[TURNED].value_counts().index[:2]
        turned = other.assign(**{TURNED: other[TURNED].replace({first: second, second: first})})
        named = pair(one, turned, schema, seed).certificate.conflicts
        planted += any(TURNED in each["columns"] for each in named)
    return {"clean": CLEAN, "comparisons": compared, "named": clean, "planted": PLANTED, "found": planted}


def pair(one: pd.DataFrame, other: pd.DataFrame, schema: Schema, seed: int) -> Merged:
    fits = [fitted(part, schema, 1.0, 2 * seed + 1000 + i) for i, part in enumerate((one, other))]
    return merge(fits, counts="add")


def drawn(rows: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, tuple[pd.DataFrame, pd.DataFrame]]:
    whole = rows.sample(ROWS, random_state=seed)
    return whole, (whole.iloc[: ROWS // 2], whole.iloc[ROWS // 2 :])


def fitted(rows: pd.DataFrame, schema: Schema, epsilon: float, seed: int) -> Synthesizer:
    return Synthesizer(schema, MECHANISM, epsilon=epsilon, delta=1e-6, ledger=None, unsafe_seed=seed).fit(rows)


def distance(synth: Synthesizer | Merged, rows: pd.DataFrame) -> float:
    model, codecs = synth.fitted_.model, synth.origin.codecs
    codes = {name: codec.encode(rows[name]) for name, codec in codecs.items()}
    found = []
    for a, b in itertools.combinations(model.domain.attributes, 2):
        shape = model.domain.shape((a, b))
        real = np.bincount(np.ravel_multi_index([codes[a], codes[b]], shape), minlength=int(np.prod(shape)))
        found.append(total_variation(real / len(rows), (model.project((a, b)) / model.total).ravel()))
    return float(np.mean(found))


if __name__ == "__main__":
    main()
