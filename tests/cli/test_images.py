"""`dpsynth images`: from .npz to a release, and what it refuses in one sentence."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

import dpsynth
from dpsynth import cli
from dpsynth.evidence import verify
from tests.mechanisms.test_image_embedding import random_images

FACTS = "--classes 3 --shape 6x5 --epsilon 3 --delta 1e-5"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a command line in a folder that holds scans.npz; exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    images, labels = random_images(200)
    np.savez("scans.npz", images=images, labels=labels)
    np.savez("people.npz", images=images, labels=labels, ids=np.repeat(np.arange(20), 10))

    def call(line):
        monkeypatch.setattr("sys.argv", ["dpsynth", *shlex.split(line)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return call


def test_images_go_from_a_file_to_a_release_that_verifies(run, tmp_path):
    line = f"images fit scans.npz {FACTS} -o m.dpsynth --ledger a.ledger --purpose teaching --certificate release"
    code, out, err = run(line)
    assert code == 0, err
    assert "differentially private" in out
    assert verify.check(tmp_path / "release") == []
    assert run("images sample m.dpsynth -n 40 --seed 1 -o out.npz --sheet out.png")[0] == 0
    drawn = np.load("out.npz", allow_pickle=False)
    again = dpsynth.ImageSynthesizer.load("m.dpsynth").sample(40, seed=1)
    np.testing.assert_array_equal(drawn["images"], again[0])
    np.testing.assert_array_equal(drawn["labels"], again[1])
    assert (tmp_path / "out.png").read_bytes()[:4] == b"\x89PNG"
    code, out, _ = run("images evaluate out.npz scans.npz -o quality")
    assert code == 0
    assert "INTERNAL" in out
    assert (tmp_path / "quality" / "images.html").is_file()
    code, out, err = run("images evaluate out.npz scans.npz --holdout people.npz -o internal")
    assert code == 0, err
    assert "it is no holdout" in out  # the file holds the same images
    assert "Copies" in (tmp_path / "internal" / "images.html").read_text()
    code, _, err = run(f"images fit scans.npz {FACTS} -o n.dpsynth --ledger a.ledger")
    assert code == 4
    assert "nothing was spent" in err


def test_a_person_with_many_images_is_protected_as_a_whole(run):
    code, out, _ = run(f"images fit people.npz {FACTS} --unit patient --max-records 2 -o m.dpsynth")
    assert code == 0
    assert "'patient', of whom at most 2 records" in out


def test_a_plan_opens_nothing(run):
    code, out, _ = run(f"images plan {FACTS} --rows 5000 --mechanism dp-gan")
    assert code == 0
    assert "400 steps" in out
    assert "noise on the size of a class" in out


def test_one_class_can_be_asked_for(run):
    run(f"images fit scans.npz {FACTS} -o m.dpsynth")
    assert run("images sample m.dpsynth -n 9 --label 2 -o two.npz")[0] == 0
    assert set(np.load("two.npz")["labels"]) == {2}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"images fit nowhere.npz {FACTS} -o m.dpsynth", "is not a file"),
        (f"images fit text.npz {FACTS} -o m.dpsynth", "is not a .npz of plain arrays"),
        (f"images fit objects.npz {FACTS} -o m.dpsynth", "without objects"),
        (f"images fit single.npy {FACTS} -o m.dpsynth", "is not a .npz of plain arrays"),
        (f"images fit bare.npz {FACTS} -o m.dpsynth", "no array 'labels'"),
        (f"images fit people.npz {FACTS} -o m.dpsynth", "ids say whose image each is"),
        (f"images fit scans.npz {FACTS} --unit patient -o m.dpsynth", "ids say whose image each is"),
        (f"images fit scans.npz {FACTS.replace('6x5', '6')} -o m.dpsynth", "HEIGHTxWIDTH"),
        (f"images fit scans.npz {FACTS.replace('6x5', '5x6')} -o m.dpsynth", "must have shape"),
        (f"images fit scans.npz {FACTS} --mechanism mst -o m.dpsynth", "no mechanism 'mst'"),
        (f"images fit scans.npz {FACTS} -o nowhere/m.dpsynth", "does not exist"),
        ("images evaluate scans.npz scans.npz --network", "and there is none"),
        ("images evaluate scans.npz scans.npz --holdout bare.npz", "no array 'labels'"),
        ("images sample scans.npz -o out.npz", "is not a model file"),
        ("images sample scans.npz -o out.csv", "must end in .npz"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_spent(run, tmp_path, line, words):
    images, labels = random_images(5)
    (tmp_path / "text.npz").write_text("no archive")
    np.savez("objects.npz", images=np.array([None, 1], dtype=object), labels=labels)
    np.save("single.npy", images)
    np.savez("bare.npz", images=images)
    code, _, err = run(f"{line} --ledger a.ledger" if "fit" in line else line)
    assert code == 2
    assert words in err
    assert err.strip().count("\n") == 0
    assert not (tmp_path / "a.ledger").exists()


def test_the_command_for_tables_says_what_to_use_for_images(run):
    run(f"images fit scans.npz {FACTS} -o m.dpsynth")
    code, _, err = run("sample m.dpsynth -o out.csv")
    assert code == 2
    assert "use `dpsynth images sample`" in err
