"""Whether synthetic images lie nearer to the images a release was made from than to others.

A copy lies much nearer to a real image than to any image of a holdout; an image that is none is as
often nearer to the one as to the other. Distances are those of pixels. To find no copies is no
evidence of privacy (Yao et al., arXiv 2505.01524): the certificate is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm

from dpsynth.evaluation.pattern import CLEAR, apart

SYNTHETIC, REAL = 2_000, 10_000
"""Most synthetic images that are looked at, and most real ones, and images of the holdout, that
each is compared with.
"""
_NEARER = 0.5
"""A copy lies at most this share as far from a real image as from any of the holdout."""


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
        The share of those that lie nearer to a real image than to the holdout; 0.5 where nothing
        was copied. Equal distances count half.
    copies_real, copies_holdout : int
        Those that lie at most half as far from a real image as from any of the holdout; and the
        other way round, which is chance.
    equal_real : int
        Of all synthetic images those that equal a real one pixel for pixel.
    twins : int
        Of the holdout those that do so, which is chance.
    equal_errors : float
        The difference of these two shares in standard errors.
    errors : float
        The clearer of the two other differences (nearer, copies) in standard errors, by the sign
        test.

    Examples
    --------
    >>> Nearest(2000, 5000, 0.5, 1, 0, 0, 0, equal_errors=0.0, errors=0.7).copied
    False
    """

    looked_at: int
    beside: int
    nearer_real: float
    copies_real: int
    copies_holdout: int
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
            f"{self.equal_real:,} of all synthetic images equal a real one pixel for pixel, and"
            f" {self.twins:,} of the holdout do."
        )
        return (
            f"Of {self.looked_at:,} synthetic images {100 * self.nearer_real:.1f} % lie nearer to"
            f" a real image than to the holdout, where 50 % would by chance; {self.copies_real:,}"
            f" lie at most half as far ({self.copies_holdout:,} the other way round). {equal}"
        )


def nearest(
    real: np.ndarray, synthetic: np.ndarray, holdout: np.ndarray, rng: np.random.Generator
) -> Nearest:
    """Of grey images, uint8 of shape (n, height, width). rng: draws those that are compared."""
    beside = min(len(real), len(holdout), REAL)
    asked = _drawn(synthetic, min(len(synthetic), SYNTHETIC), rng)
    to_real, to_holdout = (_distances(asked, _drawn(each, beside, rng)) for each in (real, holdout))
    nearer, farther = int((to_real < to_holdout).sum()), int((to_real > to_holdout).sum())
    quarter = _NEARER**2  # of squared distances
    copies_real = int(((to_real <= quarter * to_holdout) & (to_real < to_holdout)).sum())
    copies_holdout = int(((to_holdout <= quarter * to_real) & (to_holdout < to_real)).sum())
    known = {image.tobytes() for image in real}
    equal, twins = (
        sum(image.tobytes() in known for image in each) for each in (synthetic, holdout)
    )
    shares = equal / len(synthetic), twins / len(holdout)
    return Nearest(
        looked_at=len(asked),
        beside=beside,
        nearer_real=(nearer + (len(asked) - nearer - farther) / 2) / len(asked),
        copies_real=copies_real,
        copies_holdout=copies_holdout,
        equal_real=equal,
        twins=twins,
        equal_errors=(
            apart(shares[1], len(holdout), shares[0], len(synthetic)) if equal > 0 else 0.0
        ),
        errors=max(_sign(nearer, farther), _sign(copies_real, copies_holdout)),
    )


def _drawn(images: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """So many of the images, flat, as numbers whose products are exact."""
    chosen = images[rng.permutation(len(images))[:count]]
    return chosen.reshape(count, -1).astype(np.float64)


def _distances(asked: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The squared distance of each image from the nearest of the others: (n,), exact."""
    squares = np.square(others).sum(axis=1)
    found = np.full(len(asked), np.inf)
    for i in range(0, len(others), 1000):
        part = others[i : i + 1000]
        cross = squares[i : i + 1000] - 2 * (asked @ part.T)
        np.minimum(found, cross.min(axis=1), out=found)
    return np.asarray(found + np.square(asked).sum(axis=1))


def _sign(ones: int, others: int) -> float:
    """In standard errors, how much likelier the first is than chance, by the exact sign test."""
    if ones <= others:
        return 0.0
    chance = float(binomtest(ones, ones + others, 0.5, alternative="greater").pvalue)
    return float(norm.isf(max(chance, 1e-300)))
