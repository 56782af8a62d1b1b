"""Synthetic images beside real ones: a contact sheet, and how far means and spreads of pixels are
off in each class.
"""

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
_BOOTSTRAP_SEED = 20240607


@dataclass(frozen=True)
class ClassQuality:
    """One class. mean_error: root mean square over pixels of the difference of mean images, in grey
    levels; spread_error: the same of the pixels' standard deviations; floors: the same for real
    images drawn anew.

    None where one side has no image of the class.
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
    """The comparison of synthetic with real images: exact, hence not differentially private, hence
    internal.

    sheet: a PNG of synthetic images, in base64. real_sheet: the same of real ones, empty unless it
    was asked for.
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
        """Writes images.json and images.html into a directory, made if need be; returns the
        directory.
        """
        return render.save(directory, {"images.json": self.to_json(), "images.html": self.to_html()})

    def summary(self) -> str:
        """A few lines for a terminal."""
        lines = [f"{self.images_synthetic:,} synthetic images beside {self.images_real:,} real ones: {INTERNAL}"]
        for c in self.classes:
            errors = (c.mean_error, c.mean_floor, c.spread_error, c.spread_floor)
            mean, mean_floor, spread, spread_floor = ("-" if e is None else short(e, 3) for e in errors)
            lines.append(
                f"  class {c.label}: mean image off by {mean} grey levels (yardstick {mean_floor}),"
                f" spread of pixels by {spread} ({spread_floor})"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()


def contact_sheet(images: np.ndarray, labels: np.ndarray, *, per_class: int = 12) -> bytes:
    """A PNG file with the first `per_class` images of each class, a row for each class in the order
    of the labels.

    Raises ValueError for images that are not uint8 of shape (n, height, width), 1 or more, each
    with a label.
    """
    _check("images", images, labels)
    if type(per_class) is not int or per_class < 1:
        raise ValueError(f"per_class must be a whole number, 1 or more, got {per_class!r}")
    rows = [images[labels == label][:per_class] for label in np.unique(labels)]
    return png(sheet(rows, max(1, _WIDTH // (per_class * images.shape[2]))))


def evaluate_images(
    images: np.ndarray,
    labels: np.ndarray,
    real_images: np.ndarray,
    real_labels: np.ndarray,
    *,
    show_real: bool = False,
) -> ImageQuality:
    """Compares synthetic images (uint8, (n, height, width)) and their labels with real ones.

    show_real: puts real images on the page as well; by default no real image is shown.
    The result is exact and internal: it is not differentially private.
    """
    _check("images", images, labels)
    _check("real_images", real_images, real_labels)
    if images.shape[1:] != real_images.shape[1:]:
        raise ValueError("synthetic and real images must be of one shape")
    found = np.union1d(labels, real_labels)
    drawn = np.random.default_rng(_BOOTSTRAP_SEED).integers(len(real_images), size=len(real_images))
    return ImageQuality(
        shape=(int(images.shape[1]), int(images.shape[2])),
        images_real=len(real_images),
        images_synthetic=len(images),
        classes=tuple(
            _class(
                int(label),
                images[labels == label],
                real_images[real_labels == label],
                real_images[drawn][real_labels[drawn] == label],
                (float((real_labels == label).mean()), float((labels == label).mean())),
            )
            for label in found
        ),
        sheet=_in_base64(contact_sheet(images, labels)),
        real_sheet=_in_base64(contact_sheet(real_images, real_labels)) if show_real else "",
    )


def _class(
    label: int, synthetic: np.ndarray, real: np.ndarray, again: np.ndarray, shares: tuple[float, float]
) -> ClassQuality:
    mean, spread = _errors(synthetic, real)
    mean_floor, spread_floor = _errors(again, real)
    return ClassQuality(label, *shares, mean, mean_floor, spread, spread_floor)


def _errors(one: np.ndarray, other: np.ndarray) -> tuple[float | None, float | None]:
    if not len(one) or not len(other):
        return None, None
    mean, spread = ((f(one, axis=0) - f(other, axis=0)) ** 2 for f in (np.mean, np.std))
    return float(np.sqrt(mean.mean())), float(np.sqrt(spread.mean()))


def _check(name: str, images: np.ndarray, labels: np.ndarray) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 3 or not images.size:
        raise ValueError(
            f"{name} must be a numpy array of grey levels (uint8) of shape (n, height, width), n 1 or more"
        )
    if np.shape(labels) != images.shape[:1] or np.asarray(labels).dtype.kind not in "iub":
        raise ValueError(f"{name} need one whole number each as a label")


def _in_base64(file: bytes) -> str:
    return base64.b64encode(file).decode()
