"""What is trained, settled before anything is read: public arithmetic on the budget and the settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from dpsynth.privacy.accountant import Accountant
from dpsynth.privacy.budget import Budget, Cost, affordable
from dpsynth.privacy.calibrate import calibrate, training
from dpsynth.privacy.dpsgd import row_rate
from dpsynth.privacy.events import DpSgd, Event, Gaussian
from dpsynth.privacy.unit import PrivacyUnit

MOST_SHARE = 0.9
"""Of a budget, for training: columns have to be measured too, and their bounds learned perhaps."""


def training_for(budget: Budget, share: float, rate: float, steps: int) -> DpSgd:
    """So many steps at this rate, with hardly more noise than this share of the budget affords.

    Raises BudgetExceeded where it affords none, whatever the noise.
    """
    rest = math.ceil(affordable(budget) * (1 - share))
    event = calibrate(budget, training(rate, steps), Cost(rest))
    assert isinstance(event, DpSgd)
    return event


def with_training(budget: Budget, event: DpSgd) -> list[Event]:
    """What a run sets aside: the training, and Gaussian noise for all else."""
    return [event, Gaussian.spending(affordable(budget) - event.cost.gaussian)]


def reserved_training(accountant: Accountant) -> DpSgd:
    """The training that the run has set aside; ValueError, before any charge, unless there is one."""
    events = accountant.reserved(DpSgd)
    if len(events) != 1:
        raise ValueError(
            f"this mechanism needs an accountant that has set one training aside, got {len(events)}:"
            " Accountant(budget, reserve=mechanism.reserve(budget))"
        )
    return events[0]


def noise_length(event: DpSgd, parameters: int, rows: float, unit: PrivacyUnit) -> float:
    """The expected length of the noise of one step beside the longest gradient that a step can have, 1."""
    records = unit.max_records
    return event.noise_multiplier * records * math.sqrt(parameters) / (row_rate(event.rate, records) * rows)


def perceptron_size(widths: Sequence[int]) -> int:
    """How many parameters a network with layers of these widths has."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
