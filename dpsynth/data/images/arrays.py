"""Labelled grey images as closed rows: each row is an image, its label and then its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsynth.door.bounded import bound_arrays
from dpsynth.door.codes import Cuts
from dpsynth.door.table import encoded_rows
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.images import GREYS, ImageSchema


def check_images(images: Any, labels: Any, ids: Any, schema: ImageSchema) -> None:
    """SchemaError in one sentence for arrays of another form.

    It depends on dtypes and shapes only: never on a value, nor on how many images there are.
    """
    _check_pixels(images, schema)
    _check_labels(labels, images)
    _check_ids(ids, images, schema)


def _check_pixels(images: Any, schema: ImageSchema) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise SchemaError(
            "images must be a numpy array of grey levels 0 to 255 (uint8), got"
            f" {_kind(images)}: convert them first"
        )
    if images.ndim != 3 or images.shape[1:] != schema.shape:
        height, width = schema.shape
        given = ", ".join(map(str, ["n", *images.shape[1:]]))  # how many there are is private
        raise SchemaError(
            f"images must have shape (n, {height}, {width}), got ({given}): reshape them, or state"
            " another shape"
        )


def _check_labels(labels: Any, images: np.ndarray) -> None:
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iub":
        raise SchemaError(
            f"labels must be a numpy array of whole numbers, got {_kind(labels)}: number the"
            " classes from 0"
        )
    if labels.ndim != 1 or len(labels) != len(images):
        raise SchemaError(
            "labels must be one for each image, in an array of one dimension: match them to the"
            " images, or try labels.ravel()"
        )


def _check_ids(ids: Any, images: np.ndarray, schema: ImageSchema) -> None:
    if ids is None and schema.unit.id_column is not None:
        raise SchemaError(
            f"ids say whose image each is, and the unit {schema.unit.id_column!r} needs them, got"
            " none: give one id for each image"
        )
    if ids is not None and schema.unit.id_column is None:
        raise SchemaError(
            "ids say whose image each is, and the unit is an image by itself: leave the ids out, or"
            " state a unit with an id_column"
        )
    if ids is not None and not _fits(ids, images):
        raise SchemaError(
            "ids must be one for each image, in an array of one dimension: match them to the"
            " images, or try ids.ravel()"
        )


def _kind(given: Any) -> str:
    """The dtype of an array, the type of anything else."""
    return str(given.dtype) if isinstance(given, np.ndarray) else type(given).__name__


def private_images(
    images: np.ndarray, labels: np.ndarray, ids: Any, schema: ImageSchema
) -> SensitiveRows:
    """The images that `check_images` has checked, bounded to the unit.

    A label that is no class becomes schema.classes.
    """
    bounded = bound_arrays((labels, images), ids, schema.unit)
    return encoded_rows(bounded, (Classes(schema.classes), GREYS))


class Classes:
    """The coding of labels: the classes from 0 on, and a last code for all other labels."""

    datetimes = Cuts([], [0])

    def __init__(self, classes: int) -> None:
        self.size = classes + 1
        self.null = classes
        self.bad = classes
        self.numbers = Cuts(np.arange(classes + 1), [classes, *range(classes), classes])

    def code(self, value: object) -> int:
        return int(value) if isinstance(value, bool) else self.bad


def _fits(ids: Any, images: np.ndarray) -> bool:
    """Whether there is one id for each image; no id is read."""
    if isinstance(ids, str | bytes) or not hasattr(ids, "__len__"):
        return False
    return getattr(ids, "ndim", 1) == 1 and len(ids) == len(images)
