"""DP-GAN of images: gradients are of one image each, what comes out hangs on charges only, what is kept draws alone."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")

import torch

import dpsynth
from dpsynth.data.images.arrays import private_images
from dpsynth.evidence import verify
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.image import dp_gan, game
from dpsynth.mechanisms.image.dp_gan import ImageGAN, game_of
from dpsynth.mechanisms.image.game import ImageGenerator, make_critic, rows_of, scored
from dpsynth.mechanisms.neural.networks import apply, each_row, parameters
from dpsynth.models.images import ImageModel
from dpsynth.schema.images import ImageSchema
from dpsynth.testing import BlindAccountant
from dpsynth.training.clipping import PIECE
from dpsynth.training.dpsgd import Training
from dpsynth.training.event import DpSgd
from tests.mechanisms.test_image_embedding import random_images
from tests.rings.unkept import grant

SCHEMA, BUDGET = ImageSchema((6, 5), 3), Budget(5.0, 1e-5)
SMALL = ImageGAN(frequencies=7, critic=(2, 3), generator=(8,), latent=2, fakes=16, steps=4, rate=0.5)


def codes_of(n, seed=0):
    images, labels = random_images(n, seed)
    return np.hstack([labels[:, None], images.reshape(n, -1)]).astype(np.int64)


def gradients(critic, shape=(6, 5)):
    per_row = each_row(critic, lambda c, row: torch.relu(1 - scored(c, row[None], shape)).squeeze())
    return lambda codes: per_row(rows_of(codes, 3)).numpy()


def fresh_critic(seed=0):
    return make_critic((6, 5), 3, game_of(SMALL), torch.Generator().manual_seed(seed))


def model_of(n=300):
    return SMALL.fit(private_images(*random_images(n), None, SCHEMA), SCHEMA, account())


def account(budget=BUDGET, kind=Accountant):
    return kind(budget, reserve=SMALL.reserve(budget))


def purposes(accountant):
    return [line["purpose"] for line in accountant.ledger.entries() if line["kind"] == "charge"]


def test_an_images_gradient_is_what_autograd_gives_for_the_image_alone_and_its_bits_are_its_own():
    critic, codes, other = fresh_critic(), codes_of(PIECE), codes_of(PIECE, 1)
    together = gradients(critic)(codes)
    for i in range(8):
        leaves = [t.clone().requires_grad_(True) for t in critic]
        torch.relu(1 - scored(leaves, rows_of(codes[i : i + 1], 3), (6, 5))).sum().backward()
        alone = torch.cat([t.grad.reshape(-1) for t in leaves]).numpy()
        np.testing.assert_allclose(together[i], alone, atol=1e-5)
    other[17] = codes[17]
    np.testing.assert_array_equal(together[17], gradients(critic)(other)[17])


def test_an_image_whose_label_is_no_class_has_no_gradient_and_others_have():
    codes = codes_of(PIECE)
    codes[::2, 0] = 3
    found = gradients(fresh_critic())(codes)
    assert not found[::2].any()
    assert found[1::2].any()


@pytest.mark.parametrize(("shape", "classes"), [((6, 5), 3), ((28, 28), 2), ((8, 8), 10), ((4, 64), 1)])
def test_a_critics_size_is_known_without_pytorch(shape, classes):
    critic = make_critic(shape, classes, game_of(SMALL), torch.Generator().manual_seed(0))
    assert parameters(critic) == SMALL.parameters(ImageSchema(shape, classes))


def test_the_kernel_trains_on_images_and_refuses_a_critic_that_packs_them():
    rows, critic = private_images(*random_images(50), None, SCHEMA), fresh_critic()
    size = parameters(critic)
    event, options = DpSgd(0.5, 1.0, 1), {"parameters": size, "clip": 1.0, "assumed_rows": 50}
    training = Training(event.rate, event.noise_multiplier, grant(event, reads=gradients), rows, **options)

    def packed(codes):
        x = rows_of(codes, 3)
        return each_row(critic, lambda c, row: scored(c, row[None], (6, 5)).squeeze())(x - x.mean(dim=0)).numpy()

    with pytest.raises(ValueError, match="rows beside it"):
        training.step(packed)
    assert training.step(gradients(critic)).shape == (size,)


@pytest.fixture
def played(monkeypatch):
    """Made-up answers say that there are hardly any images: the game is played all the same."""
    monkeypatch.setattr(dp_gan, "MAX_NOISE", np.inf)


def outcome(n, seed):
    accountant = account(kind=BlindAccountant)
    model = SMALL.fit(private_images(*random_images(n, seed), None, SCHEMA), SCHEMA, accountant)
    assert purposes(accountant)[1].startswith("train")
    return repr({name: array.tolist() for name, array in model.to_arrays().items()}), accountant.ledger.entries()


def test_what_comes_out_depends_on_the_images_through_charges_only(played):
    assert outcome(10, 1) == outcome(700, 2)


def test_a_game_that_keeps_what_its_critic_saw_is_seen(played, monkeypatch):
    """A double that starts its generator anew from the images that a callback saw."""
    honest, seen = game.rows_of, []

    def remembering(codes, classes):
        seen.append(float(codes.sum()))
        return honest(codes, classes)

    released = ImageGenerator.released
    monkeypatch.setattr(game, "rows_of", remembering)
    monkeypatch.setattr(
        ImageGenerator,
        "released",
        lambda it: ImageModel(it.model.shape, it.model.rows, it.model.means + seen[-1], released(it).roots),
    )
    assert outcome(10, 1) != outcome(700, 2)


def test_three_charges_spend_the_budget_and_one_of_them_trains():
    accountant = account()
    SMALL.fit(private_images(*random_images(300), None, SCHEMA), SCHEMA, accountant)
    assert purposes(accountant) == [
        "mean and spread of all images",
        "train a critic of images in 4 steps",
        "embedding of all images by class",
    ]
    assert [type(e) for e in SMALL.reserve(BUDGET)] == [DpSgd, Gaussian]
    assert BUDGET.epsilon * (1 - 1e-6) <= accountant.spent().epsilon <= BUDGET.epsilon


def test_where_noise_would_drown_the_game_all_is_spent_on_the_embedding():
    """Of 30 images the noisy count is mostly too small; by chance, once in ten fits, it is not: hence the seed."""
    budget = Budget(0.01, 1e-5)
    accountant = Accountant(budget, reserve=SMALL.reserve(budget), unsafe_seed=2)
    model = SMALL.fit(private_images(*random_images(30), None, SCHEMA), SCHEMA, accountant)
    assert model.network == ()
    assert SMALL.outcome(model)["outcome"].startswith("nothing was trained: with about")
    assert SMALL.outcome(model_of())["outcome"] == f"a critic was trained in {SMALL.steps} steps"
    assert len(purposes(accountant)) == 2
    assert accountant.spent().epsilon == pytest.approx(0.01, rel=1e-6)


def test_the_model_adds_what_the_network_of_pytorch_adds():
    model, rng = model_of(), np.random.default_rng(0)
    coordinates = rng.standard_normal((9, 7)) * model.standard[1]
    added = model.added(1, coordinates, np.random.default_rng(5))
    latent = np.random.default_rng(5).standard_normal((9, 2))
    centre, spread = model.standard
    inputs = np.hstack([(coordinates - centre) / spread, np.tile([0.0, 1.0, 0.0], (9, 1)), latent])
    expected = apply([torch.from_numpy(a) for a in model.network], torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(added, expected, atol=1e-12)
    assert np.abs(added).max() > 0


def test_before_it_learns_a_generator_adds_nothing_and_moments_are_held():
    rng = torch.Generator().manual_seed(0)
    model = model_of()
    generator = ImageGenerator(ImageModel(model.shape, model.rows, model.means, model.roots), game_of(SMALL), rng)
    coordinates, labels, _, added = generator._drawn(rng)
    assert not added.any()
    assert generator._misfit(coordinates, labels, added).item() == 0
    assert generator._misfit(coordinates, labels, added + 0.1).item() > 0


def test_a_fit_is_certified_planned_kept_and_drawn_from_again(tmp_path):
    facts = {"classes": 3, "shape": (6, 5), "epsilon": 5, "delta": 1e-5, "mechanism": "dp-gan"}
    small = {"frequencies": 7, "critic": (2, 3), "generator": (8,), "latent": 2, "fakes": 16, "steps": 4, "rate": 0.5}
    synth = dpsynth.ImageSynthesizer(**facts, **small, ledger=tmp_path / "scans.ledger")
    plan = synth.plan(300)
    assert plan.training.steps == 4
    assert plan.training.rows == 150
    assert "CPU minutes" in plan.summary()
    images, labels = synth.fit(*random_images(300)).sample(40, seed=1)
    assert images.shape == (40, 6, 5)
    synth.certificate.verify()
    synth.certificate.save(tmp_path)
    assert verify.check(tmp_path) == []
    synth.save(tmp_path / "scans.dpsynth")
    again = dpsynth.ImageSynthesizer.load(tmp_path / "scans.dpsynth")
    np.testing.assert_array_equal(again.sample(40, seed=1)[0], images)
    assert again.mechanism == "dp-gan"
    assert again.fitted_.model.network
    assert set(labels) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": PrivacyUnit(adjacency="replace")}, "image-embedding"),
        ({"shape": (3, 9)}, "4 x 4 pixels"),
        ({"critic": (8,)}, "two convolutions"),
        ({"rate": 0}, "rate"),
        ({"steps": 0}, "steps"),
        ({"train_share": 0.95}, "train_share"),
        ({"fakes": 0}, "fakes"),
        ({"mechanism": "gan"}, "no mechanism 'gan'"),
    ],
    ids=str,
)
def test_facts_that_are_none_are_refused_before_anything_is_spent(tmp_path, changes, words):
    facts = {"classes": 3, "shape": (6, 5), "epsilon": 5, "delta": 1e-5, "mechanism": "dp-gan"}
    with pytest.raises(ValueError, match=words):
        dpsynth.ImageSynthesizer(**{**facts, **changes}, ledger=tmp_path / "scans.ledger").fit(*random_images(20))
    assert not (tmp_path / "scans.ledger").exists()


def test_without_pytorch_one_sentence_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("dpsynth.mechanisms.neural.columns.find_spec", lambda name: None)
    synth = dpsynth.ImageSynthesizer(
        classes=3, shape=(6, 5), epsilon=5, delta=1e-5, mechanism="dp-gan", ledger=tmp_path / "scans.ledger"
    )
    assert synth.plan(100).training.steps == 400
    with pytest.raises(ImportError, match=r"dpsynth\[gan\]"):
        synth.fit(*random_images(20))
    assert not (tmp_path / "scans.ledger").exists()


def test_a_file_whose_network_fits_nothing_is_refused():
    arrays = model_of().to_arrays()
    for name, wrong in (
        ("network:0", arrays["network:0"][:5]),
        ("network:1", arrays["network:1"][:-1]),
        ("network:3", arrays["network:3"][:-1]),
        ("network:2", arrays["network:2"] * np.nan),
    ):
        with pytest.raises(ValueError, match="network"):
            ImageModel.from_arrays({"shape": (6, 5), **arrays, name: wrong})
