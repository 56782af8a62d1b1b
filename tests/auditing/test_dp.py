"""The DP audit refutes every planted fault, and no claim that holds; our own mechanisms are as private as they say."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from dpsynth.auditing.attacks.membership import Scene, ensemble, membership_scores
from dpsynth.auditing.attacks.records import read_tables
from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.dp import DPAuditor
from dpsynth.auditing.mechanism.one_run import coin_flip_split, one_run_audit
from dpsynth.auditing.mechanism.outcomes import features, outcome
from dpsynth.auditing.mechanism.pairs import worst_case_pairs
from dpsynth.schema.table import Identifier, Schema
from tests.auditing import people, transcripts
from tests.auditing.faults import FAULTS, GAUSSIAN, HONEST, MU, PAIRS, REPLACED, SCHEMA, half_the_laplace, honest
from tests.auditing.noises import BATCHES, NOISES

BUDGET = (1.0, 1e-2)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_refuted(fault):
    hunt = FAULTS[fault]
    result = hunt.run(fault)
    assert result.refuted
    assert result.epsilon_lower > hunt.claim.epsilon
    assert "REFUTED" in result.summary()


def test_faults_of_scale_are_refuted_by_as_few_runs_as_theory_asks_for():
    """99 % power at .001: half the noise, a fifth less, another unit's sensitivity, a composition forgotten."""
    powers = [hunt.power for hunt in FAULTS.values() if hunt.power is not None]
    assert len(powers) == 4
    assert all(0.99 <= p <= 0.991 for p in powers)


def test_there_are_twenty_faults_or_more_of_which_each_is_another():
    assert len({fault.__name__ for fault in (*FAULTS, *NOISES, *BATCHES)}) >= 20
    assert not {mechanism for mechanism, _ in HONEST} & set(FAULTS)


@pytest.mark.parametrize(("mechanism", "claim"), HONEST, ids=lambda x: getattr(x, "__name__", ""))
def test_a_claim_that_holds_is_not_refuted_at_one_in_a_thousand(mechanism, claim):
    for seed in range(3):
        result = DPAuditor(mechanism, claim, PAIRS, runs=100, alpha=0.001, seed=seed).run()
        assert not result.refuted


@pytest.mark.slow
def test_a_claim_that_holds_is_refuted_no_more_often_than_promised():
    """100 audits at alpha .2 with the rule learned anew each time: at most 33 refuted with probability .999."""
    refuted = sum(DPAuditor(honest, GAUSSIAN, PAIRS[:2], runs=150, alpha=0.2, seed=s).run().refuted for s in range(100))
    assert refuted <= binom.isf(0.001, 100, 0.2)


def test_the_bound_comes_close_to_what_the_mechanism_spends():
    result = DPAuditor(honest, GAUSSIAN, PAIRS[:1], runs=4000, seed=1).run()
    assert 0.85 * MU <= result.mu_lower <= MU
    assert result.pairs[0].mu_point == pytest.approx(MU, rel=0.1)
    assert result.pairs[0].epsilon_lower < result.epsilon_lower  # the Gaussian route is the tighter one


def test_a_claim_of_delta_zero_has_its_epsilon_bounded_by_counts_although_it_names_a_mu():
    """No Gaussian noise has an epsilon at delta 0, so a bound on mu bounds none there."""
    result = DPAuditor(honest, PrivacyClaim(3.0, 0.0, 5.0), PAIRS[:1], runs=200).run()
    assert result.mu_lower is not None
    assert 0 < result.epsilon_lower == result.pairs[0].epsilon_lower == result.record["epsilon_lower"]
    assert "at delta 0" in result.summary()


def test_a_claim_that_is_not_gaussian_is_refuted_by_events_alone():
    result = FAULTS[half_the_laplace].run(half_the_laplace)
    assert result.refuted
    assert result.mu_lower is None
    assert result.pairs[0].mu_point is None


def test_a_replaced_record_spends_more_than_an_added_one():
    """A claim for adding is refuted on pairs for replacing, where two counts move: mu times sqrt(2)."""
    assert DPAuditor(honest, GAUSSIAN, REPLACED[:1], runs=735, alpha=0.001).run().refuted
    assert len(REPLACED) == 4
    assert all(len(p.first) == len(p.second) for p in REPLACED)


def test_neighbours_differ_in_one_record():
    for pair in PAIRS:
        assert len(pair.second) - len(pair.first) == 1
        rows = [sorted(map(repr, t.itertuples(index=False))) for t in (pair.first, pair.second)]
        assert len(set(rows[1]) - set(rows[0])) <= 1
    named = worst_case_pairs(Schema({"id": Identifier(), **SCHEMA.columns}))
    assert all(p.second["id"].is_unique for p in named)


def test_everything_that_a_run_shows_is_a_feature():
    error = outcome(lambda: {}["nobody"])
    assert features(error) == {"exception KeyError: 'nobody'": 1.0}
    table = pd.DataFrame({"a": [1, 2, 2], "b": ["x", None, "x"]})
    found = features(table)
    assert found["rows"] == 3
    assert found["missing b"] == 1
    assert found["most a"] == 2
    assert any(name.startswith("dtype a int") for name in found)
    assert features(table.astype({"a": float})) != found
    assert features({"x": np.arange(2), "y": 3.0})["y value 0"] == 3.0


