"""White-box audits of training: its noised steps on neighbouring tables, against the claim of its event.

The auditor sees every noisy step and knows the exact likelihoods. What is sound passes every attack; each double, as it
was found in somebody's library, is refuted by one of them. False alarms: ALPHA each.
"""

from __future__ import annotations

import math
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from dpsynth.accounting import currencies, nonadaptive
from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.dp import DPAuditor
from dpsynth.auditing.mechanism.pairs import Pair
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.training import dpsgd
from dpsynth.training.event import DpSgd
from tests.rings.unkept import grant

ALPHA = 1e-4
PAIR = Pair("one record more", pd.DataFrame({"a": [0] * 10}), pd.DataFrame({"a": [0] * 10 + [1]}))
OFTEN = DpSgd(0.5, 2.0, 20)
SELDOM = DpSgd(0.1, 0.2, 10)
"""One epoch with hardly any noise: whether the record took part is seen, and by chance it did not."""

PARAMETERS = 20


def transcript(event):
    """A fit_sample: all steps, in units of the clip. Records have gradients of 0, and the one more that of the clip."""

    def gradients(codes):
        answer = np.zeros((len(codes), PARAMETERS), dtype=np.float32)
        answer[:, 0] = codes[:, 0]
        return answer

    def run(table, rng):
        rows = SensitiveRows(table.to_numpy(np.int64), sizes=(2,), protects=PrivacyUnit())
        options = {"parameters": PARAMETERS, "clip": 1.0, "assumed_rows": 10.0}
        training = dpsgd.Training(event.rate, event.noise_multiplier, grant(event, reads=transcript), rows, **options)
        return np.array([training.step(gradients) for _ in range(event.steps)]) * event.rate * 10

    return run


def likelihood_ratio(event):
    """log of how much likelier the steps are with the record more."""

    def ratio(found):
        shift = (2 * found[:, 0] - 1) / (2 * event.noise_multiplier**2)
        return float(np.logaddexp(math.log1p(-event.rate), math.log(event.rate) + shift).sum())

    return ratio


def smallness(found):
    """Less noise: what a divisor that counts the records gives away."""
    return -float(np.square(found[:, 1:]).sum())


def claim_of(event):
    """The Gaussian curve that the event is paid for."""
    return PrivacyClaim(mu=currencies.mu_of(event.cost.gaussian))


def at_delta(event, delta):
    """What the event costs by its loss distribution, at this delta."""
    return PrivacyClaim(nonadaptive.epsilon([event], delta), delta)


ATTACKS = {
    "likelihood": (OFTEN, claim_of(OFTEN), likelihood_ratio(OFTEN)),
    "scale": (OFTEN, claim_of(OFTEN), smallness),
    "taking part": (SELDOM, at_delta(SELDOM, 0.7), likelihood_ratio(SELDOM)),
}


ENOUGH = {"likelihood": 500, "scale": 400, "taking part": 200}
"""Runs that refute the double of each attack."""


def audit(attack, runs):
    event, claim, statistic = ATTACKS[attack]
    auditor = DPAuditor(
        transcript(event), claim, [PAIR], "white-box", runs=runs, statistic=statistic, alpha=ALPHA, seed=5
    )
    return auditor.run()


def half_the_noise(honest):
    return lambda stddev, bits: honest(stddev / 2, bits)


def shuffled():
    """Each record in exactly one step of an epoch, billed as if each step drew anew."""
    batches: list[np.ndarray] = []
    rng = np.random.default_rng(1)

    def sample(rows, rate, bits):
        if not batches:
            batches.extend(np.array_split(rng.permutation(rows), round(1 / rate)))
        chosen = np.zeros(rows, dtype=bool)
        chosen[batches.pop()] = True
        return chosen

    return sample


def divided_by_exact_n(training_step):
    def step(training, gradients):
        rows = len(dpsgd._exact_codes(object.__getattribute__(training, "_Training__rows")))
        return training_step(training, gradients) * 10 / rows

    return step


DOUBLES = {
    "likelihood": mock.patch.object(dpsgd, "rounded_gaussian", half_the_noise(dpsgd.rounded_gaussian)),
    "scale": mock.patch.object(dpsgd.Training, "step", divided_by_exact_n(dpsgd.Training.step)),
    "taking part": mock.patch.object(dpsgd, "poisson_sample", shuffled()),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("runs", [150, pytest.param(1000, marks=pytest.mark.slow)])
def test_training_is_not_refuted(attack, runs):
    found = audit(attack, runs)
    assert not found.refuted, found.summary()


@pytest.mark.parametrize("attack", DOUBLES)
def test_half_the_noise_an_exact_row_count_and_shuffling_are_refuted(attack):
    with DOUBLES[attack]:
        assert audit(attack, ENOUGH[attack]).refuted


def test_an_attack_sees_much_of_what_was_paid_for():
    """So that a pass means something: the rate is a half, and what Poisson sampling leaves is seen."""
    assert audit("likelihood", runs=500).pairs[0].mu_lower > 0.4 * currencies.mu_of(OFTEN.cost.gaussian)


@pytest.mark.parametrize("epsilon", [1.0, 3.0, 10.0])
def test_what_dp_ctgan_trains_costs_what_another_program_says_to_a_thousandth(epsilon):
    accounting = pytest.importorskip("dp_accounting")
    event = DPCTGAN().training(Budget(epsilon, 1e-6))
    accountant = accounting.pld.PLDAccountant(value_discretization_interval=1e-4)
    step = accounting.PoissonSampledDpEvent(event.rate, accounting.GaussianDpEvent(event.noise_multiplier))
    accountant.compose(step, event.steps)
    assert nonadaptive.epsilon([event], 1e-6) == pytest.approx(accountant.get_epsilon(1e-6), abs=1e-3)
