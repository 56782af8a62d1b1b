"""Noise between the lines of an image, which the power of sharp edges can hide.

The level of noise is the median size of the finest diagonal details, over 0.6745 (Donoho and
Johnstone, Biometrika 81, 1994): edges are few, so they do not move a median.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dpsynth.base.text import short
from dpsynth.evaluation.pattern import CLEAR, in_errors

_NORMAL = 0.6745
"""The median size of a standard normal number."""
_LEAST = 2.0
"""Grey levels: less noise is not seen."""
_TWICE = 2.0


@dataclass(frozen=True)
class Grain:
    """The level of noise, in grey levels of 255, as the mean over the images.

    Parameters
    ----------
    real, synthetic : float
        Of each side.
    holdout : float or None
        Of the holdout; None without one.
    errors : float
        The difference of the first two in standard errors.

    Examples
    --------
    >>> Grain(real=1.0, synthetic=31.0, holdout=1.1, errors=90.0).grainy
    True
    """

    real: float
    synthetic: float
    holdout: float | None
    errors: float

    @property
    def grainy(self) -> bool:
        """Whether synthetic images clearly have more than twice the noise, and visibly more."""
        more = self.synthetic > _TWICE * self.real + _LEAST
        return more and self.errors >= CLEAR

    def sentence(self) -> str:
        """The result in words."""
        beside = "" if self.holdout is None else f"; in other real images {short(self.holdout, 3)}"
        meaning = ": they are grainy" if self.grainy else ""
        return (
            f"Noise in synthetic images is {short(self.synthetic, 3)} grey levels, in real ones"
            f" {short(self.real, 3)}{beside}{meaning}."
        )


def grain(
    real: np.ndarray, synthetic: np.ndarray, holdout: np.ndarray | None = None
) -> Grain | None:
    """Of grey images, uint8 of shape (n, height, width); None for images one pixel wide or high."""
    if min(real.shape[1:]) < 2:
        return None
    ours, theirs = _levels(real), _levels(synthetic)
    means = float(ours.mean()), float(theirs.mean())
    spreads = (float(each.std()) / len(each) ** 0.5 for each in (ours, theirs))
    errors = in_errors(means[1] - means[0], *spreads) if ours.std() + theirs.std() > 0 else 0.0
    return Grain(*means, None if holdout is None else float(_levels(holdout).mean()), errors)


def _levels(images: np.ndarray) -> np.ndarray:
    """The level of noise of each image: (n,)."""
    grey = images.astype(np.int32)
    diagonal = grey[:, 1:, 1:] - grey[:, 1:, :-1] - grey[:, :-1, 1:] + grey[:, :-1, :-1]
    return np.asarray(np.median(np.abs(diagonal).reshape(len(images), -1), axis=1) / 2 / _NORMAL)
