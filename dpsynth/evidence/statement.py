"""What the ledger's lines say of a run, for a certificate: its claim, its charges, its account.

All of it is a function of the lines alone, so that whoever holds them can recompute it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import NormalDist
from typing import Any

from dpsynth.accounting import currencies, nonadaptive
from dpsynth.base.text import exact, short
from dpsynth.discovery.discovery import Discovery
from dpsynth.evidence import purposes, wording
from dpsynth.kernel import budget as budgets
from dpsynth.kernel.account import SECURE
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.cost import NOTHING, Cost
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.names import event_from_dict
from dpsynth.programs.external import ExternalProgram
from dpsynth.training.event import DpSgd

RDP_ORDERS = (2, 4, 8, 16, 32, 64)  # those that other accountants report

_PERIODS = (2, 6, 12)
"""For so many units together a certificate of months says what the loss comes to."""

Line = dict[str, Any]


def claim(private: bool, budget: Budget, unit: PrivacyUnit) -> dict[str, Any]:
    """The claim; for a run with a seed the same form with nothing in it."""
    sentence = wording.claim(private, budget.epsilon, budget.delta, unit.describe())
    if not private:
        nothing = {"meaning": None, "epsilon": None, "delta": None}
        return {"private": False, "sentence": sentence, **nothing}
    secret = wording.secret(unit)
    meaning = wording.meaning(secret, percent_right(budget))
    return {"private": True, "sentence": sentence, "meaning": meaning, **budget.claim}


def percent_right(budget: Budget) -> float:
    """How often the best test of one unit is right at even odds, in percent, rounded up to a tenth.

    For mu-GDP the errors (a, b) satisfy b >= Phi(Phi^-1(1 - a) - mu); a + b is least at a = b =
    Phi(-mu / 2). (Dong, Roth and Su, section 2.) It is the budget's mu, as what was spent may
    depend on charged answers. Of what is kept for programs, epsilon counts as the Gaussian curve
    below it, and delta as it is.
    """
    cost = budgets.affordable(budget)
    if budget.programs_epsilon:
        cost += currencies.pure_cost(budget.programs_epsilon)
    right = NormalDist().cdf(currencies.mu_of(cost) / 2) + budget.programs_delta
    return min(100.0, math.ceil(1000 * right) / 10)


def events_of(charges: Sequence[Line]) -> list[Event]:
    """What each line charged for."""
    return [event_from_dict(line["event"]) for line in charges]


def cost_of(charges: Sequence[Line]) -> Cost:
    """What the charges cost together."""
    return sum((event.cost for event in events_of(charges)), start=NOTHING)


def schedule(begun: Line, charges: Sequence[Line], budget: Budget) -> dict[str, Any]:
    """Whether all charges were reserved one by one before anything was read; and their cost.

    Only then is the loss of the list as a whole a claim of its own, smaller than the budget. Where
    they were not, the figure says what a run with these charges chosen beforehand would have cost.
    """
    reserved = begun["reserve"]
    charged = [line["event"] for line in charges]
    fixed = not Counter(map(_canonical, charged)) - Counter(map(_canonical, reserved))
    events = [event_from_dict(record) for record in (reserved if fixed else charged)]
    cost = sum((event.cost for event in events), start=NOTHING)
    # both figures are upper bounds, so that the smaller one holds
    by_filter = budgets.spent(cost, budget).epsilon
    as_a_whole = nonadaptive.epsilon(events, budget.delta)
    return {"fixed": fixed, "epsilon": min(by_filter, as_a_whole), "delta": budget.delta}


def _finite(epsilon: float) -> float:
    """An epsilon that JSON can hold."""
    return min(epsilon, budgets.MAX_EPSILON)


def _canonical(event: Mapping[str, Any]) -> str:
    return json.dumps(event, sort_keys=True)


def _words(event: Event) -> str:
    """An event for a reader."""
    match event:
        case Gaussian():
            return f"noise multiplier {short(event.noise_multiplier)}"
        case DpSgd():
            rate = short(event.rate)
            noise = short(event.noise_multiplier)
            return f"training: {event.steps} steps, rate {rate}, noise multiplier {noise}"
        case Discovery():
            noise = short(event.noise_multiplier)
            return f"values found: noise multiplier {noise}, delta {exact(event.delta)}"
        case ExternalProgram():
            return f"another program: epsilon {exact(event.epsilon)}, delta {exact(event.delta)}"
    raise ValueError(f"a certificate has no words for an event of the kind {type(event).__name__}")


def parts(
    opened: Line, begun: Line, charges: Sequence[Line], steps: Sequence[Line]
) -> dict[str, Any]:
    """The parts of a certificate that follow from ledger lines alone.

    The lines are the ledger's first, the run's first, and those of its charges and steps.
    """
    budget = Budget(**begun["budget"])
    unit = PrivacyUnit(**opened["unit"]).using(begun.get("max_records"))
    events = events_of(charges)
    return {
        "claim": claim(begun["noise"] == SECURE, budget, unit),
        "budget": asdict(budget),
        "spent": budgets.spent(cost_of(charges), budget).claim,
        "schedule": schedule(begun, charges, budget),
        "unit": {**asdict(unit), "description": unit.describe()},
        "charges": charges_in_words(charges, unit),
        "trainings": trainings(steps),
        "views": {"budget": budget_views(budget, events), "spent": views(events)},
    }


def charges_in_words(charges: Sequence[Line], unit: PrivacyUnit) -> list[Line]:
    """The ledger's lines, each with its noise on a count, and its share of what the run spent."""
    events = events_of(charges)
    total = max(1, sum(map(_weight, events)))
    found = []
    for line, event in zip(charges, events, strict=True):
        moved = purposes.moved(line["purpose"], unit)
        noise = event.noise_multiplier * moved if isinstance(event, Gaussian) else None
        found.append(
            {
                "line": line,
                "event": _words(event),
                "noise_stddev_rows": noise,
                "share_percent": 100 * _weight(event) / total,
            }
        )
    return found


