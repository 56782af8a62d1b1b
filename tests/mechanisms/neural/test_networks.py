"""Networks: a row's gradient is its own and moves a noiseless step by the clip at most."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.neural import adversarial
from dpsynth.mechanisms.neural.networks import (
    apply,
    clipped_mean,
    drawn,
    each_row,
    each_row_of_perceptron,
    indicators,
    parameters,
    perceptron,
    unflattened,
)
from dpsynth.mechanisms.neural.settled import perceptron_size
from dpsynth.training.clipping import PIECE, clipped_sum
from dpsynth.training.dpsgd import Training
from dpsynth.training.event import DpSgd
from tests.rings.unkept import grant

SIZES = (3, 5, 2)


def rows(number, seed=0):
    return np.random.default_rng(seed).integers(0, SIZES, size=(number, len(SIZES)))


def critic(seed=0, hidden=(7,), scale=1.0):
    return [t * scale for t in perceptron([sum(SIZES), *hidden, 1], torch.Generator().manual_seed(seed))]


def gradients(network, loss=adversarial._real_loss):
    per_row = each_row_of_perceptron(network, loss)
    return lambda codes: per_row(indicators(codes, SIZES)).numpy()


def test_a_rows_gradient_is_what_autograd_gives_for_the_row_alone():
    network, codes = critic(), rows(20)
    together = gradients(network)(codes)
    for i in range(20):
        leaves = [t.clone().requires_grad_(True) for t in network]
        loss = adversarial._real_loss(apply(leaves, indicators(codes[i : i + 1], SIZES)[0])).squeeze()
        alone = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, leaves)])
        np.testing.assert_allclose(together[i], alone.numpy(), atol=1e-6)


@pytest.mark.parametrize("hidden", [(), (7,), (7, 4)])
@pytest.mark.parametrize("sign", [1, -1])
def test_one_pass_back_gives_what_a_pass_for_each_row_gives_before_and_after_the_network_changed(hidden, sign):
    network, x = critic(hidden=hidden), indicators(rows(30), SIZES)
    by_row = each_row(network, lambda n, row: ((1 - sign * apply(n, row)) ** 2).squeeze())
    at_once = each_row_of_perceptron(network, lambda scores: (1 - sign * scores) ** 2)
    for _ in range(2):
        np.testing.assert_allclose(at_once(x).numpy(), by_row(x).numpy(), rtol=1e-4, atol=1e-5)
        for tensor in network:
            tensor += 0.1
    assert at_once(x).abs().sum() > 0


@given(st.integers(0, 2**31), st.sampled_from([(), (3,), (16, 8)]), st.sampled_from([1e-3, 1.0, 1e4, 1e30]))
@settings(max_examples=40, deadline=None)
def test_with_noise_off_one_row_moves_the_sum_of_a_random_network_by_the_clip_at_most(seed, hidden, scale):
    codes = rows(12, seed % 1000)
    answers = gradients(critic(seed, hidden, scale))(codes)
    moved = clipped_sum(answers, 0.7) - clipped_sum(answers[1:], 0.7)
    assert sum(int(x) ** 2 for x in moved) <= 2**40


def test_a_rows_gradient_has_the_same_bits_whatever_stands_beside_it():
    network, codes = critic(hidden=(64,)), rows(PIECE)
    other = rows(PIECE, seed=1)
    other[17] = codes[17]
    one, two = gradients(network)(codes)[17], gradients(network)(other)[17]
    assert np.array_equal(one, two)


def test_a_packed_critic_is_refused_by_the_kernel():
    table = SensitiveRows(rows(50), sizes=SIZES, protects=PrivacyUnit())
    network = critic()
    event = DpSgd(0.5, 1.0, 1)
    training = Training(
        event.rate,
        event.noise_multiplier,
        grant(event, reads=gradients),
        table,
        parameters=parameters(network),
        clip=1.0,
        assumed_rows=50,
    )

    def normalised(codes):
        x = indicators(codes, SIZES)
        return each_row_of_perceptron(network, adversarial._real_loss)(x - x.mean(dim=0)).numpy()

    with pytest.raises(ValueError, match="rows beside it"):
        training.step(normalised)
    training.step(gradients(network))


def test_indicators_and_vectors_keep_their_order():
    x = indicators(np.array([[2, 0, 1]]), SIZES)
    assert x.tolist() == [[0, 0, 1, 1, 0, 0, 0, 0, 0, 1]]
    network = critic()
    flat = np.concatenate([t.reshape(-1).numpy() for t in network])
    assert all(torch.equal(a, b) for a, b in zip(unflattened(flat, network), network, strict=True))
    assert len(flat) == parameters(network) == perceptron_size([sum(SIZES), 7, 1])


def test_rows_are_drawn_as_often_as_their_probabilities_say_and_pass_a_gradient_on():
    logits = torch.tensor([[0.0, 1.0, 2.0, 0.0, 0.0, 3.0, 0.0, 0.0, -1.0, 1.0]]).repeat(20_000, 1).requires_grad_(True)
    x = drawn(logits, SIZES, torch.Generator().manual_seed(0))
    start = 0
    for size in SIZES:
        share = torch.softmax(logits[0, start : start + size], dim=0)
        assert torch.all((x[:, start : start + size].mean(dim=0) - share).abs() < 5 * (0.25 / 20_000) ** 0.5)
        assert torch.allclose(x[:, start : start + size].sum(dim=1), torch.ones(20_000))
        start += size
    apply(critic(), x).sum().backward()
    assert logits.grad.abs().sum() > 0


def test_fakes_are_clipped_as_real_rows_are():
    answers = torch.randn(40, 9, generator=torch.Generator().manual_seed(0)) * 3
    expected = clipped_sum(answers.numpy(), 1.0) * 2.0**-20 / 40
    np.testing.assert_allclose(clipped_mean(answers, 1.0).numpy(), expected, atol=1e-5)
