"""Blind charges: they are paid for and recorded like others, and answer without looking at rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dpsynth.kernel.accountant import Charge
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.programs.run import Program
from dpsynth.training.clipping import Vectors
from dpsynth.training.dpsgd import Training


class BlindAccountant(Accountant):
    """Spends and records like an Accountant; its charges give made-up answers.

    These follow from a seed, and from the shape, unit and sensitivity of what is asked. A mechanism
    that learns of the rows through charges only cannot tell two tables apart by it.

    Parameters
    ----------
    budget : Budget
        What the run may spend.
    seed : int
        Of the answers.
    ledger : Ledger, optional
        As of any accountant.
    reserve : sequence of Event, optional
        As of any accountant.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        seed: int = 0,
        ledger: Ledger | None = None,
        reserve: Sequence[Event] | None = None,
    ) -> None:
        super().__init__(budget, ledger=ledger, reserve=reserve, unsafe_seed=seed)
        self.answers = np.random.default_rng(seed)

    def charge(
        self, event: Event, purpose: str, reads: Callable[..., Any] | None = None
    ) -> Any:  # a charge, but for its class
        return _BlindCharge(super().charge(event, purpose, reads), self.answers)

    def resume(self, charge: int, done: int, reads: Callable[..., Any] | None = None) -> Any:
        return _BlindCharge(super().resume(charge, done, reads), self.answers)


class _BlindCharge:
    """Used like the charge that it is made of; answers with made-up counts of a few hundred."""

    def __init__(self, charge: Charge, answers: np.random.Generator) -> None:
        self._charge, self._answers = charge, answers

    def gaussian(self, x: Sensitive) -> tuple[np.ndarray, np.ndarray]:
        _, stddev = self._charge.gaussian(x)
        made_up = self._answers.geometric(1 / 300, size=x.shape) * x.scale
        return made_up + self._answers.normal(scale=stddev), stddev

    def redeem(self, rows: SensitiveRows, program: Program | None = None, **options: float) -> Any:
        """Steps of a training, answered at random; random codes of a program, which is not run."""
        if program is None:
            return _BlindTraining(self._charge.redeem(rows, **options), self._answers)
        sizes = program.domain.shape(program.domain.attributes)
        return self._answers.integers(0, sizes, (program.rows, len(sizes)), dtype=np.int32)


class _BlindTraining:
    """Takes real steps on real rows, which a callback sees as ever; answers from the seed."""

    def __init__(self, training: Training, answers: np.random.Generator) -> None:
        self._training, self._answers = training, answers
        self.parameters, self.stddev = training.parameters, 0.01

    def __getattr__(self, name: str) -> Any:
        """What it says of its steps."""
        return getattr(self._training, name)

    def step(self, gradients: Vectors) -> np.ndarray:
        self._training.step(gradients)
        return self._answers.normal(scale=self.stddev, size=self.parameters)
