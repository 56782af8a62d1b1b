"""The mechanism audit passes sound noise, ours too, and refutes each way in which noise has gone wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dpsynth.auditing.mechanism import Answer, audit_noise, check_budget, check_sampling, probe_sensitivity
from dpsynth.auditing.pairs import worst_case_pairs
from dpsynth.privacy.budget import Budget
from dpsynth.privacy.events import Gaussian
from tests.auditing import transcripts
from tests.auditing.faults import NOISE, SCHEMA, counts, honest

STDDEV = 5.0


def answers(draw, numbers, sizes=(30,), seed=0):
    """Counts with noise by `draw(rng, size)`, as many numbers as asked for."""
    rng = np.random.default_rng(seed)
    found = []
    while sum(a.noisy.size for a in found) < numbers:
        exact = rng.integers(0, 50, sizes[len(found) % len(sizes)]).astype(float)
        found.append(Answer(exact + draw(rng, exact.size), exact, STDDEV))
    return found


def gaussian(factor=1.0):
    return lambda rng, size: np.rint(rng.normal(scale=factor * STDDEV, size=size))


def broken(audit):
    return [check.name for check in audit.checks if not check.holds]


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


def test_noise_of_another_shape_is_refuted():
    laplace = answers(lambda rng, size: np.rint(rng.laplace(scale=STDDEV / np.sqrt(2), size=size)), 4000)
    assert "shape" in broken(audit_noise(laplace))


def test_noise_that_hangs_together_is_refuted():
    def smooth(rng, size):
        z = rng.normal(size=size + 1)
        return np.rint(STDDEV * (z[1:] + z[:-1]) / np.sqrt(2))

    assert "independence" in broken(audit_noise(answers(smooth, 500)))


def test_noise_that_is_used_twice_is_refuted():
    again = np.rint(np.random.default_rng(0).normal(scale=STDDEV, size=30))
    assert broken(audit_noise(answers(lambda rng, size: again, 60))) == ["reuse"]
    short = [Answer(np.array([1.0, 0.0, -1.0]), np.zeros(3), 1.0) for _ in range(5)]
    assert "reuse" not in broken(audit_noise(short))  # three small numbers repeat by chance


def test_noise_that_leaves_low_order_bits_is_refuted():
    assert "grid" in broken(audit_noise(answers(lambda rng, size: rng.normal(scale=STDDEV, size=size), 30)))
    continuous = [Answer(a.noisy, a.exact, STDDEV, None) for a in answers(gaussian(), 60)]
    assert "grid" not in broken(audit_noise(continuous))


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


def test_batches_by_coins_pass_and_shuffled_ones_that_are_billed_as_coins_do_not():
    rng = np.random.default_rng(0)
    coins = [rng.random((40, 400)) < 0.1 for _ in range(200)]
    refuted = sum(not check_sampling(batches, 0.1, alpha=0.05).holds for batches in coins)
    assert 1 <= refuted <= 21
    shuffled = np.concatenate([np.arange(10)[:, None] == rng.permutation(400) // 40 for _ in range(4)])
    assert not check_sampling(shuffled, 0.1).holds
    fixed_size = np.array([np.isin(np.arange(400), rng.choice(400, 40, replace=False)) for _ in range(40)])
    assert not check_sampling(fixed_size, 0.1).holds
    by_category = rng.random((40, 400)) < np.repeat([0.02, 0.18], 200)
    assert not check_sampling(by_category, 0.1).holds
    with pytest.raises(ValueError, match="must have the shape"):
        check_sampling(shuffled, 0.001)


def test_the_result_says_what_is_broken_in_every_form():
    audit = audit_noise(answers(gaussian(0.5), 300))
    assert "BROKEN scale" in audit.summary()
    assert json.loads(audit.to_json())["refuted"] is True
    assert not audit.to_frame().loc["scale", "holds"]
    with pytest.raises(ValueError, match="needs answers"):
        audit_noise([])