def test_the_same_seed_gives_the_same_result_and_bad_settings_are_refused():
    results = [DPAuditor(honest, GAUSSIAN, PAIRS[:1], runs=50).run() for _ in range(2)]
    assert results[0] == results[1]
    record = json.loads(results[0].to_json())
    assert record["dpsynth_dp_audit"] == 1
    assert record["pairs"][0]["counts"]["n0"] == 40
    assert len(results[0].to_frame()) == 1
    with pytest.raises(ValueError, match="access"):
        DPAuditor(honest, GAUSSIAN, PAIRS, "grey-box")
    with pytest.raises(ValueError, match="needs a pair"):
        DPAuditor(honest, GAUSSIAN, [])


def test_our_front_door_gives_away_no_row_count_category_bound_type_or_error():
    """Fifteen releases of each table: enough to refute what gives away a table for certain, as the faults do."""
    names = {"one record", "a record of nothing", "a record from outside"}
    pairs = [pair for pair in PAIRS if pair.name in names]

    def release(table, rng):
        return transcripts.fit("mst", table, (4.0, 1e-5), SCHEMA).sample(seed=int(rng.integers(2**31)))

    result = DPAuditor(release, GAUSSIAN, pairs, runs=15, alpha=0.001).run()
    assert not result.refuted, result
    certain = DPAuditor(lambda t, rng: float(len(t)), GAUSSIAN, pairs, runs=15, alpha=0.001).run()
    assert all(pair.refuted for pair in certain.pairs)


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", ["mst", "aim"])
def test_our_mechanisms_spend_what_they_claim_and_no_more(mechanism):
    """The whole transcript of adaptive runs: mu within its error of the mu that the budget implies."""
    claim = PrivacyClaim.gaussian(*BUDGET)
    ratio = transcripts.log_likelihood_ratio(mechanism, transcripts.PLAIN, BUDGET)
    result = DPAuditor(
        ratio, claim, [transcripts.PLAIN], "white-box", runs=30, statistic=float, threshold=0.0, alpha=0.001
    ).run()
    assert not result.refuted


@pytest.mark.parametrize("mechanism", ["independent", "mst", "aim", "canopy"])
@pytest.mark.parametrize("pair", [transcripts.PLAIN, transcripts.CROWDED], ids=lambda pair: pair.name)
def test_on_the_worst_pairs_a_run_shows_all_of_its_budget_and_no_more(mechanism, pair):
    """Every charge moves by all of its sensitivity, whatever was chosen, so mu is known without counting guesses."""
    claim = PrivacyClaim.gaussian(*BUDGET)
    for _ in range(3):
        mu = transcripts.attained_mu(mechanism, pair, BUDGET)
        assert claim.mu * (1 - 1e-6) <= mu <= claim.mu


def test_the_likelihood_ratio_of_a_transcript_has_the_mean_that_the_budget_implies():
    """Of a mu-GDP transcript that spends all, it is N(mu^2 / 2, mu^2) on the second table: known without counting."""
    claim = PrivacyClaim.gaussian(*BUDGET)
    ratio = transcripts.log_likelihood_ratio("mst", transcripts.PLAIN, BUDGET)
    rng = np.random.default_rng(0)
    found = np.array([ratio(transcripts.PLAIN.second, rng) for _ in range(60)])
    assert found.std() == pytest.approx(claim.mu, rel=0.3)
    assert found.mean() == pytest.approx(claim.mu**2 / 2, abs=4 * claim.mu / np.sqrt(60))


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", ["mst", "aim"])
def test_a_broken_double_of_our_mechanism_is_refuted(mechanism):
    """Half the noise in every charge, eight hundred runs, one chance in a thousand to be wrong."""
    claim = PrivacyClaim.gaussian(4.0, 1e-5)
    ratio = transcripts.log_likelihood_ratio(mechanism, transcripts.PLAIN, (4.0, 1e-5), noise=0.5)
    auditor = DPAuditor(ratio, claim, [transcripts.PLAIN], "white-box", runs=400, statistic=float, alpha=0.001)
    assert auditor.run().refuted


def test_one_run_with_coins_refutes_a_copy_and_not_a_stranger():
    flips = coin_flip_split(people.people(600, 1), seed=7)
    assert abs(len(flips.train) - 300) < 80
    table = people.people(600, 1)
    pd.testing.assert_frame_equal(flips.train, table[flips.member])
    scores = {}
    for name, release in (("copy", flips.train), ("stranger", people.people(300, 2))):
        records = read_tables({"records": table, "synthetic": release}, people.SCHEMA)
        scores[name] = ensemble(membership_scores(Scene(records["records"], records["synthetic"])))
    copied = one_run_audit(scores["copy"], flips.member, delta=1e-5)
    assert copied.right == copied.guesses == 120
    assert copied.epsilon_lower > 3
    assert one_run_audit(scores["stranger"], flips.member, delta=1e-5).epsilon_lower < 0.5
    with pytest.raises(ValueError, match="guesses must be"):
        one_run_audit(scores["copy"], flips.member, delta=1e-5, guesses=700)
