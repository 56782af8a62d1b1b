"""Fixed features of grey images: what a small convolutional network with random weights sees.

The weights come from a fixed seed, so that nothing is trained and nothing is downloaded. Random
convolutions with pooling already tell shapes and textures apart (Saxe et al., ICML 2011), and for
images unlike photographs they compare sets better than networks that were trained on photographs
(Naeem et al., arXiv 2002.09797).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

IMAGES = 10_000
"""Most images of each side that a comparison looks at, so that its time does not grow with them."""
_SEED = 20240610
"""Any number: it fixes the features."""
_FIRST, _SECOND = 16, 32
"""Filters of the two layers, of 5 x 5 and 3 x 3 pixels."""
_PLAIN = 4
"""Filters of the first layer that keep their mean; all others see differences of grey levels."""
_GRID = 2
"""The second layer is averaged over so many parts of each side of an image."""
_PIXELS = 400_000
"""Pixels that are looked at together, for memory."""
_LEAST_SPREAD = 1e-6


def fixed_features(images: np.ndarray) -> np.ndarray:
    """Features of grey images, uint8 of shape (n, height, width): (n, 144) float64."""
    at_once = max(1, _PIXELS // (images.shape[1] * images.shape[2]))
    parts = [_features(images[i : i + at_once]) for i in range(0, len(images), at_once)]
    return np.concatenate(parts).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Seen:
    """Images, uint8 of shape (n, height, width), with their fixed features, found once."""

    images: np.ndarray
    features: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray) -> Seen:
        return cls(images, fixed_features(images))

    def __len__(self) -> int:
        return len(self.images)

    def take(self, places: np.ndarray) -> Seen:
        """The images at these places."""
        return Seen(self.images[places], self.features[places])

    def at_most(self, count: int, rng: np.random.Generator) -> Seen:
        """So many of them, drawn without replacement in a new order."""
        return self.take(rng.permutation(len(self))[:count])


@dataclass(frozen=True, eq=False)
class Scale:
    """Features less the mean of some real images, in units of their spread; constant ones are 0."""

    centre: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Scale:
        spread = features.std(axis=0)
        known = spread > _LEAST_SPREAD
        return cls(features.mean(axis=0), np.where(known, 1 / np.where(known, spread, 1), 0.0))

    def columns(self, seen: Seen) -> np.ndarray:
        """The features of images on this scale: (n, 144)."""
        return np.asarray((seen.features - self.centre) * self.unit)


@dataclass(frozen=True)
class FixedDistance:
    """Frechet distances of fixed features, squared and divided by the number of features.

    0 is alike; 1 is as far as a release that shows one and the same average image. It is not the
    published FID, whose features are those of a network trained on photographs: its figures cannot
    be compared with these.

    Parameters
    ----------
    synthetic : float
        Of the release from the holdout.
    floor : float
        Of the real images from the holdout.
    images : int
        Images of each side, as many of all: few images make both distances larger (Chong and
        Forsyth, arXiv 1911.07023).

    Examples
    --------
    >>> FixedDistance(synthetic=0.08, floor=0.01, images=5000).times
    8.0
    """

    synthetic: float
    floor: float
    images: int

    @property
    def times(self) -> float | None:
        """How many times the yardstick; None where that is 0."""
        return self.synthetic / self.floor if self.floor > 0 else None


def fixed_distance(
    real: Seen, synthetic: Seen, holdout: Seen, *, rng: np.random.Generator
) -> FixedDistance:
    """In units of the spread of the real images. rng: draws as many of each side."""
    sides = (real, synthetic, holdout)
    size = min(map(len, sides))
    drawn = [each.at_most(size, rng) for each in sides]
    ours, theirs, others = map(Scale.of(drawn[0].features).columns, drawn)
    return FixedDistance(frechet(theirs, others), frechet(ours, others), size)


def frechet(one: np.ndarray, other: np.ndarray) -> float:
    """The squared 2-Wasserstein distance of Gaussians with the moments of two sets of features.

    |m - n|^2 + tr(C + D - 2 (C D)^(1/2)) (Dowson and Landau, 1982), over the number of features.
    """
    covariances = [np.cov(each, rowvar=False, bias=True) for each in (one, other)]
    sizes, axes = np.linalg.eigh(covariances[0])
    root = axes * np.sqrt(np.maximum(sizes, 0))
    values = np.linalg.eigvalsh(root.T @ covariances[1] @ root)  # those of the product
    shift = one.mean(axis=0) - other.mean(axis=0)
    spread = sum(np.trace(c) for c in covariances) - 2 * np.sqrt(np.maximum(values, 0)).sum()
    return max(0.0, float(shift @ shift + spread)) / one.shape[1]


@cache
def _filters() -> tuple[np.ndarray, np.ndarray]:
    """Shapes (25, filters) and (filters of the first layer x 9, filters)."""
    rng = np.random.default_rng(_SEED)
    first = rng.standard_normal((25, _FIRST))
    first[:, _PLAIN:] -= first[:, _PLAIN:].mean(axis=0)
    second = rng.standard_normal((_FIRST * 9, _SECOND))
    return _unit(first), _unit(second)


def _unit(filters: np.ndarray) -> np.ndarray:
    return (filters / np.linalg.norm(filters, axis=0)).astype(np.float32)


def _features(images: np.ndarray) -> np.ndarray:
    first, second = _filters()
    greys = images[..., None].astype(np.float32) / 255 - 0.5
    seen = _convolved(greys, first, 5)
    deep = _convolved(_halved(seen), second, 3)
    return np.hstack([seen.mean(axis=(1, 2)), *_parts(deep)])


def _convolved(channels: np.ndarray, filters: np.ndarray, side: int) -> np.ndarray:
    """Filters of side x side pixels, and a rectifier; edges are repeated. (n, h, w, filters)."""
    reach = side // 2
    padded = np.pad(channels, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    windows = sliding_window_view(padded, (side, side), axis=(1, 2))
    n, height, width = windows.shape[:3]
    found = windows.reshape(n * height * width, -1) @ filters
    return np.maximum(found, 0, out=found).reshape(n, height, width, -1)


def _halved(channels: np.ndarray) -> np.ndarray:
    """Means of squares of 2 x 2 pixels; of an odd side the last pixel is left out."""
    n, height, width, count = channels.shape
    if min(height, width) < 2:
        return channels
    squares = channels[:, : height // 2 * 2, : width // 2 * 2]
    return squares.reshape(n, height // 2, 2, width // 2, 2, count).mean(axis=(2, 4))


def _parts(channels: np.ndarray) -> list[np.ndarray]:
    """The mean of each part of an image; parts of images of one pixel are the same."""
    rows, columns = (np.arange(_GRID + 1) * side // _GRID for side in channels.shape[1:3])
    return [
        channels[:, top : max(bottom, top + 1), left : max(right, left + 1)].mean(axis=(1, 2))
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
