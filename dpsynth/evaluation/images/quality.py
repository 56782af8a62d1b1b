"""Synthetic images beside real ones: what a release of images kept, and what it lost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dpsynth.base.progress import stage, steps
from dpsynth.base.text import short
from dpsynth.evaluation.images.classes import ClassQuality, class_by_class
from dpsynth.evaluation.images.classifiers import ImageClassifier, classifier
from dpsynth.evaluation.images.features import IMAGES, FixedDistance, Seen, fixed_distance
from dpsynth.evaluation.images.findings import ImageFinding, doubts, findings
from dpsynth.evaluation.images.grain import Grain, grain
from dpsynth.evaluation.images.learners import FEATURES, LINEAR, NETWORK
from dpsynth.evaluation.images.nearest import Nearest, nearest
from dpsynth.evaluation.images.sheets import check_labelled, contact_sheet, in_base64
from dpsynth.evaluation.images.spectrum import Spectrum, spectrum
from dpsynth.evaluation.images.told_apart import LEAST, ImageDiscriminator, told_apart
from dpsynth.evaluation.quality import INTERNAL
from dpsynth.evidence.pages import render

VERSION = 1
Labelled = tuple[np.ndarray, np.ndarray]
"""Images, and the class of each."""
_SEED = 20240613


@dataclass(frozen=True, repr=False)
class ImageQuality:
    """The comparison of synthetic with real images.

    It is exact and not differentially private, and so internal. `evaluate_images` makes it. What
    needs a holdout is empty, or None, without one.

    Parameters
    ----------
    shape : (int, int)
        Height and width of an image, in pixels.
    images_real, images_synthetic : int
        The number of images on each side.
    images_holdout : int or None
        The number of images in the holdout; None without one.
    classes : tuple of ClassQuality
        Each class by itself, in the order of the labels.
    spectrum : Spectrum
        Power by spatial frequency.
    grain : Grain or None
        The level of noise; None for images one pixel wide or high.
    classifiers : tuple of ImageClassifier
        Learners trained on real images and on synthetic ones, and tried on the holdout.
    discriminators : tuple of ImageDiscriminator
        Whether models tell synthetic images from the holdout.
    distance : FixedDistance or None
        Frechet distances of fixed features.
    nearest : Nearest or None
        Whether synthetic images are copies of real ones.
    findings : tuple of ImageFinding
        The faults that were found.
    doubts : tuple of str
        What makes the comparison itself doubtful.
    sheet : str
        A PNG file of synthetic images, in base64.
    real_sheet : str
        The same of real images; empty unless it was asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import evaluate_images
    >>> dark, light = np.zeros((4, 2, 2), np.uint8), np.full((4, 2, 2), 10, np.uint8)
    >>> labels = np.zeros(4, int)
    >>> quality = evaluate_images(light, labels, dark, labels)
    >>> quality.classes[0].mean_error, quality.classes[0].mean_floor, quality.real_sheet
    (10.0, 0.0, '')
    """

    shape: tuple[int, int]
    images_real: int
    images_synthetic: int
    images_holdout: int | None
    classes: tuple[ClassQuality, ...]
    spectrum: Spectrum
    grain: Grain | None
    classifiers: tuple[ImageClassifier, ...]
    discriminators: tuple[ImageDiscriminator, ...]
    distance: FixedDistance | None
    nearest: Nearest | None
    findings: tuple[ImageFinding, ...]
    doubts: tuple[str, ...]
    sheet: str
    real_sheet: str

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data, with the version `dpsynth_image_quality: 1`."""
        said = {"internal": INTERNAL, "sentences": self.sentences()}
        return {"dpsynth_image_quality": VERSION, **said, **asdict(self)}

    def sentences(self) -> list[str]:
        """What was measured, in words; the faults stand in `findings`."""
        found = []
        for one in self.classifiers:
            found.append(
                f"A classifier ({one.name}) has balanced accuracy {one.real:.3f} on the holdout"
                f" where it is trained on real images, and {one.synthetic:.3f} where trained on as"
                " many synthetic ones."
            )
        found += [one.sentence() for one in self.discriminators]
        found += [band.sentence() for band in self.spectrum.bands]
        found += [self.grain.sentence()] if self.grain is not None else []
        if self.distance is not None:
            found.append(
                f"The Fréchet distance of fixed features is {short(self.distance.synthetic, 3)},"
                f" and that of other real images {short(self.distance.floor, 3)}; 1 is that of one"
                " and the same average image."
            )
        return found + ([self.nearest.sentence()] if self.nearest is not None else [])

    def to_json(self) -> str:
        return render.to_json(self.record)

    def to_html(self) -> str:
        """One self-contained page, with the contact sheet."""
        return render.page("images", self.record, images=True)

    def save(self, directory: str | Path) -> Path:
        """Writes images.json and images.html into a directory, which is made if it is not there.

        Parameters
        ----------
        directory : str or Path
            An older report in it is replaced.

        Returns
        -------
        Path
            The directory.
        """
        files = {"images.json": self.to_json(), "images.html": self.to_html()}
        return render.save(directory, files)

    def summary(self) -> str:
        """A few lines for a terminal."""
        lines = [
            f"{self.images_synthetic:,} synthetic images beside {self.images_real:,} real ones:"
            f" {INTERNAL}"
        ]
        lines += [f"  doubt: {said}" for said in self.doubts]
        lines += [f"  {one.name}: {one.sentence}" for one in self.findings]
        faults = {one.sentence for one in self.findings}
        lines += [f"  {said}" for said in self.sentences() if said not in faults]
        for c in self.classes:
            lines.append(
                f"  class {c.label}: error of the mean image {_grey(c.mean_error)} grey levels"
                f" (real images drawn anew: {_grey(c.mean_floor)}), of the spread of pixels"
                f" {_grey(c.spread_error)} ({_grey(c.spread_floor)})"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()


def _grey(error: float | None) -> str:
    return "-" if error is None else short(error, 3)


def evaluate_images(
    images: np.ndarray,
    labels: np.ndarray,
    real_images: np.ndarray,
    real_labels: np.ndarray,
    *,
    holdout_images: np.ndarray | None = None,
    holdout_labels: np.ndarray | None = None,
    network: bool = False,
    show_real: bool = False,
) -> ImageQuality:
    """Compares synthetic images and their labels with real ones.

    With a holdout, classifiers are trained on both and tried on it; models try to tell synthetic
    images from it; fixed features are compared; and copies are looked for.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width)
        The release, in grey levels from 0 to 255; n is 1 or more.
    labels : ndarray of int, shape (n,)
        The class of each synthetic image.
    real_images : ndarray of uint8, shape (m, height, width)
        The real images that the release was made from, of the same height and width; m is 1 or
        more.
    real_labels : ndarray of int, shape (m,)
        The class of each real image.
    holdout_images : ndarray of uint8, shape (k, height, width), or None
        Real images of other people, which had no part in the release; k is 4 or more.
    holdout_labels : ndarray of int, shape (k,), or None
        The class of each of these.
    network : bool
        Whether a small convolutional network is trained as well, with the extra `gan` (PyTorch). It
        needs a holdout, and some minutes.
    show_real : bool
        Whether the page shows real images as well.

    Returns
    -------
    ImageQuality
        Exact, hence internal: it is not differentially private.

    Raises
    ------
    ValueError
        Images or labels are of another type or shape, the sides differ in shape, or there are fewer
        than 4 images where a holdout is given.
    ImportError
        For a network, where PyTorch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> dark, light = np.zeros((4, 2, 2), np.uint8), np.full((4, 2, 2), 10, np.uint8)
    >>> labels = np.array([0, 0, 1, 1])
    >>> [each.mean_error for each in evaluate_images(light, labels, dark, labels).classes]
    [10.0, 10.0]
    """
    ours, real = (images, labels), (real_images, real_labels)
    held = _checked(ours, real, holdout_images, holdout_labels, network)
    others = None if held is None else held[0]
    stage("comparing classes and frequencies")
    classes = tuple(class_by_class(*ours, *real))
    rng = np.random.default_rng(_SEED)
    drawn = [_at_most(each, rng) for each in (real, ours, held) if each is not None]
    power = spectrum(*(each[0] for each in drawn))
    noise = grain(*(each[0] for each in drawn))
    found = _Beside() if held is None else _beside(*drawn, network=network)
    stage("looking for copies")
    near = None if others is None else nearest(real_images, images, others, rng)
    sizes = (len(real_images), len(images))
    return ImageQuality(
        shape=(int(images.shape[1]), int(images.shape[2])),
        images_real=len(real_images),
        images_synthetic=len(images),
        images_holdout=None if others is None else len(others),
        classes=classes,
        spectrum=power,
        grain=noise,
        classifiers=found.classifiers,
        discriminators=found.discriminators,
        distance=found.distance,
        nearest=near,
        findings=findings(
            classes, sizes, power, noise, found.classifiers, found.discriminators, near
        ),
        doubts=tuple(doubts(real_images, images, others)),
        sheet=in_base64(contact_sheet(images, labels)),
        real_sheet=in_base64(contact_sheet(real_images, real_labels)) if show_real else "",
    )


@dataclass(frozen=True)
class _Beside:
    """What needs a holdout."""

    classifiers: tuple[ImageClassifier, ...] = ()
    discriminators: tuple[ImageDiscriminator, ...] = ()
    distance: FixedDistance | None = None


def _beside(real: Labelled, ours: Labelled, held: Labelled, *, network: bool) -> _Beside:
    stage("finding fixed features")
    sides = [(Seen.of(images), labels) for images, labels in (real, ours, held)]
    seen = [each for each, _ in sides]
    more = (NETWORK,) if network else ()
    return _Beside(
        tuple(
            classifier(k, *sides) for k in steps("training classifiers", (LINEAR, FEATURES, *more))
        ),
        tuple(told_apart(k, *seen) for k in steps("telling images apart", (FEATURES, *more))),
        fixed_distance(*seen, rng=np.random.default_rng(_SEED)),
    )


def _at_most(side: Labelled, rng: np.random.Generator) -> Labelled:
    if len(side[1]) <= IMAGES:
        return side
    chosen = rng.permutation(len(side[1]))[:IMAGES]
    return side[0][chosen], side[1][chosen]


def _checked(
    ours: Labelled,
    real: Labelled,
    holdout_images: np.ndarray | None,
    holdout_labels: np.ndarray | None,
    network: bool,
) -> Labelled | None:
    """The holdout, if there is one; ValueError, before anything is compared."""
    check_labelled("images", *ours)
    check_labelled("real_images", *real)
    sides = [ours[0], real[0]]
    if (holdout_images is None) != (holdout_labels is None):
        raise ValueError("holdout_images and holdout_labels belong together: give both, or neither")
    held = None
    if holdout_images is not None and holdout_labels is not None:
        check_labelled("holdout_images", holdout_images, holdout_labels)
        held = (holdout_images, holdout_labels)
        sides.append(holdout_images)
    shapes = [each.shape[1:] for each in sides]
    if len(set(shapes)) > 1:
        raise ValueError(
            "synthetic and real images must have the same height and width, got"
            f" {' and '.join(map(str, shapes))}: scale one of them"
        )
    if held is not None and min(map(len, sides)) < LEAST:
        raise ValueError(
            f"a comparison with a holdout needs {LEAST} images on each side, got"
            f" {min(map(len, sides))}: give more, or leave the holdout out"
        )
    if network and held is None:
        raise ValueError(
            "network=True trains a network that is tried on a holdout, and there is none: give"
            " holdout_images and holdout_labels"
        )
    return held
