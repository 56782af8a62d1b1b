"""AIM, all-Gaussian: measure what the model gets most wrong by the workload.

After McKenna, Mullins, Sheldon and Miklau, "AIM: an adaptive and iterative mechanism" (arXiv
2201.12677). The steps of its Algorithm 2, and what does them here:

* sigma_0 = sqrt(T / (2 alpha rho)), T = 16 d: `AIM.first_cost`, where T is rounds * d and alpha is
  1 - select_share;
* the first model, of all one-way marginals (Algorithm 3): `AIM.fit`, `Rounds.__init__`;
* weights w_r = sum over s in W of c_s |r and s|: `candidates`, by `Workload.candidates`;
* in each round, until the budget is spent, `Rounds.spend`:

  * candidates C_t, whose JT-SIZE is rho_used / rho * MAX-SIZE at most: `Rounds._limit`, `_select`;
  * SELECT by q_r = w_r (|M_r(D) - M_r(p)|_1 - sqrt(2 / pi) sigma_t n_r): `_select`, `Choice.batch`;
  * MEASURE M_r(D) with Gaussian noise of sigma_t, and GENERATE the model p_t of all measurements:
    `Rounds._measure`;
  * ANNEAL (Algorithm 4): halve sigma where |M_r(p_t) - M_r(p_t-1)|_1 <= sqrt(2 / pi) sigma_t n_r,
    `Rounds._anneal`; and spend all that is left where it would not pay for two more such rounds,
    `Rounds.spend`.

Differences from the paper:

- Scores are read under Gaussian noise, all in one charge, instead of one by one by the exponential
  mechanism, so that the whole run is one Gaussian filter.
- A round measures a batch, not the best candidate alone: those worth their noise that say little
  about each other, as no two ways along them lead from one column to another. One look at the
  scores serves up to d - 1 measurements of d columns, and a handful of rounds make a run. One at a
  time, errors were larger on all tables that we tried.
- Scores that noise alone might explain choose nothing; they are read again, with the noise of the
  round halved.
- Columns are binned to what the noise lets be seen. A candidate whose expected noise exceeds the
  table is not scored, and where nothing is worth its noise any more, what has been measured is
  measured again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from dpsynth.base import progress
from dpsynth.base.domain import Clique, Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.mechanisms.allocation import (
    MARGINALS,
    Allocation,
    Part,
    again_part,
    first_parts,
    most_in_a_tree,
)
from dpsynth.mechanisms.footprint import Footprint, Pace, footprint
from dpsynth.mechanisms.marginal.binned import Binned
from dpsynth.mechanisms.marginal.independent import measure_rest, rest_on_columns
from dpsynth.mechanisms.marginal.known import (
    Known,
    StartsFromKnown,
    beside,
    check_known,
    with_known,
)
from dpsynth.mechanisms.marginal.selection import Scores, within_reach
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.mechanisms.oneway import allocated_oneways, check_shares, measure_all
from dpsynth.mechanisms.prices import MEAN_ABS, Prices
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.engines import estimate_exactly
from dpsynth.models.junction_tree import tree_cells

MAX_CANDIDATES = 4000
"""All are counted once, and those within reach are scored in every round: time grows with it."""

MAX_ROUNDS = 1000
"""The budget is split into so many parts at first: smaller ones would buy nothing but noise."""

_HALF_THE_NOISE = 4
"""Times the cost: noise goes as one over its root."""

_MAX_FAILURES = 100
"""Of candidates to fit, until the model is taken to be full: each is a triangulation of it all."""

_PACE = Pace(0.000295, 1.49, 0.519)
"""benchmarks/results/forecast.json."""


@dataclass(frozen=True)
class AIM(StartsFromKnown):
    """Measures, round after round, the marginals that the model gets most wrong.

    Parameters
    ----------
    workload : Workload
        What the release should get right. Of so many columns that there would be more than
        MAX_CANDIDATES candidates, 29 or more, only pairs are measured.
    rounds : int
        The first noise is what the budget buys for rounds * d measurements of d columns. The paper
        has 16, for one measurement a round; a batch needs fewer.
    max_model_cells : int
        The most cells of the model's junction tree, at the end of the run.
    total_share, oneway_share : float
        The parts of the budget that go to the row count and to the one-way marginals.
    select_share : float
        The part of a round that goes to its scores; 0.1 in the paper, too.
    known : tuple of Known
        Marginals that cost nothing, in the model from the start.

    Raises
    ------
    ValueError
        For shares that leave nothing, and for numbers that are not whole or out of range.

    Examples
    --------
    >>> from dpsynth import Domain, Workload
    >>> mechanism = AIM(workload=Workload(degree=2, target="job"), rounds=8)
    >>> domain = Domain.of({"age": 100, "job": 12, "sex": 2})
    >>> [part.what for part in mechanism.allocation(1_000_000, domain).parts]
    ['the row count', 'every column', 'scores of marginals', 'a marginal of two columns or more',
     'a column or the row count, again']
    >>> AIM(rounds=0)
    Traceback (most recent call last):
    ...
    ValueError: rounds must be a whole number above 0, got 0
    """

    workload: Workload = field(default_factory=Workload)
    rounds: int = 4
    max_model_cells: int = 1_000_000
    total_share: float = 0.01
    oneway_share: float = 0.25
    select_share: float = 0.1
    known: tuple[Known, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.workload, Workload):
            raise ValueError(f"the workload must be a Workload, got {type(self.workload).__name__}")
        for name in ("rounds", "max_model_cells"):
            if type(value := getattr(self, name)) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number above 0, got {value!r}")
        if self.rounds > MAX_ROUNDS:
            raise ValueError(f"rounds must be {MAX_ROUNDS} or fewer, got {self.rounds:.0e}")
        check_shares(total=self.total_share, oneway=self.oneway_share)
        check_shares(select=self.select_share)

    def check(self, domain: Domain) -> None:
        """ValueError, before any charge, where the workload or what is known does not fit."""
        self.workload.check(domain)
        check_known(self.known, domain, self.max_model_cells)

    def first_cost(self, cost: int, most: int) -> int:
        """Of one of the first measurements: `cost` for all rounds, at most `most` in a batch."""
        return int(cost * (1 - self.select_share) / (self.rounds * (most + 1)))

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        total = int(cost * self.total_share)
        oneway = int(cost * self.oneway_share)
        rest = cost - total - oneway
        parts = first_parts(domain, total=total, oneway=oneway)
        if not candidates(self.workload, domain):
            return Allocation((*parts, again_part(domain, rest, (1, 1))))
        # Costs never fall: no run has more measurements, or looks at scores, than at first prices.
        first = self.first_cost(rest, most_in_a_tree(domain))
        max_scored = rest // max(1, int(first * self.select_share))
        max_measured = rest // first
        return Allocation(
            (
                *parts,
                Part("scores of marginals", (0, max_scored), (0, rest)),
                Part(MARGINALS, (0, max_measured), (first, rest)),
                again_part(domain, rest, (0, 1)),
            )
        )

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        return footprint(
            domain, rows, prices, pairs=True, pace=_PACE, model_cells=self.max_model_cells
        )

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A graphical model over bins, refined to cells; columns only where noise hides them."""
        self.check(table.domain)
        budget = accountant.cost_left
        # Algorithm 3: the one-way marginals first.
        oneway = allocated_oneways(table, accountant, self.allocation(budget, table.domain))
        oneway = with_known(oneway, self.known)
        prices = Prices(accountant.cost_left, table.unit.count_sensitivity(2)[1])
        binned = Binned.of(table, oneway, prices, beside(self.known))
        weights = candidates(self.workload, binned.domain)
        choice = Choice(binned.domain, weights, prices, oneway.rows)
        held = binned.held(oneway)
        rounds = Rounds(
            self, choice, _answers(table, binned, weights), [*binned.oneways(oneway), *held]
        )
        # Algorithm 2: the rounds.
        rounds.spend(accountant, budget)
        if not rounds.bought and not held:
            return rest_on_columns(table, accountant, oneway)
        if not rounds.bought:
            oneway = measure_rest(table, accountant, oneway)
        return binned.refined(rounds.model, oneway, rounds.measured)


