"""What is trained, settled before anything is read: public arithmetic on the budget and the
settings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dpsynth.accounting.calibrate import calibrate, training
from dpsynth.base.domain import Domain
from dpsynth.base.text import short
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.budget import Budget, affordable
from dpsynth.kernel.cost import Cost
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.training.clipping import PIECE
from dpsynth.training.dpsgd import row_rate
from dpsynth.training.event import DpSgd

MAX_NOISE = 1.0
"""Of a step, in lengths of the longest gradient: beyond this the game moves columns away from what
is known of them.
"""

MAX_SHARE = 0.9
"""Of a budget, for training: columns have to be measured too, and their bounds learned perhaps."""

MAX_VOTE_NOISE = 0.25
"""On the count of votes for one question, in numbers of teachers: beyond this few dependences stand
out of it.
"""

PYTORCH_MEGABYTES = 400.0
"""That PyTorch takes when it is imported."""

_START = 3.0
_STEP = 0.024
_GRADIENT = 3.8e-9
"""CPU seconds to import PyTorch, of a step's generator, and of one parameter's gradient for one
row; benchmarks/results/gan.json.
"""

_MOVE = 0.01
_TEACHER = 2e-5
_VOTE = 5e-9
_ANSWER = 1e-8
"""CPU seconds of a step of a generator that votes teach, of a teacher in a round, of each of its
answers for each cell, and of a pair of answers for a column; from the same source.
"""


def nothing_trained(rows: float, columns: int, spent_on: str) -> str:
    """The outcome of a run without training. rows: as they were measured. spent_on: what took the
    whole budget.
    """
    reason = (
        f"with about {rows:,.0f} rows, the noise of training would exceed what can be learned"
        if columns > 1
        else "there is one column only"
    )
    return f"nothing was trained: {reason}; all was spent on {spent_on}"


def trained(event: DpSgd) -> str:
    """The outcome of a run with training."""
    return f"a critic was trained in {event.steps} steps"


def resumed(event: DpSgd) -> str:
    """The outcome of a run whose training went on after a crash."""
    return f"a critic was trained in {event.steps} steps at most, as the training was resumed"


def training_for(budget: Budget, share: float, rate: float, steps: int) -> DpSgd:
    """So many steps at this rate, with hardly more noise than this share of the budget affords.

    Raises BudgetExceededError where it affords none, whatever the noise.
    """
    rest = math.ceil(affordable(budget) * (1 - share))
    event = calibrate(budget, training(rate, steps), Cost(rest))
    assert isinstance(event, DpSgd)
    return event


def with_training(budget: Budget, event: DpSgd) -> list[Event]:
    """What a run reserves: the training, and Gaussian noise for all else."""
    return [event, Gaussian.spending(affordable(budget) - event.cost.gaussian)]


def reserved_training(accountant: Accountant) -> DpSgd:
    """The training that the run has reserved; ValueError, before any charge, unless there is
    one.
    """
    events = accountant.reserved(DpSgd)
    if len(events) != 1:
        raise ValueError(
            "this mechanism needs an accountant that has reserved one training, got"
            f" {len(events)}:"
            " Accountant(budget, reserve=mechanism.reserve(budget))"
        )
    return events[0]


def votes_for(budget: Budget, share: float, rounds: int) -> list[Gaussian]:
    """An event for each round of votes, alike, for this share of the budget together."""
    each = Gaussian.spending(int(affordable(budget) * share) // rounds)
    return [each] * rounds


def with_votes(budget: Budget, votes: Sequence[Gaussian]) -> list[Event]:
    """What a run reserves: each round of votes, and Gaussian noise for all else."""
    return [*votes, Gaussian.spending(affordable(budget) - sum(v.cost.gaussian for v in votes))]


def reserved_votes(accountant: Accountant, rounds: int) -> list[Gaussian]:
    """The rounds of votes that the run has reserved; ValueError, before any charge, unless they
    are there.
    """
    events = accountant.reserved(Gaussian)
    if len(events) != rounds + 1 or len(set(events[:rounds])) > 1:
        raise ValueError(
            f"this mechanism needs an accountant that has reserved {rounds} rounds of votes:"
            " Accountant(budget, reserve=mechanism.reserve(budget))"
        )
    return events[:rounds]


def vote_noise(event: Gaussian, questions: int, teachers: int, unit: PrivacyUnit) -> float:
    """The standard deviation of the noise on one count of votes, beside the number of teachers."""
    return event.noise_multiplier * unit.max_records * math.sqrt(questions) / teachers


def noise_length(event: DpSgd, parameters: int, rows: float, unit: PrivacyUnit) -> float:
    """The expected length of the noise of one step beside the longest gradient that a step can
    have, 1.
    """
    records = unit.max_records
    return (
        event.noise_multiplier
        * records
        * math.sqrt(parameters)
        / (row_rate(event.rate, records) * rows)
    )


def perceptron_size(widths: Sequence[int]) -> int:
    """How many parameters a network with layers of these widths has."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))


