"""The measures of images, each beside a slow and obvious version or an independent program."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.signal import correlate2d
from sklearn.linear_model import LogisticRegression

from dpsynth.evaluation.images import nearest as copies
from dpsynth.evaluation.images.features import Scale, Seen, _filters, fixed_features, frechet
from dpsynth.evaluation.images.grain import grain
from dpsynth.evaluation.images.learners import FEATURES
from dpsynth.evaluation.images.linear import logistic
from dpsynth.evaluation.images.spectrum import spectrum
from dpsynth.evaluation.images.told_apart import TELLING, told_apart
from dpsynth.evaluation.pattern import CLEAR
from dpsynth.evidence.pages import charts
from tests.evaluation.made_up_images import bars

ROUNDING = 1e-5


def greys(n, shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def test_the_first_layer_is_a_plain_correlation():
    images = greys(3, (9, 7))
    first, _ = _filters()
    found = fixed_features(images)
    for i, image in enumerate(images):
        padded = np.pad(image / 255 - 0.5, 2, mode="edge")
        for j in range(first.shape[1]):
            seen = correlate2d(padded, first[:, j].reshape(5, 5), mode="valid")
            assert found[i, j] == pytest.approx(np.maximum(seen, 0).mean(), abs=ROUNDING)


def test_features_are_those_of_each_image_alone_and_stay_what_they_are():
    """Golden values: a change of the random numbers behind the filters would change every report."""
    images = greys(5, (8, 8))
    whole = fixed_features(images)
    assert whole.shape == (5, 144)
    np.testing.assert_allclose(whole, np.concatenate([fixed_features(images[i : i + 1]) for i in range(5)]), atol=1e-6)
    ramp = np.arange(64, dtype=np.uint8).reshape(1, 8, 8) * 3
    np.testing.assert_allclose(fixed_features(ramp)[0, GOLDEN_PLACES], GOLDEN, atol=1e-5)


GOLDEN_PLACES = [1, 5, 20, 103, 143]
GOLDEN = [0.142156, 0.001813, 0.034241, 0.120212, 0.126655]


def test_frechet_is_the_formula_with_a_matrix_root():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, (300, 5)), rng.normal(0.3, 1.5, (200, 5)) @ rng.normal(0, 1, (5, 5))
    c, d = (np.cov(each, rowvar=False, bias=True) for each in (one, other))
    shift = one.mean(axis=0) - other.mean(axis=0)
    slow = (shift @ shift + np.trace(c + d - 2 * sqrtm(c @ d).real)) / 5
    assert frechet(one, other) == pytest.approx(slow, rel=1e-6)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)


def test_a_distance_of_one_is_that_of_one_and_the_same_average_image():
    features = np.random.default_rng(1).normal(3, 2, (500, 6))
    scaled = Scale.of(features).columns(Seen(np.zeros((500, 1, 1), np.uint8), features))
    assert frechet(np.zeros((500, 6)), scaled) == pytest.approx(1)


def test_the_power_of_a_wave_lies_in_its_ring_alone():
    """A cosine of the transform, of 3/16 cycles a pixel, in middle detail; noise has one power everywhere."""
    across = np.cos(np.pi * 6 * (np.arange(16) + 0.5) / 16)
    wave = np.rint(128 + 100 * across)[None, None, :].repeat(16, axis=1).repeat(3, axis=0).astype(np.uint8)
    noise = np.clip(np.rint(128 + np.random.default_rng(0).normal(0, 20, (2000, 16, 16))), 0, 255).astype(np.uint8)
    found = spectrum(noise, wave)
    assert found.frequencies[int(np.argmax(found.synthetic))] == pytest.approx(3 / 16 + 1 / 32)
    assert [band.ratio > 1 for band in found.bands] == [False, True, False]
    np.testing.assert_allclose(found.real, 400, rtol=0.1)
    assert sum(band.share_real for band in found.bands) == pytest.approx(1)


def test_power_is_kept_lost_or_invented_by_half_and_twice():
    base = np.random.default_rng(1).normal(0, 20, (3000, 12, 12))
    images = lambda factor: np.clip(np.rint(128 + factor * base), 0, 255).astype(np.uint8)  # noqa: E731
    for factor, fate in ((0.75, "kept"), (0.65, "lost"), (1.35, "kept"), (1.5, "invented")):
        assert {band.fate for band in spectrum(images(1.0), images(factor)).bands} == {fate}


def test_the_level_of_noise_is_found_beside_sharp_edges():
    """2,000 images, seed 0: noise of 20 grey levels is measured to 3 %, among edges of 200 levels as well."""
    rng = np.random.default_rng(0)
    flat = np.full((2000, 14, 14), 100.0)
    edges = flat + 0.0
    edges[:, 4:9, 5:10] -= 100
    noise = rng.normal(0, 20, flat.shape)
    shown = lambda images: np.clip(np.rint(images), 0, 255).astype(np.uint8)  # noqa: E731
    found = grain(shown(edges), shown(flat + noise), shown(edges + 60 + noise))
    assert found.real == 0.0
    assert found.synthetic == pytest.approx(20, rel=0.03)
    assert found.holdout == pytest.approx(20, rel=0.1)
    assert found.grainy
    assert not grain(shown(flat + noise), shown(edges + 60 + noise)).grainy
    assert not grain(shown(flat), shown(flat + rng.normal(0, 1, flat.shape))).grainy  # too little to see


def test_the_regression_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    columns, targets = rng.normal(0, 1, (400, 6)), rng.integers(0, 3, 400)
    columns[targets == 1, 0] += 1.5
    ours = logistic(columns, targets, 3)
    theirs = LogisticRegression(C=8 / 6, tol=1e-8, max_iter=1000).fit(columns, targets)
    scores = ours.scores(columns)
    wanted = theirs.decision_function(columns)
    np.testing.assert_allclose(
        scores - scores.mean(axis=1, keepdims=True), wanted - wanted.mean(axis=1, keepdims=True), atol=5e-3
    )


def test_a_discriminator_accepts_the_truth_and_rejects_a_near_miss():
    """Seeds 0 to 2, 700 images of each side: within 4 standard errors of 0.5 each time. Of 2,000 images, those that are
    12 grey levels lighter in one corner of 3 x 3 pixels are told apart.
    """
    for seed in range(3):
        sets = [Seen.of(bars(700, 10 * seed + i)[0]) for i in range(3)]
        found = told_apart(FEATURES, *sets)
        assert abs(found.auc - 0.5) < 4 * found.error
        assert not found.tells
    lighter = bars(2000, 91)[0].astype(int)
    lighter[:, :3, :3] += 12
    lighter = np.clip(lighter, 0, 255).astype(np.uint8)
    missed = told_apart(FEATURES, *(Seen.of(each) for each in (bars(2000, 92)[0], lighter, bars(2000, 93)[0])))
    assert missed.auc > TELLING
    assert missed.tells


def test_the_nearest_image_is_that_of_a_search_through_all():
    asked, pool = greys(30, (4, 4), 1).reshape(30, -1).astype(float), greys(50, (4, 4), 2).reshape(50, -1).astype(float)
    pool[7] = asked[3]
    place, copied = copies._nearest_two(asked, pool)
    slow = np.square(asked[:, None] - pool[None]).sum(axis=2)
    np.testing.assert_array_equal(place, slow.argmin(axis=1))
    two = np.sort(slow, axis=1)[:, :2]
    np.testing.assert_array_equal(copied, two[:, 0] <= two[:, 1] / 4)
    assert copied[3]


def test_the_error_of_nearer_images_is_that_of_all_divisions_into_two_sides():
    counts = np.array([5, 0, 2, 0, 1, 1])
    gaps = []
    for chosen in itertools.combinations(range(6), 3):
        ours = sum(counts[i] for i in chosen)
        gaps.append(2 * ours - counts.sum())
    assert copies._permuted(counts) == pytest.approx((7 - 2) / np.std(gaps))


def test_an_image_that_is_nearest_to_all_is_one_piece_of_evidence():
    """Flat images lie nearest to the flattest real one: a test that counts each of them would see copies."""
    real, holdout = bars(300, 1)[0], bars(300, 2)[0]
    real[5] = (real[5] * 0.3 + 60 * 0.7).astype(np.uint8)
    flat = np.clip(60 + np.random.default_rng(0).normal(0, 3, (400, 12, 12)), 0, 255).astype(np.uint8)
    found = copies.nearest(real, flat, holdout, np.random.default_rng(3))
    assert found.nearer_real == 1.0  # 400 of 400
    assert not found.copied
    assert copies._sign(400, 0) > 15 > CLEAR


def test_twins_that_real_images_have_by_chance_are_no_copies():
    real, holdout, fresh = (bars(400, seed)[0] for seed in (1, 2, 3))
    holdout[:20], fresh[:20] = real[:20], real[20:40]
    found = copies.nearest(real, fresh, holdout, np.random.default_rng(0))
    assert (found.equal_real, found.twins) == (20, 20)
    assert found.equal_errors < CLEAR


def test_the_chart_of_powers_names_each_ring_and_does_without_a_holdout():
    power = {"frequencies": (0.1, 0.4), "real": (90.0, 1.0), "synthetic": (80.0, 0.0), "holdout": None}
    drawn = charts.powers("Power", power)
    assert drawn.count("<g>") == 2
    assert "0.4 cycles a pixel: real 1, synthetic 0" in drawn
    assert charts.powers("Power", power | {"holdout": (85.0, 1.1)}).count('class="axis"') == 3
