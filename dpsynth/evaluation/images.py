"""Synthetic images beside real ones: a contact sheet, and errors of pixels in each class."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dpsynth.base.text import short
from dpsynth.evaluation.quality import INTERNAL
from dpsynth.evidence.pages import render
from dpsynth.evidence.pages.png import png, sheet

VERSION = 1

_WIDTH = 720
"""Pixels across a contact sheet, about: it fits on a page."""
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


@dataclass(frozen=True, repr=False)
class ImageQuality:
    """The comparison of synthetic with real images.

    It is exact and not differentially private, and so internal. `evaluate_images` makes it.

    Parameters
    ----------
    shape : (int, int)
        Height and width of an image, in pixels.
    images_real, images_synthetic : int
        The number of images on each side.
    classes : tuple of ClassQuality
        Each class by itself, in the order of the labels.
    sheet : str
        A PNG file of synthetic images, in base64.
    real_sheet : str
        The same of real images; empty unless it was asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import evaluate_images
    >>> dark, light = np.zeros((4, 2, 2), np.uint8), np.full((4, 2, 2), 10, np.uint8)
    >>> labels = np.zeros(4, int)
    >>> quality = evaluate_images(light, labels, dark, labels)
    >>> quality.classes[0].mean_error, quality.classes[0].mean_floor, quality.real_sheet
    (10.0, 0.0, '')
    """

    shape: tuple[int, int]
    images_real: int
    images_synthetic: int
    classes: tuple[ClassQuality, ...]
    sheet: str
    real_sheet: str

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data, with the version `dpsynth_image_quality: 1`."""
        return {"dpsynth_image_quality": VERSION, "internal": INTERNAL, **asdict(self)}

    def to_json(self) -> str:
        return render.to_json(self.record)

    def to_html(self) -> str:
        """One self-contained page, with the contact sheet."""
        return render.page("images", self.record, images=True)

    def save(self, directory: str | Path) -> Path:
        """Writes images.json and images.html into a directory, which is made if it is not there.

        Parameters
        ----------
        directory : str or Path
            An older report in it is replaced.

        Returns
        -------
        Path
            The directory.
        """
        files = {"images.json": self.to_json(), "images.html": self.to_html()}
        return render.save(directory, files)

    def summary(self) -> str:
        """A few lines for a terminal."""
        lines = [
            f"{self.images_synthetic:,} synthetic images beside {self.images_real:,} real ones:"
            f" {INTERNAL}"
        ]
        for c in self.classes:
            lines.append(
                f"  class {c.label}: error of the mean image {_grey(c.mean_error)} grey levels"
                f" (real images drawn anew: {_grey(c.mean_floor)}), of the spread of pixels"
                f" {_grey(c.spread_error)} ({_grey(c.spread_floor)})"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()


def _grey(error: float | None) -> str:
    return "-" if error is None else short(error, 3)


def contact_sheet(images: np.ndarray, labels: np.ndarray, *, per_class: int = 12) -> bytes:
    """A PNG file with the first images of each class, one row for each, in the order of the labels.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width)
        Grey levels, 0 to 255; n is 1 or more.
    labels : ndarray of int, shape (n,)
        The class of each image.
    per_class : int
        How many images of each class are shown at most, 1 or more.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ValueError
        Images or labels are of another type or shape, or `per_class` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> file = contact_sheet(np.zeros((4, 8, 8), np.uint8), np.array([0, 0, 1, 1]))
    >>> file[1:4]
    b'PNG'
    """
    _check("images", images, labels)
    if type(per_class) is not int or per_class < 1:
        raise ValueError(f"per_class must be a whole number, 1 or more, got {per_class!r}")
    rows = [images[labels == label][:per_class] for label in np.unique(labels)]
    enlarged = max(1, _WIDTH // (per_class * images.shape[2]))
    return png(sheet(rows, enlarged))


def evaluate_images(
    images: np.ndarray,
    labels: np.ndarray,
    real_images: np.ndarray,
    real_labels: np.ndarray,
    *,
    show_real: bool = False,
) -> ImageQuality:
    """Compares synthetic images and their labels with real ones.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width)
        The release, in grey levels from 0 to 255; n is 1 or more.
    labels : ndarray of int, shape (n,)
        The class of each synthetic image.
    real_images : ndarray of uint8, shape (m, height, width)
        Real images of the same height and width; m is 1 or more.
    real_labels : ndarray of int, shape (m,)
        The class of each real image.
    show_real : bool
        Whether the page shows real images as well.

    Returns
    -------
    ImageQuality
        Exact, hence internal: it is not differentially private.

    Raises
    ------
    ValueError
        Images or labels are of another type or shape, or the two sides differ in shape.

    Examples
    --------
    >>> import numpy as np
    >>> dark, light = np.zeros((4, 2, 2), np.uint8), np.full((4, 2, 2), 10, np.uint8)
    >>> labels = np.array([0, 0, 1, 1])
    >>> [each.mean_error for each in evaluate_images(light, labels, dark, labels).classes]
    [10.0, 10.0]
    """
    _check("images", images, labels)
    _check("real_images", real_images, real_labels)
    if images.shape[1:] != real_images.shape[1:]:
        raise ValueError(
            "synthetic and real images must have the same height and width, got"
            f" {images.shape[1:]} and {real_images.shape[1:]}: scale one of them"
        )
    found = np.union1d(labels, real_labels)
    drawn = np.random.default_rng(_BOOTSTRAP_SEED).integers(len(real_images), size=len(real_images))
    classes = []
    for label in found:
        ours = labels == label
        theirs = real_labels == label
        shares = (float(theirs.mean()), float(ours.mean()))
        again = real_images[drawn[theirs[drawn]]]
        classes.append(_class(int(label), images[ours], real_images[theirs], again, shares))
    return ImageQuality(
        shape=(int(images.shape[1]), int(images.shape[2])),
        images_real=len(real_images),
        images_synthetic=len(images),
        classes=tuple(classes),
        sheet=_in_base64(contact_sheet(images, labels)),
        real_sheet=_in_base64(contact_sheet(real_images, real_labels)) if show_real else "",
    )


def _class(
    label: int,
    synthetic: np.ndarray,
    real: np.ndarray,
    again: np.ndarray,
    shares: tuple[float, float],
) -> ClassQuality:
    mean, spread = _errors(synthetic, real)
    mean_floor, spread_floor = _errors(again, real)
    return ClassQuality(label, *shares, mean, mean_floor, spread, spread_floor)


def _errors(one: np.ndarray, other: np.ndarray) -> tuple[float | None, float | None]:
    if not len(one) or not len(other):
        return None, None
    means = one.mean(axis=0) - other.mean(axis=0)
    spreads = one.std(axis=0) - other.std(axis=0)
    return _root_mean_square(means), _root_mean_square(spreads)


def _root_mean_square(differences: np.ndarray) -> float:
    return float(np.sqrt(np.square(differences).mean()))


def _check(name: str, images: np.ndarray, labels: np.ndarray) -> None:
    array = isinstance(images, np.ndarray)
    if not array or images.dtype != np.uint8 or images.ndim != 3 or not images.size:
        given = f"{images.dtype} of shape {images.shape}" if array else type(images).__name__
        raise ValueError(
            f"{name} must be a numpy array of grey levels (uint8) of shape (n, height, width) with"
            f" 1 image or more, got {given}"
        )
    if np.shape(labels) != images.shape[:1] or np.asarray(labels).dtype.kind not in "iub":
        raise ValueError(
            f"{name} need one whole number each as a label: give an array of {len(images)} integers"
        )


def _in_base64(file: bytes) -> str:
    return base64.b64encode(file).decode()
