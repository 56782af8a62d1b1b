"""A small convolutional network (extra `gan`): what an analyst would train on grey images.

For evidence only: it is trained on raw images, and nothing of it is released.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

try:
    import torch
    from torch import nn
except ImportError:
    raise ImportError(
        "a network that is trained on images needs PyTorch: pip install 'dpsynth[gan]', or leave"
        " network=True out"
    ) from None

_BATCH, _RATE = 128, 1e-3
"""Of Adam."""
_AT_ONCE = 1000

Scores = Callable[[np.ndarray], np.ndarray]


def network(
    images: np.ndarray, targets: np.ndarray, classes: int, seed: int, steps: int = 800
) -> Scores:
    """A network trained on grey images, uint8 (n, height, width), and targets 0 to classes - 1.

    Two convolutions of 3 x 3, each with a rectifier and pooling, and two dense layers. What is
    returned gives logarithms of probabilities, up to a number for each image: (n, classes).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _made(images.shape[1:], classes)
        optimiser = torch.optim.Adam(model.parameters(), lr=_RATE)
        truth = torch.from_numpy(targets.astype(np.int64))
        for _ in range(steps):
            chosen = torch.randint(len(images), (min(_BATCH, len(images)),))
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(_greys(images[chosen.numpy()])), truth[chosen])
            loss.backward()
            optimiser.step()

    def scores(asked: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            parts = [
                model(_greys(asked[i : i + _AT_ONCE])).numpy()
                for i in range(0, len(asked), _AT_ONCE)
            ]
        return np.concatenate(parts).astype(np.float64)

    return scores


def _made(shape: tuple[int, ...], classes: int) -> nn.Sequential:
    height, width = ((side + 3) // 4 for side in shape)  # pooled twice, rounded up
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(32 * height * width, 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def _greys(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images[:, None].astype(np.float32) / 127.5 - 1)
