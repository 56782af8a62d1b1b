"""Runs this project and its peers on the same tables, budgets and metric, one after the other on one core.

    python benchmarks/peers/prepare.py DIR
    PEERS_FOLDER=DIR python benchmarks/peers/run.py --epsilon 1 --tables adult

Every run is a process of its own with a cap on CPU seconds and on memory; reaching one is a result. delta 1e-9, add or
remove one row, the domain public, no budget for preprocessing; each library's own defaults otherwise. A run that the
result file holds already is skipped, so a command that was stopped can be given again. Further seeds are run only where
the first took less than a minute. Synthetic rows are kept in DIR/releases, for `downstream.py`; with --split train the
libraries see the training part of its split only.
"""

from __future__ import annotations

import argparse
import fcntl
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.append(str(Path(__file__).parents[1]))
from _record import RESULTS, commit, write
from _scores import release_path, train_test, workload_error
from _tables import DISCRETE, discrete_table, distances
from prepare import interpreter

from dpsynth.mechanisms.registry import MECHANISMS

HERE = Path(__file__).parent
DELTA = 1e-9
MEMORY_GB = 12
BRIEF = 60
PEERS = (
    "smartnoise/mst",
    "dpmm/mst",
    "dpmm/privbayes",
    "smartnoise/aim",
    "smartnoise/dpctgan",
    "smartnoise/patectgan",
    "dpmm/aim",
)
OURS = tuple(f"dpsynth/{name}" for name in MECHANISMS)


@dataclass(frozen=True)
class Run:
    """One fit and sample: which library and mechanism, on what, with what budget."""

    table: str
    split: str
    epsilon: float
    method: str
    seed: int

    @property
    def key(self) -> dict[str, Any]:
        return vars(self)

    def release(self, folder: Path) -> Path:
        """Where the synthetic rows are kept."""
        return release_path(folder, **self.key)

    def rows(self) -> tuple[pd.DataFrame, dict[str, int]]:
        rows, sizes = discrete_table(self.table)
        return (train_test(rows)[0] if self.split == "train" else rows), sizes


def measure(run: Run, folder: Path, cap: int) -> dict[str, Any]:
    """The run's row of the result file."""
    real, sizes = run.rows()
    with tempfile.TemporaryDirectory() as scratch:
        job = Path(scratch)
        library, _, mechanism = run.method.partition("/")
        real.to_parquet(job / "rows.parquet", index=False)
        settings = {"mechanism": mechanism, "epsilon": run.epsilon, "delta": DELTA, "seed": run.seed, "n": len(real)}
        (job / "job.json").write_text(json.dumps({**settings, "sizes": sizes}))
        outcome = work(library, folder, job, cap)
        report = json.loads((job / "report.json").read_text()) if (job / "report.json").exists() else {}
        if outcome["outcome"] == "finished":
            synthetic = pd.read_parquet(job / "synthetic.parquet")
            kept = run.release(folder)
            kept.parent.mkdir(parents=True, exist_ok=True)
            synthetic.to_parquet(kept, index=False)
            outcome |= scores(real, synthetic, sizes)
    return {**run.key, **outcome, **report, "commit": commit()}


def scores(real: pd.DataFrame, synthetic: pd.DataFrame, sizes: dict[str, int]) -> dict[str, Any]:
    """Distances to the real rows; codes that the domain does not have make a release that nobody can score."""
    outside = [c for c, size in sizes.items() if not synthetic[c].between(0, size - 1).all()]
    if outside:
        return {"outcome": f"failed: codes outside the domain in {outside}"}
    return {**distances(real, synthetic, sizes), "3-way L1": workload_error(real, synthetic, sizes)}


