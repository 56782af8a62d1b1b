"""Faults planted in noise itself and in the drawing of batches, which a mechanism audit has to see."""

from __future__ import annotations

import numpy as np

from dpsynth.auditing.mechanism.noise import Answer, audit_noise, check_sampling

STDDEV = 5.0


def answers(draw, numbers, sizes=(30,), seed=0):
    """Counts with noise by `draw(rng, size)`, as many numbers as asked for."""
    rng = np.random.default_rng(seed)
    found = []
    while sum(a.noisy.size for a in found) < numbers:
        exact = rng.integers(0, 50, sizes[len(found) % len(sizes)]).astype(float)
        found.append(Answer(exact + draw(rng, exact.size), exact, STDDEV))
    return found


def gaussian(factor=1.0):
    return lambda rng, size: np.rint(rng.normal(scale=factor * STDDEV, size=size))


def noise_of_another_shape(rng, size):
    return np.rint(rng.laplace(scale=STDDEV / np.sqrt(2), size=size))


def noise_that_hangs_together(rng, size):
    z = rng.normal(size=size + 1)
    return np.rint(STDDEV * (z[1:] + z[:-1]) / np.sqrt(2))


def noise_used_twice(rng, size):
    return np.rint(np.random.default_rng(0).normal(scale=STDDEV, size=size))


def low_order_bits(rng, size):
    return rng.normal(scale=STDDEV, size=size)


NOISES = {
    noise_of_another_shape: (4000, "shape"),
    noise_that_hangs_together: (500, "independence"),
    noise_used_twice: (60, "reuse"),
    low_order_bits: (30, "grid"),
}
"""How many numbers show each, and the check that fails."""

RATE = 0.1


def coins(rng):
    return rng.random((40, 400)) < RATE


def batches_shuffled(rng):
    return np.concatenate([np.arange(10)[:, None] == rng.permutation(400) // 40 for _ in range(4)])


def batches_of_one_size(rng):
    return np.array([np.isin(np.arange(400), rng.choice(400, 40, replace=False)) for _ in range(40)])


def batches_by_category(rng):
    return rng.random((40, 400)) < np.repeat([0.02, 0.18], 200)


BATCHES = (batches_shuffled, batches_of_one_size, batches_by_category)
"""Forty batches of 400 records each, billed as drawn by coins of RATE."""


def broken(audit):
    return [check.name for check in audit.checks if not check.holds]


def seen(fault):
    """Whether the mechanism audit sees a fault of NOISES or BATCHES."""
    if fault in BATCHES:
        return not check_sampling(fault(np.random.default_rng(0)), RATE).holds
    return audit_noise(answers(fault, NOISES[fault][0])).refuted
