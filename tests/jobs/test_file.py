"""A slip in a job's file is one sentence with the key and the remedy, before anything is opened."""

from __future__ import annotations

import inspect

import pytest

from dpsynth.jobs.file import NOT_OF_A_MECHANISM, read_job
from dpsynth.synthesizers.table import Synthesizer

JOB = """dpsynth_job: 1
data: train.csv
schema: schema.yaml
ledger: stays.ledger
output: releases/${month}
fit: {epsilon: 1, purpose: "${month}"}
evaluate:
audit: {holdout: holdout.csv}
gate: {distance: {pairs: 0.05}, audit: [PASS]}
sign: {key: office.key, signer: data office}
"""


def read(tmp_path, text=JOB, **values):
    (tmp_path / "job.yaml").write_text(text)
    return read_job(tmp_path / "job.yaml", values or {"month": "2026-11"})


def test_paths_are_taken_from_the_folder_of_the_job_and_variables_are_filled_in(tmp_path):
    job = read(tmp_path)
    assert job.output == tmp_path / "releases" / "2026-11"
    assert job.of("fit")["purpose"] == "2026-11"
    assert job.of("audit")["holdout"] == tmp_path / "holdout.csv"
    assert job.of("evaluate") == job.of("sample") == {}
    assert "certify" not in job.sections


def test_an_address_of_a_table_stays_as_it_is(tmp_path):
    address = "postgresql://host/clinic?table=visits"
    assert read(tmp_path, JOB.replace("train.csv", address)).data == address


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("dpsynth_job: 1", "dpsynth_job: 2", "begins with dpsynth_job: 1"),
        ("evaluate:", "evalute:", r"a job has no key 'evalute': did you mean 'evaluate'\?"),
        ("epsilon: 1", "epsilom: 1", r"fit has no key 'epsilom': did you mean 'epsilon'\?"),
        ("epsilon: 1, ", "", "fit.epsilon is missing"),
        ("epsilon: 1", "epsilon: one", "fit.epsilon must be a number"),
        ("epsilon: 1", "epsilon: -1", "fit.epsilon must be a number of 0 or more, got -1"),
        ("epsilon: 1", "epsilon: true", "fit.epsilon must be a number"),
        ("data: train.csv\n", "", "data must be a path, got None"),
        ("holdout: holdout.csv", "level: quick", "audit.holdout is missing"),
        ("{pairs: 0.05}", "{fours: 0.05}", "gate.distance must be limits for columns, pairs or triples"),
        ("{pairs: 0.05}", "0.05", "gate.distance must be limits"),
        ("[PASS]", "[PASSED]", "gate.audit must be a list of verdicts"),
        ("[PASS]", "PASS", "gate.audit must be a list of verdicts"),
        ("evaluate:\n", "", "gate.distance needs a comparison with real rows: add evaluate"),
        ("audit: {holdout: holdout.csv}\n", "", "gate.audit needs an audit"),
        ("{pairs: 0.05}", "{pairs: 0.05}, model_loss: 0.1", "gate.model_loss needs a target of models"),
        ("{pairs: 0.05}", "{pairs: 0.05}, group_loss: 0.1", "gate.group_loss needs groups"),
        ("{pairs: 0.05}", "{pairs: 0.05}, analyses: 0.9", "gate.analyses needs analyses: add evaluate.analyses"),
        ("{pairs: 0.05}", "{pairs: 0.05}, analyses: 90", "gate.analyses must be a share from 0 to 1, got 90"),
        ("evaluate:", "evaluate: {groups: sex}", "evaluate.groups must be a list of columns, got 'sex'"),
        ("signer: data office", "role: reviewer", "sign.signer is missing"),
        ("key: office.key", "key: 3", "sign.key must be a path"),
        ("{key: office.key, signer: data office}", "yes", "sign must hold names and values"),
        ("${month}\n", "${year}\n", r"\$\{year\} has no value: give --set year=VALUE"),
        ("evaluate:", "evaluate:\nevaluate:", "given twice"),
        ("epsilon: 1", "epsilon: 1, delta: null", "fit.delta must be a number of 0 or more, got None"),
        ("epsilon: 1", "epsilon: 1, mechanism: 3", "fit.mechanism must be text, got 3"),
        ("epsilon: 1", "epsilon: 1, approvals: {board: 17}", "fit.approvals must be names and texts"),
        ("epsilon: 1", "epsilon: 1, settings: {epsilon: 2}", "fit.settings are those of the mechanism, got 'epsilon'"),
        (
            "epsilon: 1",
            "epsilon: 1, settings: {unsafe_seed: 2}",
            "got 'unsafe_seed': remove it",
        ),
        ("evaluate:", "sample: {rows: 0}\nevaluate:", "sample.rows must be a whole number of 1 or more, got 0"),
        ("evaluate:", "sample: {format: pdf}\nevaluate:", "sample.format must be one of csv, parquet, .*, got 'pdf'"),
        ("evaluate:", "certify: {documents: [nist]}\nevaluate:", "certify.documents must be a list of names"),
        ("evaluate:", "certify: {documents: [../x]}\nevaluate:", "certify.documents must be a list of names"),
        ("[PASS]", "[]", "gate.audit must be a list of verdicts"),
        ("[PASS]", "null", "gate.audit must be a list of verdicts"),
        ("{pairs: 0.05}", "null", "gate.distance must be limits"),
        ("{pairs: 0.05}", "{}", "gate.distance must be limits"),
        ("{distance", "{epsilon: null, distance", "gate.epsilon must be a number of 0 or more, got None"),
        ("signer: data office", "signer: 5", "sign.signer must be text, got 5"),
    ],
)
def test_a_slip_is_named_with_its_key(old, new, why, tmp_path):
    with pytest.raises(ValueError, match=why) as error:
        read(tmp_path, JOB.replace(old, new, 1))
    assert "\n" not in str(error.value)
    assert "job.yaml: " in str(error.value)


def test_no_setting_reaches_a_synthesizer_but_its_mechanisms_own():
    """The seed of noise among them: a release of such a job would claim nothing."""
    assert set(NOT_OF_A_MECHANISM) == inspect.signature(Synthesizer).parameters.keys() - {"settings"}


def test_a_setting_without_a_value_is_the_usual_one_after_the_fit(tmp_path):
    job = read(tmp_path, JOB.replace("signer: data office", "signer: data office, days: null, role: null"))
    assert job.of("sign").keys() == {"key", "signer"}


def test_a_value_that_is_used_nowhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--set moth is used nowhere"):
        read(tmp_path, month="2026-11", moth="2026-12")
