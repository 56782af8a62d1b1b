r"""Images by a kernel mean embedding: noisy sums of features, then a generator that is fitted to
them for nothing.

A tenth of the budget is a first look: the mean, and the mean square, of each coordinate of all
images, along low-frequency cosine waves (`Waves`). The rest pays for the embedding. Its coordinates
x are taken from the measured mean, in measured units (`Frame`), and cut to a ball of the length
that images have on average, so that noise is in proportion to what images differ by. The kernel is
k((x, a), (y, b)) = [a = b] (w0^2 + w1^2 <x, y> + w2^2 <x, y>^2), a and b labels. Its features are
finite: of each class the weighted sum of 1, of x, and of x x', which are the class's size, mean and
second moments. So the embedding determines, and is determined by, what a Gaussian of each class
needs, and no training is called for: what DP-MERF (arXiv 2002.11603) does for random Fourier
features by a network is done here in closed form.

Noise is met by shrinkage (James and Stein, 1961), a public function of the noisy moments and the
scale of their noise: each class's mean towards the mean of all, its covariance towards that of all,
and that towards a diagonal one with the spread of the first look, which leans on that of natural
images. Eigenvalues are brought to the nearest that are not negative and have the same sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base.numbers import positive
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.mechanisms.allocation import Preview
from dpsynth.models.images import ImageModel, Waves
from dpsynth.models.rounding import on_simplex
from dpsynth.schema.images import ImageSchema
from dpsynth.training.clipping import Vectors
from dpsynth.training.embedding import embed

MAX_FREQUENCIES = 400
MAX_DIMENSIONS = 500_000

# waves are rounded to such grains, so that sums over whole grey levels are exact in a double
_EXACT = 2.0**20
_GRID = 2.0**16  # and so are squares of coordinates
_BELOW_ONE = 1 - 2.0**-20


LOOK = 0.1
"""The part of the budget that finds where all images lie, and how far they spread."""

_LOOK_WEIGHTS = tuple(w / math.hypot(0.2, 0.7, 0.7) * _BELOW_ONE for w in (0.2, 0.7, 0.7))
# of a coordinate, beside the usual one: no unit is so small that noise makes it up
_MIN_SPREAD = 0.1


@dataclass(frozen=True, eq=False)
class Frame:
    """What coordinates are measured from, and in which units: (count,) each, in coordinates of
    `Waves`.
    """

    centre: np.ndarray
    unit: np.ndarray


@dataclass(frozen=True)
class ImageEmbedding:
    """A noisy kernel mean embedding of images by class, and the Gaussians that fit it.

    Parameters
    ----------
    frequencies : int
        How many waves, or as many as there are pixels.
    radius : float
        What coordinates are cut to in the first look; 1.2 leaves all but drawings in black and
        white as they are.
    count_weight, mean_weight : float
        The weights w0 of counts and w1 of means, beside 1 of second moments.

    Raises
    ------
    ValueError
        For numbers out of range.

    Examples
    --------
    >>> from dpsynth.schema.images import ImageSchema
    >>> ImageEmbedding(frequencies=10).dimensions(ImageSchema((8, 8), 2))
    132
    """

    frequencies: int = 100
    radius: float = 1.2
    count_weight: float = 0.3
    mean_weight: float = 0.8

    def __post_init__(self) -> None:
        if type(self.frequencies) is not int or not 1 <= self.frequencies <= MAX_FREQUENCIES:
            raise ValueError(
                f"frequencies must be a whole number from 1 to {MAX_FREQUENCIES}, got"
                f" {self.frequencies!r}"
            )
        for name in ("radius", "count_weight", "mean_weight"):
            positive(name, getattr(self, name))

    def waves(self, schema: ImageSchema) -> Waves:
        return Waves.of(schema.shape, min(self.frequencies, schema.pixels))

    def settled(self, budget: Budget) -> Sequence[Event]:
        """Charges that this budget settles before anything is read, such as a training;
        BudgetExceededError.
        """
        return ()

    def look_cost(self, cost: int) -> int:
        """Of a first look, by a fit that has this cost left for Gaussian noise."""
        return int(cost * LOOK)

    def planned(self, budget: Budget, rows: int, schema: ImageSchema) -> Preview | None:
        """What training on about so many images would be; None where nothing is trained."""
        return None

    def reserve(self, budget: Budget) -> list[Event] | None:
        """What a run reserves; None is Gaussian noise of the whole budget."""
        return None

    @property
    def weights(self) -> tuple[float, float, float]:
        """Of counts, means and second moments; their squares sum to a little less than 1."""
        length = math.hypot(self.count_weight, self.mean_weight, 1.0) / _BELOW_ONE
        return self.count_weight / length, self.mean_weight / length, 1 / length

    def outcome(self, model: ImageModel) -> dict[str, str]:
        """What the certificate says of the fit besides its charges: nothing, for there is nothing
        to choose.
        """
        return {}

    def dimensions(self, schema: ImageSchema) -> int:
        """How many numbers the embedding has.

        Raises
        ------
        ValueError
            Where they would take gigabytes.
        """
        count = min(self.frequencies, schema.pixels)
        found = schema.classes * (1 + count + count * (count + 1) // 2)
        if found > MAX_DIMENSIONS:
            raise ValueError(
                f"{schema.classes} classes and {count} frequencies make {found:,} numbers, and"
                f" {MAX_DIMENSIONS:,} are"
                " the most: use fewer frequencies"
            )
        return found

    def coordinates(self, schema: ImageSchema, frame: Frame) -> Vectors:
        """Of a row, [label, pixels]: its coordinates in the frame, cut to a length of 1.

        They are whole grains of 2^-16, found from whole numbers, exactly, or one at a time from
        such: they do not depend on the place of a row.
        """
        waves = self.waves(schema)
        grains = np.rint(waves.basis * _EXACT)
        scale = _GRID / (510 * _EXACT * waves.scale * frame.unit)
        start = _GRID * frame.centre / frame.unit

        def coordinates(codes: np.ndarray) -> np.ndarray:
            # a warning would be an output; what is not finite counts as nothing
            with np.errstate(all="ignore"):
                x = np.trunc(((2.0 * codes[:, 1:] - 255) @ grains) * scale - start)
                length = np.sqrt((x * x).sum(axis=1))
                return np.asarray(x / np.maximum(length, _GRID)[:, None])

        return coordinates

    def look_features(self, schema: ImageSchema) -> Vectors:
        """Of a row with a class: 1, its coordinates and their squares, in weights; a norm below
        1.
        """
        count = min(self.frequencies, schema.pixels)
        (w0, w1, w2) = _LOOK_WEIGHTS
        coordinates = self.coordinates(schema, self._widest(count))

        def features(codes: np.ndarray) -> np.ndarray:
            x = coordinates(codes)
            known = codes[:, :1] < schema.classes
            return np.asarray(known * np.hstack([np.full((len(x), 1), w0), w1 * x, w2 * x * x]))

        return features

    def features(self, schema: ImageSchema, frame: Frame) -> Vectors:
        """Of a row: zeros, but for its class's 1, x and x x' in their weights; a norm below 1.

        A row without a class has zeros only.
        """
        count = min(self.frequencies, schema.pixels)
        (w0, w1, w2) = self.weights
        each = self.dimensions(schema) // schema.classes
        coordinates = self.coordinates(schema, frame)
        one, other = np.triu_indices(count)
        pairs = np.where(one == other, w2, w2 * math.sqrt(2))

        def features(codes: np.ndarray) -> np.ndarray:
            labels = codes[:, 0]
            x = coordinates(codes)
            found = np.zeros((len(codes), schema.classes, each))
            known = np.flatnonzero(labels < schema.classes)
            parts = [np.full((len(x), 1), w0), w1 * x, pairs * x[:, one] * x[:, other]]
            found[known, labels[known]] = np.hstack(parts)[known]
            return found.reshape(len(codes), -1)

        return features

    def fit(self, rows: SensitiveRows, schema: ImageSchema, accountant: Accountant) -> ImageModel:
        """Spends all that is left on the rows of `data/images/arrays.py`; a Gaussian for each
        class.
        """
        frame, _ = self.look(rows, schema, accountant, self.look_cost(accountant.cost_left))
        return self.embedded(rows, schema, frame, accountant, accountant.cost_left)

    def look(
        self, rows: SensitiveRows, schema: ImageSchema, accountant: Accountant, cost: int
    ) -> tuple[Frame, float]:
        """Where all images lie, and about how many there are; for this cost."""
        count = min(self.frequencies, schema.pixels)
        features = self.look_features(schema)
        sums = embed(rows, features, dimensions=1 + 2 * count)
        charge = accountant.charge(
            Gaussian.spending(cost), "mean and spread of all images", reads=features
        )
        noisy, stddev = charge.gaussian(sums)
        return self.framed(noisy, float(stddev.max()), schema), max(
            1.0, float(noisy[0]) / _LOOK_WEIGHTS[0]
        )

    def embedded(
        self,
        rows: SensitiveRows,
        schema: ImageSchema,
        frame: Frame,
        accountant: Accountant,
        cost: int,
    ) -> ImageModel:
        """A Gaussian for each class, for this cost."""
        features = self.features(schema, frame)
        embedding = embed(rows, features, dimensions=self.dimensions(schema))
        charge = accountant.charge(
            Gaussian.spending(cost), "embedding of all images by class", reads=features
        )
        noisy, stddev = charge.gaussian(embedding)
        return self.fitted(noisy.reshape(schema.classes, -1), float(stddev.max()), schema, frame)

    def framed(self, sums: np.ndarray, stddev: float, schema: ImageSchema) -> Frame:
        """The frame of noisy sums of `look_features`, with noise of stddev in each.

        The same noise in all coordinates costs least, over all pixels, where units go as the roots
        of spreads; a length of 1 is then what the images have on average.
        """
        spread = self.waves(schema).spread
        (w0, w1, w2) = _LOOK_WEIGHTS
        count = len(spread)
        rows = max(1.0, sums[0] / w0)
        means = _ball(sums[1 : count + 1] / w1 / rows)
        noise = stddev / w2 / rows
        variances = np.clip(sums[count + 1 :] / w2 / rows - means**2, 0, 1)
        usual = spread / spread.sum() * np.clip(variances.sum(), min(1.0, noise), 1)
        variances = np.maximum(_shrunk(variances, usual, count * noise**2), _MIN_SPREAD * usual)
        # along the waves themselves, whose coordinates are in units of root spread
        seen = np.sqrt(variances * spread)
        return Frame(self.radius * means, self.radius * np.sqrt(seen * seen.sum() / spread))

    def fitted(
        self, sums: np.ndarray, stddev: float, schema: ImageSchema, frame: Frame
    ) -> ImageModel:
        """The model of noisy sums of features, (classes, numbers of a class), with noise of stddev
        in each.
        """
        waves = self.waves(schema)
        (w0, w1, w2) = self.weights
        count = len(waves.spread)
        rows = np.maximum(1.0, sums[:, 0] / w0)
        total = rows.sum()
        share = (rows / rows.sum())[:, None]
        sums_of_x = sums[:, 1 : count + 1] / w1
        seconds = _square(sums[:, count + 1 :] / w2, count)

        means = sums_of_x / rows[:, None]
        noise = stddev / w1 / rows
        energy = count * noise**2
        centre = (share * means).sum(axis=0)
        means = np.array([_ball(_shrunk(m, centre, e)) for m, e in zip(means, energy, strict=True)])

        spreads = seconds / rows[:, None, None] - means[:, :, None] * means[:, None, :]
        energy = count * (count + 1) / 2 * (stddev / w2 / rows) ** 2
        pooled = (share[:, :, None] * spreads).sum(axis=0)
        seen = frame.unit**2 * waves.spread  # in the frame, variances go as spreads along the waves
        usual = np.diag(seen / seen.sum() * np.clip(np.trace(pooled), 0, 1))
        pooled = _shrunk(
            pooled, usual, len(rows) * count * (count + 1) / 2 * (stddev / w2 / total) ** 2
        )
        roots = np.array(
            [_root(_shrunk(s, pooled, e)) for s, e in zip(spreads, energy, strict=True)]
        )
        return ImageModel(
            schema.shape, rows, frame.centre + frame.unit * means, frame.unit[:, None] * roots
        )

    def _widest(self, count: int) -> Frame:
        return Frame(np.zeros(count), np.full(count, self.radius))


def _square(halves: np.ndarray, count: int) -> np.ndarray:
    """Symmetric matrices, (classes, count, count), of upper triangles in which pairs of two weigh
    sqrt(2).
    """
    one, other = np.triu_indices(count)
    found = np.zeros((len(halves), count, count))
    found[:, one, other] = found[:, other, one] = np.where(
        one == other, halves, halves / math.sqrt(2)
    )
    return found


def _shrunk(x: np.ndarray, target: np.ndarray, energy: float) -> np.ndarray:
    """x moved towards the target, all the way where they differ by no more than noise of this
    expected square norm.
    """
    apart = float(((x - target) ** 2).sum())
    kept = 0.0 if apart <= energy else 1 - energy / apart
    return np.asarray(target + kept * (x - target))


def _ball(x: np.ndarray) -> np.ndarray:
    """The nearest point with a norm of 1 at most, where the coordinates of all images lie."""
    return np.asarray(x / max(1.0, float(np.linalg.norm(x))))


def _root(covariance: np.ndarray) -> np.ndarray:
    """A root of the nearest covariance with the same trace, 0 to 1: eigenvalues are projected on a
    simplex.
    """
    values, vectors = np.linalg.eigh(covariance)
    trace = float(np.clip(values.sum(), 0, 1))
    return np.asarray(vectors * np.sqrt(on_simplex(values, trace)))
