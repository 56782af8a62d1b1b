"""Images: a classifier is trained on synthetic images and tested on real ones.

python benchmarks/images.py [--seeds 3] [--out benchmarks/results/images.json]
python benchmarks/images.py --figures       # writes those of the result file into docs/images.md

Chest X-rays (PneumoniaMNIST, 28 x 28, two classes; its official training, validation and test sets) and digits of
scikit-learn (8 x 8, ten classes; every fourth digit is tested on). Epsilon 10 and 3, delta 1e-5, one image added or
removed; defaults of both mechanisms, shares of the classes as measured. Beside them, training on the real images, and
a plain baseline: the noisy mean image of each class, plus independent noise of a fifth of the grey scale on every
pixel. In the baseline's favour all of the budget goes to the means, and exact class sizes are used.
Classifiers: logistic regression and a support vector machine with radial basis functions, on pixels.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from _record import RESULTS, ROOT, write
from _tables import DATA, require_data
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

import dpsynth
from dpsynth.kernel.budget import affordable

DELTA = 1e-5
EPSILONS = (10.0, 3.0)
MECHANISMS = ("image-embedding", "dp-gan")
PIXEL_NOISE = 0.2
PAGE = ROOT / "docs" / "images.md"
BEGIN, END = "<!-- figures -->", "<!-- end -->"

Labelled = tuple[np.ndarray, np.ndarray]


def chest() -> dict[str, Labelled]:
    file = np.load(DATA / "pneumoniamnist" / "pneumoniamnist.npz")
    return {s: (file[f"{s}_images"], file[f"{s}_labels"].ravel().astype(int)) for s in ("train", "val", "test")}


def digits() -> dict[str, Labelled]:
    found = load_digits()
    images, tested = np.minimum(255, found.images * 16).astype(np.uint8), np.arange(len(found.target)) % 4 == 0
    return {"train": (images[~tested], found.target[~tested]), "test": (images[tested], found.target[tested])}


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / 255


def scores(train: Labelled, sets: dict[str, Labelled]) -> dict[str, dict[str, float]]:
    """Accuracy and balanced accuracy on each real set that was not trained on."""
    found = {}
    pixels = train[0][0].size
    models = {"logistic": LogisticRegression(C=8 / pixels, max_iter=500), "svm": SVC(C=3)}
    for name, model in models.items():
        model.fit(flat(train[0]), train[1])
        for part in sets.keys() - {"train"}:
            said, truth = model.predict(flat(sets[part][0])), sets[part][1]
            found[f"{name} {part}"] = {
                "accuracy": float(np.mean(said == truth)),
                "balanced accuracy": float(balanced_accuracy_score(truth, said)),
            }
    return found


def noisy_means(train: Labelled, epsilon: float, rng: np.random.Generator) -> Labelled:
    """The baseline. The sum of images of a class, less half the scale, moves by half the root of the pixels at most."""
    images, labels = train
    multiplier = dpsynth.Gaussian.spending(affordable(dpsynth.Budget(epsilon, DELTA))).noise_multiplier
    made = []
    for label in np.unique(labels):
        mine = flat(images[labels == label])
        stddev = multiplier * 0.5 * np.sqrt(mine.shape[1]) / len(mine)
        mean = mine.mean(axis=0) + rng.normal(0, stddev, mine.shape[1])
        made.append(np.clip(mean + rng.normal(0, PIXEL_NOISE, mine.shape), 0, 1))
    return np.rint(255 * np.concatenate(made)).astype(np.uint8).reshape(images.shape), np.sort(labels)


def ours(train: Labelled, epsilon: float, seed: int, mechanism: str) -> tuple[Labelled, float]:
    """Synthetic images, and CPU seconds of fitting and drawing."""
    start = time.process_time()
    classes, shape = int(train[1].max()) + 1, train[0].shape[1:]
    facts = {
        "classes": classes,
        "shape": shape,
        "epsilon": epsilon,
        "delta": DELTA,
        "mechanism": mechanism,
        "ledger": None,
    }
    drawn = dpsynth.ImageSynthesizer(**facts).fit(*train).sample(seed=seed)
    return drawn, time.process_time() - start


def rows(name: str, sets: dict[str, Labelled], seeds: int) -> Iterator[dict[str, Any]]:
    facts = {"data": name, "images": len(sets["train"][0])}
    yield {**facts, "trained on": "real images", "scores": scores(sets["train"], sets)}
    for epsilon in EPSILONS:
        for seed in range(seeds):
            stated = {**facts, "epsilon": epsilon, "seed": seed}
            for mechanism in MECHANISMS:
                drawn, seconds = ours(sets["train"], epsilon, seed, mechanism)
                yield {**stated, "trained on": mechanism, "seconds": seconds, "scores": scores(drawn, sets)}
            baseline = noisy_means(sets["train"], epsilon, np.random.default_rng(seed))
            yield {**stated, "trained on": "noisy means", "scores": scores(baseline, sets)}


def figures(record: dict[str, Any]) -> str:
    """The table of docs/images.md: means over seeds, accuracy and balanced accuracy in percent."""
    machine, found = record["machine"], record["results"]["rows"]
    columns = [("pneumoniamnist", "test"), ("pneumoniamnist", "val"), ("digits", "test")]
    shown = [(data, f"{model} {part}") for data, part in columns for model in ("logistic", "svm")]
    lines = [
        "| trained on | " + " | ".join(f"{data}, {score}" for data, score in shown) + " |",
        "|---|" + "---|" * len(shown),
    ]
    for kind, epsilon in (("real images", None), *itertools.product((*MECHANISMS, "noisy means"), EPSILONS)):
        cells = []
        for data, score in shown:
            mine = [
                r["scores"][score]
                for r in found
                if (r["data"], r["trained on"], r.get("epsilon")) == (data, kind, epsilon)
            ]
            cells.append(
                " / ".join(f"{100 * fmean(s[name] for s in mine):.1f}" for name in ("accuracy", "balanced accuracy"))
            )
        lines.append(f"| {kind}{f', epsilon {epsilon:g}' if epsilon else ''} | {' | '.join(cells)} |")
    seconds = {m: max(row["seconds"] for row in found if row["trained on"] == m) for m in MECHANISMS}
    return "\n".join(
        [
            f"`benchmarks/images.py`, commit {record['commit']}, {machine['processor']}, {machine['cores']} cores"
            " shared with others. Accuracy / balanced accuracy in percent on real images, means of"
            f" {record['results']['seeds']} fits, delta {record['results']['delta']:g}. Fitting and drawing took, at"
            f" most, {' and '.join(f'{s:.1f} CPU seconds ({m})' for m, s in seconds.items())}.",
            "",
            *lines,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default=RESULTS / "images.json")
    parser.add_argument("--figures", action="store_true", help="write the figures into docs/images.md; run nothing")
    options = parser.parse_args()
    if options.figures:
        before, after = PAGE.read_text().split(BEGIN)[0], PAGE.read_text().split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{figures(json.loads(Path(options.out).read_text()))}\n{END}{after}")
        return
    require_data()
    found = []
    for name, sets in (("pneumoniamnist", chest()), ("digits", digits())):
        for row in rows(name, sets, options.seeds):
            found.append(row)
            print(name, row["trained on"], row.get("epsilon", ""), row["scores"], flush=True)
    write(options.out, {"delta": DELTA, "seeds": options.seeds, "rows": found})


if __name__ == "__main__":
    main()
