"""What every worker shares: the job it reads, and the report it writes.

Imported in the environments of peers too, so nothing but the standard library and pandas. A job is a folder:
`rows.parquet` (integer codes), `job.json` (mechanism, epsilon, delta, seed, n, sizes of the columns' domains, in
order); a worker adds `synthetic.parquet` and, after each step, `report.json`.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Job:
    """One fit and one sample, asked for by `run.py`."""

    mechanism: str
    epsilon: float
    delta: float
    seed: int
    n: int
    sizes: dict[str, int]


def work(packages: tuple[str, ...], fit: Callable[[Job, pd.DataFrame], Callable[[], pd.DataFrame]]) -> None:
    """Reads the job in the folder that the command line names, does it, and reports CPU seconds and versions.

    fit: spends the budget on rows, and returns what draws `job.n` rows.
    """
    folder = Path(sys.argv[1])
    job = Job(**json.loads((folder / "job.json").read_text()))
    rows = pd.read_parquet(folder / "rows.parquet")[list(job.sizes)].astype("int64")
    report: dict[str, Any] = {"versions": {name: version(name) for name in packages}, "start CPU s": cpu_seconds()}
    _write(folder, report)
    sample = fit(job, rows)
    report["fit CPU s"] = cpu_seconds() - report["start CPU s"]
    _write(folder, report)
    synthetic = sample()
    report["sample CPU s"] = cpu_seconds() - report["start CPU s"] - report["fit CPU s"]
    _write(folder, report)
    synthetic[list(job.sizes)].astype("int64").to_parquet(folder / "synthetic.parquet", index=False)


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


def _write(folder: Path, report: dict[str, Any]) -> None:
    (folder / "report.json").write_text(json.dumps(report))
