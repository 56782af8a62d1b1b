"""The joint test: exact under exchangeability, whatever the attacks; powerful; the same as counting all deals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom, hypergeom, mannwhitneyu

from dpsynth.auditing.statistics.permutation import Linear, joint_test, rank_sum, top_share


def test_a_single_test_agrees_with_counting_every_deal():
    weights = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
    member = np.array([1, 0, 1, 0, 1, 1, 0, 0], dtype=bool)
    deals = [weights[list(c)].sum() for c in itertools.combinations(range(8), 4)]
    exact = np.mean(np.array(deals) >= weights[member].sum())
    p, _ = joint_test([Linear(weights)], member, 20_000, np.random.default_rng(0))
    assert p[0] == pytest.approx(exact, abs=0.012)


def test_copies_in_the_training_table_alone_have_the_hypergeometric_p():
    hits, member = np.zeros(400), np.arange(400) < 200
    hits[:5] = 1
    p, _ = joint_test([Linear(hits)], member, 20_000, np.random.default_rng(0))
    assert p[0] == pytest.approx(hypergeom.sf(4, 400, 5, 200), abs=0.005)


def test_the_rank_sum_has_the_p_of_mann_and_whitney():
    rng, member = np.random.default_rng(4), np.arange(300) < 120
    scores = rng.normal(size=300) + 0.2 * member
    p, _ = joint_test([rank_sum(scores)], member, 10_000, rng)
    assert p[0] == pytest.approx(mannwhitneyu(scores[member], scores[~member], alternative="greater").pvalue, abs=0.012)


def test_ties_at_the_end_of_the_top_count_in_part():
    scores, member = np.array([5.0, 3, 3, 3, 1, 1]), np.array([1, 1, 0, 0, 0, 1], dtype=np.float32)[:, None]
    assert top_share(scores, 0.5).of(member)[0] == pytest.approx(1 + 2 / 3 * 1 - 3 * 0.5)


def test_the_family_wise_error_rate_is_kept_by_attacks_that_depend_on_each_other():
    """400 tables without a leak, 12 attacks in three families: at most 36 rejections at .05 with probability .999."""
    rng, member, rejected = np.random.default_rng(1), np.arange(120) < 60, 0
    for _ in range(400):
        common = rng.normal(size=(3, 120))
        attacks = [rank_sum(common[i % 3] + 0.3 * rng.normal(size=120)) for i in range(12)]
        rejected += joint_test(attacks, member, 199, rng)[1].min() <= 0.05
    assert rejected <= binom.isf(0.001, 400, 0.05)
    assert rejected >= 4  # not conservative by an order either


def test_one_leak_among_many_attacks_is_found_and_named():
    rng, member = np.random.default_rng(2), np.arange(400) < 200
    scores = [rng.normal(size=400) for _ in range(20)]
    scores[7] += 0.6 * member
    p, adjusted = joint_test([rank_sum(s) for s in scores], member, 999, rng)
    assert adjusted.argmin() == 7
    assert adjusted[7] <= 0.002
    assert np.all(adjusted >= p)
    assert np.sum(adjusted <= 0.05) == 1


def test_a_statistic_that_never_varies_has_p_one():
    p, adjusted = joint_test([Linear(np.zeros(10))], np.arange(10) < 5, 99, np.random.default_rng(0))
    assert (p[0], adjusted[0]) == (1.0, 1.0)


@pytest.mark.parametrize("scores", [np.zeros(1200), np.full(1200, 0.1)])
def test_a_ranking_in_which_all_records_are_equal_says_nothing(scores):
    """Rounding must not tell apart what is equal: the deals are summed in other orders than the truth."""
    statistics = [rank_sum(scores), top_share(scores, 0.01), Linear(scores)]
    p, _ = joint_test(statistics, np.arange(1200) < 600, 999, np.random.default_rng(0))
    assert p.tolist() == [1.0, 1.0, 1.0]
