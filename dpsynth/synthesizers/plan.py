"""Plan: what a fit would spend, how noisy its answers would be, and whether it can be done at all.

Everything here follows from public facts: the schema, the settings, the budget, and an assumed
number of rows. No row is read and nothing is charged. Where the number of charges depends on
charged answers (how many pairs are worth their noise), the plan gives the fewest and the most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dpsynth.base.domain import Domain
from dpsynth.base.text import short
from dpsynth.data.tables.cells import NumericCodec
from dpsynth.data.tables.codec import schema_domain
from dpsynth.data.tables.inside import with_several_values
from dpsynth.data.tables.weeks import with_weeks
from dpsynth.discovery.discovery import Discovery
from dpsynth.discovery.held import l2_of
from dpsynth.kernel.budget import Budget, affordable
from dpsynth.kernel.events import Event
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.allocation import (
    COLUMNS,
    MARGINALS,
    PAIRS,
    Allocation,
    Part,
    Preview,
    stddev_of_column,
)
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.discovered import Search
from dpsynth.mechanisms.footprint import span
from dpsynth.mechanisms.heaps import heaps_cost, with_heaps_unknown
from dpsynth.mechanisms.inside import inside_costs
from dpsynth.mechanisms.learned_bounds import bounds_costs
from dpsynth.mechanisms.prices import MEAN_ABS, Prices, cells_of_pairs
from dpsynth.mechanisms.registry import name_of
from dpsynth.mechanisms.rows_per_unit import sizes_cost
from dpsynth.mechanisms.weeks import weeks_cost
from dpsynth.schema.columns import OTHER
from dpsynth.schema.table import Numeric, Schema
from dpsynth.synthesizers.holdback import holdback_cost, holdback_parts
from dpsynth.synthesizers.numbers import ASSUMED_BOUNDS, mean_noise
from dpsynth.synthesizers.planned import Plan, Query
from dpsynth.synthesizers.preflight import check_budget

_SURE = 1.9
"""Standard deviations of noise: so many above its threshold, a category is hardly ever missed."""


def plan(
    schema: Schema,
    mechanism: Mechanism,
    search: Search,
    rows: int,
    repeats: bool = False,
    holdback: float = 0.0,
) -> Plan:
    """The plan of one fit.

    Parameters
    ----------
    schema : Schema
        The public facts.
    mechanism : Mechanism
        With its settings.
    search : Search
        What the fit spends, and of it on finding categories.
    rows : int
        How many rows the table is assumed to have, 1 or more.
    repeats : bool
        Whether new ids repeat, for which the fit counts units by their rows.
    holdback : float
        The part of the budget that the model does not get.

    Returns
    -------
    Plan
        What the fit would do.

    Raises
    ------
    ValueError
        For a budget that is too small for any noise, and a mechanism that does not say what it
        charges.
    BudgetExceededError
        Where the budget does not cover what the mechanism has to reserve.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ValueError(
            f"rows must be a whole number, 1 or more: a guess at the table's size, got {rows!r}"
        )
    budget = search.budget
    settled = _settled(mechanism, search.rest, schema.unit)
    declared, schema = schema, schema.settled({})
    domain = schema_domain(schema, dict.fromkeys(schema.unbounded, ASSUMED_BOUNDS))
    cost = affordable(budget)
    kept = holdback_cost(cost, holdback)
    before = [
        *_to_be_found(search.events, schema.unit),
        *_looks_before(schema, mechanism, cost - search.cost - kept, repeats),
    ]
    rest = cost - kept - sum(part.charges[1] * part.costs[0] for part in before)
    allocation = _allocation(mechanism, rest, domain, settled)
    columns = allocation.part(COLUMNS)
    sensitivity = schema.unit.count_sensitivity(2)[1]
    noise = columns.stddev(sensitivity)[1] if columns else None
    joined = any(allocation.part(what) for what in (PAIRS, MARGINALS))
    training = mechanism.preview(settled, domain, rows, schema.unit)
    takes = mechanism.footprint(domain, rows, Prices(cost, sensitivity))
    parts = (*before, *allocation.parts, *holdback_parts(kept, domain, schema.unit))
    learned = _to_be_learned(schema.unbounded, noise / rows if noise and joined else None)
    return Plan(
        mechanism=name_of(mechanism),
        budget=budget,
        unit=schema.unit,
        rows=rows,
        columns=len(domain.attributes),
        cells=sum(n for _, n in mechanism.seen(domain).sizes),
        pairs=int(cells_of_pairs(domain).size),
        queries=tuple(Query(p.what, p.charges, p.stddev(sensitivity)) for p in parts),
        training=training,
        columns_error=None if noise is None else _columns_error(noise, domain, rows),
        means=() if noise is None else mean_noise(schema, noise, rows, joined),
        seconds=_seconds(takes.seconds, training),
        megabytes=takes.megabytes,
        notes=(*_found_by(search, declared), *learned, *mechanism.remarks(search.rest)),
    )


