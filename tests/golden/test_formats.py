"""Files of format 1: today's code reads them as they were meant, and writes no other keys than they have."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="a checkpoint needs PyTorch: pip install 'dpsynth[gan]'")

import dpsynth
from dpsynth.base.archive import read_archive, write_archive
from dpsynth.base.mappings import read_mapping, write_mapping
from dpsynth.base.text import said
from dpsynth.cli import main
from dpsynth.evidence import verify
from dpsynth.evidence.bundle.checks import read_manifest
from dpsynth.evidence.certificate import Certificate
from dpsynth.evidence.manifest import add_lines, line_of
from dpsynth.evidence.release import examine_release
from tests.golden.formats import make
from tests.rings.laws import rehashed

HERE = make.HERE
MEANING = json.loads((HERE / "meaning.json").read_text())
ARCHIVES = {"claims.dpsynth": "model.json", "images.dpsynth": "model.json", "claims.checkpoint": "checkpoint.json"}
NUMBERS = {
    "schema.yaml": "dpsynth_schema",
    "policy.yaml": "dpsynth_policy",
    "certificate.json": "dpsynth_certificate",
    "manifest.json": "dpsynth_manifest",
    "claims.dpsynth": "dpsynth_model",
    "images.dpsynth": "dpsynth_images",
    "claims.checkpoint": "dpsynth_checkpoint",
}
"""What each file calls the number of its format."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copies: SQLite and a fit that is resumed write into the folder of their files."""
    shutil.copytree(HERE, tmp_path / "files")
    return tmp_path / "files"


