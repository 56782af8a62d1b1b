"""The game of a generator and a critic of images. Only the critic sees real ones, through the steps
of a `Training`.

The generator draws an image from the embedding's Gaussian of a class, and a perceptron adds to it;
at first it adds nothing. It is held to what is released already: the moments of its images, along
the embedding's waves, stay those of the embedding, and what it adds stays small, so that the
critic's noise can do little harm to what is known. The mean of its weights over the last steps is
what is released, as plain arrays.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from dpsynth.base import progress
from dpsynth.mechanisms.neural.adversarial import CLIP
from dpsynth.mechanisms.neural.networks import (
    Network,
    apply,
    clipped_mean,
    device,
    each_row,
    perceptron,
    unflattened,
)
from dpsynth.models.images import ImageModel, Waves
from dpsynth.training.dpsgd import Training

_SLOPE = 0.2
_AVERAGED = 0.99
"""What a step leaves of the mean of weights before it."""

_PROGRESS = (
    "step %d of %d: the critic scores generated images %.3f;"
    " noisy gradients are %.3f times as long as noise alone"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageGame:
    """Channels, widths, random numbers and fakes a step, learning rates, what holds the generator;
    see `ImageGAN`.
    """

    critic: tuple[int, int]
    generator: tuple[int, ...]
    latent: int
    fakes: int
    generator_rate: float
    critic_rate: float
    hold: float
    anchor: float


class ImageGenerator:
    """Images of an embedding, and the network that adds to them."""

    def __init__(self, model: ImageModel, game: ImageGame, rng: torch.Generator) -> None:
        self.model = model
        self._game = game
        waves = Waves.of(model.shape, model.means.shape[1])
        self._shares = _tensor(model.rows / model.total)
        self._means = _tensor(model.means)
        self._roots = _tensor(model.roots)
        self._centre, self._spread = (_tensor(x) for x in model.standard)
        self._waves = _tensor(waves.basis * waves.scale)
        self._back = _tensor(waves.basis / waves.scale)
        inputs = model.means.shape[1] + len(model.rows) + game.latent
        self.network = perceptron([inputs, *game.generator, waves.basis.shape[0]], rng)
        self.network[-2] *= 0
        self._mean = [tensor.clone() for tensor in self.network]
        for tensor in self.network:
            tensor.requires_grad_(True)
        self._adam = torch.optim.Adam(self.network, lr=game.generator_rate, betas=(0.5, 0.9))

    def fakes(self, rng: torch.Generator) -> Tensor:
        """Rows of indicators of a class and of pixels from -1 to 1; without a gradient."""
        with torch.no_grad():
            return self._rows(*self._drawn(rng)[1:])

    def learn(self, critic: Network, rng: torch.Generator) -> float:
        """One step towards images that the critic takes for real; what it scores them."""
        coordinates, labels, begun, added = self._drawn(rng)
        score = scored(critic, self._rows(labels, begun, added), self.model.shape).mean()
        loss = (
            self._game.anchor * (added**2).mean()
            + self._game.hold * self._misfit(coordinates, labels, added)
            - score
        )
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        with torch.no_grad():
            for mean, tensor in zip(self._mean, self.network, strict=True):
                mean.mul_(_AVERAGED).add_(tensor, alpha=1 - _AVERAGED)
        return float(score.detach())

    def released(self) -> ImageModel:
        """The embedding with the network that adds to it."""
        return replace(self.model, network=tuple(t.cpu().double().numpy() for t in self._mean))

    def _drawn(self, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Coordinates, indicators of classes, images of the embedding (0 to 1), and what the
        network adds to them.
        """
        number = self._game.fakes
        where = self._shares.device
        chosen = torch.multinomial(self._shares.cpu(), number, True, generator=rng).to(where)
        normal = torch.randn(number, self._means.shape[1], generator=rng).to(where)
        latent = torch.randn(number, self._game.latent, generator=rng).to(where)
        coordinates = self._means[chosen] + torch.einsum("nij,nj->ni", self._roots[chosen], normal)
        labels = torch.nn.functional.one_hot(chosen, len(self._shares)).float()
        standard = (coordinates - self._centre) / self._spread
        added = apply(self.network, torch.cat([standard, labels, latent], dim=1))
        return coordinates, labels, coordinates @ self._waves.T + 0.5, added

    def _rows(self, labels: Tensor, begun: Tensor, added: Tensor) -> Tensor:
        return torch.cat([labels, 2 * (begun + added).clamp(0, 1) - 1], dim=1)

    def _misfit(self, coordinates: Tensor, labels: Tensor, added: Tensor) -> Tensor:
        """How far what is added moves the classes' means and second moments of coordinates, in
        units of their spread.

        Both sides are of the same draws, so that what chance does to the moments of a batch does
        not count.
        """
        before = coordinates / self._spread
        after = before + added @ self._back / self._spread
        sizes = labels.sum(dim=0).clamp_min(1)[:, None]
        means = labels.T @ (after - before) / sizes
        seconds = [
            torch.einsum("nk,ni,nj->kij", labels, x, x) / sizes[:, :, None] for x in (before, after)
        ]
        return (means**2).sum(dim=1).mean() + ((seconds[1] - seconds[0]) ** 2).sum(
            dim=(1, 2)
        ).mean() / 4


