"""From a table to a verified release by commands alone, and what is left where a step fails."""

from __future__ import annotations

import json
import logging

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.synthesizers import release as releases
from dpsynth.synthesizers.drawing import Drawn

SCHEMA = dpsynth.Schema(
    {"age": dpsynth.Numeric(0, 120, integer=True), "sex": dpsynth.Categorical(["f", "m"])},
    unit=dpsynth.PrivacyUnit("pid", 2),
)
RELEASE = "release rows.csv -s schema.yaml --epsilon 1 --mechanism independent"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a schema and a table of people with several rows."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    people = rng.integers(0, 300, 600)
    rows = pd.DataFrame({"pid": people, "age": rng.integers(20, 90, 600), "sex": rng.choice(["f", "m"], 600)})
    rows.to_csv("rows.csv", index=False)
    rows.to_parquet("rows.parquet")
    SCHEMA.save("schema.yaml")
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_table_becomes_a_verified_release_and_an_audit(folder, run):
    assert run("init study --data rows.csv --id-column pid --max-records 2 --epsilon 3")[0] == 0
    SCHEMA.save("study/schema.yaml")
    split = "split rows.csv -s study/schema.yaml --holdout 0.4 --seed 7 -o train.csv holdout.csv"
    assert run(split)[0] == 0
    fit = "release train.csv -s study/schema.yaml --ledger study/rows.ledger --epsilon 1 -o study/releases/first"
    code, out, err = run(fit)
    assert code == 0, err
    assert "(1, 0.000001)-differentially private for every 'pid'" in out
    made = folder / "study" / "releases" / "first"
    files = ["certificate.html", "certificate.json", "manifest.json", "model.dpsynth", "schema.yaml", "synthetic.csv"]
    assert names(made) == files
    assert names(made.parent) == ["first"]
    head = json.loads((made / "manifest.json").read_text())["files"][-1]["hash"]
    assert head in out
    assert run(f"verify {made} --redraw --head {head}")[0] == 0
    assert run(f"sample {made}/model.dpsynth -n 40 -o {made}/more.parquet")[0] == 0
    assert run(f"verify {made} --redraw --head {head[:20]}")[0] == 0
    compare = f"{made}/synthetic.csv train.csv -s study/schema.yaml -o study/internal/quality"
    assert run(f"evaluate {compare}")[0] == 0
    attack = f"audit {made}/synthetic.csv --train train.csv --holdout holdout.csv -s study/schema.yaml"
    assert run(f"{attack} -o study/internal/audit")[0] in (0, 3)
    head = dpsynth.Certificate.load(made).record["ledger"]["head"]
    assert run(f"ledger verify study/rows.ledger --head {head}")[0] == 0
    rows = (made / "synthetic.csv").read_text()
    (made / "synthetic.csv").write_text(rows.replace("f", "m", 1))
    code, out, _ = run(f"verify {made}")
    assert (code, "FAULT  files" in out, "synthetic.csv" in out) == (1, True, True)
    (made / "synthetic.csv").write_text(rows)
    (made / "notes.txt").write_text("by hand")
    code, out, err = run(f"verify {made}")
    assert (code, "open   unlisted" in out, "'notes.txt'" in err) == (3, True, True)


@pytest.mark.parametrize(
    ("data", "option", "name"),
    [
        ("rows.csv", "", "synthetic.csv"),
        ("rows.parquet", "", "synthetic.parquet"),
        ("rows.csv", " --format parquet", "synthetic.parquet"),
    ],
)
def test_rows_come_in_the_format_of_the_data_or_the_one_that_is_asked_for(data, option, name, folder, run):
    line = f"{RELEASE.replace('rows.csv', data)}{option} -n 20 --seed 3 -o out --json"
    found = json.loads(run(line)[1])
    assert (found["rows"], found["seed"], found["rows_file"]) == (20, 3, f"out/{name}")
    assert found["certificate"]["claim"]["delta"] == 1e-6
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    assert len(read(folder / "out" / name)) == 20


def test_an_empty_folder_becomes_the_release_and_any_other_is_left_alone(folder, run):
    (folder / "empty").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "a.txt").write_text("kept")
    (folder / "file").write_text("kept")
    (folder / "link").symlink_to(folder / "empty")
    for taken in ("full", "file", "link", "rows.csv/inside"):
        code, out, err = run(f"{RELEASE} --ledger a.ledger -o {taken}")
        assert (code, out) == (2, "")
        assert "choose another" in " ".join(err.split())
    assert not (folder / "a.ledger").exists()
    assert names(folder / "full") == ["a.txt"]
    assert run(f"{RELEASE} -o empty")[0] == 0
    assert run("verify empty")[0] == 0


def test_a_release_that_is_refused_leaves_nothing_and_says_nothing_of_spending(folder, run, caplog):
    before = names(folder)
    for line in (
        RELEASE.replace("--epsilon 1", "--epsilon 0"),
        RELEASE.replace("rows.csv", "gone.csv"),
        RELEASE.replace("independent", "magic"),
        f"{RELEASE} -n -5",
        f"{RELEASE} --seed -5",
    ):
        assert run(f"{line} --ledger a.ledger -o out")[0] == 2
    assert names(folder) == before
    assert run(f"{RELEASE} --ledger a.ledger -o out")[0] == 0
    caplog.clear()
    code, out, err = run(f"{RELEASE} --ledger a.ledger -o again")
    assert (code, out, "nothing was spent" in err) == (4, "", True)
    assert "paid for" not in caplog.text
    assert names(folder) == sorted([*before, "a.ledger", "out"])


