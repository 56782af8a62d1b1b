"""Budget: an (epsilon, delta), what it affords, and the refusal to go over it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from dpsynth.privacy import curves, noise
from dpsynth.privacy.cost import NOTHING, Cost
from dpsynth.privacy.curves import COST_UNIT

__all__ = [
    "NOTHING",
    "Budget",
    "BudgetExceeded",
    "Cost",
    "affordable",
    "delta_less_sampler",
    "delta_set_aside",
    "fits",
    "gaussian_left",
    "gaussian_within",
    "spent",
    "within",
]

MAX_DRAWS = 2**60
"""No account can hold more noise draws than this; their total variation is taken from delta beforehand."""

LEAST_COST = curves.COST_UNIT >> 60
"""mu = 2^-30: an accountant needs this much, so that no share of it asks for noise beyond what can be drawn."""


@dataclass(frozen=True)
class Budget:
    """(epsilon, delta) differential privacy. epsilon: a finite number, 0 or more; delta: strictly between 0 and 1."""

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        for name, value in (("epsilon", self.epsilon), ("delta", self.delta)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{name} must be a number, got {value!r}")
        if not 0 <= self.epsilon <= MAX_EPSILON:
            raise ValueError(f"epsilon must be between 0 and {MAX_EPSILON:g}, got {self.epsilon!r}")
        if not 0 < self.delta < 1:
            raise ValueError(f"delta must lie strictly between 0 and 1 (1e-6, say), got {self.delta!r}")
        object.__setattr__(self, "epsilon", float(self.epsilon))
        object.__setattr__(self, "delta", float(self.delta))


MAX_EPSILON = 100.0
"""Above this a guarantee says nothing, and e^epsilon would outgrow what delta keeps for the sampler."""


class BudgetExceeded(RuntimeError):
    """The charge was refused: nothing was spent, and nothing was read."""

    @classmethod
    def by(cls, purpose: str, after: Cost, before: Cost, budget: Budget, whose: str) -> BudgetExceeded:
        if after.delta > _aside(budget):
            return cls(
                f"{purpose}: this charge would bring what events have of deltas of their own to"
                f" {after.delta / COST_UNIT:.3g}, over the {delta_set_aside(budget):.3g} that {whose} set aside for it;"
                " nothing was spent: use a smaller delta for the event or a larger one for the budget"
            )
        would, now = spent(after, budget).epsilon, spent(before, budget).epsilon
        return cls(
            f"{purpose}: this charge would bring epsilon to {would:.6g}, over the {budget.epsilon:.6g} of {whose}"
            f" (spent {now:.6g} at delta={budget.delta:g}); nothing was spent: use a smaller epsilon or a larger budget"
        )


def fits(cost: Cost, budget: Budget) -> bool:
    """Whether events of this total cost stay within the budget, whatever made them be chosen."""
    return cost.gaussian <= affordable(budget) and cost.delta <= _aside(budget)


def within(cost: Cost, reserved: Cost) -> bool:
    """Whether what was reserved covers this cost, part by part."""
    return cost.gaussian <= reserved.gaussian and cost.delta <= reserved.delta


def gaussian_left(cost: Cost, budget: Budget) -> int:
    """The largest further Gaussian cost that fits the budget; 0 or less when there is none."""
    return affordable(budget) - cost.gaussian


def gaussian_within(cost: Cost, reserved: Cost) -> int:
    """The largest further Gaussian cost that stays within what was reserved."""
    return reserved.gaussian - cost.gaussian


def affordable(budget: Budget) -> int:
    """The largest Gaussian cost (units of `curves.COST_UNIT`) that this budget can bear, rounded down."""
    return curves.gaussian_budget(budget.epsilon, _delta_for_mechanisms(budget))


def spent(cost: Cost, budget: Budget) -> Budget:
    """What events of this total cost amount to, at the budget's delta."""
    return Budget(min(MAX_EPSILON, curves.gaussian_epsilon(cost.gaussian, _delta_for_mechanisms(budget))), budget.delta)


def delta_set_aside(budget: Budget) -> float:
    """What events may have of deltas of their own, in all: one part in 2^28 of delta, kept for it from the start."""
    return _aside(budget) / COST_UNIT


def _aside(budget: Budget) -> int:
    return math.floor(Fraction(budget.delta) / 2**28 * COST_UNIT)


def delta_less_sampler(delta: float) -> float:
    """delta, less what the sampler's total variation tau costs over all draws.

    With M' within tau of M:  M'(D) <= M(D) + tau <= e^eps M(D') + delta + tau
                                    <= e^eps M'(D') + delta + (1 + e^eps) tau.
    """
    sampler = (1 + math.exp(MAX_EPSILON)) * MAX_DRAWS * noise.TOTAL_VARIATION
    return math.nextafter(delta - sampler, 0)


def _delta_for_mechanisms(budget: Budget) -> float:
    """What is left of delta for the Gaussian curve: less the sampler's part, and less what is set aside."""
    return math.nextafter(delta_less_sampler(budget.delta) - delta_set_aside(budget) * (1 + 2**-50), 0)
