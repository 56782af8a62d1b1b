"""A Croissant card lists the files of a release by their hashes, and its columns by their types."""

from __future__ import annotations

import json
import shutil

import pytest

from dpsynth.evidence.bundle.checks import read_manifest
from dpsynth.evidence.croissant import save_card
from dpsynth.evidence.release import examine_release
from tests.structure.source import ROOT

GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture
def release(tmp_path):
    """The files of format 1 that are a release."""
    folder = tmp_path / "release"
    folder.mkdir()
    for name in ("certificate.json", "claims.dpsynth", "rows.csv", "schema.yaml", "manifest.json"):
        shutil.copy(GOLDEN / "formats" / name, folder)
    return folder


def test_a_card_lists_each_file_by_its_hash_and_each_column_by_its_type(release):
    listed = {line["name"]: line["sha256"] for line in read_manifest(release)}
    found = json.loads(save_card(release).read_text())
    assert {each["name"]: each["sha256"] for each in found["distribution"]} == listed
    (records,) = found["recordSet"]
    types = {each["name"]: each["dataType"] for each in records["field"]}
    assert types["age"] == "sc:Integer"
    assert types["cost"] == "sc:Float"
    assert types["smoker"] == "sc:Boolean"
    assert types["admitted"] == "sc:Date"
    assert types["stay"] == types["patient"] == "sc:Text"
    assert "differentially private" in found["description"]


def test_a_release_with_a_card_holds_and_a_changed_card_does_not(release):
    before = {each.check: each.fault for each in examine_release(release)}
    save_card(release)
    assert {each.check: each.fault for each in examine_release(release)} == before
    assert read_manifest(release)[-1]["kind"] == "card"
    (release / "croissant.json").write_text("{}\n")
    assert "croissant.json" in next(each.fault for each in examine_release(release) if each.check == "files")


def test_a_card_that_was_written_again_is_the_same(release):
    first = save_card(release).read_bytes()
    head = read_manifest(release)[-1]["hash"]
    assert (save_card(release).read_bytes(), read_manifest(release)[-1]["hash"]) == (first, head)


def test_the_card_of_the_files_of_format_1_is_the_one_that_mlcroissant_read(release):
    assert json.loads(save_card(release).read_text()) == json.loads((GOLDEN / "croissant.json").read_text())
