"""Labelled grey images as closed rows: one row an image, its label and then its pixels."""

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
    """SchemaError in one sentence for arrays of another form; never because of a value, nor of how many there are."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        kind = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
        raise SchemaError(
            f"images must be a numpy array of grey levels 0 to 255 (uint8), got {kind}: convert them first"
        )
    if images.ndim != 3 or images.shape[1:] != schema.shape:
        raise SchemaError(
            f"images must have shape (n, {schema.shape[0]}, {schema.shape[1]}), got (n, *{images.shape[1:]}):"
            " reshape them, or state another shape"
        )
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iub":
        kind = labels.dtype if isinstance(labels, np.ndarray) else type(labels).__name__
        raise SchemaError(f"labels must be a numpy array of whole numbers, got {kind}: number the classes from 0")
    if labels.ndim != 1 or len(labels) != len(images):
        raise SchemaError("labels must be one for each image, in an array of one dimension: labels.ravel(), perhaps")
    if (ids is None) != (schema.unit.id_column is None):
        raise SchemaError(
            "ids say whose image each is: give them if, and only if, the unit has an id_column that they are called by"
        )
    if ids is not None and not _fits(ids, images):
        raise SchemaError("ids must be one for each image, in an array of one dimension: ids.ravel(), perhaps")


def private_images(images: np.ndarray, labels: np.ndarray, ids: Any, schema: ImageSchema) -> SensitiveRows:
    """What `check_images` let pass, bounded to the unit. The label of a row without a class is schema.classes."""
    bounded = bound_arrays((labels, images), ids, schema.unit)
    return encoded_rows(bounded, (Classes(schema.classes), GREYS))


class Classes:
    """The coding of labels: the classes from 0 on, and a last code for labels that are none of them."""

    moments = Cuts([], [0])

    def __init__(self, classes: int) -> None:
        self.size = classes + 1
        self.null = self.bad = classes
        self.numbers = Cuts(np.arange(classes + 1), [classes, *range(classes), classes])

    def code(self, value: object) -> int:
        return int(value) if isinstance(value, bool) else self.bad


def _fits(ids: Any, images: np.ndarray) -> bool:
    """Whether ids are one for each image; no id is looked at."""
    if isinstance(ids, str | bytes) or not hasattr(ids, "__len__"):
        return False
    return getattr(ids, "ndim", 1) == 1 and len(ids) == len(images)
