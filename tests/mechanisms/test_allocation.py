"""What an allocation says is what a fit charges: the same kinds, as often as it says, with the noise that it says."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.events import Gaussian
from dpsynth.ledger.names import event_to_dict
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.allocation import (
    AGAIN,
    COLUMNS,
    PAIRS,
    ROW_COUNT,
    SCORES,
    Allocation,
    Part,
    either,
    first_parts,
)
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.external.command import External
from dpsynth.mechanisms.marginal.aim import AIM
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.independent import Independent, independent_model
from dpsynth.mechanisms.marginal.mst import MST
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.hybrid import Hybrid
from dpsynth.mechanisms.neural.pate_gan import PATEGAN
from dpsynth.mechanisms.oneway import allocated_oneways
from dpsynth.mechanisms.registry import FAMILIES, MECHANISMS, loaded
from dpsynth.programs.external import ExternalProgram
from dpsynth.training.event import DpSgd

ROWS = 4000
SIZES = {"a": 4, "b": 4, "c": 3, "d": 6, "e": 30}
DOMAIN = Domain.of(SIZES)
NETWORK = DPCTGAN(steps=20, rate=0.2, components=64, fakes=32, generator=(8,), critic=(4,))
CASES = [
    Independent(),
    Independent(total_share=0.3),
    MST(),
    MST(select_share=0.2),
    Canopy(),
    Canopy(oneway_share=0.4, select_share=0.1),
    AIM(),
    AIM(rounds=2, select_share=0.3, workload=Workload(degree=2)),
    AIM(workload=Workload(degree=1)),
    NETWORK,
    Hybrid(network=NETWORK),
    PATEGAN(rounds=3, questions=20, rows_per_teacher=10, moves=4, network=NETWORK),
    External(command=["cp", "{input}", "{output}"], rows=ROWS, claim=ExternalProgram(0.5, 1e-9)),
]
NOT_HERE = {"smartnoise:NAME"}
"""It is an External with a command of its own, which needs another environment."""

EXTERNAL_PROGRAM = "a table of synthetic rows"
KINDS = {
    "ask teachers": "votes of teachers",
    "compare": "the comparison of two models",
    "external:": EXTERNAL_PROGRAM,
    "choose among": SCORES,
}


def table(related: bool) -> PrivateTable:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, ROWS)
    codes = {name: rng.integers(0, size, ROWS) for name, size in SIZES.items()}
    if related:
        codes |= {"a": a, "b": np.where(rng.random(ROWS) < 0.9, a, codes["b"]), "c": a % 3}
    return PrivateTable.from_codes(codes, DOMAIN)


def kind(purpose: str, allocation: Allocation, seen: dict[str, list[int]]) -> str:
    """The kind of charge, in the allocation's words, that a purpose of the ledger is of."""
    words = [part.what for part in allocation.parts]
    for start, what in KINDS.items():
        if purpose.startswith(start):
            return what if what in words else "scores of marginals"
    if " x " in purpose:
        return PAIRS if PAIRS in words else "a marginal of two columns or more"
    if purpose == "measure the row count":
        once = (what for what in ("the row count, beforehand", ROW_COUNT) if what in words and not seen[what])
        return next(once, AGAIN)
    return COLUMNS if len(seen[COLUMNS]) < len(SIZES) else AGAIN


def faults(mechanism: Mechanism, epsilon: float, related: bool) -> list[str]:
    """Where a fit and its allocation differ, a sentence each."""
    budget = mechanism.budget(epsilon, 1e-6)
    settled = tuple(mechanism.settled(budget))
    accountant = Accountant(budget, reserve=mechanism.reserve(budget), unsafe_seed=5)
    allocation = mechanism.allocation(accountant.cost_left, DOMAIN, settled)
    mechanism.fit(table(related), accountant)
    charges = [line for line in accountant.ledger.entries() if line["kind"] == "charge"]
    return list(_differences(allocation, [(c["purpose"], c["event"]) for c in charges]))


