"""An account in words, for a terminal and a page, and as a record for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dpsynth.accounting.ledger_policy import Policy
from dpsynth.base.text import at_most, exact, printable, short, written
from dpsynth.kernel.account import SECURE, Run
from dpsynth.kernel.events import Progress
from dpsynth.kernel.gaussian_dp import COST_UNIT
from dpsynth.ledger.ledger import Ledger

_MEANING = {
    "reserved": "reserved: the run has drawn no noise yet; its whole budget counts until it ends",
    "drawing": "drawing: the run has begun to draw noise and not ended; its whole budget counts",
    "void": "void: the run ended before it drew noise, and spent nothing",
}


def state(account: Ledger) -> str:
    """Whether anything can be spent, and why not."""
    if account.joined_to is not None:
        return f"closed: {text(account.joined_to)} pays now"
    if account.closed is not None:
        return (
            "a copy that is not spent from: import it with --only once nobody spends from the"
            " original"
        )
    return f"one further fit may spend {math.floor(1e4 * account.remaining().epsilon) / 1e4:g}"


def notes(account: Ledger, runs: list[Run]) -> list[str]:
    """What explains the table: words for states, what is kept for programs, links and copies."""
    found = [
        meaning for state, meaning in _MEANING.items() if any(run.state == state for run in runs)
    ]
    if any(run.noise != SECURE for run in runs):
        found.append("NOT PRIVATE: the noise of runs marked * came from a seed")
    budget = account.budget
    cost = account.cost
    if budget.programs_epsilon or budget.programs_delta:
        used = [at_most(figure / COST_UNIT) for figure in (cost.epsilon, cost.delta)]
        found.append(
            f"epsilon {exact(budget.programs_epsilon)} and delta {exact(budget.programs_delta)} are"
            " kept for other programs, and for what has a delta of its own; spent of it:"
            f" epsilon {used[0]}, delta {used[1]}"
        )
    for line in account.entries():
        if line["kind"] == "link":
            found.append(
                f"pays for {text(line['dataset'])} too, since {line['time'][:10]}: what was spent"
                " there counts"
            )
        if line["kind"] == "only":
            who = f" by {text(line['by'])}" if line["by"] else ""
            found.append(
                f"imported, and declared{who} to be the only copy that is spent from, on"
                f" {line['time'][:10]}"
            )
    return found


def asked(policy: Policy) -> list[str]:
    """The policy, a line for each thing that it asks of a run."""
    caps = []
    for name, cap in policy.purposes.items():
        caps.append(f"{text(name)} (epsilon {exact(cap.epsilon)} at delta {written(cap.delta)})")
    said = {
        "purposes": ", ".join(caps),
        "approvals needed": ", ".join(map(text, policy.approvals)),
        "mechanisms allowed": ", ".join(map(text, policy.mechanisms)),
        "unit": "persons, by an id column" if policy.persons else "",
    }
    return [f"{name}: {words}" for name, words in said.items() if words]


def event(record: Mapping[str, Any]) -> str:
    """gaussian: noise multiplier 12.3."""
    facts = {name.replace("_", " "): value for name, value in record.items() if name != "event"}
    said = []
    for name, value in facts.items():
        shown = short(value) if isinstance(value, float) else value
        said.append(f"{name} {shown}")
    return f"{record['event']}: {', '.join(said)}"


def taken(steps: Progress | None) -> str:
    """Of a training: the steps taken, how often it was resumed, and the steps lost by that."""
    if steps is None:
        return ""
    again = f", resumed {steps.resumed}x, {steps.lost} lost" if steps.resumed else ""
    return f" ({steps.upto} claimed{again})"


def record(account: Ledger) -> dict[str, Any]:
    """All that `show` shows, and every line."""
    return {
        "dataset": account.dataset,
        "unit": vars(account.unit),
        "budget": vars(account.budget),
        "spent": vars(account.spent()),
        "remaining": vars(account.remaining()),
        "joined_to": account.joined_to,
        "state": _state_word(account),
        "policy": account.policy.to_dict(),
        "runs": [_run_record(run) for run in account.runs()],
        "head": account.head,
        "entries": account.entries(),
    }


def _state_word(account: Ledger) -> str:
    if account.joined_to:
        return "joined"
    return "copy" if account.closed else "open"


def _run_record(run: Run) -> dict[str, Any]:
    return {
        "run": run.name,
        "began": run.began,
        "ended": run.ended,
        "state": run.state,
        "mechanism": run.job.mechanism,
        "purpose": run.job.purpose,
        "approvals": dict(run.job.approvals),
        "schema": run.job.schema,
        "max_records": run.job.max_records,
        "noise": run.noise,
        "charges": run.charges,
        "trainings": {number: vars(steps) for number, steps in run.trainings.items()},
        "budget": vars(run.budget),
        "spent": vars(run.spent),
        "release": run.release,
    }


def text(value: str) -> str:
    """A name from outside, on one line and without control characters."""
    return " ".join(str(printable(value)).split())
