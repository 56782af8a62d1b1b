"""Plan: what a fit would spend, how much noise its answers would carry, and whether it can be done at all.

Everything here follows from public facts: the schema, the settings, the budget, and a number of rows that somebody
assumes. No row is read and nothing is charged. Where a mechanism's charges depend on charged answers (how many pairs
are worth their noise), the plan gives the fewest and the most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dpsynth.base.domain import Domain
from dpsynth.base.text import short
from dpsynth.data.tables.codec import schema_domain
from dpsynth.kernel.budget import LEAST_COST, Budget, affordable
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.bounds import BOUNDS_SHARE
from dpsynth.mechanisms.external.base import ForeignMechanism, even_groups, grouped
from dpsynth.mechanisms.marginal.aim import AIM, candidates
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.independent import Independent
from dpsynth.mechanisms.marginal.mst import MST
from dpsynth.mechanisms.marginal.selection import MEAN_ABS, Prices, informative_pairs
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.hybrid import TOTAL_SHARE, Hybrid
from dpsynth.mechanisms.neural.pate_gan import PATEGAN
from dpsynth.mechanisms.neural.plan import PlannedTraining, PlannedVotes, planned, planned_votes
from dpsynth.mechanisms.registry import name_of
from dpsynth.schema.table import Numeric, Schema

_ASSUMED_BOUNDS = (-(2.0**20), 2.0**20)
_COUNT_SECONDS = 2.5e-9  # a row and pair; benchmarks/results/counting.json


@dataclass(frozen=True)
class Query:
    """One kind of charge. charges: the fewest and the most of them; stddev: least and most noise on a count, in rows.

    most is infinite where a charge may get next to nothing of a budget that is shared by what the answers show; both
    are NaN where the noise is another program's.
    """

    what: str
    charges: tuple[int, int]
    stddev: tuple[float, float]


@dataclass(frozen=True)
class Plan:
    """What a fit would do. columns_error: the mean total variation distance of the one-way marginals, at the most;
    None where nobody can say.

    seconds, megabytes: from rules of thumb and our benchmarks, on one core; the truth may lie outside.
    """

    mechanism: str
    budget: Budget
    unit: PrivacyUnit
    rows: int
    columns: int
    cells: int
    pairs: int
    queries: tuple[Query, ...]
    training: PlannedTraining | PlannedVotes | None
    columns_error: float | None
    seconds: tuple[float, float]
    megabytes: float
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON can hold it: None for infinity."""
        return {
            **asdict(self),
            "queries": [
                {**asdict(q), "stddev": [s if math.isfinite(s) else None for s in q.stddev]} for q in self.queries
            ],
        }

    def table(self) -> list[tuple[str, str, str]]:
        """Kind of query, number of charges, noise: for a reader."""
        return [(q.what, _range(*map(str, q.charges)), _range(*map(_rows, q.stddev))) for q in self.queries]

    def summary(self) -> str:
        """A few lines for a terminal."""
        spends = f"epsilon {self.budget.epsilon:g} at delta {self.budget.delta:g}, all of it, in one fit"
        lines = [
            f"{self.mechanism} for {self.unit.describe()}: {spends}",
            f"{self.columns} columns with {self.cells:,} cells, {self.pairs:,} pairs; {self.rows:,} rows assumed",
            *(f"  {what:<48} {charges:>12} charges, noise {noise}" for what, charges, noise in self.table()),
            *([self.training.describe()] if self.training else []),
            f"one-way distributions: {self._columns_error()}",
            f"CPU seconds: {self.seconds[0]:.1f} to {self.seconds[1]:.0f}; memory: up to {self.megabytes:,.0f} MB",
            *self.notes,
        ]
        return "\n".join(lines)

    def _columns_error(self) -> str:
        if self.columns_error is None:
            return "off by nobody knows how much"
        return f"off by {self.columns_error:.2g} at most on average (total variation, noise only)"


