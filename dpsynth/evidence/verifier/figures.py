"""Checks of the figures of a certificate, each recomputed from the charges that it quotes (`recompute.py` says how)."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dpsynth.evidence.verifier import recompute
from dpsynth.evidence.verifier.case import Case, Check, Record
from dpsynth.evidence.verifier.recompute import KEPT, MOST_EPSILON, Cost, Mix

EXACT = 1e-12  # relative: sums of a few doubles
CLOSE = 1e-6  # relative: the integral is known to nine digits, and honest figures are rounded up by less
CLOSE_TO_TRAINED = 0.05  # relative: the price of a training is found from below, short by up to 0.03 of it
RDP_ORDERS = (2, 4, 8, 16, 32, 64)


def sampling(case: Case) -> bool:
    """Its charges are no guarantee for its unit: sampling hides whether a unit took part, not which one."""
    trained = any(event["event"] == "dp_sgd" and event["rate"] < 1 for event in case.events)
    return trained and case.opened["unit"]["adjacency"] != "add-remove"


def kept_for_programs(case: Case) -> str:
    """Events have epsilons or deltas of their own that come to more than was kept for them."""
    budget = case.budget
    if not 0 <= budget["programs_epsilon"] <= budget["epsilon"] or not 0 <= budget["programs_delta"] < budget["delta"]:
        return "more is kept for programs than there is"
    kept_delta = budget["delta"] * KEPT + budget["programs_delta"]
    return "; ".join(
        f"the {what}: epsilon {cost.epsilon:.6g}, delta {cost.lacking:.6g}"
        for what, cost in _costs(case)
        if cost.epsilon > budget["programs_epsilon"] * (1 + EXACT) or cost.lacking > kept_delta * (1 + EXACT)
    )


def within_claim(case: Case) -> str:
    """What was charged or reserved costs more than the claim."""
    epsilon, delta = _left(case.budget)
    found = ((what, Mix(float(cost.squared)).delta(epsilon)) for what, cost in _costs(case))
    own = case.budget["programs_delta"]
    at = f"at epsilon {case.budget['epsilon']:g}"
    return "; ".join(
        f"the {what}: delta {found + own:.6g} {at}" for what, found in found if found > delta * (1 + CLOSE)
    )


def reserved(case: Case) -> bool:
    """Its charges cost more than the run had reserved."""
    (_, charged), (_, kept) = _costs(case)
    pairs = ((charged.squared, kept.squared), (charged.lacking, kept.lacking), (charged.epsilon, kept.epsilon))
    return any(spent > most * (1 + EXACT) for spent, most in pairs)


def spent(case: Case) -> str:
    """Its charges cost more than it states as spent."""
    stated = case.record["spent"]
    if stated["delta"] != case.budget["delta"]:
        return f"stated at delta {stated['delta']:g}"
    return "" if _covers(stated["epsilon"], case.cost, case.budget) else f"epsilon {stated['epsilon']:.6g} is stated"


def spent_less(case: Case) -> str:
    """Its charges cost less than it states as spent."""
    if "dp_sgd" in case.event_names:
        return ""  # the price of a training is known from below only
    stated = case.record["spent"]["epsilon"]
    rest = stated - case.cost.epsilon
    cheap = rest > CLOSE and stated < MOST_EPSILON and _covers(stated - 0.1 * rest, case.cost, case.budget)
    return f"epsilon {stated:.6g} is stated" if cheap else ""


def overspent(case: Case) -> str:
    """It states that more was spent than its budget."""
    stated = case.record["spent"]["epsilon"]
    return f"epsilon {stated:.6g}" if stated > case.budget["epsilon"] * (1 + CLOSE) else ""


def account_spent(case: Case) -> str:
    """Its account has spent less than its run."""
    stated, budget = case.record["ledger"]["spent"], case.opened["budget"]
    if stated["delta"] != budget["delta"]:
        return f"stated at delta {stated['delta']:g}"
    return "" if _covers(stated["epsilon"], case.cost, budget) else f"epsilon {stated['epsilon']:.6g} is stated"


def account_whole(case: Case) -> str:
    """As a whole the charges of its account are stated to cost less than its own alone."""
    stated, delta = case.record["ledger"]["if_fixed"], case.opened["budget"]["delta"]
    worst = recompute.worst_delta(case.events, stated)
    return f"delta {worst:.6g} at epsilon {stated:.6g}" if worst > delta * (1 + CLOSE) else ""


def fixed(case: Case) -> bool:
    """It says that its charges were fixed beforehand, and the run did not reserve them; or it denies what is so."""
    charged, planned = (Counter(json.dumps(e, sort_keys=True) for e in each) for each in case.lists.values())
    return bool(case.record["schedule"]["fixed"] == bool(charged - planned))


def whole(case: Case) -> str:
    """As a whole its charges cost more than its schedule states."""
    schedule, delta = case.record["schedule"], case.budget["delta"]
    if schedule["delta"] != delta:
        return f"stated at delta {schedule['delta']:g}"
    listed = case.begun["reserve"] if schedule["fixed"] else case.events
    worst = recompute.worst_delta(listed, schedule["epsilon"])
    return f"delta {worst:.6g} at epsilon {schedule['epsilon']:.6g}" if worst > delta * (1 + CLOSE) else ""


def rows(case: Case) -> str:
    """The noise of its charges in rows is told otherwise than it follows from unit and charge."""
    unit = case.opened["unit"]
    moved = unit["max_records"] * (1 if unit["adjacency"] == "add-remove" else math.sqrt(2))
    told = [(c["noise_stddev_rows"], c["line"]) for c in case.record["charges"]]
    found = [(stated, line["event"].get("noise_multiplier"), line) for stated, line in told]
    return ", ".join(
        f"line {line['seq']}"
        for stated, noise, line in found
        if not _same(stated, noise * moved if line["event"]["event"] == "gaussian" else None, CLOSE)
    )


def shares(case: Case) -> bool:
    """The shares of its charges in what was spent are told otherwise than these cost."""
    costs = [recompute.price(event) for event in case.events]
    weights = [float(c.squared) + (recompute.pure_squared(c.epsilon) if c.epsilon else 0.0) for c in costs]
    total = math.fsum(weights)
    told = [charge["share_percent"] for charge in case.record["charges"]]
    found = [100 * weight / total for weight in weights]
    return not all(_same(stated, share, _tolerance(case)) for stated, share in zip(told, found, strict=True))


def views(case: Case) -> str:
    """Its charges amount to other views: mu, rho or Renyi divergences that other accountants would state."""
    return _other_views(case.record["views"]["spent"], _views(case.events), trained="dp_sgd" in case.event_names)


def budget_views(case: Case) -> str:
    """Its budget amounts to other views: mu, rho or Renyi divergences that other accountants would state."""
    allowed = recompute.affordable(*_left(case.budget))
    noise = [{"event": "gaussian", "noise_multiplier": 1 / math.sqrt(allowed)}] if allowed else []
    gaussian = case.event_names <= {"gaussian"}
    return _other_views(case.record["views"]["budget"], _views(noise if gaussian else None), trained=False)


def _costs(case: Case) -> Iterator[tuple[str, Cost]]:
    """Of the charges, and of what was reserved for them."""
    for what, events in case.lists.items():
        yield what, recompute.cost_of(events)


def _left(budget: Record) -> tuple[float, float]:
    """epsilon and delta that are left for noise, when what is kept for programs is taken away."""
    delta = budget["delta"] * (1 - KEPT) - budget["programs_delta"]
    return max(0.0, budget["epsilon"] - budget["programs_epsilon"]), delta


def _covers(epsilon: float, cost: Cost, budget: Record) -> bool:
    """Whether this much epsilon is enough for a cost, at a budget's delta."""
    if epsilon >= MOST_EPSILON:
        return True
    rest = epsilon - cost.epsilon
    if rest < -EXACT * epsilon:
        return False
    _, delta = _left(budget)
    return Mix(float(cost.squared)).delta(max(0.0, rest)) <= delta * (1 + CLOSE)


