"""Faults planted in a release of images are found and named, and a holdout passes as real."""

from __future__ import annotations

import base64
import re
import sys
from functools import partial

import numpy as np
import pytest

from dpsynth.evaluation.images.quality import evaluate_images
from dpsynth.evaluation.images.sheets import contact_sheet
from tests.evaluation.made_up_images import bars, blurred, noisy

REAL, HOLDOUT, FRESH = bars(900, 1), bars(700, 2), bars(900, 3)


def compared(images, labels, **more):
    """The report of a release beside REAL and HOLDOUT."""
    return evaluate_images(images, labels, *REAL, holdout_images=HOLDOUT[0], holdout_labels=HOLDOUT[1], **more)


def names(quality):
    return {found.name for found in quality.findings}


@pytest.fixture(scope="module")
def passed():
    return compared(*FRESH)


def without_class_two():
    kept = FRESH[1] != 2
    return FRESH[0][kept], FRESH[1][kept]


def class_two_too_often():
    kept = np.r_[np.flatnonzero(FRESH[1] != 2)[::8], np.flatnonzero(FRESH[1] == 2)]
    return FRESH[0][kept], FRESH[1][kept]


def near_copies(count=30):
    images, labels = FRESH[0].copy(), FRESH[1].copy()
    moved = np.random.default_rng(0).integers(-3, 4, (count, *images.shape[1:]))
    images[:count] = np.clip(REAL[0][:count] + moved, 0, 255)
    labels[:count] = REAL[1][:count]
    return images, labels


def one_equal():
    images = FRESH[0].copy()
    images[7] = REAL[0][40]
    return images, FRESH[1]


def pale():
    return (128 + (FRESH[0].astype(int) - 128) // 3).astype(np.uint8), FRESH[1]


def stark():
    return np.clip(90 + (FRESH[0].astype(int) - 90) * 2, 0, 255).astype(np.uint8), FRESH[1]


PLANTED = {
    "blur": (lambda: (blurred(FRESH[0]), FRESH[1]), {"blur", "told apart"}),
    "noise": (lambda: (noisy(FRESH[0], 4), FRESH[1]), {"grain", "told apart"}),
    "a class that is lost": (without_class_two, {"class lost", "class not learned", "told apart"}),
    "a class too many": (class_two_too_often, {"class lost", "class too frequent", "told apart"}),
    "labels that are mixed up": (lambda: (FRESH[0], (FRESH[1] + 1) % 3), {"class not learned"}),
    "near copies": (near_copies, {"copies"}),
    "one image that equals a real one": (one_equal, {"copies"}),
    "images that are pale": (pale, {"pale", "blur", "told apart"}),
    "images that are stark": (stark, {"stark", "grain", "told apart"}),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found_and_named(fault):
    planted, wanted = PLANTED[fault]
    assert names(compared(*planted())) == wanted


def test_other_real_images_pass_as_real(passed):
    assert passed.findings == ()
    assert passed.doubts == ()
    assert "No fault found" in passed.to_html()
    for one in passed.classifiers:
        assert one.low <= 0.01
        assert abs(one.synthetic - one.real) < 0.03
    for one in passed.discriminators:
        assert abs(one.auc - 0.5) < 4 * one.error
        assert abs(one.floor - 0.5) < 4 * one.floor_error
    assert passed.distance.synthetic < 2 * passed.distance.floor
    assert [band.fate for band in passed.spectrum.bands] == ["kept"] * 3
    assert 0.4 < passed.nearest.nearer_real < 0.6


def test_what_is_lost_is_said_in_a_sentence_with_its_figures():
    quality = compared(blurred(FRESH[0]), FRESH[1])
    fine = quality.spectrum.bands[-1]
    assert fine.fate == "lost"
    assert fine.ratio < 0.1 < 0.9 < fine.floor
    said = quality.summary()
    assert re.search(r"The power of fine detail is 4\.\d+\s% of that of real images .*: images are blurred", said)
    assert "tells synthetic images from real ones with AUC 1.000" in said
    lost = next(one for one in compared(*without_class_two()).findings if one.name == "class not learned")
    assert lost.sentence.startswith("Class 2 is not learned from the release: a model of it recognises 0")


def test_each_class_is_tried_by_itself():
    network_free = compared(*without_class_two()).classifiers
    assert [one.name for one in network_free] == ["linear in the pixels", "linear in fixed features"]
    for one in network_free:
        assert [each.label for each in one.classes] == [0, 1, 2]
        assert sum(each.holdout for each in one.classes) == 700
        assert one.classes[2].synthetic == 0.0
        assert min(each.real for each in one.classes) > 0.9
        assert one.high < -0.2


def test_a_holdout_of_the_same_images_is_doubted():
    quality = evaluate_images(*FRESH, *REAL, holdout_images=REAL[0][:700], holdout_labels=REAL[1][:700])
    assert len(quality.doubts) == 1
    assert "it is no holdout" in quality.doubts[0]
    assert "it is no holdout" in quality.to_html()


def test_few_synthetic_images_are_doubted():
    doubted = compared(FRESH[0][:300], FRESH[1][:300]).doubts
    assert [said[:29] for said in doubted] == ["There are 300 synthetic image"]


def test_the_page_shows_synthetic_images_alone_and_says_what_it_may_not_be_used_for(passed):
    page = passed.to_html()
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    assert [base64.b64decode(each) for each in pictures] == [contact_sheet(*FRESH)]
    assert "INTERNAL: DO NOT PUBLISH" in page
    assert "It is not the FID of the literature" in page
    assert "To find no copies is no evidence of privacy" in page
    assert "No network was trained" in page


def test_no_private_image_is_in_any_file_page_or_message(tmp_path):
    """A real image of one grey level, 201, that stands for a person: neither it nor its sheet is written anywhere."""
    real = REAL[0].copy()
    real[11] = 201
    given = {"holdout_images": HOLDOUT[0], "holdout_labels": HOLDOUT[1]}
    quality = evaluate_images(*FRESH, real, REAL[1], **given)
    quality.save(tmp_path)
    written = "".join(path.read_text() for path in tmp_path.iterdir()) + quality.summary() + repr(quality)
    for images, labels in ((real, REAL[1]), HOLDOUT, (real[11:12], REAL[1][11:12])):
        assert base64.b64encode(contact_sheet(images, labels)).decode() not in written
    asked_for = evaluate_images(*FRESH, real, REAL[1], **given, show_real=True).to_html()
    assert base64.b64encode(contact_sheet(real, REAL[1])).decode() in asked_for  # so the search above can fail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"holdout_labels": None}, "belong together"),
        ({"holdout_images": HOLDOUT[0][:, :5]}, "must have the same height and width"),
        ({"holdout_images": HOLDOUT[0][:3], "holdout_labels": HOLDOUT[1][:3]}, "needs 4 images on each side, got 3"),
        ({"holdout_images": HOLDOUT[0] / 255}, "holdout_images must be a numpy array of grey levels"),
        ({"holdout_images": None, "holdout_labels": None, "network": True}, "tried on a holdout, and there is none"),
    ],
)
def test_a_holdout_of_another_form_is_refused_in_one_sentence(change, words):
    given = {"holdout_images": HOLDOUT[0], "holdout_labels": HOLDOUT[1]}
    with pytest.raises(ValueError, match=words) as refused:
        evaluate_images(*FRESH, *REAL, **{**given, **change})
    assert "201" not in str(refused.value)


