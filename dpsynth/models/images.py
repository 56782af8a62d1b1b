"""ImageModel: a Gaussian of low spatial frequencies for each class of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import dctn


@dataclass(frozen=True, eq=False)
class Waves:
    """The `count` lowest spatial frequencies of images of a shape, by the cosine transform; all of it is public.

    basis: orthonormal, (pixels, count). spread: (count,), how far a coordinate of images in general may be expected to
    spread, as 1 / (1 + frequency) (amplitudes of natural images fall as 1 / f: Field, JOSA A 4, 1987); its squares
    sum to 1. A coordinate of an image is what its grey levels (0 to 1, less one half) have along a wave, over the root
    of the number of pixels, over the root of the wave's spread: noise of one size in all of them costs least.
    """

    basis: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, shape: tuple[int, int], count: int) -> Waves:
        frequencies = np.hypot(*np.indices(shape)).reshape(-1)
        chosen = np.argsort(frequencies, kind="stable")[:count]
        pixels = np.eye(len(frequencies)).reshape(-1, *shape)
        basis = dctn(pixels, axes=(1, 2), norm="ortho").reshape(len(frequencies), -1)[:, chosen]
        spread = 1 / (1 + frequencies[chosen])
        return cls(basis, spread / np.linalg.norm(spread))

    @property
    def scale(self) -> np.ndarray:
        """What a coordinate is multiplied by in the sum of waves; (count,)."""
        return np.sqrt(self.spread * len(self.basis))


@dataclass(frozen=True, eq=False)
class ImageModel:
    """For each class how many images there are, and mean and root of the covariance of their coordinates.

    rows: (classes,), charged, at least 1. means: (classes, count). roots: (classes, count, count), covariance is
    root @ root.T. shape: of the images.
    """

    shape: tuple[int, int]
    rows: np.ndarray
    means: np.ndarray
    roots: np.ndarray

    @property
    def total(self) -> float:
        return float(self.rows.sum())

    def sample(self, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One image for each label; uint8, (n, height, width)."""
        waves = Waves.of(self.shape, self.means.shape[1])
        images = np.empty((len(labels), *self.shape), dtype=np.uint8)
        for label in range(len(self.rows)):
            mine = np.flatnonzero(labels == label)
            draws = rng.standard_normal((len(mine), self.means.shape[1]))
            coordinates = self.means[label] + draws @ self.roots[label].T
            greys = (coordinates * waves.scale) @ waves.basis.T + 0.5
            images[mine] = np.rint(255 * np.clip(greys, 0, 1)).reshape(-1, *self.shape)
        return images

    @classmethod
    def from_arrays(cls, saved: Mapping[str, Any]) -> ImageModel:
        """A model of its fields by name; ValueError or KeyError for anything that is none."""
        height, width = saved["shape"]
        rows, means, roots = (np.asarray(saved[name], dtype=np.float64) for name in ("rows", "means", "roots"))
        classes, count = means.shape
        if rows.shape != (classes,) or roots.shape != (classes, count, count) or count > height * width:
            raise ValueError("the arrays of an image model do not fit one another")
        if not all(np.isfinite(array).all() for array in (rows, means, roots)) or rows.min() < 1:
            raise ValueError("an image model holds finite numbers, and one image of each class at least")
        return cls((int(height), int(width)), rows, means, roots)
