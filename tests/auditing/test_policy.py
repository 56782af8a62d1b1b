"""A policy is a file that people sign: strict, round-tripped, and each number does what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dpsynth.auditing.release.attack_plan import EFFORTS
from dpsynth.auditing.release.audit import audit
from dpsynth.auditing.release.audit_policy import AuditPolicy
from tests.auditing.people import SCHEMA, mixed, people

N = 1000
TRAIN, HOLDOUT, STRANGERS = people(N, 1), people(N, 2), people(N, 3)
LENIENT = AuditPolicy(auc=1, tpr=1, attribute=1, singling_out=1, linkability=1, near_copies=1)


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_a_policy_comes_back_as_it_was_saved(tmp_path, suffix):
    policy = AuditPolicy(alpha=0.05, auc=0.6)
    policy.save(tmp_path / f"p{suffix}")
    assert AuditPolicy.load(tmp_path / f"p{suffix}") == policy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dpsynth_policy: 2", "must be 1"),
        ("alpha: 0.05", "must be 1"),
        ("dpsynth_policy: 1\nstrictness: 3", "unknown fields"),
        ("dpsynth_policy: 1\nauc: 0.4", "auc of a policy"),
        ("dpsynth_policy: 1\nalpha: 0", "above 0"),
        ("dpsynth_policy: 1\ntpr: true", "tpr of a policy"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_with_its_file(tmp_path, text, said):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as error:
        AuditPolicy.load(path)
    assert str(path) in str(error.value)


def test_the_limits_decide():
    train = people(600, 1)
    release, holdout = mixed(600, train, 120), people(600, 2)
    lenient = AuditPolicy(auc=1, tpr=1, attribute=1, singling_out=1, linkability=1, copies=1, near_copies=1)
    strict = audit(release, train, holdout, schema=SCHEMA)
    found = audit(release, train, holdout, schema=SCHEMA, policy=lenient)
    assert {f.id for f in found.findings if f.verdict == "FAIL"} == {"copies/exact copies/gap"}
    assert len([f for f in strict.findings if f.verdict == "FAIL"]) > 3


def test_a_release_of_which_only_a_part_was_compared_does_not_pass(monkeypatch):
    """Copies that are not exact may lie in the other part."""
    monkeypatch.setitem(EFFORTS, "quick", replace(EFFORTS["quick"], max_rows=300))
    few = [TRAIN.iloc[:300], HOLDOUT.iloc[:300]]
    policy = replace(LENIENT, copies=1)
    part = audit(STRANGERS.iloc[:400], *few, schema=SCHEMA, policy=policy)
    assert part.verdict == "INCONCLUSIVE"
    assert "only 300 of the 400 synthetic rows" in part.reasons[0]
    whole = audit(STRANGERS.iloc[:300], TRAIN, HOLDOUT, schema=SCHEMA, policy=policy)
    assert whole.verdict == "PASS"  # of real records, a sample will do


def test_a_report_that_passes_names_what_is_more_than_chance():
    """Forty people's records with a little jitter among thousand strangers, and a policy that tolerates it."""
    leaky = mixed(N, TRAIN, 40)
    leaky.loc[:39, "x0"] += 0.02
    report = audit(leaky, TRAIN, HOLDOUT, schema=SCHEMA, policy=replace(LENIENT, copies=1))
    assert report.verdict == "PASS"
    assert any("more than chance, within the limit: near-copies" in reason for reason in report.reasons)
    assert "more than chance" in report.summary()