def test_a_network_without_pytorch_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "dpsynth.evaluation.images.network", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install 'dpsynth\[gan\]', or leave network=True out"):
        compared(*FRESH, network=True)


def test_a_network_is_tried_beside_the_linear_models(monkeypatch):
    pytest.importorskip("torch", reason="a network of images needs PyTorch, and it is not installed")
    from dpsynth.evaluation.images import network

    monkeypatch.setattr(network, "network", partial(network.network, steps=60))  # enough for bars
    quality = compared(blurred(FRESH[0]), FRESH[1], network=True)
    tried, telling = quality.classifiers[-1], quality.discriminators[-1]
    assert (tried.name, telling.name) == ("network", "network")
    assert tried.real > 0.9
    assert telling.tells
    assert "No network was trained" not in quality.to_html()


def test_images_of_one_pixel_and_of_odd_sides_are_compared():
    rng = np.random.default_rng(5)
    for shape in ((1, 1), (1, 9), (3, 5), (7, 2)):
        sets = [(rng.integers(0, 256, (40, *shape), dtype=np.uint8), rng.integers(0, 2, 40)) for _ in range(3)]
        quality = evaluate_images(*sets[0], *sets[1], holdout_images=sets[2][0], holdout_labels=sets[2][1])
        assert "INTERNAL" in quality.to_html()
        assert quality.to_json()


def test_images_that_are_all_alike_are_compared():
    grey, labels = np.full((20, 6, 6), 90, np.uint8), np.arange(20) % 2
    quality = evaluate_images(grey, labels, grey, labels, holdout_images=grey, holdout_labels=labels)
    assert quality.spectrum.bands == ()
    assert quality.distance.synthetic == 0.0
    assert quality.discriminators[0].auc == 0.5
    assert "no holdout" not in "".join(quality.doubts)
    assert quality.to_html()
