"""ImageModel: a Gaussian of low spatial frequencies for each class of images, and perhaps a network
that adds to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import dctn

_SLOPE = 0.2  # of the rectifiers below zero, as in training
_MIN_VARIANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Waves:
    """The lowest spatial frequencies of images of a shape, by the cosine transform; all public.

    A coordinate of an image is what its grey levels (0 to 1, less one half) have along a wave, over
    the root of the number of pixels, over the root of the wave's spread: noise of one size in all
    of them costs least.

    Parameters
    ----------
    basis : ndarray
        Orthonormal waves, shape (pixels, count).
    spread : ndarray
        Shape (count,): how far a coordinate of images in general may be expected to spread, as 1 /
        (1 + frequency), since amplitudes of natural images fall as 1 / f (Field, JOSA A 4, 1987).
        Its squares sum to 1.

    Examples
    --------
    >>> waves = Waves.of((8, 8), 10)
    >>> waves.basis.shape, waves.scale.shape
    ((64, 10), (10,))
    """

    basis: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, shape: tuple[int, int], count: int) -> Waves:
        """The `count` lowest frequencies of images of this shape, the lowest first."""
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
    """A Gaussian of low spatial frequencies for each class of images, and perhaps a network.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the images, in pixels.
    rows : ndarray
        Shape (classes,): how many images there are of each class, charged, at least 1.
    means : ndarray
        Shape (classes, count), of the coordinates of `Waves`.
    roots : ndarray
        Shape (classes, count, count); a class's covariance is root @ root.T.
    network : tuple of ndarray
        Weights and biases of a perceptron from standardised coordinates, indicators of classes and
        random numbers to what is added to the grey levels (0 to 1) of each pixel; () for none.

    Examples
    --------
    >>> import numpy as np
    >>> roots = 0.01 * np.eye(3)[None].repeat(2, axis=0)
    >>> model = ImageModel((4, 4), np.array([30.0, 20.0]), np.zeros((2, 3)), roots)
    >>> images = model.sample(np.array([0, 1, 1]), np.random.default_rng(0))
    >>> images.shape, images.dtype
    ((3, 4, 4), dtype('uint8'))
    """

    shape: tuple[int, int]
    rows: np.ndarray
    means: np.ndarray
    roots: np.ndarray
    network: tuple[np.ndarray, ...] = ()

    @property
    def total(self) -> float:
        return float(self.rows.sum())

    @property
    def standard(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the coordinates of all images, (count,) each."""
        share = (self.rows / self.total)[:, None]
        centre = (share * self.means).sum(axis=0)
        variances = (share * ((self.roots**2).sum(axis=2) + (self.means - centre) ** 2)).sum(axis=0)
        return np.asarray(centre), np.sqrt(np.maximum(variances, _MIN_VARIANCE))

    def sample(self, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One image for each label; uint8, (n, height, width)."""
        waves = Waves.of(self.shape, self.means.shape[1])
        images = np.empty((len(labels), *self.shape), dtype=np.uint8)
        for label in range(len(self.rows)):
            mine = np.flatnonzero(labels == label)
            draws = rng.standard_normal((len(mine), self.means.shape[1]))
            coordinates = self.means[label] + draws @ self.roots[label].T
            greys = (coordinates * waves.scale) @ waves.basis.T + 0.5
            if self.network:
                greys += self.added(label, coordinates, rng)
            images[mine] = np.rint(255 * np.clip(greys, 0, 1)).reshape(-1, *self.shape)
        return images

    def added(self, label: int, coordinates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What the network adds to images of one class with these coordinates; (n, pixels)."""
        n = len(coordinates)
        classes = len(self.rows)
        centre, spread = self.standard
        latent = rng.standard_normal((n, len(self.network[0]) - coordinates.shape[1] - classes))
        x = np.hstack([(coordinates - centre) / spread, np.eye(classes)[[label] * n], latent])
        for weights, biases in zip(self.network[::2], self.network[1::2], strict=True):
            x = x @ weights + biases
            if biases is not self.network[-1]:
                x = np.where(x > 0, x, _SLOPE * x)
        return np.asarray(x)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """What `from_arrays` reads, beside the shape."""
        layers = {f"network:{i}": array for i, array in enumerate(self.network)}
        return {"rows": self.rows, "means": self.means, "roots": self.roots, **layers}

    @classmethod
    def from_arrays(cls, saved: Mapping[str, Any]) -> ImageModel:
        """A model of its fields by name; ValueError or KeyError for anything that is none."""
        height, width = saved["shape"]
        rows, means, roots = (
            np.asarray(saved[name], dtype=np.float64) for name in ("rows", "means", "roots")
        )
        classes, count = means.shape
        if (
            rows.shape != (classes,)
            or roots.shape != (classes, count, count)
            or count > height * width
        ):
            raise ValueError("the arrays of an image model do not fit one another")
        if not all(np.isfinite(array).all() for array in (rows, means, roots)) or rows.min() < 1:
            raise ValueError(
                "an image model holds finite numbers, and one image of each class at least"
            )
        network = _network(saved, classes + count, height * width)
        return cls((int(height), int(width)), rows, means, roots, network)


def _network(saved: Mapping[str, Any], known: int, pixels: int) -> tuple[np.ndarray, ...]:
    """The layers that were saved; ValueError unless they lead from more than `known` numbers to a
    number a pixel.
    """
    names = [f"network:{i}" for i in range(sum(name.startswith("network:") for name in saved))]
    network = tuple(np.asarray(saved[name], dtype=np.float64) for name in names)
    if not network:
        return network
    weights = network[::2]
    biases = network[1::2]
    fits = len(weights) == len(biases) and all(
        w.ndim == 2 and b.ndim == 1 for w, b in zip(weights, biases, strict=True)
    )
    if not fits or weights[0].shape[0] < known or biases[-1].shape != (pixels,):
        raise ValueError("the network of an image model leads from its coordinates to its pixels")
    ends = [w.shape[0] for w in weights[1:]]
    if [w.shape[1] for w in weights] != [len(b) for b in biases] or ends != [
        len(b) for b in biases[:-1]
    ]:
        raise ValueError("the layers of an image model's network do not fit one another")
    if not all(np.isfinite(array).all() for array in network):
        raise ValueError("the network of an image model holds finite numbers")
    return network
