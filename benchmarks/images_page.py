"""The section of docs/figures.md on images, from `results/mnist.json` and `results/image_faults.json`.

`readme.py` writes it.
"""

from __future__ import annotations

from statistics import fmean
from typing import Any

Rows = list[dict[str, Any]]

PUBLISHED = (
    ("DP-MERF", 80.3, 81.3, "no"),
    ("DP-NTK", 50.0, 91.3, "no"),
    ("DP-Kernel", 94.0, 93.6, "no"),
    ("GS-WGAN", 72.4, 75.3, "no"),
    ("DP-GAN", 92.4, 92.7, "no"),
    ("DPDM", 89.2, 97.7, "no"),
    ("DP-FETA", 95.6, 98.1, "no"),
    ("PDP-Diffusion", 94.5, 97.4, "yes"),
    ("PrivImage", 94.0, 97.8, "yes"),
    ("PE", 27.9, 32.7, "yes"),
)
"""Accuracy in percent at epsilon 1 and 10, and whether public images are used.

From DPImageBench (arXiv 2503.14681), README of its repository, January 2026.
"""


def section(mnist: dict[str, Any], faults: dict[str, Any]) -> list[str]:
    rows: Rows = mnist["results"]["rows"]
    return [
        explained(mnist),
        ours(rows),
        "**Published figures**: accuracy on the same test images, from DPImageBench (Gong et al., arXiv 2503.14681)."
        " They cannot be laid side by side without care. There a method sees 55,000 images, the classifiers are three"
        " large networks, chosen by 5,000 real images under noise, and most methods train for hours on GPUs"
        " (DPDM: 20 hours on four). Here one small network is trained on all 60,000 drawn images, and nothing is"
        " chosen. DPDM's own paper (arXiv 2210.09929) has 98.1 % at epsilon 10 and delta 1e-5, and 83.2 % as the best"
        " before it.",
        published(),
        verdict(rows),
        looks(rows),
        "**Planted faults**: "
        + "digits of scikit-learn, 600 real ones, 597 in the holdout, 600 as the release."
        + f" A comparison takes {max(row['CPU s'] for row in faults['results']['rows']):.1f} CPU s"
        + " (`benchmarks/image_faults.py`). Noise is not named in these images, whose lines are a pixel wide; a model"
        + " tells them apart.",
        planted(faults["results"]["rows"]),
    ]


def explained(mnist: dict[str, Any]) -> str:
    found = mnist["results"]
    machine = mnist["machine"]
    return (
        f"**MNIST** (`benchmarks/mnist.py`, commit {mnist['commit']}, {machine['processor']}, one of {machine['cores']}"
        f" cores, shared with others): the original {found['images']:,} training images of 28 x 28 in ten classes,"
        f" delta {found['delta']:g}, one image added or removed, defaults. As many synthetic images are drawn, and"
        f" accuracy is measured on the {found['tested on']:,} real test images: of a logistic regression and of a small"
        " convolutional network (two and a half passes)."
    )


def ours(rows: Rows) -> str:
    lines = ["| trained on | fits | logistic | network | CPU s of the fit |", "|---|---|---|---|---|"]
    for kind, epsilon in dict.fromkeys((r["trained on"], r["epsilon"]) for r in rows):
        mine = [r for r in rows if (r["trained on"], r["epsilon"]) == (kind, epsilon)]
        name = kind if epsilon is None else f"{kind}, epsilon {epsilon:g}"
        accuracy = " | ".join(f"{100 * fmean(r['accuracy'][m] for r in mine):.1f} %" for m in ("logistic", "network"))
        seconds = "" if epsilon is None else f"{fmean(r['fit s'] for r in mine):.0f}"
        lines.append(f"| {name} | {len(mine)} | {accuracy} | {seconds} |")
    return "\n".join(lines)


def published() -> str:
    lines = ["| method | epsilon 1 | epsilon 10 | public images |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {m} | {one} % | {ten} % | {public} |" for m, one, ten, public in PUBLISHED)])


def verdict(rows: Rows) -> str:
    """Where our best accuracy stands among the methods that use no public images; in words."""
    said = []
    for at, epsilon in ((1, 1.0), (2, 10.0)):
        fits = [(r["trained on"], r["accuracy"]["network"]) for r in rows if r["epsilon"] == epsilon]
        mine = {name: fmean(found for kind, found in fits if kind == name) for name, _ in fits}
        name, best = max(mine.items(), key=lambda each: each[1])
        theirs = {method[0]: method[at] for method in PUBLISHED if method[3] == "no"}
        better = [m for m, figure in theirs.items() if figure > 100 * best]
        top = max(theirs, key=lambda m: theirs[m])
        said.append(
            f"at epsilon {epsilon:g} `{name}` has {100 * best:.1f} %; of the {len(theirs)} methods without public"
            f" images, {len(better)} above it, the best ({top}) by {theirs[top] - 100 * best:.1f} points"
        )
    return f"**Where it stands**: {'; '.join(said)}."


def looks(rows: Rows) -> str:
    lines = [
        "| release | told apart (AUC; real images) | fine detail | middle detail | coarse shapes | Fréchet distance of"
        " fixed features (real images) |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "quality" not in row:
            continue
        found = row["quality"]
        told, far = found["discriminators"][0], found["distance"]
        power = {band["name"]: f"{100 * band['ratio']:.0f} %" for band in found["spectrum"]["bands"]}
        lines.append(
            f"| {row['trained on']}, epsilon {row['epsilon']:g} | {told['auc']:.4f} ({told['floor']:.3f}) |"
            f" {power['fine detail']} | {power['middle detail']} | {power['coarse shapes']} |"
            f" {far['synthetic']:.2f} ({far['floor']:.3f}) |"
        )
    said = (
        "`evaluate_images` of the first draw, the test images as holdout; power by frequency as a part of that of real"
        " images. Classifiers do well on images that anybody sees are blurred."
    )
    return said + "\n\n" + "\n".join(lines)


def planted(rows: Rows) -> str:
    lines = ["| planted | comparisons | told right | names that were given |", "|---|---|---|---|"]
    for row in rows:
        names = ", ".join(f"{name} {count}" for name, count in sorted(row["named"].items())) or "none"
        lines.append(f"| {row['planted']} | {row['runs']} | {row['right']} | {names} |")
    return "\n".join(lines)
