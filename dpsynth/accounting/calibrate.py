"""Calibration: the least noise with which a plan fits a budget.

This is public arithmetic: nothing is read, and nothing is spent.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from dpsynth.kernel.budget import Budget, BudgetExceededError, fits, gaussian_left
from dpsynth.kernel.cost import NOTHING, Cost
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.training.event import DpSgd

Plan = Callable[[float], Event]
"""An event for each noise multiplier: `Gaussian`, for example, or what `training` returns."""

_LEAST = 0.05
"""A noise multiplier. With less, a step costs those in its batch a mu of 20 and protects nobody."""

_MOST = 2.0**20
"""A noise multiplier so large that a step costs next to nothing; more noise would not help."""

_TOLERANCE = 1e-3
"""Of the logarithm of the noise: a thousandth more than the least, which no user would notice."""


def calibrate(budget: Budget, plan: Plan, already: Cost = NOTHING) -> Event:
    """The plan's event with the least noise with which it fits the budget, or a thousandth more.

    The filter of `kernel/budget.py` decides what fits, so the event can be charged.

    Parameters
    ----------
    budget : Budget
        Of the account.
    plan : callable of float to Event
        The event for each noise multiplier.
    already : Cost
        What the account has paid or reserved before.

    Returns
    -------
    Event
        With a noise multiplier of 0.05 or more.

    Raises
    ------
    BudgetExceededError
        Where no noise makes the plan fit.

    Examples
    --------
    >>> from dpsynth import Budget
    >>> round(calibrate(Budget(1.0, 1e-6), training(0.01, 1000)).noise_multiplier, 2)
    1.63
    """
    left = gaussian_left(already, budget)
    if plan is Gaussian and left > 0:
        return Gaussian.spending(left)

    def excess(log_noise: float) -> float:
        """Logarithm of the event's cost over what is left; at most 0 where it fits."""
        cost = plan(math.exp(log_noise)).cost
        apart = math.log(max(1, cost.gaussian)) - math.log(left)
        # The filter has the last word, where the deltas of events decide as well.
        return min(0.0, apart) if fits(already + cost, budget) else max(1e-9, apart)

    if left <= 0 or excess(math.log(_MOST)) > 0:
        raise BudgetExceededError(
            f"what is left of {budget} does not pay for {plan(_MOST)}, however much noise is added:"
            " ask for a larger budget, or for fewer steps"
        )
    return plan(math.exp(_least(excess)))


def _least(excess: Callable[[float], float]) -> float:
    """The least logarithm of noise at which the excess is not above 0, or _TOLERANCE more."""
    low = math.log(_LEAST)
    at_low = math.inf
    high = 0.0
    at_high = excess(high)
    while at_high > 0:
        low = high
        at_low = at_high
        high += 1.0
        at_high = excess(high)
    while high - low > _TOLERANCE:
        # Where a straight line between the two ends crosses 0, and a little further, so that both
        # ends move; but never so near to an end that the interval would hardly shrink.
        share = at_high / (at_high - at_low) if math.isfinite(at_low) else 0.5
        middle = high - (high - low) * min(0.95, max(0.05, 1.02 * share))
        found = excess(middle)
        if found <= 0:
            high = middle
            at_high = found
        else:
            low = middle
            at_low = found
    return high


def training(rate: float, steps: int) -> Plan:
    """The plan of training by DP-SGD, for `calibrate`.

    Parameters
    ----------
    rate : float
        The part of the units that a batch holds on average, above 0 and at most 1.
    steps : int
        How many batches there are.

    Returns
    -------
    callable of float to Event
        `DpSgd` for each noise multiplier.
    """
    return lambda noise_multiplier: DpSgd(rate, noise_multiplier, steps)
