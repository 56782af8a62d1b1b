"""Made-up grey images: bars on a noisy ground, whose place and slope say the class."""

from __future__ import annotations

import numpy as np

SHAPE = (12, 12)
CLASSES = 3


def bars(n: int, seed: int, classes: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    """Images with fine detail of their own, so that blur can be told, and their classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    down, right = np.indices(SHAPE)
    slope = np.array([0.0, 1.0, -1.0])[labels]
    middle = 5.5 + rng.normal(0, 1.2, n)
    away = np.abs((down - 5.5) * slope[:, None, None] + right - middle[:, None, None])
    greys = 60 + 150 * (away < 1.5) + rng.normal(0, 22, (n, *SHAPE))
    return np.clip(np.rint(greys), 0, 255).astype(np.uint8), labels


def blurred(images: np.ndarray) -> np.ndarray:
    """Each pixel the mean of the nine around it."""
    padded = np.pad(images.astype(float), ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = images.shape[1:]
    found = sum(padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)) / 9
    return np.rint(found).astype(np.uint8)


def noisy(images: np.ndarray, seed: int, greys: float = 60) -> np.ndarray:
    """Noise of so many grey levels on each pixel."""
    noise = np.random.default_rng(seed).normal(0, greys, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)
