"""What does the DP auditor find at peers that claim epsilon 1?

    PEERS_FOLDER=DIR python benchmarks/audit_peers.py [--runs 20] [--out FOLDER]

Each library runs in its own environment (benchmarks/peers/prepare.py DIR makes these), on two tables that differ in one
record, as its manual says: see peers/audit_worker.py. So many runs show only what is certain or nearly so, such as a
category list or a row count that the release gives away.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.dp import DPAuditor
from dpsynth.auditing.mechanism.pairs import Pair

sys.path.append(str(Path(__file__).parent / "peers"))
from prepare import interpreter

WORKER = Path(__file__).parent / "peers" / "audit_worker.py"
PEERS_FOLDER = Path(os.environ.get("PEERS_FOLDER", ""))
CLAIM = PrivacyClaim(1.0, 1e-5)
_N, _Y = ([{"a": value, "b": value}] for value in ("n", "y"))
PAIRS = {
    "one among zeros": Pair("one among zeros", pd.DataFrame(_N * 10), pd.DataFrame(_N * 10 + _Y)),
    "one more of ten": Pair("one more of ten", pd.DataFrame((_N + _Y) * 10), pd.DataFrame((_N + _Y) * 10 + _Y)),
}
AUDITS = [
    ("smartnoise/mst", "one among zeros"),
    ("smartnoise/mst", "one more of ten"),
    ("smartnoise/aim", "one among zeros"),
    ("dpmm/mst", "one among zeros"),
]
MINUTES = 30


class PeerError(Exception):
    """What the library said."""


def audited(method: str, name: str, runs: int) -> dict[str, Any]:
    """One pair: the verdict, what is bounded, and what differs by itself."""
    pair = PAIRS[name]
    found = outcomes(method, pair, runs)
    fit_sample = replay(found["outcomes"])
    result = DPAuditor(fit_sample, CLAIM, [pair], runs=runs).run()
    return {
        "library": method,
        "version": found["version"],
        "pair": name,
        "runs": runs,
        "refuted": result.refuted,
        "epsilon at least": result.epsilon_lower,
        "could be shown": result.pairs[0].max_epsilon,
        "seen": {world: seen(o) for world, o in zip(("first", "second"), found["outcomes"], strict=True)},
    }


def outcomes(method: str, pair: Pair, runs: int) -> dict[str, Any]:
    library, mechanism = method.split("/")
    job = {"library": library, "mechanism": mechanism, "runs": runs, "epsilon": CLAIM.epsilon, "delta": CLAIM.delta}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair.first.to_parquet(folder / "first.parquet")
        pair.second.to_parquet(folder / "second.parquet")
        (folder / "job.json").write_text(json.dumps(job))
        command = [interpreter(PEERS_FOLDER, library), "-W", "ignore", WORKER, folder]
        subprocess.run(command, check=True, timeout=60 * MINUTES, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads((folder / "outcomes.json").read_text())
    return found


def replay(worlds: list[list[dict[str, Any]]]) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    """A fit_sample that shows what the library showed, in the order of the auditor's runs: first table, then second."""
    stored: Iterator[dict[str, Any]] = iter([outcome for world in worlds for outcome in world])

    def run(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        shown = next(stored)
        if "error" in shown:
            raise PeerError(shown["error"])
        return pd.DataFrame(shown["rows"], columns=list(table.columns))

    return run


def seen(world: list[dict[str, Any]]) -> dict[str, Any]:
    """Row counts, values and errors, and in how many runs."""
    released = [o["rows"] for o in world if "rows" in o]
    return {
        "rows": dict(Counter(str(len(rows)) for rows in released)),
        "runs with a value": dict(Counter(v for rows in released for v in sorted({v for row in rows for v in row}))),
        "errors": dict(Counter(o["error"] for o in world if "error" in o)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder")
    given = parser.parse_args()
    found = []
    for method, pair in AUDITS:
        found.append(audited(method, pair, given.runs))
        print(found[-1], file=sys.stderr)
    print(write(given.out / "audit_peers.json", {"claim": {"epsilon": 1.0, "delta": 1e-5}, "audits": found}))


if __name__ == "__main__":
    main()
