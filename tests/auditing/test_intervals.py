"""Intervals cover, and agree with other programs and published examples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from dpsynth.auditing.statistics.intervals import (
    area_under_curve,
    clopper_pearson,
    rate_at,
    rate_difference,
    relative_risk,
    wilson,
)


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (7, 7), (3, 11), (250, 1000)])
def test_intervals_of_a_rate_are_those_of_other_programs(hits, n):
    exact = binomtest(hits, n).proportion_ci(method="exact")
    assert (clopper_pearson(hits, n).low, clopper_pearson(hits, n).high) == pytest.approx((exact.low, exact.high))
    score = proportion_confint(hits, n, method="wilson")
    assert (wilson(hits, n).low, wilson(hits, n).high) == pytest.approx(score)


@pytest.mark.parametrize(
    ("a", "m", "b", "n"), [(56, 70, 48, 80), (9, 10, 3, 10), (0, 20, 0, 30), (500, 1000, 450, 900)]
)
def test_differences_are_newcombes(a, m, b, n):
    found = rate_difference(wilson(a, m), wilson(b, n))
    expected = confint_proportions_2indep(a, m, b, n, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


def test_relative_risk_is_the_part_of_what_was_left_to_learn():
    found = relative_risk(wilson(900, 1000), wilson(800, 1000))
    assert found.value == pytest.approx(0.5)
    assert 0.3 < found.low < 0.5 < found.high < 0.7
    nothing_left = relative_risk(wilson(10, 10), wilson(10, 10))
    assert (nothing_left.value, nothing_left.low) == (0.0, -np.inf)
    unclipped = relative_risk(wilson(700, 1000), wilson(800, 1000))
    assert unclipped.low < unclipped.value == pytest.approx(-0.5)


def test_relative_risk_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    pairs = zip(rng.binomial(300, 0.9, 2000), rng.binomial(300, 0.8, 2000), strict=True)
    covered = [low.low <= 0.5 <= low.high for low in (relative_risk(wilson(a, 300), wilson(b, 300)) for a, b in pairs)]
    assert 0.935 <= np.mean(covered) <= 0.97


def test_the_area_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(1)
    scores, member = rng.integers(0, 9, 60).astype(float), np.arange(60) < 25
    pairs = itertools.product(scores[member], scores[~member])
    brute = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])
    assert area_under_curve(scores, member).value == pytest.approx(brute)


@pytest.mark.parametrize("mu", [0.0, 0.5, 2.0])
def test_the_area_is_covered_about_as_often_as_it_says(mu):
    rng, truth, n = np.random.default_rng(2), norm.cdf(mu / np.sqrt(2)), 400
    member = np.arange(2 * n) < n
    found = [area_under_curve(rng.normal(size=2 * n) + mu * member, member) for _ in range(600)]
    assert 0.92 <= np.mean([e.low <= truth <= e.high for e in found]) <= 0.98


def test_an_area_of_one_is_not_taken_for_certainty():
    found = area_under_curve(np.arange(10.0), np.arange(10) >= 5)
    assert found.value == 1
    assert found.low < 0.9


def test_the_rate_at_a_low_false_positive_rate_is_a_step_and_needs_enough_rows():
    member = np.arange(1200) < 600
    scores = np.where(member, np.arange(1200) < 60, 0).astype(float)
    tpr, fpr = rate_at(scores, member, 0.01)
    assert (tpr.value, fpr.value) == (0.1, 0.0)
    assert tpr.low == pytest.approx(clopper_pearson(60, 600, 0.975).low)
    assert clopper_pearson(60, 600, 0.975).high < tpr.high < 0.18  # some of the others, who are all alike
    assert rate_at(scores[:-301], member[:-301], 0.01) is None
    assert rate_at(scores, member, 0.001) is None


def test_where_all_are_alike_the_rate_is_near_the_false_positive_rate():
    tpr, _ = rate_at(np.zeros(8000), np.arange(8000) < 4000, 0.01)
    assert tpr.value == tpr.low == 0
    assert 0.01 < tpr.high < 0.025


@pytest.mark.parametrize(("mu", "n"), [(0.0, 400), (0.8, 400), (0.8, 3000)])
def test_the_rate_is_covered_as_often_as_it_says_though_its_threshold_is_chosen_by_the_data(mu, n):
    """1,000 audits of a known curve: at most 42 miss on each side (2.5 % and .999); the interval given the threshold
    misses more.
    """
    rng, member = np.random.default_rng(4), np.arange(2 * n) < n
    truth = norm.sf(norm.isf(0.01) - mu)
    found = [rate_at(rng.normal(size=2 * n) + mu * member, member, 0.01)[0] for _ in range(1000)]
    assert sum(f.low > truth for f in found) <= binom.isf(0.001, 1000, 0.025)
    assert sum(f.high < truth for f in found) <= binom.isf(0.001, 1000, 0.025)
    given = [clopper_pearson(round(f.value * n), n) for f in found]
    assert sum(not g.low <= truth <= g.high for g in given) > 1.4 * binom.isf(0.001, 1000, 0.05)


def test_at_most_the_stated_share_of_false_positives_is_let_in():
    rng = np.random.default_rng(3)
    for ties in (5, 50, 10**6):
        scores, member = rng.integers(0, ties, 2000).astype(float), rng.random(2000) < 0.4
        assert rate_at(scores, member, 0.05)[1].value <= 0.05
