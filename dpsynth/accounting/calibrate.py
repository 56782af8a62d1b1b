"""Calibration: how little noise a plan can do with, within a budget. Public arithmetic: nothing is read or spent."""

from __future__ import annotations

import math
from collections.abc import Callable

from dpsynth.kernel.budget import Budget, BudgetExceededError, fits, gaussian_left
from dpsynth.kernel.cost import NOTHING, Cost
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.training.event import DpSgd

Plan = Callable[[float], Event]
"""An event for each noise multiplier: `Gaussian`, say, or `lambda s: DpSgd(0.01, s, 1000)`."""

_LEAST, _MOST = 0.05, 2.0**20
_TOLERANCE = 1e-3


def calibrate(budget: Budget, plan: Plan, already: Cost = NOTHING) -> Event:
    """The event of the plan with hardly more noise than the least that the budget affords beside what it has borne.

    The filter of `budget.py` decides, so that the event can be charged; noise is found to within a thousandth, from
    0.05 upward. Raises BudgetExceededError when no noise of the plan fits.
    """
    if plan is Gaussian and gaussian_left(already, budget) > 0:
        return Gaussian.spending(gaussian_left(already, budget))

    def excess(log_noise: float) -> float:
        """Logarithm of the event's cost over what is left; at most 0 where it fits."""
        cost = plan(math.exp(log_noise)).cost
        apart = math.log(max(1, cost.gaussian)) - math.log(left)
        return min(0.0, apart) if fits(already + cost, budget) else max(1e-9, apart)

    left = gaussian_left(already, budget)
    if left <= 0 or excess(math.log(_MOST)) > 0:
        raise BudgetExceededError(
            f"{budget} does not afford {plan(_MOST)} beside what it has borne, whatever the noise: ask for a larger"
            " budget, or for fewer steps"
        )
    low, at_low, high = math.log(_LEAST), math.inf, 0.0
    at_high = excess(high)
    while at_high > 0:
        low, at_low, high = high, at_high, high + 1.0
        at_high = excess(high)
    while high - low > _TOLERANCE:
        share = (
            at_high / (at_high - at_low) if math.isfinite(at_low) else 0.5
        )  # where a straight line in logarithms crosses 0
        middle = high - (high - low) * min(0.95, max(0.05, 1.02 * share))
        found = excess(middle)
        low, high, at_low, at_high = (low, middle, at_low, found) if found <= 0 else (middle, high, found, at_high)
    return plan(math.exp(high))


def training(rate: float, steps: int) -> Plan:
    """DpSgd with this rate and so many steps, for `calibrate`."""
    return lambda noise_multiplier: DpSgd(rate, noise_multiplier, steps)
