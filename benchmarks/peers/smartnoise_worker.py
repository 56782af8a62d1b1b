"""smartnoise-synth on one job: `python smartnoise_worker.py FOLDER`, in its own environment.

The domain is public: every column's transformer is fitted to a table that holds each code of the domain and no row, so
preprocessing reads nothing and costs nothing. The seed reaches choices and sampling; measurement noise comes from
opendp, which takes no seed.

To read the figures by: mst fits to the exact row count, which it does not pay for; dpctgan draws its training batches
by exact category counts; mbi 1.1 loses dependence when it turns the fitted model into rows by its default, "round".
mwem is left out: it takes each column's range from the rows, and its histogram has a cell for every possible row.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from _exchange import Job, work
from snsynth import Synthesizer
from snsynth.transform import ChainTransformer, LabelTransformer, OneHotEncoder, TableTransformer

ONE_HOT = ("dpctgan", "patectgan")


def fit(job: Job, rows: pd.DataFrame) -> Callable[[], pd.DataFrame]:
    np.random.seed(job.seed)  # noqa: NPY002  # the generator that the library draws from
    synthesizer = Synthesizer.create(job.mechanism, epsilon=job.epsilon, delta=job.delta)
    synthesizer.fit(rows, transformer=public_transformer(job), preprocessor_eps=0.0)
    return lambda: pd.DataFrame(synthesizer.sample(job.n), columns=list(job.sizes))


def public_transformer(job: Job) -> TableTransformer:
    """A transformer that knows the domain and has seen no row."""
    longest = max(job.sizes.values())
    domain = pd.DataFrame({name: np.arange(longest) % size for name, size in job.sizes.items()})
    transformer = TableTransformer([_column(job.mechanism) for _ in job.sizes])
    transformer.fit(domain)
    return transformer


def _column(mechanism: str) -> LabelTransformer | ChainTransformer:
    label = LabelTransformer(nullable=False)
    return ChainTransformer([label, OneHotEncoder()]) if mechanism in ONE_HOT else label


if __name__ == "__main__":
    work(("smartnoise-synth", "mbi", "jax", "opendp", "torch", "opacus", "numpy"), fit)