@dataclass(frozen=True)
class PlannedTraining:
    """Steps of DP-SGD, all paid for at once. rows: that take part in a step, on average.

    noise_length: the expected length of a step's noise, where 1 is the longest gradient that a step
    can have. It is an upper bound: values of columns may be merged, so that the critic becomes
    smaller. seconds: that are likely, of a run without training where this bound forbids one.
    """

    steps: int
    rate: float
    noise_multiplier: float
    rows: float
    noise_length: float
    seconds: float

    def describe(self) -> str:
        length = short(self.noise_length, 2)
        return (
            f"training: {self.steps:,} steps on about {self.rows:,.0f} rows each (rate"
            f" {self.rate:g}), noise multiplier"
            f" {short(self.noise_multiplier, 3)}: a step's noise is at most {length} times as long"
            " as its longest"
            f" gradient; where it is over {MAX_NOISE:g}, nothing is trained"
        )


def planned(
    event: DpSgd, critic: Sequence[int], domain: Domain, rows: int, unit: PrivacyUnit
) -> PlannedTraining:
    """What training a critic with hidden layers of these widths would be, on about so many rows."""
    parameters = perceptron_size([sum(n for _, n in domain.sizes), *critic, 1])
    batch = row_rate(event.rate, unit.max_records) * rows
    length = noise_length(event, parameters, rows, unit)
    steps = event.steps if length <= MAX_NOISE else 0
    return PlannedTraining(
        steps=event.steps,
        rate=event.rate,
        noise_multiplier=event.noise_multiplier,
        rows=batch,
        noise_length=length,
        seconds=_START + steps * (_STEP + _GRADIENT * parameters * (batch + PIECE)),
    )


@dataclass(frozen=True)
class PlannedVotes:
    """Rounds of votes of teachers, all paid for at once.

    noise: the standard deviation of the noise on a count of votes, beside the number of teachers.
    seconds: that are likely, of a run without votes where this noise forbids them.
    """

    rounds: int
    questions: int
    teachers: int
    noise_multiplier: float
    noise: float
    seconds: float

    def describe(self) -> str:
        return (
            f"votes: {self.rounds:,} rounds of {self.questions:,} questions to about"
            f" {self.teachers:,} teachers, noise"
            f" multiplier {short(self.noise_multiplier, 3)}: the noise on a count is"
            f" {short(self.noise, 2)} of the"
            f" number of teachers; where it is over {MAX_VOTE_NOISE:g}, nothing is asked"
        )


def planned_votes(
    votes: Sequence[Gaussian],
    questions: int,
    teachers: int,
    moves: int,
    domain: Domain,
    unit: PrivacyUnit,
) -> PlannedVotes:
    """What asking so many teachers would be, with `moves` of the generator after each round."""
    rounds = len(votes)
    cells = sum(n for _, n in domain.sizes)
    asked = len(votes) * questions
    each = (
        teachers * (_TEACHER + _VOTE * questions * cells)
        + moves * _MOVE
        + _ANSWER * asked**2 * len(domain.sizes)
    )
    noise = vote_noise(votes[0], questions, teachers, unit)
    return PlannedVotes(
        rounds=rounds,
        questions=questions,
        teachers=teachers,
        noise_multiplier=votes[0].noise_multiplier,
        noise=noise,
        seconds=_START + (rounds * each if noise <= MAX_VOTE_NOISE else 0.0),
    )