def make_critic(
    shape: tuple[int, int], classes: int, game: ImageGame, rng: torch.Generator
) -> Network:
    """A fresh critic: two convolutions of 4 x 4 pixels at every second place, and a linear score
    for each class.
    """
    network = []
    channels = 1
    for more in game.critic:
        scale = math.sqrt(2 / (1 + _SLOPE**2) / (16 * channels))
        network += [torch.randn(more, channels, 4, 4, generator=rng) * scale, torch.zeros(more)]
        channels = more
    width = channels * (shape[0] // 4) * (shape[1] // 4)
    network += [
        torch.randn(width, classes, generator=rng) * 0.5 / math.sqrt(width),
        torch.zeros(classes),
    ]
    return [tensor.to(device()) for tensor in network]


def scored(critic: Network, rows: Tensor, shape: tuple[int, int]) -> Tensor:
    """Rows of indicators of a class and of pixels, (rows, classes + pixels), to scores, high for
    real ones; (rows,).
    """
    labels, pixels = rows.split([critic[-1].numel(), shape[0] * shape[1]], dim=1)
    x = pixels.reshape(-1, 1, *shape)
    for i in (0, 2):
        x = torch.nn.functional.conv2d(x, critic[i], critic[i + 1], stride=2, padding=1)
        x = torch.nn.functional.leaky_relu(x, _SLOPE)
    return torch.sum((x.flatten(start_dim=1) @ critic[4] + critic[5]) * labels, dim=1)


def _hinge(sign: int, shape: tuple[int, int], critic: Network, row: Tensor) -> Tensor:
    """The hinge loss of one row; sign: 1 for a real one, -1 for a made one."""
    return torch.relu(1 - sign * scored(critic, row[None], shape)).squeeze()


def rows_of(codes: np.ndarray, classes: int) -> Tensor:
    """Codes, label and pixels, to rows for the critic; no class is indicated for a label that is
    none.
    """
    labels = np.eye(classes + 1, classes, dtype=np.float32)[codes[:, 0]]
    pixels = codes[:, 1:].astype(np.float32) / 127.5 - 1
    return torch.from_numpy(np.hstack([labels, pixels])).to(device())


def train(
    training: Training,
    critic: Network,
    generator: ImageGenerator,
    game: ImageGame,
    rng: torch.Generator,
) -> None:
    """Takes all steps of the training, each with a move of the critic and of the generator.

    In the first fifth the generator moves at every fifth step only, so that the critic has a start.
    What is logged is post-processing of noisy gradients: no loss on real images is computed.
    """
    shape = generator.model.shape
    classes = len(generator.model.rows)
    real = each_row(critic, partial(_hinge, 1, shape))
    fake = each_row(critic, partial(_hinge, -1, shape))
    adam = torch.optim.Adam(critic, lr=game.critic_rate, betas=(0.5, 0.99))
    steps = training.steps_left
    lengths = []
    score = math.nan
    noise = training.stddev * math.sqrt(training.parameters)
    for step in range(steps):
        unreal = clipped_mean(fake(generator.fakes(rng)), CLIP).cpu().numpy()
        noisy = training.step(lambda codes: real(rows_of(codes, classes)).cpu().numpy())
        lengths.append(float(np.linalg.norm(noisy)) / noise)
        for tensor, gradient in zip(critic, unflattened(unreal + noisy, critic), strict=True):
            tensor.grad = gradient
        adam.step()
        if step >= steps // 5 or step % 5 == 0:
            score = generator.learn(critic, rng)
        progress.step(step + 1, steps)
        if (step + 1) % max(1, steps // 10) == 0:
            _log.info(_PROGRESS, step + 1, steps, score, np.mean(lengths))
            lengths = []


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.float32)).to(device())
