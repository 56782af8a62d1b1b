"""DP-GAN of images: a generator that starts from a kernel mean embedding, and a critic of images
trained by DP-SGD.

Half of the budget makes the embedding of `mechanisms/image/embedding.py`: class sizes, and a
Gaussian for each class. The other half trains a small convolutional critic (Xie et al., arXiv
1802.06739; Goodfellow et al., arXiv 1406.2661), which tells the generator what a Gaussian of low
frequencies cannot know. Steps, rate and noise are settled and reserved before anything is read.
Where the noise of a step would exceed any gradient, nothing is trained: all is spent on the
embedding.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from dpsynth.base.numbers import positive
from dpsynth.kernel.accountant import Accountant, Charge
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.mechanisms.image.embedding import ImageEmbedding
from dpsynth.mechanisms.neural.columns import require_torch
from dpsynth.mechanisms.neural.dp_ctgan import check_train_share
from dpsynth.mechanisms.neural.settled import (
    MAX_NOISE,
    PlannedTraining,
    noise_length,
    reserved_training,
    training_for,
    with_training,
)
from dpsynth.models.images import ImageModel
from dpsynth.schema.images import ImageSchema
from dpsynth.training.clipping import PIECE
from dpsynth.training.dpsgd import row_rate
from dpsynth.training.event import DpSgd

if TYPE_CHECKING:
    from dpsynth.mechanisms.image.game import ImageGame

MIN_SIDE = 4
"""Of images, in pixels: the critic halves them twice."""

_START = 10.0
_STEP = 0.06
_ROW = 2e-5
_PRODUCT = 6e-10
"""CPU seconds to import PyTorch, of a step's generator, of a row's gradient and of each product in
it, at the most.
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageGAN(ImageEmbedding):
    """A generator that starts from the embedding, and a critic of images trained by DP-SGD.

    Parameters
    ----------
    frequencies, radius, count_weight, mean_weight
        As of `ImageEmbedding`.
    train_share : float
        The part of the budget that trains.
    steps : int
        Of DP-SGD.
    rate : float
        With what probability an image takes part in a step.
    critic : tuple of int
        Channels of its two convolutions; small, because noise grows with its parameters.
    generator : tuple of int
        Widths of hidden layers.
    latent : int
        Random numbers beside those of the embedding.
    fakes : int
        Generated images a step.
    generator_rate, critic_rate : float
        Learning rates of Adam.
    hold : float
        How firmly generated images are held to the embedding's moments.
    anchor : float
        How firmly each is held to where it began.
    seed : int
        Of weights and of generated images, which is public; privacy noise has no seed.

    Raises
    ------
    ValueError
        For numbers out of range.

    Examples
    --------
    >>> from dpsynth.schema.images import ImageSchema
    >>> ImageGAN(critic=(4, 8)).parameters(ImageSchema((28, 28), 2))
    1374
    """

    train_share: float = 0.5
    steps: int = 400
    rate: float = 0.05
    critic: tuple[int, int] = (8, 16)
    generator: tuple[int, ...] = (256,)
    latent: int = 16
    fakes: int = 256
    generator_rate: float = 2e-4
    critic_rate: float = 1e-3
    hold: float = 1.0
    anchor: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_train_share(self.train_share)
        DpSgd(self.rate, 1.0, self.steps)  # refuses what is no rate, or no number of steps
        for name in ("critic", "generator"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.critic) != 2:
            raise ValueError(
                f"critic must be the channels of two convolutions, got {self.critic!r}"
            )
        for name in ("latent", "fakes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name in ("generator_rate", "critic_rate", "hold", "anchor"):
            positive(name, getattr(self, name))

    def training(self, budget: Budget) -> DpSgd:
        """What a run with this budget trains; BudgetExceededError where it affords no training."""
        return training_for(budget, self.train_share, self.rate, self.steps)

    def settled(self, budget: Budget) -> tuple[DpSgd]:
        return (self.training(budget),)

    def reserve(self, budget: Budget) -> list[Event] | None:
        """The training, and Gaussian noise for the rest of the budget."""
        require_torch()
        return with_training(budget, self.training(budget))

    def dimensions(self, schema: ImageSchema) -> int:
        """As of the embedding; ValueError, too, for images that no critic of ours can be trained
        on.
        """
        if min(schema.shape) < MIN_SIDE:
            raise ValueError(
                f"a critic of images needs {MIN_SIDE} x {MIN_SIDE} pixels or more, got"
                f" {schema.shape}"
            )
        if schema.unit.adjacency != "add-remove":
            raise ValueError(
                "training on samples of images is accounted for units that are added or removed,"
                " and these are"
                ' replaced: use a unit with adjacency="add-remove", or mechanism="image-embedding"'
            )
        return super().dimensions(schema)

    def outcome(self, model: ImageModel) -> dict[str, str]:
        """What came of the training, as the released model shows it."""
        too_noisy = (
            f"nothing was trained: with about {model.total:,.0f} images, the noise of training"
            " would exceed what can be learned"
        )
        said = f"a critic was trained in {self.steps} steps" if model.network else too_noisy
        return {"outcome": said}

    def parameters(self, schema: ImageSchema) -> int:
        """How many numbers make the critic."""
        first, second = self.critic
        height, width = schema.shape
        linear = (second * (height // 4) * (width // 4) + 1) * schema.classes
        return (16 + 1) * first + (16 * first + 1) * second + linear

    def planned(self, budget: Budget, rows: int, schema: ImageSchema) -> PlannedTraining:
        """What training on about so many images would be; seconds are an upper bound."""
        event = self.training(budget)
        parameters = self.parameters(schema)
        unit = schema.unit
        batch = row_rate(event.rate, unit.max_records) * rows
        queue = batch / PIECE
        seen = PIECE * (queue + 3 * queue**0.5 + 3) + self.fakes
        products = schema.pixels * (4 * self.critic[0] + self.critic[0] * self.critic[1])
        return PlannedTraining(
            steps=event.steps,
            rate=event.rate,
            noise_multiplier=event.noise_multiplier,
            rows=batch,
            noise_length=noise_length(event, parameters, rows, unit),
            seconds=_START + event.steps * (_STEP + seen * (_ROW + _PRODUCT * products)),
        )

    def fit(self, rows: SensitiveRows, schema: ImageSchema, accountant: Accountant) -> ImageModel:
        """The trained generator; the embedding's Gaussians where noise is too large."""
        require_torch()
        event = reserved_training(accountant)
        share = accountant.cost_left - event.cost.gaussian
        frame, number = self.look(rows, schema, accountant, self.look_cost(share))
        if noise_length(event, self.parameters(schema), number, schema.unit) > MAX_NOISE:
            _log.info("the noise would exceed what can be learned: all is spent on the embedding")
            return self.embedded(rows, schema, frame, accountant, accountant.cost_left)
        from dpsynth.mechanisms.image.game import train

        purpose = f"train a critic of images in {event.steps} steps"
        charge = accountant.charge(event, purpose, reads=train)
        model = self.embedded(rows, schema, frame, accountant, accountant.cost_left)
        spent = accountant.spent().epsilon
        _log.info(
            "epsilon %.4g of %.4g is spent, for all steps of the training",
            spent,
            accountant.budget.epsilon,
        )
        return self._played(charge, rows, model)

    def _played(self, charge: Charge, rows: SensitiveRows, model: ImageModel) -> ImageModel:
        import torch

        from dpsynth.mechanisms.image.game import ImageGenerator, make_critic, train
        from dpsynth.mechanisms.neural.adversarial import CLIP
        from dpsynth.mechanisms.neural.networks import parameters

        rng = torch.Generator().manual_seed(self.seed)
        game = game_of(self)
        generator = ImageGenerator(model, game, rng)
        critic = make_critic(model.shape, len(model.rows), game, rng)
        training = charge.redeem(
            rows, parameters=parameters(critic), clip=CLIP, assumed_rows=model.total
        )
        train(training, critic, generator, game, rng)
        return generator.released()


def game_of(settings: ImageGAN) -> ImageGame:
    """The settings that the game needs."""
    from dpsynth.mechanisms.image.game import ImageGame

    return ImageGame(**{field.name: getattr(settings, field.name) for field in fields(ImageGame)})
