"""Checks of the figures of a certificate, each recomputed from its charges by `recompute.py`."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from dpsynth.evidence.verifier import recompute
from dpsynth.evidence.verifier.case import Case, Check, Record
from dpsynth.evidence.verifier.recompute import KEPT, MAX_EPSILON, Cost, Mix

EXACT = 1e-12  # relative: sums of a few doubles
CLOSE = 1e-6  # relative: the integral has nine digits, and correct figures are rounded up by less
CLOSE_TO_TRAINED = 0.05  # relative: a training's price is found from below, up to 0.03 short
RDP_ORDERS = (2, 4, 8, 16, 32, 64)


def sampling(case: Case) -> bool:
    """Its charges do not protect its unit: sampling hides whether a unit took part, not which."""
    trained = any(event["event"] == "dp_sgd" and event["rate"] < 1 for event in case.events)
    return trained and case.opened["unit"]["adjacency"] != "add-remove"


def kept_for_programs(case: Case) -> str:
    """Events have epsilons or deltas of their own that come to more than was kept for them."""
    budget = case.budget
    kept = budget["programs_epsilon"]
    if not 0 <= kept <= budget["epsilon"] or not 0 <= budget["programs_delta"] < budget["delta"]:
        return "more is kept for programs than there is"
    kept_delta = budget["delta"] * KEPT + budget["programs_delta"]
    return "; ".join(
        f"the {what}: epsilon {cost.epsilon:.6g}, delta {cost.lacking:.6g}"
        for what, cost in _costs(case)
        if cost.epsilon > kept * (1 + EXACT) or cost.lacking > kept_delta * (1 + EXACT)
    )


def within_claim(case: Case) -> str:
    """What was charged or reserved costs more than the claim."""
    epsilon, delta = recompute.left(case.budget)
    found = [(what, Mix(float(cost.squared)).delta(epsilon)) for what, cost in _costs(case)]
    own, at = case.budget["programs_delta"], f"at epsilon {case.budget['epsilon']:g}"
    odd = [(what, worst) for what, worst in found if worst > delta * (1 + CLOSE)]
    return "; ".join(f"the {what}: delta {worst + own:.6g} {at}" for what, worst in odd)


def reserved(case: Case) -> bool:
    """Its charges cost more than the run had reserved."""
    (_, paid), (_, kept) = _costs(case)
    names = ("squared", "lacking", "epsilon")
    return any(getattr(paid, name) > getattr(kept, name) * (1 + EXACT) for name in names)


def spent(case: Case) -> str:
    """Its charges cost more than it states as spent."""
    return _too_little(case.record["spent"], case.cost, case.budget)


def spent_less(case: Case) -> str:
    """Its charges cost less than it states as spent."""
    if "dp_sgd" in case.event_names:
        return ""  # the price of a training is known from below only
    stated = case.record["spent"]["epsilon"]
    rest = stated - case.cost.epsilon
    comparable = rest > CLOSE and stated < MAX_EPSILON
    cheap = comparable and _covers(stated - 0.1 * rest, case.cost, case.budget)
    return f"epsilon {stated:.6g} is stated" if cheap else ""


def overspent(case: Case) -> str:
    """It states that more was spent than its budget."""
    stated = case.record["spent"]["epsilon"]
    return f"epsilon {stated:.6g}" if stated > case.budget["epsilon"] * (1 + CLOSE) else ""


def account_spent(case: Case) -> str:
    """Its account has spent less than its run."""
    return _too_little(case.record["ledger"]["spent"], case.cost, case.opened["budget"])


def fixed(case: Case) -> bool:
    """It calls its charges chosen beforehand, and the run did not reserve them; or denies it."""
    texts = [[json.dumps(e, sort_keys=True) for e in each] for each in case.lists.values()]
    charged, planned = map(Counter, texts)
    return bool(case.record["schedule"]["fixed"] == bool(charged - planned))


def whole(case: Case) -> str:
    """As a whole its charges cost more than its schedule or its account states."""
    schedule, delta = case.record["schedule"], case.budget["delta"]
    if schedule["delta"] != delta:
        return f"stated at delta {schedule['delta']:g}"
    listed = case.begun["reserve"] if schedule["fixed"] else case.events
    account = case.record["ledger"]["if_fixed"], case.opened["budget"]["delta"]
    for events, epsilon, most in ((listed, schedule["epsilon"], delta), (case.events, *account)):
        if (worst := recompute.worst_delta(events, epsilon)) > most * (1 + CLOSE):
            return f"delta {worst:.6g} at epsilon {epsilon:.6g}"
    return ""


def rows(case: Case) -> str:
    """The noise of its charges in rows is told otherwise than it follows from unit and charge."""
    most, swap = case.unit["max_records"], 1 if case.unit["adjacency"] == "add-remove" else 2**0.5
    own = {"measure the row count": most, "count the rows of each unit": 1 if most == 1 else swap}
    odd = []
    for charge in case.record["charges"]:
        line, event = charge["line"], charge["line"]["event"]
        moved = own.get(line["purpose"], most * swap)
        noise = event["noise_multiplier"] * moved if event["event"] == "gaussian" else None
        if not _same(charge["noise_stddev_rows"], noise, CLOSE):
            odd.append(f"line {line['seq']}")
    return ", ".join(odd)


def shares(case: Case) -> bool:
    """The shares of its charges in what was spent are told otherwise than these cost."""
    costs = [recompute.price(event) for event in case.events]
    pure = [recompute.pure_squared(c.epsilon) if c.epsilon else 0.0 for c in costs]
    weights = [float(cost.squared) + own for cost, own in zip(costs, pure, strict=True)]
    total = math.fsum(weights)
    told = [charge["share_percent"] for charge in case.record["charges"]]
    found = [100 * weight / total for weight in weights]
    pairs = zip(told, found, strict=True)
    return not all(_same(stated, share, _tolerance(case)) for stated, share in pairs)


def views(case: Case) -> str:
    """Its charges amount to other views: the mu, rho or Renyi divergences of other accountants."""
    return _other_views(case.record["views"]["spent"], _views(case.events), _tolerance(case))


def budget_views(case: Case) -> str:
    """Its budget amounts to other views: the mu, rho or Renyi divergences of other accountants."""
    allowed = recompute.affordable(*recompute.left(case.budget))
    noise = [{"event": "gaussian", "noise_multiplier": 1 / math.sqrt(allowed)}] if allowed else []
    found = _views(noise if case.event_names <= {"gaussian"} else None)
    return _other_views(case.record["views"]["budget"], found, CLOSE)


def _costs(case: Case) -> Iterator[tuple[str, Cost]]:
    """Of the charges, and of what was reserved for them."""
    for what, events in case.lists.items():
        yield what, recompute.cost_of(events)


def _too_little(stated: Record, cost: Cost, budget: Record) -> str:
    """What is stated as spent, where a cost is more."""
    if stated["delta"] != budget["delta"]:
        return f"stated at delta {stated['delta']:g}"
    enough = _covers(stated["epsilon"], cost, budget)
    return "" if enough else f"epsilon {stated['epsilon']:.6g} is stated"


def _covers(epsilon: float, cost: Cost, budget: Record) -> bool:
    """Whether this much epsilon is enough for a cost, at a budget's delta."""
    rest, (_, delta) = epsilon - cost.epsilon, recompute.left(budget)
    if epsilon >= MAX_EPSILON or rest < -EXACT * epsilon:
        return epsilon >= MAX_EPSILON
    return Mix(float(cost.squared)).delta(max(0.0, rest)) <= delta * (1 + CLOSE)


