"""A ledger's file under kills, I/O errors, full disks, power cuts, races and changed bytes; then how long it takes.

    python benchmarks/ledger_torture.py     # about half an hour; writes benchmarks/results/ledger_torture.json

Every count of "violations" must be 0: no overspending, no grant that is not recorded, no change that goes unnoticed.
Needs Linux and a C compiler. The calls of one run meet every kill and every error; tests/rings/torture.py says how.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _record import RESULTS, ROOT, write

sys.path.insert(0, str(ROOT))

from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.store import File
from tests.rings import torture

AMOUNTS = {"kills": 1000, "errors": 500, "power": 1000, "races": 10_000, "flips": 10**9}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS / "ledger_torture.json")
    parser.add_argument("--share", type=float, default=1.0, help="a share of the full amounts")
    options = parser.parse_args()
    results: dict[str, Any] = {"speed": speed()}
    print("speed", results["speed"], flush=True)
    for kind, amount in AMOUNTS.items():
        begun = time.perf_counter()
        found = torture.run(kind, max(1, int(amount * options.share)), timeout=3600)
        results[kind] = {**found, "wall_seconds": round(time.perf_counter() - begun, 1)}
        print(kind, results[kind], flush=True)
    violations = sum(found["violations"] for kind, found in results.items() if kind != "speed")
    print(f"violations: {violations}; written to {write(options.out, {**results, 'violations': violations})}")


def speed() -> dict[str, float]:
    """Milliseconds of wall time (median of 50) on the disk of the results; seconds of CPU to open 10,000 lines."""
    with tempfile.TemporaryDirectory(dir=ROOT / "benchmarks") as name:
        folder, cap = Path(name), Budget(3.0, 1e-6)
        ledger = Ledger.create(folder / "a", cap, dataset="speed", unit=PrivacyUnit())
        event = Gaussian(5000.0)

        def reserve(run: str) -> None:
            ledger.reserve(run, Budget(0.01, 1e-6), [event], "operating system", Job())

        reservations = [milliseconds(lambda n=n: reserve(str(n))) for n in range(50)]
        charges = [milliseconds(lambda n=n: ledger.charge(str(n), event, "work")) for n in range(50)]
        looks = [milliseconds(ledger.spent) for _ in range(50)]
        with (folder / "f").open("wb", buffering=0) as file:
            syncs = [milliseconds(lambda: (file.write(b"x"), os.fsync(file.fileno()))) for _ in range(50)]
        long = Ledger.create(None, cap, dataset="speed", unit=PrivacyUnit())
        for number in range(2500):
            long.reserve(str(number), Budget(0.01, 1e-6), [event], "operating system", Job())
            long.charge(str(number), event, "work")
            long.commit(str(number), "ab" * 32)
        long.export(folder / "lines")
        File.create(folder / "b", (folder / "lines").read_bytes().splitlines())
        begun, cpu = time.perf_counter(), time.process_time()
        lines = len(Ledger.open(folder / "b").entries())
        spent = {"open_10000_wall_s": time.perf_counter() - begun, "open_10000_cpu_s": time.process_time() - cpu}
    medians = {"reserve_ms": reservations, "charge_ms": charges, "spent_ms": looks, "one_fsync_ms": syncs}
    return {**{k: statistics.median(v) for k, v in medians.items()}, **spent, "lines": lines}


def milliseconds(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
