"""How fast is private noise? Draws of the rounded Gaussian per CPU second, randomness of the operating system included.

    python benchmarks/noise.py [--draws 10000000] [--out benchmarks/results/noise.json]

Beside the speed stands the share of draws that double precision left to exact arithmetic: one in 2,048 for the tail,
and those near a half-integer. numpy's floating-point `normal` is timed for comparison only: on counts its low-order
bits betray the truth (Mironov, CCS 2012).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from _record import RESULTS, write

from dpsynth.kernel import noise

STDDEVS = (0.5, 1.0, 30.0, 300.0, 1000.0, 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=10_000_000)
    parser.add_argument("--out", default=str(RESULTS / "noise.json"))
    options = parser.parse_args()
    rows = [measure(stddev, options.draws) for stddev in STDDEVS]
    floats = options.draws / cpu_seconds(lambda: np.random.default_rng().normal(size=options.draws))
    print(f"{'stddev':>10} {'M draws / CPU s':>16} {'left to exact':>15} {'stddev found':>13}")
    for row in rows:
        speed = row["draws_per_cpu_second"] / 1e6
        print(f"{row['stddev']:>10g} {speed:>16.1f} {row['undecided_share']:>15.2e} {row['stddev_found']:>13.5g}")
    print(f"numpy normal (not private on counts): {floats / 1e6:.1f} M draws / CPU s")
    results = {"draws": options.draws, "rounded_gaussian": rows, "numpy_normal_draws_per_cpu_second": floats}
    print(f"written to {write(options.out, results)}")


def measure(stddev: float, draws: int) -> dict[str, float]:
    """One row of the table: a call that draws everything, and how often it fell back on exact arithmetic."""
    scale = np.broadcast_to(np.float64(stddev), (draws,))
    exact, undecided, found = noise._decide, [0], []

    def counted(v: int, scale: float, bits: noise.Bits) -> int:
        undecided[0] += 1
        return exact(v, scale, bits)

    noise._decide = counted
    try:
        seconds = cpu_seconds(lambda: found.append(noise.rounded_gaussian(scale, noise.operating_system_bits)))
    finally:
        noise._decide = exact
    return {
        "stddev": stddev,
        "draws_per_cpu_second": draws / seconds,
        "undecided_share": undecided[0] / draws,
        "stddev_found": float(np.std(found[0])),
    }


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
