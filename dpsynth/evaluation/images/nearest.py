"""Whether synthetic images lie nearer to the images a release was made from than to others.

A copy lies much nearer to a real image than to anything else; an image that is none is as often
nearest to a real image as to one of a holdout. Distances are those of pixels. To find no copies is
no evidence of privacy (Yao et al., arXiv 2505.01524): the certificate is.

**By chance.** Were nothing copied, real images and those of the holdout could change places. So the
figures are judged by all ways to divide the same images into two sides: a smooth image that is the
nearest one of many counts as one piece of evidence, not as many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm

from dpsynth.evaluation.pattern import CLEAR, apart

SYNTHETIC, REAL = 2_000, 10_000
"""Most synthetic images that are looked at, and most real ones, and images of the holdout, that
each is compared with.
"""
_HALF = 0.5
"""A copy lies at most this share as far from one image as from any other."""
_AT_ONCE = 200


@dataclass(frozen=True)
class Nearest:
    """Synthetic images beside their nearest real image, and their nearest one of a holdout.

    Parameters
    ----------
    looked_at : int
        Synthetic images that were compared.
    beside : int
        Real images, and as many of the holdout, that they were compared with.
    nearer_real : float
        The share of those whose nearest image is a real one; 0.5 where nothing was copied.
    copied_real, copied_holdout : int
        Real images, and images of the holdout, of which there is a copy: a synthetic image that
        lies at most half as far from it as from any other of both sides. Of the holdout it is
        chance.
    equal_real : int
        Of all synthetic images those that equal a real one pixel for pixel.
    twins : int
        Of the holdout those that do so, which is chance.
    equal_errors : float
        The difference of these two shares in standard errors.
    errors : float
        The clearer of the two other differences (nearer, copied) in standard errors.

    Examples
    --------
    >>> Nearest(2000, 5000, 0.5, 1, 0, 0, 0, equal_errors=0.0, errors=0.7).copied
    False
    """

    looked_at: int
    beside: int
    nearer_real: float
    copied_real: int
    copied_holdout: int
    equal_real: int
    twins: int
    equal_errors: float
    errors: float

    @property
    def copied(self) -> bool:
        """Whether images were copied: clearly more than by chance, or one where chance has none."""
        equal = self.equal_real > 0 and (self.twins == 0 or self.equal_errors >= CLEAR)
        return equal or self.errors >= CLEAR

    def sentence(self) -> str:
        """The result in words."""
        equal = (
            f"Synthetic images that equal a real one pixel for pixel: {self.equal_real:,}; images"
            f" of the holdout: {self.twins:,}."
        )
        return (
            f"Of {self.looked_at:,} synthetic images {100 * self.nearer_real:.1f}\xa0% lie nearest"
            " to a real image, and not to one of the holdout, where 50\xa0% would by chance."
            f" Real images with a near copy: {self.copied_real:,}; of the holdout:"
            f" {self.copied_holdout:,}. {equal}"
        )


def nearest(
    real: np.ndarray, synthetic: np.ndarray, holdout: np.ndarray, rng: np.random.Generator
) -> Nearest:
    """Of grey images, uint8 of shape (n, height, width). rng: draws those that are compared."""
    beside = min(len(real), len(holdout), REAL)
    asked = _drawn(synthetic, min(len(synthetic), SYNTHETIC), rng)
    pool = np.concatenate([_drawn(each, beside, rng) for each in (real, holdout)])
    order = rng.permutation(2 * beside)  # where two are equally near, either is the nearest
    place, copies = _nearest_two(asked, pool[order])
    counts = np.bincount(order[place], minlength=2 * beside)
    copied = np.unique(order[place[copies]])
    copied_real = int((copied < beside).sum())
    known = {image.tobytes() for image in real}
    equal, twins = (
        sum(image.tobytes() in known for image in each) for each in (synthetic, holdout)
    )
    return Nearest(
        looked_at=len(asked),
        beside=beside,
        nearer_real=float(counts[:beside].sum() / len(asked)),
        copied_real=copied_real,
        copied_holdout=len(copied) - copied_real,
        equal_real=equal,
        twins=twins,
        equal_errors=_more(equal, len(synthetic), twins, len(holdout)),
        errors=max(_permuted(counts), _sign(copied_real, len(copied) - copied_real)),
    )


def _drawn(images: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """So many of the images, flat, as numbers whose products are exact."""
    chosen = images[rng.permutation(len(images))[:count]]
    return chosen.reshape(count, -1).astype(np.float64)


def _nearest_two(asked: np.ndarray, pool: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each image the place of its nearest one in the pool, and whether it is a copy of that."""
    squares = np.square(pool).sum(axis=1)
    places, copies = [], []
    for i in range(0, len(asked), _AT_ONCE):
        part = asked[i : i + _AT_ONCE]
        found = squares - 2 * (part @ pool.T) + np.square(part).sum(axis=1)[:, None]
        two = np.argpartition(found, 1, axis=1)[:, :2]
        near, next_one = np.take_along_axis(found, two, axis=1).T
        places.append(two[:, 0])
        copies.append((near <= _HALF**2 * next_one) & (near < next_one))
    return np.concatenate(places), np.concatenate(copies)


def _permuted(counts: np.ndarray) -> float:
    """In standard errors, how much more often images of the first half are nearest than by chance.

    counts: how often each image of both halves is the nearest one. Were the halves divided anew at
    random, the difference of their sums would have the variance n / (n - 1) times the sum of the
    squared deviations of all n counts.
    """
    n = len(counts)
    gap = float(counts[: n // 2].sum() - counts[n // 2 :].sum())
    return gap / math.sqrt(n / (n - 1) * n * counts.var()) if counts.var() > 0 else 0.0


def _more(ones: int, of_ones: int, others: int, of_others: int) -> float:
    """In standard errors, by how much the first share is the larger one; 0 where it is not."""
    share, other = ones / of_ones, others / of_others
    return apart(other, of_others, share, of_ones) if share > other else 0.0


def _sign(ones: int, others: int) -> float:
    """In standard errors, how much likelier the first is than chance, by the exact sign test."""
    if ones <= others:
        return 0.0
    chance = float(binomtest(ones, ones + others, 0.5, alternative="greater").pvalue)
    return float(norm.isf(max(chance, 1e-300)))
