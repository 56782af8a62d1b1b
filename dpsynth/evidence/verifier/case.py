"""Case: a certificate's record, and what the checks of the independent verifier ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dpsynth.evidence.verifier.recompute import Cost, cost_of

SECURE = "operating system"
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A certificate's record and what checks ask of it."""

    record: Record

    @cached_property
    def opened(self) -> Record:
        return self.record["ledger"]["line"]

    @cached_property
    def begun(self) -> Record:
        return self.record["run"]["line"]

    @cached_property
    def unit(self) -> Record:
        """The ledger's unit, with the number of records that the run uses of it."""
        return self.opened["unit"] | {k: v for k, v in self.begun.items() if k == "max_records"}

    @cached_property
    def charges(self) -> list[Record]:
        return [charge["line"] for charge in self.record["charges"]]

    @cached_property
    def steps(self) -> list[Record]:
        return sorted(self.record["steps"], key=lambda line: int(line["seq"]))

    @cached_property
    def own(self) -> list[Record]:
        """The first line of the ledger and those of the run, in the order that they must have."""
        within = sorted([*self.charges, *self.steps], key=lambda line: int(line["seq"]))
        run = self.record["run"]
        found = [self.opened, self.begun, run["drawing"], *within, run["ended"]]
        return [line for line in found if line is not None]

    @cached_property
    def only(self) -> list[Record]:
        """Lines that declare an imported account to be the only one that is spent from."""
        return list(self.record["ledger"]["only"])

    @cached_property
    def lines(self) -> list[Record]:
        """All that are quoted, in the order of the ledger."""
        return sorted([*self.own, *self.only], key=lambda line: int(line["seq"]))

    @cached_property
    def budget(self) -> Record:
        return self.begun["budget"]

    @cached_property
    def private(self) -> bool:
        return self.begun["noise"] == SECURE and not self.begun["run"].startswith("seeded")

    @cached_property
    def events(self) -> list[Record]:
        return [line["event"] for line in self.charges]

    @cached_property
    def lists(self) -> dict[str, Sequence[Record]]:
        return {"sum of its charges": self.events, "reservation": self.begun["reserve"]}

    @cached_property
    def cost(self) -> Cost:
        """What the charges cost together."""
        return cost_of(self.events)

    @cached_property
    def event_names(self) -> set[str]:
        return {event["event"] for event in self.events}


Check = Callable[[Case], bool | str]
"""Its docstring's first line is the fault that it finds; it returns evidence of it, or nothing."""
