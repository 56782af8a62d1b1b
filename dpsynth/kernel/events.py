"""Events: what was done to private data. An event is what a charge pays for.

Its fields are public, and say all that its cost depends on. The kernel knows one event, Gaussian noise; `training/`
and `programs/` define theirs, and `ledger/names.py` has the names by which files call them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from dpsynth.base.numbers import positive
from dpsynth.kernel import gaussian_dp
from dpsynth.kernel.cost import Cost
from dpsynth.kernel.noise import Bits
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit


class Progress(Protocol):
    """How far an event that is drawn in many steps has come, in the ledger's words: see `training/steps.py`."""

    @property
    def paid(self) -> int: ...
    @property
    def upto(self) -> int: ...
    @property
    def resumed(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def left(self) -> int: ...
    def after(self, *, resumed: object, lost: object, upto: object) -> Progress:
        """After a line with these figures; ValueError for one that may not stand here."""
        ...


class Grant(NamedTuple):
    """What a charge hands to its event: randomness, the line that pays, how far it has come, what it may show rows."""

    bits: Bits
    ledger: Any
    run: str
    line: int
    progress: Any = None
    code: str | None = None


class Event(ABC):
    """What was done. Subclasses are frozen dataclasses; each says its theorem."""

    @property
    @abstractmethod
    def cost(self) -> Cost:
        """What it takes from an account, rounded up."""

    def refuse(self, unit: PrivacyUnit) -> None:
        """ValueError where the cost is not stated for this kind of neighbours."""
        return

    def progress(self) -> Progress | None:
        """For an event that is drawn in many steps: how far it is at first."""
        return None

    def redeem(self, grant: Grant, rows: SensitiveRows, **options: Any) -> Any:
        """What the event makes of closed rows, once it is paid for."""
        raise TypeError(f"a charge for {self} reads no rows: give it a Sensitive value")


@dataclass(frozen=True)
class Gaussian(Event):
    """One release of x + round(N(0, (noise_multiplier * l2)^2)), l2 the sensitivity of x: 1/noise_multiplier-GDP.

    Dong, Roth, Su, "Gaussian differential privacy", Thm 1; `noise.py` says why rounding changes nothing.

    Parameters
    ----------
    noise_multiplier : float
        Above 0: the noise in sensitivities of what is released.
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
