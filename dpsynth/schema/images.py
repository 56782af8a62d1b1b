"""ImageSchema: the public facts about a set of labelled grey images."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.columns import SchemaError

MAX_SIDE = 64
"""Pixels. What is measured are low-frequency waves, which show no detail of larger images."""

MAX_CLASSES = 255
"""With one more code, for labels that are no class, a label fits in one byte."""

GREYS = 256
"""Grey levels, those of uint8."""


@dataclass(frozen=True)
class ImageSchema:
    """Grey images of one shape in 256 levels, each with a label from 0 to `classes` - 1.

    Parameters
    ----------
    shape : tuple of int
        (height, width) of every image, in pixels, each from 1 to 64.
    classes : int
        How many classes there are, 1 to 255.
    unit : PrivacyUnit
        Whom the guarantee protects; each image is a record.

    Raises
    ------
    SchemaError
        For a shape or a number of classes out of range, and for another kind of unit.

    Examples
    --------
    >>> ImageSchema((28, 28), classes=10).pixels
    784
    """

    shape: tuple[int, int]
    classes: int
    unit: PrivacyUnit = field(default_factory=PrivacyUnit)

    def __post_init__(self) -> None:
        shape = tuple(self.shape) if isinstance(self.shape, tuple | list) else ()
        fits = all(type(side) is int and 1 <= side <= MAX_SIDE for side in shape)
        if len(shape) != 2 or not fits:
            raise SchemaError(
                f"shape must be (height, width) of the images, whole numbers from 1 to {MAX_SIDE},"
                f" got {self.shape!r}: scale the images to such a shape"
            )
        if type(self.classes) is not int or not 1 <= self.classes <= MAX_CLASSES:
            raise SchemaError(
                f"classes must be a whole number from 1 to {MAX_CLASSES}, got {self.classes!r}:"
                " say how many there are"
            )
        if not isinstance(self.unit, PrivacyUnit):
            raise SchemaError(
                f"unit must be a PrivacyUnit, got {type(self.unit).__name__}: write"
                " PrivacyUnit('patient')"
            )
        object.__setattr__(self, "shape", shape)

    @property
    def pixels(self) -> int:
        """How many pixels an image has."""
        return self.shape[0] * self.shape[1]

    def fingerprint(self) -> str:
        """SHA-256 (hex) of all fields as canonical JSON."""
        facts = {"dpsynth_images": 1, **asdict(self)}
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def in_words(self) -> list[dict[str, str]]:
        """The possible values, in the form in which a certificate lists a table's columns."""
        height, width = self.shape
        labels = (
            f"whole numbers from 0 to {self.classes - 1}; a record with another label adds nothing"
        )
        facts = [
            ("image", "grey image", f"{height} x {width} pixels in {GREYS} grey levels"),
            ("label", "class", labels),
        ]
        return [
            {"name": name, "type": kind, "domain": domain, "origin": "declared by the caller"}
            for name, kind, domain in facts
        ]
