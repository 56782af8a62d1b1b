"""Account: what the lines of a ledger amount to, and the rules by which one line may follow another.

A run is *reserved* (its whole cost counts), *drawing* (noise may have been drawn: its whole cost counts), then
*committed* (its charges count, the rest is given back, as steps that never began), or *void* (nothing counts: only a
run that never drew can become so). A run that was never committed stays spent, whole. Of a training, no more steps are
claimed than its charge paid for, and none once the run has ended (`steps`). Whoever reads the lines applies these rules
again; lines that break one are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dpsynth.kernel.budget import NOTHING, Budget, BudgetExceeded, Cost, fits, gaussian_left, spent, within
from dpsynth.kernel.events import DpSgd, Gaussian, event_from_dict
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.chain import FORMAT, Line
from dpsynth.ledger.policy import Job, Policy
from dpsynth.training.steps import Steps

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
    trainings: dict[int, Steps] = field(default_factory=dict)

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
    """The state after some lines; `reading` says what a further line would change, or refuses it."""

    opened: bool = False
    dataset: str = ""
    key: str = ""
    unit: PrivacyUnit = field(default_factory=PrivacyUnit)
    budget: Budget = field(default_factory=lambda: Budget(0.0, 0.5))
    policy: Policy = field(default_factory=Policy)
    runs: dict[str, Run] = field(default_factory=dict)
    linked: set[str] = field(default_factory=set)
    """Keys of the accounts that this one pays for, those that they paid for among them."""
    forward: tuple[str, str] | None = None
    """Key and data set of the account that this one was joined to: from then on it bears nothing more."""
    _settled: dict[str | None, Cost] = field(default_factory=lambda: {None: NOTHING})
    _open: dict[str, Run] = field(default_factory=dict)

    def cost(self, purpose: str | None = None) -> Cost:
        """What has been spent or reserved, altogether or for one purpose."""
        total = self._settled.get(purpose, NOTHING)
        for run in self._open.values():
            if purpose is None or run.job.purpose == purpose:
                total = total + run.reserved
        return total

    def counted_events(self, lines: Iterable[Line]) -> list[dict[str, Any]]:
        """The events that make up `cost()`, each with its purpose: whoever adds them up finds that cost."""
        found: list[dict[str, Any]] = []
        for line in (line.fields for line in lines):
            run = self.runs[line["run"]] if "run" in line else None
            events: list[dict[str, Any]] = []
            if line["kind"] == "link":
                found += line["events"]
            elif run is not None and line["kind"] == "charge" and run.state == "committed":
                events = [line["event"]]
            elif run is not None and line["kind"] == "run" and run.state in ("reserved", "drawing"):
                events = line["reserve"]
            found += [{"purpose": run.job.purpose, "event": event} for event in events if run is not None]
        return found

    def open_run(self, name: str) -> Run:
        """The run of this name, if it may still draw; ValueError if not."""
        run = self._open.get(name)
        if run is None:
            state = self.runs[name].state if name in self.runs else "unknown"
            raise ValueError(f"run {name!r} is {state}: a charge, a commit and a void need a run that is reserved")
        return run

    def refuse_what_has_no_room(self, cost: Cost, budget: Budget, purpose: str) -> None:
        """Raises BudgetExceeded when a run of this cost and budget does not fit under every cap that it falls under."""
        if self.forward is not None:
            raise BudgetExceeded(
                f"the ledger of {self.dataset!r} was joined to that of {self.forward[1]!r}, which pays for both:"
                " use that one; nothing was spent"
            )
        caps = {f"the ledger of {self.dataset!r}": (self.cost(), self.budget)}
        if purpose in self.policy.purposes:
            caps[f"the purpose {purpose!r}"] = (self.cost(purpose), self.policy.purposes[purpose])
        for whose, (before, cap) in caps.items():
            if not fits(before + cost, cap):
                if cost.gaussian <= gaussian_left(before, cap):
                    raise BudgetExceeded.by("reserve", before + cost, before, cap, whose)
                left = gaussian_spending(gaussian_left(before, cap), budget).epsilon
                raise BudgetExceeded(
                    f"{whose} has epsilon {left:.6g} left at delta={budget.delta:g}, less than the"
                    f" {budget.epsilon:.6g} asked for; nothing was spent:"
                    " ask for less, or keep an account with a larger budget from the start"
                )

    def reading(self, record: Mapping[str, Any]) -> Effect:
        """What taking in this line does. Raises ValueError, TypeError or KeyError for one that may not stand here."""
        if (record["kind"] == "open") == self.opened:
            raise ValueError("a ledger has one open line, and it is the first")
        if self.forward is not None:
            raise ValueError("nothing follows the line that joined this ledger to another")
        return _READERS[record["kind"]](self, record)

    def _read_open(self, record: Mapping[str, Any]) -> Effect:
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}, where this version reads {FORMAT}: update dpsynth")
        unit, budget = PrivacyUnit(**record["unit"]), Budget(**record["budget"])

        def effect() -> None:
            self.opened, self.dataset, self.key = True, record["dataset"], record["account"]
            self.unit, self.budget = unit, budget

        return effect

    def _read_policy(self, record: Mapping[str, Any]) -> Effect:
        policy = Policy.from_dict(record["policy"])
        return lambda: setattr(self, "policy", policy)

    def _read_run(self, record: Mapping[str, Any]) -> Effect:
        if record["run"] in self.runs:
            raise ValueError(f"a second run {record['run']!r}")
        job = Job(record["mechanism"], record["purpose"], record["approvals"], record["schema"])
        reserved = total_cost(record["reserve"])
        run = Run(record["run"], Budget(**record["budget"]), record["noise"], job, reserved, record["time"])

        def effect() -> None:
            self.runs[run.name] = self._open[run.name] = run

        return effect

    def _read_drawing(self, record: Mapping[str, Any]) -> Effect:
        run = self.open_run(record["run"])
        if run.state != "reserved":
            raise ValueError(f"run {run.name!r} was drawing already")
        return lambda: setattr(run, "state", "drawing")

    def _read_charge(self, record: Mapping[str, Any]) -> Effect:
        run, event = self.open_run(record["run"]), event_from_dict(record["event"])
        after = run.cost + event.cost
        if run.state != "drawing":
            raise ValueError(f"run {run.name!r} was charged before it was drawing")
        if not within(after, run.reserved):
            raise ValueError(f"run {run.name!r} was charged more than it had reserved")

        def effect() -> None:
            run.cost, run.charges = after, run.charges + 1
            if isinstance(event, DpSgd):
                run.trainings[record["seq"]] = Steps(event.steps)

        return effect

    def training(self, run: str, charge: int) -> Steps:
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

    def _read_link(self, record: Mapping[str, Any]) -> Effect:
        if record["account"] in self.linked:
            raise ValueError(f"account {record['account']!r} was joined already")
        brought = [_joined(**each) for each in record["events"]]
        through = {_key(key) for key in record["through"]}

        def effect() -> None:
            self.linked |= {record["account"], *through}
            for purpose, cost in brought:
                for key in (None, purpose):
                    self._settled[key] = self._settled.get(key, NOTHING) + cost

        return effect

    def _read_forward(self, record: Mapping[str, Any]) -> Effect:
        return lambda: setattr(self, "forward", (record["account"], record["dataset"]))


_READERS: dict[str, Callable[[Account, Mapping[str, Any]], Effect]] = {
    "open": Account._read_open,
    "policy": Account._read_policy,
    "run": Account._read_run,
    "drawing": Account._read_drawing,
    "charge": Account._read_charge,
    "steps": Account._read_steps,
    "commit": Account._read_commit,
    "void": Account._read_void,
    "link": Account._read_link,
    "forward": Account._read_forward,
}


def _key(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the key of an account is text, got {type(value).__name__}")
    return value


def _joined(purpose: str, event: Mapping[str, Any]) -> tuple[str, Cost]:
    """An event of a joined account: what it was for, and its cost."""
    return Job(purpose=purpose).purpose, event_from_dict(event).cost


def total_cost(events: Iterable[Mapping[str, Any]]) -> Cost:
    """What these events, as a line writes them, cost together."""
    total = NOTHING
    for event in events:
        total = total + event_from_dict(event).cost
    return total


def gaussian_spending(cost: int, budget: Budget) -> Budget:
    """What a Gaussian run of at most this cost amounts to at the budget's delta, with nothing set aside in it."""
    return spent(Gaussian.spending(cost).cost if cost > 0 else NOTHING, Budget(budget.epsilon, budget.delta))
