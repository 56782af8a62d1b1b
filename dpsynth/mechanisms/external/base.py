"""Generators that are not ours: what all of them share, whatever they are.

One charge pays for what the program claims, and only then is it run, by the kernel
(`kernel/programs.py`): nothing here sees a private row. The program is given cells of the schema's
public domain, of rows bounded for each unit, so that it has nothing left to learn of ids, ranges or
categories. What comes back is a table of synthetic rows, and the model draws from it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event
from dpsynth.mechanisms.allocation import Allocation, Part
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.footprint import Footprint
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.base import Model
from dpsynth.models.refined import RefinedModel
from dpsynth.models.released import ReleasedRows
from dpsynth.programs.external import ExternalProgram
from dpsynth.programs.run import Program
from dpsynth.schema.table import Schema, SchemaError

MAX_ROWS = 20_000_000


@dataclass(frozen=True, kw_only=True)
class ExternalMechanism(Mechanism):
    """A program that is not ours, and what it claims.

    Parameters
    ----------
    claim : ExternalProgram or None
        What the program promises a unit, `ExternalProgram(epsilon, delta)`; None is the whole
        budget of the fit (of delta, all but a millionth).
    rows : int
        How many synthetic rows it is asked for, a public number.
    max_cells : int
        An ordered column is handed over in at most so many cells, neighbours merged.
    time_limit : float
        In seconds.

    Raises
    ------
    ValueError
        For a claim that is none, and for numbers out of range.

    Examples
    --------
    >>> from dpsynth.mechanisms.registry import TABLES
    >>> [n for n, e in TABLES.entries().items() if issubclass(e.load(), ExternalMechanism)]
    ['smartnoise:NAME', 'external:']
    """

    claim: ExternalProgram | None = None
    rows: int = 100_000
    max_cells: int = 64
    time_limit: float = 3600.0

    gaussian = False
    reads_rows = True

    def __post_init__(self) -> None:
        if self.claim is not None and not isinstance(self.claim, ExternalProgram):
            raise ValueError(
                "claim must be what the program promises, ExternalProgram(epsilon, delta), got"
                f" {self.claim!r}"
            )
        for name, least, most in (("rows", 1, MAX_ROWS), ("max_cells", 2, 2**31 - 1)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ValueError(
                    f"{name} must be a whole number from {least} to {most}, got {value!r}"
                )
        limit = self.time_limit
        if (
            isinstance(limit, bool)
            or not isinstance(limit, int | float)
            or not 0 < limit < math.inf
        ):
            raise ValueError(f"time_limit must be a number of seconds above 0, got {limit!r}")

    @property
    @abstractmethod
    def name(self) -> str:
        """Under which it is registered."""

    @property
    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """The command, with places for what changes from run to run."""

    def event(self, budget: Budget) -> ExternalProgram:
        """What a fit with this budget pays for: all that the budget keeps for programs, or what was
        claimed.
        """
        return (
            ExternalProgram(budget.programs_epsilon, budget.programs_delta)
            if self.claim is None
            else self.claim
        )

    def budget(self, epsilon: float, delta: float) -> Budget:
        """All that can be kept for programs is."""
        return Budget.for_programs(epsilon, delta)

    def settled(self, budget: Budget) -> tuple[ExternalProgram]:
        return (self.event(budget),)

    def reserve(self, budget: Budget) -> list[Event]:
        """The one event, reserved before anything is read."""
        return [*self.settled(budget)]

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        """One charge, of which all is known that is claimed; of its noise, nothing."""
        table = Part("a table of synthetic rows", (1, 1), (0, 0), (math.nan, math.nan))
        return Allocation((table,), tuple(settled))

    def seen(self, domain: Domain) -> Domain:
        """The cells that are handed over."""
        return grouped(domain, even_groups(domain, self.max_cells))

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        """At the most until the time is over; megabytes for both tables, 12 bytes a cell, and for
        Python.
        """
        return Footprint(
            (0.0, self.time_limit), (rows + self.rows) * len(domain.attributes) * 12 / 1e6 + 200
        )

    def remarks(self, budget: Budget) -> tuple[str, ...]:
        event = self.event(budget)
        return (
            f"it pays for what the program claims: epsilon {event.epsilon:g} at delta"
            f" {event.delta:g}",
            "its errors, its time and its memory are the program's own, and unknown here",
            *self.cautions,
        )

    def released(self, model: Model) -> dict[str, Any]:
        """Nothing: what the program says of its rows, nobody here paid for."""
        return {}

    def check_schema(self, schema: Schema) -> None:
        """Refuses, before anything is read or charged, what cannot be handed to the program."""
        if schema.unbounded:
            raise SchemaError(
                f"{self.name} cannot learn the bounds of {list(schema.unbounded)}, as its claim is"
                " all that is paid"
                " for: declare them in the schema"
            )

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """The rows that the program released, over cells; values are spread inside each by public
        widths.
        """
        (event,) = accountant.reserved(ExternalProgram)
        charge = accountant.charge(event, f"{self.name}: a program that is not ours")
        groups = even_groups(table.domain, self.max_cells)
        coarse = table.coarsen({a: g for a, g in groups.items() if g.size > g[-1] + 1})
        domain = grouped(table.domain, groups)
        program = Program(self.name, self.words, domain, self.rows, self.time_limit)
        released = ReleasedRows.of(domain, charge.redeem(coarse.rows(), program=program))
        return RefinedModel(
            table.domain, released, groups, {a: np.zeros(n) for a, n in table.domain.sizes}
        )


def even_groups(domain: Domain, most: int) -> dict[str, np.ndarray]:
    """For each attribute the group of each cell: runs of an ordered column's cells, as even as they
    can be.

    Cells without an order, missing ones say, stay alone.
    """
    groups = {}
    for a, cells in domain.sizes:
        ordered = len(domain.width(a) or ())
        kept = min(ordered, most)
        runs = np.arange(ordered) * kept // max(1, ordered)
        groups[a] = np.concatenate([runs, np.arange(kept, kept + cells - ordered)])
    return groups


def grouped(domain: Domain, groups: Mapping[str, np.ndarray]) -> Domain:
    """The domain of these groups: widths of cells that were merged add up."""
    sizes = tuple((a, int(groups[a][-1]) + 1) for a in domain.attributes)
    widths = ((a, np.bincount(groups[a][: len(w)], w)) for a, w in domain.widths)
    return Domain(sizes, tuple((a, tuple(w.tolist())) for a, w in widths))