def _views(events: Sequence[Record] | None) -> dict[str, Any]:
    """None where an event has no finite value in a currency; all of them for a list that is not known."""
    nothing = {"mu": None, "zcdp_rho": None, "rdp": dict.fromkeys(map(str, RDP_ORDERS))}
    if events is None:
        return nothing
    cost = recompute.cost_of(events)
    pure = sum(recompute.pure_squared(e["epsilon"]) for e in events if e["event"] == "external_program")
    found: dict[str, Any] = {**nothing, "mu": None if cost.lacking else math.sqrt(float(cost.squared) + pure)}
    if all(e["event"] == "gaussian" for e in events):
        found["zcdp_rho"] = float(cost.squared) / 2
    if all(e["event"] != "external_program" for e in events):
        found["rdp"] = {str(order): recompute.renyi(events, order) for order in RDP_ORDERS}
    return found


def _other_views(stated: Mapping[str, Any], found: Mapping[str, Any], *, trained: bool) -> str:
    """The names of views that are stated otherwise. trained: whether a price that is known from below is in mu."""
    if stated.keys() != found.keys() or stated["rdp"].keys() != found["rdp"].keys():
        return "others than a certificate has"
    odd = [f"rdp {order}" for order in found["rdp"] if not _same(stated["rdp"][order], found["rdp"][order], CLOSE)]
    odd += [] if _same(stated["zcdp_rho"], found["zcdp_rho"], CLOSE) else ["zcdp_rho"]
    odd += [] if _same(stated["mu"], found["mu"], CLOSE_TO_TRAINED if trained else CLOSE) else ["mu"]
    return ", ".join(odd)


def _tolerance(case: Case) -> float:
    return CLOSE_TO_TRAINED if "dp_sgd" in case.event_names else CLOSE


def _same(stated: float | None, found: float | None, tolerance: float) -> bool:
    if stated is None or found is None:
        return stated is found
    return math.isclose(stated, found, rel_tol=tolerance, abs_tol=1e-300)


CHECKS: tuple[Check, ...] = (
    sampling, kept_for_programs, within_claim, reserved, spent, spent_less, overspent, account_spent, account_whole,
    fixed, whole, rows, shares, views, budget_views,
)  # fmt: skip
