"""Events: what was done to private data, in the ledger's stable language.

An event is what a charge pays for. Its fields are public and say all that its cost depends on. A ledger file names
events by a fixed table; nothing that a file says is imported or evaluated, and an unknown name is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dpsynth.privacy import curves


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
    def cost(self) -> int:
        return curves.gaussian_cost(self.noise_multiplier)

    @classmethod
    def spending(cls, cost: int) -> Gaussian:
        """The event with the least noise whose cost does not exceed this one."""
        return cls(curves.noise_multiplier_for(cost))


Event = Gaussian
_NAMES: dict[str, type[Gaussian]] = {"gaussian": Gaussian}


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


def positive(what: str, value: object) -> float:
    """`value`, when it is a finite number above zero; else one sentence."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= sys.float_info.max:
        return float(value)
    raise ValueError(f"{what} must be a finite number above 0, got {value!r}")
