"""Survival curves, Cox regression and concordance are those of statsmodels, lifelines, scikit-survival and a search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dpsynth.evaluation.survival import (
    apart,
    concordance,
    cox,
    cumulative_hazard,
    curve,
    together,
    uno,
)

TIME = "1 3 1 11 2 1 1 1 1 1 12 2 2 1 3 1 1 1 6 6 4 2 3 1 16 4 1 1 4 1 1 5 2 1 1 2 3 3 14 1"
EVENT = "1010011011100011011010111010000110110100"
SCORE = (
    "0.1 1.0 0.4 -0.6 -1.5 -0.8 0.8 0.0 -0.8 0.6 0.4 0.6 0.3 0.6 1.3 0.5 2.4 1.2 -0.7 -0.6 -0.2 -1.1 0.0 -0.6 -1.0"
    " -0.7 -0.8 -1.2 -0.3 -0.4 -1.0 0.0 0.3 -0.2 1.3 1.8 -0.8 -0.7 -1.3 -1.2"
)
TIMES = np.array(TIME.split(), dtype=float)
EVENTS = np.array([*EVENT]) == "1"
SCORES = np.array(SCORE.split(), dtype=float)


def drawn(rows, seed=0, ties=True):
    """Hazards that rise with the first column and fall with the second; the third is 0 or 1 and does nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    x[:, 2] = x[:, 2] > 0
    time, left = rng.exponential(np.exp(-x @ [0.8, -0.5, 0])), rng.exponential(2, rows)
    if ties:
        time, left = np.ceil(4 * time), np.ceil(4 * left)
    return np.minimum(time, left), time <= left, x


def test_a_time_and_its_event_come_apart_as_they_were_even_at_time_0():
    time, event = np.array([0.0, 0.0, 3.0, 2.0]), np.array([True, False, False, True])
    again = apart(together(time, event))
    assert np.array_equal(again[0], time)
    assert np.array_equal(again[1], event)


def test_concordance_is_that_of_lifelines_and_unos_that_of_scikit_survival():
    """lifelines 0.30.3 concordance_index; scikit-survival 0.28.0 concordance_index_censored and _ipcw."""
    assert concordance(together(TIMES, EVENTS), SCORES).value == pytest.approx(0.6662650602409639, abs=1e-12)
    apart_by_a_little = TIMES + 0.01 * np.arange(40)  # where rows of one time differ in event, conventions differ
    assert uno(together(apart_by_a_little, EVENTS), SCORES) == pytest.approx(0.6917631433251007, abs=1e-12)


def test_unos_concordance_weighs_by_who_is_not_censored_before():
    """By hand: of 4 rows the second is censored, so that 2 / 3 are not; of one time the event comes first."""
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, True])
    score = np.array([0.0, 9.0, 5.0, 1.0])
    # pairs: 1 before the 3 others, all told wrong; 3 before 4, told right with weight (2 / 3)^-2
    assert uno(together(time, event), score) == pytest.approx(2.25 / (3 + 2.25))
    tied = np.array([1.0, 3.0, 3.0, 4.0])
    assert uno(together(tied, event), score) == pytest.approx(1 / (3 + 2))


def test_concordance_is_that_of_a_search_over_all_pairs():
    right = known = 0
    for i, j in itertools.permutations(range(len(TIMES)), 2):
        if EVENTS[i] and (TIMES[i] < TIMES[j] or (TIMES[i] == TIMES[j] and not EVENTS[j])):
            known += 1
            right += (SCORES[i] > SCORES[j]) + 0.5 * (SCORES[i] == SCORES[j])
    assert concordance(together(TIMES, EVENTS), SCORES).value == pytest.approx(right / known, abs=1e-12)


def test_the_influence_of_concordance_gives_its_spread_over_samples():
    """400 samples of 150 rows: standard deviations agree within 12 %, three times their error of 3.5 %."""
    found = []
    for seed in range(400):
        time, event, x = drawn(150, seed)
        found.append(concordance(together(time, event), x[:, 0]))
    foretold = np.sqrt(np.mean([one.influence.var() / 150 for one in found]))
    assert foretold == pytest.approx(np.std([one.value for one in found]), rel=0.12)
    assert abs(found[0].influence.mean()) < 1e-9


def test_of_rows_without_an_event_concordance_says_nothing():
    measured = concordance(together(TIMES, np.zeros(40, dtype=bool)), SCORES)
    assert (measured.value, measured.freedom) == (0.5, 0)
    assert uno(together(TIMES, np.zeros(40, dtype=bool)), SCORES) == 0.5


@pytest.mark.parametrize("ties", [False, True])
def test_cox_regression_is_that_of_statsmodels(ties):
    hazard = pytest.importorskip("statsmodels.duration.hazard_regression", reason="the oracle")
    time, event, x = drawn(300, ties=ties)
    theirs = hazard.PHReg(time, x, status=event.astype(int), ties="efron").fit(method="newton", disp=0)
    at, covariance = cox(time, event, x)
    assert at == pytest.approx(theirs.params, rel=1e-6)
    assert np.sqrt(np.diag(covariance)) == pytest.approx(theirs.bse, rel=1e-6)


def likelihood(at, time, event, x, ridge):
    """Efron's, term by term."""
    risk, found = np.exp(x @ at), -ridge / 2 * float(at @ at)
    for when in np.unique(time[event]):
        dead = event & (time == when)
        for place in range(dead.sum()):
            found -= np.log(risk[time >= when].sum() - place / dead.sum() * risk[dead].sum())
        found += np.log(risk[dead]).sum()
    return found


def test_a_ridge_is_at_the_top_of_its_likelihood():
    time, event, x = drawn(60, 1)
    at, _ = cox(time, event, x, ridge=3.0)
    top = likelihood(at, time, event, x, 3.0)
    for step in 0.01 * np.r_[np.eye(3), -np.eye(3)]:
        assert likelihood(at + step, time, event, x, 3.0) < top
    assert np.abs(at).sum() < np.abs(cox(time, event, x)[0]).sum()


def test_cox_regression_without_an_event_is_refused():
    time, event, x = drawn(60, 1)
    with pytest.raises(ValueError, match="no row has the event"):
        cox(time, event & False, x)


def test_survival_curves_are_those_of_statsmodels():
    survfunc = pytest.importorskip("statsmodels.duration.survfunc", reason="the oracle")
    theirs = survfunc.SurvfuncRight(TIMES, EVENTS.astype(int))
    survived, errors, left = curve(TIMES, EVENTS, theirs.surv_times)
    assert survived == pytest.approx(theirs.surv_prob, abs=1e-12)
    assert errors[:-1] == pytest.approx(theirs.surv_prob_se[:-1], abs=1e-12)
    assert errors[-1] == 0  # nobody is left; statsmodels has NaN
    assert np.array_equal(left, theirs.n_risk)
    steps = theirs.n_events / theirs.n_risk
    assert cumulative_hazard(TIMES, EVENTS, theirs.surv_times) == pytest.approx(np.cumsum(steps), abs=1e-12)
