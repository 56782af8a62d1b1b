"""ImageSynthesizer: what it refuses, spends, certifies, draws and keeps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

import dpsynth
from dpsynth.evidence import verify
from dpsynth.synthesizers.model_file import ModelFileError
from tests.mechanisms.test_image_embedding import random_images

FACTS = {"classes": 3, "shape": (6, 5), "epsilon": 3, "delta": 1e-5, "frequencies": 7, "ledger": None}
SECRET = 201
CHEST = Path(__file__).resolve().parents[3] / "shared" / "data" / "pneumoniamnist" / "pneumoniamnist.npz"


def synthesizer(**changes):
    return dpsynth.ImageSynthesizer(**{**FACTS, **changes})


def fitted(**changes):
    return synthesizer(**changes).fit(*random_images(200))


def test_a_fit_gives_images_labels_and_a_certificate_that_verifies(tmp_path):
    synth = fitted(ledger=tmp_path / "scans.ledger", purpose="teaching")
    images, labels = synth.sample(50, seed=1)
    assert images.shape == (50, 6, 5)
    assert images.dtype == np.uint8
    assert labels.shape == (50,)
    assert set(labels) <= {0, 1, 2}
    record = synth.certificate.record
    assert record["claim"]["epsilon"] == 3
    assert record["mechanism"]["settings"]["frequencies"] == 7
    assert [c["name"] for c in record["schema"]["columns"]] == ["image", "label"]
    assert "6 x 5 pixels" in synth.certificate.to_html()
    synth.certificate.verify()
    synth.certificate.save(tmp_path)
    assert verify.check(tmp_path) == []
    lines = dpsynth.Ledger.open(tmp_path / "scans.ledger").entries()
    assert [line["kind"] for line in lines if line["kind"] == "charge"] == ["charge"] * 2
    assert "teaching" in json.dumps(lines)


def test_an_account_that_is_spent_refuses_a_second_fit(tmp_path):
    fitted(ledger=tmp_path / "scans.ledger")
    with pytest.raises(dpsynth.BudgetExceededError):
        fitted(ledger=tmp_path / "scans.ledger")


def test_labels_can_be_asked_for_and_seeds_repeat():
    synth = fitted()
    assert set(synth.sample(9, labels=2, seed=0)[1]) == {2}
    wanted = np.array([2, 0, 1, 1])
    images, labels = synth.sample(labels=wanted, seed=5)
    np.testing.assert_array_equal(labels, wanted)
    np.testing.assert_array_equal(images, synth.sample(labels=wanted, seed=5)[0])
    assert len(synth.sample(seed=0)[0]) == synth.certificate.record["released"]["rows"]


@pytest.mark.parametrize(
    ("n", "labels"), [(-1, None), (2.5, None), (True, None), (3, [0, 1]), (None, [0, 3]), (2, 0.5), (2, -1), (2, "a")]
)
def test_a_sample_that_cannot_be_drawn_is_refused(n, labels):
    with pytest.raises(ValueError, match="must be"):
        fitted().sample(n, labels=labels)


def test_before_fit_there_is_nothing():
    for ask in (lambda s: s.sample(1), lambda s: s.certificate, lambda s: s.save("x")):
        with pytest.raises(dpsynth.NotFittedError, match=r"call fit\(images, labels\)"):
            ask(synthesizer())


def bad_inputs():
    images, labels = np.full((SECRET, 6, 5), SECRET, dtype=np.uint8), np.zeros(SECRET, dtype=int)
    yield "floats", (images / 255.0, labels), "convert them"
    yield "lists", (images.tolist(), labels), "numpy array of grey levels"
    yield "flat", (images.reshape(SECRET, -1), labels), "must have shape"
    yield "another shape", (images.transpose(0, 2, 1), labels), "must have shape"
    yield "colour", (images[..., None], labels), "must have shape"
    yield "labels as text", (images, labels.astype(str)), "whole numbers"
    yield "labels as floats", (images, labels + 0.5), "whole numbers"
    yield "labels in a column", (images, labels[:, None]), "ravel"
    yield "too few labels", (images, labels[:-1]), "one for each image"
    yield "ids without a unit", (images, labels, labels), "ids"


@pytest.mark.parametrize(("arrays", "words"), [b[1:] for b in bad_inputs()], ids=[b[0] for b in bad_inputs()])
def test_arrays_of_another_form_are_refused_in_one_sentence_and_nothing_is_spent(tmp_path, arrays, words):
    """No value, and not how many images there are, is in the message or in what it was raised from."""
    path = tmp_path / "scans.ledger"
    with pytest.raises(dpsynth.SchemaError, match=words) as raised:
        synthesizer(ledger=path).fit(*arrays)
    assert str(SECRET) not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.__context__ is None
    assert not path.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": 0}, {"classes": 256}, {"classes": 2.0}, {"shape": (28,)}, {"shape": (65, 8)}, {"shape": 28},
        {"epsilon": 0}, {"epsilon": -1}, {"delta": 2}, {"epsilon": 1e-9, "delta": 1e-30}, {"waves": 3},
        {"frequencies": 0}, {"unit": "patient"}, {"unit": dpsynth.PrivacyUnit("patient")},
    ],
    ids=str,
)  # fmt: skip
def test_facts_that_are_none_are_refused_before_anything_is_spent(tmp_path, changes):
    with pytest.raises(ValueError, match=r"\w"):
        synthesizer(ledger=tmp_path / "scans.ledger", **changes).fit(*random_images(20))
    assert not (tmp_path / "scans.ledger").exists()


def test_values_never_make_a_fit_fail():
    """Labels that are no class, whatever they are, add nothing; no image and one class are a fit like any other."""
    images, labels = random_images(200)
    with_strangers = labels.copy()
    with_strangers[::2] = np.tile([-1, 3, 300, 2**62], 25)
    for chosen, numbers in ((images, with_strangers), (images[:0], labels[:0]), (images, 0 * labels)):
        synth = synthesizer(epsilon=50).fit(chosen, numbers)
        expected = np.bincount(numbers[(numbers >= 0) & (numbers < 3)], minlength=3)
        np.testing.assert_allclose(synth.fitted_.model.rows, np.maximum(1, expected), atol=12)


def test_a_person_with_many_images_counts_as_the_unit_says():
    images, labels = random_images(300)
    unit = dpsynth.PrivacyUnit("patient", max_records=2)
    synth = synthesizer(unit=unit, epsilon=50).fit(images, labels, ids=np.repeat(["a", "b", "c"], 100))
    assert synth.fitted_.model.total == pytest.approx(6, abs=20)
    assert "'patient', of whom at most 2 records" in synth.certificate.record["claim"]["sentence"]


def test_a_plan_says_what_the_noise_will_be():
    """Against the noise of 300 fits of nothing: the classes' sizes, of which half are below 1 and set to 1."""
    plan = synthesizer().plan(1000)
    assert plan.numbers == 3 * (1 + 7 + 28)
    assert "noise on the size of a class" in plan.summary()
    empty = np.zeros((0, 6, 5), np.uint8), np.zeros(0, int)
    sizes = np.concatenate([synthesizer().fit(*empty).fitted_.model.rows for _ in range(100)])
    above = sizes[sizes > 1] ** 2
    assert above.mean() == pytest.approx(plan.count_stddev**2, rel=0.6)
    doubled = synthesizer(unit=dpsynth.PrivacyUnit(adjacency="replace")).plan(1000)
    assert doubled.count_stddev == pytest.approx(2 * plan.count_stddev)
    with pytest.raises(ValueError, match="rows must be a whole number"):
        synthesizer().plan(0)


