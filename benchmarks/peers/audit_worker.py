"""Many runs of a peer on two tables: `python audit_worker.py FOLDER`, in the peer's environment.

The folder holds `job.json` (library, mechanism, epsilon, delta, runs) and `first.parquet`, `second.parquet`: text
columns. The worker adds `outcomes.json`: for each table and run the rows that were released, or the error. Each library
is used as its manual says: smartnoise-synth is told which columns are categorical, and asked for a sample without a
size; dpmm is told the domain, which it demands, and asked for 20 rows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

CATEGORIES = ["n", "y"]
ROWS = 20


def main() -> None:
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    fit = {"smartnoise": smartnoise, "dpmm": dpmm}[job["library"]]
    tables = [pd.read_parquet(folder / f"{name}.parquet").astype(object) for name in ("first", "second")]
    package = {"smartnoise": "smartnoise-synth", "dpmm": "dpmm"}[job["library"]]
    found = [[outcome(lambda table=table: fit(job, table.copy())) for _ in range(job["runs"])] for table in tables]
    (folder / "outcomes.json").write_text(json.dumps({"version": version(package), "outcomes": found}))


def outcome(run: Callable[[], pd.DataFrame]) -> dict[str, Any]:
    """The rows, as text, or the error: both are what an attacker sees."""
    try:
        released = run()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"rows": [[str(value) for value in row] for row in released.itertuples(index=False)]}


def smartnoise(job: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    from snsynth import Synthesizer

    synthesizer = Synthesizer.create(job["mechanism"], epsilon=job["epsilon"], delta=job["delta"])
    synthesizer.fit(table, categorical_columns=list(table.columns), preprocessor_eps=0.0)
    return pd.DataFrame(synthesizer.sample())


def dpmm(job: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    from dpmm.pipelines import AIMPipeline, MSTPipeline, PrivBayesPipeline

    kind = {"mst": MSTPipeline, "aim": AIMPipeline, "privbayes": PrivBayesPipeline}[job["mechanism"]]
    pipeline = kind(epsilon=job["epsilon"], delta=job["delta"], n_jobs=1)
    pipeline.fit(table, domain={name: {"categories": CATEGORIES} for name in table.columns})
    return pipeline.generate(n_records=ROWS)


if __name__ == "__main__":
    main()
