"""`check_mechanism` passes what keeps the laws, and finds each mutant by the law that it breaks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from dpsynth import Budget, Categorical, Numeric, Schema
from dpsynth.base import progress
from dpsynth.data.tables.codec import schema_domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import _integers
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.allocation import Allocation, Part, first_parts
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.marginal.independent import Independent, independent_model
from dpsynth.mechanisms.oneway import allocated_oneways
from dpsynth.testing import SCHEMA, BlindAccountant, check_mechanism, made_up

BLIND = "what comes out depends on the rows through charges only"
SPENDS = "a fit spends its budget"
EDGES = "any table can be fitted and sampled"
PLANNED = "a fit charges what its allocation says"
SAVED = "a saved model draws the same rows"


@dataclass(frozen=True)
class Halves(Mechanism):
    """What docs/mechanisms.md begins with: it keeps all laws."""

    share: float = 0.5

    def allocation(self, cost, domain, settled=()):
        total = int(cost * self.share)
        return Allocation(first_parts(domain, total=total, oneway=cost - total))

    def fit(self, table, accountant):
        look = allocated_oneways(table, accountant, self.allocation(accountant.cost_left, table.domain))
        return independent_model(table.domain, look.masses(), look.rows)


def rows_of(table) -> int:
    """What no mechanism may ask: the exact number of rows."""
    return int(_integers(table.marginals([()])[()]))


class Peeks(Halves):
    """Its row count is exact."""

    def fit(self, table, accountant):
        return replace(super().fit(table, accountant), masses={a: np.full(n, rows_of(table)) + np.arange(n)
                                                               for a, n in table.domain.sizes})  # fmt: skip


class Tells(Halves):
    """What it says for the certificate is exact."""

    def fit(self, table, accountant):
        return replace(super().fit(table, accountant), outcome=f"fitted to {rows_of(table)} rows")


class Logs(Halves):
    """A step that its log names is exact."""

    def fit(self, table, accountant):
        progress.step(1, rows_of(table))
        return super().fit(table, accountant)


class Writes(Halves):
    """A purpose in the ledger is exact."""

    def fit(self, table, accountant):
        cost = accountant.cost_left // 1000
        accountant.charge(Gaussian.spending(cost), f"{rows_of(table)} rows").gaussian(table.marginals([()])[()])
        return super().fit(table, accountant)


class Keeps(Halves):
    """A tenth of the budget stays unspent."""

    def allocation(self, cost, domain, settled=()):
        return super().allocation(int(cost * 0.9), domain)


class Asks(Halves):
    """It asks for more than it has."""

    def fit(self, table, accountant):
        all_of_it = accountant.cost_left
        model = super().fit(table, accountant)
        accountant.charge(Gaussian.spending(all_of_it), "all of it, again")
        return model


class Divides(Halves):
    """It fails where a noisy count is small, as that of an empty table is."""

    def fit(self, table, accountant):
        model = super().fit(table, accountant)
        if model.total < 100:
            raise ZeroDivisionError("too few rows")
        return model


class Skips(Halves):
    """Its samples lack a row."""

    def fit(self, table, accountant):
        return Short(super().fit(table, accountant))


class Short:
    """A model whose samples lack a row."""

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def sample(self, n, rng, evidence=None):
        return {a: codes[:-1] for a, codes in self.model.sample(n, rng, evidence).items()}


class Negative(Halves):
    """Its pairs have negative counts."""

    def fit(self, table, accountant):
        model = Short(super().fit(table, accountant))
        model.project = lambda clique: -model.model.project(clique)
        model.sample = model.model.sample
        return model


class SaysLess(Halves):
    """It charges for the columns twice, and says once."""

    def fit(self, table, accountant):
        for cost in (accountant.cost_left // 2, accountant.cost_left - accountant.cost_left // 2):
            look = allocated_oneways(table, accountant, super().allocation(cost, table.domain))
        return independent_model(table.domain, look.masses(), look.rows)


class SaysOther(Halves):
    """It gives another share to the row count than it says."""

    def fit(self, table, accountant):
        return Halves(0.3).fit(table, accountant)


class SaysMore(Halves):
    """It says that it makes charges which it never makes."""

    def allocation(self, cost, domain, settled=()):
        said = super().allocation(cost, domain)
        return Allocation((*said.parts, Part("a pair of columns", (1, 3), (cost // 7, cost // 7))))

    def fit(self, table, accountant):
        look = allocated_oneways(table, accountant, Halves().allocation(accountant.cost_left, table.domain))
        return independent_model(table.domain, look.masses(), look.rows)


class SaysNothing(Mechanism):
    """It has no allocation."""

    def fit(self, table, accountant):
        return Halves().fit(table, accountant)


class Unsaved(Halves):
    """Its model cannot be written to a file."""

    def fit(self, table, accountant):
        return Whole(super().fit(table, accountant))


class Whole(Short):
    """A model of a class that no file has."""

    def sample(self, n, rng, evidence=None):
        return self.model.sample(n, rng, evidence)


MUTANTS = {
    BLIND: [Peeks, Tells, Writes, Logs],
    SPENDS: [Keeps, Asks],
    EDGES: [Divides, Skips, Negative],
    PLANNED: [SaysLess, SaysOther, SaysMore, SaysNothing],
    SAVED: [Unsaved],
}


@pytest.mark.parametrize(
    ("law", "mutant"), [(law, m) for law, ms in MUTANTS.items() for m in ms], ids=lambda it: getattr(it, "__name__", "")
)
def test_a_mutant_is_found_by_the_law_that_it_breaks(law, mutant):
    with pytest.raises(AssertionError) as caught:
        check_mechanism(mutant)
    first, *faults = str(caught.value).splitlines()
    assert first == f"{mutant.__name__} breaks a law of mechanisms"
    assert any(fault.startswith(f"{law}: ") for fault in faults), faults


def test_one_that_keeps_the_laws_passes_as_a_class_an_object_and_with_settings():
    check_mechanism(Halves)
    check_mechanism(Halves, share=0.2, epsilon=0.1)
    check_mechanism(Halves(0.3), schema=Schema({"a": Numeric(0, 9, integer=True), "b": Categorical(["x", "y"])}))
    with pytest.raises(TypeError, match="settings are for a class"):
        check_mechanism(Halves(), share=0.3)


def test_an_object_without_our_base_class_is_tried_as_well():
    class Mine:
        def fit(self, table, accountant):
            return Halves().fit(table, accountant)

    with pytest.raises(AssertionError, match="no plan is known for the mechanism Mine"):
        check_mechanism(Mine())


def test_made_up_rows_are_related_or_not_and_in_their_domain():
    domain = schema_domain(SCHEMA)
    for related in (True, False):
        codes = made_up(domain, 2000, 1, related=related)
        assert all(codes[a].min() >= 0 and codes[a].max() < n for a, n in domain.sizes)
        close = np.corrcoef(codes["age"], codes["sex"])[0, 1]
        assert bool(close > 0.5) is related
    assert all(len(codes) == 0 for codes in made_up(domain, 0, 1).values())


def test_a_blind_accountant_spends_what_a_seeing_one_spends():
    domain = schema_domain(SCHEMA)
    table = PrivateTable.from_codes(made_up(domain, 100, 2), domain)
    spent = []
    for accountant in (BlindAccountant(Budget(1.0, 1e-6)), Accountant(Budget(1.0, 1e-6))):
        Independent().fit(table, accountant)
        spent.append(accountant.spent())
    assert spent[0] == spent[1]
