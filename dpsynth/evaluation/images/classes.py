"""Each class of images by itself: its share, its mean image, and the spread of its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_BOOTSTRAP_SEED = 20240607
"""Any number: it makes the same images give the same figures."""


@dataclass(frozen=True)
class ClassQuality:
    """How far the synthetic images of one class are from the real ones.

    Errors are in grey levels, 0 to 255, and None where one side has no image of the class.

    Parameters
    ----------
    label : int
        The class.
    share_real, share_synthetic : float
        Its share of the images.
    mean_error, mean_floor : float or None
        The root mean square, over the pixels, of the difference between the mean images: of the
        release, and of real images drawn anew with replacement.
    spread_error, spread_floor : float or None
        The same for the standard deviations of the pixels.

    Examples
    --------
    >>> ClassQuality(3, 0.1, 0.1, mean_error=12.0, mean_floor=4.0, spread_error=9.0,
    ...              spread_floor=3.0).mean_error
    12.0
    """

    label: int
    share_real: float
    share_synthetic: float
    mean_error: float | None
    mean_floor: float | None
    spread_error: float | None
    spread_floor: float | None


def class_by_class(
    images: np.ndarray, labels: np.ndarray, real_images: np.ndarray, real_labels: np.ndarray
) -> Iterator[ClassQuality]:
    """Of the classes of either side, in order."""
    drawn = np.random.default_rng(_BOOTSTRAP_SEED).integers(len(real_images), size=len(real_images))
    for label in np.union1d(labels, real_labels):
        ours, theirs = labels == label, real_labels == label
        real = real_images[theirs]
        mean, spread = _errors(images[ours], real)
        mean_floor, spread_floor = _errors(real_images[drawn[theirs[drawn]]], real)
        shares = float(theirs.mean()), float(ours.mean())
        yield ClassQuality(int(label), *shares, mean, mean_floor, spread, spread_floor)


def _errors(one: np.ndarray, other: np.ndarray) -> tuple[float | None, float | None]:
    if not len(one) or not len(other):
        return None, None
    means = one.mean(axis=0) - other.mean(axis=0)
    spreads = one.std(axis=0) - other.std(axis=0)
    return _root_mean_square(means), _root_mean_square(spreads)


def _root_mean_square(differences: np.ndarray) -> float:
    return float(np.sqrt(np.square(differences).mean()))
