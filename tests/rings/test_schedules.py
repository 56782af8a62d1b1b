"""Lists of events that were fixed beforehand: against an independent program, closed forms, and by laws."""

from __future__ import annotations

import itertools
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.accounting import currencies, joint, nonadaptive
from dpsynth.kernel import gaussian_dp
from dpsynth.kernel.budget import Budget, spent
from dpsynth.kernel.cost import NOTHING
from dpsynth.kernel.events import Gaussian
from dpsynth.prices import gdp_upper_bound, loss_grid, pld
from dpsynth.programs.external import ExternalProgram
from dpsynth.training.event import DpSgd
from tests.pace import soon
from tests.rings import oracle

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "fixed_schedules.json").read_text())
KINDS = {
    "gaussian": Gaussian,
    "dp_sgd": DpSgd,
    "external_program": ExternalProgram,
    "partition_selection": partial(ExternalProgram, 5e-324),
}
AIM = [Gaussian(30.205847446909623)] * 40 + [Gaussian(90.61754234072887)] * 40
TRAINING = DpSgd(0.01, 2.0, 2000)


def events_of(rows):
    events = []
    for name, *values in rows:
        if name == "dp_sgd":
            events.append(DpSgd(*values))
        else:
            events += [KINDS[name](*values[:-1])] * values[-1]
    return events


@pytest.mark.parametrize("row", GOLDEN["rows"], ids=lambda r: r["case"])
def test_epsilon_agrees_with_an_independent_program_and_is_not_below_it(row):
    epsilon = nonadaptive.epsilon(events_of(row["events"]), row["delta"])
    assert row["epsilon_above"] - 1e-6 <= epsilon <= row["epsilon_above"] + 1e-3
    assert row["epsilon_below"] is None or epsilon >= row["epsilon_below"]


@pytest.mark.parametrize("rate", [1e-3, 0.1, 0.9])
@pytest.mark.parametrize("noise", [0.3, 1.0, 20.0])
def test_one_step_is_the_closed_form_and_nowhere_below(rate, noise):
    def exact(epsilon, *directions):
        return max(oracle.sampled_delta(epsilon, rate, noise, removed) for removed in directions)

    part = loss_grid.Sampled(rate, noise, 1)
    for delta in (1e-12, 1e-4):
        epsilon = joint.epsilon([part], delta)
        assert exact(epsilon, True, False) <= delta
        assert epsilon == 0 or exact(epsilon * (1 - 5e-3) - 1e-6, True, False) > delta
        for removed in (True, False):
            (curve,) = pld.curves(part, [delta], removed)
            near = np.linspace(0, 2 * epsilon + 1e-3, 20)
            assert all(bound >= exact(e, removed) * (1 - 1e-12) for e, bound in zip(near, curve.at(near), strict=True))


