r"""Images by a kernel mean embedding: one noisy sum of features, then a generator that is fitted to it for nothing.

The kernel is k((x, a), (y, b)) = [a = b] (w0^2 + w1^2 <x, y> + w2^2 <x, y>^2), x the coordinates of an image along
low-frequency cosine waves (`Waves`), cut to a ball of a public radius, and a its label. Its features are finite: of
each class the weighted sum of 1, of x, and of x x', which are the class's size, mean and second moments. So the
embedding determines, and is determined by, what a Gaussian of each class needs, and no training is called for: what
DP-MERF (arXiv 2002.11603) does for random Fourier features by a network is done here in closed form.

Noise is met by shrinkage (James and Stein, 1961), a public function of the noisy moments and the scale of their noise:
each class's mean towards the mean of all, its covariance towards that of all, and that towards a diagonal one with the
spread of natural images. Eigenvalues are brought to the nearest that are not negative and have the same sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dpsynth.image_schema import ImageSchema
from dpsynth.models.images import ImageModel, Waves
from dpsynth.privacy.accountant import Accountant
from dpsynth.privacy.embedding import Features, embed
from dpsynth.privacy.events import Gaussian, positive
from dpsynth.privacy.rows import SensitiveRows

MOST_FREQUENCIES = 400
MOST_DIMENSIONS = 500_000

_EXACT = 2.0**20  # waves are rounded to such grains, so that sums over whole grey levels are exact in a double
_GRID = 2.0**16  # and so are squares of coordinates
_BELOW_ONE = 1 - 2.0**-20


@dataclass(frozen=True)
class ImageEmbedding:
    """Settings, all public: how many waves (or as many as there are pixels), the radius that coordinates are cut to,
    and the weights w0 of counts and w1 of means beside 1 of second moments.

    radius: 0.75 leaves most photographs and scans as they are; drawings in black and white reach 1.2.
    """

    frequencies: int = 100
    radius: float = 0.75
    count_weight: float = 0.2
    mean_weight: float = 0.8

    def __post_init__(self) -> None:
        if type(self.frequencies) is not int or not 1 <= self.frequencies <= MOST_FREQUENCIES:
            raise ValueError(
                f"frequencies must be a whole number from 1 to {MOST_FREQUENCIES}, got {self.frequencies!r}"
            )
        for name in ("radius", "count_weight", "mean_weight"):
            positive(name, getattr(self, name))

    def waves(self, schema: ImageSchema) -> Waves:
        return Waves.of(schema.shape, min(self.frequencies, schema.pixels))

    @property
    def weights(self) -> tuple[float, float, float]:
        """Of counts, means and second moments; their squares sum to a little less than 1."""
        length = math.hypot(self.count_weight, self.mean_weight, 1.0) / _BELOW_ONE
        return self.count_weight / length, self.mean_weight / length, 1 / length

    def dimensions(self, schema: ImageSchema) -> int:
        """How many numbers are released. Raises ValueError where they would take gigabytes."""
        count = min(self.frequencies, schema.pixels)
        found = schema.classes * (1 + count + count * (count + 1) // 2)
        if found > MOST_DIMENSIONS:
            raise ValueError(
                f"{schema.classes} classes and {count} frequencies make {found:,} numbers, and {MOST_DIMENSIONS:,} are"
                " the most: use fewer frequencies"
            )
        return found

    def features(self, schema: ImageSchema) -> Features:
        """Of a row, [label, pixels]: zeros, but for its class's 1, x and x x' in their weights; a norm below 1.

        Every number is found from whole numbers, exactly, or one at a time from such: it does not depend on the place
        of a row among others. A row without a class has zeros only.
        """
        waves, (w0, w1, w2) = self.waves(schema), self.weights
        count, each = len(waves.spread), self.dimensions(schema) // schema.classes
        grains = np.rint(waves.basis * _EXACT)
        scale = _GRID / (510 * _EXACT * self.radius * waves.scale)
        one, other = np.triu_indices(count)
        pairs = np.where(one == other, w2, w2 * math.sqrt(2))

        def features(codes: np.ndarray) -> np.ndarray:
            labels, greys = codes[:, 0], 2.0 * codes[:, 1:] - 255
            x = np.trunc((greys @ grains) * scale)
            length = np.sqrt((x * x).sum(axis=1))
            x /= np.maximum(length, _GRID)[:, None]
            found = np.zeros((len(codes), schema.classes, each))
            known = np.flatnonzero(labels < schema.classes)
            parts = [np.full((len(x), 1), w0), w1 * x, pairs * x[:, one] * x[:, other]]
            found[known, labels[known]] = np.hstack(parts)[known]
            return found.reshape(len(codes), -1)

        return features

    def fit(self, rows: SensitiveRows, schema: ImageSchema, accountant: Accountant) -> ImageModel:
        """Spends all that is left on one embedding of the rows of `data/images.py`; a Gaussian for each class."""
        dimensions = self.dimensions(schema)
        embedding = embed(rows, self.features(schema), dimensions=dimensions)
        charge = accountant.charge(Gaussian.spending(accountant.cost_left), "embedding of all images by class")
        noisy, stddev = charge.gaussian(embedding)
        return self.fitted(noisy.reshape(schema.classes, -1), float(stddev.max()), schema)

    def fitted(self, sums: np.ndarray, stddev: float, schema: ImageSchema) -> ImageModel:
        """The model of noisy sums of features, (classes, numbers of a class), with noise of stddev in each."""
        waves, (w0, w1, w2) = self.waves(schema), self.weights
        count = len(waves.spread)
        rows = np.maximum(1.0, sums[:, 0] / w0)
        total, share = rows.sum(), (rows / rows.sum())[:, None]
        sums_of_x, seconds = sums[:, 1 : count + 1] / w1, _square(sums[:, count + 1 :] / w2, count)

        means, noise = sums_of_x / rows[:, None], stddev / w1 / rows
        energy = count * noise**2
        centre = (share * means).sum(axis=0)
        means = np.array([_ball(_shrunk(m, centre, e)) for m, e in zip(means, energy, strict=True)])

        spreads = seconds / rows[:, None, None] - means[:, :, None] * means[:, None, :]
        energy = count * (count + 1) / 2 * (stddev / w2 / rows) ** 2
        pooled = (share[:, :, None] * spreads).sum(axis=0)
        usual = np.diag(waves.spread / waves.spread.sum() * np.clip(np.trace(pooled), 0, 1))
        pooled = _shrunk(pooled, usual, len(rows) * count * (count + 1) / 2 * (stddev / w2 / total) ** 2)
        roots = np.array([_root(_shrunk(s, pooled, e)) for s, e in zip(spreads, energy, strict=True)])
        return ImageModel(schema.shape, rows, self.radius * means, self.radius * roots)


def _square(halves: np.ndarray, count: int) -> np.ndarray:
    """Symmetric matrices, (classes, count, count), of upper triangles in which pairs of two weigh sqrt(2)."""
    one, other = np.triu_indices(count)
    found = np.zeros((len(halves), count, count))
    found[:, one, other] = found[:, other, one] = np.where(one == other, halves, halves / math.sqrt(2))
    return found


def _shrunk(x: np.ndarray, target: np.ndarray, energy: float) -> np.ndarray:
    """x moved towards the target, all the way where they differ by no more than noise of this expected square norm."""
    apart = float(((x - target) ** 2).sum())
    kept = 0.0 if apart <= energy else 1 - energy / apart
    return np.asarray(target + kept * (x - target))


def _ball(x: np.ndarray) -> np.ndarray:
    """The nearest point with a norm of 1 at most, where the coordinates of all images lie."""
    return np.asarray(x / max(1.0, float(np.linalg.norm(x))))


def _root(covariance: np.ndarray) -> np.ndarray:
    """A root of the nearest covariance with the same trace, 0 to 1: eigenvalues are projected on a simplex."""
    values, vectors = np.linalg.eigh(covariance)
    trace = float(np.clip(values.sum(), 0, 1))
    falling = values[::-1]
    cuts = (np.cumsum(falling) - trace) / np.arange(1, len(values) + 1)
    cut = cuts[np.flatnonzero(falling > cuts).max(initial=0)]
    return np.asarray(vectors * np.sqrt(np.maximum(values - cut, 0)))
