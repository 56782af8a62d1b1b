"""The features of images, what is released of them, and the model that is fitted to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn
from sklearn.datasets import load_digits

from dpsynth.base.code_name import code_name
from dpsynth.data.images.arrays import private_images
from dpsynth.kernel.budget import Budget
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.image import embedding as module
from dpsynth.mechanisms.image.embedding import Frame, ImageEmbedding
from dpsynth.models.images import Waves
from dpsynth.schema.images import ImageSchema
from dpsynth.testing import BlindAccountant
from dpsynth.training.embedding import embed

BUDGET = Budget(3.0, 1e-5)
SCHEMA = ImageSchema((6, 5), 3)
SMALL = ImageEmbedding(frequencies=7)


def even(count, unit):
    """A frame at mid grey, with one unit for all coordinates."""
    return Frame(np.zeros(count), np.full(count, unit))


def random_images(n, seed=0, shape=(6, 5), classes=3):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, *shape), dtype=np.uint8), rng.integers(0, classes, n)


def extremes(shape):
    """Black, white, chequered and striped images, and single dots."""
    i, j = np.indices(shape)
    dots = np.eye(shape[0] * shape[1]).reshape(-1, *shape)
    patterns = [0 * i, 0 * i + 1, (i + j) % 2, 1 - (i + j) % 2, i % 2, j % 2, i < shape[0] / 2, *dots]
    return (255 * np.array(patterns)).astype(np.uint8)


@pytest.mark.parametrize(
    ("shape", "radius"), [((28, 28), 0.75), ((8, 8), 0.75), ((5, 9), 1e-6), ((64, 64), 1e6), ((1, 1), 0.1)]
)
def test_the_features_of_one_image_are_no_longer_than_one(shape, radius):
    schema, it = ImageSchema(shape, 2), ImageEmbedding(radius=radius, frequencies=40)
    count = len(it.waves(schema).spread)
    off = Frame(np.linspace(-1, 1, count), np.geomspace(radius, 2 * radius, count))
    images = np.concatenate([extremes(shape)[:200], random_images(50, shape=shape)[0]])
    codes = np.hstack([np.zeros((len(images), 1), int), images.reshape(len(images), -1)])
    for frame in (even(count, radius), off):
        found = it.features(schema, frame)(codes)
        lengths = (found**2).sum(axis=1)
        assert found.shape == (len(images), it.dimensions(schema))
        assert np.all(lengths < 1)
        assert np.all(lengths >= it.weights[0] ** 2 * (1 - 1e-9))
    looked = it.look_features(schema)(codes)
    assert looked.shape == (len(images), 1 + 2 * count)
    assert np.all((looked**2).sum(axis=1) < 1)
    strangers = codes.copy()
    strangers[:, 0] = 2
    assert not it.look_features(schema)(strangers).any()


def test_the_features_are_the_kernel():
    """Inner products of features are w0^2 + w1^2 <x, y> + w2^2 <x, y>^2 within a class, by an independent transform."""
    images, labels = random_images(40)
    it, waves = ImageEmbedding(frequencies=9), Waves.of(SCHEMA.shape, 9)
    centre, unit = np.linspace(-0.1, 0.2, 9), np.geomspace(0.2, 0.4, 9)
    found = it.features(SCHEMA, Frame(centre, unit))(np.hstack([labels[:, None], images.reshape(40, -1)]).astype(int))
    order = np.argsort(np.hypot(*np.indices(SCHEMA.shape)).reshape(-1), kind="stable")[:9]
    x = dctn(images / 255 - 0.5, axes=(1, 2), norm="ortho").reshape(40, -1)[:, order] / waves.scale
    x = (x - centre) / unit
    x /= np.maximum(1, np.linalg.norm(x, axis=1))[:, None]
    inner, (w0, w1, w2) = x @ x.T, it.weights
    kernel = (labels[:, None] == labels) * (w0**2 + w1**2 * inner + w2**2 * inner**2)
    np.testing.assert_allclose(found @ found.T, kernel, atol=1e-3)


def test_features_do_not_depend_on_the_place_of_a_row():
    images, labels = random_images(128)
    codes = np.hstack([labels[:, None], images.reshape(128, -1)]).astype(int)
    frame = Frame(np.linspace(-0.3, 0.3, 7), np.geomspace(0.1, 1, 7))
    for features in (SMALL.features(SCHEMA, frame), SMALL.look_features(SCHEMA)):
        np.testing.assert_array_equal(features(codes)[::-1], features(codes[::-1]))


def outcome(images, labels, accountant, it=SMALL):
    model = it.fit(private_images(images, labels, None, SCHEMA), SCHEMA, accountant)
    return repr([model.rows.tolist(), model.means.tolist(), model.roots.tolist()]), accountant.ledger.entries()


def interferes():
    return outcome(*random_images(10, 1), BlindAccountant(BUDGET)) != outcome(
        *random_images(999, 2), BlindAccountant(BUDGET)
    )


def test_what_comes_out_depends_on_the_images_through_the_charge_only():
    assert not interferes()


def test_a_fit_that_looks_at_the_rows_is_seen(monkeypatch):
    """A double that scales by the exact number of images, which features let out."""
    seen = []

    def counting(rows, features, *, dimensions):
        def remember(codes):
            seen.append(codes.sum())
            return features(codes)

        return embed(rows, remember, dimensions=dimensions)

    honest = ImageEmbedding.fitted
    monkeypatch.setattr(module, "embed", counting)
    with pytest.raises(ValueError, match="name the function"):
        interferes()  # what remembers is in another file than the charge names
    named = code_name(ImageEmbedding.features)
    monkeypatch.setattr("dpsynth.training.embedding.code_name", lambda features: named)
    assert not interferes()
    monkeypatch.setattr(ImageEmbedding, "fitted", lambda it, sums, *rest: honest(it, sums / float(seen[-1]), *rest))
    assert interferes()


def test_two_charges_spend_the_budget():
    accountant = Accountant(BUDGET)
    outcome(*random_images(50), accountant)
    assert [line["purpose"] for line in accountant.ledger.entries() if line["kind"] == "charge"] == [
        "mean and spread of all images",
        "embedding of all images by class",
    ]
    assert BUDGET.epsilon * (1 - 1e-9) <= accountant.spent().epsilon <= BUDGET.epsilon


def test_without_noise_the_model_has_the_means_and_covariances_of_the_images():
    """fitted() is given exact sums; numpy's mean and cov of the coordinates are the oracle."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(100, 156, (900, 6, 5), dtype=np.uint8), np.repeat([0, 1, 2], 300)
    images[labels == 1] += 40
    it, schema, frame = ImageEmbedding(frequencies=30), SCHEMA, Frame(np.linspace(-0.1, 0.1, 30), np.full(30, 2.0))
    codes = np.hstack([labels[:, None], images.reshape(900, -1)]).astype(int)
    sums = it.features(schema, frame)(codes).sum(axis=0).reshape(3, -1)
    model, waves = it.fitted(sums, 1e-9, schema, frame), Waves.of(schema.shape, 30)
    np.testing.assert_allclose(model.rows, 300, rtol=1e-6)
    for label in range(3):
        x = (images[labels == label].reshape(300, -1) / 255 - 0.5) @ waves.basis / waves.scale
        np.testing.assert_allclose(model.means[label], x.mean(axis=0), atol=1e-4)
        covariance = model.roots[label] @ model.roots[label].T
        np.testing.assert_allclose(covariance, np.cov(x.T, bias=True), atol=1e-4)


