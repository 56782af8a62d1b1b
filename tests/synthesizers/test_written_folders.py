"""A folder of rows that is no release is checked beside its model, and what is changed in it is found."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.base.archive import read_archive, write_archive
from dpsynth.evidence.bundle import samples
from dpsynth.evidence.manifest import add_lines, line_of
from dpsynth.evidence.release import examine_samples
from dpsynth.synthesizers import block_job, blocks, drawing

SCHEMA = dpsynth.Schema({"age": dpsynth.Numeric(0, 120, integer=True), "sex": dpsynth.Categorical(["f", "m"])})


def fitted(seed: int) -> dpsynth.Synthesizer:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"age": rng.integers(20, 90, 300), "sex": rng.choice(["f", "m"], 300)})
    return dpsynth.Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, ledger=None).fit(rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four files of rows, and beside their folder the model, and another one."""
    place = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_job, "ROWS_OF_A_BLOCK", 30)
        synth = fitted(1)
        synth.save(place / "model.dpsynth")
        fitted(2).save(place / "other.dpsynth")
        synth.write(place / "rows", 100, seed=7)
        synth.write(place / "rows", 40, seed=7, format="csv")
    return place


@pytest.fixture
def here(made, tmp_path):
    return shutil.copytree(made, tmp_path / "here")


def found(here, model="model.dpsynth") -> set[str]:
    """The names of the checks that do not pass."""
    outcomes = examine_samples(here / "rows", here / model)
    return {each.check for each in outcomes if each.fault or each.undecided}


def relisted(folder, keep=lambda line: True) -> None:
    """The manifest written anew, as somebody would who knows its format."""
    lines = json.loads((folder / "manifest.json").read_text())["files"]
    (folder / "manifest.json").unlink()
    for line in filter(keep, lines):
        facts = {n: v for n, v in line.items() if n not in ("name", "kind", "sha256", "prev", "hash")}
        add_lines(folder, line_of(folder / line["name"], line["kind"], **facts))


def test_a_folder_holds_beside_its_model_and_each_file_is_drawn_again(here, run):
    assert found(here) == set()
    code, out, err = run(f"verify {here}/rows --model {here}/model.dpsynth --redraw")
    assert (code, err) == (0, "")
    assert out.count("again: rows-") == 6
    assert "FAULT" not in out
    assert "model.dpsynth, whose certificate agrees with the ledger lines" in " ".join(out.split())
    assert "--redraw)" not in out


def changed(folder):
    (folder / "rows-1.parquet").write_bytes(b"REAL PERSON")


def lost(folder):
    (folder / "rows-1.parquet").unlink()


def lost_and_relisted(folder):
    (folder / "rows-3.parquet").unlink()
    relisted(folder, lambda line: line["name"] != "rows-3.parquet")


def doubled_and_relisted(folder):
    shutil.copy(folder / "rows-1.parquet", folder / "rows-2.parquet")
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"number": 2,', '"number": 1,'))
    lines = json.loads((folder / "manifest.json").read_text())["files"]
    (folder / "manifest.json").unlink()
    for line in lines:
        facts = {n: v for n, v in line.items() if n not in ("name", "kind", "sha256", "prev", "hash")}
        add_lines(folder, line_of(folder / line["name"], line["kind"], **facts))


def edited(folder):
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"rows": 30', '"rows": 31', 1))


def added(folder):
    (folder / "notes.txt").write_text("mine")


def stamped(folder):
    frame = pd.read_csv(folder / "rows-0.csv").assign(contains_real_records=True)
    frame.to_csv(folder / "rows-0.csv", index=False)
    relisted(folder)


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (changed, {"files"}),
        (lost, {"files"}),
        (lost_and_relisted, {"blocks"}),
        (doubled_and_relisted, {"blocks"}),
        (edited, {"manifest"}),
        (added, {"unlisted"}),
        (stamped, {"real"}),
    ],
)
def test_what_is_changed_in_a_folder_is_found_by_the_check_that_says_so(change, checks, here):
    change(here / "rows")
    assert found(here) == checks


def test_another_model_is_found_and_none_leaves_the_question_open(here, run):
    assert found(here, "other.dpsynth") == {"source"}
    code, out, err = run(f"verify {here}/rows")
    assert code == 3
    assert "open   source" in out
    assert "no model was given" in err


def test_a_model_whose_certificate_is_forged_or_of_another_run_is_found(here):
    document, arrays = read_archive(here / "model.dpsynth", "model.json")
    forged = json.loads(json.dumps(document))
    forged["certificate"]["claim"]["epsilon"] = 0.1
    write_archive(here / "forged.dpsynth", "model.json", forged, arrays)
    assert "claim" in found(here, "forged.dpsynth")
    other, _ = read_archive(here / "other.dpsynth", "model.json")
    write_archive(here / "mixed.dpsynth", "model.json", {**document, "certificate": other["certificate"]}, arrays)
    assert found(here, "mixed.dpsynth") == {"source"}


def test_rows_of_somebody_else_with_all_hashes_made_anew_are_found_by_drawing_again(here):
    shutil.copy(here / "rows" / "rows-0.parquet", here / "rows" / "rows-1.parquet")
    relisted(here / "rows")
    assert found(here) == set()
    again = drawing.drawn_again(here / "rows", here / "model.dpsynth")
    assert [each.check for each in again if each.fault] == ["again: rows-1.parquet"]


def test_so_many_are_drawn_again_as_were_asked_for_and_not_always_the_same(here, run):
    chosen = set()
    for _ in range(12):
        outcomes = drawing.drawn_again(here / "rows", here / "model.dpsynth", 2)
        assert len(outcomes) == 2
        assert not any(each.fault or each.undecided for each in outcomes)
        chosen |= {each.check for each in outcomes}
    assert len(chosen) > 2  # 12 pairs of six that are all one pair: less than once in 10**12
    code, out, _ = run(f"verify {here}/rows --model {here}/model.dpsynth --redraw-some 1")
    assert (code, out.count("again: ")) == (0, 1)
    assert "the samples beside the 1 drawn again (--redraw)" in " ".join(out.split())


def test_an_unfinished_folder_and_what_is_no_model_are_refused_in_a_sentence(here, run, monkeypatch):
    def ends(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(blocks, "write_rows", ends)
    with pytest.raises(KeyboardInterrupt):
        dpsynth.Synthesizer.load(here / "model.dpsynth").write(here / "half", 10, seed=1)
    code, _, err = run(f"verify {here}/half --model {here}/model.dpsynth")
    assert code == 2
    assert "is not finished: give the command that began it once more" in " ".join(err.split())
    code, _, err = run(f"verify {here}/rows --model {here}/rows/rows-0.csv")
    assert code == 2
    assert "give a model file" in " ".join(err.split())
    code, _, err = run(f"verify {here}/rows --key somebody.pub")
    assert code == 2
    assert "give no --trust or --key" in " ".join(err.split())


def test_a_release_that_lost_its_certificate_is_no_folder_that_holds(here):
    folder, synth = here / "release", dpsynth.Synthesizer.load(here / "model.dpsynth")
    synth.certificate.save(folder)
    synth.write(folder, 20, seed=3)
    (folder / "certificate.json").unlink()
    assert samples.is_samples(folder)
    outcomes = examine_samples(folder, here / "model.dpsynth")
    assert "files" in {each.check for each in outcomes if each.fault}
