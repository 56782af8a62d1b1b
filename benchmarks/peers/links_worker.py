"""anonymeter's linkability of a release: `python links_worker.py FOLDER`, in the environment of anonymeter.

The folder holds `job.json` (the two halves of the columns, the numbers of neighbours) and `release.parquet`,
`train.parquet`, `holdout.parquet`. The worker adds `found.json`: for each number of neighbours the success rates and
the risk with its interval. Every training record is attacked, and as many holdout records.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from anonymeter.evaluators import LinkabilityEvaluator


def main() -> None:
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    release, train, holdout = (pd.read_parquet(folder / f"{name}.parquet") for name in ("release", "train", "holdout"))
    most = max(job["neighbours"])
    evaluator = LinkabilityEvaluator(
        ori=train, syn=release, aux_cols=tuple(job["halves"]), n_attacks=len(train), n_neighbors=most, control=holdout
    ).evaluate(n_jobs=1)
    found = {}
    for k in job["neighbours"]:
        results = evaluator.results(n_neighbors=k)
        risk = results.risk()
        rates = {"training": results.attack_rate.value, "holdout": results.control_rate.value}
        found[str(k)] = {**rates, "risk": risk.value, "low": risk.ci[0], "high": risk.ci[1]}
    (folder / "found.json").write_text(json.dumps({"version": version("anonymeter"), "found": found}))


if __name__ == "__main__":
    main()
