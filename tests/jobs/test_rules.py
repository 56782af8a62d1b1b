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
        ("{group_outcome: 0.1}\nevaluate: {groups: [sex]}", "gate.group_outcome needs a target of models"),
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
    group = {"column": "sex", "value": "f", "outcome_real": 0.3, "outcome_synthetic": outcome}
    models = {"measure": "AUC", "learners": [], "groups": [group]}
    quality = {**in_groups({"rows_real": 50, "rows_synthetic": 80}), "downstream": models}
    found = [case for case in cases(limits, release, quality, None) if case.group.startswith("gate.group_")]
    assert [case.verdict for case in found] == verdicts
    assert all("sex = f" in case.text for case in found)


def in_groups(*counted):
    """A comparison of 100 real rows and 200 synthetic ones, without models. counted: of each group."""
    groups = [{"column": "sex", "value": "f", **rows} for rows in counted]
    return {"ways": [], "columns": [], "downstream": None, "groups": groups, "rows_real": 100, "rows_synthetic": 200}


@pytest.mark.parametrize(("synthetic", "verdict"), [(80, "PASS"), (78, "FAIL"), (0, "FAIL")])
def test_the_shares_of_groups_are_compared_without_a_target(synthetic, verdict, release):
    quality = in_groups({"rows_real": 50, "rows_synthetic": synthetic})
    found = [case for case in cases({"group_share": 0.1}, release, quality, None) if case.group == "gate.group_share"]
    assert [case.verdict for case in found] == [verdict]


def test_a_limit_on_groups_of_which_no_real_row_is_one_passes_nothing(release):
    limits = {"group_loss": 9, "group_share": 1, "group_outcome": 9}
    models = {"measure": "AUC", "learners": [], "groups": []}
    found = cases(limits, release, {**in_groups(), "downstream": models}, None)
    assert {case.group: case.verdict for case in found if case.group in {f"gate.{each}" for each in limits}} == {
        f"gate.{each}": "INCONCLUSIVE" for each in limits
    }


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_a_figure_that_is_not_known_passes_no_limit(unknown, release):
    learner = {"name": "boosting", "real": 0.9, "synthetic": unknown}
    group = {"column": "sex", "value": "f", "real": 0.9, "synthetic": unknown}
    models = {"measure": "AUC", "learners": [learner], "groups": [group]}
    quality = {**in_groups(), "downstream": models, "ways": [{"columns": 2, "distance": unknown}]}
    limits = {"model_loss": 9, "group_loss": 9, "distance": {"pairs": 1}}
    asked = [case for case in cases(limits, release, quality, None) if case.group.split(".")[1] in limits]
    assert [case.verdict for case in asked] == ["INCONCLUSIVE"] * 3
