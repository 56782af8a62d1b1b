"""Claims of a training that no budget would bear, on a ledger that keeps the count of its steps and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from dpsynth.base.code_name import code_name
from dpsynth.kernel import events
from dpsynth.kernel.noise import Bits, operating_system_bits
from dpsynth.training import steps
from dpsynth.training.event import DpSgd


class Unkept:
    """Counts as a ledger does; it has no lines, no budget, and no file."""

    def __init__(self, counted: Any) -> None:
        self.counted = counted

    def claim(self, run: str, charge: int, resumed: int, most: int) -> Any:
        upto = min(self.counted.upto + most, self.counted.paid)
        self.counted = self.counted.after(resumed=resumed, lost=self.counted.lost, upto=upto)
        return self.counted


REAL = SimpleNamespace(steps=steps, events=events)


def grant(
    event: DpSgd, k: SimpleNamespace = REAL, bits: Bits = operating_system_bits, *, reads: Callable[..., Any]
) -> Any:
    """All steps of the event, of the real kernel or of a copy of it, for functions of the file that defines `reads`."""
    counted = k.steps.Steps(event.steps)
    return k.events.Grant(bits, Unkept(counted), "run", 3, counted, code_name(reads))