@pytest.mark.parametrize("mu", [0.01, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("delta", [1e-14, 1e-6, 0.1])
def test_gaussian_noise_as_a_loss_distribution_is_the_exact_curve(mu, delta):
    exact = gaussian_dp.gaussian_epsilon(gaussian_dp.gaussian_cost(1 / mu), delta)
    assert exact - 1e-12 <= joint.epsilon([loss_grid.Sampled(1.0, 1 / mu, 1)], delta) <= exact * (1 + 1e-4) + 1e-5


def test_randomised_response_is_its_closed_form():
    (curve,) = joint.curves([joint.Bounded(0.7, 1e-5, 1)], [1e-5], True)
    p = math.exp(0.7) / (1 + math.exp(0.7))
    for epsilon in (0.0, 0.3, 0.69):
        exact = 1e-5 + (1 - 1e-5) * (p - math.exp(epsilon) * (1 - p))
        assert exact <= curve.at(np.array([epsilon]))[0] <= exact + 2e-2
    assert 0.68 <= curve.epsilon(0.01) <= 0.69


def test_two_steps_are_no_less_than_brute_force():
    """Both losses on a grid of outputs so fine that sums are integrals: an oracle that shares nothing with `pld`."""
    for removed in (True, False):
        p, loss = oracle.sampled_losses(0.2, 1.0, removed)
        for epsilon in (0.05, 0.2, 0.4):
            exact = oracle.composed_delta(p, loss, epsilon)
            (curve,) = pld.curves(loss_grid.Sampled(0.2, 1.0, 2), [exact], removed)
            assert exact * (1 - 1e-6) <= curve.at(np.array([epsilon]))[0] <= exact * 1.1


@pytest.mark.parametrize("cases", [2, pytest.param(200, marks=pytest.mark.slow)])
def test_random_compositions_are_never_below_another_program(cases):
    accounting = pytest.importorskip("dp_accounting")
    rng = np.random.default_rng(22)
    for _ in range(cases):
        events = oracle.random_schedule(rng)
        delta = float(10 ** rng.uniform(-10, -4))
        epsilon = nonadaptive.epsilon(events, delta)
        coarse, fine = (oracle.program_epsilon(accounting, events, delta, h) for h in (1e-3, 2.5e-4))
        assert epsilon >= fine - max(1e-6, coarse - fine), events
        assert epsilon <= fine * 1.01 + 2e-3, events


def test_one_account_is_tighter_than_two_certificates():
    """The design's C7: 2.189 as two certificates, 1.534 by Renyi orders jointly, 1.435 by loss distributions."""
    apart = nonadaptive.epsilon(AIM, 5e-7) + nonadaptive.epsilon([TRAINING], 5e-7)
    together = nonadaptive.epsilon([*AIM, TRAINING], 1e-6)
    gate = spent(sum((e.cost for e in [*AIM, TRAINING]), start=NOTHING), Budget(3.0, 1e-6)).epsilon
    assert together <= gate <= 1.46
    assert together <= 1.4348
    assert apart >= 1.95


def test_long_training_is_accounted_for_in_half_a_second():
    assert soon(0.5, lambda: nonadaptive.epsilon([DpSgd(0.01, 1.0, 10_000)], 1e-6)) > 0


@pytest.mark.parametrize("steps", [1, 1000])
@pytest.mark.parametrize(("rate", "noise"), [(0.01, 2.0), (0.3, 4.0)])
def test_the_price_of_training_is_a_curve_that_lies_below_it_nowhere(steps, rate, noise):
    event = DpSgd(rate, noise, steps)
    for removed in (True, False):
        for delta in (1e-3, 1e-9):
            (curve,) = pld.curves(loss_grid.Sampled(rate, noise, steps), [delta], removed)
            epsilon = curve.epsilon(delta)
            if 0 < epsilon < math.inf:
                assert gaussian_dp.gaussian_delta(epsilon, event.cost.gaussian) + gdp_upper_bound.TAU >= delta * (
                    1 - 1e-2
                )


def test_training_with_so_little_noise_that_delta_is_one_has_the_price_of_unsampled_noise():
    event = DpSgd(0.05, 0.21700747923551253, 300)
    assert event.cost.gaussian == 300 * Gaussian(event.noise_multiplier).cost.gaussian
    assert DpSgd(0.05, 0.3, 300).cost.gaussian > DpSgd(0.05, 0.5, 300).cost.gaussian


def test_trainings_that_hardly_show_have_prices_that_fall_with_their_noise():
    """About rate^2 steps / noise^2, where the central limit holds: no grid may be coarser than such small losses."""
    prices = [DpSgd(1e-4, noise, 98).cost.gaussian / gaussian_dp.COST_UNIT for noise in np.geomspace(3, 15, 12)]
    assert all(after < before for before, after in itertools.pairwise(prices))
    assert prices[-1] == pytest.approx(1e-8 * 98 / 15**2, rel=0.1)


def test_the_price_of_one_step_dominates_its_closed_form():
    for rate, noise in ((0.05, 1.0), (0.5, 3.0)):
        cost = DpSgd(rate, noise, 1).cost
        for epsilon in np.linspace(0, 3, 40):
            gaussian = gaussian_dp.gaussian_delta(float(epsilon), cost.gaussian)
            assert gaussian + gdp_upper_bound.TAU >= max(
                oracle.sampled_delta(epsilon, rate, noise, r) for r in (True, False)
            )


def test_pure_privacy_is_a_gaussian_curve_that_meets_it_at_equal_errors():
    for epsilon in (1e-3, 0.5, 3.0, 20.0):
        cost, p = currencies.pure_cost(epsilon), 1 / (1 + math.exp(epsilon))
        for e in np.linspace(0, epsilon, 20):
            response = (1 - p) - math.exp(e) * p
            assert gaussian_dp.gaussian_delta(float(e), cost) >= response * (1 - 1e-9)
        assert gaussian_dp.gaussian_delta(0.0, cost) == pytest.approx(1 - 2 * p, rel=1e-9)


def test_renyi_views_are_what_another_program_says():
    rdp = pytest.importorskip("dp_accounting.rdp.rdp_privacy_accountant")
    for rate, noise in ((0.01, 1.0), (0.3, 5.0)):
        theirs = rdp._compute_rdp_poisson_subsampled_gaussian(rate, noise, [2, 8, 64])
        assert [currencies.sampled_rdp(rate, noise, 1, order) for order in (2, 8, 64)] == pytest.approx(
            list(theirs), rel=1e-6
        )
    assert currencies.sampled_rdp(1.0, 4.0, 3, 8) == pytest.approx(3 * 8 / 32)


TRAININGS = st.tuples(st.floats(1e-4, 0.9), st.floats(0.5, 20), st.integers(1, 3000))
CHANGES = st.tuples(st.sampled_from(["rate", "noise", "steps", "delta"]), st.floats(1.05, 3))


def less_and_more(training, change):
    """A training and one that gives away less by one argument, each with its delta."""
    (rate, noise, steps), (argument, factor) = training, change
    less = {
        "rate": ((rate / factor, noise, steps), 1e-6),
        "noise": ((rate, noise * factor, steps), 1e-6),
        "steps": ((rate, noise, max(1, int(steps / factor))), 1e-6),
        "delta": (training, 1e-6 * factor),
    }
    (small, large), delta = (DpSgd(*less[argument][0]), DpSgd(*training)), less[argument][1]
    return (small, delta), (large, 1e-6)


@pytest.mark.parametrize("cases", [20, pytest.param(10_000, marks=pytest.mark.slow)])
def test_epsilon_is_monotone_in_every_argument(cases):
    @settings(max_examples=cases, deadline=None)
    @given(TRAININGS, CHANGES)
    def law(training, change):
        (small, delta), (large, usual) = less_and_more(training, change)
        assert nonadaptive.epsilon([small], delta) <= nonadaptive.epsilon([large], usual) * (1 + 2e-3) + 1e-5

    law()


@pytest.mark.parametrize("cases", [6, pytest.param(1000, marks=pytest.mark.slow)])
def test_the_price_is_monotone_in_every_argument(cases):
    @settings(max_examples=cases, deadline=None)
    @given(TRAININGS, CHANGES)
    def law(training, change):
        (small, _), (large, _) = less_and_more(training, change)
        assert small.cost.gaussian <= large.cost.gaussian * (1 + 1e-2) + 1e-9 * gaussian_dp.COST_UNIT

    law()


@pytest.mark.parametrize(
    "event",
    [
        DpSgd(1e-300, 1.0, 5),
        DpSgd(1e-9, 1e-9, 2**32),
        DpSgd(0.5, 1e300, 2**32),
        DpSgd(1e-3, 1.0, 2**32),
        DpSgd(0.999999, 0.01, 1),
        DpSgd(1e-5, 5e-324, 1),
        DpSgd(0.2, 0.021, 10**7),
        ExternalProgram(100.0, 0.1),
        ExternalProgram(5e-324),
        ExternalProgram(5e-324, 5e-324),
        ExternalProgram(5e-324, 1 - 2**-53),
        Gaussian(5e-324),
    ],
    ids=str,
)
def test_extreme_events_are_answered_soon(event):
    cost, epsilon = soon(2, lambda: (event.cost, nonadaptive.epsilon([event], 1e-6)))
    assert cost.gaussian + cost.delta + cost.epsilon > 0
    assert epsilon >= 0


def test_what_cannot_be_private_is_infinite():
    assert nonadaptive.epsilon([ExternalProgram(1.0, 1e-6)], 1e-6) == math.inf
    assert nonadaptive.epsilon([], 1e-6) == 0
