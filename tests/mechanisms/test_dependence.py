"""Dependence: chance against random rows, what is believed of scores against what they were made of."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth.mechanisms.marginal.dependence import by_chance, dependence
from dpsynth.mechanisms.marginal.selection import Scores
from dpsynth.mechanisms.marginal.weights import rarity, with_rare_levels


def counted(a, b, shape):
    return np.bincount(np.ravel_multi_index((a, b), shape), minlength=int(np.prod(shape))).reshape(shape)


@pytest.mark.parametrize(
    "levels",
    [([4000, 3000, 3000], [5000, 2500, 2500]), ([9950, 50], [1250] * 8), ([9998, 2], [100] * 100)],
)
def test_chance_is_how_far_rows_fall_from_their_columns_when_nothing_depends(levels):
    rng = np.random.default_rng(0)
    a, b = (np.repeat(np.arange(len(x)), x) for x in levels)
    shape = (len(levels[0]), len(levels[1]))
    expected = np.multiply.outer(*levels) / len(a)
    drawn = [np.abs(counted(a, rng.permutation(b), shape) - expected).sum() for _ in range(200)]
    found = by_chance(expected, np.zeros(shape[0]), np.zeros(shape[1]))
    assert found == pytest.approx(np.mean(drawn), rel=0.06)


def test_chance_holds_the_errors_of_both_columns():
    rng = np.random.default_rng(1)
    true = (np.array([9000.0, 1000.0]), np.array([2500.0, 2500.0, 2500.0, 2500.0]))
    exact = np.multiply.outer(*true) / 10_000
    drawn = []
    for _ in range(500):
        noisy = [x + rng.normal(0, 200, x.size) for x in true]
        drawn.append(np.abs(np.multiply.outer(*noisy) / 10_000 - exact).sum())
    found = by_chance(exact, np.full(2, 200.0), np.full(4, 200.0))
    still = by_chance(exact, np.zeros(2), np.zeros(4))
    assert found == pytest.approx(np.hypot(np.mean(drawn), still), rel=0.1)


def offer(number, cells=20, each=50.0):
    pairs = [(f"a{i}", "b") for i in range(number)]
    estimates = dict.fromkeys(pairs, np.full((2, cells), each))
    errors = {a: np.zeros(2) for a, _ in pairs} | {"b": np.zeros(cells)}
    chance = by_chance(np.full((2, cells), each), np.zeros(2), np.zeros(cells))
    return pairs, estimates, errors, chance


@pytest.mark.parametrize("stddev", [5.0, 100.0, 2000.0])
def test_scores_of_pure_noise_leave_little_to_gain(stddev):
    pairs, estimates, errors, chance = offer(100)
    rng = np.random.default_rng(2)
    for _ in range(10):
        values = chance + rng.normal(0, stddev, len(pairs))
        gains = dependence(Scores(dict(zip(pairs, values, strict=True)), stddev), estimates, errors)
        assert np.mean(list(gains.values())) < max(0.5 * stddev, 0.5 * chance)
        assert min(gains.values()) >= 0


@pytest.mark.parametrize("stddev", [1.0, 30.0, 100.0])
def test_dependence_that_stands_out_is_found_among_many_that_do_not(stddev):
    pairs, estimates, errors, chance = offer(200)
    rng = np.random.default_rng(3)
    true = np.where(np.arange(len(pairs)) < 5, 12 * stddev + 500.0, 0.0)
    values = np.hypot(true, chance) + rng.normal(0, stddev, len(pairs))
    gains = np.array(
        list(dependence(Scores(dict(zip(pairs, values, strict=True)), stddev), estimates, errors).values())
    )
    assert gains[:5] == pytest.approx(true[:5], rel=0.3)
    assert np.median(gains[5:]) < 0.2 * true[0]


def test_a_larger_score_is_no_smaller_gain():
    pairs, estimates, errors, chance = offer(60)
    values = np.sort(np.random.default_rng(4).gamma(1.0, 200, len(pairs))) + chance
    gains = list(dependence(Scores(dict(zip(pairs, values, strict=True)), 40.0), estimates, errors).values())
    assert gains == sorted(gains)


def test_no_pairs_have_no_gains():
    assert dependence(Scores({}, 1.0), {}, {}) == {}


def test_a_rare_level_counts_by_how_rare_it_is_and_each_level_of_the_target_alike():
    masses = {"fraud": np.array([99_000.0, 1000.0]), "sex": np.array([60_000.0, 40_000.0])}
    noise = {a: np.full(2, 200.0) for a in masses}
    plain, aimed = rarity(masses, noise, None), rarity(masses, noise, "fraud")
    assert plain["sex"].tolist() == [1, 1]
    assert plain["fraud"] == pytest.approx([1, 5])
    assert aimed["fraud"] == pytest.approx([1, 50])
    many = rarity({"code": np.array([96_000.0, 1000, 1000, 1000, 1000])}, {"code": np.full(5, 200.0)}, None)
    assert many["code"].tolist() == [1] * 5
    weights = {("fraud", "sex"): 2.0}
    assert with_rare_levels(weights, plain)["fraud", "sex"] == pytest.approx(2 * 3)
    assert with_rare_levels(weights, aimed)["fraud", "sex"] == pytest.approx(2 * 25.5)


@pytest.mark.parametrize("target", [None, "drug"])
def test_a_level_that_may_be_noise_alone_is_not_rare(target):
    masses = {"drug": np.array([60_000.0, 39_850.0, 150.0])}
    noise = {"drug": np.full(3, 80.0)}
    assert rarity(masses, noise, target)["drug"][2] == 1
    assert rarity(masses, {"drug": np.full(3, 20.0)}, target)["drug"][2] > 9
