"""Bounds against published pins, and never above the truth more often than they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from dpsynth.auditing.statistics.epsilon_bounds import (
    Counts,
    _gdp_p_value,
    _one_run_p_value,
    epsilon_lower,
    max_epsilon,
    mu_by_area,
    mu_lower,
    mu_point,
    one_run,
    power,
    power_of_events,
    spread_of_mu,
)


def typical(mu, n):
    """The counts that the best rule is expected to have."""
    p = norm.cdf(-mu / 2)
    return Counts(round(n * p), n, round(n * (1 - p)), n)


@pytest.mark.parametrize(
    ("given", "epsilon"), [((1000, 100, 75, 1e-4, 0.05), 0.67298), ((100_000, 1510, 1439, 1e-5, 0.05), 2.67585)]
)
def test_one_run_bounds_are_those_of_the_paper(given, epsilon):
    """Values of the reference code of Steinke, Nasr and Jagielski (arXiv 2305.08846, appendix D)."""
    assert one_run(*given) == pytest.approx(epsilon, abs=5e-5)


def test_the_one_run_p_value_is_that_of_the_paper():
    assert _one_run_p_value(100, 100, 75, math.log(3), 0.0) == pytest.approx(0.5535, abs=5e-5)


def test_guesses_at_random_bound_nothing():
    assert one_run(1000, 100, 50, 1e-5, 0.05) == 0.0
    assert one_run(10, 0, 0, 1e-5, 0.05) == 0.0
    with pytest.raises(ValueError, match="right <= guesses"):
        one_run(10, 5, 6, 1e-5, 0.05)


@pytest.mark.parametrize(
    ("mu", "n", "bound"),
    [(0.268, 5000, 0.227), (0.502, 200, 0.293), (0.502, 1000, 0.408), (0.925, 500, 0.789), (1.666, 1000, 1.56)],
)
def test_exact_inversion_loses_as_little_as_the_normal_approximation_says(mu, n, bound):
    assert mu_lower(typical(mu, n), 0.05) == pytest.approx(bound, abs=0.012)
    assert mu_point(typical(mu, n)) == pytest.approx(mu, abs=0.02)


@pytest.mark.parametrize(("n", "epsilon"), [(100, 3.28), (200, 3.98), (400, 4.682), (1000, 5.60), (5000, 7.21)])
def test_no_audit_shows_more_than_its_runs_allow(n, epsilon):
    assert max_epsilon(n, n, 1e-5, 0.05) == pytest.approx(epsilon, abs=0.006)


def test_swapping_the_tables_swaps_the_errors_and_not_what_was_seen():
    a, b = Counts(10, 300, 60, 300), Counts(240, 300, 290, 300)
    assert epsilon_lower(a, 1e-5, 0.05) == pytest.approx(epsilon_lower(b, 1e-5, 0.05))
    assert mu_point(a) == pytest.approx(mu_point(b))


@pytest.mark.parametrize("p", [0.05, 0.4])
def test_a_true_mu_is_refuted_no_more_often_than_promised(p):
    """400 audits of a mechanism that is exactly mu-GDP, at alpha .05: at most 36 above mu with probability .999."""
    rng, mu, n = np.random.default_rng(0), 0.9, 120
    q = norm.cdf(norm.ppf(p) + mu)
    counts = zip(rng.binomial(n, p, 400).tolist(), rng.binomial(n, q, 400).tolist(), strict=True)
    refuted = sum(_gdp_p_value(Counts(f, n, t, n), mu, 0.05) <= 0.05 for f, t in counts)
    assert refuted <= binom.isf(0.001, 400, 0.05)
    assert refuted >= 3  # and with some power left


@pytest.mark.parametrize("draw", ["gaussian", "one bit", "coarse"])
def test_the_area_bounds_mu_no_more_often_too_high_than_promised_whatever_the_score(draw):
    """400 audits of a mechanism that is exactly mu-GDP, at alpha .05: at most 36 above mu with probability .999."""
    rng, mu, n = np.random.default_rng(3), 0.9, 400
    score = {"gaussian": lambda x: x, "one bit": lambda x: (x > 0.8) * 1.0, "coarse": lambda x: np.rint(1.5 * x)}[draw]
    worlds = rng.normal(size=(400, 2, n)) + np.array([0.0, mu])[:, None]
    found = [mu_by_area(score(first), score(second), 0.05) for first, second in worlds]
    assert sum(f.low > mu for f in found) <= binom.isf(0.001, 400, 0.05)
    if draw == "gaussian":
        assert np.mean([f.value for f in found]) == pytest.approx(mu, abs=0.02)
        counted = [Counts(int((a > mu / 2).sum()), n, int((b > mu / 2).sum()), n) for a, b in worlds]
        spread = np.std([mu_point(c) for c in counted])
        assert np.std([f.value for f in found]) < 0.93 * spread  # worth more runs than counted guesses
        assert np.mean([spread_of_mu(c) for c in counted]) == pytest.approx(spread, rel=0.12)


def test_a_true_epsilon_is_refuted_no_more_often_than_promised():
    """Randomised response, the worst case of pure epsilon-DP."""
    rng, epsilon, n = np.random.default_rng(1), 1.0, 200
    q = 1 / (1 + math.exp(-epsilon))
    pairs = zip(rng.binomial(n, 1 - q, 2000).tolist(), rng.binomial(n, q, 2000).tolist(), strict=True)
    assert sum(epsilon_lower(Counts(f, n, t, n), 0.0, 0.05) > epsilon for f, t in pairs) <= binom.isf(0.001, 2000, 0.05)


@pytest.mark.parametrize("right", [0, 20, 40])
def test_bounds_fall_with_alpha_and_rise_with_what_was_seen(right):
    counts = Counts(20, 40, right, 40)
    assert mu_lower(counts, 0.01) <= mu_lower(counts, 0.1)
    assert epsilon_lower(counts, 1e-5, 0.01) <= epsilon_lower(counts, 1e-5, 0.1)
    assert (mu_lower(counts, 0.05) > 0) == (right == 40)


@pytest.mark.parametrize(
    ("epsilon_mu", "runs", "alpha"), [(0.268, 385, 0.05), (0.925, 149, 0.001), (0.502, 402, 0.001)]
)
def test_power_against_half_the_noise_is_that_of_the_design(epsilon_mu, runs, alpha):
    """Runs per table for 90 % at .05, or 99 % at .001, by simulation."""
    assert power(2 * epsilon_mu, epsilon_mu, runs, alpha) == pytest.approx(0.9 if alpha == 0.05 else 0.99, abs=0.03)


@pytest.mark.parametrize(("epsilon", "delta", "runs"), [(1.0, 0.0, 150), (1.0, 1e-5, 400), (0.5, 0.0, 1000)])
def test_power_against_half_of_laplace_noise_is_that_of_a_simulation(epsilon, delta, runs):
    """2,000 audits: within four standard errors."""
    rng = np.random.default_rng(5)
    false = rng.binomial(runs, math.exp(-2 * epsilon) / 2, 2000).tolist()
    true = rng.binomial(runs, 0.5, 2000).tolist()
    refuted = [epsilon_lower(Counts(f, runs, t, runs), delta, 0.05) > epsilon for f, t in zip(false, true, strict=True)]
    assert np.mean(refuted) == pytest.approx(power_of_events(epsilon, delta, runs, 0.05), abs=4 * 0.5 / 2000**0.5)


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="counts must lie"):
        Counts(5, 4, 0, 4)
