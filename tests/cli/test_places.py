"""Places that a fit could not write to are refused before its budget is spent, for tables and for images."""

from __future__ import annotations

import os
import shlex

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import cli
from dpsynth.demo import release
from tests.mechanisms.test_image_embedding import random_images

TABLE = "fit rows.csv --schema schema.yaml --epsilon 1 --delta 1e-6 --mechanism mst --ledger a.ledger"
IMAGES = "images fit scans.npz --classes 3 --shape 6x5 --epsilon 3 --delta 1e-5 --ledger a.ledger"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with rows, images, a file in the way, and a link to nowhere."""
    monkeypatch.chdir(tmp_path)
    dpsynth.Schema({"age": dpsynth.Numeric(0, 9)}).save("schema.yaml")
    pd.DataFrame({"age": range(10)}).to_csv("rows.csv", index=False)
    images, labels = random_images(50)
    np.savez("scans.npz", images=images, labels=labels)
    (tmp_path / "a-file").write_text("kept")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone" / "x")
    (tmp_path / "taken" / "certificate.html").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    def call(line):
        monkeypatch.setattr("sys.argv", ["dpsynth", *shlex.split(line)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code or 0, " ".join(capsys.readouterr().err.split())

    return call


@pytest.mark.parametrize("fit", [TABLE, IMAGES], ids=["table", "images"])
@pytest.mark.parametrize(
    ("places", "words"),
    [
        ("-o gone/m.dpsynth", "gone does not exist"),
        ("-o a-file", "a-file exists already"),
        ("-o nowhere", "nowhere exists already"),
        ("-o a-file/m.dpsynth", "a-file does not exist"),
        ("-o /proc/m.dpsynth", "/proc/m.dpsynth cannot be written"),
        ("-o m.dpsynth --certificate a-file", "a-file is no folder"),
        ("-o m.dpsynth --certificate a-file/c", "a-file is no folder"),
        ("-o m.dpsynth --certificate nowhere", "nowhere is no folder"),
        ("-o m.dpsynth --certificate /proc/c", "nothing can be written in /proc"),
        ("-o m.dpsynth --certificate taken", "certificate.html cannot be written"),
        ("-o release --certificate release", "cannot both be written at release"),
        ("-o release --certificate release/c", "cannot both be written at release"),
        ("-o a.ledger", "cannot both be written at a.ledger"),
    ],
    ids=str,
)
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_spent(folder, run, fit, places, words):
    before = sorted(os.listdir(folder))
    code, said = run(f"{fit} {places}")
    assert (code, words in said) == (2, True), said
    assert sorted(os.listdir(folder)) == before
    assert (folder / "a-file").read_text() == "kept"


def test_a_checkpoint_where_nothing_can_be_written_is_refused_before_anything_is_spent(folder, run):
    network = TABLE.replace("mst", "dp-ctgan")
    code, said = run(f"{network} -o m.dpsynth --checkpoint /proc/c")
    assert (code, "nothing can be written in /proc" in said) == (2, True), said
    assert not (folder / "a.ledger").exists()


@pytest.mark.parametrize("fit", [TABLE, IMAGES], ids=["table", "images"])
def test_a_release_goes_to_a_folder_that_is_made_or_that_holds_an_older_certificate(folder, run, fit):
    for number in (1, 2):
        line = f"{fit.replace('a.ledger', f'{number}.ledger')} -o {number}.dpsynth --certificate new/release"
        assert run(line)[0] == 0
    assert dpsynth.Certificate.load(folder / "new" / "release").private


def test_a_fit_on_no_ledger_says_that_nothing_remembers_it(folder, run):
    code, said = run(f"{TABLE.replace(' --ledger a.ledger', '')} -o m.dpsynth")
    assert code == 0
    assert "no --ledger: nothing remembers what this fit spends" in said
    assert "nothing remembers" not in run(f"{TABLE} -o n.dpsynth")[1]


def test_the_demo_asks_for_its_folder_before_it_spends(folder, run, monkeypatch):
    monkeypatch.setattr(release, "load_randhie", lambda: pytest.fail("rows were read"))
    for out, words in (("/proc/d", "nothing can be written in /proc"), ("a-file/d", "a-file is no folder")):
        code, said = run(f"demo --out {out}")
        assert (code, words in said) == (2, True), said


def test_rows_that_cannot_be_read_are_one_sentence_that_says_nothing_of_them(folder, run):
    (folder / "rows.csv").write_text("age\n1\n2,canary\n3\n")
    code, said = run(f"{TABLE} -o m.dpsynth")
    assert code == 2
    assert "the rows could not be read" in said
    assert "canary" not in said
    assert "Traceback" not in said
    ledger = dpsynth.Ledger.open(folder / "a.ledger")
    assert [run.state for run in ledger.runs()] == ["drawing"]
    assert ledger.remaining().epsilon == 0
