"""The verifier's integral: against exact curves, another line in the plane, and sums over single losses."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from dpsynth.evidence.verifier import recompute
from tests.pace import soon
from tests.rings import oracle


@pytest.mark.parametrize("mu", [1e-5, 0.01, 0.3, 5.0])
@pytest.mark.parametrize("deviations", [0, 3, 6])
def test_the_contour_integral_of_gaussian_noise_is_the_exact_curve(mu, deviations):
    epsilon = mu * mu / 2 + deviations * mu
    assert recompute.Mix(mu * mu).delta(epsilon) == pytest.approx(
        float(oracle.delta(epsilon, Fraction(mu * mu))), rel=1e-9
    )


@pytest.mark.parametrize(
    ("rate", "noise", "steps", "mu_squared"),
    [(0.0014, 1.2165, 1866, 0.001234), (0.0347, 1.678, 42, 0.01), (0.1, 1.0, 300, 0)],
)
def test_the_contour_integral_does_not_depend_on_where_the_contour_lies(rate, noise, steps, mu_squared):
    """Few or rare steps beside little Gaussian noise: losses spread widely, and the rule must reach beyond them."""
    for removed in (True, False):
        mix = recompute.Mix(mu_squared, ((rate, noise, steps),), removed)
        for epsilon in (0.1, 0.4):
            assert mix.delta(epsilon) == pytest.approx(line_integral(mix, epsilon, 2.0), rel=1e-6)


def line_integral(mix, epsilon, t):
    """The same along another line, in numpy, with ten times the nodes and a fixed reach."""
    z = t + 1j * 2 * math.pi / 80 * np.arange(6000 if mix.trainings[0][2] < 100 else 2000)
    (rate, noise, steps), *_ = mix.trainings
    x = np.arange(-14 - 3 / noise, 14 + 4 / noise, 0.008)
    log_ratio = np.logaddexp(math.log1p(-rate), math.log(rate) + x / noise - 0.5 / noise**2)
    power = z + 1 if mix.removed else -z
    weights = np.exp(power[0].real * log_ratio - x * x / 2) * 0.008 / math.sqrt(2 * math.pi)
    moments = np.concatenate([np.exp(1j * np.outer(p.imag, log_ratio)) @ weights for p in np.array_split(power, 400)])
    terms = moments**steps * np.exp(z * (z + 1) * mix.mu_squared / 2 - z * epsilon) / (z * (z + 1))
    return float((terms.real.sum() - terms[0].real / 2) / 40)


def test_responses_beside_noise_are_what_they_are_one_by_one():
    listed = [{"event": "external_program", "epsilon": e, "delta": 1e-9} for e in (0.3, 0.7, 1.1)]
    alone, noise = (
        recompute.Mix.of(listed, True),
        recompute.Mix.of([{"event": "gaussian", "noise_multiplier": 2.0}], True),
    )
    both = recompute.Mix(noise.mu_squared, (), True, alone.responses, alone.failing)
    for epsilon in (0.0, 1.0, 2.5):
        exact = 0.0
        for signs in itertools.product((1, -1), repeat=3):
            loss = sum(s * e for s, e in zip(signs, alone.responses, strict=True))
            share = math.prod(1 / (1 + math.exp(-s * e)) for s, e in zip(signs, alone.responses, strict=True))
            exact += share * noise.delta(epsilon - loss)
        assert both.delta(epsilon) == pytest.approx(3e-9 + (1 - 3e-9) * exact, rel=1e-8)


def test_very_many_programs_are_recomputed_soon_and_never_from_above():
    listed = [{"event": "external_program", "epsilon": 0.1 + 0.01 * i, "delta": 1e-9} for i in range(25)]

    def recomputed():
        alone = recompute.Mix.of(listed, True)
        beside = recompute.Mix.of([*listed, {"event": "gaussian", "noise_multiplier": 200.0}], True)
        return alone.delta(1.0), beside.delta(1.0)

    alone, beside = soon(2, recomputed)
    assert 0.999 * beside <= alone <= beside
