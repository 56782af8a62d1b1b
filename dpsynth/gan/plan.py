"""How much noise a part of the budget buys for training: public arithmetic before anything is charged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from dpsynth.data.table import PrivateTable
from dpsynth.privacy import curves
from dpsynth.privacy.dpsgd import row_rate
from dpsynth.privacy.events import DpSgd

_TRIES = 8
_ENOUGH, _TOWARD = 0.94, 0.97
_FLATTEST = 0.05
_LARGEST = 200.0
_LEAST, _MOST = 0.05, 2.0**18


def likely_event(cost: int, rate: float, steps: int) -> DpSgd:
    """The training that costs about this, by the central limit of Gaussian DP; a guess in a microsecond.

    mu = rate * sqrt(steps * (exp(1 / noise_multiplier^2) - 1)): Bu, Dong, Long, Su, arXiv 1911.11607, Cor. 4.
    """
    part = curves.mu_of(cost) / rate
    return DpSgd(rate, min(_MOST, max(_LEAST, 1 / math.sqrt(math.log1p(part * part / steps)))), steps)


def affordable_event(cost: int, rate: float, steps: int) -> DpSgd | None:
    """Training that costs no more than this, and as a rule not much less; None where none was found.

    A price takes long to compute, so the guess is corrected by how far its price was off, and then by a secant on
    logarithms: two or three prices as a rule.
    """
    aim, slope, best, last = math.log(cost), 1.0, None, None
    for _ in range(_TRIES):
        event = likely_event(int(math.exp(min(aim, _LARGEST))), rate, steps)
        price = event.cost.gaussian
        if price <= cost and (best is None or event.noise_multiplier < best.noise_multiplier):
            best = event
        if price == 0 or _ENOUGH * cost <= price <= cost:
            break
        if last is not None and last[0] != aim and last[1] != math.log(price):
            slope = (math.log(price) - last[1]) / (aim - last[0])
        last = aim, math.log(price)
        aim += (math.log(cost) - last[1] + math.log(_TOWARD)) / max(slope, _FLATTEST)
    return best


def noise_length(event: DpSgd, parameters: int, rows: float, table: PrivateTable) -> float:
    """The expected length of the noise of one step beside the longest gradient that a step can have, 1."""
    records = table.unit.max_records
    return event.noise_multiplier * records * math.sqrt(parameters) / (row_rate(event.rate, records) * rows)


def perceptron_size(widths: Sequence[int]) -> int:
    """How many parameters a network with layers of these widths has."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
