"""BlindAccountant: charges that answer without looking, for non-interference tests.

A mechanism that learns of the rows through charges only cannot tell two tables apart under it:

    def run(table):
        accountant = BlindAccountant(Budget(1.0, 1e-6), seed=0)
        return repr((mechanism.fit(table, accountant), accountant.ledger.entries()))

    assert run(one_table) == run(another_table)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dpsynth.kernel.accountant import Charge
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event, Progress
from dpsynth.kernel.noise import Bits, operating_system_bits
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.programs.run import Program
from dpsynth.training.clipping import Vectors
from dpsynth.training.dpsgd import Training


class BlindAccountant(Accountant):
    """Spends and records like an Accountant; its charges answer from a fixed seed, shape, unit and sensitivity."""

    def __init__(
        self,
        budget: Budget,
        *,
        seed: int = 0,
        ledger: Ledger | None = None,
        reserve: Sequence[Event] | None = None,
    ) -> None:
        super().__init__(budget, ledger=ledger, reserve=reserve, unsafe_seed=seed)
        self._answers = np.random.default_rng(seed)

    @property
    def bits(self) -> Bits:
        """Rows are parted by bits of their own, so that the noise's seed is left as it is, however many there are."""
        return operating_system_bits

    @classmethod
    def going_on(cls, died: BlindAccountant) -> BlindAccountant:
        """What goes on with the run and the answers of one that died; a seeded run is otherwise never resumed."""
        accountant = cls.__new__(cls)
        accountant._begin(died.ledger, died.run, died.budget, died._bits)
        accountant._events, accountant._reserved, accountant._protects = died._events, died._reserved, died._protects
        accountant._cost, accountant._answers = died._cost, died._answers
        return accountant

    def _grant(self, event: Event, line: int, progress: Progress | None, code: str | None) -> BlindCharge:
        return BlindCharge(super()._grant(event, line, progress, code), self._answers)


class BlindCharge:
    """Reads made-up counts (a few hundred a cell) with a real charge, whatever it is given."""

    def __init__(self, charge: Charge, answers: np.random.Generator) -> None:
        self._charge, self._answers = charge, answers

    def gaussian(self, x: Sensitive) -> tuple[np.ndarray, np.ndarray]:
        if not isinstance(x, Sensitive):
            return self._charge.gaussian(x)
        made_up = self._answers.geometric(1 / 300, size=x.shape)
        return self._charge.gaussian(Sensitive(np.asarray(made_up), l1=x.l1, l2=x.l2, scale=x.scale, code=x.code))

    def redeem(self, rows: SensitiveRows, program: Program | None = None, **options: float) -> Any:
        """Steps of a training whose answers are made up; of a program, which is not run, made-up codes."""
        if program is None:
            return BlindTraining(self._charge.redeem(rows, **options), self._answers)
        sizes = program.domain.shape(program.domain.attributes)
        return self._answers.integers(0, sizes, (program.rows, len(sizes)), dtype=np.int32)


class BlindTraining:
    """Takes real steps on real rows, so that a callback sees what it would see, and answers from the seed alone."""

    def __init__(self, training: Training, answers: np.random.Generator) -> None:
        self._training, self._answers = training, answers
        self.parameters, self.stddev = training.parameters, 0.01

    def __getattr__(self, name: str) -> Any:
        """What it says of its steps."""
        return getattr(self._training, name)

    def step(self, gradients: Vectors) -> np.ndarray:
        self._training.step(gradients)
        return self._answers.normal(scale=self.stddev, size=self.parameters)
