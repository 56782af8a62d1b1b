"""This project on one job, through the same files as its peers: `python dpsynth_worker.py FOLDER`."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from _exchange import Job, work

import dpsynth


def fit(job: Job, rows: pd.DataFrame) -> Callable[[], pd.DataFrame]:
    columns = {name: dpsynth.Categorical(range(size)) for name, size in job.sizes.items()}
    schema = dpsynth.Schema(columns, not_identifying=[*columns])
    synthesizer = dpsynth.Synthesizer(schema, job.mechanism, epsilon=job.epsilon, delta=job.delta, ledger=None).fit(
        rows
    )
    return lambda: synthesizer.sample(job.n, seed=job.seed)


if __name__ == "__main__":
    work(("dpsynth", "numpy"), fit)
