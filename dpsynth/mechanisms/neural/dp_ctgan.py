"""DP-CTGAN: a generator and a critic of rows, the critic trained by DP-SGD (Xie et al., arXiv
1802.06739).

A small part of the budget measures every column; the rest trains the critic. Steps, rate and noise
are settled and reserved before anything is read, and nothing stops early: a loss on real rows would
be a release of its own. Where the noise of a step exceeds any gradient, nothing is trained: all
is spent on the columns, the better model then.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant, Charge
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.allocation import (
    Allocation,
    again_part,
    first_parts,
    settled_cost,
)
from dpsynth.mechanisms.base import Resumable
from dpsynth.mechanisms.checkpoint import Checkpoint, block_of
from dpsynth.mechanisms.footprint import Footprint, footprint
from dpsynth.mechanisms.marginal.independent import (
    PACE_OF_COLUMNS,
    all_on_columns,
    rest_on_columns,
)
from dpsynth.mechanisms.neural.columns import Columns, require_add_remove, require_torch
from dpsynth.mechanisms.neural.settled import (
    MAX_NOISE,
    MAX_SHARE,
    PYTORCH_MEGABYTES,
    PlannedTraining,
    noise_length,
    nothing_trained,
    perceptron_size,
    planned,
    reserved_training,
    resumed,
    trained,
    training_for,
    with_training,
)
from dpsynth.mechanisms.oneway import allocated_oneways, check_shares
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.base import Model
from dpsynth.models.refined import RefinedModel
from dpsynth.training.event import DpSgd

if TYPE_CHECKING:
    from dpsynth.mechanisms.neural.adversarial import Game

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DPCTGAN(Resumable):
    """A generator and a critic of rows, the critic trained by DP-SGD.

    Parameters
    ----------
    train_share : float
        The part of the budget that trains.
    oneway_share : float
        Of the rest, the part that measures the row count and the columns beforehand; what is left
        measures them once more.
    steps : int
        Of DP-SGD.
    rate : float
        With what probability a record takes part in a step.
    generator, critic : tuple of int
        Widths of hidden layers. The critic is small because noise grows with its parameters.
    components : int
        Of the mixture that the model is.
    fakes : int
        Generated rows a step.
    generator_rate, critic_rate : float
        Learning rates of Adam.
    anchor : float
        How firmly columns are held to what is measured.
    seed : int
        Of weights and of generated rows, which is public; privacy noise has no seed.

    Raises
    ------
    ValueError
        For shares that leave nothing, and for numbers out of range.

    Examples
    --------
    >>> from dpsynth import Budget, PrivacyUnit
    >>> mechanism = DPCTGAN(steps=100)
    >>> event = mechanism.training(Budget(1.0, 1e-6))
    >>> event.steps
    100
    >>> mechanism.too_noisy(event, rows=1000.0, cells=300, unit=PrivacyUnit())
    True
    """

    reads_rows = True

    train_share: float = 0.8
    oneway_share: float = 0.75
    steps: int = 300
    rate: float = 0.05
    generator: tuple[int, ...] = (128,)
    critic: tuple[int, ...] = (32,)
    components: int = 1024
    fakes: int = 512
    generator_rate: float = 1e-3
    critic_rate: float = 3e-3
    anchor: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_shares(oneway=self.oneway_share)
        check_train_share(self.train_share)
        DpSgd(self.rate, 1.0, self.steps)  # refuses what is no rate, or no number of steps
        for name in ("components", "fakes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")

    def training(self, budget: Budget) -> DpSgd:
        """What a run with this budget trains; BudgetExceededError where it affords no training."""
        return training_for(budget, self.train_share, self.rate, self.steps)

    def settled(self, budget: Budget) -> tuple[DpSgd]:
        return (self.training(budget),)

    def reserve(self, budget: Budget) -> list[Event]:
        """The training, and Gaussian noise for the rest of the budget."""
        require_torch()
        return with_training(budget, self.training(budget))

    def too_noisy(self, event: DpSgd, rows: float, cells: int, unit: PrivacyUnit) -> bool:
        """Whether noise exceeds what a critic of so many cells can learn of so many rows."""
        return (
            noise_length(event, perceptron_size([cells, *self.critic, 1]), rows, unit) > MAX_NOISE
        )

    def check_unit(self, unit: PrivacyUnit) -> None:
        """ValueError unless units are added or removed."""
        require_add_remove(unit)

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        return columns_around(cost, domain, settled, self.oneway_share)

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        return footprint(
            domain, rows, prices, pairs=False, pace=PACE_OF_COLUMNS, extra=PYTORCH_MEGABYTES
        )

    def preview(
        self, settled: Sequence[Event], domain: Domain, rows: int, unit: PrivacyUnit
    ) -> PlannedTraining:
        (event,) = settled
        assert isinstance(event, DpSgd)
        return planned(event, self.critic, domain, rows, unit)

    def fit(
        self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint | None = None
    ) -> Model:
        """A mixture of products over bins, refined to cells; columns only if too noisy."""
        require_torch()
        self.check_unit(table.unit)
        event = reserved_training(accountant)
        oneway = allocated_oneways(
            table, accountant, self.allocation(accountant.cost_left, table.domain, [event])
        )
        columns = Columns.of(table, oneway, accountant)
        cells = sum(n for _, n in columns.domain.sizes)
        if self.too_noisy(event, oneway.rows, cells, table.unit):
            outcome = nothing_trained(oneway.rows, len(table.domain.attributes), "columns")
            _log.info("%s", outcome)
            return replace(rest_on_columns(table, accountant, oneway), outcome=outcome)
        from dpsynth.mechanisms.neural.adversarial import train

        purpose = f"train a critic of rows in {event.steps} steps"
        charge = accountant.charge(event, purpose, reads=train)
        columns = replace(columns, oneway=oneway.combined(all_on_columns(table, accountant)))
        spent = accountant.spent().epsilon
        _log.info(
            "epsilon %.4g of %.4g is spent, for all steps of the training",
            spent,
            accountant.budget.epsilon,
        )
        if checkpoint is not None:
            checkpoint.values |= columns.to_arrays()
        return replace(self._played(charge, columns, checkpoint), outcome=trained(event))

    def resume(self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint) -> Model:
        """The same, from the state in a checkpoint: with the steps that are left, and no further
        charge.
        """
        require_torch()
        from dpsynth.mechanisms.neural.adversarial import train

        with checkpoint.reading():
            columns = Columns.from_arrays(table, checkpoint.values)
        model = self._played(
            accountant.resume(checkpoint.charge, checkpoint.done, reads=train), columns, checkpoint
        )
        return replace(model, outcome=resumed(reserved_training(accountant)))

    def _played(
        self, charge: Charge, columns: Columns, checkpoint: Checkpoint | None
    ) -> RefinedModel:
        import torch

        from dpsynth.mechanisms.neural.adversarial import CLIP, Generator, make_critic, train
        from dpsynth.mechanisms.neural.networks import parameters

        rng = torch.Generator().manual_seed(self.seed)
        game = game_of(self)
        generator = Generator(columns.shares(), game, rng)
        critic = make_critic(generator.sizes, game, rng)
        rows = columns.coarse.rows()
        training = charge.redeem(
            rows,
            parameters=parameters(critic),
            clip=CLIP,
            assumed_rows=columns.oneway.rows,
            block=block_of(self.steps, checkpoint),
        )
        train(training, critic, generator, game, rng, checkpoint)
        return columns.model(generator.columns())


_ROW_COUNT_SHARE = 20
"""One part in so many of what the columns get goes to the row count."""


def columns_around(
    cost: int, domain: Domain, settled: Sequence[Event], oneway_share: float
) -> Allocation:
    """The columns are measured before what is settled, for a share of the rest, and once more after
    it.

    The second time has all that is left, with what is settled where that would be mostly noise.
    """
    oneway = int((cost - settled_cost(settled)) * oneway_share)
    total = oneway // _ROW_COUNT_SHARE
    parts = first_parts(domain, total=total, oneway=oneway - total)
    return Allocation((*parts, again_part(domain, cost - oneway, (1, 1))), tuple(settled))


def check_train_share(share: float) -> None:
    """ValueError for a part of the budget that leaves too little for anything else."""
    check_shares(train=share)
    if share > MAX_SHARE:
        raise ValueError(f"train_share must leave a tenth of the budget for columns, got {share!r}")


def game_of(network: DPCTGAN) -> Game:
    """The settings that the game needs."""
    from dpsynth.mechanisms.neural.adversarial import Game

    return Game(**{field.name: getattr(network, field.name) for field in fields(Game)})