def trainings(steps: Sequence[Line]) -> dict[str, int]:
    """How often trainings were resumed and how many steps were lost, by the last line of each."""
    last = {line["charge"]: line for line in steps}
    return {name: sum(line[name] for line in last.values()) for name in ("resumed", "lost")}


def drawing(lines: Sequence[Line], run: str) -> Line | None:
    """The line that was written before a run read its first row; None for one that read nothing."""
    found = (line for line in lines if line["kind"] == "drawing" and line["run"] == run)
    return next(found, None)


def ended(lines: Sequence[Line], run: str) -> Line | None:
    """The line that ended a run; None for one that is still running, or died."""
    ends = ("commit", "void")
    return next((line for line in lines if line["kind"] in ends and line["run"] == run), None)


def _weight(event: Event) -> int:
    """mu^2 of an event; of another program, mu^2 of the Gaussian curve below its epsilon."""
    if isinstance(event, ExternalProgram):
        return currencies.pure_cost(event.epsilon)
    return event.cost.gaussian


def account_of(ledger: Ledger, lines: Sequence[Line], run: str) -> dict[str, Any]:
    """What the ledger says of all runs up to its head."""
    others = [line for line in lines if line["kind"] == "run" and line["run"] != run]
    only = [line for line in lines if line["kind"] == "only"]
    charges = [line for line in lines if line["kind"] == "charge"]
    # links bring the charges of data sets whose people overlap with those of this one
    links = [line for line in lines if line["kind"] == "link"]
    joined = [event_from_dict(each["event"]) for line in links for each in line["events"]]
    if_fixed = nonadaptive.epsilon([*events_of(charges), *joined], ledger.budget.delta)
    return {
        "dataset": ledger.dataset,
        "kept": "in memory" if ledger.path is None else "in a file",
        "budget": asdict(ledger.budget),
        "spent": ledger.spent().claim,
        "if_fixed": _finite(if_fixed),
        "line": lines[0],
        "lines": len(lines),
        "head": lines[-1]["hash"],
        "only": only,
        "other_lines": sum(line.get("run") != run for line in lines[1:]) - len(only),
        "other_runs": len(others),
        "other_runs_seeded": sum(line["noise"] != SECURE for line in others),
        "other_charges": sum(line["run"] != run for line in charges),
    }


def budget_views(budget: Budget, charged: Sequence[Event]) -> dict[str, Any]:
    """The views of the costliest noise that fits a budget; none where something else was charged.

    What is not Gaussian noise has a delta of its own, and no other currency has a word for that.
    """
    if not all(isinstance(event, Gaussian) for event in charged):
        return _no_views()
    noise = budgets.affordable(budget)
    return views([Gaussian.spending(noise)] if noise > 0 else [])


def _no_views() -> dict[str, Any]:
    return {"mu": None, "zcdp_rho": None, "rdp": {str(order): None for order in RDP_ORDERS}}


def views(events: Sequence[Event]) -> dict[str, Any]:
    """The same loss in the currencies of other accountants; None where one has no finite value.

    An event with a delta of its own has no mu: it lies below no Gaussian curve.
    """
    gaussian = sum(e.cost.gaussian for e in events if isinstance(e, Gaussian))
    steps = [e for e in events if isinstance(e, DpSgd)]
    others = [e for e in events if not isinstance(e, Gaussian | DpSgd)]

    def divergence(order: int) -> float | None:
        each = [currencies.sampled_rdp(e.rate, e.noise_multiplier, e.steps, order) for e in steps]
        total = currencies.gaussian_rdp(gaussian, order) + math.fsum(each)
        return total if not others and math.isfinite(total) else None

    lacking = any(e.cost.delta for e in events)
    return {
        "mu": None if lacking else currencies.mu_of(sum(map(_weight, events))),
        "zcdp_rho": currencies.zcdp(gaussian) if not steps and not others else None,
        "rdp": {str(order): divergence(order) for order in RDP_ORDERS},
    }


def over_periods(charges: Sequence[Line], budget: Budget) -> dict[int, float]:
    """The epsilon of several units together, by their number, at the delta of one.

    k units that are each mu-GDP are k mu-GDP together (Dong, Roth and Su, on groups), and a cost is
    mu squared. Empty where another event was charged, whose delta would grow as well.
    """
    if not kinds(charges)[0]:
        return {}
    cost = budgets.affordable(budget)
    return {n: budgets.spent(Cost(n * n * cost), budget).epsilon for n in _PERIODS}


def kinds(charges: Sequence[Line]) -> tuple[bool, bool]:
    """Whether all charges are Gaussian noise, and whether all are for another program."""
    events = events_of(charges)
    gaussian = all(isinstance(event, Gaussian) for event in events)
    program = bool(events) and all(isinstance(event, ExternalProgram) for event in events)
    return gaussian, program


def borrowed(charges: Sequence[Line], known: Sequence[str]) -> list[str]:
    """Cautions about a claim that is another program's. known: what is known against it."""
    if not any(isinstance(event, ExternalProgram) for event in events_of(charges)):
        return []
    return [wording.EXTERNAL_PROGRAM, *(wording.against(sentence) for sentence in known)]
