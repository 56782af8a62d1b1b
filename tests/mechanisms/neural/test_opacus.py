"""Opacus as a second opinion: its gradients of our critics, its look at their layers, its accountants.

It is not used in the package. Its optimizer bounds a row in floating-point arithmetic and draws noise from a seed; its
`GradSampleModule` is no faster on our critics than what we have.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")
pytest.importorskip("opacus", reason="the cross-checks need Opacus: pip install 'dpsynth[gan,crosscheck]'")

import torch
from opacus.accountants import PRVAccountant, RDPAccountant
from opacus.grad_sample import GradSampleModule
from opacus.validators import ModuleValidator

from dpsynth.accounting import nonadaptive
from dpsynth.kernel.budget import Budget, spent
from dpsynth.mechanisms.image.dp_gan import ImageGAN, game_of
from dpsynth.mechanisms.image.game import make_critic, rows_of, scored
from dpsynth.mechanisms.neural import adversarial
from dpsynth.mechanisms.neural.networks import each_row, each_row_of_perceptron, indicators, perceptron
from dpsynth.training.event import DpSgd
from tests.mechanisms.neural.twins import ImageCritic, in_our_order, per_sample, perceptron_module

pytestmark = pytest.mark.filterwarnings("ignore")  # Opacus warns of hooks that PyTorch will change

SIZES, SHAPE, CLASSES = (3, 5, 2), (8, 12), 3
TRAININGS = [
    (0.01, 1.0, 1000),
    (0.01, 1.0, 10_000),
    (0.01, 2.0, 2000),
    (0.02, 1.0, 1000),
    (0.05, 2.5, 300),
    (0.05, 4.0, 1000),
    (0.1, 5.0, 500),
]


def seeded():
    return torch.Generator().manual_seed(0)


def image_critic():
    return make_critic(SHAPE, CLASSES, game_of(ImageGAN()), seeded())


@pytest.mark.parametrize("loss", [adversarial._real_loss, adversarial._fake_loss])
@pytest.mark.parametrize("hidden", [(), (7,), (7, 4)])
def test_gradients_of_a_critic_of_rows_are_what_opacus_finds(hidden, loss):
    network = perceptron([sum(SIZES), *hidden, 1], seeded())
    rows = indicators(np.random.default_rng(0).integers(0, SIZES, size=(30, 3)), SIZES)
    theirs = in_our_order(per_sample(GradSampleModule(perceptron_module(network), loss_reduction="sum"), loss, rows))
    ours = each_row_of_perceptron(network, loss)(rows)
    assert ours.abs().sum() > 0
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_gradients_of_a_critic_of_images_are_what_opacus_finds(sign):
    network, rng = image_critic(), np.random.default_rng(0)
    labels, pixels = rng.integers(0, CLASSES, (20, 1)), rng.integers(0, 256, (20, SHAPE[0] * SHAPE[1]))
    rows = rows_of(np.hstack([labels, pixels]), CLASSES)
    module = GradSampleModule(ImageCritic(network, SHAPE), loss_reduction="sum")
    theirs = in_our_order(per_sample(module, lambda scores: torch.relu(1 - sign * scores), rows))
    ours = each_row(network, lambda n, row: torch.relu(1 - sign * scored(n, row[None], SHAPE)).squeeze())(rows)
    assert ours.abs().sum() > 0
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)


def test_opacus_finds_no_layer_of_our_critics_that_mixes_rows_and_sees_one_that_does():
    network = perceptron([sum(SIZES), 7, 1], seeded())
    for module in (perceptron_module(network), ImageCritic(image_critic(), SHAPE)):
        assert ModuleValidator.validate(module.train(), strict=False) == []
    mixed = torch.nn.Sequential(perceptron_module(network), torch.nn.BatchNorm1d(1))
    assert ModuleValidator.validate(mixed.train(), strict=False)


@pytest.mark.parametrize(("rate", "noise", "steps"), TRAININGS)
def test_our_epsilon_of_a_training_is_at_most_that_of_opacus_and_near(rate, noise, steps):
    """Renyi divergences give up to a seventh of epsilon away; Opacus' PRV bound is ours and its error of 0.01."""
    ours = nonadaptive.epsilon([DpSgd(rate, noise, steps)], 1e-6)
    renyi, prv = (_theirs(kind, rate, noise, steps) for kind in (RDPAccountant, PRVAccountant))
    assert 0.85 * renyi < ours <= renyi
    assert prv - 0.02 < ours <= prv


@pytest.mark.parametrize(("rate", "noise", "steps"), [(0.05, 4.0, 300), (0.1, 5.0, 500)])
def test_what_an_account_bills_for_any_adaptive_choice_is_at_most_opacus_renyi_bound(rate, noise, steps):
    billed = spent(DpSgd(rate, noise, steps).cost, Budget(1.0, 1e-6)).epsilon
    assert 0.9 * _theirs(RDPAccountant, rate, noise, steps) < billed <= _theirs(RDPAccountant, rate, noise, steps)


def _theirs(kind, rate, noise, steps):
    accountant = kind()
    accountant.history = [(noise, rate, steps)]
    return accountant.get_epsilon(1e-6)
