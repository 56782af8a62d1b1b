"""Budget: an (epsilon, delta), what it affords, and the refusal to go over it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from dpsynth.base.errors import DPSynthError
from dpsynth.kernel import gaussian_dp, noise
from dpsynth.kernel.cost import Cost
from dpsynth.kernel.gaussian_dp import COST_UNIT

MAX_DRAWS = 2**60
"""No account can hold more noise draws than this; their total variation is taken from delta beforehand."""

MIN_COST = gaussian_dp.COST_UNIT >> 60
"""mu = 2^-30: an accountant needs this much, so that no share of it asks for noise beyond what can be drawn."""


@dataclass(frozen=True)
class Budget:
    """(epsilon, delta) differential privacy.

    Parameters
    ----------
    epsilon, delta : float
        From 0 to 100, and strictly between 0 and 1.
    programs_epsilon, programs_delta : float
        What of it is kept from the start for other programs (`ExternalProgram`); deltas that trainings and discoveries
        have of their own, beyond delta / 2^28, are paid from it too. Nothing else can be.
    """

    epsilon: float
    delta: float
    programs_epsilon: float = 0.0
    programs_delta: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{name} must be a number, got {value!r}")
        if not 0 <= self.epsilon <= MAX_EPSILON:
            raise ValueError(f"epsilon must be between 0 and {MAX_EPSILON:g}, got {self.epsilon!r}")
        if not 0 < self.delta < 1:
            raise ValueError(f"delta must lie strictly between 0 and 1 (1e-6, say), got {self.delta!r}")
        if not 0 <= self.programs_epsilon <= self.epsilon:
            raise ValueError(f"programs_epsilon is a part of epsilon ({self.epsilon:g}), got {self.programs_epsilon!r}")
        if not 0 <= self.programs_delta <= self.delta * MAX_FOR_PROGRAMS:
            raise ValueError(
                f"programs_delta must be between 0 and {self.delta * MAX_FOR_PROGRAMS:.9g} (delta less a millionth of"
                f" it), got {self.programs_delta!r}"
            )
        for name, value in vars(self).items():
            object.__setattr__(self, name, float(value))

    @classmethod
    def for_programs(cls, epsilon: float, delta: float) -> Budget:
        """The budget of a run that has another program do everything: all that can be kept for programs is."""
        whole = cls(epsilon, delta)
        return cls(epsilon, delta, whole.epsilon, whole.delta * MAX_FOR_PROGRAMS)

    @property
    def claim(self) -> dict[str, float]:
        """What is claimed of whatever stays within it, as JSON holds it."""
        return {"epsilon": self.epsilon, "delta": self.delta}


MAX_FOR_PROGRAMS = 1 - 2.0**-20
"""The part of delta that can be kept for programs at most."""

MAX_EPSILON = 100.0
"""Above this a guarantee says nothing, and e^epsilon would outgrow what delta keeps for the sampler."""


class BudgetExceededError(DPSynthError, RuntimeError):
    """The charge was refused: nothing was spent, and nothing was read."""

    @classmethod
    def by(cls, purpose: str, after: Cost, before: Cost, budget: Budget, whose: str) -> BudgetExceededError:
        kept = kept_for_programs(budget)
        for what, sum_of, most, remedy in (
            ("deltas of their own", after.delta, kept.delta, "programs_delta"),
            ("epsilons of other programs", after.epsilon, kept.epsilon, "programs_epsilon"),
        ):
            if sum_of > most:
                return cls(
                    f"{purpose}: the {what} would come to {sum_of / COST_UNIT:.6g}, over the {most / COST_UNIT:.6g}"
                    f" that {whose} keeps for them from the start; nothing was spent: ask for less, or use a"
                    f" budget that keeps more ({remedy})"
                )
        would, now = spent(after, budget).epsilon, spent(before, budget).epsilon
        return cls(
            f"{purpose}: this charge would bring epsilon to {would:.6g}, over the {budget.epsilon:.6g} of {whose}"
            f" (spent {now:.6g} at delta={budget.delta:g}); nothing was spent: use a smaller epsilon or a larger budget"
        )


BudgetExceeded = BudgetExceededError
"""The same class by its shorter name."""


def fits(cost: Cost, budget: Budget) -> bool:
    """Whether events of this total cost stay within the budget, whatever made them be chosen."""
    kept = kept_for_programs(budget)
    return cost.gaussian <= affordable(budget) and cost.delta <= kept.delta and cost.epsilon <= kept.epsilon


def within(cost: Cost, reserved: Cost) -> bool:
    """Whether what was reserved covers this cost, part by part."""
    return cost.gaussian <= reserved.gaussian and cost.delta <= reserved.delta and cost.epsilon <= reserved.epsilon


def gaussian_left(cost: Cost, budget: Budget) -> int:
    """The largest further Gaussian cost that fits the budget; 0 or less when there is none."""
    return affordable(budget) - cost.gaussian


def gaussian_within(cost: Cost, reserved: Cost) -> int:
    """The largest further Gaussian cost that stays within what was reserved."""
    return reserved.gaussian - cost.gaussian


def affordable(budget: Budget) -> int:
    """The largest Gaussian cost (units of `gaussian_dp.COST_UNIT`) that this budget can bear, rounded down."""
    left = budget.epsilon
    if budget.programs_epsilon:
        left = max(0.0, math.nextafter(budget.epsilon - budget.programs_epsilon, -math.inf))
    return gaussian_dp.gaussian_budget(left, _delta_for_mechanisms(budget))


def spent(cost: Cost, budget: Budget) -> Budget:
    """What events of this total cost amount to, at the budget's delta; MAX_EPSILON where no epsilon holds at it."""
    if cost.delta > kept_for_programs(budget).delta:
        return Budget(MAX_EPSILON, budget.delta)
    epsilon = gaussian_dp.gaussian_epsilon(cost.gaussian, _delta_for_mechanisms(budget))
    if cost.epsilon and epsilon < MAX_EPSILON:
        total = Fraction(epsilon) + Fraction(cost.epsilon, COST_UNIT)
        epsilon = float(total) if Fraction(float(total)) >= total else math.nextafter(float(total), math.inf)
    return Budget(min(MAX_EPSILON, epsilon), budget.delta)


def kept_for_programs(budget: Budget) -> Cost:
    """What events other than Gaussian noise may cost in all; of delta, one part in 2^28 is kept in any case."""
    delta = Fraction(budget.delta) / 2**28 + Fraction(budget.programs_delta)
    return Cost(0, math.floor(delta * COST_UNIT), math.floor(Fraction(budget.programs_epsilon) * COST_UNIT))


def delta_less_sampler(delta: float) -> float:
    """delta, less what the sampler's total variation tau costs over all draws.

    With M' within tau of M:  M'(D) <= M(D) + tau <= e^eps M(D') + delta + tau
                                    <= e^eps M'(D') + delta + (1 + e^eps) tau.
    """
    sampler = (1 + math.exp(MAX_EPSILON)) * MAX_DRAWS * noise.TOTAL_VARIATION
    return math.nextafter(delta - sampler, 0)


def _delta_for_mechanisms(budget: Budget) -> float:
    """What is left of delta for the Gaussian curve: less the sampler's part, and less what is kept for programs."""
    kept = kept_for_programs(budget).delta / COST_UNIT * (1 + 2**-50)
    return math.nextafter(delta_less_sampler(budget.delta) - kept, 0)