def _views(events: Sequence[Record] | None) -> dict[str, Any]:
    """The views of events; None where one has no finite value, or the events are not known."""
    nothing = {"mu": None, "zcdp_rho": None, "rdp": dict.fromkeys(map(str, RDP_ORDERS))}
    if events is None:
        return nothing
    cost = recompute.cost_of(events)
    others = [e for e in events if e["event"] == "external_program"]
    pure = sum(recompute.pure_squared(e["epsilon"]) for e in others)
    mu = None if cost.lacking else math.sqrt(float(cost.squared) + pure)
    found: dict[str, Any] = {**nothing, "mu": mu}
    if all(e["event"] == "gaussian" for e in events):
        found["zcdp_rho"] = float(cost.squared) / 2
    if not others and "discovery" not in {e["event"] for e in events}:
        found["rdp"] = {str(order): recompute.renyi(events, order) for order in RDP_ORDERS}
    return found


def _other_views(stated: Record, found: Record, mu_tolerance: float) -> str:
    """The names of views that are stated otherwise."""
    if stated.keys() != found.keys() or stated["rdp"].keys() != found["rdp"].keys():
        return "others than a certificate has"
    losses = found["rdp"].items()
    odd = [f"rdp {order}" for order, x in losses if not _same(stated["rdp"][order], x, CLOSE)]
    odd += [] if _same(stated["zcdp_rho"], found["zcdp_rho"], CLOSE) else ["zcdp_rho"]
    odd += [] if _same(stated["mu"], found["mu"], mu_tolerance) else ["mu"]
    return ", ".join(odd)


def _tolerance(case: Case) -> float:
    return CLOSE_TO_TRAINED if "dp_sgd" in case.event_names else CLOSE


def _same(stated: float | None, found: float | None, tolerance: float) -> bool:
    if stated is None or found is None:
        return stated is found
    return math.isclose(stated, found, rel_tol=tolerance, abs_tol=1e-300)


CHECKS: tuple[Check, ...] = (
    sampling, kept_for_programs, within_claim, reserved, spent, spent_less, overspent,
    account_spent, fixed, whole, rows, shares, views, budget_views,
)  # fmt: skip
