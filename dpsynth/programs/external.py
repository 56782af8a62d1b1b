"""ExternalProgram: the event of a release by a program that is not ours, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dpsynth.base.numbers import positive, probability
from dpsynth.kernel.cost import Cost, units
from dpsynth.kernel.events import Event, Grant
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.programs.run import Program, _run

MAX_PROGRAM_EPSILON = 100.0


@dataclass(frozen=True)
class ExternalProgram(Event):
    """A release by code that is not ours, of which only an (epsilon, delta) for the same unit is known.

    It is no worse than randomised response that fails with probability delta (Kairouz, Oh and Viswanath, arXiv
    1311.0776, Thm 3). Epsilons and deltas of such events add up (basic composition), within the part of the budget
    that is kept for them from the start.

    Parameters
    ----------
    epsilon, delta : float
        What the program claims: above 0 and at most 100, and from 0 on and below 1.
    """

    epsilon: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        epsilon = positive("epsilon of an ExternalProgram event", self.epsilon)
        if epsilon > MAX_PROGRAM_EPSILON:
            raise ValueError(
                f"epsilon of an ExternalProgram event must be at most {MAX_PROGRAM_EPSILON:g}, got {epsilon!r}"
            )
        delta = 0.0 if _is_zero(self.delta) else probability("delta of an ExternalProgram event", self.delta)
        object.__setattr__(self, "epsilon", epsilon)
        object.__setattr__(self, "delta", delta)

    @property
    def cost(self) -> Cost:
        return Cost(0, units(self.delta), units(self.epsilon))

    def redeem(self, grant: Grant, rows: SensitiveRows, **options: Program) -> np.ndarray:
        """The codes that options["program"] made of the rows (int32, rows by columns): see `run.py`.

        Raises TimeoutError or ChildProcessError when it did not; the charge stays spent all the same.
        """
        return _run(options["program"], self, rows)


def _is_zero(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0
