"""Every example runs from a fresh process, without a warning, and leaves behind what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import dpsynth
from dpsynth.evidence.release import check_release

ROOT = Path(__file__).parents[1]
MADE = {
    "gate": ("public/synthetic.csv", "internal/audit.html", "households.ledger"),
    "hospital_stays": ("release/synthetic.csv", "stays.csv", "stays.ledger"),
    "images": ("release/drawn.npz", "release/pictures.dpsynth", "sheet.png"),
    "own_mechanism": ("synthetic.csv", "model.dpsynth"),
    "rare_fraud": ("synthetic.parquet", "frauds.parquet"),
}
RELEASE = {"gate": "public", "hospital_stays": "release", "images": "release", "own_mechanism": "", "rare_fraud": ""}
"""The folder of the release within what an example makes."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What an example leaves behind; each runs once."""
    done = {}

    def run(name):
        if name not in done:
            folder = tmp_path_factory.mktemp(name) / "made"
            command = [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py"), str(folder)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
            assert finished.returncode == 0, finished.stderr
            done[name] = folder
        return done[name]

    return run


def test_every_example_is_tried_and_on_the_page_of_examples():
    files = {path.stem for path in (ROOT / "examples").glob("*.py")}
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert set(MADE) == files
    assert [name for name in files if f"({name}.py)" not in page] == []


@pytest.mark.parametrize("name", MADE)
def test_an_example_leaves_behind_what_it_says_and_its_certificate_verifies(name, runs):
    folder = runs(name)
    assert [file for file in MADE[name] if not (folder / file).is_file()] == []
    assert check_release(folder / RELEASE[name]) == []


def test_the_account_of_the_stays_keeps_what_was_not_spent(runs):
    ledger = dpsynth.Ledger.open(runs("hospital_stays") / "stays.ledger")
    assert 0 < ledger.remaining().epsilon < 3
    ids = pd.read_csv(runs("hospital_stays") / "release" / "synthetic.csv")["patient"]
    assert ids.str.fullmatch(r"P-\d{6}").all()


def test_frauds_survive_where_the_workload_names_them(runs):
    release = pd.read_parquet(runs("rare_fraud") / "synthetic.parquet")
    frauds = release[release["fraud"].astype(bool)]
    assert 0.005 < len(frauds) / len(release) < 0.02
    assert (frauds["hour"] < 6).mean() > 0.6  # of all transactions 3 %
    drawn = pd.read_parquet(runs("rare_fraud") / "frauds.parquet")
    assert len(drawn) == 500
    assert (drawn["fraud"].astype(bool) & (drawn["amount"] > 1000)).all()


def test_the_chosen_pair_survives_in_the_release_of_the_own_mechanism(runs):
    release = pd.read_csv(runs("own_mechanism") / "synthetic.csv")
    shares = (release["grade"] == "A").groupby(release["school"]).mean()
    assert shares["north"] > shares["south"] + 0.15


def test_the_gate_holds_back_a_release_that_was_changed_and_one_of_copies(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import gate

    train, holdout = gate.households(600, seed=3), gate.households(600, seed=4)
    release = shutil.copytree(runs("gate") / "public", tmp_path / "release")
    train.to_csv(release / "synthetic.csv", index=False)
    assert not gate.gate(release, train, holdout, tmp_path / "internal")
    assert "(synthetic.csv)" in capsys.readouterr().err
    assert not (tmp_path / "internal").exists()

    monkeypatch.setattr(gate, "check_release", lambda folder: [])  # as if the copies had been drawn from the model
    assert not gate.gate(release, train, holdout, tmp_path / "internal")
    assert "held back" in capsys.readouterr().err
    assert (tmp_path / "internal" / "audit.html").is_file()
