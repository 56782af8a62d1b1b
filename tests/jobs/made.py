"""A job on made-up rows, and what it has spent."""

from __future__ import annotations

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


def runs(folder):
    return [run for run in dpsynth.Ledger.open(folder / "stays.ledger").runs() if run.state != "void"]
