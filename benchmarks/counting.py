"""How fast are rows counted?

    python benchmarks/counting.py --rows 10000000

Nanoseconds of CPU a row and 2-way marginal, for all pairs of 15 columns, against numpy's bincount on fused int64
codes, in one run; the counts are compared cell by cell. Then the CPU seconds of all pairs of wider tables of 4,000
rows, whose columns have 2 to 64 values.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
from _record import write

from dpsynth.base.cover import cover
from dpsynth.base.domain import Domain
from dpsynth.door.counting import MemoryBackend, count

WIDE = (50, 100, 233, 400)
SIZES = (74, 9, 16, 16, 16, 7, 15, 6, 5, 2, 32, 32, 32, 42, 2)


def wide(columns: int) -> dict[str, float]:
    """What all pairs of so many columns take."""
    rng = np.random.default_rng(columns)
    domain = Domain.of({f"c{i}": int(n) for i, n in enumerate(rng.choice([2, 3, 8, 16, 33, 64], columns))})
    backend = MemoryBackend({a: rng.integers(0, n, 4_000).astype(np.uint8) for a, n in domain.sizes}, domain)
    pairs = list(itertools.combinations(domain.attributes, 2))
    start = time.process_time()
    count(backend, domain, pairs)
    return {"columns": columns, "pairs": len(pairs), "CPU s": time.process_time() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--out", default="benchmarks/results/counting.json")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    domain = Domain.of({f"c{i}": n for i, n in enumerate(SIZES)})
    codes = {a: rng.integers(0, n, options.rows).astype(np.uint8) for a, n in domain.sizes}
    pairs = list(itertools.combinations(domain.attributes, 2))
    unit = 1e9 / (options.rows * len(pairs))

    start = time.process_time()
    fused = {
        (a, b): np.bincount(codes[a].astype(np.int64) * domain.size(b) + codes[b], minlength=domain.cells((a, b)))
        for a, b in pairs
    }
    baseline = (time.process_time() - start) * unit
    backend = MemoryBackend(codes, domain)
    start = time.process_time()
    counts = count(backend, domain, pairs)
    ours = (time.process_time() - start) * unit
    equal = all(np.array_equal(counts[p].ravel(), fused[p]) for p in pairs)
    joints = len(cover(domain, pairs))
    print(f"{options.rows:,} rows, {len(pairs)} pairs from {joints} joint tables; equal: {equal}")
    print(f"ours {ours:.2f} ns, bincount on fused int64 {baseline:.2f} ns a row and pair: {baseline / ours:.1f} times")
    wider = [wide(columns) for columns in WIDE]
    print(wider)
    result = {"rows": options.rows, "pairs": len(pairs), "joint tables": joints, "counts equal": equal}
    write(options.out, {**result, "ours ns": ours, "fused bincount ns": baseline, "wide": wider})


if __name__ == "__main__":
    main()
