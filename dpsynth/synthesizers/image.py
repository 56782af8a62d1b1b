"""ImageSynthesizer: labelled grey images under differential privacy, by the same account as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dpsynth.base.job import Job
from dpsynth.data.images.rows import check_images, private_images
from dpsynth.evidence.certificate import Certificate
from dpsynth.kernel.budget import LEAST_COST, Budget, affordable
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import accountant_for
from dpsynth.mechanisms.allocation import Preview, settled_cost
from dpsynth.mechanisms.image.embedding import ImageEmbedding
from dpsynth.mechanisms.registry import AUTO, IMAGES
from dpsynth.models.images import ImageModel
from dpsynth.schema.images import ImageSchema
from dpsynth.synthesizers.base import BaseSynthesizer, NamedLedger, NoLedger
from dpsynth.synthesizers.model_file import IMAGE_FILE, VERSION, digest_of
from dpsynth.synthesizers.recorded import recorded_arguments

MOST_IMAGES = 1_000_000


class ImageSynthesizer(BaseSynthesizer["FittedImages"]):
    """Fit once under differential privacy, then draw any number of labelled images, which costs nothing more.

    classes: labels are 0 to classes - 1. shape: (height, width) of the images, 64 x 64 at most. unit: whom the
    guarantee protects; by default one image, added or removed. With an id_column, `fit` is given ids.
    mechanism: "image-embedding" ("auto"), or "dp-gan" (extra gan), which refines it by a critic that DP-SGD trains.
    epsilon, delta, ledger, purpose, approvals, unsafe_seed: as of Synthesizer. settings: of ImageEmbedding or ImageGAN.
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
        """Spends the budget. images: uint8, (n, height, width). labels: whole numbers, (n,). ids: whose each image is.

        Raises SchemaError, ValueError, PolicyRefusedError or BudgetExceededError before any row is read; never for a
        value. From then on a fit that ends early leaves its reservation spent: RowsError, which tells nothing of the
        rows, when they cannot be read. An image whose label is no class adds nothing.
        """
        self._ask_who_pays()
        budget, mechanism, schema = self._checked()
        check_images(images, labels, ids, schema)
        self._warn_of_a_new_place()
        name = IMAGES.resolved(self.mechanism)
        job, reserve = Job(name, self.purpose, self.approvals or {}, schema.fingerprint()), mechanism.reserve(budget)
        with accountant_for(
            self._ledger, schema.unit, budget, job, reserve=reserve, unsafe_seed=self.unsafe_seed
        ) as accountant:
            accountant.begin()
            model = mechanism.fit(private_images(images, labels, ids, schema), schema, accountant)
            accountant.close(digest_of(*_content(schema, model)))
        certificate = Certificate.issue(
            schema=schema,
            ledger=accountant.ledger,
            run=accountant.run,
            mechanism=name,
            settings=asdict(mechanism),
            bounds={},
            released={"rows": round(model.total), **mechanism.outcome(model)},
        )
        self.fitted_ = FittedImages(model, certificate)
        return self

    def plan(self, rows: int) -> ImagePlan:
        """What `fit` would spend, and how noisy its answers would be, for about so many images. Charges nothing."""
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise ValueError(f"rows must be a whole number, 1 or more: a guess at how many images, got {rows!r}")
        budget, mechanism, schema = self._checked()
        moves = schema.unit.max_records * (2 if schema.unit.adjacency == "replace" else 1)
        training = mechanism.planned(budget, rows, schema)
        cost = affordable(budget) - settled_cost(mechanism.settled(budget))
        stddev = Gaussian.spending(cost - mechanism.look_cost(cost)).noise_multiplier * moves
        w0, w1, _ = mechanism.weights
        waves = mechanism.waves(schema)
        on_mean = stddev / w1 * schema.classes / rows * mechanism.radius * waves.scale
        return ImagePlan(
            mechanism=IMAGES.resolved(self.mechanism),
            training=training,
            budget=budget,
            unit=schema.unit,
            rows=rows,
            numbers=mechanism.dimensions(schema),
            count_stddev=stddev / w0,
            mean_stddev=255 * float(np.sqrt((on_mean**2).sum() / schema.pixels)),
        )

    def sample(
        self, n: int | None = None, *, labels: int | np.ndarray | None = None, seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """n images, uint8 of shape (n, height, width), and their labels, int64 of shape (n,).

        n: by default as many as the noisy count. labels: one class for all images, or one for each; by default drawn
        from the noisy shares. Sampling is post-processing: any number of images, any number of times, free.
        """
        model, rng = self._fitted().model, np.random.default_rng(seed)
        if n is None:
            n = round(model.total) if labels is None or np.ndim(labels) == 0 else np.shape(labels)[0]
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 0 <= n <= MOST_IMAGES:
            raise ValueError(f"n must be a whole number from 0 to {MOST_IMAGES:,}: draw more in parts; got {n!r}")
        if labels is None:
            chosen = rng.choice(len(model.rows), size=n, p=model.rows / model.total)
        else:
            chosen = _asked(labels, int(n), len(model.rows))
        return model.sample(chosen, rng), chosen

    def _stored(self, fitted: FittedImages) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
        return _content(self._checked()[2], fitted.model)

    @classmethod
    def _built(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> ImageSynthesizer:
        facts, record = document["schema"], document["certificate"]
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
        """All that public facts can refuse is refused."""
        budget = self._budget()
        if affordable(budget) < LEAST_COST:
            raise ValueError(f"{budget} affords only noise of billions of rows: ask for a larger epsilon or delta")
        if self.mechanism != AUTO and not IMAGES.knows(self.mechanism):
            raise ValueError(
                f"there is no mechanism {self.mechanism!r} of images: use one of {', '.join(IMAGES.entries())}"
            )
        kind, _ = IMAGES.load(self.mechanism)
        known = sorted(kind.__dataclass_fields__)
        if unknown := sorted(set(self.settings) - set(known)):
            raise ValueError(f"there is no setting {unknown[0]!r} of images: the settings are {', '.join(known)}")
        mechanism = kind(**self.settings)
        schema = ImageSchema(self.shape, self.classes, PrivacyUnit() if self.unit is None else self.unit)
        mechanism.dimensions(schema)
        return budget, mechanism, schema


@dataclass(frozen=True, eq=False)
class FittedImages:
    """What a fit leaves behind: public from here on."""

    model: ImageModel
    certificate: Certificate


@dataclass(frozen=True)
class ImagePlan:
    """What a fit would do. numbers: of the embedding. count_stddev: noise on a class's size, in images.
    mean_stddev: noise on a pixel of a class's mean image, in grey levels of 255, for classes of one size, at the most
    (Cauchy-Schwarz): it is less where the first look finds images closer together than the radius allows.
    """

    mechanism: str
    budget: Budget
    unit: PrivacyUnit
    rows: int
    numbers: int
    count_stddev: float
    mean_stddev: float
    training: Preview | None = None

    def summary(self) -> str:
        """A few lines for a terminal."""
        spends = f"epsilon {self.budget.epsilon:g} at delta {self.budget.delta:g}, all of it"
        training = []
        if self.training is not None:
            minutes = self.training.seconds / 60
            training = [f"  {self.training.describe()}", f"  at most about {minutes:.2g} CPU minutes"]
        return "\n".join(
            [
                f"{self.mechanism} for {self.unit.describe()}: {spends}",
                f"{self.numbers:,} numbers are released after a first look; {self.rows:,} images assumed",
                f"  noise on the size of a class: {self.count_stddev:.3g} images",
                f"  noise on a pixel of a class's mean image: at most {self.mean_stddev:.2g} of 255 grey levels",
                *training,
            ]
        )


def _content(schema: ImageSchema, model: ImageModel) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return {IMAGE_FILE: VERSION, "schema": asdict(schema)}, model.to_arrays()


def _asked(labels: Any, n: int, classes: int) -> np.ndarray:
    chosen = np.asarray(labels)
    fits = chosen.dtype.kind in "iu" and chosen.shape in ((), (n,))
    if not fits or (chosen.size and not 0 <= chosen.min() <= chosen.max() < classes):
        raise ValueError(f"labels must be one class, or one for each image, from 0 to {classes - 1}")
    return np.broadcast_to(chosen, (n,)).astype(np.int64)
