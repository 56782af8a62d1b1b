"""Allocation: how a mechanism shares a budget out, stated once. `fit` takes its costs from it, a
plan its figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dpsynth.base.domain import Domain
from dpsynth.kernel.events import Event
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.blocks import noise_of_a_cell

ROW_COUNT = "the row count"
COLUMNS = "every column"
SCORES = "scores of all pairs"
PAIRS = "a pair of columns"
MARGINALS = "a marginal of two columns or more"
AGAIN = "a column or the row count, again"

_ONE_COUNT = math.sqrt(2)
"""Noise is stated for marginals of two cells or more. Where units are replaced, a single cell moves
by sqrt(2) less.
"""


@dataclass(frozen=True)
class Part:
    """One kind of charge of a fit.

    Parameters
    ----------
    what : str
        In words, by which `Allocation` finds it.
    charges : tuple of int
        The fewest and the most of them.
    costs : tuple of int
        Of a single one, the least and the most, in units of `gaussian_dp.COST_UNIT`; alike where it
        is settled beforehand.
    factors : tuple of float
        What the least and the most noise on a count is, beside that of one count measured for this
        cost; NaN where nobody knows.

    Examples
    --------
    >>> part = Part("a pair of columns", (0, 3), (100, 10_000))
    >>> least, most = part.stddev(sensitivity=1.0)
    >>> round(most / least, 6)
    10.0
    """

    what: str
    charges: tuple[int, int]
    costs: tuple[int, int]
    factors: tuple[float, float] = (1.0, 1.0)

    def stddev(self, sensitivity: float) -> tuple[float, float]:
        """The least and the most noise on a count of this sensitivity, in rows; infinite for a cost
        of 0.
        """
        least, most = (Prices(cost, sensitivity).stddev(cost) for cost in self.costs)
        return most * self.factors[0], least * self.factors[1]


@dataclass(frozen=True)
class Allocation:
    """How a mechanism shares a budget out.

    Parameters
    ----------
    parts : tuple of Part
        The kinds of Gaussian charges, and of any whose noise is worth stating. Where a part gets
        what is left, a fit has the crumbs besides that rounding leaves of the other parts.
    settled : tuple of Event
        Charges that are fixed by the budget before anything is read, such as a training; a fit
        makes all of them or none.

    Examples
    --------
    >>> from dpsynth import Domain
    >>> allocation = Allocation(first_parts(Domain.of({"age": 9, "sex": 2}), total=100, oneway=900))
    >>> allocation.cost(COLUMNS)
    450
    """

    parts: tuple[Part, ...]
    settled: tuple[Event, ...] = ()

    def part(self, what: str) -> Part | None:
        """The part of this kind, if there is one."""
        return next((part for part in self.parts if part.what == what), None)

    def cost(self, what: str) -> int:
        """The most that a single charge of this kind costs; KeyError for a kind that is not
        there.
        """
        if (part := self.part(what)) is None:
            raise KeyError(
                f"the allocation has no part {what!r}, only {[part.what for part in self.parts]}"
            )
        return part.costs[1]


def first_parts(domain: Domain, *, total: int, oneway: int) -> tuple[Part, Part]:
    """The row count and every column, measured.

    Parameters
    ----------
    domain : Domain
        Of the table.
    total : int
        What the row count costs.
    oneway : int
        What all columns cost together, shared out evenly.

    Returns
    -------
    tuple of Part
        Of ROW_COUNT and of COLUMNS.
    """
    columns = len(domain.attributes)
    each = oneway // columns
    return (
        Part(ROW_COUNT, (1, 1), (total, total), (1 / _ONE_COUNT, 1.0)),
        Part(COLUMNS, (columns, columns), (each, each), _of_columns(domain)),
    )


def stddev_of_column(domain: Domain, attribute: str, most: float) -> float:
    """The noise on a cell of one column, where `most` is the most of all (that of COLUMNS)."""
    return most / _of_columns(domain)[1] * noise_of_a_cell(domain, attribute)


def _of_columns(domain: Domain) -> tuple[float, float]:
    """The factors of columns, the noisiest of which is one of many cells, if there is one."""
    return 1 / _ONE_COUNT, max(noise_of_a_cell(domain, a) for a in domain.attributes)


def scores_part(pairs: int, cost: int, charges: tuple[int, int]) -> Part:
    """Scores of so many pairs at the most, for `cost` a charge.

    One moves as a count does, all together by sqrt(pairs) times as much.
    """
    spread = math.sqrt(2 * max(1, pairs))
    return Part(SCORES, charges, (cost, cost), (1.0, spread))


def pairs_part(cost: int, charges: tuple[int, int]) -> Part:
    """Pairs of columns, which share `cost` by their scores: one may get all of it or nothing."""
    return Part(PAIRS, charges, (0, cost))


def again_part(domain: Domain, cost: int, times: tuple[int, int]) -> Part:
    """The columns measured again, at least and at most so often; at most with the row count."""
    columns = len(domain.attributes)
    charges = (times[0] * columns, times[1] * columns + times[1])
    return Part(AGAIN, charges, (0, cost), _of_columns(domain))


def most_in_a_tree(domain: Domain) -> int:
    """The most pairs that a tree of the columns has; columns of a single cell are in none."""
    return max(0, sum(n > 1 for _, n in domain.sizes) - 1)


def either(one: Allocation, other: Allocation) -> tuple[Part, ...]:
    """Parts of the same kinds from two budgets, of which it is not known which one a run will
    have.
    """
    return tuple(
        Part(a.what, _widest(a.charges, b.charges), _widest(a.costs, b.costs), a.factors)
        for a, b in zip(one.parts, other.parts, strict=True)
    )


def _widest(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return min(a[0], b[0]), max(a[1], b[1])


class Preview(Protocol):
    """What a training would be: public numbers, the seconds that it likely takes, and a sentence
    about them.
    """

    @property
    def seconds(self) -> float: ...

    def describe(self) -> str: ...


def settled_cost(settled: Sequence[Event]) -> int:
    """The Gaussian cost of charges that are settled beforehand."""
    return sum(event.cost.gaussian for event in settled)
