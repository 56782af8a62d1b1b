"""ImageSchema: the public facts about a set of labelled grey images."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.columns import SchemaError

MOST_SIDE = 64
MOST_CLASSES = 255
GREYS = 256


@dataclass(frozen=True)
class ImageSchema:
    """Images of `shape` (height, width) in 256 grey levels, each with a label from 0 to `classes` - 1.

    unit: whom the guarantee protects; each image is a record. Raises SchemaError.
    """

    shape: tuple[int, int]
    classes: int
    unit: PrivacyUnit = field(default_factory=PrivacyUnit)

    def __post_init__(self) -> None:
        shape = tuple(self.shape) if isinstance(self.shape, tuple | list) else ()
        if len(shape) != 2 or not all(type(side) is int and 1 <= side <= MOST_SIDE for side in shape):
            raise SchemaError(
                f"shape must be (height, width) of the images, whole numbers from 1 to {MOST_SIDE}, got {self.shape!r}"
            )
        if type(self.classes) is not int or not 1 <= self.classes <= MOST_CLASSES:
            raise SchemaError(f"classes must be a whole number from 1 to {MOST_CLASSES}, got {self.classes!r}")
        if not isinstance(self.unit, PrivacyUnit):
            raise SchemaError(
                f"unit must be a PrivacyUnit, got {type(self.unit).__name__}: write PrivacyUnit('patient')"
            )
        object.__setattr__(self, "shape", shape)

    @property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]

    def fingerprint(self) -> str:
        """SHA-256 of canonical JSON of all fields."""
        text = json.dumps({"dpsynth_images": 1, **asdict(self)}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def in_words(self) -> list[dict[str, str]]:
        """What may occur, as a certificate says it of the columns of a table."""
        height, width = self.shape
        labels = f"whole numbers from 0 to {self.classes - 1}; a record with another label adds nothing"
        facts = [
            ("image", "grey image", f"{height} x {width} pixels in {GREYS} grey levels"),
            ("label", "class", labels),
        ]
        return [
            {"name": name, "type": kind, "domain": domain, "origin": "declared by the caller"}
            for name, kind, domain in facts
        ]
