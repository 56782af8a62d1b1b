"""ImageSynthesizer: labelled grey images under differential privacy, on the same ledgers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dpsynth.base.job import Job
from dpsynth.base.progress import stage
from dpsynth.data.images.arrays import check_images, private_images
from dpsynth.evidence.certificate import Certificate
from dpsynth.kernel.budget import Budget, affordable
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.allocation import Preview, settled_cost
from dpsynth.mechanisms.image.embedding import ImageEmbedding
from dpsynth.mechanisms.registry import AUTO, IMAGES
from dpsynth.models.images import ImageModel
from dpsynth.schema.images import ImageSchema
from dpsynth.synthesizers.account import accountant_for
from dpsynth.synthesizers.base import BaseSynthesizer, NamedLedger, NoLedger
from dpsynth.synthesizers.model_file import IMAGE_FILE, VERSION, digest_of
from dpsynth.synthesizers.preflight import check_budget
from dpsynth.synthesizers.recorded import recorded_arguments

MAX_IMAGES = 1_000_000  # in one sample: of 64 x 64 pixels they take 4 GB


class ImageSynthesizer(BaseSynthesizer["FittedImages"]):
    """Synthetic labelled grey images: fit once, then sample freely.

    Parameters
    ----------
    classes : int
        The number of classes; labels are 0 to classes - 1.
    shape : tuple of int
        (height, width) of the images in pixels, 64 x 64 at most.
    epsilon, delta : float
        The privacy budget, all of which one fit spends.
    mechanism : str
        "image-embedding" ("auto"), or "dp-gan" (extra gan), which refines it by a critic that is
        trained by DP-SGD.
    ledger : Ledger, str, Path or None
        The ledger that records the spending, or its path, as for Synthesizer.
    unit : PrivacyUnit or None
        Whom to protect; None for one image, added or removed. With an id_column, `fit` takes ids.
    purpose : str
        What the fit is for; recorded in the ledger.
    approvals : mapping of str to str or None
        Who approved it, with a reference; recorded in the ledger.
    unsafe_seed : int or None
        A seed that makes the noise predictable, for tests only: the certificate says NOT PRIVATE.
    **settings : object
        Settings of ImageEmbedding or ImageGAN.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import ImageSynthesizer
    >>> rng = np.random.default_rng(0)
    >>> scans = rng.integers(0, 256, size=(400, 8, 8), dtype=np.uint8)
    >>> findings = rng.integers(0, 2, size=400)
    >>> synth = ImageSynthesizer(classes=2, shape=(8, 8), epsilon=5.0, delta=1e-6, ledger=None)
    >>> images, labels = synth.fit(scans, findings).sample(3, labels=1)
    >>> images.shape, images.dtype.name, labels.tolist()
    ((3, 8, 8), 'uint8', [1, 1, 1])
    """

    KIND = IMAGE_FILE
    FIT = "fit(images, labels)"

    def __init__(
        self,
        *,
        classes: int,
        shape: tuple[int, int],
        epsilon: float,
        delta: float,
        mechanism: str = "image-embedding",
        ledger: NamedLedger | NoLedger = NoLedger.UNSTATED,
        unit: PrivacyUnit | None = None,
        purpose: str = "",
        approvals: Mapping[str, str] | None = None,
        unsafe_seed: int | None = None,
        **settings: Any,
    ) -> None:
        if ledger is not NoLedger.LOADED:
            _refuse_unknown(mechanism)
        self.classes = classes
        self.shape = shape
        self.epsilon = epsilon
        self.delta = delta
        self.mechanism = mechanism
        self.ledger = ledger
        self.unit = unit
        self.purpose = purpose
        self.approvals = approvals
        self.unsafe_seed = unsafe_seed
        self.settings = settings

    def fit(self, images: np.ndarray, labels: np.ndarray, ids: Any = None) -> ImageSynthesizer:
        """Learns from the images, and spends the whole budget.

        An image whose label is not one of the classes adds nothing. From the first image on, a fit
        that ends early leaves its whole reservation spent.

        Parameters
        ----------
        images : ndarray
            Grey levels, uint8, shape (n, height, width).
        labels : ndarray
            The class of each image, whole numbers, shape (n,).
        ids : array or None
            Whose each image is, shape (n,); needed where the unit has an id_column.

        Returns
        -------
        ImageSynthesizer
            This object, fitted.

        Raises
        ------
        SchemaError, ValueError, PolicyRefusedError, BudgetExceededError
            Before any image is read; never because of a value.
        RowsError
            When the images cannot be read. It says nothing about them. The reservation is spent.
        """
        self._ask_who_pays()
        budget, mechanism, schema = self._checked()
        check_images(images, labels, ids, schema)
        self._warn_of_a_new_place()
        with self._accountant(budget, mechanism, schema) as accountant:
            stage("reading the images")
            accountant.begin()  # a fit that fails from here on stays paid for
            rows = private_images(images, labels, ids, schema)
            stage(f"measuring and modelling with {IMAGES.resolved(self.mechanism)}")
            model = mechanism.fit(rows, schema, accountant)
            accountant.close(digest_of(*_content(schema, model)))
        certificate = Certificate.issue(
            schema=schema,
            ledger=accountant.ledger,
            run=accountant.run,
            mechanism=IMAGES.resolved(self.mechanism),
            settings=asdict(mechanism),
            bounds={},
            released={"rows": round(model.total), **mechanism.outcome(model)},
        )
        self.fitted_ = FittedImages(model, certificate)
        return self

    def plan(self, rows: int) -> ImagePlan:
        """What `fit` would spend, and how noisy its answers would be. It charges nothing.

        Parameters
        ----------
        rows : int
            About how many images there are, 1 or more: a guess, never counted from private ones.

        Returns
        -------
        ImagePlan
            The noise on class sizes and on mean images, and about how long a training would take.

        Raises
        ------
        SchemaError, ValueError, BudgetExceededError
            As `fit` would before it reads anything.
        """
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise ValueError(
                f"rows must be a whole number, 1 or more: a guess at how many images, got {rows!r}"
            )
        budget, mechanism, schema = self._checked()
        training = mechanism.planned(budget, rows, schema)
        count_stddev, mean_stddev = _noise(budget, mechanism, schema, rows)
        return ImagePlan(
            mechanism=IMAGES.resolved(self.mechanism),
            training=training,
            budget=budget,
            unit=schema.unit,
            rows=rows,
            numbers=mechanism.dimensions(schema),
            count_stddev=count_stddev,
            mean_stddev=mean_stddev,
        )

    def sample(
        self,
        n: int | None = None,
        *,
        labels: int | np.ndarray | None = None,
        seed: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws synthetic images. Sampling is post-processing: it spends nothing, however often.

        Parameters
        ----------
        n : int or None
            How many images; None for the noisy count, or one for each label.
        labels : int, ndarray or None
            One class for all images, or one for each, shape (n,); None draws them from the noisy
            shares of the classes.
        seed : int or None
            For a sample that can be drawn again; it has no part in the privacy noise.

        Returns
        -------
        images : ndarray
            Grey levels, uint8, shape (n, height, width).
        labels : ndarray
            Their classes, int64, shape (n,).

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            When n or a label is out of range.
        """
        model = self._fitted().model
        rng = np.random.default_rng(seed)
        number = _image_count(n, labels, model)
        if labels is None:
            chosen = rng.choice(len(model.rows), size=number, p=model.rows / model.total)
        else:
            chosen = _asked(labels, number, len(model.rows))
        return model.sample(chosen, rng), chosen

    def _stored(self, fitted: FittedImages) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
        return _content(self._checked()[2], fitted.model)

    @classmethod
    def _built(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> ImageSynthesizer:
        facts = document["schema"]
        record = document["certificate"]
        unit = PrivacyUnit(**facts["unit"])
        schema = ImageSchema(tuple(facts["shape"]), facts["classes"], unit)
        model = ImageModel.from_arrays({"shape": facts["shape"], **arrays})
        if len(model.rows) != schema.classes:
            raise ValueError("the arrays do not fit the schema")
        made = cls(
            classes=schema.classes,
            shape=schema.shape,
            ledger=NoLedger.LOADED,
            unit=unit,
            **recorded_arguments(record),
        )
        made.fitted_ = FittedImages(model, Certificate(record))
        return made

    def _what(self) -> str:
        return repr(self.shape)

    def _checked(self) -> tuple[Budget, ImageEmbedding, ImageSchema]:
        """Budget, mechanism and schema, after every check that needs public facts only."""
        budget = self._budget()
        check_budget(budget)
        kind, _ = IMAGES.load(self.mechanism)
        known = sorted(kind.__dataclass_fields__)
        if unknown := sorted(set(self.settings) - set(known)):
            raise ValueError(
                f"there is no setting {unknown[0]!r} of {self.mechanism}: use one of"
                f" {', '.join(known)}"
            )
        mechanism = kind(**self.settings)
        unit = PrivacyUnit() if self.unit is None else self.unit
        schema = ImageSchema(self.shape, self.classes, unit)
        mechanism.dimensions(schema)  # refuses settings that do not fit the shape
        return budget, mechanism, schema

    def _accountant(
        self, budget: Budget, mechanism: ImageEmbedding, schema: ImageSchema
    ) -> Accountant:
        name = IMAGES.resolved(self.mechanism)
        return accountant_for(
            self.named_ledger,
            schema.unit,
            budget,
            Job(name, self.purpose, self.approvals or {}, schema.fingerprint()),
            reserve=mechanism.reserve(budget),
            unsafe_seed=self.unsafe_seed,
        )


@dataclass(frozen=True, eq=False)
class FittedImages:
    """What a fit leaves behind. All of it was paid for, and is public."""

    model: ImageModel
    certificate: Certificate


@dataclass(frozen=True)
class ImagePlan:
    """What a fit of images would do.

    Parameters
    ----------
    mechanism : str
        Its name.
    budget : Budget
        What the fit spends.
    unit : PrivacyUnit
        Whom it protects.
    rows : int
        How many images are assumed.
    numbers : int
        How many numbers the embedding of an image has.
    count_stddev : float
        Standard deviation of the noise on the size of a class, in images.
    mean_stddev : float
        Standard deviation of the noise on a pixel of a class's mean image, in grey levels of 255,
        for classes of equal size. It is an upper bound (Cauchy-Schwarz): the noise is less where
        the first look finds images closer together than the radius allows.
    training : Preview or None
        The steps of a training and how long they take, where there is one.

    Examples
    --------
    >>> from dpsynth import ImageSynthesizer
    >>> synth = ImageSynthesizer(classes=2, shape=(8, 8), epsilon=5.0, delta=1e-6, ledger=None)
    >>> plan = synth.plan(rows=1000)
    >>> plan.mechanism, plan.rows, plan.training
    ('image-embedding', 1000, None)
    """

    mechanism: str
    budget: Budget
    unit: PrivacyUnit
    rows: int
    numbers: int
    count_stddev: float
    mean_stddev: float
    training: Preview | None = None

    def record(self) -> dict[str, Any]:
        """The plan as JSON can hold it."""
        return asdict(self)

    def summary(self) -> str:
        """A few lines for a terminal."""
        spends = f"epsilon {self.budget.epsilon:g} at delta {self.budget.delta:g}, all of it"
        grey = f"at most {self.mean_stddev:.2g} of 255 grey levels"
        assumed = f"{self.rows:,} images assumed"
        lines = [
            f"{self.mechanism} for {self.unit.describe()}: {spends}",
            f"{self.numbers:,} numbers are released after a first look; {assumed}",
            f"  noise on the size of a class: {self.count_stddev:.3g} images",
            f"  noise on a pixel of a class's mean image: {grey}",
        ]
        if self.training is not None:
            minutes = self.training.seconds / 60
            lines.append(f"  {self.training.describe()}")
            lines.append(f"  at most about {minutes:.2g} CPU minutes")
        return "\n".join(lines)


def _noise(
    budget: Budget, mechanism: ImageEmbedding, schema: ImageSchema, rows: int
) -> tuple[float, float]:
    """Standard deviations: on a class's size in images, on a pixel of its mean in grey levels."""
    # replacing a unit takes its images away and adds others: it moves an answer twice as far
    moves = schema.unit.max_records * (2 if schema.unit.adjacency == "replace" else 1)
    cost = affordable(budget) - settled_cost(mechanism.settled(budget))
    stddev = Gaussian.spending(cost - mechanism.look_cost(cost)).noise_multiplier * moves
    count_weight, mean_weight, _ = mechanism.weights
    waves = mechanism.waves(schema)
    on_mean = stddev / mean_weight * schema.classes / rows * mechanism.radius * waves.scale
    on_pixel = float(np.sqrt((on_mean**2).sum() / schema.pixels))
    return stddev / count_weight, 255 * on_pixel


def _image_count(n: Any, labels: Any, model: ImageModel) -> int:
    """How many images to draw: n, or as many as there are labels, or the noisy count."""
    if n is None and (labels is None or np.ndim(labels) == 0):
        n = round(model.total)
    elif n is None:
        n = np.shape(labels)[0]
    whole = isinstance(n, int | np.integer) and not isinstance(n, bool)
    if not whole or not 0 <= n <= MAX_IMAGES:
        raise ValueError(
            f"n must be a whole number from 0 to {MAX_IMAGES:,}, got {n!r}: draw more in several"
            " samples"
        )
    return int(n)


def _content(
    schema: ImageSchema, model: ImageModel
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return {IMAGE_FILE: VERSION, "schema": asdict(schema)}, model.to_arrays()


def _asked(labels: Any, n: int, classes: int) -> np.ndarray:
    """The class of each image, shape (n,)."""
    chosen = np.asarray(labels)
    fits = chosen.dtype.kind in "iu" and chosen.shape in ((), (n,))
    if not fits or (chosen.size and not 0 <= chosen.min() <= chosen.max() < classes):
        raise ValueError(
            f"labels must be one class, or one for each of {n:,} images, whole numbers from 0 to"
            f" {classes - 1}: got {chosen.dtype} of shape {chosen.shape}, or one out of range"
        )
    return np.broadcast_to(chosen, (n,)).astype(np.int64)


def _refuse_unknown(mechanism: str) -> None:
    if mechanism != AUTO and not IMAGES.knows(mechanism):
        names = ", ".join(IMAGES.entries())
        raise ValueError(f"there is no mechanism {mechanism!r} of images: use one of {names}")
