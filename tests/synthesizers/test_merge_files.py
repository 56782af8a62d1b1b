"""The file of a merge holds its sources and nothing that they do not give: what was changed is found."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dpsynth
from dpsynth.cli import main
from dpsynth.synthesizers.merge_check import examine_merge
from dpsynth.synthesizers.merge_record import MergeCertificate
from tests.synthesizers.test_answers import draw, fitted


@pytest.fixture(scope="module")
def merged() -> dpsynth.Merged:
    other = draw(seed=1)
    other["ward"] = other["ward"].map({"a": "b", "b": "c", "c": "a"})
    return dpsynth.merge([fitted(draw()), fitted(other)], counts="add", disjoint=True)


@pytest.fixture
def saved(merged, tmp_path) -> Path:
    merged.save(tmp_path / "merged.dpsynth")
    return tmp_path / "merged.dpsynth"


def command(line: str, monkeypatch) -> int:
    monkeypatch.setattr("sys.argv", ["dpsynth", *line.split()])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code or 0


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> Path:
    """The same file with another document, or other arrays."""
    with zipfile.ZipFile(path) as file:
        held = {name: file.read(name) for name in file.namelist()}
    document = json.loads(held.pop("model.json"))
    change(document, held)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.json", json.dumps(document))
        for name, content in held.items():
            file.writestr(name, content)
    return path


def test_a_merge_that_is_loaded_is_the_one_that_was_saved(merged, saved):
    again = dpsynth.Merged.load(saved)
    assert again.certificate.record == merged.certificate.record
    assert again.sample(100, seed=3).equals(merged.sample(100, seed=3))
    assert again.answer("count by ward").to_frame().equals(merged.answer("count by ward").to_frame())
    assert again.get_params()["disjoint"] is True


def _count(document, arrays):
    """One noisy count of the second source."""
    name = next(inside for array, inside in document["arrays"].items() if array.startswith("1:measured:2"))
    values = np.load(io.BytesIO(arrays[name])).copy()
    values.flat[0] += 100
    buffer = io.BytesIO()
    np.save(buffer, values)
    arrays[name] = buffer.getvalue()


def _conflict(document, arrays):
    for each in document["certificate"]["comparisons"]:
        each["conflict"] = False


def _claim(document, arrays):
    document["certificate"]["claim"]["epsilon"] = 0.1


def _delta(document, arrays):
    document["certificate"]["claim"]["delta"] = 1e-9


def _budget(document, arrays):
    document["certificate"]["sources"][0]["certificate"]["budget"]["epsilon"] = 0.1


def _kind(document, arrays):
    document["counts"] = "average"


def _exchanged(document, arrays):
    document["sources"].reverse()


@pytest.mark.parametrize(
    "change", [_count, _conflict, _claim, _budget, _kind, _exchanged], ids=lambda f: f.__name__[1:]
)
def test_what_was_changed_in_a_file_is_refused_and_found(change, saved, monkeypatch, capsys):
    assert [outcome.fault for outcome in examine_merge(saved) if outcome.fault] == []
    changed(saved, change)
    with pytest.raises(dpsynth.ModelFileError):
        dpsynth.Merged.load(saved)
    assert any(outcome.fault for outcome in examine_merge(saved))
    assert command(f"verify {saved}", monkeypatch) == 1
    assert "FAULT" in capsys.readouterr().out


def test_the_command_merges_samples_and_verifies(tmp_path, merged, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, source in zip(("a", "b"), merged.sources, strict=True):
        source.save(f"{name}.dpsynth")
    line = "merge a.dpsynth b.dpsynth --counts add --disjoint -o both.dpsynth --report both"
    assert command(line, monkeypatch) == 0
    assert "conflicts" in capsys.readouterr().out
    MergeCertificate.load("both").verify()
    record = json.loads(Path("both/merge.json").read_text())
    assert record == merged.certificate.record
    assert "<script" not in Path("both/merge.html").read_text()
    assert command("sample both.dpsynth -n 200 -o rows --seed 1", monkeypatch) == 0
    assert command("verify rows --model both.dpsynth --redraw", monkeypatch) == 0
    assert command("verify both.dpsynth", monkeypatch) == 0
    assert "whether somebody is in several sources" in capsys.readouterr().out
    assert command("answer both.dpsynth 'count'".replace("'", ""), monkeypatch) == 0
    assert command(line, monkeypatch) == 2  # the file is there


def test_a_certificate_whose_claim_was_made_smaller_does_not_hold(merged, tmp_path):
    record = json.loads(merged.certificate.to_json())
    record["claim"]["epsilon"] = 0.5
    with pytest.raises(ValueError, match="claim is not what follows"):
        MergeCertificate(record).verify()
    record = json.loads(merged.certificate.to_json())
    record["sources"][1]["certificate"]["budget"]["epsilon"] = 0.5
    with pytest.raises(ValueError, match="source 2: "):
        MergeCertificate(record).verify()
    (tmp_path / "merge.json").write_text("{}")
    with pytest.raises(ValueError, match="no merge of format 1"):
        MergeCertificate.load(tmp_path)


def test_each_kind_of_file_says_how_it_is_opened(merged, saved, tmp_path):
    with pytest.raises(dpsynth.ModelFileError, match=r"Merged\.load"):
        dpsynth.Synthesizer.load(saved)
    merged.sources[0].save(tmp_path / "one.dpsynth")
    with pytest.raises(dpsynth.ModelFileError, match=r"Synthesizer\.load"):
        dpsynth.Merged.load(tmp_path / "one.dpsynth")
    with pytest.raises(dpsynth.ModelFileError, match="a merge"):
        dpsynth.merge([saved, saved], counts="add")
