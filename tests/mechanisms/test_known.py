"""Known marginals: what they save, what they cannot spoil, what is refused before a charge."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.mechanisms.aim import AIM
from dpsynth.mechanisms.canopy import Canopy
from dpsynth.mechanisms.known import Known, Marginal
from dpsynth.privacy.accountant import Accountant
from dpsynth.privacy.budget import Budget
from dpsynth.privacy.sensitive import _integers
from dpsynth.schema import Categorical, Numeric, Schema, SchemaError
from tests.mechanisms.test_canopy import ring
from tests.mechanisms.test_contract import outcome
from tests.privacy.blind import BlindAccountant

PAIRS = [("x0", "x1"), ("x1", "x2"), ("x2", "x3"), ("x3", "x4"), ("x4", "x5")]
both = pytest.mark.parametrize("mechanism", [Canopy, AIM])
SCHEMA = Schema({"job": Categorical(["a", "b", "c"]), "age": Numeric(0, 3, integer=True, nullable=True)})


def told(table, cliques, stddev=1.0, shares=False):
    """The exact answers, as if somebody had published them."""
    answers = table.marginals([(), *cliques])
    scale = 1 / float(_integers(answers[()])) if shares else 1.0
    known = [Known(c, _integers(answers[c]).astype(float) * scale, stddev * scale, "census", shares) for c in cliques]
    return tuple(known)


def distance(mechanism, table, cliques, epsilon):
    model = mechanism.fit(table, Accountant(Budget(epsilon, 1e-9), unsafe_seed=1))
    answers = table.marginals(cliques)
    return np.mean([np.abs(model.project(c) - _integers(answers[c])).sum() for c in cliques])


@both
@pytest.mark.parametrize("shares", [False, True])
def test_what_is_known_is_in_the_release_at_a_budget_that_buys_nothing(mechanism, shares):
    table = ring(20_000)
    known = told(table, PAIRS, shares=shares)
    without = distance(mechanism(), table, PAIRS, 0.02)
    assert distance(mechanism(known=known), table, PAIRS, 0.02) < 0.2 * without


@both
def test_what_is_known_frees_budget_for_the_rest(mechanism):
    table = ring(20_000)
    rest = [c for c in itertools.combinations(table.domain.attributes, 2) if c not in PAIRS]
    assert distance(mechanism(known=told(table, PAIRS)), table, rest, 0.3) < distance(mechanism(), table, rest, 0.3)


@both
def test_what_is_wrongly_known_is_outweighed_where_its_stddev_says_so(mechanism):
    table = ring(20_000)
    wrong = tuple(Known(c, np.full((4, 4), 1250.0), 2000.0, "a guess") for c in PAIRS)
    assert distance(mechanism(known=wrong), table, PAIRS, 1.0) < 1.2 * distance(mechanism(), table, PAIRS, 1.0) + 100


def test_single_columns_are_known_too():
    table = ring(2_000)
    known = told(table, [(a,) for a in table.domain.attributes])
    ones = [(a,) for a in table.domain.attributes]
    assert distance(Canopy(known=known), table, ones, 0.02) < 0.2 * distance(Canopy(), table, ones, 0.02)


@both
def test_all_of_the_budget_is_spent_and_the_rows_are_seen_through_charges_only(mechanism):
    one, other = ring(3000, seed=1), ring(10, seed=2)
    mechanism = mechanism(known=told(one, [*PAIRS, ("x0",)]))
    fits = [outcome(mechanism, table, BlindAccountant(Budget(1.0, 1e-6))) for table in (one, other)]
    assert fits[0] == fits[1]
    accountant = Accountant(Budget(0.05, 1e-6))
    mechanism.fit(one, accountant)
    assert accountant.spent().epsilon == pytest.approx(0.05, rel=1e-9)


@both
def test_known_marginals_that_do_not_fit_are_refused_before_any_charge(mechanism):
    accountant, table = Accountant(Budget(1.0, 1e-6)), ring(100)
    limit = {"most_cells" if mechanism is Canopy else "max_model_cells": 100}
    for known, settings, message in [
        ((Known(("x0", "y"), np.ones((4, 4)), 1.0, "s"),), {}, "not of this table's domain"),
        ((Known(("x0", "x1"), np.ones((4, 3)), 1.0, "s"),), {}, "not of this table's domain"),
        (told(table, list(itertools.combinations(table.domain.attributes, 2))), limit, "more than 100 cells"),
    ]:
        with pytest.raises(ValueError, match=message):
            mechanism(known=known, **settings).fit(table, accountant)
    assert accountant.spent().epsilon == 0


def series(values, columns=("job", "age")):
    index = pd.MultiIndex.from_tuples(list(values), names=columns)
    return pd.Series(list(values.values()), index=index, dtype=float)


def test_values_find_their_cells():
    known = Marginal(series({("b", 2): 5.0, ("c", None): 7.0}), 1.5, "office").coded(SCHEMA)
    assert known.values[1, 2] == 5
    assert known.values[2, 4] == 7
    assert known.values.sum() == 12
    assert known.measurement(10.0).stddev == 1.5
    share = Marginal(series({("b", 2): 0.5}), 0.01, "office", shares=True).coded(SCHEMA).measurement(200.0)
    assert share.values[1, 2] == 100
    assert share.stddev == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Marginal(series({("d", 1): 1.0}), 1.0, "s").coded(SCHEMA), "does not declare"),
        (lambda: Marginal(series({("a", 9): 1.0}), 1.0, "s").coded(SCHEMA), "does not declare"),
        (lambda: Marginal(series({(None, 1): 1.0}), 1.0, "s").coded(SCHEMA), "does not declare"),
        (lambda: Marginal(series({("a", 1): 1.0}, ("job", "pay")), 1.0, "s").coded(SCHEMA), "does not model"),
        (lambda: Marginal(series({("a", 1): 1.0}), 0.0, "s"), "stddev"),
        (lambda: Marginal(series({("a", 1): 1.0}), float("nan"), "s"), "stddev"),
        (lambda: Marginal(series({("a", 1): np.inf}), 1.0, "s"), "finite"),
        (lambda: Marginal(series({("a", 1): 1.0}), 1.0, " "), "source"),
        (lambda: Marginal(series({("a", 1): 1.0}, ("job", "job")), 1.0, "s"), "different columns once"),
        (lambda: Marginal(pd.Series([1.0]), 1.0, "s"), "index levels"),
        (lambda: Marginal({"a": 1}, 1.0, "s"), "index levels"),
    ],
)
def test_what_is_no_marginal_is_refused_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_columns_whose_bounds_are_learned_have_no_public_cells():
    schema = Schema({"job": Categorical(["a", "b"]), "age": Numeric(0, None)})
    with pytest.raises(SchemaError, match="declare both bounds of 'age'"):
        Marginal(series({("a", 1): 1.0}), 1.0, "s").coded(schema)


def test_the_front_door_takes_public_counts_and_the_certificate_names_their_source():
    rng = np.random.default_rng(0)
    job = rng.integers(0, 3, 5000)
    frame = pd.DataFrame({"job": np.array(["a", "b", "c"])[job], "age": job + rng.integers(0, 2, 5000)})
    public = Marginal(frame.value_counts(["job", "age"]), 5.0, "Yearbook 2020, table 7")
    synth = dpsynth.Synthesizer(SCHEMA, epsilon=0.01, delta=1e-9, known=[public]).fit(frame)
    release = synth.sample(5000, seed=1)
    both = [t.value_counts(["job", "age"], normalize=True) for t in (frame, release)]
    assert both[0].sub(both[1], fill_value=0).abs().sum() < 0.1
    record = synth.certificate.record
    assert record["mechanism"]["settings"]["known"][0]["source"] == "Yearbook 2020, table 7"
    assert any("Yearbook 2020, table 7" in caution for caution in record["cautions"])
    assert synth.get_params()["known"] == [public]
    synth.certificate.verify()


def test_other_mechanisms_refuse_what_is_known():
    public = Marginal(series({("a", 1): 1.0}), 1.0, "s")
    synth = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1.0, delta=1e-6, known=[public])
    with pytest.raises(ValueError, match="serve canopy and aim, not mst"):
        synth.fit(pd.DataFrame({"job": ["a"], "age": [1]}))
