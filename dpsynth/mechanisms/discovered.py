"""Charged categories: which values a column has, where the schema leaves that open.

One charge a column, and one for each level of its codes, with a delta of its own: what each costs
is settled by the budget, the account and the schema, and reserved before anything is read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from dpsynth.data.tables.periods import period_codings
from dpsynth.discovery.discovery import Discovery
from dpsynth.discovery.held import held_texts
from dpsynth.door.bounded import Bounded
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.budget import Budget, affordable, kept_for_programs, spent
from dpsynth.kernel.cost import Cost
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.gaussian_dp import COST_UNIT
from dpsynth.schema.columns import OpenCategorical, matches_any
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema

SHARE = 0.1
MAX_SHARE = 0.2
"""Of a fit's budget: what finding the categories of a single column costs, and of many together."""

DELTA_SHARE = 0.1
"""Of delta: what a fit keeps for finding categories, where its account keeps as much for deltas."""

FITS = 16
"""Of what an account of several fits keeps for deltas, each takes one part in so many."""

PROGRAM_SHARE = 0.8
"""Of epsilon, and of delta, where another program does the rest: what is kept for it."""

_TOO_SMALL = (
    "epsilon is too small to find the categories that are left open: ask for more, or declare them"
)

_HAIR = 2.0**-36
"""By so much of itself an epsilon is lowered, where its conversion was rounded up."""


@dataclass(frozen=True)
class Search:
    """What finding the categories of open columns costs a fit, and what it leaves.

    Parameters
    ----------
    budget : Budget
        Of the fit.
    events : tuple of Discovery
        The charges, one for each look; all alike, or none.
    rest : Budget
        By which the mechanism settles its own charges: of the same delta, and a smaller epsilon.
    """

    budget: Budget
    events: tuple[Discovery, ...]
    rest: Budget

    @property
    def cost(self) -> int:
        """Of all looks together, in units of Gaussian cost."""
        return sum(event.cost.gaussian for event in self.events)

    def reserved(self, events: Sequence[Event] | None) -> list[Event] | None:
        """What a run reserves. events: what its mechanism does by `rest`, None for Gaussian noise
        alone.
        """
        if not self.events:
            return None if events is None else [*events]
        if events is None:
            events = [Gaussian.spending(affordable(self.budget) - self.cost)]
        return [*events, *self.events]


def kept_of(delta: float, schema: Schema) -> float:
    """What of its delta a new account keeps, so that fits can find what this schema leaves open."""
    return delta * DELTA_SHARE if schema.open else 0.0


def search(schema: Schema, budget: Budget, account: Budget | None) -> Search:
    """What a fit of this budget pays to find the categories that the schema leaves open.

    account: the budget of the account that pays, None for one of this fit alone. What of it is kept
    for deltas decides the threshold: it was fixed when the account was opened.
    """
    looks = sum(len(column.looks) for column in _open(schema).values())
    if not looks:
        return Search(budget, (), budget)
    if budget.programs_epsilon:
        return _beside_a_program(budget, account, looks)
    most = kept_of(budget.delta, schema)
    kept = most if account is None else min(most, account.programs_delta)
    budget = Budget(budget.epsilon, budget.delta, programs_delta=kept)
    share = min(MAX_SHARE, SHARE * math.sqrt(looks))
    events = _events(int(affordable(budget) * share), _delta(budget, account, kept), looks)
    found = Search(budget, events, budget)
    return Search(budget, events, _left(budget, affordable(budget) - found.cost))


def find_categories(
    rows: Bounded, schema: Schema, accountant: Accountant
) -> dict[str, tuple[str, ...]]:
    """For each open column the values that enough units hold, without public ones; ascending.

    Where codes have levels, a value that was not found is looked for by its prefixes, the longest
    first: who has one of them counts there unless a longer one was found. That is public by then.
    """
    dates = period_codings(schema)
    events = iter(accountant.reserved(Discovery))
    found = {}
    for name, column in _open(schema).items():
        known: frozenset[str] = frozenset()
        for length in column.looks:
            what = "categories" if length is None else f"prefixes of {length}"
            text_of = partial(_text, column, schema.file, length, known)
            held = held_texts(rows, name, text_of, dates)
            charge = accountant.charge(next(events), f"find the {what} of {name}")
            known |= {*charge.redeem(held)}
        found[name] = tuple(sorted(known))
    return found


def _text(
    column: OpenCategorical,
    file: FileFormat,
    length: int | None,
    found: frozenset[str],
    value: str | float,
) -> str | None:
    """`column.text`; None, too, for what could be no category of a schema with this file section.

    A table that is no such file may hold it, and a fit must not fail by what it finds.
    """
    text = column.text(value, length, found)
    if text is None or any(matches_any(marker, [text]) for marker in file.missing_markers):
        return None
    text.encode(file.encoding or "utf-8")  # where it cannot be, the value is not counted
    return None if file.quote is None and (file.delimiter or ",") in text else text


def _beside_a_program(budget: Budget, account: Budget | None, looks: int) -> Search:
    """Where another program is kept all of the budget: a part of it, which pays for the looks."""
    own = budget.delta * DELTA_SHARE
    program = budget.delta * PROGRAM_SHARE
    epsilon = budget.epsilon * PROGRAM_SHARE
    whole = Budget(budget.epsilon, budget.delta, epsilon, program)
    events = _events(affordable(whole), _delta(whole, account, own), looks)
    return Search(whole, events, Budget(budget.epsilon, budget.delta, epsilon, program - own))


def _events(cost: int, delta: int, looks: int) -> tuple[Discovery, ...]:
    """One look costs as much as another, in noise and in delta (in units of cost)."""
    if cost < looks:
        raise ValueError(_TOO_SMALL)
    noise = Gaussian.spending(cost // looks).noise_multiplier
    each = math.nextafter(delta // looks / COST_UNIT, 0)  # so that all of them are covered
    return (Discovery(noise, each),) * looks


def _delta(budget: Budget, account: Budget | None, kept: float) -> int:
    """What all looks of a fit may spend, in units of cost. kept: by the fit, beyond what any does.

    An account of this very budget pays for no second fit.
    """
    of_fit = math.floor(Fraction(kept) * COST_UNIT)
    if of_fit and account in (None, budget):
        return of_fit
    of_account, least = (kept_for_programs(b).delta // FITS for b in (account or budget, budget))
    return min(of_account, of_fit or least)


def _left(budget: Budget, cost: int) -> Budget:
    """A budget of the same delta which affords this Gaussian cost, or a hair less."""
    epsilon = spent(Cost(cost), budget).epsilon
    while epsilon:
        epsilon *= 1 - _HAIR
        found = Budget(epsilon, budget.delta, programs_delta=budget.programs_delta)
        if affordable(found) <= cost:
            return found
    raise ValueError(_TOO_SMALL)


def _open(schema: Schema) -> dict[str, OpenCategorical]:
    columns = schema.columns.items()
    return {name: column for name, column in columns if isinstance(column, OpenCategorical)}