def plan(schema: Schema, mechanism: Mechanism, budget: Budget, rows: int) -> Plan:
    """The plan of one fit. rows: how many the table is assumed to have, 1 or more.

    Raises ValueError for a budget that affords no noise that can be drawn, or a mechanism whose charges are not known,
    and BudgetExceeded where no training is affordable.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ValueError(f"rows must be a whole number, 1 or more: a guess at the table's size, got {rows!r}")
    if isinstance(mechanism, ForeignMechanism):
        return _foreign(schema, mechanism, budget, rows)
    cost = affordable(budget)
    if cost < LEAST_COST:
        raise ValueError(f"{budget} affords only noise of billions of rows: ask for a larger epsilon or delta")
    if type(mechanism) not in (*_QUERIES, *_TRAINED):
        raise ValueError(f"no plan is known for the mechanism {name_of(mechanism)}: name one of ours")
    learned = [name for name, c in schema.columns.items() if isinstance(c, Numeric) and not c.bounded]
    domain = schema_domain(schema, dict.fromkeys(learned, _ASSUMED_BOUNDS))
    l2 = schema.unit.count_sensitivity(2)[1]
    queries, notes = [], []
    if learned:
        bounds = int(cost * BOUNDS_SHARE) // len(learned)
        queries.append(Query("bounds of a column", (len(learned),) * 2, (Prices(bounds, l2).stddev(bounds),) * 2))
        notes.append(f"{', '.join(learned)}: bounds are to be learned; a wide range is assumed for their cells")
        cost -= bounds * len(learned)
    prices = Prices(cost, l2)
    training: PlannedTraining | PlannedVotes | None = None
    if isinstance(mechanism, DPCTGAN | Hybrid):
        event = mechanism.training(budget)
        event.refuse(schema.unit)
        queries += _TRAINED[type(mechanism)](mechanism, domain, prices, event.cost.gaussian)
        training = planned(event, _network(mechanism).critic, domain, rows, schema.unit)
    elif isinstance(mechanism, PATEGAN):
        votes = mechanism.votes(budget)
        queries += _TRAINED[PATEGAN](mechanism, domain, prices, sum(v.cost.gaussian for v in votes))
        training = planned_votes(
            votes, mechanism.questions, mechanism.teachers(rows), mechanism.moves, domain, schema.unit
        )
    else:
        queries += _QUERIES[type(mechanism)](mechanism, domain, prices)
    columns = next(q for q in queries if q.what == "every column")
    pairs = informative_pairs(domain)
    return Plan(
        mechanism=name_of(mechanism),
        budget=budget,
        unit=schema.unit,
        rows=rows,
        columns=len(domain.attributes),
        cells=sum(n for _, n in domain.sizes),
        pairs=len(pairs),
        queries=tuple(queries),
        training=training,
        columns_error=_columns_error(domain, columns.stddev[1], rows),
        seconds=_seconds(mechanism, domain, len(pairs), rows, training),
        megabytes=_megabytes(mechanism, domain, rows),
        notes=tuple(notes),
    )


def _foreign(schema: Schema, it: ForeignMechanism, budget: Budget, rows: int) -> Plan:
    """One charge, of which all is known that is claimed; of what comes of it, nothing. BudgetExceeded as of `fit`."""
    event, domain = it.event(budget), schema_domain(schema)
    Accountant(budget, reserve=it.reserve(budget))  # its ledger is in memory and about no data
    cells = sum(n for _, n in grouped(domain, even_groups(domain, it.most_cells)).sizes)
    claim = f"it pays for what the program claims: epsilon {event.epsilon:g} at delta {event.delta:g}"
    return Plan(
        mechanism=it.name,
        budget=budget,
        unit=schema.unit,
        rows=rows,
        columns=len(domain.attributes),
        cells=cells,
        pairs=len(informative_pairs(domain)),
        queries=(Query("a table of synthetic rows", (1, 1), (math.nan, math.nan)),),
        training=None,
        columns_error=None,
        seconds=(0.0, it.time_limit),
        megabytes=(rows + it.rows) * len(domain.attributes) * 12 / 1e6 + 200,
        notes=(claim, "its errors, its time and its memory are the program's own, and unknown here", *it.cautions),
    )


def _independent(it: Independent, domain: Domain, prices: Prices) -> list[Query]:
    total = int(prices.cost * it.total_share)
    return _look(domain, prices, total, prices.cost - total)


def _mst(it: MST, domain: Domain, prices: Prices) -> list[Query]:
    total, oneway, select = (int(prices.cost * s) for s in (it.total_share, it.oneway_share, it.select_share))
    rest = prices.cost - total - oneway - select
    most = _most_in_a_tree(domain)
    return [
        *_look(domain, prices, total, oneway),
        _scores(domain, prices, select, (0, min(1, most))),
        _pairs(prices, rest, (0, most)),
        _again(domain, prices, rest, (0, 1)),
    ]


def _canopy(it: Canopy, domain: Domain, prices: Prices) -> list[Query]:
    total, oneway = int(prices.cost * it.total_share), int(prices.cost * it.oneway_share)
    select = int(prices.cost * it.select_share) // 2
    rest = prices.cost - total - oneway - select
    most = _most_in_a_tree(domain)
    return [
        *_look(domain, prices, total, oneway),
        _scores(domain, prices, select, (0, 2 * min(1, most))),
        _pairs(prices, rest, (0, most + len(informative_pairs(domain)))),
        _again(domain, prices, rest, (0, 1)),
    ]


def _aim(it: AIM, domain: Domain, prices: Prices) -> list[Query]:
    total, oneway = int(prices.cost * it.total_share), int(prices.cost * it.oneway_share)
    rest, most = prices.cost - total - oneway, _most_in_a_tree(domain)
    if not candidates(it.workload, domain):
        return [*_look(domain, prices, total, oneway), _again(domain, prices, rest, (1, 1))]
    first = int(rest * (1 - it.select_share) / (it.rounds * (most + 1)))
    return [
        *_look(domain, prices, total, oneway),
        Query(
            "scores of marginals", (0, rest // max(1, int(first * it.select_share))), (prices.stddev(rest), math.inf)
        ),
        Query("a marginal of two columns or more", (0, rest // first), (prices.stddev(rest), prices.stddev(first))),
        _again(domain, prices, rest, (0, 1)),
    ]


def _dp_ctgan(it: DPCTGAN, domain: Domain, prices: Prices, trained: int) -> list[Query]:
    oneway = int((prices.cost - trained) * it.oneway_share)
    total = oneway // 20
    return [*_look(domain, prices, total, oneway - total), _again(domain, prices, prices.cost - oneway, (1, 1))]


def _pate_gan(it: PATEGAN, domain: Domain, prices: Prices, votes: int) -> list[Query]:
    oneway = int((prices.cost - votes) * it.oneway_share)
    total = oneway // 20
    noise = prices.stddev(votes) * math.sqrt(it.rounds * it.questions)
    return [
        *_look(domain, prices, total, oneway - total),
        Query("votes of teachers", (0, it.rounds), (noise / math.sqrt(2), noise)),
        _again(domain, prices, prices.cost - oneway, (1, 1)),
    ]


def _hybrid(it: Hybrid, domain: Domain, prices: Prices, trained: int) -> list[Query]:
    total, compare = int(prices.cost * TOTAL_SHARE), int(prices.cost * it.compare_share)
    rest = prices.cost - total
    spread = math.sqrt(4 * max(1, math.comb(len(domain.attributes), 2)))
    return [
        Query("the row count, beforehand", (1, 1), (prices.stddev(total) / math.sqrt(2), prices.stddev(total))),
        Query("the comparison of two models", (0, 1), (prices.stddev(compare), prices.stddev(compare) * spread)),
        *_either(
            *(_canopy(Canopy(), domain, Prices(cost, prices.sensitivity)) for cost in (rest, rest - trained - compare))
        ),
    ]


def _either(one: list[Query], other: list[Query]) -> list[Query]:
    """The same kinds of query with two budgets, of which it is not known which one a run will have."""
    return [
        Query(
            a.what,
            (min(a.charges[0], b.charges[0]), max(a.charges[1], b.charges[1])),
            (min(a.stddev[0], b.stddev[0]), max(a.stddev[1], b.stddev[1])),
        )
        for a, b in zip(one, other, strict=True)
    ]


_QUERIES: Mapping[type, Callable[[Any, Domain, Prices], list[Query]]] = {
    Independent: _independent,
    MST: _mst,
    Canopy: _canopy,
    AIM: _aim,
}
_TRAINED: Mapping[type, Callable[[Any, Domain, Prices, int], list[Query]]] = {
    DPCTGAN: _dp_ctgan,
    Hybrid: _hybrid,
    PATEGAN: _pate_gan,
}
"""Of mechanisms that train: the last argument is what training, or votes, cost."""


def _network(mechanism: DPCTGAN | Hybrid) -> DPCTGAN:
    return mechanism.network if isinstance(mechanism, Hybrid) else mechanism


def _look(domain: Domain, prices: Prices, total: int, oneway: int) -> list[Query]:
    """The row count, for which adjacency matters less than we say, and every column."""
    columns = len(domain.attributes)
    each = prices.stddev(oneway // columns)
    return [
        Query("the row count", (1, 1), (prices.stddev(total) / math.sqrt(2), prices.stddev(total))),
        Query("every column", (columns, columns), (each / math.sqrt(2), each)),
    ]


def _scores(domain: Domain, prices: Prices, cost: int, charges: tuple[int, int]) -> Query:
    """Noise on one score, of as many as there are pairs: each moves by l1 at most, all by sqrt(pairs) times as much."""
    spread = math.sqrt(2 * max(1, len(informative_pairs(domain))))
    return Query("scores of all pairs", charges, (prices.stddev(cost), prices.stddev(cost) * spread))


def _pairs(prices: Prices, cost: int, charges: tuple[int, int]) -> Query:
    return Query("a pair of columns", charges, (prices.stddev(cost), math.inf))


def _again(domain: Domain, prices: Prices, cost: int, looks: tuple[int, int]) -> Query:
    columns = len(domain.attributes)
    fewest, most = (look * columns for look in looks)
    return Query(
        "a column or the row count, again", (fewest, most + looks[1]), (prices.stddev(cost) / math.sqrt(2), math.inf)
    )


def _most_in_a_tree(domain: Domain) -> int:
    return max(0, sum(n > 1 for _, n in domain.sizes) - 1)


def _columns_error(domain: Domain, stddev: float, rows: int) -> float:
    """Half the L1 norm of the noise over the rows, as if nothing were done about it; no distance exceeds 1."""
    errors = [min(1.0, MEAN_ABS * stddev * n / (2 * rows)) for _, n in domain.sizes]
    return math.fsum(errors) / len(errors)


def _seconds(
    mechanism: Mechanism, domain: Domain, pairs: int, rows: int, training: PlannedTraining | PlannedVotes | None
) -> tuple[float, float]:
    """Counting is the least; the most is what our slowest tables took (22 columns), scaled by pairs of columns.

    Where a network may be trained, training is in the most.
    """
    single = isinstance(mechanism, Independent | DPCTGAN | PATEGAN)
    count = _COUNT_SECONDS * rows * (len(domain.attributes) if single else pairs)
    quick = dict.fromkeys((Independent, DPCTGAN, PATEGAN), 2.0)
    slowest = {**quick, MST: 20.0, Canopy: 150.0, Hybrid: 150.0, AIM: 600.0}[type(mechanism)]
    most = 1.0 + 10 * count + slowest * max(0.05, (len(domain.attributes) / 22) ** 2)
    return 0.02 + count, most + (training.seconds if training else 0.0)


def _megabytes(mechanism: Mechanism, domain: Domain, rows: int) -> float:
    """Codes, counted tables before binning (at 8 bytes, twice), and a few copies of the largest model."""
    columns = len(domain.attributes)
    tables = sum(n for _, n in domain.sizes)
    if not isinstance(mechanism, Independent | DPCTGAN | PATEGAN):
        tables += sum(domain.cells(c) for c in informative_pairs(domain))
    model = getattr(mechanism, "most_cells", getattr(mechanism, "max_model_cells", 100_000))
    torch = 400 if isinstance(mechanism, DPCTGAN | Hybrid | PATEGAN) else 0
    return (rows * columns * 10 + tables * 16 + model * 8 * 6) / 1e6 + 200 + torch


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _rows(stddev: float) -> str:
    return "unknown" if math.isnan(stddev) else short(stddev, 3) if math.isfinite(stddev) else "any"
