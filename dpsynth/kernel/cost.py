"""Cost: what events take from an account, as whole numbers that add exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from dpsynth.kernel.gaussian_dp import COST_UNIT


@dataclass(frozen=True)
class Cost:
    """gaussian: mu^2 of the Gaussian curve that stands for the events; delta: what they may lack of it, in all;
    epsilon: of events of which no curve is known.

    All are in units of 2^-120, rounded up for each event. `prices/gdp_upper_bound.py` says why such costs add,
    whatever the choice of each event depends on.
    """

    gaussian: int = 0
    delta: int = 0
    epsilon: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.gaussian + other.gaussian, self.delta + other.delta, self.epsilon + other.epsilon)


NOTHING = Cost()


def units(figure: float) -> int:
    """An epsilon or a delta in units of 2^-120, rounded up."""
    return math.ceil(Fraction(figure) * COST_UNIT)