@pytest.fixture(scope="module")
def anew(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("anew")
    make.make(folder)
    return folder


# What is in the files still means what it meant.


@pytest.mark.parametrize("exported", [False, True])
def test_a_ledger_has_spent_what_it_had_spent(folder, exported):
    path = folder / "claims.ledger"
    if exported:
        dpsynth.Ledger.import_lines(folder / "claims.jsonl", path := folder / "again.ledger")
    ledger = dpsynth.Ledger.open(path)
    ledger.verify(MEANING["head"])
    assert ledger.spent().claim == pytest.approx(MEANING["spent"], rel=1e-12)
    assert [run.state for run in ledger.runs()] == MEANING["states"] == ["committed", "drawing"]
    assert ledger.runs()[0].job.purpose == "research"
    assert ledger.unit == make.schema().unit
    if exported:
        *entries, last = ledger.entries()
        assert entries == [*dpsynth.Ledger.open(folder / "claims.ledger").entries()]
        assert last["kind"] == "copy"


def test_the_bytes_of_an_export_stay_what_they_were(folder):
    dpsynth.Ledger.open(folder / "claims.ledger").export(folder / "anew.jsonl")
    assert (folder / "anew.jsonl").read_bytes() == (HERE / "claims.jsonl").read_bytes()


def test_a_certificate_claims_what_it_claimed_and_holds(folder):
    certificate = Certificate.load(folder)
    assert certificate.record["claim"] == MEANING["claim"]
    assert verify.check(folder) == []
    assert said(MEANING["claim"]["sentence"]) in " ".join(certificate.summary().split())


def test_a_manifest_lists_what_it_listed_and_its_model_is_that_of_the_certificate(folder):
    outcomes = {each.check: each for each in examine_release(folder)}
    assert [name for name, each in outcomes.items() if each.fault] == ["files"]
    assert outcomes["files"].fault.endswith("(certificate.html)")  # a page is no file of a format
    line = read_manifest(folder)[-1]
    rows = dpsynth.Synthesizer.load(folder / "claims.dpsynth").sample(line["rows"], seed=line["seed"])
    assert len(rows) == len((folder / "rows.csv").read_text().splitlines()) - 1


def test_a_model_samples_the_rows_that_it_sampled(folder):
    synth = dpsynth.Synthesizer.load(folder / "claims.dpsynth")
    rows = json.loads(synth.sample(5, seed=1).to_json(orient="records", date_format="iso"))
    for row, expected in zip(rows, MEANING["rows"], strict=True):
        assert row == {k: pytest.approx(v) if isinstance(v, float) else v for k, v in expected.items()}
    assert synth.schema == make.schema()
    synth.certificate.verify()


def test_a_model_of_images_samples_the_images_that_it_sampled(folder):
    synth = dpsynth.ImageSynthesizer.load(folder / "images.dpsynth")
    images, classes = synth.sample(3, seed=1)
    assert classes.tolist() == MEANING["classes"]
    np.testing.assert_allclose(images.astype(int), MEANING["images"], atol=1)  # grey values, rounded
    synth.certificate.verify()


def test_schema_and_policy_say_what_they_said(folder):
    assert dpsynth.Schema.load(folder / "schema.yaml") == make.schema()
    assert dpsynth.AuditPolicy.load(folder / "policy.yaml") == dpsynth.AuditPolicy(auc=0.6)


def test_a_fit_goes_on_from_a_checkpoint_under_the_charge_it_began_with(folder):
    ledger = dpsynth.Ledger.open(folder / "claims.ledger")
    synth = make.training(folder, ledger).fit(make.trained_records())
    assert synth.certificate.record["trainings"]["resumed"] == 1
    assert synth.certificate.record["trainings"]["lost"] <= make.NETWORK.steps - make.KEPT
    assert [run.state for run in ledger.runs()] == ["committed", "committed"]
    synth.certificate.verify()


def test_a_model_from_before_noisy_counts_were_kept_has_none(folder):
    assert dpsynth.Synthesizer.load(folder / "claims.dpsynth").fitted_.model.charged == ()


# The code writes the keys that are in the files, those that were added since, and no others.


def older(written: Any) -> Any:
    """A document without what was added to the format since the files were made."""
    model, arrays = written.get("model"), written.get("arrays", {})
    if "dpsynth_model" not in written or model.pop("measured", None) is None:
        return written
    kept = {name: kind for name, kind in arrays.items() if not name.startswith("measured:")}
    assert len(kept) < len(arrays)
    return {**written, "arrays": kept}


def keys(value: Any) -> Any:
    """The keys of a document, at every depth; of a list, those of its items."""
    if isinstance(value, dict):
        return {name: keys(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(keys(item), sort_keys=True) for item in value if isinstance(item, dict | list)})
    return None


def document(path: Path) -> Any:
    if path.name in ARCHIVES:
        plain, arrays = read_archive(path, ARCHIVES[path.name])
        return {**plain, "arrays": {name: array.dtype.str for name, array in arrays.items()}}
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return json.loads(path.read_text()) if path.suffix == ".json" else read_mapping(path)


@pytest.mark.parametrize("name", [*NUMBERS, "claims.jsonl"])
def test_what_is_written_today_has_the_keys_of_the_format(name, anew):
    found = document(anew / name)
    assert keys(older(found) if isinstance(found, dict) else found) == keys(document(HERE / name))


def test_the_table_of_a_ledger_is_that_of_the_format(anew):
    def form(path: Path) -> list[Any]:
        with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
            asked = (
                "SELECT name, sql FROM sqlite_master ORDER BY name",
                "PRAGMA user_version",
                "PRAGMA application_id",
            )
            return [connection.execute(each).fetchall() for each in asked]

    assert form(anew / "claims.ledger") == form(HERE / "claims.ledger")


def test_a_key_more_or_less_is_seen_at_every_depth():
    whole = {"a": 1, "b": [{"c": {"d": 1}}, {"e": 2}]}
    for other in ({"a": 1}, {**whole, "f": 1}, {"a": 1, "b": [{"c": {}}, {"e": 2}]}, {"a": 1, "b": [{"e": 2}]}):
        assert keys(other) != keys(whole)
    assert keys({"a": 5, "b": [{"e": 0}, {"c": {"d": "x"}}, {"e": 1}]}) == keys(whole)


# A file of another format is refused.


def refused(read: Callable[[], object]) -> str:
    with pytest.raises((ValueError, dpsynth.DPSynthError)) as caught:
        read()
    return str(caught.value)


@pytest.mark.parametrize("number", [0, 2, 4, "1", 1.0, True, None])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_file_of_another_format_is_refused_in_one_sentence(name, number, folder):
    path, key = folder / name, NUMBERS[name]
    if name in ARCHIVES:
        plain, arrays = read_archive(path, ARCHIVES[name])
        write_archive(path, ARCHIVES[name], {**plain, key: number}, arrays)
    elif path.suffix == ".json":
        path.write_text(json.dumps({**document(path), key: number}))
    else:
        write_mapping(path, {**document(path), key: number})
    ledger = dpsynth.Ledger.open(folder / "claims.ledger")
    readers: dict[str, Callable[[], object]] = {
        "schema.yaml": lambda: dpsynth.Schema.load(path),
        "policy.yaml": lambda: dpsynth.AuditPolicy.load(path),
        "certificate.json": lambda: Certificate.load(path),
        "manifest.json": lambda: add_lines(folder, line_of(path, "note")),
        "claims.dpsynth": lambda: dpsynth.Synthesizer.load(path),
        "images.dpsynth": lambda: dpsynth.ImageSynthesizer.load(path),
        "claims.checkpoint": lambda: make.training(folder, ledger).fit(make.trained_records()),
    }
    spent = ledger.spent()
    sentence = refused(readers[name])
    assert "\n" not in sentence
    assert ". " not in sentence
    assert "format" in sentence or key in sentence
    assert ledger.spent() == spent


@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_ledger_of_another_format_is_refused_in_one_sentence(number, folder, capsys, monkeypatch):
    with closing(sqlite3.connect(folder / "claims.ledger")) as connection:
        connection.execute(f"PRAGMA user_version = {number}")
    sentence = refused(lambda: dpsynth.Ledger.open(folder / "claims.ledger"))
    assert sentence == f"{folder / 'claims.ledger'} has format {number}, where this version reads 1: update dpsynth"
    monkeypatch.setattr("sys.argv", ["dpsynth", "ledger", "show", str(folder / "claims.ledger")])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "reads 1: update dpsynth" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("number", [0, 2, 4, "1", 1.0, True])
def test_lines_of_another_format_are_refused_in_one_sentence(number, folder):
    first = json.loads((folder / "claims.jsonl").read_text().splitlines()[0])
    (folder / "claims.jsonl").write_text(rehashed({**first, "format": number}) + "\n")
    assert "1: update dpsynth" in refused(lambda: dpsynth.Ledger.import_lines(folder / "claims.jsonl", folder / "new"))
