"""Slow, obvious, exact: the Gaussian curve and the rounded Gaussian in arithmetic of hundreds of digits."""

from __future__ import annotations

import functools
from fractions import Fraction
from itertools import product

import numpy as np
from mpmath import mp
from scipy.special import ndtr

MP = mp.clone()
MP.dps = 200

WIDE = mp.clone()
WIDE.prec = 3000


def delta(epsilon, mu_squared: Fraction):
    """The exact delta of mu-GDP at epsilon (Balle and Wang, arXiv 1805.06530, Thm 8), with 200 digits."""
    mu = MP.sqrt(MP.mpf(mu_squared.numerator) / mu_squared.denominator)
    eps = MP.mpf(epsilon)
    return MP.ncdf(mu / 2 - eps / mu) - MP.exp(eps) * MP.ncdf(-mu / 2 - eps / mu)


@functools.cache
def upper_tail(x):
    """Q(x) of the standard normal, with 3000 bits."""
    return WIDE.erfc(WIDE.mpf(x) / WIDE.sqrt(2)) / 2


def rounded_gaussian_pmf(k: np.ndarray, stddev: float, shift: float = 0.0) -> np.ndarray:
    """P(round(N(shift, stddev^2)) = k), from differences of upper tails, which keep their relative precision."""
    far, near = (np.abs(k - shift) + 0.5) / stddev, (np.abs(k - shift) - 0.5) / stddev
    return ndtr(-near) - ndtr(-far)


def movements(cells: int, k: int, adjacency: str) -> list[np.ndarray]:
    """All that one unit of at most k records can do to the counts of a marginal."""
    bundles = [np.array(d) for d in product(range(k + 1), repeat=cells) if sum(d) <= k]
    if adjacency == "add-remove":
        return [s * d for d in bundles for s in (-1, 1)]
    return [d - e for d in bundles for e in bundles]


def sampled_delta(epsilon: float, rate: float, noise: float, removed: bool):
    """The exact delta of one Gaussian step on a Poisson sample, with 200 digits: outputs on one side of a threshold."""
    eps, q, s = MP.mpf(float(epsilon)), MP.mpf(rate), MP.mpf(noise)
    odds = (MP.exp(eps if removed else -eps) - 1 + q) / q
    if odds <= 0:
        return 1 - MP.exp(eps) if removed else MP.mpf(0)
    x = s * s * MP.log(odds) + MP.mpf(1) / 2
    if removed:
        q_above = MP.ncdf(-x / s)
        return (1 - q) * q_above + q * MP.ncdf((1 - x) / s) - MP.exp(eps) * q_above
    p_below = MP.ncdf(x / s)
    return p_below - MP.exp(eps) * ((1 - q) * p_below + q * MP.ncdf((x - 1) / s))


def sampled_losses(rate: float, noise: float, removed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and losses of one such step on a fine grid of outputs."""
    x = np.linspace(-9 * noise, 1 + 9 * noise, 4001)
    one, other = (np.exp(-(((x - c) / noise) ** 2) / 2) for c in (0, 1))
    mixed = (1 - rate) * one + rate * other
    p, q = (mixed, one) if removed else (one, mixed)
    return p / p.sum(), np.log(p) - np.log(q)


def composed_delta(p: np.ndarray, loss: np.ndarray, epsilon: float) -> float:
    """delta of two such steps: the double sum over both outputs, by its definition."""
    return sum(
        float(a * (p * -np.expm1(np.minimum(epsilon - b - loss, 0))).sum()) for a, b in zip(p, loss, strict=True)
    )


def random_schedule(rng: np.random.Generator) -> list:
    """One to three trainings and perhaps Gaussian noise."""
    from dpsynth.kernel.events import Gaussian
    from dpsynth.training.event import DpSgd

    events: list = [
        DpSgd(float(10 ** rng.uniform(-3, -0.5)), float(10 ** rng.uniform(-0.1, 1)), int(10 ** rng.uniform(0, 3.3)))
        for _ in range(rng.integers(1, 3))
    ]
    return events + [Gaussian(float(10 ** rng.uniform(0, 2)))] * int(rng.integers(0, 2))


def program_epsilon(accounting, events: list, delta: float, interval: float) -> float:
    """What dp-accounting says of these events."""
    accountant = accounting.pld.PLDAccountant(value_discretization_interval=interval)
    for event in events:
        noise = accounting.GaussianDpEvent(event.noise_multiplier)
        sampling = getattr(event, "rate", None)
        step = noise if sampling is None else accounting.PoissonSampledDpEvent(sampling, noise)
        accountant.compose(step, getattr(event, "steps", 1))
    return accountant.get_epsilon(delta)
