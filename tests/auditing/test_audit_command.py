"""`dpsynth audit`: what it prints, writes and returns."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from dpsynth.auditing.release.audit_policy import AuditPolicy
from dpsynth.cli import app
from tests.auditing.people import SCHEMA, mixed, people


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("audit")
    SCHEMA.save(path / "schema.yaml")
    AuditPolicy().save(path / "policy.yaml")
    train = people(500, 1)
    tables = {
        "train": train,
        "holdout": people(500, 2),
        "leaky": mixed(500, train, 100),
        "clean": people(500, 3),
        "late": people(500, 4).assign(x0=9.5),
    }
    for name, table in tables.items():
        table.to_csv(path / f"{name}.csv", index=False)
    return path


def run(folder, release, *more, holdout="holdout"):
    arguments = ["audit", f"{folder}/{release}.csv", "--train", f"{folder}/train.csv", "-s", f"{folder}/schema.yaml"]
    return CliRunner().invoke(app, [*arguments, "--holdout", f"{folder}/{holdout}.csv", *more])


def test_a_leaky_release_fails_with_code_1_and_leaves_its_evidence(folder, tmp_path):
    done = run(folder, "leaky", "--policy", f"{folder}/policy.yaml", "-o", str(tmp_path / "report"))
    assert done.exit_code == 1
    assert "INTERNAL, not differentially private: FAIL" in done.stdout
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == ["audit.html", "audit.json", "audit.xml"]


def test_what_cannot_be_said_has_code_3_and_a_bad_comparison_code_2(folder):
    assert run(folder, "clean").exit_code == 3  # 500 rows are too few to pass
    assert run(folder, "clean", holdout="late").exit_code == 2


def test_a_release_that_passes_has_code_0(folder, tmp_path):
    lenient = AuditPolicy(auc=1, tpr=1, attribute=1, singling_out=1, linkability=1, copies=1, near_copies=1)
    lenient.save(tmp_path / "lenient.yaml")
    done = run(folder, "clean", "--policy", str(tmp_path / "lenient.yaml"), "--sensitive", "town", "--json")
    assert done.exit_code == 0
    record = json.loads(done.stdout)
    assert record["verdict"] == "PASS"
    assert next(f["attack"] for f in record["findings"] if f["threat"] == "attribute").startswith("town")


def test_a_claim_is_taken_whole_or_not_at_all(folder):
    done = run(folder, "clean", "--epsilon", "1", "--delta", "1e-6", "--json")
    assert json.loads(done.stdout)["claim"]["epsilon"] == 1
    half = run(folder, "clean", "--epsilon", "1")
    assert "both --epsilon and --delta" in str(half.exception)
