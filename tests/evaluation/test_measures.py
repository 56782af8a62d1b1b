"""How good predictions are: values against scikit-learn, influences and intervals against simulation."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth.evaluation.measures import area, balanced_accuracy, difference, explained

metrics = pytest.importorskip("sklearn.metrics", reason='the oracle needs the extra: pip install "dpsynth[audit]"')


def scores(rng, rows, strength=1.0, ties=False):
    truth = (rng.random(rows) < 0.3).astype(float)
    said = strength * truth + rng.normal(size=rows)
    return truth, np.round(said, 1) if ties else said


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("rows", [10, 500])
def test_the_area_is_that_of_scikit_learn(rows, ties):
    truth, said = scores(np.random.default_rng(rows), rows, ties=ties)
    assert area(truth, said).value == pytest.approx(metrics.roc_auc_score(truth, said), abs=1e-12)


def test_balanced_accuracy_and_r_squared_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    truth, guess = rng.integers(0, 4, 300).astype(float), rng.integers(0, 4, 300).astype(float)
    assert balanced_accuracy(truth, guess).value == pytest.approx(metrics.balanced_accuracy_score(truth, guess))
    number = rng.normal(size=300)
    said = number + rng.normal(size=300)
    assert explained(number, said).value == pytest.approx(metrics.r2_score(number, said))


MEASURES = {"area": area, "balanced accuracy": balanced_accuracy, "R squared": explained}


def drawn(name, rng, rows):
    if name == "area":
        return scores(rng, rows)
    if name == "balanced accuracy":
        truth = rng.choice(3, rows, p=[0.6, 0.3, 0.1]).astype(float)
        return truth, np.where(rng.random(rows) < 0.6, truth, rng.integers(0, 3, rows))
    truth = rng.normal(size=rows)
    return truth, truth + rng.normal(size=rows)


@pytest.mark.parametrize("name", MEASURES)
def test_the_influence_gives_the_spread_of_the_measure_over_samples(name):
    """1,000 samples of 400 rows: the standard deviations agree within 8 %, three times its own error of 2.2 %."""
    rng = np.random.default_rng(5)
    found = [MEASURES[name](*drawn(name, rng, 400)) for _ in range(1000)]
    spread = np.std([one.value for one in found])
    foretold = np.sqrt(np.mean([one.influence.var() / 400 for one in found]))
    assert foretold == pytest.approx(spread, rel=0.08)
    assert max(abs(one.influence.mean()) for one in found) < 1e-9


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_of_one_class_or_a_constant_says_nothing(name):
    truth = np.zeros(10)
    measured = MEASURES[name](truth, np.ones(10))
    assert np.isfinite(measured.value)
    assert not measured.influence.any()


def trainings(rng, rows, apart):
    """Three trainings of each of two models on the same rows: their quality varies from one to the next."""
    truth = (rng.random(rows) < 0.3).astype(float)
    shared = rng.normal(size=rows)

    def trained(strength):
        return [area(truth, (strength + rng.normal(0, 0.2)) * truth + shared + rng.normal(size=rows)) for _ in range(3)]

    return trained(1.5 + apart), trained(1.5)


def coverage(interval, apart=0.5, simulations=400):
    """How often the interval holds the mean difference of areas over 600 such pairs."""
    rng = np.random.default_rng(11)
    truth = np.mean([difference(*trainings(rng, 400, apart)).value for _ in range(600)])
    held = [interval(trainings(rng, 400, apart)) for _ in range(simulations)]
    return np.mean([low <= truth <= high for low, high in held])


def ours(pair):
    found = difference(*pair)
    return found.low, found.high


def of_rows_alone(pair):
    """A double: what was trained counts as if it were fixed."""
    first, second = pair
    found = difference(first[:1], second[:1])
    return found.low, found.high


def test_the_interval_holds_the_difference_as_often_as_it_says():
    """400 simulations: .90 has a standard error of .015; few degrees of freedom make the interval wider."""
    assert 0.86 <= coverage(ours) <= 0.97


def test_an_interval_that_forgets_that_trainings_vary_is_refuted():
    assert coverage(of_rows_alone) < 0.86


def of_few_rows(rng, ones):
    """Three trainings that differ by chance alone, on 400 rows of which few are of the second class."""
    truth = (np.arange(400) < ones).astype(float)
    ours, theirs = (truth + rng.normal(size=400) for _ in range(2))
    return [area(truth, ours)] * 3, [area(truth, theirs)] * 3


@pytest.mark.parametrize("ones", [2, 4, 10])
def test_the_interval_holds_with_few_rows_of_a_class(ones):
    """Both areas have one law, so that the difference is 0; 300 simulations; .90 has a standard error of .017."""
    rng = np.random.default_rng(ones)
    held = [difference(*of_few_rows(rng, ones)) for _ in range(300)]
    assert np.mean([one.low <= 0 <= one.high for one in held]) >= 0.85


def test_one_row_of_a_class_tells_nothing_of_a_difference():
    found = difference(*of_few_rows(np.random.default_rng(0), 1))
    assert found.low <= -1
    assert found.high >= 1
