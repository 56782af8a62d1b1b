"""White-box audits of pate-gan's votes: all noised counts on neighbouring tables, against the claim of their events.

Teachers, questions and events are the mechanism's own. On the pair of tables here one row makes one teacher say yes to
every question, and nobody does without it, so that the counts move as far as was paid for and the likelihood ratio is
exact. False alarms: ALPHA each.
"""

from __future__ import annotations

import math
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from dpsynth.accounting import currencies
from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.dp import DPAuditor
from dpsynth.auditing.mechanism.pairs import Pair
from dpsynth.base.code_name import code_name
from dpsynth.kernel import accountant
from dpsynth.kernel.accountant import Charge
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Grant
from dpsynth.kernel.noise import operating_system_bits
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.neural.pate_gan import PATEGAN
from dpsynth.mechanisms.neural.votes import Questions
from dpsynth.training import teachers

ALPHA = 1e-4
ROUNDS, QUESTIONS, TEACHERS = 4, 25, 5
EVENTS = PATEGAN(rounds=ROUNDS, questions=QUESTIONS).votes(Budget(10.0, 1e-6))
CLAIM = PrivacyClaim(mu=currencies.mu_of(sum(e.cost.gaussian for e in EVENTS)))

SHARES = [np.array([0.85, 0.1, 0.05]), np.array([0.9, 0.1])]
BASE, ROW, NOBODYS = (0, 1), (1, 1), (2, 1)
"""A row that goes against the question; the one more; and a question to which no teacher of either says yes."""

PAIR = Pair("one row more", *(pd.DataFrame(rows, columns=["a", "b"]) for rows in ([BASE] * 6, [*[BASE] * 6, ROW])))


def transcript(about):
    """A fit_sample: the noised counts of all rounds, shape (rounds, questions). about: the row asked about in each."""

    def run(table, rng):
        rows = SensitiveRows(table.to_numpy(np.int64), sizes=(3, 2), protects=PrivacyUnit())
        asked = teachers.Teachers(rows, TEACHERS, operating_system_bits)
        charges = [
            Charge(event, Grant(operating_system_bits, None, "", 0, code=code_name(Questions.teacher)))
            for event in EVENTS
        ]
        questions = [Questions(np.array([row] * QUESTIONS), SHARES) for row in about]
        votes = [asked.vote(q.teacher(), QUESTIONS) for q in questions]
        return np.array([c.gaussian(v)[0] for c, v in zip(charges, votes, strict=True)])

    return run


def likelihood_ratio(counts):
    """log of how much likelier the counts are with one yes more to each question."""
    stddev = EVENTS[0].noise_multiplier * math.sqrt(QUESTIONS)
    return float(np.sum(2 * counts - 1)) / (2 * stddev**2)


def difference(counts):
    """How much more than a half the rounds that ask about the row exceed the others: noise that is not new cancels."""
    return float(np.mean(counts[1::2]) - np.mean(counts[::2])) - 0.5


ATTACKS = {
    "likelihood": (likelihood_ratio, [ROW] * ROUNDS),
    "difference": (difference, [NOBODYS, ROW] * (ROUNDS // 2)),
}


def audit(attack, runs):
    statistic, about = ATTACKS[attack]
    options = {"runs": runs, "statistic": statistic, "threshold": 0.0, "alpha": ALPHA, "seed": 5}
    return DPAuditor(transcript(about), CLAIM, [PAIR], "white-box", **options).run()


def half_the_noise(honest):
    return lambda stddev, bits: honest(stddev / 2, bits)


def used_again(honest):
    """The noise of a round serves the next one too."""
    kept: list[np.ndarray] = []

    def draw(stddev, bits):
        if kept:
            return kept.pop()
        kept.append(honest(stddev, bits))
        return kept[-1].copy()

    return draw


def with_two_teachers(honest):
    """Every row with its own teacher and with the next one."""

    def parted(codes, number, bits):
        parts = honest(codes, number, bits)
        return [np.concatenate([parts[i], parts[i - 1]]) for i in range(number)]

    return parted


NOISE = accountant.rounded_gaussian
DOUBLES = {
    "half the noise": ("likelihood", mock.patch.object(accountant, "rounded_gaussian", half_the_noise(NOISE))),
    "two teachers": ("likelihood", mock.patch.object(teachers, "parted", with_two_teachers(teachers.parted))),
    "noise used again": ("difference", mock.patch.object(accountant, "rounded_gaussian", used_again(NOISE))),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("runs", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_votes_are_not_refuted(attack, runs):
    found = audit(attack, runs)
    assert not found.refuted, found.summary()


@pytest.mark.parametrize("double", DOUBLES)
def test_half_the_noise_a_second_teacher_and_noise_used_again_are_refuted(double):
    attack, broken = DOUBLES[double]
    with broken:
        assert audit(attack, runs=250).refuted


@pytest.mark.parametrize(("runs", "share"), [(400, 0.6), pytest.param(2000, 0.78, marks=pytest.mark.slow)])
def test_the_attack_sees_most_of_what_was_paid_for(runs, share):
    """So that a pass means something. What is missing is the interval's width, and 4 standard deviations of chance."""
    assert audit("likelihood", runs).pairs[0].mu_lower > share * CLAIM.mu


def test_the_row_moves_every_count_by_one():
    """The premise of the exact likelihood, on many draws of teachers."""
    for _ in range(50):
        for table, expected in ((PAIR.first, 0), (PAIR.second, 1)):
            rows = SensitiveRows(table.to_numpy(np.int64), sizes=(3, 2), protects=PrivacyUnit())
            asked = teachers.Teachers(rows, TEACHERS, operating_system_bits)
            with mock.patch.object(accountant, "rounded_gaussian", lambda stddev, bits: np.zeros(stddev.shape)):
                for row, count in ((ROW, expected), (NOBODYS, 0)):
                    teacher = Questions(np.array([row]), SHARES).teacher()
                    charge = Charge(
                        EVENTS[0], Grant(operating_system_bits, None, "", 0, code=code_name(Questions.teacher))
                    )
                    counts, _ = charge.gaussian(asked.vote(teacher, 1))
                    assert counts.tolist() == [count]
