"""Budget: an (epsilon, delta), what it affords, and the refusal to go over it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dpsynth.privacy import curves, noise

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
    def by(cls, purpose: str, after: int, before: int, budget: Budget, whose: str) -> BudgetExceeded:
        would, now = spent(after, budget).epsilon, spent(before, budget).epsilon
        return cls(
            f"{purpose}: this charge would bring epsilon to {would:.6g}, over the {budget.epsilon:.6g} of {whose}"
            f" (spent {now:.6g} at delta={budget.delta:g}); nothing was spent: use a smaller epsilon or a larger budget"
        )


Cost = int
"""What events cost together, in units of `curves.COST_UNIT`: starts at NOTHING, adds with +, judged by the functions
below and nowhere else."""

NOTHING: Cost = 0


def fits(cost: Cost, budget: Budget) -> bool:
    """Whether events of this total cost stay within the budget, whatever made them be chosen."""
    return cost <= affordable(budget)


def within(cost: Cost, reserved: Cost) -> bool:
    """Whether what was reserved covers this cost."""
    return cost <= reserved


def gaussian_left(cost: Cost, budget: Budget) -> int:
    """The largest further Gaussian cost that fits the budget; 0 or less when there is none."""
    return affordable(budget) - cost


def gaussian_within(cost: Cost, reserved: Cost) -> int:
    """The largest further Gaussian cost that stays within what was reserved."""
    return reserved - cost


def affordable(budget: Budget) -> int:
    """The total cost (units of `curves.COST_UNIT`) that this budget can bear, rounded down."""
    return curves.gaussian_budget(budget.epsilon, _delta_for_mechanisms(budget))


def spent(cost: int, budget: Budget) -> Budget:
    """What events of this total cost amount to, at the budget's delta."""
    return Budget(min(MAX_EPSILON, curves.gaussian_epsilon(cost, _delta_for_mechanisms(budget))), budget.delta)


def _delta_for_mechanisms(budget: Budget) -> float:
    """delta, less what the sampler's total variation tau costs over all draws.

    With M' within tau of M:  M'(D) <= M(D) + tau <= e^eps M(D') + delta + tau
                                    <= e^eps M'(D') + delta + (1 + e^eps) tau.
    """
    sampler = (1 + math.exp(MAX_EPSILON)) * MAX_DRAWS * noise.TOTAL_VARIATION
    return math.nextafter(budget.delta - sampler, 0)
