"""DpSgd: the event of a training, what it costs, and whom it protects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dpsynth.base.numbers import positive, whole
from dpsynth.kernel.cost import Cost, units
from dpsynth.kernel.events import Event, Grant
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.prices import gdp_upper_bound
from dpsynth.training.dpsgd import Training
from dpsynth.training.steps import Steps

MAX_STEPS = 2**32


@dataclass(frozen=True)
class DpSgd(Event):
    """`steps` noisy sums of clipped gradients over Poisson samples (Abadi et al., arXiv 1607.00133, Algorithm 1).

    In each step every unit takes part with probability `rate`, independently of all others and of all former steps;
    what it adds to the sum has a 2-norm of at most C; and N(0, (noise_multiplier * C)^2) is added to every coordinate.
    What is summed may depend on former answers; rate, noise_multiplier and steps may not. The guarantee is for units
    added or removed, not for units replaced: the sampling hides whether a unit took part, not which one did.
    """

    rate: float
    noise_multiplier: float
    steps: int

    def __post_init__(self) -> None:
        multiplier = positive("noise_multiplier of a DpSgd event", self.noise_multiplier)
        rate = positive("rate of a DpSgd event", self.rate)
        if rate > 1:
            raise ValueError(f"rate of a DpSgd event must be a probability above 0 and at most 1, got {self.rate!r}")
        whole("steps of a DpSgd event", self.steps, MAX_STEPS)
        object.__setattr__(self, "noise_multiplier", multiplier)
        object.__setattr__(self, "rate", rate)

    @property
    def cost(self) -> Cost:
        """The price of a Gaussian curve from which theirs is nowhere further than `gdp_upper_bound.TAU`."""
        price, approximate = gdp_upper_bound.gaussian_price(self.rate, self.noise_multiplier, self.steps)
        return Cost(price, units(gdp_upper_bound.TAU) if approximate else 0)

    def refuse(self, unit: PrivacyUnit) -> None:
        if unit.adjacency == "replace" and self.rate < 1:
            raise ValueError(
                f"training on random samples hides whether a unit took part, not which one: {self} needs a unit with"
                ' adjacency="add-remove", or rate 1'
            )

    def progress(self) -> Steps:
        return Steps(self.steps)

    def redeem(self, grant: Grant, rows: SensitiveRows, **options: Any) -> Training:
        """The steps that are paid for, or that are left of them. Options: parameters, clip, assumed_rows, block."""
        return Training(self.rate, self.noise_multiplier, grant, rows, **options)
