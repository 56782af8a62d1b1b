"""Events: they cost the same alone and in company, and nothing malformed is one."""

from __future__ import annotations

import math
from dataclasses import astuple
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.accounting import nonadaptive
from dpsynth.accounting.calibrate import calibrate, training
from dpsynth.kernel.budget import Budget, BudgetExceededError, fits, gaussian_left, spent, within
from dpsynth.kernel.cost import NOTHING, Cost
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.gaussian_dp import COST_UNIT
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.names import event_from_dict, event_to_dict
from dpsynth.ledger.opening import Accountant
from dpsynth.programs.external import ExternalProgram
from dpsynth.training.event import DpSgd
from tests.pace import soon

GOOD = {
    "gaussian": {"noise_multiplier": 50.0},
    "dp_sgd": {"rate": 0.01, "noise_multiplier": 20.0, "steps": 10},
    "discovery": {"noise_multiplier": 50.0, "delta": 1e-16},
    "external_program": {"epsilon": 0.01, "delta": 1e-16},
}
NO_NUMBERS = [
    math.nan, math.inf, -math.inf, -1, -1e-300, 10**400, -(10**400), True, False, "1", "", b"1", None, 1j, [1.0],
    (1.0,), {}, set(), Decimal(1), Fraction(1, 2), np.array(1.0), np.array([1.0]), np.float32(1), np.int64(1), object(),
    float, -0.5, -1e308, "nan", "inf", "0x1", "\ud800", "1e-6", lambda: 1, ..., NotImplemented, range(3), slice(1), b"",
    [[]], [None], {"delta": 1}, Budget(1.0, 0.5), NOTHING, Gaussian, Gaussian(1.0), iter([1]), bytearray(1),
]  # fmt: skip
EVENTS = [event_from_dict({"event": name, **fields}) for name, fields in GOOD.items()]


def malformed():
    for name, fields in GOOD.items():
        for field, bad in product(fields, NO_NUMBERS):
            yield {"event": name, **fields, field: bad}
        for bad in NO_NUMBERS:
            yield {"event": name, **fields, "more": bad}
            yield {"event": bad, **fields}
        for field, bad in product(fields, (0, 0.0, -0.0, 1.0, 2.0, 1e9, 2**33, 100.5)):
            if _wrong(name, field, bad):
                yield {"event": name, **fields, field: bad}
        for one, other in combinations(fields, 2):
            for bad, worse in product(NO_NUMBERS[:14], repeat=2):
                yield {"event": name, **fields, one: bad, other: worse}
        for field in fields:
            if (name, field) != ("external_program", "delta"):
                yield {"event": name, **{k: v for k, v in fields.items() if k != field}}


def _wrong(name, field, bad):
    if bad == 0:
        return (name, field) != ("external_program", "delta")
    limits = {"delta": 1, "rate": 1.5, "steps": 2**32, "epsilon": 100.1}
    return (field == "steps" and isinstance(bad, float)) or bad >= limits.get(field, math.inf)


def test_1200_malformed_events_are_refused_at_no_charge_and_soon():
    accountant = Accountant(Budget(1.0, 1e-6))
    cases = list(malformed())
    assert len(cases) >= 1200

    def refused(records):
        for record in records:
            with pytest.raises((ValueError, TypeError)):
                accountant.charge(event_from_dict(record), "work")

    for start in range(0, len(cases), 100):
        soon(2, lambda start=start: refused(cases[start : start + 100]))
    assert [line["kind"] for line in accountant.ledger.entries()] == ["open", "run"]
    assert accountant.spent().epsilon == 0


@pytest.mark.parametrize("event", EVENTS, ids=str)
@settings(max_examples=30)
@given(n=st.integers(1, 10**9))
def test_composing_n_times_costs_n_times_as_much(event, n):
    few = sum((event.cost for _ in range(min(n, 40))), start=NOTHING)
    assert few == Cost(*(min(n, 40) * part for part in astuple(event.cost)))
    assert event.cost + NOTHING == event.cost


@pytest.mark.parametrize("event", EVENTS, ids=str)
def test_a_ledger_counts_every_event_it_holds(event, tmp_path):
    assert event_from_dict(event_to_dict(event)) == event
    ledger = Ledger.create(tmp_path / "l", Budget(9.0, 1e-6, 1.0), **_facts())
    accountant = Accountant(Budget(1.0, 1e-6, 0.5), ledger=ledger, reserve=[event] * 3)
    for _ in range(3):
        accountant.charge(event, "work")
    once, thrice = event.cost, Ledger.open(tmp_path / "l").runs()[0].cost
    assert thrice == once + once + once


def _facts():
    from dpsynth.kernel.unit import PrivacyUnit

    return {"dataset": "d", "unit": PrivacyUnit()}


@given(*[st.tuples(*[st.integers(0, 2**130)] * 3)] * 2)
def test_a_reservation_covers_a_cost_part_by_part(cost, more):
    reserved = Cost(*cost) + Cost(*more)
    assert within(Cost(*cost), reserved)
    for over in (Cost(1, 0, 0), Cost(0, 1, 0), Cost(0, 0, 1)):
        assert not within(reserved + over, reserved)


