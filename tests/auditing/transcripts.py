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

from dpsynth.auditing.mechanism.pairs import Pair, worst_case_pairs
from dpsynth.data.tables.codec import encode_frame, schema_domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel import accountant
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.sensitive import _integers
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.registry import mechanism_for
from dpsynth.schema.table import Boolean, Categorical, Schema
from dpsynth.synthesizers.table import Synthesizer

SCHEMA = Schema({"a": Boolean(), "b": Boolean(), "c": Boolean()})
PLAIN = worst_case_pairs(SCHEMA)[0]
"""Ten records of zeros, and one of ones more."""

_ZEROS, _ONES = ([dict.fromkeys(SCHEMA.columns, bit)] for bit in (False, True))
CROWDED = Pair(
    "one more of ten among sixty", pd.DataFrame(_ZEROS * 50 + _ONES * 10), pd.DataFrame(_ZEROS * 50 + _ONES * 11)
)
"""Columns that hang together, so that pairs are chosen and measured."""

KINDS = ["p", "q", "r", "s"]
WIDE = Schema({name: Categorical(KINDS, other="s") for name in ("a", "b")})
"""Without a cell for values from outside, whose noise would be cut off at 0."""

_GRID = [{"a": a, "b": b} for a in KINDS for b in KINDS for _ in range(100 if a == b else 30)]
FILLED = Pair("one more of a hundred among 760", pd.DataFrame(_GRID), pd.DataFrame([*_GRID, {"a": "s", "b": "s"}]))
"""For releases of rows. No count is so near to 0 that its noise is cut off, and there are so many cells that little is
lost where a model takes the row count from the first look only.
"""

_ANSWER = accountant.Charge.gaussian


@contextmanager
def recorded(transcript, *, noise=1.0):
    """Every answer of a charge, with its exact value and the deviation of its noise. noise: times the right one."""

    def gaussian(charge, x):
        values, stddev = _ANSWER(charge, x)
        exact = _integers(x) * x.scale
        values = exact + noise * (values - exact)
        transcript.append((values, exact, stddev, x.scale))
        return values, stddev

    with mock.patch.object(accountant.Charge, "gaussian", gaussian):
        yield


@contextmanager
def replayed(transcript, exact):
    """The same answers again; the exact values are put into `exact`."""
    answers = iter(transcript)

    def gaussian(charge, x):
        exact.append(_integers(x) * x.scale)
        values, _, stddev, _ = next(answers)
        return values, stddev

    with mock.patch.object(accountant.Charge, "gaussian", gaussian):
        yield


def fit(mechanism, table, budget, schema=SCHEMA):
    return Synthesizer(schema, mechanism, epsilon=budget[0], delta=budget[1], ledger=None).fit(table)


def only_measure(mechanism, table, budget):
    """A fit without certificate and codecs, which takes a fifth of the time."""
    domain = schema_domain(SCHEMA, {})
    private = PrivateTable.from_codes(encode_frame(table, SCHEMA, {}), domain, SCHEMA.unit)
    mechanism_for(mechanism, {}).fit(private, Accountant(Budget(*budget)))


def asked_of_both(mechanism, table, neighbour, budget, *, noise=1.0):
    """The answers of a run on one table, and the exact answers to the same queries on the other."""
    transcript, exact = [], []
    with recorded(transcript, noise=noise):
        only_measure(mechanism, table, budget)
    with replayed(transcript, exact):
        only_measure(mechanism, neighbour, budget)
    assert len(exact) == len(transcript)
    return transcript, exact


def attained_mu(mechanism, pair, budget):
    """The mu of one run's transcript: the distance between its exact answers on the two tables, in deviations."""
    transcript, exact = asked_of_both(mechanism, pair.first, pair.second, budget)
    moves = [(mine - theirs) / stddev for (_, mine, stddev, _), theirs in zip(transcript, exact, strict=True)]
    return float(np.sqrt(sum(np.square(move).sum() for move in moves)))


def log_likelihood_ratio(mechanism, pair, budget, *, noise=1.0):
    """A fit_sample for the auditor: the ratio, second table over first, of a run on the table that it is given."""

    def run(table, rng):
        other = pair.first if len(table) == len(pair.second) else pair.second
        transcript, exact = asked_of_both(mechanism, table, other, budget, noise=noise)
        ratio = 0.0
        for (values, mine, stddev, _), theirs in zip(transcript, exact, strict=True):
            ratio += float(np.sum((np.square(values - mine) - np.square(values - theirs)) / (2 * np.square(stddev))))
        return ratio if other is pair.second else -ratio

    return run


def release(mechanism, budget, schema=WIDE):
    """A fit_sample for the auditor: as many synthetic rows as the noisy row count says."""

    def run(table, rng):
        return fit(mechanism, table, budget, schema).sample(seed=int(rng.integers(2**31)))

    return run
