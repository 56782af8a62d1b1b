"""What do fitting and sampling cost, in CPU seconds and memory?

    python benchmarks/speed.py [--mechanisms mst] [--works "fit adult"]

Every measurement is a process of its own, held to one core: CPU seconds of the step itself, and the peak memory of the
whole process, which is that of the libraries alone in the first row. `fit adult` has codes and a public domain, epsilon
1; `fit wide` is the intensive-care table of 233 columns, each numeric with the bounds that its schema states, learned
where it states none; `fit nhanes` the health survey as published. Sampling draws from a fitted adult model: codes, as
the model gives them, and rows, decoded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write
from _tables import discrete_schema, discrete_table, require_data

import dpsynth
from dpsynth.mechanisms.registry import MECHANISMS

DELTA = 1e-9


def fit_adult(mechanism: str, rows: int) -> dict[str, Any]:
    return fitted(*adult(), mechanism)[1]


def fit_wide(mechanism: str, rows: int) -> dict[str, Any]:
    return fitted(*published("physionet2012_icu", "wide.parquet"), mechanism)[1]


def fit_nhanes(mechanism: str, rows: int) -> dict[str, Any]:
    return fitted(*published("nhanes", "data.parquet"), mechanism)[1]


def sample_codes(mechanism: str, rows: int) -> dict[str, Any]:
    synthesizer, _ = fitted(*adult(), mechanism)
    start = time.process_time()
    codes = synthesizer.fitted_.model.sample(rows, np.random.default_rng(0))
    return {"CPU s": time.process_time() - start, "rows": rows, "columns": len(codes)}


def sample_rows(mechanism: str, rows: int) -> dict[str, Any]:
    synthesizer, _ = fitted(*adult(), mechanism)
    start = time.process_time()
    drawn = len(synthesizer.sample(rows, seed=0))
    return {"CPU s": time.process_time() - start, "rows": drawn, "columns": len(synthesizer.schema.columns)}


WORKS: dict[str, Callable[[str, int], dict[str, Any]]] = {
    "fit adult": fit_adult,
    "fit wide": fit_wide,
    "fit nhanes": fit_nhanes,
    "sample codes": sample_codes,
    "sample rows": sample_rows,
}


def adult() -> tuple[pd.DataFrame, dpsynth.Schema]:
    rows, sizes = discrete_table("adult")
    return rows, discrete_schema(sizes)


def published(name: str, file: str) -> tuple[pd.DataFrame, dpsynth.Schema]:
    """A table as published and the public facts of its schema.json; everything nullable, ids generated afresh."""
    folder = require_data() / name
    spec = json.loads((folder / "schema.json").read_text())["tables"][file]["columns"]
    return pd.read_parquet(folder / file), dpsynth.Schema({column["name"]: public(column) for column in spec})


def public(spec: dict[str, Any]) -> dpsynth.Identifier | dpsynth.Categorical | dpsynth.Numeric:
    marker = spec.get("missing_marker")
    if spec["type"] == "id":
        return dpsynth.Identifier()
    if "categories" in spec:
        ordered = spec["type"] == "ordinal"
        return dpsynth.Categorical(spec["categories"], ordered=ordered, nullable=True, missing_marker=marker)
    whole = spec["type"] != "continuous"
    return dpsynth.Numeric(spec.get("min"), spec.get("max"), integer=whole, nullable=True, missing_marker=marker)


def fitted(rows: pd.DataFrame, schema: dpsynth.Schema, mechanism: str) -> tuple[dpsynth.Synthesizer, dict[str, Any]]:
    """A fitted synthesizer, and what the fit cost."""
    synthesizer = dpsynth.Synthesizer(schema, mechanism, epsilon=1.0, delta=DELTA, ledger=None)
    start = time.process_time()
    synthesizer.fit(rows)
    return synthesizer, {"CPU s": time.process_time() - start, "rows": len(rows), "columns": rows.shape[1]}


def measure(work: str, mechanism: str, rows: int, cap: int) -> dict[str, Any]:
    """One piece of work in a fresh process on one core: what it reports, and the peak memory of that process."""
    core = {max(os.sched_getaffinity(0))}

    def limited() -> None:
        os.sched_setaffinity(0, core)
        resource.setrlimit(resource.RLIMIT_CPU, (cap, cap + 10))

    command = [sys.executable, str(Path(__file__).resolve()), "--child", work, "--mechanisms", mechanism]
    process = subprocess.Popen(
        [*command, "--rows", str(rows)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=limited, text=True
    )
    with process:
        lines = process.stdout.read().strip().splitlines()
        _, status, used = os.wait4(process.pid, 0)
        code = process.returncode = os.waitstatus_to_exitcode(status)
    result: dict[str, Any] = {"work": work, "mechanism": mechanism, "peak MB": round(used.ru_maxrss / 1024)}
    if code == 0:
        return result | {"outcome": "finished"} | json.loads(lines[-1])
    reason = lines[-1] if lines else f"exit code {code}"
    return result | {"outcome": f"did not finish in {cap} CPU s" if code == -signal.SIGXCPU else f"failed: {reason}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", nargs="+", default=list(WORKS), choices=WORKS)
    parser.add_argument("--mechanisms", nargs="+", default=list(MECHANISMS), choices=list(MECHANISMS))
    parser.add_argument("--rows", type=int, default=10_000_000, help="how many to sample")
    parser.add_argument("--cap", type=int, default=1800, help="CPU seconds of one process")
    parser.add_argument("--out", default=str(RESULTS / "speed.json"))
    parser.add_argument("--child", choices=["nothing", *WORKS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        done = {} if options.child == "nothing" else WORKS[options.child](options.mechanisms[0], options.rows)
        print(json.dumps(done))
        return
    results = [measure("nothing", options.mechanisms[0], 0, options.cap)]
    for work in options.works:
        for mechanism in options.mechanisms:
            results.append(measure(work, mechanism, options.rows, options.cap))
            r = results[-1]
            size = f"{r.get('rows', 0):,} x {r.get('columns', 0)}"
            print(
                f"{work:13} {mechanism:12} {size:16} {r.get('CPU s', 0):8.2f} CPU s {r['peak MB']:6} MB  {r['outcome']}"
            )
    write(options.out, {"epsilon": 1.0, "delta": DELTA, "measurements": results})


if __name__ == "__main__":
    main()