def candidates(workload: Workload, domain: Domain) -> dict[Clique, float]:
    """What may be measured, and its weight: two columns or more, none of them a single cell."""
    columns = len(domain.attributes)
    degree = 2
    for wider in (3, 4):
        number = sum(math.comb(columns, k) for k in range(2, wider + 1))
        if number <= MAX_CANDIDATES:
            degree = wider
    weights = workload.candidates(domain, degree=degree)
    return {c: w for c, w in weights.items() if len(c) > 1 and min(domain.shape(c)) > 1 and w > 0}


def _answers(
    table: PrivateTable, binned: Binned, cliques: Iterable[Clique]
) -> dict[Clique, Sensitive]:
    """The counts of all candidates, over bins: pairs are there already, wider ones are counted."""
    wider = [c for c in cliques if c not in binned.answers]
    progress.stage("counting marginals of more columns")
    return {**binned.answers, **table.coarsen(binned.bins).marginals(wider)}


@dataclass(frozen=True, eq=False)
class Choice:
    """What is chosen of the candidates, by public facts and charged answers.

    weights: of the candidates. prices: of the budget that the rounds share. rows: in the table.
    """

    domain: Domain
    weights: Mapping[Clique, float]
    prices: Prices
    rows: float

    @property
    def most(self) -> int:
        """The most candidates in a batch: one less than there are columns of two cells or more."""
        return max(1, sum(n > 1 for _, n in self.domain.sizes) - 1)

    def noise(self, clique: Clique, cost: int) -> float:
        """sqrt(2 / pi) sigma n_r: the expected L1 norm of a measurement's noise, in rows."""
        return MEAN_ABS * self.prices.stddev(cost) * self.domain.cells(clique)

    def pool(self, near: Iterable[Clique], cost: int) -> list[Clique]:
        """Those that can be worth their noise at all: no error is larger than the table."""
        return [c for c in near if self.noise(c, cost) < self.rows]

    def batch(
        self, scores: Scores, bought: Collection[Clique], limit: int, cost: int
    ) -> list[Clique]:
        """The best by score, above 0, first: no cycle among them, and a tree of `limit` cells.

        The tree holds all that was bought, too. Most often all candidates fit, and one look at the
        tree is enough; where they do not, they are tried by halves, the better half first.
        """
        worth = {
            c: self.weights[c] * (error - self.noise(c, cost)) for c, error in scores.values.items()
        }
        best_first = sorted((c for c in worth if worth[c] > 0), key=lambda c: -worth[c])
        chunks = [best_first]  # a stack: the chunk to be tried next is the last
        chosen: list[Clique] = []
        failures = 0
        while chunks and failures < _MAX_FAILURES:
            chunk = chunks.pop()
            grown = acyclic([*chosen, *chunk])
            nothing_new = len(grown) == len(chosen)
            if nothing_new or tree_cells(self.domain, [*bought, *grown]) <= limit:
                chosen = grown
            elif len(chunk) == 1:
                failures += 1
            else:
                half = len(chunk) // 2
                chunks += [chunk[half:], chunk[:half]]
        return chosen


