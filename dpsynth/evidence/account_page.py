"""The page of an account: who spent what on a data set, when, and what is left.

It shows what the ledger's lines say, which are public facts, and so it may be shown to anybody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from dpsynth.base.text import at_most
from dpsynth.evidence import account as words
from dpsynth.evidence import wording
from dpsynth.evidence.pages import render
from dpsynth.evidence.pages.gauges import Point
from dpsynth.evidence.statement import percent_right
from dpsynth.kernel.account import SECURE, Run
from dpsynth.kernel.budget import spent
from dpsynth.kernel.cost import NOTHING, Cost
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.names import event_from_dict


def account_page(account: Ledger) -> str:
    """One self-contained HTML page."""
    runs = account.runs()
    budget = account.budget
    steps = list(_steps(account, {run.name: run for run in runs}))
    policy = account.policy
    record = {
        "dataset": account.dataset,
        "unit": account.unit.describe(),
        "epsilon": budget.epsilon,
        "delta": budget.delta,
        "spent": account.spent().epsilon,
        "left": math.floor(1e4 * account.remaining().epsilon) / 1e4,
        "state": _state(account, runs),
        "sentence": words.state(account),
        "meaning": _meaning(account),
        "policy": words.asked(replace(policy, purposes={})),
        "purposes": [
            {"name": name, "spent": account.spent(name).epsilon, "cap": cap.epsilon}
            for name, cap in policy.purposes.items()
        ],
        "runs": [_row(run, steps) for run in runs],
        "links": [step for step in steps if step["run"] is None],
        "notes": words.notes(account, runs),
        "charges": _charges(account, runs),
        "lines": len(account.entries()),
        "head": account.head,
        "file": account.path is not None,
    }
    points, ends = _points(steps)
    return render.page("ledger", {**record, "points": points, "ends": ends})


def _state(account: Ledger, runs: list[Run]) -> str:
    """One of: closed, seeded, over, full, open."""
    if account.closed is not None:
        return "closed"
    if any(run.noise != SECURE and run.state != "void" for run in runs):
        return "seeded"
    if account.spent().epsilon > account.budget.epsilon:
        return "over"
    return "open" if account.remaining().epsilon > 0 else "full"


def _meaning(account: Ledger) -> str:
    """What the whole budget means, for readers who are new to it."""
    secret = wording.secret(account.unit)
    return wording.meaning(
        secret, percent_right(account.budget), "all releases of this account together"
    )


def _steps(account: Ledger, runs: dict[str, Run]) -> Iterator[dict[str, Any]]:
    """What was spent in all after each run, and after each account that was joined to this one."""
    total = NOTHING
    facts: dict[str, Any]
    for line in account.entries():
        if line["kind"] == "run":
            run = runs[line["run"]]
            total += run.counted
            facts = {"run": run.name, "label": f"run {run.name[:8]}, {run.job.mechanism}"}
        elif line["kind"] == "link":
            events = [event_from_dict(each["event"]) for each in line["events"]]
            total += sum((event.cost for event in events), start=NOTHING)
            facts = {"run": None, "label": f"the account of {words.text(line['dataset'])}, joined"}
        else:
            continue
        yield {**facts, "time": line["time"], "spent": _epsilon(account, total)}


def _epsilon(account: Ledger, total: Cost) -> float:
    return spent(total, account.budget).epsilon


def _points(steps: list[dict[str, Any]]) -> tuple[list[Point], tuple[str, str]]:
    """The steps along an axis of time; where times are not kept, or are all one, in their order."""
    times = [datetime.fromisoformat(s["time"]).timestamp() for s in steps if s["time"]]
    first, last = min(times, default=0.0), max(times, default=0.0)
    if len(times) == len(steps) and times == sorted(times) and last > first:
        places = [0.96 * (time - first) / (last - first) for time in times]
        ends = (steps[0]["time"][:10], steps[-1]["time"][:10])
    else:
        places = [i / len(steps) for i in range(len(steps))]
        ends = ("the first run", "the last run")
    points = [Point(at, s["label"], s["spent"]) for at, s in zip(places, steps, strict=True)]
    return points, ends


def _row(run: Run, steps: list[dict[str, Any]]) -> dict[str, Any]:
    together = next(step["spent"] for step in steps if step["run"] == run.name)
    approvals = [f"{words.text(who)}: {words.text(at)}" for who, at in run.job.approvals.items()]
    return {
        "name": run.name[:8],
        "began": (run.began or "")[:10],
        "mechanism": words.text(run.job.mechanism),
        "purpose": words.text(run.job.purpose),
        "approvals": approvals,
        "state": run.state,
        "seeded": run.noise != SECURE,
        "charges": run.charges,
        "spent": at_most(run.spent.epsilon),
        "epsilon": run.budget.epsilon,
        "delta": run.budget.delta,
        "together": at_most(together),
        "release": (run.release or "")[:12],
    }


def _charges(account: Ledger, runs: list[Run]) -> list[dict[str, Any]]:
    trainings = {number: steps for run in runs for number, steps in run.trainings.items()}
    return [
        {
            "line": line["seq"],
            "run": line["run"][:8],
            "what": words.text(line["purpose"]),
            "event": words.event(line["event"]) + words.taken(trainings.get(line["seq"])),
            "hash": line["hash"][:12],
        }
        for line in account.entries()
        if line["kind"] == "charge"
    ]
