"""A generator of distributions, a critic of rows, and the game between them (Goodfellow et al.,
arXiv 1406.2661).

The critic sees real rows through the steps of a `Training` only; all else here is post-processing
of its answers and of measured marginals. Only the real side is clipped and noised by the kernel:
the fake side never saw a real row, and is clipped alike so that the two sides weigh the same.

The generator turns a fixed set of random inputs, its *components*, into distributions of the
columns, so that in the end it is a mixture of products (`models.hidden`). Part of an input is a
condition, one value of one column (Xu et al., CTGAN, arXiv 1907.00503), drawn from *measured*
shares: exact frequencies, which CTGAN draws from, would be a release that nobody paid for. At first
every component is the product of the measured columns, and an anchor holds the columns there, so
that the critic's noise can do little harm to what is already known.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dpsynth.base import progress
from dpsynth.mechanisms.checkpoint import Checkpoint
from dpsynth.mechanisms.neural.networks import (
    Network,
    apply,
    clipped_mean,
    device,
    drawn,
    each_row_of_perceptron,
    indicators,
    perceptron,
    unflattened,
)
from dpsynth.mechanisms.neural.state import State
from dpsynth.training.dpsgd import Training

CLIP = 1.0
_LATENT = 32
_ALONE = 400
"""Steps of the generator towards what is released, before it meets a critic."""

_PROGRESS = (
    "step %d of %d: the critic scores generated rows %.3f;"
    " noisy gradients are %.3f times as long as noise alone"
)
_RESUMED = "%s: the training goes on after step %d of %d; %d steps that were under way are lost"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Game:
    """Widths of hidden layers, numbers of components and of fakes a step, learning rates; see
    `DPCTGAN`.
    """

    generator: tuple[int, ...]
    critic: tuple[int, ...]
    components: int
    fakes: int
    generator_rate: float
    critic_rate: float
    anchor: float


class Generator:
    """Fixed random inputs, and the network that turns them into distributions of the columns.

    shares: for each column the measured share of each of its values, shape (cells,). pairs: where
    pairs of columns are known too, the share of each pair of values, shape (all values, all
    values); blocks of a column with itself are 0.
    """

    def __init__(
        self,
        shares: Sequence[np.ndarray],
        game: Game,
        rng: torch.Generator,
        pairs: np.ndarray | None = None,
    ) -> None:
        self.sizes = [len(share) for share in shares]
        self.shares = torch.cat(
            [torch.from_numpy(share.astype(np.float32)) for share in shares]
        ).to(device())
        self.pairs: Tensor | None = None
        if pairs is not None:
            self.set_target(pairs)
        latent = torch.randn(game.components, _LATENT, generator=rng)
        self.inputs = torch.cat([latent, _conditions(shares, game.components, rng)], dim=1).to(
            device()
        )
        self.network = perceptron([self.inputs.shape[1], *game.generator, sum(self.sizes)], rng)
        self.network[-2] *= 0.1
        self.network[-1] = torch.log(self.shares.clamp_min(1e-6))
        for tensor in self.network:
            tensor.requires_grad_(True)
        self._fakes = min(game.fakes, game.components)
        self._anchor = game.anchor
        self.adam = torch.optim.Adam(self.network, lr=game.generator_rate, betas=(0.5, 0.9))

    def set_target(self, pairs: np.ndarray) -> None:
        """Holds it to these shares of pairs of values from now on."""
        self.pairs = torch.from_numpy(pairs.astype(np.float32)).to(device())

    def logits(self, rng: torch.Generator) -> Tensor:
        """Of components chosen at random, shape (fakes, sum of sizes)."""
        chosen = torch.randperm(len(self.inputs), generator=rng)[: self._fakes]
        return apply(self.network, self.inputs[chosen.to(self.inputs.device)])

    def fakes(self, rng: torch.Generator) -> Tensor:
        """One row from each of some components, as indicators; without a gradient."""
        with torch.no_grad():
            return drawn(self.logits(rng), self.sizes, rng)

    def learn(self, critic: Network | None, rng: torch.Generator) -> float:
        """One step towards what is measured and, with a critic, rows that it takes for real; what
        it scores them.
        """
        logits = self.logits(rng)
        score = torch.zeros((), device=logits.device)
        if critic is not None:
            score = apply(critic, drawn(logits, self.sizes, rng)).mean()
        loss = self._anchor * self._misfit(logits) - score
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return float(score.detach())

    def columns(self) -> list[np.ndarray]:
        """For each column its distribution in every component, shape (components, cells)."""
        with torch.no_grad():
            whole = apply(self.network, self.inputs).cpu().double()
        return [torch.softmax(block, dim=1).numpy() for block in whole.split(self.sizes, dim=1)]

    def _misfit(self, logits: Tensor) -> Tensor:
        """Squared differences between the components' mean and what is measured, over the latter; a
        scalar.
        """
        each = torch.cat(
            [torch.softmax(block, dim=1) for block in logits.split(self.sizes, dim=1)], dim=1
        )
        loss = torch.sum((each.mean(dim=0) - self.shares) ** 2 / (self.shares + 1e-3))
        if self.pairs is None:
            return loss
        together = each.T @ each / len(each)
        return loss + torch.sum(
            (self.pairs > 0) * (together - self.pairs) ** 2 / (self.pairs + 1e-3)
        ) / len(self.sizes)


def make_critic(sizes: Sequence[int], game: Game, rng: torch.Generator) -> Network:
    """A fresh critic: rows of indicators to a score, high for real ones."""
    return perceptron([sum(sizes), *game.critic, 1], rng)


def train(
    training: Training,
    critic: Network,
    generator: Generator,
    game: Game,
    rng: torch.Generator,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Takes all steps that are left of the training, each with a move of the critic and of the
    generator.

    In the first third the generator moves at every fifth step only, so that the critic has a start.
    What is logged is post-processing of noisy gradients: no loss on real rows is computed.

    checkpoint: keeps the state after each block of steps. A training that was resumed starts from
    the state in it.
    """
    real, fake = (each_row_of_perceptron(critic, loss) for loss in (_real_loss, _fake_loss))
    adam = torch.optim.Adam(critic, lr=game.critic_rate, betas=(0.5, 0.99))
    state = State(
        {"critic": critic, "generator": generator.network, "inputs": [generator.inputs]},
        {"critic": adam, "generator": generator.adam},
        rng,
    )
    if checkpoint is not None:
        begin(training, state, checkpoint)
    steps = training.steps.paid
    noise = training.stddev * math.sqrt(training.parameters)
    score = math.nan
    lengths = []
    while training.steps_left:
        step = training.done
        unreal = clipped_mean(fake(generator.fakes(rng)), CLIP).cpu().numpy()
        noisy = training.step(lambda codes: real(indicators(codes, generator.sizes)).cpu().numpy())
        lengths.append(float(np.linalg.norm(noisy)) / noise)
        for tensor, gradient in zip(critic, unflattened(unreal + noisy, critic), strict=True):
            tensor.grad = gradient
        adam.step()
        if step >= steps // 3 or step % 5 == 0:
            score = generator.learn(critic, rng)
        progress.step(step + 1, steps)
        if (step + 1) % max(1, steps // 10) == 0:
            _log.info(_PROGRESS, step + 1, steps, score, np.mean(lengths))
            lengths = []
        if checkpoint is not None and training.between_blocks:
            checkpoint.save(training, state.arrays())


def begin(training: Training, state: State, checkpoint: Checkpoint) -> None:
    """Keeps the state before the first step, or takes up the one that was kept."""
    if not training.steps.resumed:
        checkpoint.save(training, state.arrays())
        return
    with checkpoint.reading():
        state.restore(checkpoint.values)
    _log.info(_RESUMED, checkpoint.path, training.done, training.steps.paid, training.steps.lost)


def pretrain(
    codes: np.ndarray, critic: Network, generator: Generator, game: Game, rng: torch.Generator
) -> None:
    """Moves of both on rows that are released already, shape (rows, columns): as many as there are
    batches of fakes.
    """
    for _ in range(_ALONE):
        generator.learn(None, rng)
    released = indicators(codes, generator.sizes)
    adam = torch.optim.Adam(critic, lr=game.critic_rate, betas=(0.5, 0.99))
    real, fake = (each_row_of_perceptron(critic, loss) for loss in (_real_loss, _fake_loss))
    for batch in released.split(game.fakes):
        gradient = clipped_mean(real(batch), CLIP) + clipped_mean(fake(generator.fakes(rng)), CLIP)
        for tensor, part in zip(critic, unflattened(gradient.cpu().numpy(), critic), strict=True):
            tensor.grad = part
        adam.step()


def _real_loss(scores: Tensor) -> Tensor:
    return torch.relu(1 - scores)


def _fake_loss(scores: Tensor) -> Tensor:
    return torch.relu(1 + scores)


def _conditions(shares: Sequence[np.ndarray], components: int, rng: torch.Generator) -> Tensor:
    """For each component a column in turn, and a value of it as often as its share says; as
    indicators.
    """
    values = [
        torch.multinomial(torch.from_numpy(s / s.sum()), components, True, generator=rng)
        for s in shares
    ]
    which = np.arange(components) % len(shares)
    starts = np.cumsum([0, *(len(s) for s in shares)])
    cells = torch.from_numpy(starts[which]) + torch.stack(values)[which, np.arange(components)]
    return torch.zeros(components, int(starts[-1])).scatter_(1, cells[:, None], 1.0)
