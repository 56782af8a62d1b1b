"""A policy is a file that people sign: strict, round-tripped, and each number does what it says."""

from __future__ import annotations

import pytest

from dpsynth.auditing.policy import AuditPolicy
from dpsynth.auditing.release import audit
from tests.auditing.people import SCHEMA, mixed, people


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