def acyclic(cliques: Iterable[Clique]) -> list[Clique]:
    """The first ones, less those that lead from one column to another in a second way."""
    part: dict[str, str] = {}  # for each column a column that stands for all it is joined with
    chosen: list[Clique] = []
    for clique in cliques:
        joined = {part.setdefault(a, a) for a in clique}
        if len(joined) == len(clique):
            chosen.append(clique)
            part = {a: clique[0] if p in joined else p for a, p in part.items()}
    return chosen


class Rounds:
    """What has been measured, the model of it, and what one more measurement is to cost."""

    def __init__(
        self,
        settings: AIM,
        choice: Choice,
        answers: Mapping[Clique, Sensitive],
        known: list[LinearMeasurement],
    ) -> None:
        self._settings = settings
        self._choice = choice
        self._answers = answers
        self._cost = settings.first_cost(choice.prices.cost, choice.most)
        self._known = known
        self.measured: list[LinearMeasurement] = []
        self._held = [m.clique for m in known]
        self.bought: dict[Clique, int] = {}
        progress.stage("fitting a model to the columns")
        self.model = estimate_exactly(choice.domain, known, total=choice.rows)

    def spend(self, accountant: Accountant, budget: int) -> None:
        """Round after round (Algorithm 2) until the budget is spent.

        The last round measures for all that is left. It is the last where no candidate is left that
        is worth its noise, or where what is left would not pay for two more rounds like it. Where
        no candidate ever was worth measuring, the budget is left for the caller.
        """
        whole = accountant.cost_left
        last = not self._choice.weights
        progress.stage("measuring round after round")
        while not last:
            before = accountant.cost_left
            batch = self._select(accountant, self._limit(before, budget))
            left = accountant.cost_left
            price = len(batch) * self._cost
            like_this_one = price + before - left
            last = not batch or left < price + 2 * like_this_one
            batch = batch or list(self.bought)
            if batch:
                each = left // len(batch) if last else self._cost
                with progress.within(1 - before / whole, 1 - (left - each * len(batch)) / whole):
                    self._measure(accountant, dict.fromkeys(batch, each))

    def _limit(self, left: int, budget: int) -> int:
        """rho_used / rho * MAX-SIZE: cells that the model may grow to, this round being paid."""
        used = 1 - (left - self._choice.most * self._cost) / budget
        return int(self._settings.max_model_cells * min(1.0, used))

    def _select(self, accountant: Accountant, limit: int) -> list[Clique]:
        """SELECT a batch by noisy scores, of candidates that the model can hold in `limit` cells.

        Where the present cost of a measurement finds nothing, at a higher one: scores are read
        again until they differ by more than noise makes them, or the budget pays for no batch.
        """
        choice = self._choice
        near = within_reach(self.model.tree, choice.weights, limit)
        while pool := self._at_least_cost(partial(choice.pool, near), accountant.cost_left):
            scores = self._scores(pool, accountant)
            if scores.tell_apart():
                held = [*self._held, *self.bought]
                best = partial(choice.batch, scores, held, limit)
                return self._at_least_cost(best, accountant.cost_left)
            if self._cost * choice.most >= accountant.cost_left:
                break
            self._cost = min(_HALF_THE_NOISE * self._cost, accountant.cost_left)
        return []

    def _scores(self, pool: Collection[Clique], accountant: Accountant) -> Scores:
        """|M_r(D) - M_r(p)|_1 of each candidate, noisy; one charge for all."""
        share = self._settings.select_share
        of_a_round = self._cost * self._choice.most * share / (1 - share)
        cost = int(min(of_a_round, accountant.cost_left * share))
        guesses = self.model.project_all(pool)
        errors = Sensitive.stack([self._answers[c].l1_error(guesses[c]) for c in pool])
        charge = accountant.charge(Gaussian.spending(cost), f"choose among {len(pool)} marginals")
        values, stddev = charge.gaussian(errors)
        return Scores(dict(zip(pool, values.tolist(), strict=True)), float(np.max(stddev)))

    def _measure(self, accountant: Accountant, costs: Mapping[Clique, int]) -> None:
        """MEASURE a batch, one charge for each, and GENERATE a model of all that was measured."""
        old = self.model.project_all(costs)
        self.measured += measure_all(accountant, self._answers, costs)
        self.bought.update(costs)
        everything = [*self._known, *self.measured]
        self.model = estimate_exactly(
            self._choice.domain, everything, total=self._choice.rows, warm=self.model
        )
        self._anneal(old, accountant.cost_left)

    def _anneal(self, old: Mapping[Clique, np.ndarray], left: int) -> None:
        """ANNEAL (Algorithm 4): half the noise next, where the model moved less than the noise.

        old: what the model before said of the cliques that were measured. A batch can have no more
        than `left`.
        """
        new = self.model.project_all(old)
        moved = sum(float(np.abs(new[c] - old[c]).sum()) for c in old)
        noise = sum(self._choice.noise(c, self._cost) for c in old)
        if moved <= noise:
            affordable = left // self._choice.most
            self._cost = max(self._cost, min(_HALF_THE_NOISE * self._cost, affordable))

    def _at_least_cost(self, chosen: Callable[[int], list[Clique]], left: int) -> list[Clique]:
        """What is chosen at the present cost, or else at the first higher one that finds any."""
        while not (found := chosen(self._cost)) and self._cost < left:
            self._cost = min(_HALF_THE_NOISE * self._cost, left)
        return found
