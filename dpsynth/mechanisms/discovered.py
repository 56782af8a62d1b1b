"""Charged categories: which values a column has, where the schema leaves that open.

One charge a column, and one for each level of its codes, with a delta of its own: what each costs
is settled by the budget and the schema, and reserved before anything is read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from dpsynth.data.tables.periods import period_codings
from dpsynth.discovery.discovery import Discovery
from dpsynth.discovery.held import held_texts
from dpsynth.door.bounded import Bounded
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.budget import Budget, affordable, kept_for_programs
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.gaussian_dp import COST_UNIT
from dpsynth.schema.columns import OpenCategorical
from dpsynth.schema.table import Schema

SHARE = 0.05
MAX_SHARE = 0.15
"""Of a fit's budget: what finding the categories of a single column costs, and of many together."""

_FITS = 16
"""So many fits find categories before an account has used up what it keeps for deltas."""


def discoveries(schema: Schema, budget: Budget) -> list[Discovery]:
    """The charges for a schema's open columns, one for each look; all alike, or none."""
    looks = sum(len(column.looks) for column in _open(schema).values())
    if not looks:
        return []
    share = min(MAX_SHARE, SHARE * math.sqrt(looks))
    noise = Gaussian.spending(int(affordable(budget) * share) // looks).noise_multiplier
    # rounded down, so that all looks of so many fits are covered
    delta = math.nextafter(kept_for_programs(budget).delta // (_FITS * looks) / COST_UNIT, 0)
    return [Discovery(noise, delta)] * looks


def reserved(schema: Schema, budget: Budget, events: Sequence[Event] | None) -> list[Event] | None:
    """What a run reserves. events: what its mechanism does, None for Gaussian noise alone."""
    found = discoveries(schema, budget)
    if not found or events is not None:
        return None if events is None else [*events]
    left = affordable(budget) - sum(event.cost.gaussian for event in found)
    return [Gaussian.spending(left), *found]


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
            charge = accountant.charge(next(events), f"find the {what} of {name}")
            text_of = partial(column.text, length=length, found=known)
            known |= {*charge.redeem(held_texts(rows, name, text_of, dates))}
        found[name] = tuple(sorted(known))
    return found


def _open(schema: Schema) -> dict[str, OpenCategorical]:
    columns = schema.columns.items()
    return {name: column for name, column in columns if isinstance(column, OpenCategorical)}
