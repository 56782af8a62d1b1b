"""Events: what was done to private data, in the ledger's stable language.

An event is what a charge pays for. Its fields are public and say all that its cost depends on. A ledger file names
events by a fixed table; nothing that a file says is imported or evaluated, and an unknown name is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dpsynth.kernel import gaussian_dp
from dpsynth.kernel.cost import Cost, units
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.training import gdp_upper_bound


@dataclass(frozen=True)
class Gaussian:
    """One release of x + round(N(0, (noise_multiplier * l2)^2)), l2 the sensitivity of x: 1/noise_multiplier-GDP.

    Dong, Roth, Su, "Gaussian differential privacy", Thm 1; `noise.py` says why rounding changes nothing.
    """

    noise_multiplier: float

    def __post_init__(self) -> None:
        multiplier = positive("noise_multiplier of a Gaussian event", self.noise_multiplier)
        object.__setattr__(self, "noise_multiplier", multiplier)

    @property
    def cost(self) -> Cost:
        return Cost(gaussian_dp.gaussian_cost(self.noise_multiplier))

    @classmethod
    def spending(cls, cost: int) -> Gaussian:
        """The event with the least noise whose Gaussian cost does not exceed this one."""
        return cls(gaussian_dp.noise_multiplier_for(cost))


@dataclass(frozen=True)
class DpSgd:
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
        if type(self.steps) is not int or not 1 <= self.steps <= MAX_STEPS:
            raise ValueError(f"steps of a DpSgd event must be a whole number from 1 to 2^32, got {self.steps!r}")
        object.__setattr__(self, "noise_multiplier", multiplier)
        object.__setattr__(self, "rate", rate)

    @property
    def cost(self) -> Cost:
        """The price of a Gaussian curve from which theirs is nowhere further than `gdp_upper_bound.TAU`."""
        price, approximate = gdp_upper_bound.gaussian_price(self.rate, self.noise_multiplier, self.steps)
        return Cost(price, units(gdp_upper_bound.TAU) if approximate else 0)


@dataclass(frozen=True)
class PartitionSelection:
    """Which of a set of keys that is not public occur: those whose noisy count exceeds a threshold.

    `delta` bounds the probability that the list holds a key that only one unit has: the part of the loss that the
    threshold leaves (Korolova et al., WWW 2009, Thm 1). The counts' noise is paid by a Gaussian event of its own.
    """

    delta: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", probability("delta of a PartitionSelection event", self.delta))

    @property
    def cost(self) -> Cost:
        return Cost(0, units(self.delta))


@dataclass(frozen=True)
class Foreign:
    """A release by code that is not ours, of which only this is known: it is (epsilon, delta)-DP for the same unit.

    It is no worse than randomised response that fails with probability delta (Kairouz, Oh and Viswanath, arXiv
    1311.0776, Thm 3). Epsilons and deltas of such events add up (basic composition), within the part of the budget
    that is kept for them from the start.
    """

    epsilon: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        epsilon = positive("epsilon of a Foreign event", self.epsilon)
        if epsilon > MAX_FOREIGN_EPSILON:
            raise ValueError(f"epsilon of a Foreign event must be at most {MAX_FOREIGN_EPSILON:g}, got {epsilon!r}")
        delta = 0.0 if _is_zero(self.delta) else probability("delta of a Foreign event", self.delta)
        object.__setattr__(self, "epsilon", epsilon)
        object.__setattr__(self, "delta", delta)

    @property
    def cost(self) -> Cost:
        return Cost(0, units(self.delta), units(self.epsilon))


Event = Gaussian | DpSgd | PartitionSelection | Foreign
MAX_STEPS = 2**32
MAX_FOREIGN_EPSILON = 100.0
_NAMES: dict[str, type[Event]] = {
    "gaussian": Gaussian,
    "dp_sgd": DpSgd,
    "partition_selection": PartitionSelection,
    "foreign": Foreign,
}


def event_to_dict(event: Event) -> dict[str, Any]:
    for name, kind in _NAMES.items():
        if type(event) is kind:
            return {"event": name, **asdict(event)}
    raise TypeError(f"a charge pays for one of {sorted(_NAMES)}, got {type(event).__name__}")


def event_from_dict(record: Mapping[str, Any]) -> Event:
    fields = dict(record)
    name = fields.pop("event", None)
    if name not in _NAMES:
        raise ValueError(f"the ledger names an event {name!r}; this version knows {sorted(_NAMES)}: update dpsynth")
    try:
        return _NAMES[name](**fields)
    except TypeError:
        raise ValueError(f"event {name!r} has no such fields as the ledger gives it: {sorted(fields)}") from None


def check_unit(event: Event, unit: PrivacyUnit) -> None:
    """ValueError where what the event costs is not stated for this kind of neighbours."""
    if isinstance(event, DpSgd) and unit.adjacency == "replace" and event.rate < 1:
        raise ValueError(
            f"training on random samples hides whether a unit took part, not which one: {event} needs a unit with"
            ' adjacency="add-remove", or rate 1'
        )


def positive(what: str, value: object) -> float:
    """`value`, when it is a finite number above zero; else one sentence."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= sys.float_info.max:
        return float(value)
    raise ValueError(f"{what} must be a finite number above 0, got {value!r}")


def probability(what: str, value: object) -> float:
    """`value`, when it lies strictly between 0 and 1; else one sentence."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    raise ValueError(f"{what} must lie strictly between 0 and 1, got {value!r}")


def _is_zero(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0
