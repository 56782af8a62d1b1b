"""The claim of a release is read from the certificate beside it, and said so; one that does not hold is refused."""

from __future__ import annotations

import json
import logging
import shutil
import warnings

import pytest
from typer.testing import CliRunner

import dpsynth
from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.release.audit import audit
from dpsynth.auditing.release.claimed import certificate_beside, claim_of, claimed
from dpsynth.cli import app
from dpsynth.evidence.manifest import add_lines, line_of
from tests.auditing.people import SCHEMA, people


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A release, its certificate in the same folder, and the tables that an audit takes."""
    folder = tmp_path_factory.mktemp("claimed")
    train = people(300, 1)
    synth = dpsynth.Synthesizer(SCHEMA, "independent", epsilon=0.7, delta=1e-5, ledger=None).fit(train)
    synth.certificate.save(folder / "release")
    synth.sample(300, seed=1).to_csv(folder / "release" / "rows.csv", index=False)
    train.to_csv(folder / "train.csv", index=False)
    people(300, 2).to_csv(folder / "holdout.csv", index=False)
    SCHEMA.save(folder / "schema.yaml")
    return folder


def test_the_certificate_in_the_folder_of_the_release_or_in_one_of_its_name_is_found(made, tmp_path):
    beside = made / "release" / "certificate.json"
    assert certificate_beside(made / "release" / "rows.csv") == beside
    assert certificate_beside(str(made / "release.parquet")) == beside
    assert certificate_beside(made / "train.csv") is None
    assert certificate_beside(people(3, 1)) is None


def test_the_claim_is_that_of_the_certificate_with_its_unit_and_where_it_was_read(made, caplog):
    with caplog.at_level(logging.INFO, "dpsynth"):
        claim = claimed(None, made / "release" / "rows.csv")
    assert (claim.epsilon, claim.delta, claim.mu, claim.adjacency) == (0.7, 1e-5, None, "add-remove")
    assert claim.unit == "any 1 record, added or removed"
    assert claim.source == str(made / "release" / "certificate.json")
    assert f"epsilon 0.7, delta 1e-05 for {claim.unit}, read from {claim.source}" in caplog.text
    said = PrivacyClaim(2.0, 1e-6)
    assert claimed(said, made / "release" / "rows.csv") is said
    assert claimed(made / "release", people(3, 1)) == PrivacyClaim(
        0.7, 1e-5, unit=claim.unit, source=str(made / "release")
    )


def test_a_report_says_which_claim_it_was_read_from(made):
    tables = (made / "release" / "rows.csv", made / "train.csv", made / "holdout.csv")
    report = audit(*tables, schema=SCHEMA, sensitive=["town"])
    assert report.claim.source in report.summary()
    assert report.record["claim"]["source"] == report.claim.source
    assert report.record["claim"]["ceilings"]["auc"] == pytest.approx(PrivacyClaim(0.7, 1e-5).auc_ceiling)


def test_the_command_reads_it_and_what_is_said_goes_before_it(made):
    folder = str(made)
    arguments = ["audit", f"{folder}/release/rows.csv", "--train", f"{folder}/train.csv", "--json"]
    arguments += ["--holdout", f"{folder}/holdout.csv", "-s", f"{folder}/schema.yaml", "--sensitive", "town"]
    found = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert (found["claim"]["epsilon"], found["claim"]["delta"]) == (0.7, 1e-5)
    said = json.loads(CliRunner().invoke(app, [*arguments, "--epsilon", "3", "--delta", "1e-6"]).stdout)
    assert (said["claim"]["epsilon"], said["claim"]["source"]) == (3, None)


def test_a_certificate_that_does_not_hold_is_no_claim(made, tmp_path):
    folder = shutil.copytree(made / "release", tmp_path / "release")
    file = folder / "certificate.json"
    file.write_text(file.read_text().replace('"epsilon": 0.7', '"epsilon": 0.1'))
    with pytest.raises(ValueError, match="to audit all the same, say what was promised"):
        audit(folder / "rows.csv", made / "train.csv", made / "holdout.csv", schema=SCHEMA)
    file.write_text("{")
    with pytest.raises(ValueError, match="to audit all the same"):
        claimed(None, folder / "rows.csv")


def test_rows_that_were_changed_after_the_manifest_listed_them_have_no_certificate(made, tmp_path):
    folder = shutil.copytree(made / "release", tmp_path / "release")
    add_lines(folder, line_of(folder / "rows.csv", "rows"))
    assert claimed(None, folder / "rows.csv").epsilon == 0.7
    (folder / "others.csv").write_text("not listed")
    assert claimed(None, folder / "others.csv").epsilon == 0.7
    with (folder / "rows.csv").open("a") as file:
        file.write("\n")
    with pytest.raises(ValueError, match=r"rows.csv is not the file that manifest.json lists"):
        claimed(None, folder / "rows.csv")
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match=r"manifest.json .*; to audit all the same"):
        claimed(None, folder / "rows.csv")


def test_a_seeded_run_promises_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        synth = dpsynth.Synthesizer(SCHEMA, "independent", epsilon=1.0, delta=1e-5, ledger=None, unsafe_seed=1)
        synth.fit(people(100, 1)).certificate.save(tmp_path)
    with pytest.raises(ValueError, match="promises nothing, since its noise came from a seed"):
        claim_of(tmp_path / "certificate.json")
