"""The power of images by spatial frequency: what a release lost of fine detail, or added.

Power is that of the cosine transform, which repeats no edge and so needs no window; it is averaged
over all directions (Field, JOSA A 4, 1987; Durall et al., arXiv 2003.01826). Frequencies are in
cycles a pixel: 0.5 is a change from each pixel to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn

from dpsynth.base.text import short
from dpsynth.evaluation.pattern import CLEAR, KEPT_FROM, in_errors

BANDS = (("coarse shapes", 0.0, 0.125), ("middle detail", 0.125, 0.25), ("fine detail", 0.25, 1.0))
_LEAST_RINGS = 2


@dataclass(frozen=True)
class Band:
    """The power of a range of frequencies.

    Parameters
    ----------
    name : {"coarse shapes", "middle detail", "fine detail"}
        Below 1/8, from 1/8 to 1/4, and from 1/4 cycles a pixel.
    share_real : float
        Its share of the power of real images.
    ratio : float
        The power of synthetic images as a part of that of real ones.
    floor : float or None
        The same of the holdout; None without one.
    errors : float
        How many standard errors the logarithm of the ratio is from 0.
    fate : {"kept", "lost", "invented"}
        Lost below a half, invented above twice the real power, by at least 4 standard errors.

    Examples
    --------
    >>> Band("fine detail", 0.04, 0.03, 0.99, errors=80.0, fate="lost").fate
    'lost'
    """

    name: str
    share_real: float
    ratio: float
    floor: float | None
    errors: float
    fate: str

    def sentence(self) -> str:
        """The band in words."""
        beside = "" if self.floor is None else f" (other real images: {_percent(self.floor)})"
        return (
            f"The power of {self.name} is {_percent(self.ratio)} of that of real images{beside}:"
            f" {self.meaning}."
        )

    @property
    def meaning(self) -> str:
        """What the fate says of the look of an image."""
        if self.fate == "kept":
            return "it is kept"
        if self.name == "coarse shapes":
            return (
                "images are paler than real ones"
                if self.fate == "lost"
                else "images are starker than real ones"
            )
        return "images are blurred" if self.fate == "lost" else "images are grainy"


@dataclass(frozen=True)
class Spectrum:
    """Power by frequency, averaged over directions and images.

    Parameters
    ----------
    frequencies : tuple of float
        The middle of each ring, in cycles a pixel.
    real, synthetic : tuple of float
        Mean power of a coefficient in each ring, in squared grey levels of 255.
    holdout : tuple of float or None
        The same of the holdout.
    bands : tuple of Band
        The rings in three ranges; only those in which real images have power.

    Examples
    --------
    >>> Spectrum((0.25,), (90.0,), (3.0,), None, ()).synthetic
    (3.0,)
    """

    frequencies: tuple[float, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    holdout: tuple[float, ...] | None
    bands: tuple[Band, ...]


def spectrum(
    real: np.ndarray, synthetic: np.ndarray, holdout: np.ndarray | None = None
) -> Spectrum:
    """Of grey images, uint8 of shape (n, height, width)."""
    sets = [each for each in (real, synthetic, holdout) if each is not None]
    height, width = real.shape[1:]
    frequency = np.hypot(
        *np.meshgrid(np.arange(height) / height / 2, np.arange(width) / width / 2, indexing="ij")
    )
    powers = [_power(each) for each in sets]
    rings = max(_LEAST_RINGS, min(height, width) // 2)
    place = np.minimum((frequency * 2 * rings).astype(int), rings - 1).reshape(-1)
    place[0] = rings  # the mean grey level is no detail
    there = [ring for ring in range(rings) if (place == ring).any()]
    means = [each.mean(axis=0) for each in powers]
    shown = [tuple(float(mean[place == ring].mean()) for ring in there) for mean in means]
    return Spectrum(
        frequencies=tuple(float((ring + 0.5) / rings / 2) for ring in there),
        real=shown[0],
        synthetic=shown[1],
        holdout=shown[2] if len(shown) > 2 else None,
        bands=_bands(frequency.reshape(-1), powers),
    )


def _percent(ratio: float) -> str:
    return f"{short(100 * ratio, 3)}\xa0%"


def _bands(frequency: np.ndarray, powers: list[np.ndarray]) -> tuple[Band, ...]:
    found = []
    whole = float(powers[0][:, 1:].sum())
    for name, low, high in BANDS:
        mine = (frequency >= low) & (frequency < high)
        mine[0] = False
        sums = [power[:, mine].sum(axis=1) for power in powers]
        if not mine.any() or not sums[0].mean() > 0:
            continue
        means = [float(each.mean()) for each in sums]
        ratio = means[1] / means[0]
        errors = _errors(sums[0], sums[1])
        fate = "kept"
        if errors >= CLEAR and not KEPT_FROM <= ratio <= 1 / KEPT_FROM:
            fate = "lost" if ratio < 1 else "invented"
        floor = means[2] / means[0] if len(means) > 2 else None
        share = float(sums[0].sum()) / whole
        found.append(Band(name, share, ratio, floor, errors, fate))
    return tuple(found)


def _errors(real: np.ndarray, synthetic: np.ndarray) -> float:
    """The difference of two mean powers in standard errors: of logarithms, as powers are skewed."""
    if synthetic.mean() == 0:
        return in_errors(float(real.mean()), _error(real))
    gap = float(np.log(synthetic.mean() / real.mean()))
    error = [_error(each) / float(each.mean()) for each in (real, synthetic)]
    return in_errors(gap, *error)


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("inf")


def _power(images: np.ndarray) -> np.ndarray:
    """The power of each coefficient of each image: (n, pixels)."""
    coefficients = dctn(images.astype(np.float64), axes=(1, 2), norm="ortho")
    return np.square(coefficients).reshape(len(images), -1)