def _differences(allocation, charges):
    seen = {part.what: [] for part in allocation.parts}
    trained = []
    for purpose, event in charges:
        if event["event"] == "dp_sgd":
            trained.append(event)
        else:
            seen.setdefault(kind(purpose, allocation, seen), []).append(event)
    if trained not in ([], [event_to_dict(e) for e in allocation.settled if isinstance(e, DpSgd)]):
        yield f"{trained} was not settled"
    for what, events in seen.items():
        if (part := allocation.part(what)) is None:
            yield f"{what} is not in the allocation"
        elif not part.charges[0] <= len(events) <= part.charges[1]:
            yield f"{len(events)} charges for {what}, and {part.charges} were said"
        elif what == EXTERNAL_PROGRAM:
            if events != [event_to_dict(e) for e in allocation.settled]:
                yield f"{events} was not claimed"
        else:
            yield from (f"{what} has {e}" for e in events if not _as_said(part, e["noise_multiplier"]))


def _as_said(part: Part, noise: float) -> bool:
    """Exactly the noise of a cost that is settled; for shares of what is left, no less than all of it buys."""
    least, most = (Gaussian.spending(cost).noise_multiplier if cost else np.inf for cost in reversed(part.costs))
    if part.costs[0] == part.costs[1]:
        return noise == least
    return least * (1 - 1e-6) <= noise <= most * (1 + 1e-6)  # crumbs of rounding go to what is left


@pytest.mark.parametrize("mechanism", CASES, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize(("epsilon", "related"), [(0.5, False), (8.0, True)], ids=["little", "much"])
def test_a_fit_charges_what_its_allocation_says(mechanism, epsilon, related):
    if type(mechanism).__module__.startswith("dpsynth.mechanisms.neural"):
        pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")
    assert faults(mechanism, epsilon, related) == []


def test_every_mechanism_of_ours_is_among_the_cases():
    kinds = {loaded(entry) for name, entry in {**MECHANISMS, **FAMILIES}.items() if name not in NOT_HERE}
    assert {type(mechanism) for mechanism in CASES} == kinds


class SaysOneThing(Mechanism):
    """A mutant: its allocation gives a half to the row count."""

    said, done = 0.5, 0.4

    def allocation(self, cost, domain, settled=()):
        return Allocation(first_parts(domain, total=int(cost * self.said), oneway=cost - int(cost * self.said)))

    def fit(self, table, accountant):
        cost = int(accountant.cost_left * self.done)
        other = Allocation(first_parts(table.domain, total=cost, oneway=accountant.cost_left - cost))
        oneway = allocated_oneways(table, accountant, other)
        return independent_model(table.domain, oneway.masses(), oneway.rows)


class LooksTwice(Independent):
    """A mutant: charges that its allocation does not have."""

    def fit(self, table, accountant):
        half = Allocation(first_parts(table.domain, total=accountant.cost_left // 9, oneway=accountant.cost_left // 9))
        allocated_oneways(table, accountant, half)
        return super().fit(table, accountant)


@pytest.mark.parametrize("mutant", [SaysOneThing(), LooksTwice()], ids=lambda m: type(m).__name__)
def test_a_fit_that_charges_otherwise_is_found(mutant):
    assert faults(mutant, 1.0, True)


def test_of_two_budgets_the_wider_range_is_said():
    one, other = (Allocation((Part("x", (0, n), (5 * n, 9 * n)),)) for n in (1, 3))
    assert either(one, other) == (Part("x", (0, 3), (5, 27)),)


def test_a_cost_is_found_by_its_name():
    allocation = Canopy().allocation(10**6, DOMAIN)
    assert allocation.cost(ROW_COUNT) == 10_000
    assert allocation.cost(COLUMNS) == 100_000 // len(SIZES)
    assert allocation.cost(SCORES) == 25_000
    with pytest.raises(KeyError):
        allocation.cost("the weather")
