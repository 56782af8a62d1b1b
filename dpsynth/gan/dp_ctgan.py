"""DP-CTGAN: a generator and a critic of rows, the critic trained by DP-SGD (Xie et al., arXiv 1802.06739).

A small part of the budget measures every column; the rest trains the critic. Steps, rate and noise are settled before
the first step, and nothing stops early: a loss on real rows would be a release of its own. Where the noise of a step
would drown any gradient, no game is played: all is spent on the columns, which is then the better model.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from dpsynth.data.table import PrivateTable
from dpsynth.gan.columns import Columns, all_on_columns, require_add_remove, require_torch
from dpsynth.gan.plan import affordable_event, likely_event, noise_length, perceptron_size
from dpsynth.mechanisms.base import check_shares, first_look
from dpsynth.mechanisms.independent import rest_on_columns
from dpsynth.models.base import Model
from dpsynth.privacy.accountant import Accountant, Charge
from dpsynth.privacy.events import DpSgd

if TYPE_CHECKING:
    from dpsynth.gan.adversarial import Game

_log = logging.getLogger("dpsynth.gan")
_MOST_RATE = 0.2
_MOST_NOISE = 1.0
"""Of a step, in lengths of the longest gradient: beyond this the game moves columns away from what is known of them."""


@dataclass(frozen=True)
class DPCTGAN:
    """Settings.

    oneway_share: the part of the budget that measures the row count and the columns. train_share: the part that
    trains; the little that is left measures the columns once more.
    steps, batch: of DP-SGD, and how many rows take part in one on average (a fifth of a small table).
    generator, critic: widths of hidden layers. The critic is small because noise grows with its parameters.
    components: of the mixture that the model is. fakes: generated rows a step. anchor: how firmly columns are held.
    seed: of weights and of generated rows, which is public; privacy noise has no seed.
    """

    oneway_share: float = 0.15
    train_share: float = 0.8
    steps: int = 300
    batch: int = 1200
    generator: tuple[int, ...] = (128,)
    critic: tuple[int, ...] = (32,)
    components: int = 1024
    fakes: int = 512
    generator_rate: float = 1e-3
    critic_rate: float = 3e-3
    anchor: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_shares(oneway=self.oneway_share, train=self.train_share)
        for name in ("steps", "batch", "components", "fakes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """A mixture of products over bins, refined to cells; independent columns where noise would drown the game."""
        require_torch()
        require_add_remove(table)
        budget = accountant.cost_left
        oneway_cost = int(budget * self.oneway_share)
        total_cost = oneway_cost // 20
        look = first_look(table, accountant, total_cost=total_cost, oneway_cost=oneway_cost - total_cost)
        columns = Columns.of(table, look, accountant)
        cells = sum(n for _, n in columns.domain.sizes)
        event = worthwhile(self, int(budget * self.train_share), look.rows, cells, table)
        if event is None:
            return rest_on_columns(table, accountant, look)
        charge = accountant.charge(event, f"train a critic of rows in {event.steps} steps")
        columns = replace(columns, look=look.combined(all_on_columns(table, accountant)))
        _log.info("paid for: epsilon %.4g of %.4g spent", accountant.spent().epsilon, accountant.budget.epsilon)
        return self._played(charge, columns)

    def _played(self, charge: Charge, columns: Columns) -> Model:
        import torch

        from dpsynth.gan.adversarial import CLIP, Generator, critic_of, play
        from dpsynth.gan.networks import parameters

        rng = torch.Generator().manual_seed(self.seed)
        game = game_of(self)
        generator = Generator(columns.shares(), game, rng)
        critic = critic_of(generator.sizes, game, rng)
        rows = columns.coarse.rows()
        training = charge.train(rows, parameters=parameters(critic), clip=CLIP, assumed_rows=columns.look.rows)
        play(training, critic, generator, game, rng)
        return columns.model(generator.columns())


def worthwhile(network: DPCTGAN, cost: int, rows: float, cells: int, table: PrivateTable) -> DpSgd | None:
    """The training of a critic of `cells` values that costs this; None where noise would drown it.

    rows: how many there are, estimated. table: says whom the noise must hide.
    """
    rate = min(_MOST_RATE, network.batch / rows)
    likely = likely_event(cost, rate, network.steps)
    if noise_length(likely, perceptron_size([cells, *network.critic, 1]), rows, table) > _MOST_NOISE:
        return None
    return affordable_event(cost, rate, network.steps)


def game_of(network: DPCTGAN) -> Game:
    """The settings that the game needs."""
    from dpsynth.gan.adversarial import Game

    return Game(**{field.name: getattr(network, field.name) for field in fields(Game)})