def test_without_noise_a_frame_is_where_images_lie_and_how_far_they_spread_and_else_as_natural_images():
    """Oracle: numpy's mean and variance of coordinates; the mean square length in the frame is 1."""
    rng = np.random.default_rng(0)
    images = (rng.integers(60, 160, (500, 1, 1)) + rng.integers(-30, 30, (500, 6, 5))).astype(np.uint8)
    codes = np.hstack([np.zeros((500, 1), int), images.reshape(500, -1)]).astype(int)
    it, waves = ImageEmbedding(frequencies=30), Waves.of(SCHEMA.shape, 30)
    exact = it.framed(it.look_features(SCHEMA)(codes).sum(axis=0), 1e-9, SCHEMA)
    x = (images.reshape(500, -1) / 255 - 0.5) @ waves.basis / waves.scale
    np.testing.assert_allclose(exact.centre, x.mean(axis=0), atol=1e-4)
    assert np.mean((((x - exact.centre) / exact.unit) ** 2).sum(axis=1)) == pytest.approx(1, rel=0.02)
    costs = [np.sum(u**2 * waves.spread) for u in (exact.unit, np.sqrt(x.var(axis=0).sum()) * np.ones(30))]
    assert costs[0] < costs[1]
    drowned = it.framed(it.look_features(SCHEMA)(codes).sum(axis=0), 1e9, SCHEMA)
    np.testing.assert_allclose(drowned.unit, drowned.unit[0], rtol=1e-9)  # waves are in such units already