def broken(*_, **__):
    raise MemoryError("no memory is left for this: free some")


def test_a_fit_that_dies_leaves_no_file_and_says_what_it_cost(folder, run, monkeypatch, caplog):
    assert run("ledger create a.ledger -s schema.yaml --epsilon 3 --delta 1e-6")[0] == 0
    before = names(folder)
    monkeypatch.setattr("dpsynth.synthesizers.table.bound_table", broken)
    for command in (f"{RELEASE} -o out", "fit rows.csv -s schema.yaml --epsilon 1 --delta 1e-6 -o m.dpsynth"):
        caplog.clear()
        code, out, _ = run(f"{command} --ledger a.ledger")
        assert (code, out) == (2, "")
        spent = dpsynth.Ledger.open(folder / "a.ledger").spent().epsilon
        assert f"{folder / 'a.ledger'} counts epsilon {releases.at_most(spent)} of 3 at delta 1e-06" in caplog.text
        assert "one further fit may spend epsilon" in caplog.text
    assert names(folder) == before
    caplog.clear()
    assert run(f"{RELEASE} -o out")[0] == 2
    assert "no ledger records it: count epsilon 1 at delta 1e-06 as spent" in caplog.text


def test_what_was_paid_for_is_kept_where_rows_cannot_be_drawn(folder, run, monkeypatch, caplog):
    monkeypatch.setattr(releases, "draw_rows_to", broken)
    code, out, _ = run(f"{RELEASE} --ledger a.ledger -o out")
    assert (code, out) == (2, "")
    assert "the fit is done and paid for, and no rows were written: out has the model" in caplog.text
    assert names(folder / "out") == [
        "certificate.html",
        "certificate.json",
        "manifest.json",
        "model.dpsynth",
        "schema.yaml",
    ]
    assert run("verify out")[0] == 0
    assert dpsynth.Synthesizer.load(folder / "out" / "model.dpsynth").sample(5).shape == (5, 2)


def test_the_certificate_is_kept_where_the_model_cannot_be(folder, run, monkeypatch, caplog):
    def full(self, path):
        path.write_text("half of a model")
        raise OSError("no space left")

    monkeypatch.setattr(dpsynth.Synthesizer, "save", full)
    assert run(f"{RELEASE} --ledger a.ledger -o out")[0] == 2
    assert "the model could not be written" in caplog.text
    assert names(folder / "out") == ["certificate.html", "certificate.json", "manifest.json"]
    assert run("verify out")[0] == 0


def test_a_release_that_was_killed_is_pointed_at(folder, run):
    (folder / ".out.unfinished").mkdir()
    code, _, err = run(f"{RELEASE} -o out")
    assert (code, "keep the model in it" in " ".join(err.split())) == (2, True)


def test_the_ledger_may_not_lie_in_the_release(folder, run):
    code, _, err = run(f"{RELEASE} --ledger out/a.ledger -o out")
    assert (code, "give each its own place" in " ".join(err.split())) == (2, True)
    assert not (folder / "out").exists()


# The log.


def test_the_log_says_each_stage_and_no_value(folder, caplog):
    with caplog.at_level(logging.DEBUG, logger="dpsynth"):
        synth = dpsynth.Synthesizer("schema.yaml", epsilon=1, delta=1e-6, ledger=None, unsafe_seed=1)
        drawn = releases.make_release(synth, "rows.csv", folder / "out", n=20)
    assert isinstance(drawn, Drawn)
    stages = [record.message for record in caplog.records if hasattr(record, "stage")]
    assert stages == [
        "reading the rows",
        "measuring and modelling with canopy",
        "counting pairs of columns",
        "choosing a tree of pairs",
        "writing the certificate",
        "drawing rows",
    ]
    assert not any(char.isdigit() for text in stages for char in text)


def test_a_command_says_its_stages_where_asked_and_else_not(folder, run):
    for option, there in (("", False), (" --no-progress", False), (" --progress", True)):
        code, _, err = run(f"{RELEASE}{option} -n 20 -o out{len(option)}")
        assert code == 0
        assert ("measuring and modelling with independent" in err) == there
    _, _, err = run("evaluate out0/synthetic.csv rows.csv -s schema.yaml -o quality --progress")
    assert "comparing pairs of columns" in err
    _, _, err = run("audit out0/synthetic.csv --train rows.csv --holdout rows.csv -s schema.yaml --progress")
    assert "guessing values column by column" in err
    assert logging.getLogger("dpsynth").handlers == []
    assert logging.getLogger("dpsynth").level == logging.NOTSET


# Small faults.


@pytest.mark.parametrize("command", ["fit rows.csv -o m.dpsynth --delta 1e-6", "release rows.csv -o out"])
def test_a_target_for_a_mechanism_without_workload_is_named_by_its_option(command, folder, run):
    code, out, err = run(f"{command} -s schema.yaml --epsilon 1 --mechanism mst --target sex")
    assert (code, out) == (2, "")
    assert "--target is for mechanisms that take a workload" in " ".join(err.split())


def test_a_new_ledger_is_announced_once(folder, run, caplog):
    _, out, err = run(f"{RELEASE} --ledger a.ledger -o out --progress")
    assert (out + err).count("is a new ledger") == 1
    assert caplog.text.count("is a new ledger") == 1
