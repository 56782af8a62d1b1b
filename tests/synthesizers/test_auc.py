"""The area under the ROC curve: by noisy counts of real rows, or of what a fit has measured."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Budget, ConditionError, Numeric, Schema, validate
from dpsynth.models.roc import area, best_number
from dpsynth.synthesizers import validation
from tests.synthesizers.test_answers import SCHEMA, draw, fitted

QUESTION = "auc(ill == True ~ age)"
FINE = Schema({"risk": Numeric(0, 1), "ill": Boolean()})


def scored(n: int = 20_000, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    risk = rng.random(n)
    return pd.DataFrame({"risk": risk, "ill": rng.random(n) < 0.4 * risk})


def by_pairs(rows: pd.DataFrame, outcome: str, score: str) -> float:
    """Every pair by itself."""
    have, lack = (rows[rows[outcome] == side][score].to_numpy(float) for side in (True, False))
    return float(np.mean([np.mean(lack < each) + np.mean(lack == each) / 2 for each in have]))


@pytest.fixture(scope="module")
def synth() -> dpsynth.Synthesizer:
    return fitted(draw(), unsafe_seed=5)


def test_the_area_is_the_share_of_pairs_that_are_in_order():
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 9, (2, 5)).astype(float)
    won = sum(
        a * b * (1.0 if i > j else 0.5 if i == j else 0.0)
        for (i, a), (j, b) in itertools.product(enumerate(counts[0]), enumerate(counts[1]))
    )
    found = area(counts, np.zeros((10, 10)), np.ones(5, bool), 1.645)
    assert found.value == pytest.approx(won / counts[0].sum() / counts[1].sum())
    assert found.noise == pytest.approx((found.value, found.value))
    tied = float(counts[0] @ counts[1]) / counts[0].sum() / counts[1].sum()
    open_ = area(counts, np.zeros((10, 10)), np.zeros(5, bool), 1.645)
    assert open_.noise == pytest.approx((found.value - tied / 2, found.value + tied / 2))


@pytest.mark.parametrize("stddev", [2.0, 12.0])
def test_intervals_hold_as_often_as_they_say_and_those_of_less_noise_do_not(stddev):
    """500 draws, standard error 0.013: accepted from 0.86 to 0.98, as they are wide where noise is large. At 0.6 of
    the noise less than 0.8 hold. The noise of counts is correlated here."""
    rng = np.random.default_rng(2)
    scores = np.linspace(0, 1, 20)
    counts = np.array([60 * scores, 300 * (1 - scores)])
    mixing = np.eye(40) + 0.3 * np.eye(40)[::-1]
    covariance = stddev**2 * mixing @ mixing.T
    truth = area(counts, np.zeros((40, 40)), np.ones(20, bool), 1.0).value
    held, less, values = [], [], []
    for _ in range(500):
        noisy = counts + (stddev * mixing @ rng.normal(size=40)).reshape(2, 20)
        for scale, into in ((1.0, held), (0.36, less)):
            found = area(noisy, scale * covariance, np.ones(20, bool), 1.6448536)
            into.append(found.noise[0] <= truth <= found.noise[1])
            values.append(found.value)
    assert 0.86 < np.mean(held) < 0.98
    assert np.mean(less) < 0.8
    assert np.nanmean(values) == pytest.approx(truth, abs=0.007)


def test_sampling_has_the_variance_of_areas_of_tables_drawn_anew():
    """500 tables of 400 rows: the standard deviation is found to 3%; accepted within 10%."""
    rng = np.random.default_rng(4)
    shares = np.array([[1, 2, 4, 8], [8, 4, 2, 1]]) / 30
    drawn = rng.multinomial(400, shares.ravel(), 500).reshape(-1, 2, 4).astype(float)
    areas = [area(each, np.zeros((8, 8)), np.ones(4, bool), 1.0) for each in drawn]
    stddev = float(np.std([each.value for each in areas]))
    assert np.mean([np.ptp(each.sampling) / 2 for each in areas]) == pytest.approx(stddev, rel=0.1)
    twice = area(drawn[0], np.zeros((8, 8)), np.ones(4, bool), 1.0, alike=4)
    assert np.ptp(twice.sampling) == pytest.approx(2 * np.ptp(areas[0].sampling))


def test_counts_that_do_not_stand_out_of_their_noise_tell_nothing():
    found = area(np.ones((2, 3)), np.eye(6), np.ones(3, bool), 1.645)
    assert np.isnan(found.value)
    assert found.noise == found.sampling == (0.0, 1.0)


def test_less_noise_asks_for_more_groups():
    found = [best_number(2000, 8000, stddev, 1.645, 500) for stddev in (100.0, 10.0, 1.0)]
    assert found == sorted(found)
    assert best_number(2000, 8000, 0.001, 1.645, 7) == 7


def test_a_release_is_validated_by_its_area_and_the_interval_has_the_exact_one(synth):
    facts = {"within": 0.08, "epsilon": 2.0, "delta": 1e-6, "ledger": None, "level": 0.9999, "unsafe_seed": 4}
    (found,) = validate(QUESTION, synth, draw(), **facts).parts
    assert found.verdict == "agrees"
    low, high = found.difference
    assert low <= by_pairs(draw(), "ill", "age") - found.release <= high
    others = draw().assign(age=lambda rows: 19 - rows.age)
    assert validate(QUESTION, synth, others, **facts).verdict == "disagrees"


def test_an_area_of_many_scores_is_counted_in_groups_and_their_ties_are_in_the_interval():
    rows = scored()
    made = fitted(rows, FINE, unsafe_seed=1)
    cells = validation.AskedCells(made.origin.schema, made.origin.bounds)
    (look,) = validation._looks("auc(ill == True ~ risk)", cells)
    merged = validation._merged(look, made.origin.model, 10.0)
    assert 10 < max(int(group.max()) for group in merged.groups) < 100 < max(int(g.max()) for g in look.groups)
    facts = {"within": 0.1, "epsilon": 1.0, "delta": 1e-6, "ledger": None, "level": 0.9999, "unsafe_seed": 4}
    (found,) = validate("auc(ill == True ~ risk)", made, rows, **facts).parts
    low, high = found.difference
    assert low <= by_pairs(rows, "ill", "risk") - found.release <= high
    assert high - low < 0.15


def test_an_area_is_answered_by_what_was_measured_with_both_intervals(synth):
    answer = synth.answer(QUESTION, level=0.9999)
    assert answer.basis == "measured"
    assert answer.privacy_interval[0] <= by_pairs(draw(), "ill", "age") <= answer.privacy_interval[1]
    assert np.ptp(answer.population_interval) > np.ptp(answer.privacy_interval)
    by = synth.answer("auc(ill == True ~ age) where age >= 5 by ward").to_frame()
    assert by.basis.tolist() == ["model"] * 4
    assert by.estimate.between(0, 1).all()


def test_rows_answer_it_exactly(synth):
    rows = synth.sample(3000, seed=2)
    from dpsynth.synthesizers.model_answers import RowAnswers
    from dpsynth.synthesizers.questions import Question

    answers = RowAnswers(rows, validation.AskedCells(SCHEMA, {}), 1.0)
    (found,) = answers.estimates(Question.read(QUESTION))
    assert found.value == pytest.approx(by_pairs(rows, "ill", "age"))
    (none,) = answers.estimates(Question.read("auc(ill == True ~ age) where ill == True"))
    assert np.isnan(none.value)


@pytest.mark.parametrize(
    "question",
    ["auc(ill == True)", "auc(age)", "auc(ill == True ~ ward)", "auc(age >= 3 ~ age)", "auc(ill ~ age, b)"],
)
def test_what_is_no_such_question_is_refused_in_one_sentence(question, synth):
    with pytest.raises(ConditionError) as refused:
        synth.answer(question)
    assert "\n" not in str(refused.value)


def test_its_charge_names_the_question_and_its_noise_is_the_planned_one(synth):
    ledger = dpsynth.Ledger.create(None, Budget(5, 1e-6), dataset="rows", unit=SCHEMA.unit)
    validate(QUESTION, synth, draw(), within=0.1, epsilon=0.5, delta=1e-6, ledger=ledger)
    (line,) = [line for line in ledger.entries() if line["kind"] == "charge"]
    assert line["purpose"] == f"validate {QUESTION}"
