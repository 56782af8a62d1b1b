"""Contact sheets of labelled grey images, and the one check of such arrays."""

from __future__ import annotations

import base64

import numpy as np

from dpsynth.evidence.pages.png import png, sheet

_WIDTH = 720
"""Pixels across a contact sheet, about: it fits on a page."""


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
    check_labelled("images", images, labels)
    if type(per_class) is not int or per_class < 1:
        raise ValueError(f"per_class must be a whole number, 1 or more, got {per_class!r}")
    rows = [images[labels == label][:per_class] for label in np.unique(labels)]
    enlarged = max(1, _WIDTH // (per_class * images.shape[2]))
    return png(sheet(rows, enlarged))


def check_labelled(name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """ValueError, in one sentence, unless these are grey images with a whole number each."""
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


def in_base64(file: bytes) -> str:
    return base64.b64encode(file).decode()
