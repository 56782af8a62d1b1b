"""PATE-GAN: teachers vote on generated rows, a student learns from the noised votes, a generator
from the student.

After Papernot et al. (arXiv 1802.08908) and Jordon, Yoon and van der Schaar (ICLR 2019), with three
changes. Teachers hold a handful of rows each, and there are thousands: the noise on a count does
not depend on how many vote. The price does not depend on how far they agree, so that it is known
before anything is read and is no release of its own. And the student is a regression whose noise is
known, not a network, so that noise is not taken for dependence.

A small part of the budget measures every column. In each round the generator makes rows; teachers,
who see private rows, say whether these go together; their noised counts, beside what teachers of
*generated* rows would say, tell the student about pairs of values; and the generator is fitted to
what the student knows. All but the counts is post-processing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant, Charge
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.allocation import Allocation, Part, settled_cost
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.footprint import Footprint, footprint
from dpsynth.mechanisms.marginal.independent import (
    PACE_OF_COLUMNS,
    all_on_columns,
    rest_on_columns,
)
from dpsynth.mechanisms.neural.columns import Columns, require_torch
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN, check_train_share, columns_around, game_of
from dpsynth.mechanisms.neural.settled import (
    MAX_VOTE_NOISE,
    PYTORCH_MEGABYTES,
    PlannedVotes,
    nothing_trained,
    planned_votes,
    reserved_votes,
    vote_noise,
    votes_for,
    with_votes,
)
from dpsynth.mechanisms.neural.votes import Questions, Student
from dpsynth.mechanisms.oneway import allocated_oneways, check_shares
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.base import Model
from dpsynth.training.teachers import MAX_TEACHERS, Teachers, part

if TYPE_CHECKING:
    from dpsynth.mechanisms.neural.adversarial import Generator

_ROUND = (
    "round %d of %d: votes of %d teachers on %d generated rows differ from those of generated rows'"
    " teachers by %.2f"
    " standard deviations"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PATEGAN(Mechanism):
    """Teachers vote on generated rows, a student learns from the noised votes.

    Parameters
    ----------
    vote_share : float
        The part of the budget that pays for votes.
    oneway_share : float
        Of the rest, the part that measures the row count and the columns beforehand; what is left
        measures them once more.
    rounds, questions : int
        Of votes, and how many rows teachers are asked about in each.
    rows_per_teacher : int
        About as many; how many teachers there are follows from the measured row count.
    moves : int
        Of the generator in each round.
    network : DPCTGAN
        Settings of the generator; the rest of them is not used.

    Raises
    ------
    ValueError
        For shares that leave nothing, and for numbers that are not whole or below 1.

    Examples
    --------
    >>> mechanism = PATEGAN(rows_per_teacher=20)
    >>> mechanism.teachers(rows=10_000.0)
    500
    """

    reads_rows = True

    vote_share: float = 0.8
    oneway_share: float = 0.75
    rounds: int = 8
    questions: int = 250
    rows_per_teacher: int = 14
    moves: int = 100
    network: DPCTGAN = DPCTGAN(generator_rate=3e-3)  # noqa: RUF009  # frozen, so that all may share it

    def __post_init__(self) -> None:
        check_shares(oneway=self.oneway_share)
        check_train_share(self.vote_share)
        for name in ("rounds", "questions", "rows_per_teacher", "moves"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be a whole number, 1 or more, got {getattr(self, name)!r}"
                )

    def votes(self, budget: Budget) -> list[Gaussian]:
        """What a run with this budget pays for votes: an event for each round."""
        return votes_for(budget, self.vote_share, self.rounds)

    def settled(self, budget: Budget) -> tuple[Gaussian, ...]:
        return tuple(self.votes(budget))

    def reserve(self, budget: Budget) -> list[Event]:
        """All rounds of votes, and Gaussian noise for the rest of the budget."""
        require_torch()
        return with_votes(budget, self.votes(budget))

    def teachers(self, rows: float) -> int:
        """How many share about so many rows."""
        return max(1, min(MAX_TEACHERS, round(rows / self.rows_per_teacher)))

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        around = columns_around(cost, domain, settled, self.oneway_share)
        each = settled_cost(settled) // self.rounds  # which are alike
        # a teacher who changes its mind on all questions moves so many counts
        spread = math.sqrt(self.questions)
        votes = Part(
            "votes of teachers", (0, self.rounds), (each, each), (spread / math.sqrt(2), spread)
        )
        *parts, again = around.parts
        return replace(around, parts=(*parts, votes, again))

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        return footprint(
            domain, rows, prices, pairs=False, pace=PACE_OF_COLUMNS, extra=PYTORCH_MEGABYTES
        )

    def preview(
        self, settled: Sequence[Event], domain: Domain, rows: int, unit: PrivacyUnit
    ) -> PlannedVotes:
        votes = [event for event in settled if isinstance(event, Gaussian)]
        return planned_votes(votes, self.questions, self.teachers(rows), self.moves, domain, unit)

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A mixture of products over bins, refined to cells; columns only if too noisy."""
        require_torch()
        votes = reserved_votes(accountant, self.rounds)
        oneway = allocated_oneways(
            table, accountant, self.allocation(accountant.cost_left, table.domain, votes)
        )
        noise = vote_noise(votes[0], self.questions, self.teachers(oneway.rows), table.unit)
        if noise > MAX_VOTE_NOISE or len(table.domain.attributes) < 2:
            outcome = nothing_trained(oneway.rows, len(table.domain.attributes), "columns")
            _log.info("%s", outcome)
            return replace(rest_on_columns(table, accountant, oneway), outcome=outcome)
        columns = Columns.of(table, oneway, accountant)
        charges = [
            accountant.charge(
                v,
                f"ask teachers about {self.questions} rows, round {i} of {self.rounds}",
                reads=Questions.teacher,
            )
            for i, v in enumerate(votes, start=1)
        ]
        columns = replace(columns, oneway=oneway.combined(all_on_columns(table, accountant)))
        spent = accountant.spent().epsilon
        _log.info(
            "epsilon %.4g of %.4g is spent, for all rounds of votes",
            spent,
            accountant.budget.epsilon,
        )
        teachers = part(accountant, columns.coarse.rows(), self.teachers(oneway.rows))
        generator = self._taught(teachers, charges, columns)
        asked = (
            f"{teachers.number} teachers voted on {self.questions} rows"
            f" in each of {self.rounds} rounds"
        )
        return replace(columns.model(generator.columns()), outcome=asked)

    def _taught(self, teachers: Teachers, charges: list[Charge], columns: Columns) -> Generator:
        import torch

        from dpsynth.mechanisms.neural.adversarial import Generator

        rng = torch.Generator().manual_seed(self.network.seed)
        numbers = np.random.default_rng(self.network.seed)
        shares = columns.shares()
        generator = Generator(shares, game_of(self.network), rng)
        student = Student(shares)
        rows = round(columns.oneway.rows)
        size = rows / teachers.number
        for i, charge in enumerate(charges, start=1):
            generated = columns.coarse_model(generator.columns()).sample(
                rows + self.questions, numbers
            )
            codes = numbers.permutation(
                np.column_stack([generated[a] for a in columns.domain.attributes]).astype(int)
            )
            questions = Questions(codes[rows:], shares)
            counts, stddev = charge.gaussian(teachers.vote(questions.teacher(), self.questions))
            expected = questions.expected(codes[:rows], size, numbers)
            variance = float(np.mean(stddev) / teachers.number) ** 2 + 0.5 / teachers.number
            student.learn(
                questions.asked, *expected.updated(counts / teachers.number, size, variance)
            )
            generator.set_target(student.pairs())
            for _ in range(self.moves):
                generator.learn(None, rng)
            gap = np.sqrt(np.mean((counts / teachers.number - expected.yes) ** 2) / variance)
            _log.info(_ROUND, i, self.rounds, teachers.number, self.questions, gap)
        return generator
