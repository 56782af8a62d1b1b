"""Hybrid: a marginal release first, then a generator that starts from it and is refined by DP-SGD.

Three quarters of the budget go to Canopy. Generator and critic are trained on its release, which is
free; then the critic sees real rows by DP-SGD. At last a charged comparison on all pairs of columns
says whether the refined generator is the better one: unless it is by more than two standard
deviations, the marginal release is what comes out, and the certificate says so. So the price of the
attempt is the part of the budget that it took, and never more.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant, Charge
from dpsynth.kernel.budget import Budget, BudgetExceededError
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.allocation import (
    Allocation,
    Part,
    either,
    settled_cost,
)
from dpsynth.mechanisms.base import Resumable
from dpsynth.mechanisms.checkpoint import Checkpoint, block_of
from dpsynth.mechanisms.footprint import Footprint, footprint
from dpsynth.mechanisms.marginal.canopy import PACE, Canopy
from dpsynth.mechanisms.neural.columns import mixture_of, require_add_remove, require_torch
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN, check_train_share, game_of
from dpsynth.mechanisms.neural.settled import (
    PYTORCH_MEGABYTES,
    PlannedTraining,
    nothing_trained,
    reserved_training,
    resumed,
    trained,
    training_for,
    with_training,
)
from dpsynth.mechanisms.oneway import check_shares, measure
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.base import Model
from dpsynth.models.refined import RefinedModel
from dpsynth.training.event import DpSgd

TOTAL_SHARE = 0.01
_REHEARSAL = 40
"""Batches of released rows that the critic learns from before it sees real ones."""
BINS = 16
_BEFOREHAND = "the row count, beforehand"
_COMPARISON = "the comparison of two models"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hybrid(Resumable):
    """A marginal release first, then a generator that starts from it and is refined by DP-SGD.

    Parameters
    ----------
    train_share, compare_share : float
        The parts of the budget that train the critic and that compare; the rest is Canopy's.
    network : DPCTGAN
        Settings of networks and training; its shares are not used.

    Raises
    ------
    ValueError
        For shares that leave nothing.

    Examples
    --------
    >>> from dpsynth import Budget
    >>> mechanism = Hybrid(network=DPCTGAN(steps=50))
    >>> [event.steps for event in mechanism.settled(Budget(1.0, 1e-6))]
    [50]
    """

    reads_rows = True

    train_share: float = 0.2
    compare_share: float = 0.04
    network: DPCTGAN = DPCTGAN()  # noqa: RUF009  # frozen, so that all may share it

    def __post_init__(self) -> None:
        check_shares(train=self.train_share, compare=self.compare_share)
        check_train_share(self.train_share + self.compare_share + TOTAL_SHARE)

    def training(self, budget: Budget) -> DpSgd:
        """What a run with this budget trains; BudgetExceededError where it affords no training."""
        return training_for(budget, self.train_share, self.network.rate, self.network.steps)

    def settled(self, budget: Budget) -> tuple[DpSgd]:
        return (self.training(budget),)

    def reserve(self, budget: Budget) -> list[Event]:
        """The training, and Gaussian noise for the rest of the budget."""
        require_torch()
        return with_training(budget, self.training(budget))

    def check_unit(self, unit: PrivacyUnit) -> None:
        """ValueError unless units are added or removed."""
        require_add_remove(unit)

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        """The row count, and Canopy's parts, of all that is left or of that less the training."""
        total = int(cost * TOTAL_SHARE)
        compare = int(cost * self.compare_share)
        rest = cost - total
        pairs = max(1, math.comb(len(domain.attributes), 2))
        canopy = (
            Canopy().allocation(c, domain) for c in (rest, rest - settled_cost(settled) - compare)
        )
        parts = (
            Part(_BEFOREHAND, (1, 1), (total, total), (1 / math.sqrt(2), 1.0)),
            # two models, each pair
            Part(_COMPARISON, (0, 1), (compare, compare), (1.0, math.sqrt(4 * pairs))),
            *either(*canopy),
        )
        return Allocation(parts, tuple(settled))

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        return footprint(domain, rows, prices, pairs=True, pace=PACE, extra=PYTORCH_MEGABYTES)

    def preview(
        self, settled: Sequence[Event], domain: Domain, rows: int, unit: PrivacyUnit
    ) -> PlannedTraining:
        return self.network.preview(settled, domain, rows, unit)

    def fit(
        self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint | None = None
    ) -> Model:
        """The refined generator, or the marginal release where that is as good."""
        require_torch()
        self.check_unit(table.unit)
        event = reserved_training(accountant)
        allocation = self.allocation(accountant.cost_left, table.domain, [event])
        total = measure(accountant, (), table.marginals([()])[()], allocation.cost(_BEFOREHAND))
        rows = max(1.0, float(total.values))
        cells = sum(min(n, BINS) for _, n in table.domain.sizes)
        if (
            self.network.too_noisy(event, rows, cells, table.unit)
            or len(table.domain.attributes) < 2
        ):
            outcome = nothing_trained(rows, len(table.domain.attributes), "marginals")
            _log.info("%s", outcome)
            return replace(_canopy(table, accountant), outcome=outcome)
        from dpsynth.mechanisms.neural.adversarial import train

        purpose = f"train a critic of rows in {event.steps} steps"
        training = accountant.charge(event, purpose, reads=train)
        comparison = Gaussian.spending(allocation.cost(_COMPARISON))
        with accountant.keeping(comparison.cost.gaussian):
            release = _canopy(table, accountant)
        spent = accountant.spent().epsilon
        _log.info(
            "epsilon %.4g of %.4g is spent, for all steps of the training, and all but the"
            " comparison",
            spent,
            accountant.budget.epsilon,
        )
        if checkpoint is not None:
            checkpoint.values |= {**release.to_arrays(), "comparison": comparison.noise_multiplier}
        coarse = table.coarsen(release.bins)
        refined = replace(
            self._refined(training, release, coarse, checkpoint), outcome=trained(event)
        )
        return self._better(accountant, comparison, release, refined, coarse)

    def resume(self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint) -> Model:
        """The same, from the state in a checkpoint: the steps that are left, and the comparison.

        A process that died after it had charged for the comparison took it along: then the marginal
        release comes out.
        """
        require_torch()
        with checkpoint.reading():
            release = RefinedModel.from_arrays(table.domain, checkpoint.values)
            comparison = Gaussian(checkpoint.values["comparison"])
            coarse = table.coarsen(release.bins)
        from dpsynth.mechanisms.neural.adversarial import train

        training = accountant.resume(checkpoint.charge, checkpoint.done, reads=train)
        refined = self._refined(training, release, coarse, checkpoint)
        refined = replace(refined, outcome=resumed(reserved_training(accountant)))
        try:
            return self._better(accountant, comparison, release, refined, coarse)
        except BudgetExceededError:
            outcome = (
                "the marginal release is what comes out: the comparison was charged,"
                " and lost with a process that died"
            )
            _log.info("%s", outcome)
            return replace(release, outcome=outcome)

    def _refined(
        self,
        charge: Charge,
        release: RefinedModel,
        coarse: PrivateTable,
        checkpoint: Checkpoint | None,
    ) -> RefinedModel:
        import torch

        from dpsynth.mechanisms.neural.adversarial import (
            CLIP,
            Generator,
            make_critic,
            pretrain,
            train,
        )
        from dpsynth.mechanisms.neural.networks import parameters

        rng = torch.Generator().manual_seed(self.network.seed)
        game = game_of(self.network)
        attributes = coarse.domain.attributes
        shares = [release.coarse.project((a,)) / release.total for a in attributes]
        generator = Generator(shares, game, rng, pairs=_pairs(release.coarse, coarse.domain))
        critic = make_critic(generator.sizes, game, rng)
        training = charge.redeem(
            coarse.rows(),
            parameters=parameters(critic),
            clip=CLIP,
            assumed_rows=release.total,
            block=block_of(self.network.steps, checkpoint),
        )
        if not training.steps.resumed:
            sample = release.coarse.sample(
                _REHEARSAL * self.network.fakes, np.random.default_rng(self.network.seed)
            )
            pretrain(
                np.column_stack([sample[a].astype(np.int64) for a in attributes]),
                critic,
                generator,
                game,
                rng,
            )
        train(training, critic, generator, game, rng, checkpoint)
        mixture = mixture_of(coarse.domain, release.total, generator.columns(), shares)
        return replace(release, coarse=mixture, outcome="")

    def _better(
        self,
        accountant: Accountant,
        comparison: Gaussian,
        release: RefinedModel,
        refined: RefinedModel,
        coarse: PrivateTable,
    ) -> RefinedModel:
        """The refined model if its errors on all pairs are smaller by more than two standard
        deviations.
        """
        cliques = list(itertools.combinations(coarse.domain.attributes, 2))
        answers = coarse.marginals(cliques)
        scores = [
            answers[c].l1_error(model.coarse.project(c))
            for model in (release, refined)
            for c in cliques
        ]
        charge = accountant.charge(comparison, "compare the generator with the marginal release")
        values, stddev = charge.gaussian(Sensitive.stack(scores))
        half = len(cliques)
        gain = float(values[:half].sum() - values[half:].sum())
        better = gain > 2 * math.sqrt(float(np.square(stddev).sum()))
        outcome = (
            f"{refined.outcome}, and"
            f" {'the refined generator' if better else 'the marginal release'} is what comes out:"
            f" in the charged comparison the generator gained {gain / half:.3g} rows a pair"
        )
        _log.info("%s", outcome)
        return replace(refined if better else release, outcome=outcome)


def _canopy(table: PrivateTable, accountant: Accountant) -> RefinedModel:
    release = Canopy().fit(table, accountant)
    assert isinstance(release, RefinedModel)
    return release


def _pairs(model: Model, domain: Domain) -> np.ndarray:
    """The share of each pair of values of different columns, shape (all values, all values)."""
    starts = dict(
        zip(domain.attributes, np.cumsum([0, *(n for _, n in domain.sizes)]), strict=False)
    )
    cells = sum(n for _, n in domain.sizes)
    table = np.zeros((cells, cells))
    for a, b in itertools.permutations(domain.attributes, 2):
        rows = slice(starts[a], starts[a] + domain.size(a))
        columns = slice(starts[b], starts[b] + domain.size(b))
        table[rows, columns] = model.project((a, b)) / model.total
    return table
