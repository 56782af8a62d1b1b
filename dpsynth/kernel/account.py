"""Account: what the lines of a ledger amount to, and the rules by which one line may follow another.

A run is *reserved* (its whole cost counts), *drawing* (noise may have been drawn: its whole cost counts), then
*committed* (its charges count, the rest is given back, as steps that never began), or *void* (nothing counts: only a
run that never drew can become so). A run that was never committed stays spent, whole. Of a training, no more steps are
claimed than its charge paid for, and none once the run has ended (`steps`). Whoever reads the lines applies these rules
again; lines that break one are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget, BudgetExceededError, fits, gaussian_left, spent, within
from dpsynth.kernel.cost import NOTHING, Cost
from dpsynth.kernel.events import Event, Gaussian, Progress
from dpsynth.kernel.unit import PrivacyUnit

FORMAT = 1
"""Of the lines."""

SECURE = "operating system"
"""What a `run` line calls noise that nobody can predict."""

Effect = Callable[[], None]


@dataclass
class Run:
    """One run, as the lines tell it. began, ended: annotations of a clock, which decide nothing.

    trainings: the steps of each that was charged, by the number of its line.
    """

    name: str
    budget: Budget
    noise: str
    job: Job
    reserved: Cost
    began: str | None
    state: Literal["reserved", "drawing", "committed", "void"] = "reserved"
    cost: Cost = NOTHING
    charges: int = 0
    ended: str | None = None
    release: str | None = None
    trainings: dict[int, Progress] = field(default_factory=dict)

    @property
    def counted(self) -> Cost:
        """What the account bears for this run."""
        if self.state == "void":
            return NOTHING
        return self.cost if self.state == "committed" else self.reserved

    @property
    def spent(self) -> Budget:
        """The same at the delta of the run."""
        return spent(self.counted, self.budget)


@dataclass
class Account:
    """The state after some lines; `reading` says what a further line would change, or refuses it.

    read_event: the event that a line writes; ValueError for one that nobody knows. told: what says whose a row is, in
    all runs, beside its ids ("" for nothing); None before the first.
    """

    read_event: Callable[[Mapping[str, Any]], Event]
    opened: bool = False
    dataset: str = ""
    key: str = ""
    unit: PrivacyUnit = field(default_factory=PrivacyUnit)
    budget: Budget = field(default_factory=lambda: Budget(0.0, 0.5))
    told: str | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    _settled: dict[str | None, Cost] = field(default_factory=lambda: {None: NOTHING})
    _open: dict[str, Run] = field(default_factory=dict)

    def cost(self, purpose: str | None = None) -> Cost:
        """What has been spent or reserved, altogether or for one purpose."""
        total = self._settled.get(purpose, NOTHING)
        for run in self._open.values():
            if purpose is None or run.job.purpose == purpose:
                total = total + run.reserved
        return total

    def open_run(self, name: str) -> Run:
        """The run of this name, if it may still draw; ValueError if not."""
        run = self._open.get(name)
        if run is None:
            state = self.runs[name].state if name in self.runs else "unknown"
            raise ValueError(f"run {name!r} is {state}: a charge, a commit and a void need a run that is reserved")
        return run

    def caps(self, purpose: str) -> dict[str, tuple[Cost, Budget]]:
        """Whose cap a run of this purpose falls under: what has been spent of it, and the cap."""
        return {f"the ledger of {self.dataset!r}": (self.cost(), self.budget)}

    def refuse_what_has_no_room(self, cost: Cost, budget: Budget, purpose: str) -> None:
        """Raises BudgetExceededError when a run of this cost and budget does not fit under every cap over it."""
        for whose, (before, cap) in self.caps(purpose).items():
            if not fits(before + cost, cap):
                if cost.gaussian <= gaussian_left(before, cap):
                    raise BudgetExceededError.by("reserve", before + cost, before, cap, whose)
                left = gaussian_spending(gaussian_left(before, cap), budget).epsilon
                raise BudgetExceededError(
                    f"{whose} has epsilon {left:.6g} left at delta={budget.delta:g}, less than the"
                    f" {budget.epsilon:.6g} asked for; nothing was spent:"
                    " ask for less, or keep an account with a larger budget from the start"
                )

    def reading(self, record: Mapping[str, Any]) -> Effect:
        """What taking in this line does. Raises ValueError, TypeError or KeyError for one that may not stand here."""
        if (record["kind"] == "open") == self.opened:
            raise ValueError("a ledger has one open line, and it is the first")
        return self.READERS[record["kind"]](self, record)

    def _read_open(self, record: Mapping[str, Any]) -> Effect:
        if type(record["format"]) is not int or record["format"] != FORMAT:  # True and 1.0 equal 1
            raise ValueError(f"format {record['format']!r}, where this version reads {FORMAT}: update dpsynth")
        unit, budget = PrivacyUnit(**record["unit"]), Budget(**record["budget"])

        def effect() -> None:
            self.opened, self.dataset, self.key = True, record["dataset"], record["account"]
            self.unit, self.budget = unit, budget

        return effect

    def refuse_other_units(self, told: str | None) -> None:
        """ValueError where runs told whose a row is otherwise: a unit of one would be part of a unit of another."""
        if None not in (told, self.told) and told != self.told:
            raise ValueError(
                "runs of this account told whose a row is by other declarations, so that their units are others:"
                " declare the dates of the unit, and the encoding and quote of the file, as the schema of those runs"
                " does, or keep another ledger"
            )

    def _read_run(self, record: Mapping[str, Any]) -> Effect:
        if record["run"] in self.runs:
            raise ValueError(f"a second run {record['run']!r}")
        own = record.get("max_records")
        self.unit.using(own)  # ValueError where the number says who is protected, and for one that is none
        told = record.get("reading")
        self.refuse_other_units(told or "")
        job = Job(record["mechanism"], record["purpose"], record["approvals"], record["schema"], own, told)
        reserved = sum((self.read_event(each).cost for each in record["reserve"]), start=NOTHING)
        run = Run(record["run"], Budget(**record["budget"]), record["noise"], job, reserved, record["time"])

        def effect() -> None:
            self.runs[run.name] = self._open[run.name] = run
            self.told = told or ""

        return effect

    def _read_drawing(self, record: Mapping[str, Any]) -> Effect:
        run = self.open_run(record["run"])
        if run.state != "reserved":
            raise ValueError(f"run {run.name!r} was drawing already")
        return lambda: setattr(run, "state", "drawing")

    def _read_charge(self, record: Mapping[str, Any]) -> Effect:
        run, event = self.open_run(record["run"]), self.read_event(record["event"])
        after = run.cost + event.cost
        if run.state != "drawing":
            raise ValueError(f"run {run.name!r} was charged before it was drawing")
        if not within(after, run.reserved):
            raise ValueError(f"run {run.name!r} was charged more than it had reserved")

        def effect() -> None:
            run.cost, run.charges = after, run.charges + 1
            if (steps := event.progress()) is not None:
                run.trainings[record["seq"]] = steps

        return effect

    def training(self, run: str, charge: int) -> Progress:
        """The steps of a training of a run that may still draw; ValueError where there is none."""
        trainings = self.open_run(run).trainings
        if type(charge) is not int or charge not in trainings:
            raise ValueError(f"line {charge} of the ledger charges run {run!r} for no training")
        return trainings[charge]

    def _read_steps(self, record: Mapping[str, Any]) -> Effect:
        run, charge = record["run"], record["charge"]
        after = self.training(run, charge).after(**{name: record[name] for name in ("resumed", "lost", "upto")})
        return lambda: self.runs[run].trainings.update({charge: after})

    def _read_commit(self, record: Mapping[str, Any]) -> Effect:
        return self._ending("committed", record, record["release"])

    def _read_void(self, record: Mapping[str, Any]) -> Effect:
        if self.open_run(record["run"]).state == "drawing":
            raise ValueError(f"run {record['run']!r} has drawn noise: what it reserved cannot be given back")
        return self._ending("void", record, None)

    def _ending(self, state: Literal["committed", "void"], record: Mapping[str, Any], release: str | None) -> Effect:
        run = self.open_run(record["run"])

        def effect() -> None:
            run.state, run.ended, run.release = state, record["time"], release
            del self._open[run.name]
            for key in (None, run.job.purpose):
                self._settled[key] = self._settled.get(key, NOTHING) + run.counted

        return effect

    READERS: ClassVar[dict[str, Callable[[Any, Mapping[str, Any]], Effect]]] = {
        "open": _read_open,
        "run": _read_run,
        "drawing": _read_drawing,
        "charge": _read_charge,
        "steps": _read_steps,
        "commit": _read_commit,
        "void": _read_void,
    }


def gaussian_spending(cost: int, budget: Budget) -> Budget:
    """What a Gaussian run of at most this cost amounts to at the budget's delta, nothing of it kept for programs."""
    return spent(Gaussian.spending(cost).cost if cost > 0 else NOTHING, Budget(budget.epsilon, budget.delta))