@pytest.mark.parametrize("epsilon", [1e-3, 50.0])
@pytest.mark.parametrize("n", [0, 1, 200])
def test_every_set_of_images_can_be_fitted_and_drawn_from(epsilon, n):
    images, labels = random_images(n)
    model = SMALL.fit(private_images(images, labels, None, SCHEMA), SCHEMA, Accountant(Budget(epsilon, 1e-9)))
    drawn = model.sample(np.repeat([0, 1, 2], 20), np.random.default_rng(0))
    assert drawn.dtype == np.uint8
    assert drawn.shape == (60, 6, 5)
    assert all(np.isfinite(a).all() for a in (model.rows, model.means, model.roots))


def test_a_root_is_of_the_nearest_covariance_of_that_trace():
    """Oracle: projection on the simplex by bisection of the threshold."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        noise = rng.normal(size=(8, 8)) * 0.1
        matrix = (noise + noise.T) / 2 + np.diag(rng.uniform(0, 0.1, 8))
        values, vectors = np.linalg.eigh(matrix)
        trace, low, high = min(1.0, max(0.0, values.sum())), -10.0, 10.0
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if np.maximum(values - middle, 0).sum() > trace else (low, middle)
        nearest = vectors @ np.diag(np.maximum(values - high, 0)) @ vectors.T
        root = module._root(matrix)
        np.testing.assert_allclose(root @ root.T, nearest, atol=1e-9)


def test_synthetic_digits_teach_what_a_digit_is_and_noise_costs():
    """Nearest mean of real test digits: above 80 in 100 at epsilon 10, of ten classes; chance at epsilon 0.001."""
    digits = load_digits()
    images, labels = np.minimum(255, digits.images * 16).astype(np.uint8), digits.target
    train, test = np.arange(1797) % 4 > 0, np.arange(1797) % 4 == 0
    schema, right = ImageSchema((8, 8), 10), []
    for epsilon in (10.0, 1e-3):
        rows = private_images(images[train], labels[train], None, schema)
        model = ImageEmbedding().fit(rows, schema, Accountant(Budget(epsilon, 1e-5)))
        drawn = model.sample(np.repeat(np.arange(10), 100), np.random.default_rng(0)).reshape(10, 100, 64)
        means = drawn.astype(float).mean(axis=1)
        distances = ((images[test].reshape(-1, 1, 64) - means) ** 2).sum(axis=2)
        right.append((distances.argmin(axis=1) == labels[test]).mean())
    assert right[0] > 0.8
    assert right[1] < 0.5


@pytest.mark.parametrize(
    "settings",
    [
        {"frequencies": 0},
        {"frequencies": 2.0},
        {"frequencies": 401},
        {"radius": 0},
        {"radius": "1"},
        {"mean_weight": -1},
    ],
)
def test_settings_that_are_none_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ImageEmbedding(**settings)


def test_more_numbers_than_memory_holds_are_refused():
    with pytest.raises(ValueError, match="use fewer frequencies"):
        ImageEmbedding(frequencies=400).dimensions(ImageSchema((28, 28), 10))