def _settled(mechanism: Mechanism, budget: Budget, unit: PrivacyUnit) -> tuple[Event, ...]:
    """The events that are fixed before a fit reads anything; refused as a fit would."""
    check_budget(budget)
    settled = tuple(mechanism.settled(budget))
    for event in settled:
        event.refuse(unit)
    if settled:
        # raises BudgetExceededError where a fit would; this ledger is in memory and of no data set
        Accountant(budget, reserve=list(settled))
    return settled


def _allocation(
    mechanism: Mechanism, cost: int, domain: Domain, settled: tuple[Event, ...]
) -> Allocation:
    """What the mechanism charges for; ValueError for one that answers with something else."""
    found = mechanism.allocation(cost, domain, settled)
    if not isinstance(found, Allocation):
        raise ValueError(
            f"the mechanism {name_of(mechanism)} gave {type(found).__name__} for its allocation:"
            " return an Allocation of dpsynth.mechanisms.allocation"
        )
    return found


def _looks_before(schema: Schema, mechanism: Mechanism, cost: int, repeats: bool) -> list[Part]:
    """What a fit charges for before the mechanism begins."""
    bounds = _bounds(cost, schema.unbounded)
    left = cost - sum(part.charges[1] * part.costs[1] for part in bounds)
    wide = with_several_values(schema, dict.fromkeys(schema.unbounded, ASSUMED_BOUNDS))
    found = [*bounds, *(_inside(left, wide) if mechanism.gaussian and wide else ())]
    if mechanism.gaussian and (times := with_weeks(schema)):
        costs = sorted(weeks_cost(cost - each, len(times)) for each in _spent(found))
        looks = (len(times), len(times))
        found.append(Part("weekdays and hours of a column", looks, (costs[0], costs[1])))
    if mechanism.gaussian and any(looks := _heaped(schema)):
        rests = [cost - each for each in _spent(found)]
        costs = sorted(heaps_cost(each, max(k, 1)) for each in rests for k in looks)
        found.append(Part("round values of a column", looks, (costs[0], costs[-1])))
    if not repeats:
        return found
    costs = sorted(sizes_cost(cost - each) for each in _spent(found))
    # a unit moves these counts by one, whatever number of rows it has
    factor = 1 / schema.unit.max_records
    return [*found, Part("rows of each unit", (1, 1), (costs[0], costs[1]), (factor, factor))]


def _heaped(schema: Schema) -> tuple[int, int]:
    """Of how many columns a fit counts heaps beside its looks into cells: at least, and at most."""
    sure = len(with_heaps_unknown(schema, dict.fromkeys(schema.unbounded, ASSUMED_BOUNDS)))
    # an open bound may turn out so near that each value has a cell of its own
    open_ = [schema.columns[name] for name in schema.unbounded]
    numeric = [column for column in open_ if isinstance(column, Numeric) and column.spacing]
    return sure, sure + sum(bool(column.heaps) and not column.heaped for column in numeric)


