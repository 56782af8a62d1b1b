"""Charged categories: which values a column has, where the schema leaves that open.

One charge a column, with a delta of its own: what each costs is settled by the budget and the
schema, and reserved before anything is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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
    """The charges for a schema's open columns, in its order; all alike, and none where none is."""
    columns = len(schema.open)
    if not columns:
        return []
    share = min(MAX_SHARE, SHARE * math.sqrt(columns))
    noise = Gaussian.spending(int(affordable(budget) * share) // columns).noise_multiplier
    delta = kept_for_programs(budget).delta / COST_UNIT / _FITS / columns
    return [Discovery(noise, delta)] * columns


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
    """For each open column the values that enough units hold, without public ones; ascending."""
    dates = period_codings(schema)
    open_columns: Mapping[str, OpenCategorical] = {
        name: column
        for name, column in schema.columns.items()
        if isinstance(column, OpenCategorical)
    }
    events = accountant.reserved(Discovery)
    found = {}
    for (name, column), event in zip(open_columns.items(), events, strict=True):
        charge = accountant.charge(event, f"find the categories of {name}")
        found[name] = charge.redeem(held_texts(rows, name, column.text, dates))
    return found
