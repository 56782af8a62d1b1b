"""dpmm on one job: `python dpmm_worker.py FOLDER`, in its own environment.

The domain is public and the rows are codes, so the library's own preprocessing is switched off and the whole budget
goes to the model. The seed reaches choices and sampling; measurement noise comes from opendp, which takes no seed.

To read the figures by: privbayes scores pairs by normalised mutual information with the sensitivity of the plain one,
and takes the exact row count into it, so its epsilon is not what it says.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from _exchange import Job, work
from dpmm.pipelines import AIMPipeline, MSTPipeline, PrivBayesPipeline

PIPELINES = {"mst": MSTPipeline, "aim": AIMPipeline, "privbayes": PrivBayesPipeline}


def fit(job: Job, rows: pd.DataFrame) -> Callable[[], pd.DataFrame]:
    kind = PIPELINES[job.mechanism]
    pipeline = kind(epsilon=job.epsilon, delta=job.delta, n_jobs=1, disable_processing=True)
    pipeline.fit(rows, domain=dict(job.sizes), random_state=job.seed)
    return lambda: pipeline.generate(n_records=job.n, random_state=job.seed)


if __name__ == "__main__":
    work(("dpmm", "opendp", "numpy"), fit)