def work(library: str, folder: Path, job: Path, cap: int) -> dict[str, Any]:
    """Runs the library's worker on one core: how it ended, CPU seconds and peak memory of the whole process."""
    python = sys.executable if library == "dpsynth" else str(interpreter(folder, library))
    core = {max(os.sched_getaffinity(0))}

    def limited() -> None:
        os.sched_setaffinity(0, core)
        resource.setrlimit(resource.RLIMIT_CPU, (cap, cap + 10))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    with open(job / "log", "w") as log:
        command = [python, "-B", str(HERE / f"{library}_worker.py"), str(job)]
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, env={**os.environ, **threads}, stdout=log, stderr=subprocess.STDOUT, preexec_fn=limited
        )
        try:
            status, used, killed = watch(process.pid, deadline=time.monotonic() + 20 * cap)
        except BaseException:
            process.kill()
            raise
    code = process.returncode = os.waitstatus_to_exitcode(status)
    outcome = "finished"
    if killed or code == -signal.SIGXCPU:
        outcome = killed or f"did not finish in {cap} CPU s"
    elif code != 0:
        outcome = f"failed: {last_line(job / 'log')}"
    return {"outcome": outcome, "CPU s": used.ru_utime + used.ru_stime, "peak MB": round(used.ru_maxrss / 1024)}


def watch(pid: int, deadline: float) -> tuple[int, resource.struct_rusage, str]:
    """Waits for a process: its exit status, what it used, and why it was stopped ("" where it was not)."""
    killed = ""
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            return status, used, killed
        too_late = time.monotonic() > deadline
        if not killed and (too_late or resident_gb(pid) > MEMORY_GB):
            killed = "hung" if too_late else f"needed more than {MEMORY_GB} GB"
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)


def resident_gb(pid: int) -> float:
    """Memory that a process holds; 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 2**30


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no message"


def wanted(run: Run, rows: list[dict[str, Any]]) -> bool:
    """Whether a run is still to do: it has no row yet, and no seed before it took long or failed."""
    alike = [r for r in rows if holds(r | {"seed": run.seed}, run.key)]
    brief = all(r["outcome"] == "finished" and r["CPU s"] < BRIEF for r in alike)
    return brief and all(r["seed"] != run.seed for r in alike)


def holds(row: dict[str, Any], facts: dict[str, Any]) -> bool:
    return all(row[k] == v for k, v in facts.items())


def change(path: Path, cap: int, step: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Applies a step to the rows of the result file, which another of these programs may be using."""
    with alone(path):
        rows = step(load(path))
        write(path, {"delta": DELTA, "cap CPU s": cap, "cap GB": MEMORY_GB, "rows": rows})


def load(path: Path) -> list[dict[str, Any]]:
    """The rows of a result file; none where there is no file yet."""
    return json.loads(path.read_text())["results"]["rows"] if path.exists() else []


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Holds the file's folder against other writers that ask."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def show(row: dict[str, Any]) -> None:
    head = f"{row['table']:22} {row['split']:5} eps {row['epsilon']:<4g} {row['method']:20} seed {row['seed']}"
    cells = " ".join(f"{k} {row[k]:.4f}" for k in ("1-way", "2-way", "3-way", "3-way L1") if k in row)
    print(f"{head} {row['outcome']}; {cells} {row['CPU s']:.1f} CPU s {row['peak MB']} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=os.environ.get("PEERS_FOLDER"), help="what prepare.py filled")
    parser.add_argument("--tables", nargs="+", default=list(DISCRETE), choices=DISCRETE)
    parser.add_argument("--methods", nargs="+", default=[*OURS, *PEERS], choices=[*OURS, *PEERS])
    parser.add_argument("--epsilon", nargs="+", type=float, default=[1.0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--split", default="all", choices=["all", "train"])
    parser.add_argument("--cap", type=int, default=600, help="CPU seconds of one run")
    parser.add_argument("--again", action="store_true", help="forget what the result file has of these runs")
    parser.add_argument("--out", type=Path, default=RESULTS / "peers.json")
    options = parser.parse_args()
    if options.folder is None:
        parser.error("say where the environments are: --folder or PEERS_FOLDER")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the worker ends too
    order = itertools.product(options.epsilon, options.methods, options.tables, range(options.seeds))
    runs = [Run(table, options.split, epsilon, method, seed) for epsilon, method, table, seed in order]
    if options.again:
        change(options.out, options.cap, lambda rows: [r for r in rows if not any(holds(r, run.key) for run in runs)])
    for run in runs:
        with alone(options.out):
            rows = load(options.out)
        if wanted(run, rows):
            row = measure(run, options.folder.resolve(), options.cap)
            show(row)
            change(options.out, options.cap, lambda rows, row=row: [*rows, row])


if __name__ == "__main__":
    main()
