"""MNIST: images of 28 x 28 in ten classes, beside published figures of other private generators.

python benchmarks/mnist.py FILE [--mechanisms image-embedding dp-gan] [--epsilon 10 1] [--seeds 3]

FILE is a .npz with x_train, y_train, x_test and y_test, as Keras publishes it; its images are checked by SHA-256
against the original files. Fitted to all 60,000 training images with delta 1e-5, one image added or removed, by the
defaults of each mechanism; 60,000 synthetic images are drawn. Classifiers are trained on all of them, and tried on the
10,000 real test images; nothing is chosen by them. CPU seconds are those of the fit. `evaluate_images` compares the
first draw with the real images, the test images as its holdout. A run that the result file holds is skipped. Needs the
extra gan.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from _record import RESULTS, write

import dpsynth
from dpsynth.evaluation.images.linear import logistic
from dpsynth.evaluation.images.network import network

DELTA = 1e-5
STEPS = 1200
"""Of the network, on 128 images each: two and a half passes over the training images."""
ORIGINALS = {
    "train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
}
"""SHA-256 of the original image files, unpacked."""
KEPT = ("sentences", "findings", "doubts", "spectrum", "grain", "classifiers", "discriminators", "distance", "nearest")

Labelled = tuple[np.ndarray, np.ndarray]


def mnist(path: Path) -> tuple[Labelled, Labelled]:
    """Training and test images; SystemExit where they are not the original ones."""
    with np.load(path, allow_pickle=False) as file:
        parts = {part: (file[f"x_{part}"], file[f"y_{part}"].astype(int)) for part in ORIGINALS}
    for part, (images, _) in parts.items():
        head = b"\0\0\x08\x03" + b"".join(side.to_bytes(4, "big") for side in images.shape)
        if hashlib.sha256(head + images.tobytes()).hexdigest() != ORIGINALS[part]:
            raise SystemExit(f"{path} does not hold MNIST's original images in x_{part}: give another file")
    return parts["train"], parts["test"]


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / 255 - 0.5


def accuracies(train: Labelled, test: Labelled, seed: int) -> dict[str, float]:
    """Of a logistic regression and of a small convolutional network."""
    linear = logistic(flat(train[0]), train[1], 10)
    deep = network(train[0], train[1], 10, seed, steps=STEPS)
    asked = flat(test[0])
    said = {
        "logistic": linear.scores(asked).argmax(axis=1),
        "network": deep(test[0]).argmax(axis=1),
    }
    return {name: float(np.mean(each == test[1])) for name, each in said.items()}


def drawn(train: Labelled, mechanism: str, epsilon: float, seed: int) -> tuple[Labelled, dict[str, float]]:
    """Synthetic images, and CPU seconds of fitting and of drawing."""
    start = time.process_time()
    facts = {"classes": 10, "shape": (28, 28), "epsilon": epsilon, "delta": DELTA, "ledger": None}
    synth = dpsynth.ImageSynthesizer(**facts, mechanism=mechanism).fit(*train)
    fitted = time.process_time()
    found = synth.sample(len(train[1]), seed=seed)
    return found, {"fit s": fitted - start, "draw s": time.process_time() - fitted}


def row(train: Labelled, test: Labelled, mechanism: str, epsilon: float, seed: int) -> dict[str, Any]:
    found, seconds = drawn(train, mechanism, epsilon, seed)
    made = {"trained on": mechanism, "epsilon": epsilon, "seed": seed, **seconds}
    made["accuracy"] = accuracies(found, test, seed)
    if seed == 0:
        quality = dpsynth.evaluate_images(*found, *train, holdout_images=test[0], holdout_labels=test[1])
        made["quality"] = {name: quality.record[name] for name in KEPT}
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--mechanisms", nargs="+", default=["image-embedding", "dp-gan"])
    parser.add_argument("--epsilon", nargs="+", type=float, default=[10.0, 1.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "mnist.json")
    options = parser.parse_args()
    train, test = mnist(options.file)
    rows = json.loads(options.out.read_text())["results"]["rows"] if options.out.exists() else []
    asked = itertools.product(range(options.seeds), options.mechanisms, options.epsilon)
    for seed, mechanism, epsilon in [(0, "real images", None), *asked]:
        if any((r["trained on"], r["epsilon"], r["seed"]) == (mechanism, epsilon, seed) for r in rows):
            continue
        if epsilon is None:
            rows.append(
                {"trained on": mechanism, "epsilon": None, "seed": seed, "accuracy": accuracies(train, test, 0)}
            )
        else:
            rows.append(row(train, test, mechanism, epsilon, seed))
        print(mechanism, epsilon, seed, rows[-1]["accuracy"], flush=True)
        write(options.out, {"delta": DELTA, "images": len(train[1]), "tested on": len(test[1]), "rows": rows})


if __name__ == "__main__":
    main()
