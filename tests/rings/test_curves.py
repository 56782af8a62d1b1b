"""Composition and conversion: against an independent program, against 200 digits, and by laws."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp

from dpsynth.accounting import currencies
from dpsynth.kernel import gaussian_dp, noise
from dpsynth.kernel.budget import Budget, affordable, spent
from dpsynth.kernel.cost import NOTHING, Cost
from tests.pace import soon
from tests.rings import oracle

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "gaussian.json").read_text())
PUBLISHED = {"C1": 4.886554, "C1b": 6.173935, "C2": 2.582873, "C2b": 1.994527}

multipliers = st.floats(0.05, 1e6)
epsilons = st.floats(1e-6, 50)
deltas = st.floats(-15, -0.01).map(lambda e: 10.0**e)


def mu_squared(cost: int) -> Fraction:
    return Fraction(cost, gaussian_dp.COST_UNIT)


@pytest.mark.parametrize("row", GOLDEN["rows"], ids=lambda r: r["case"])
def test_epsilon_agrees_with_an_independent_program(row):
    cost = sum(count * gaussian_dp.gaussian_cost(multiplier) for multiplier, count in row["events"])
    epsilon = gaussian_dp.gaussian_epsilon(cost, row["delta"])
    assert row["epsilon_exact"] - 1e-9 <= epsilon <= row["epsilon_exact"] + 1e-9
    assert row["epsilon_pld"] - 1e-3 <= epsilon <= row["epsilon_pld"] + 1e-6
    if row["case"] in PUBLISHED:
        assert PUBLISHED[row["case"]] - 1e-6 <= epsilon <= PUBLISHED[row["case"]] + 1e-3


@pytest.mark.slow
def test_the_golden_rows_are_what_the_independent_program_says_today():
    accounting = pytest.importorskip("dp_accounting")
    for row in GOLDEN["rows"]:
        accountant = accounting.pld.PLDAccountant()
        for multiplier, count in row["events"]:
            accountant.compose(accounting.GaussianDpEvent(multiplier), count)
        assert accountant.get_epsilon(row["delta"]) == pytest.approx(row["epsilon_pld"], rel=1e-9)


@pytest.mark.parametrize("cases", [20, pytest.param(600, marks=pytest.mark.slow)])
def test_epsilon_of_random_compositions_is_the_closed_form_and_never_below(cases):
    rng = np.random.default_rng(20)
    for _ in range(cases):
        events = [(float(10 ** rng.uniform(0, 3)), int(rng.integers(1, 50))) for _ in range(rng.integers(1, 6))]
        exact = sum(count / Fraction(multiplier) ** 2 for multiplier, count in events)
        delta = float(10 ** rng.uniform(-15, -0.3))
        epsilon = gaussian_dp.gaussian_epsilon(sum(n * gaussian_dp.gaussian_cost(m) for m, n in events), delta)
        assert oracle.delta(epsilon, exact) <= delta
        assert epsilon == 0 or oracle.delta(epsilon * (1 - 1e-9), exact) > delta


@pytest.mark.parametrize("epsilon", [1e-6, 0.1, 8, 100])
@pytest.mark.parametrize("delta", [1e-300, 1e-12, 0.5, 0.99])
def test_budget_and_epsilon_invert_each_other_from_the_safe_side_and_soon(epsilon, delta):
    cost = soon(2, lambda: gaussian_dp.gaussian_budget(epsilon, delta))
    back = soon(2, lambda: gaussian_dp.gaussian_epsilon(cost, delta))
    assert back <= epsilon
    assert oracle.delta(epsilon, mu_squared(cost)) <= delta
    more = math.ceil(cost * (1 + 1e-9)) + 1
    assert oracle.delta(epsilon, mu_squared(more)) > delta
    assert back == 0 or epsilon - back <= 1e-9 * (epsilon + 0.1)


@pytest.mark.parametrize("multiplier", [5e-324, 1e-200, 1e-30, 1e-3, 1.0, 1e30, 1e200, sys.float_info.max])
@pytest.mark.parametrize("delta", [-1e-16, 0.0, 5e-324, 1e-300, 1e-6, 1 - 2**-53])
def test_extreme_values_are_answered_and_soon(multiplier, delta):
    def answers():
        cost = gaussian_dp.gaussian_cost(multiplier)
        return cost, gaussian_dp.gaussian_epsilon(cost, delta), gaussian_dp.gaussian_delta(1.0, cost)

    cost, back, forth = soon(2, answers)
    assert cost >= 1
    assert back >= 0
    assert 0 <= forth <= 1 + 1e-9


def test_nothing_is_affordable_without_delta():
    assert gaussian_dp.gaussian_budget(1.0, 0.0) == gaussian_dp.gaussian_budget(1.0, -1e-9) == 0
    assert gaussian_dp.gaussian_budget(1.0, math.nan) == 0
    assert gaussian_dp.gaussian_epsilon(1, math.nan) == gaussian_dp.gaussian_epsilon(1, 0.0) == math.inf


@pytest.mark.parametrize("epsilon", [-1.0, math.nan])
def test_delta_of_an_impossible_epsilon_is_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon must be"):
        gaussian_dp.gaussian_delta(epsilon, 1)


def test_nothing_done_costs_nothing():
    assert gaussian_dp.gaussian_epsilon(0, 1e-9) == gaussian_dp.gaussian_delta(0.0, 0) == 0
    assert spent(NOTHING, Budget(1.0, 1e-6)) == Budget(0.0, 1e-6)


@given(multipliers, st.integers(1, 10**6))
def test_composing_n_times_costs_n_times_as_much(multiplier, n):
    each = gaussian_dp.gaussian_cost(multiplier)
    exact = gaussian_dp.COST_UNIT / Fraction(multiplier) ** 2
    assert exact <= each < exact + 1
    together = gaussian_dp.COST_UNIT * n / Fraction(multiplier) ** 2
    assert together <= n * each < together + n


def test_n_releases_are_as_private_as_one_with_less_noise():
    for n in (4, 100, 2500):
        once, often = gaussian_dp.gaussian_cost(10 / math.isqrt(n)), n * gaussian_dp.gaussian_cost(10.0)
        assert often == pytest.approx(once, rel=1e-14)
        assert gaussian_dp.gaussian_epsilon(often, 1e-6) == pytest.approx(
            gaussian_dp.gaussian_epsilon(once, 1e-6), rel=1e-11
        )


@given(multipliers, multipliers)
def test_more_noise_never_costs_more(one, other):
    low, high = sorted((one, other))
    assert gaussian_dp.gaussian_cost(high) <= gaussian_dp.gaussian_cost(low)


@given(st.integers(1, 2**126))
def test_the_noise_for_a_cost_is_the_least_that_the_cost_affords(cost):
    multiplier = gaussian_dp.noise_multiplier_for(cost)
    assert gaussian_dp.gaussian_cost(multiplier) <= cost < gaussian_dp.gaussian_cost(math.nextafter(multiplier, 0))


def test_no_noise_is_enough_for_no_cost():
    assert gaussian_dp.noise_multiplier_for(0) == gaussian_dp.noise_multiplier_for(-1) == math.inf


@settings(max_examples=60)
@given(st.lists(epsilons, min_size=2, max_size=2), st.lists(multipliers, min_size=2, max_size=2))
def test_delta_falls_with_epsilon_and_rises_with_cost(two_epsilons, two_multipliers):
    (e, more_e), (m, more_m) = sorted(two_epsilons), sorted(two_multipliers)
    c, less_c = gaussian_dp.gaussian_cost(m), gaussian_dp.gaussian_cost(more_m)
    assert gaussian_dp.gaussian_delta(more_e, c) <= gaussian_dp.gaussian_delta(e, c) * (1 + 1e-11)
    assert gaussian_dp.gaussian_delta(e, less_c) <= gaussian_dp.gaussian_delta(e, c) * (1 + 1e-11)


@settings(max_examples=6)
@given(st.lists(deltas, min_size=2, max_size=2), st.lists(multipliers, min_size=2, max_size=2))
def test_epsilon_falls_with_delta_and_rises_with_cost(two_deltas, two_multipliers):
    (d, more_d), (m, more_m) = sorted(two_deltas), sorted(two_multipliers)
    c, less_c = gaussian_dp.gaussian_cost(m), gaussian_dp.gaussian_cost(more_m)
    assert gaussian_dp.gaussian_epsilon(c, more_d) <= gaussian_dp.gaussian_epsilon(c, d) * (1 + 1e-11)
    assert gaussian_dp.gaussian_epsilon(less_c, d) <= gaussian_dp.gaussian_epsilon(c, d) * (1 + 1e-11)


@settings(max_examples=6)
@given(st.lists(deltas, min_size=2, max_size=2), st.lists(epsilons, min_size=2, max_size=2))
def test_a_larger_budget_affords_more(two_deltas, two_epsilons):
    (d, more_d), (e, more_e) = sorted(two_deltas), sorted(two_epsilons)
    assert gaussian_dp.gaussian_budget(e, d) <= gaussian_dp.gaussian_budget(more_e, d) * (1 + 1e-11)
    assert gaussian_dp.gaussian_budget(e, d) <= gaussian_dp.gaussian_budget(e, more_d) * (1 + 1e-11)


def test_delta_pays_for_the_sampler_and_for_hardly_anything_else():
    budget = Budget(1.0, 1e-6)
    assert affordable(budget) <= gaussian_dp.gaussian_budget(1.0, 1e-6)
    assert affordable(budget) == pytest.approx(gaussian_dp.gaussian_budget(1.0, 1e-6), rel=1e-9)
    assert spent(Cost(affordable(budget)), budget).epsilon <= 1.0


def test_the_views_agree_with_the_cost():
    cost = gaussian_dp.gaussian_cost(4.0)
    assert (currencies.mu_of(cost), currencies.zcdp(cost), currencies.gaussian_rdp(cost, 8.0)) == (0.25, 1 / 32, 0.25)


def test_precision_is_nobody_elses_business():
    expected = gaussian_dp.gaussian_epsilon.__wrapped__(2**117, 1e-8)
    before = mp.prec
    with mp.workdps(3):
        assert gaussian_dp.gaussian_epsilon.__wrapped__(2**117, 1e-8) == expected
    assert mp.prec == before


def test_threads_do_not_disturb_each_other():
    expected = gaussian_dp.gaussian_budget.__wrapped__(1e-3, 1e-9)
    before, interval = mp.prec, sys.getswitchinterval()
    found: list[int] = []

    def convert():
        found.extend(gaussian_dp.gaussian_budget.__wrapped__(1e-3, 1e-9) for _ in range(3))

    def draw():
        while len(found) < 6:
            noise.rounded_gaussian(np.full(3, 2.0**39), os.urandom)

    threads = [threading.Thread(target=work) for work in (convert, draw, convert, draw)]
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert found == [expected] * 6
    assert mp.prec == before
