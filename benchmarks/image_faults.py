"""How often `evaluate_images` names a fault of images that is planted, and one where none is.

python benchmarks/image_faults.py [--clean 30] [--planted 10] [--out benchmarks/results/image_faults.json]

Digits of scikit-learn (1,797 images of 8 x 8), divided at random into 600 real ones, 597 of a holdout and 600 that
stand for a release: nothing is wrong with them but what is planted. Names that follow from others (a class that is
lost is not learned either) are counted too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _record import RESULTS, write
from sklearn.datasets import load_digits

import dpsynth

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.evaluation.made_up_images import blurred, noisy

SIDES = (600, 1197)
"""Where the digits are divided."""

Labelled = tuple[np.ndarray, np.ndarray]
Plant = Callable[[Labelled, Labelled, np.random.Generator], Labelled]


def digits() -> Labelled:
    found = load_digits()
    return np.minimum(255, found.images * 16).astype(np.uint8), found.target


def one_class_fewer(release: Labelled, real: Labelled, rng: np.random.Generator) -> Labelled:
    kept = release[1] != rng.integers(10)
    return release[0][kept], release[1][kept]


def noise(greys: float) -> Plant:
    return lambda release, real, rng: (noisy(release[0], int(rng.integers(1 << 30)), greys), release[1])


def copied(share: float) -> Plant:
    """That share of the release are real images, each pixel moved by up to 8 of 255 grey levels."""

    def plant(release: Labelled, real: Labelled, rng: np.random.Generator) -> Labelled:
        images, labels = release[0].copy(), release[1].copy()
        count = round(share * len(labels))
        chosen = rng.permutation(len(real[1]))[:count]
        moved = real[0][chosen] + rng.integers(-8, 9, (count, *images.shape[1:]))
        images[:count], labels[:count] = np.clip(moved, 0, 255), real[1][chosen]
        return images, labels

    return plant


PLANTED: dict[str, tuple[str, Plant]] = {
    "blur (means of 3 x 3 pixels)": ("blur", lambda release, real, rng: (blurred(release[0]), release[1])),
    "noise of 60 grey levels": ("grain", noise(60)),
    "noise of 90 grey levels": ("grain", noise(90)),
    "one class of ten lost": ("class lost", one_class_fewer),
    "10 % near copies of real images": ("copies", copied(0.1)),
    "5 % near copies of real images": ("copies", copied(0.05)),
    "2 % near copies of real images": ("copies", copied(0.02)),
}


def named(plant: Plant | None, seed: int) -> list[str]:
    """The faults that are named, in one division of the digits."""
    rng = np.random.default_rng(seed)
    images, labels = digits()
    parts = np.split(rng.permutation(len(labels)), SIDES)
    real, holdout, release = ((images[part], labels[part]) for part in parts)
    if plant is not None:
        release = plant(release, real, rng)
    held = {"holdout_images": holdout[0], "holdout_labels": holdout[1]}
    return sorted({one.name for one in dpsynth.evaluate_images(*release, *real, **held).findings})


def row(name: str, wanted: str, plant: Plant | None, runs: int) -> dict[str, Any]:
    start = time.process_time()
    found = [named(plant, seed) for seed in range(runs)]
    seconds = (time.process_time() - start) / runs
    counts = Counter(fault for faults in found for fault in faults)
    hits = sum(wanted in faults if wanted else not faults for faults in found)
    return {"planted": name, "wanted": wanted, "runs": runs, "right": hits, "named": dict(counts), "CPU s": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=int, default=30)
    parser.add_argument("--planted", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS / "image_faults.json")
    options = parser.parse_args()
    rows = [row("nothing", "", None, options.clean)]
    for name, (wanted, plant) in PLANTED.items():
        rows.append(row(name, wanted, plant, options.planted))
        print(rows[-1], flush=True)
    write(options.out, {"images": 1797, "rows": rows})


if __name__ == "__main__":
    main()
