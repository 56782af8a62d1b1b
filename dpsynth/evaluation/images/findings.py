"""What is wrong with synthetic images, each fault by its name and in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.base.text import percent
from dpsynth.evaluation.doubts import FEW
from dpsynth.evaluation.images.classes import ClassQuality
from dpsynth.evaluation.images.classifiers import ImageClassifier
from dpsynth.evaluation.images.grain import Grain
from dpsynth.evaluation.images.nearest import Nearest
from dpsynth.evaluation.images.spectrum import Spectrum
from dpsynth.evaluation.images.told_apart import ImageDiscriminator
from dpsynth.evaluation.pattern import CLEAR, KEPT_FROM, apart

_LEAST_SHARED = 0.01
_NAMES = {
    ("coarse shapes", "lost"): "pale",
    ("coarse shapes", "invented"): "stark",
    ("middle detail", "lost"): "blur",
    ("middle detail", "invented"): "grain",
    ("fine detail", "lost"): "blur",
    ("fine detail", "invented"): "grain",
}


@dataclass(frozen=True)
class ImageFinding:
    """A fault of synthetic images.

    Parameters
    ----------
    name : str
        "class lost", "class too frequent", "class not learned", "pale", "stark", "blur", "grain",
        "copies", "told apart".
    sentence : str
        What was found, with the figures.

    Examples
    --------
    >>> ImageFinding("class lost", "Class 7 is lost.").name
    'class lost'
    """

    name: str
    sentence: str


def findings(
    classes: Sequence[ClassQuality],
    images: tuple[int, int],
    spectrum: Spectrum,
    noise: Grain | None,
    classifiers: Sequence[ImageClassifier],
    discriminators: Sequence[ImageDiscriminator],
    nearest: Nearest | None,
) -> tuple[ImageFinding, ...]:
    """images: how many there are, real and synthetic."""
    found = [*_shares(classes, images), *_not_learned(classifiers)]
    for band in spectrum.bands:
        if band.fate != "kept":
            found.append(ImageFinding(_NAMES[band.name, band.fate], band.sentence()))
    if noise is not None and noise.grainy:
        found.append(ImageFinding("grain", noise.sentence()))
    if nearest is not None and nearest.copied:
        found.append(ImageFinding("copies", nearest.sentence()))
    found += [ImageFinding("told apart", one.sentence()) for one in discriminators if one.tells]
    return tuple(found)


def _shares(classes: Sequence[ClassQuality], images: tuple[int, int]) -> Iterator[ImageFinding]:
    for each in classes:
        real, synthetic = each.share_real, each.share_synthetic
        if apart(real, images[0], synthetic, images[1]) < CLEAR:
            continue
        beside = f"{percent(synthetic)} of the synthetic images, {percent(real)} of the real ones"
        if synthetic < KEPT_FROM * real:
            yield ImageFinding("class lost", f"Class {each.label} is lost: {beside}.")
        elif real < KEPT_FROM * synthetic:
            yield ImageFinding(
                "class too frequent", f"Class {each.label} is too frequent: {beside}."
            )


def _not_learned(classifiers: Sequence[ImageClassifier]) -> Iterator[ImageFinding]:
    """Classes that the best classifier of real images knows, and that of the release does not."""
    if not classifiers:
        return
    best = max(classifiers, key=lambda one: one.real)
    for each in best.classes:
        clear = apart(each.real, each.holdout, each.synthetic, each.holdout) >= CLEAR
        if clear and each.synthetic < KEPT_FROM * each.real:
            yield ImageFinding(
                "class not learned",
                f"Class {each.label} is not learned from the release: a model of it recognises"
                f" {percent(each.synthetic)} of its real images, where one trained on real images"
                f" recognises {percent(each.real)}.",
            )


def doubts(real: np.ndarray, synthetic: np.ndarray, holdout: np.ndarray | None) -> Iterator[str]:
    """What makes the comparison itself doubtful: few synthetic images, a holdout that is none."""
    if len(synthetic) < FEW * len(real):
        yield (
            f"There are {len(synthetic):,} synthetic images beside {len(real):,} real ones, and"
            " models learn less from few: draw as many as the real ones, which costs nothing, and"
            " compare again."
        )
    if holdout is None:
        return
    keys = [image.tobytes() for image in real]
    known = set(keys)
    shared = float(np.mean([image.tobytes() in known for image in holdout]))
    chance = 1 - len(known) / len(keys)
    if shared > max(2 * chance, chance + _LEAST_SHARED):
        yield (
            f"{percent(shared)} of the holdout are also real images that the release was made from:"
            " it is no holdout, and what stands beside it looks better than it is. Set images aside"
            " before the fit, and compare again."
        )
