"""Ceilings of a claim, against published pins and against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from dpsynth.auditing.claim import PrivacyClaim, epsilon_of_mu, mu_of_epsilon, rho_of_epsilon


@pytest.mark.parametrize(
    ("epsilon", "delta", "mu"),
    [(1, 1e-2, 0.45478), (1, 1e-5, 0.2472), (2, 1e-5, 0.4653), (4, 1e-5, 0.8639), (8, 1e-5, 1.568), (10, 1e-5, 1.888)],
)
def test_what_zcdp_calibration_implies_is_the_published_mu(epsilon, delta, mu):
    """The first by Ganev, Annamalai, Kulynych (arXiv 2604.18352); the others computed independently."""
    assert PrivacyClaim.zcdp_calibrated(epsilon, delta).mu == pytest.approx(mu, rel=5e-4)
    assert math.sqrt(2 * rho_of_epsilon(epsilon, delta)) < mu_of_epsilon(epsilon, delta)


def test_direct_calibration_is_the_published_mu():
    assert PrivacyClaim.gaussian(1, 1e-2).mu == pytest.approx(0.53252, abs=5e-6)


@pytest.mark.parametrize(("mu", "epsilon"), [(0.2472, 0.915), (0.4653, 1.84), (0.8639, 3.70), (1.568, 7.44)])
def test_mu_and_epsilon_are_inverse(mu, epsilon):
    assert epsilon_of_mu(mu, 1e-5) == pytest.approx(epsilon, rel=5e-3)
    assert mu_of_epsilon(epsilon_of_mu(mu, 1e-5), 1e-5) == pytest.approx(mu, rel=1e-6)
    assert epsilon_of_mu(0.0, 1e-5) == 0


@pytest.mark.parametrize(
    ("epsilon", "auc", "advantage", "one_percent"),
    [(1, 0.575, 0.107, 0.0198), (2, 0.639, 0.198, 0.034), (4, 0.743, 0.356, 0.081), (8, 0.881, 0.595, 0.255)],
)
def test_gaussian_ceilings_are_the_closed_forms(epsilon, auc, advantage, one_percent):
    claim = PrivacyClaim(mu=mu_of_epsilon(epsilon, 1e-5))
    assert claim.auc_ceiling == pytest.approx(auc, abs=6e-4)
    assert claim.auc_ceiling == pytest.approx(norm.cdf(claim.mu / math.sqrt(2)), abs=1e-5)
    assert claim.advantage_ceiling == pytest.approx(advantage, abs=6e-4)
    assert claim.tpr_ceiling(0.01) == pytest.approx(one_percent, rel=2e-2)


def test_pure_ceilings_are_the_closed_forms():
    claim = PrivacyClaim(1.0, 0.0)
    assert claim.advantage_ceiling == pytest.approx((math.e - 1) / (math.e + 1), abs=1e-4)
    assert claim.tpr_ceiling(0.01) == pytest.approx(0.01 * math.e)
    assert claim.tpr_ceiling(0.0) == 0.0


def test_a_stronger_claim_allows_less_and_two_claims_allow_the_least_of_both():
    fprs = np.linspace(0, 1, 101)
    weak, strong = PrivacyClaim(2, 1e-5), PrivacyClaim.gaussian(2, 1e-5)
    assert all(strong.tpr_ceiling(f) <= weak.tpr_ceiling(f) + 1e-12 for f in fprs)
    assert all(PrivacyClaim(1, 1e-5).tpr_ceiling(f) <= weak.tpr_ceiling(f) for f in fprs)
    assert all(f <= strong.tpr_ceiling(f) <= 1 for f in fprs)


@pytest.mark.parametrize("given", [{}, {"epsilon": 1}, {"delta": 1e-5}, {"mu": -1}, {"epsilon": 1, "delta": 1.0}])
def test_half_a_claim_is_refused_in_one_sentence(given):
    with pytest.raises(ValueError, match="claim"):
        PrivacyClaim(**given)
