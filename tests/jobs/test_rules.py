"""A gate that asks whether rows keep the schema's constraints, and what groups became."""

from __future__ import annotations

import pandas as pd
import pytest

from dpsynth import Numeric, Order, Schema
from dpsynth.jobs.before import check_before
from dpsynth.jobs.file import read_job
from dpsynth.jobs.gate import case_of_rules, cases
from tests.evidence.test_verify import issue

ORDERED = Schema(
    {"low": Numeric(0, 9, integer=True), "high": Numeric(0, 9, integer=True)}, constraints=[Order("low", "<=", "high")]
)


@pytest.mark.parametrize(("least", "verdict"), [(1.0, "FAIL"), (0.76, "FAIL"), (0.75, "PASS"), (0.0, "PASS")])
def test_the_share_of_rows_that_keep_all_constraints_is_compared_with_its_limit(least, verdict, tmp_path):
    rows = pd.DataFrame({"low": [1, 2, 3, 9], "high": [2, 2, 4, 0]})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    case = case_of_rules(tmp_path / "rows.csv", ORDERED, least)
    assert case.verdict == verdict
    assert "is 0.75, and at least" in case.text


JOB = """dpsynth_job: 1
data: train.csv
schema: schema.yaml
ledger: a.ledger
output: out
fit: {epsilon: 1}
"""


def test_a_limit_on_constraints_of_a_schema_without_any_ends_a_job_before_it_spends(tmp_path):
    (tmp_path / "job.yaml").write_text(JOB + "gate: {constraints: 1}\n")
    ORDERED.save(tmp_path / "schema.yaml")
    check_before(read_job(tmp_path / "job.yaml"))
    Schema(ORDERED.columns).save(tmp_path / "schema.yaml")
    with pytest.raises(ValueError, match="the schema declares none"):
        check_before(read_job(tmp_path / "job.yaml"))


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        ("{constraints: 1.5}", "gate.constraints must be a share from 0 to 1, got 1.5"),
        ("{group_share: 2}", "gate.group_share must be a share from 0 to 1"),
        ("{group_share: 0.1}", "gate.group_share needs groups: add evaluate.groups"),
        ("{group_outcome: 0.1}", "gate.group_outcome needs groups"),
    ],
)
def test_a_limit_that_says_nothing_is_refused(gate, why, tmp_path):
    (tmp_path / "job.yaml").write_text(JOB + f"gate: {gate}\n")
    with pytest.raises(ValueError, match=why):
        read_job(tmp_path / "job.yaml")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return issue().save(tmp_path_factory.mktemp("rules") / "release")


@pytest.mark.parametrize(
    ("outcome", "limits", "verdicts"),
    [
        (0.5, {"group_share": 0.1, "group_outcome": 0.2}, ["PASS", "PASS"]),
        (0.5, {"group_share": 0.09, "group_outcome": 0.19}, ["FAIL", "FAIL"]),
        (None, {"group_share": 0.1, "group_outcome": 0.2}, ["PASS", "INCONCLUSIVE"]),
    ],
)
def test_a_group_whose_share_or_outcome_moved_too_far_holds_a_release_back(outcome, limits, verdicts, release):
    group = {"column": "sex", "value": "f", "share_real": 0.5, "share_synthetic": 0.4}
    group |= {"outcome_real": 0.3, "outcome_synthetic": outcome}
    quality = {"ways": [], "columns": [], "downstream": {"measure": "AUC", "learners": [], "groups": [group]}}
    found = [case for case in cases(limits, release, quality, None) if case.group.startswith("gate.group_")]
    assert [case.verdict for case in found] == verdicts
    assert all("sex = f" in case.text for case in found)
