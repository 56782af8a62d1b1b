"""A job on made-up rows, and what it has spent."""

from __future__ import annotations

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.jobs.file import read_job

JOB = """dpsynth_job: 1
data: train.csv
schema: schema.yaml
ledger: stays.ledger
output: out
fit: {epsilon: 1, delta: 1e-6, mechanism: independent, purpose: "${month}"}
sample: {rows: 300, format: csv}
evaluate: {}
audit: {holdout: holdout.csv, seed: 1}
certify: {card: true, documents: [nist-800-226]}
gate:
  {epsilon: 1, account_epsilon: 3, distance: {pairs: 1.0}, outside_schema: 0,
   audit: [PASS, INCONCLUSIVE, FAIL, INVALID]}
sign: {key: office.key, signer: data office, days: 365}
"""


def job(folder, month="2026-11"):
    return read_job(folder / "job.yaml", {"month": month})


def filled(folder):
    """The folder, with rows, schema, ledger, key and job."""
    rng = np.random.default_rng(0)
    schema = dpsynth.Schema({"age": dpsynth.Numeric(0, 99, integer=True), "sex": dpsynth.Categorical(["f", "m"])})
    schema.save(folder / "schema.yaml")
    for name in ("train", "holdout"):
        rows = pd.DataFrame({"age": rng.integers(20, 90, 300), "sex": rng.choice(["f", "m"], 300)})
        rows.to_csv(folder / f"{name}.csv", index=False)
    from dpsynth.evidence.signing.ed25519 import new_key  # skipped by the tests where it is absent

    new_key(folder / "office.key", {})
    budget = dpsynth.Budget(3.0, 1e-6)
    policy = dpsynth.Policy({"2026-11": dpsynth.Budget(1.0, 1e-6), "2026-12": dpsynth.Budget(1.0, 1e-6)})
    dpsynth.Ledger.create(folder / "stays.ledger", budget, dataset="stays", unit=schema.unit, policy=policy)
    (folder / "job.yaml").write_text(JOB)
    return folder


def runs(folder):
    return [run for run in dpsynth.Ledger.open(folder / "stays.ledger").runs() if run.state != "void"]
