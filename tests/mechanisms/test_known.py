"""Known marginals: what they save, what they cannot spoil, what is refused before a charge."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.sensitive import _integers
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.marginal.aim import AIM
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.known import Known, Marginal
from dpsynth.schema.table import Categorical, Numeric, Schema, SchemaError
from dpsynth.testing import BlindAccountant
from tests.mechanisms.test_canopy import ring
from tests.mechanisms.test_contract import outcome

PAIRS = [("x0", "x1"), ("x1", "x2"), ("x2", "x3"), ("x3", "x4"), ("x4", "x5")]
both = pytest.mark.parametrize("mechanism", [Canopy, AIM])
SCHEMA = Schema({"job": Categorical(["a", "b", "c"]), "age": Numeric(0, 3, integer=True, nullable=True)})


def stated(table, cliques, stddev=1.0, shares=False):
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
    known = stated(table, PAIRS, shares=shares)
    without = distance(mechanism(), table, PAIRS, 0.02)
    assert distance(mechanism(known=known), table, PAIRS, 0.02) < 0.2 * without


@both
def test_what_is_known_frees_budget_for_the_rest(mechanism):
    table = ring(20_000)
    rest = [c for c in itertools.combinations(table.domain.attributes, 2) if c not in PAIRS]
    assert distance(mechanism(known=stated(table, PAIRS)), table, rest, 0.3) < distance(mechanism(), table, rest, 0.3)


@both
def test_what_is_wrongly_known_is_outweighed_where_its_stddev_says_so(mechanism):
    table = ring(20_000)
    wrong = tuple(Known(c, np.full((4, 4), 1250.0), 2000.0, "a guess") for c in PAIRS)
    assert distance(mechanism(known=wrong), table, PAIRS, 1.0) < 1.2 * distance(mechanism(), table, PAIRS, 1.0) + 100


@both
@pytest.mark.parametrize("epsilon", [0.003, 0.03, 0.3])
def test_shares_of_several_columns_are_kept_whatever_the_row_count_turns_out_to_be(mechanism, epsilon):
    table = ring(4_000)
    known = stated(table, [("x0", "x1")], stddev=0.4, shares=True)
    for seed in range(3):
        model = mechanism(known=known).fit(table, Accountant(Budget(epsilon, 1e-9), unsafe_seed=seed))
        assert np.abs(model.project(("x0", "x1")) / model.total - known[0].values).sum() < 0.01


@both
def test_shares_say_nothing_of_the_row_count_and_order_does_not_matter(mechanism):
    table = ring(4_000)
    shares, counts = stated(table, [("x0",)], shares=True), stated(table, [("x1", "x2")])
    totals = []
    for known in [(), shares, (*shares, *counts), (*counts, *shares)]:
        totals.append(mechanism(known=known).fit(table, Accountant(Budget(0.01, 1e-9), unsafe_seed=4)).total)
    assert totals[2] == pytest.approx(totals[3], rel=1e-6) == pytest.approx(4000, rel=0.01)
    assert totals[1] == pytest.approx(totals[0], abs=2500)


def test_learned_bounds_beside_known_marginals_waste_no_budget():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {c: rng.integers(0, 31, 300) for c in "ab"} | {f"n{i}": rng.normal(0, 9, 300) for i in range(4)}
    )
    declared = {c: Categorical(range(31)) for c in "ab"} | {f"n{i}": Numeric(0, None) for i in range(4)}
    public = Marginal(frame.value_counts(["a", "b"]), 5.0, "s")
    mechanism = Canopy(max_cells=32 * 32)
    synth = dpsynth.Synthesizer(Schema(declared), mechanism, epsilon=1.0, delta=1e-9, known=[public], ledger=None).fit(
        frame
    )
    assert len(synth.sample(10)) == 10


def test_single_columns_are_known_too():
    table = ring(2_000)
    known = stated(table, [(a,) for a in table.domain.attributes])
    ones = [(a,) for a in table.domain.attributes]
    assert distance(Canopy(known=known), table, ones, 0.02) < 0.2 * distance(Canopy(), table, ones, 0.02)


@both
def test_all_of_the_budget_is_spent_and_the_rows_are_seen_through_charges_only(mechanism):
    one, other = ring(3000, seed=1), ring(10, seed=2)
    mechanism = mechanism(known=stated(one, [*PAIRS, ("x0",)]))
    fits = [outcome(mechanism, table, BlindAccountant(Budget(1.0, 1e-6))) for table in (one, other)]
    assert fits[0] == fits[1]
    accountant = Accountant(Budget(0.05, 1e-6))
    mechanism.fit(one, accountant)
    assert accountant.spent().epsilon == pytest.approx(0.05, rel=1e-9)


@both
def test_known_marginals_that_do_not_fit_are_refused_before_any_charge(mechanism):
    accountant, table = Accountant(Budget(1.0, 1e-6)), ring(100)
    limit = {"max_cells" if mechanism is Canopy else "max_model_cells": 100}
    for known, settings, message in [
        ((Known(("x0", "y"), np.ones((4, 4)), 1.0, "s"),), {}, "not of this table's domain"),
        ((Known(("x0", "x1"), np.ones((4, 3)), 1.0, "s"),), {}, "not of this table's domain"),
        (stated(table, list(itertools.combinations(table.domain.attributes, 2))), limit, "more than 100 cells"),
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
    shares = series({("b", 2): 0.5, ("a", 0): 0.5})
    share = Marginal(shares, 0.01, "office", shares=True).coded(SCHEMA).measurement(200.0)
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
        (lambda: Marginal(series({("a", 1): 1.0}), 1e-200, "s"), "stddev"),
        (lambda: Marginal(series({("a", 1): 1.0}), 10**400, "s"), "stddev|too large"),
        (lambda: Marginal(series({("a", 1): 1.0}), True, "s"), "is a number"),
        (lambda: Marginal(series({("a", 1): 1.0}), 1.0, "s", shares="no"), "True or False"),
        (lambda: Marginal(series({("a", 1): 1e300}), 1.0, "s"), "at most"),
        (lambda: Marginal(series({("a", 1): 0.5}), 1e-3, "s", shares=True), "sum to one"),
        (lambda: Marginal(series({("a", 1): 1.0}).astype(complex), 1.0, "s"), "must be numbers"),
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
    synth = dpsynth.Synthesizer(SCHEMA, epsilon=0.01, delta=1e-9, known=[public], ledger=None).fit(frame)
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
    synth = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1.0, delta=1e-6, known=[public], ledger=None)
    with pytest.raises(ValueError, match="only canopy and aim can use known marginals, not mst"):
        synth.fit(pd.DataFrame({"job": ["a"], "age": [1]}))


def test_dates_outside_the_bounds_are_refused():
    schema = Schema({"day": dpsynth.Datetime("2020-01-01", "2020-12-31")})
    days = pd.Series([1.0, 2.0], index=pd.DatetimeIndex(["2020-12-31", "2021-01-01"], name="day"))
    assert Marginal(days[:1], 1.0, "s").coded(schema).values.sum() == 1
    with pytest.raises(SchemaError, match="does not declare"):
        Marginal(days, 1.0, "s").coded(schema)


@pytest.mark.parametrize("known", [None, Marginal(series({("a", 1): 1.0}), 1.0, "s"), [series({("a", 1): 1.0})]])
def test_what_is_no_list_of_marginals_is_refused_in_one_sentence(known):
    with pytest.raises(ValueError, match="must be a list of"):
        dpsynth.Synthesizer(SCHEMA, epsilon=1.0, delta=1e-6, known=known, ledger=None).fit(
            pd.DataFrame({"job": ["a"], "age": [1]})
        )
