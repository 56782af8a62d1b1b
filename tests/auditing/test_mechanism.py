"""The mechanism audit passes sound noise, ours too, and refutes each way in which noise has gone wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dpsynth.auditing.mechanism.noise import Answer, audit_noise, check_budget, check_sampling, probe_sensitivity
from dpsynth.auditing.mechanism.pairs import worst_case_pairs
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from tests.auditing import transcripts
from tests.auditing.faults import NOISE, SCHEMA, counts, honest
from tests.auditing.noises import BATCHES, NOISES, RATE, STDDEV, answers, broken, coins, gaussian, low_order_bits


def test_sound_noise_passes_even_when_it_is_looked_at_often():
    """200 audits at alpha .05, which the checks share: at most 21 refuted with probability .999."""
    refuted = sum(audit_noise(answers(gaussian(), 300, seed=s), alpha=0.05, seed=s).refuted for s in range(200))
    assert refuted <= 21
    assert refuted >= 1


@pytest.mark.parametrize("stddev", [0.3, 1.0, 40.0])
def test_rounding_is_not_taken_for_a_wrong_shape(stddev):
    rng = np.random.default_rng(0)
    noise = np.rint(rng.normal(scale=stddev, size=20_000))
    assert not audit_noise([Answer(noise, np.zeros(20_000), stddev)], alpha=0.001).refuted


@pytest.mark.parametrize(("factor", "numbers"), [(0.5, 76), (2**-0.5, 282), (0.8, 700), (0.9, 2950)])
def test_too_little_noise_is_refuted_by_as_few_numbers_as_the_theory_says(factor, numbers):
    """At about 5e-7 with a power of .999 each; ten repetitions."""
    for seed in range(10):
        assert "scale" in broken(audit_noise(answers(gaussian(factor), 1.1 * numbers, seed=seed), alpha=3e-6))


def test_too_much_noise_is_no_leak_of_scale():
    assert "scale" not in broken(audit_noise(answers(gaussian(1.3), 300)))


@pytest.mark.parametrize("fault", NOISES, ids=lambda fault: fault.__name__)
def test_a_fault_of_noise_itself_is_refuted_by_the_check_that_is_about_it(fault):
    numbers, check = NOISES[fault]
    assert check in broken(audit_noise(answers(fault, numbers)))


def test_short_answers_repeat_by_chance_and_continuous_noise_may_lie_between_steps():
    short = [Answer(np.array([1.0, 0.0, -1.0]), np.zeros(3), 1.0) for _ in range(5)]
    assert "reuse" not in broken(audit_noise(short))
    continuous = [Answer(a.noisy, a.exact, STDDEV, None) for a in answers(low_order_bits, 60)]
    assert broken(audit_noise(continuous)) == []


@pytest.mark.parametrize("mechanism", ["mst", "aim", "canopy", "independent"])
def test_the_noise_of_our_mechanisms_is_what_was_paid_for(mechanism):
    transcript = []
    for _ in range(6):
        with transcripts.recorded(transcript):
            transcripts.fit(mechanism, transcripts.PLAIN.second, (1.0, 1e-6))
    audit = audit_noise([Answer(*answer) for answer in transcript])
    assert not audit.refuted, audit


@pytest.mark.parametrize("mechanism", ["mst", "aim"])
def test_a_broken_double_of_our_mechanisms_is_refuted_by_a_few_runs(mechanism):
    transcript = []
    for _ in range(12):
        with transcripts.recorded(transcript, noise=0.5):
            transcripts.fit(mechanism, transcripts.PLAIN.second, (1.0, 1e-6))
    assert "scale" in broken(audit_noise([Answer(*answer) for answer in transcript]))


def test_a_sensitivity_that_is_too_small_is_found_on_some_pair():
    pairs = worst_case_pairs(SCHEMA)
    assert probe_sensitivity(counts, pairs, 1.0).holds
    both = probe_sensitivity(lambda table: np.append(counts(table), len(table)), pairs, 1.0)
    assert not both.holds
    assert "1.414" in both.detail


def test_a_budget_that_is_overspent_is_found_and_one_that_is_used_up_is_not():
    budget = Budget(1.0, 1e-6)
    synthesizer = transcripts.fit("mst", transcripts.PLAIN.second, (1.0, 1e-6))
    multipliers = [c["line"]["event"]["noise_multiplier"] for c in synthesizer.certificate.record["charges"]]
    assert check_budget(multipliers, budget).holds
    assert not check_budget([*multipliers, multipliers[-1]], budget).holds
    assert not check_budget([m / 1.01 for m in multipliers], budget).holds
    assert Gaussian(multipliers[0]).cost.gaussian > 0


@pytest.mark.parametrize("fault", NOISE, ids=lambda fault: fault.__name__)
def test_faults_of_noise_are_seen_in_answers_beside_exact_ones(fault):
    """700 numbers are enough for noise that is short by a fifth."""
    exact, stddev = NOISE[fault]
    rng, table = np.random.default_rng(0), worst_case_pairs(SCHEMA)[0].second
    found = [Answer(fault(table, rng), exact(table), stddev, None) for _ in range(300)]
    assert audit_noise(found).refuted == (fault is not honest)


def test_batches_by_coins_are_refuted_no_more_often_than_promised():
    """200 checks at alpha .05: at most 21 refuted with probability .999."""
    rng = np.random.default_rng(0)
    refuted = sum(not check_sampling(coins(rng), RATE, alpha=0.05).holds for _ in range(200))
    assert 1 <= refuted <= 21


@pytest.mark.parametrize("fault", BATCHES, ids=lambda fault: fault.__name__)
def test_batches_that_are_billed_as_drawn_by_coins_and_were_not_are_refuted(fault):
    batches = fault(np.random.default_rng(0))
    assert not check_sampling(batches, RATE).holds
    with pytest.raises(ValueError, match="must have the shape"):
        check_sampling(batches, 0.001)


def test_the_result_says_what_is_broken_in_every_form():
    audit = audit_noise(answers(gaussian(0.5), 300))
    assert "BROKEN scale" in audit.summary()
    assert json.loads(audit.to_json())["refuted"] is True
    assert not audit.to_frame().loc["scale", "holds"]
    with pytest.raises(ValueError, match="needs answers"):
        audit_noise([])