def test_what_is_saved_draws_the_same_images(tmp_path):
    synth = fitted()
    synth.save(tmp_path / "scans.dpsynth")
    again = dpsynth.ImageSynthesizer.load(tmp_path / "scans.dpsynth")
    for one, other in zip(synth.sample(20, seed=3), again.sample(20, seed=3), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.certificate.record == synth.certificate.record
    again.save(tmp_path / "again.dpsynth")
    assert (tmp_path / "again.dpsynth").read_bytes()[:2] == b"PK"
    with pytest.raises(ModelFileError, match="a model of images: use `dpsynth images sample`"):
        dpsynth.Synthesizer.load(tmp_path / "scans.dpsynth")
    (tmp_path / "broken.dpsynth").write_bytes((tmp_path / "scans.dpsynth").read_bytes()[:-30])
    with pytest.raises(ModelFileError, match="damaged"):
        dpsynth.ImageSynthesizer.load(tmp_path / "broken.dpsynth")


@pytest.mark.slow
@pytest.mark.skipif(not CHEST.is_file(), reason=f"needs the chest X-rays in {CHEST}, which are not part of the project")
def test_chest_images_teach_more_than_noisy_means_ever_do():
    """Balanced accuracy on real validation images at epsilon 3: real images teach .93, noisy means .81 at most."""
    file = np.load(CHEST)
    labels, truth = file["train_labels"].ravel(), file["val_labels"].ravel()
    synth = dpsynth.ImageSynthesizer(classes=2, shape=(28, 28), epsilon=3, delta=1e-5, ledger=None)
    images, drawn = synth.fit(file["train_images"], labels).sample(seed=0)
    model = LogisticRegression(C=0.01, max_iter=500).fit(images.reshape(-1, 784) / 255, drawn)
    said = model.predict(file["val_images"].reshape(-1, 784) / 255)
    assert balanced_accuracy_score(truth, said) > 0.86


def test_a_seeded_fit_claims_nothing():
    assert "NOT PRIVATE" in fitted(unsafe_seed=0).certificate.summary()