def test_a_gaussian_reservation_holds_no_training():
    budget = Budget(1.0, 1e-6)
    reserved = Gaussian.spending(gaussian_left(NOTHING, budget)).cost
    assert within(Gaussian(100.0).cost, reserved)
    assert not within(DpSgd(0.01, 20.0, 10).cost, reserved)
    assert within(DpSgd(0.01, 20.0, 10).cost, DpSgd(0.01, 20.0, 10).cost + reserved)


def test_what_an_account_can_hold_depends_on_its_own_delta():
    """4,294 trainings at delta 1e-6, 4 at 1e-9, none at 1e-12: what is kept is one part in 2^28."""
    one = Cost(1, COST_UNIT >> 60)
    for delta, most in ((1e-6, 4294), (1e-9, 4), (1e-12, 0)):
        assert fits(Cost(most, most * one.delta), Budget(1.0, delta))
        assert not fits(Cost(most + 1, (most + 1) * one.delta), Budget(1.0, delta))
    with pytest.raises(BudgetExceededError, match="deltas of their own"):
        Accountant(Budget(1.0, 1e-12), reserve=[DpSgd(0.01, 20.0, 10)])


@pytest.mark.parametrize("already", [NOTHING, Gaussian(8.0).cost])
def test_calibration_finds_the_least_noise_that_can_be_charged(already):
    budget = Budget(1.0, 1e-6)
    event = calibrate(budget, training(0.3, 20), already)
    assert fits(already + event.cost, budget)
    assert not fits(already + DpSgd(0.3, event.noise_multiplier / 1.01, 20).cost, budget)
    exact = calibrate(budget, Gaussian, already)
    assert fits(already + exact.cost, budget)
    assert not fits(already + Gaussian(math.nextafter(exact.noise_multiplier, 0)).cost, budget)


def test_what_no_noise_affords_is_refused():
    budget = Budget(1.0, 1e-6)
    with pytest.raises(BudgetExceededError, match="however much noise"):
        calibrate(Budget(1.0, 1e-12), training(0.01, 100))
    with pytest.raises(BudgetExceededError, match="however much noise"):
        calibrate(budget, Gaussian, Cost(gaussian_left(NOTHING, budget)))


def test_what_other_programs_spend_adds_up_within_what_was_kept():
    whole = [ExternalProgram(0.25, 1e-8), ExternalProgram(0.5, 2e-8), ExternalProgram(0.25)]
    accountant = Accountant(Budget(1.0, 1e-6, 1.0, 3e-8), reserve=whole)
    for event in whole:
        accountant.charge(event, "theirs")
    assert accountant.spent() == Budget(1.0, 1e-6)
    with pytest.raises(BudgetExceededError, match=r"come to 1\.01, over the 1 that .* keeps .* \(programs_epsilon\)"):
        Accountant(Budget(1.0, 1e-6, 1.0, 3e-8), reserve=[*whole, ExternalProgram(0.01)])
    with pytest.raises(BudgetExceededError, match=r"\(programs_delta\)"):
        Accountant(Budget(1.0, 1e-6, 1.0, 2e-8), reserve=whole)
    with pytest.raises(BudgetExceededError, match="over the 0 that"):
        Accountant(Budget(1.0, 1e-6), reserve=[ExternalProgram(0.25)])


def test_the_budget_of_a_program_lends_nothing_to_noise():
    budget = Budget.for_programs(2.0, 1e-6)
    assert budget.claim == {"epsilon": 2.0, "delta": 1e-6}
    accountant = Accountant(budget, reserve=[ExternalProgram(2.0, budget.programs_delta)])
    accountant.charge(ExternalProgram(2.0, budget.programs_delta), "theirs")
    assert accountant.spent() == Budget(2.0, 1e-6)
    with pytest.raises(BudgetExceededError):
        Accountant(budget, reserve=[Gaussian(1e4)])
    with pytest.raises(ValueError, match="is too small, with noise of billions of rows: ask for more"):
        Accountant(budget)


@pytest.mark.parametrize("kept", [(1.1, 0.0), (-0.1, 0.0), (0.1, 1e-6), (0.1, -1e-9)])
def test_no_more_is_kept_than_there_is(kept):
    with pytest.raises(ValueError, match=r"a part of epsilon|a millionth of it"):
        Budget(1.0, 1e-6, *kept)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_spent_together_is_never_below_the_exact_loss_of_the_list(seed):
    """The filter against the loss distributions of noise and randomised response with failures, composed jointly."""
    rng = np.random.default_rng(seed)
    noise = [Gaussian(float(rng.uniform(1.0, 9.0))) for _ in range(int(rng.integers(0, 4)))]
    theirs = [ExternalProgram(float(rng.uniform(0.01, 1.5)), float(rng.choice([0.0, 1e-8]))) for _ in range(2)]
    epsilon, delta = sum(e.epsilon for e in theirs), sum(e.delta for e in theirs)
    budget = Budget(50.0, 1e-6, epsilon * (1 + 1e-12), delta)
    cost = sum((e.cost for e in [*noise, *theirs]), start=NOTHING)
    assert fits(cost, budget)
    assert nonadaptive.epsilon([*noise, *theirs], 1e-6) <= spent(cost, budget).epsilon * (1 + 1e-9) + 1e-9
