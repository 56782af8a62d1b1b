"""What checkpoints cost and what an interruption does: CPU seconds, file size, ledger lines, lost steps, distances.

    python benchmarks/checkpoints.py [--mechanisms dp-ctgan hybrid] [--fits 3]

Adult (48,842 rows, 15 columns of codes), epsilon 3, delta 1e-9. Three ways each: without a checkpoint, with one, and
with one where the fit dies in the middle of its training (an exception in a step, so that all in memory is lost) and is
asked for again. CPU seconds are of this process, of both parts together. Needs the extra gan.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from _record import RESULTS, write
from _tables import discrete_schema, discrete_table, distances

import dpsynth
from dpsynth.ledger.ledger import Ledger
from dpsynth.mechanisms.checkpoint import Checkpoint
from dpsynth.training.dpsgd import Training

EPSILON, DELTA, DIES_IN = 3.0, 1e-9, 155


class Died(BaseException):
    pass


def timed(seconds: list[float], act: Any) -> Any:
    """`act`, and a list to which the wall seconds of each call are added."""

    def watched(*given: Any, **named: Any) -> Any:
        start = time.perf_counter()
        found = act(*given, **named)
        seconds.append(time.perf_counter() - start)
        return found

    return watched


def dying(number: int) -> Any:
    taken, honest = [], Training._take

    def take(training: Training, block: int) -> None:
        honest(training, block)
        taken.append(1)
        if len(taken) == number:
            raise Died

    return mock.patch.object(Training, "_take", take)


def fit(mechanism: str, way: str, rows: Any, sizes: dict[str, int]) -> dict[str, Any]:
    schema = discrete_schema(sizes)
    with tempfile.TemporaryDirectory() as folder:
        path = None if way == "without" else Path(folder) / "c"
        facts: dict[str, Any] = {"epsilon": EPSILON, "delta": DELTA, "ledger": Path(folder) / "l", "checkpoint": path}
        claims: list[float] = []
        saves: list[float] = []
        size = 0
        with (
            mock.patch.object(Ledger, "claim", timed(claims, Ledger.claim)),
            mock.patch.object(Checkpoint, "save", timed(saves, Checkpoint.save)),
        ):
            start = time.process_time()
            if way == "interrupted":
                with dying(DIES_IN):
                    try:
                        dpsynth.Synthesizer(schema, mechanism, **facts).fit(rows)
                    except Died:
                        size = Path(folder, "c").stat().st_size
            made = dpsynth.Synthesizer(schema, mechanism, **facts).fit(rows)
            seconds = time.process_time() - start
        lines = len(Ledger.open(Path(folder) / "l").entries())
    found = {
        "mechanism": mechanism,
        "way": way,
        "CPU s": round(seconds, 2),
        **distances(rows, made.sample(seed=0), sizes),
    }
    found |= {"ledger lines": lines, **made.certificate.record["trainings"], "checkpoint bytes": size}
    found |= {"claims": len(claims), "ms a claim": round(1e3 * sum(claims) / max(1, len(claims)), 2)}
    return found | {"saves": len(saves), "ms a save": round(1e3 * sum(saves) / max(1, len(saves)), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mechanisms", nargs="+", default=["dp-ctgan", "hybrid"])
    parser.add_argument("--fits", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "checkpoints.json")
    options = parser.parse_args()
    rows, sizes = discrete_table("adult")
    found = []
    for mechanism in options.mechanisms:
        for _ in range(options.fits):
            for way in ("without", "with", "interrupted"):
                found.append(fit(mechanism, way, rows, sizes))
                print(found[-1], flush=True)
                write(options.out, {"epsilon": EPSILON, "delta": DELTA, "rows": found})


if __name__ == "__main__":
    main()
