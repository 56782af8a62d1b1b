"""Small labelled images: bars and crosses become a model that draws new ones, by class.

python examples/images.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import dpsynth
from dpsynth.synthesizers.drawing import draw_images_to
from dpsynth.synthesizers.release import keep_fit

NAMES = ("upright bar", "level bar", "cross")
SIDE = 8


def pictures(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Made-up grey images with a bar or a cross somewhere near the middle, and which of them it is."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(NAMES), number)
    images = rng.integers(0, 40, (number, SIDE, SIDE))
    places = rng.integers(SIDE // 2 - 2, SIDE // 2 + 2, (number, 2))
    for image, label, (row, column) in zip(images, labels, places, strict=True):
        if label in (0, 2):
            image[:, column] += 180
        if label in (1, 2):
            image[row, :] += 180
    return images.clip(0, 255).astype(np.uint8), labels


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = pictures(1200, seed=1)
    # The images are made up, so no ledger has to remember what was spent on them.
    synthesizer = dpsynth.ImageSynthesizer(classes=len(NAMES), shape=(SIDE, SIDE), epsilon=3.0, delta=1e-6, ledger=None)
    synthesizer.fit(images, labels)
    release = folder / "release"
    keep_fit(synthesizer, release / "pictures.dpsynth", release)  # the model, and the certificate beside it
    draw_images_to(release / "drawn.npz", synthesizer, 300, seed=5)
    with np.load(release / "drawn.npz") as drawn:
        (folder / "sheet.png").write_bytes(dpsynth.contact_sheet(drawn["images"], drawn["labels"]))
        found = zip(NAMES, np.bincount(drawn["labels"], minlength=len(NAMES)).tolist(), strict=True)
    print(f"Drawn: {dict(found)}. Look at {folder / 'sheet.png'}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