def _spent(parts: Sequence[Part]) -> tuple[int, int]:
    """The least and the most that these cost together."""
    least, most = (sum(p.charges[i] * p.costs[i] for p in parts) for i in (0, 1))
    return least, most


def _inside(left: int, wide: Mapping[str, tuple[Numeric, NumericCodec]]) -> list[Part]:
    """What looking into cells costs a fit that has this cost left."""
    # An open bound may turn out so near that each whole number has a cell of its own.
    sure = sum(column.bounded or column.spacing is None for column, _ in wide.values())
    costs = [inside_costs(left, columns) for columns in {max(sure, 1), len(wide)}]
    decimals = [cost[0] for cost in costs]
    pieces = [each for cost in costs for each in cost[1:]]
    return [
        Part("decimals of a column", (sure, len(wide)), (min(decimals), max(decimals))),
        Part("shared values of a column", (2 * sure, 2 * len(wide)), (min(pieces), max(pieces))),
    ]


def _bounds(cost: int, learned: Sequence[str]) -> list[Part]:
    if not learned:
        return []
    costs = bounds_costs(cost, len(learned))
    looks = len(learned) * len(costs)
    return [Part("bounds of a column", (looks, looks), (min(costs), max(costs)))]


def _to_be_found(found: Sequence[Discovery], unit: PrivacyUnit) -> list[Part]:
    """What finding the categories of open columns costs. All such charges are alike."""
    if not found:
        return []
    cost = found[0].cost.gaussian
    # with ids a unit counts once for each value that it has
    factor = l2_of(unit) / unit.count_sensitivity(2)[1]
    return [Part("categories of a column", (len(found),) * 2, (cost, cost), (factor, factor))]


def _found_by(search: Search, schema: Schema) -> list[str]:
    if not search.events:
        return []
    event, looks = search.events[0], len(search.events)
    least, unit = event.threshold(schema.unit), schema.unit
    whose = "rows" if unit.id_column is None else "units" if unit.periods else "people"
    sure = least + math.ceil(_SURE * event.stddev(unit))
    cost = f"{short(100 * search.cost / affordable(search.budget), 2)} % of the budget"
    if search.budget.programs_epsilon:
        cost = "what is left beside the program"
    return [
        f"{', '.join(schema.open)}: categories are to be found, by {looks:,} charges that take"
        f" {cost}, with a delta of {short(event.delta, 2)} each; one that"
        f" fewer than about {least:,} {whose} have becomes {OTHER}, or its prefix, and one that"
        f" {sure:,} have is found in 97 of 100 fits; this plan assumes those that are public"
    ]


def _to_be_learned(learned: Sequence[str], count_noise: float | None) -> list[str]:
    """count_noise: on the count of a cell, as a part of the rows; None where it is not known."""
    if not learned:
        return []
    says = (
        f"{', '.join(learned)}: bounds are to be learned by a charge; this plan assumes wide ones"
    )
    if count_noise is None:
        return [says]
    of_range = short(100 * min(count_noise, 1.0), 2)
    return [f"{says}. A mean has noise of about {of_range} % of the range that is learned"]


def _columns_error(stddev: float, domain: Domain, rows: int) -> float:
    """The mean over columns of half the L1 norm of the noise, divided by the rows; 1 at most.

    stddev: the most on the count of a cell. It is the error before a mechanism reduces the noise.
    """
    noise = {a: n * stddev_of_column(domain, a, stddev) for a, n in domain.sizes}
    errors = [min(1.0, MEAN_ABS * each / (2 * rows)) for each in noise.values()]
    return math.fsum(errors) / len(errors)


def _seconds(seconds: tuple[float, float], training: Preview | None) -> tuple[float, float]:
    more = span(training.seconds) if training else (0.0, 0.0)
    return seconds[0] + more[0], seconds[1] + more[1]
