"""White-box audits of our own mechanisms: all that a run measured, and how much likelier it is on the neighbour.

A mechanism's queries are functions of its earlier noisy answers. So when the answers of a run are given to a second run
on the neighbouring table, that run asks the same queries there, and both exact answers are known. The log likelihood
ratio of the whole transcript, however it was chosen, is the sum of those of its Gaussian answers.
"""

from __future__ import annotations

from contextlib import contextmanager
from unittest import mock

import numpy as np
import pandas as pd

from dpsynth.auditing.pairs import Pair, worst_case_pairs
from dpsynth.privacy import accountant
from dpsynth.privacy.sensitive import _integers
from dpsynth.schema import Boolean, Schema
from dpsynth.synthesizer import Synthesizer

SCHEMA = Schema({"a": Boolean(), "b": Boolean(), "c": Boolean()})
PLAIN = worst_case_pairs(SCHEMA)[0]
"""Ten records of zeros, and one of ones more."""

_ZEROS, _ONES = ([dict.fromkeys(SCHEMA.columns, bit)] for bit in (False, True))
CROWDED = Pair(
    "one more of ten among sixty", pd.DataFrame(_ZEROS * 50 + _ONES * 10), pd.DataFrame(_ZEROS * 50 + _ONES * 11)
)
"""For releases of rows: no count is so near to 0 that its noise is cut off, and the share hardly hangs on the total."""

_ANSWER = accountant.Charge.gaussian


@contextmanager
def recorded(transcript, *, noise=1.0):
    """Every answer of a charge, with its exact value and the deviation of its noise. noise: times the right one."""

    def gaussian(charge, x):
        values, stddev = _ANSWER(charge, x)
        exact = _integers(x) * x.unit
        values = exact + noise * (values - exact)
        transcript.append((values, exact, stddev, x.unit))
        return values, stddev

    with mock.patch.object(accountant.Charge, "gaussian", gaussian):
        yield


@contextmanager
def replayed(transcript, exact):
    """The same answers again; the exact values are put into `exact`."""
    answers = iter(transcript)

    def gaussian(charge, x):
        exact.append(_integers(x) * x.unit)
        values, _, stddev, _ = next(answers)
        return values, stddev

    with mock.patch.object(accountant.Charge, "gaussian", gaussian):
        yield


def fit(mechanism, table, budget, **settings):
    return Synthesizer(SCHEMA, mechanism, epsilon=budget[0], delta=budget[1], **settings).fit(table)


def log_likelihood_ratio(mechanism, pair, budget, *, noise=1.0):
    """A fit_sample for the auditor: the ratio, second table over first, of a run on the table that it is given."""

    def run(table, rng):
        other = pair.first if len(table) == len(pair.second) else pair.second
        transcript, exact = [], []
        with recorded(transcript, noise=noise):
            fit(mechanism, table, budget)
        with replayed(transcript, exact):
            fit(mechanism, other, budget)
        assert len(exact) == len(transcript)
        ratio = 0.0
        for (values, mine, stddev, _), theirs in zip(transcript, exact, strict=True):
            ratio += float(np.sum((np.square(values - mine) - np.square(values - theirs)) / (2 * np.square(stddev))))
        return ratio if other is pair.second else -ratio

    return run


def release(mechanism, budget, rows=2000):
    """A fit_sample for the auditor: synthetic rows, so many that drawing them adds little, and the noisy row count."""

    def run(table, rng):
        fitted = fit(mechanism, table, budget)
        return {"rows": fitted.fitted_.model.total, "table": fitted.sample(rows, seed=int(rng.integers(2**31)))}

    return run
