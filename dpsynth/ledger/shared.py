"""SharedAccount: an account with a policy, caps for purposes, and others that it pays for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from dpsynth.accounting.ledger_policy import Policy
from dpsynth.base.job import Job
from dpsynth.kernel.account import Account, Effect
from dpsynth.kernel.budget import Budget, BudgetExceededError
from dpsynth.kernel.cost import NOTHING, Cost
from dpsynth.ledger.chain import Line
from dpsynth.ledger.names import event_from_dict


@dataclass
class SharedAccount(Account):
    """What the lines of a ledger amount to."""

    read_event: Any = event_from_dict
    policy: Policy = field(default_factory=Policy)
    linked: set[str] = field(default_factory=set)
    """Keys of the accounts that this one pays for, those that they paid for among them."""
    forward: tuple[str, str] | None = None
    """Key and data set of the account that this one was joined to: from then on it bears nothing more."""
    copied: bool = False
    """Whether its lines were imported, and nobody has declared since that no other copy is spent from."""

    @property
    def closed(self) -> str | None:
        """Why nothing can be spent here, with the remedy; None for an account that pays."""
        if self.forward is not None:
            return (
                f"the ledger of {self.dataset!r} was joined to that of {self.forward[1]!r}, which pays for both:"
                " use that one; nothing was spent"
            )
        if self.copied:
            return (
                f"the ledger of {self.dataset!r} is an imported copy, which is read and not spent from: use the one"
                " that it was exported from, or, where nobody spends from that one any more, import with --only (in"
                " Python only=True); nothing was spent"
            )
        return None

    def caps(self, purpose: str) -> dict[str, tuple[Cost, Budget]]:
        if self.closed is not None:
            raise BudgetExceededError(self.closed)
        caps = super().caps(purpose)
        if purpose in self.policy.purposes:
            caps[f"the purpose {purpose!r}"] = (self.cost(purpose), self.policy.purposes[purpose])
        return caps

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

    def reading(self, record: Mapping[str, Any]) -> Effect:
        if self.closed is not None and (self.forward is not None or record["kind"] != "only"):
            raise ValueError(self.closed)
        return super().reading(record)

    def _read_policy(self, record: Mapping[str, Any]) -> Effect:
        policy = Policy.from_dict(record["policy"])
        return lambda: setattr(self, "policy", policy)

    def _read_link(self, record: Mapping[str, Any]) -> Effect:
        if record["account"] in self.linked:
            raise ValueError(f"account {record['account']!r} was joined already")
        brought = [_joined(**each) for each in record["events"]]
        if not all(isinstance(key, str) for key in record["through"]):
            raise ValueError("the keys of accounts are text")
        told = record.get("reading")
        self.refuse_other_units(told)

        def effect() -> None:
            self.told = self.told if told is None else told
            self.linked |= {record["account"], *record["through"]}
            for purpose, cost in brought:
                for key in (None, purpose):
                    self._settled[key] = self._settled.get(key, NOTHING) + cost

        return effect

    def _read_forward(self, record: Mapping[str, Any]) -> Effect:
        return lambda: setattr(self, "forward", (record["account"], record["dataset"]))

    def _read_copy(self, record: Mapping[str, Any]) -> Effect:
        return lambda: setattr(self, "copied", True)

    def _read_only(self, record: Mapping[str, Any]) -> Effect:
        if not self.copied:
            raise ValueError("an imported copy is declared the only one, and this ledger is none")
        return lambda: setattr(self, "copied", False)

    READERS: ClassVar = {
        **Account.READERS,
        "policy": _read_policy,
        "link": _read_link,
        "forward": _read_forward,
        "copy": _read_copy,
        "only": _read_only,
    }


def _joined(purpose: str, event: Mapping[str, Any]) -> tuple[str, Cost]:
    """An event of a joined account: what it was for, and its cost."""
    return Job(purpose=purpose).purpose, event_from_dict(event).cost
