"""`dpsynth init`: a project that the other commands find, by options or by questions."""

from __future__ import annotations

import json
import stat

import pandas as pd
import pytest
import typer

import dpsynth
from dpsynth.base.project import find_project, place_of, write_project

LINE = "init study --data rows.csv --id-column pid --max-records 4 --epsilon 3"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a table, and no terminal to ask at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    pd.DataFrame({"pid": [1, 2] * 50, "age": [30, 40] * 50}).to_csv("rows.csv", index=False)
    return tmp_path


def test_a_project_is_found_by_the_other_commands(folder, run, monkeypatch):
    code, out, err = run(f"{LINE} --purpose research=2 --approval board")
    assert code == 0, err
    assert "replace every TODO" in out
    study = folder / "study"
    names = {"audit-policy.yaml", "dpsynth.toml", "internal", "releases", "rows.ledger", "schema.yaml"}
    assert {path.name for path in study.iterdir()} == names
    assert (study / "internal" / ".gitignore").read_text() == "*\n"
    account = dpsynth.Ledger.open(study / "rows.ledger")
    assert (account.unit, account.budget) == (dpsynth.PrivacyUnit("pid", 4), dpsynth.Budget(3, 1e-6))
    assert (set(account.policy.purposes), account.policy.approvals) == ({"research"}, ("board",))
    assert dpsynth.AuditPolicy.load(study / "audit-policy.yaml") == dpsynth.AuditPolicy()
    draft = (study / "schema.yaml").read_text()
    assert "id_column: pid" in draft
    assert "TODO" in draft
    columns = {"pid": dpsynth.Identifier(), "age": dpsynth.Numeric(0, 120, integer=True)}
    dpsynth.Schema(columns, unit=account.unit).save(study / "schema.yaml")
    monkeypatch.chdir(study)
    *_, check, fit = out.splitlines()
    assert "  cd study" in out.splitlines()
    assert run(check.strip().removeprefix("dpsynth ").partition("  ")[0])[0] == 0
    fit = f"{fit.strip().removeprefix('dpsynth ')} --mechanism independent"
    code, _, err = run(fit)
    assert (code, "allows the purposes 'research'" in err) == (2, True)
    code, _, err = run(f"{fit} --purpose research --approval board=case-17")
    assert code == 0, err
    assert dpsynth.Ledger.open("rows.ledger").spent().epsilon == pytest.approx(1)


def test_single_rows_may_be_protected(folder, run):
    assert run("init --data rows.csv --single-rows --epsilon 1 --delta 1e-7")[0] == 0
    account = dpsynth.Ledger.open(folder / "rows.ledger")
    assert (account.unit, account.budget) == (dpsynth.PrivacyUnit(), dpsynth.Budget(1, 1e-7))
    assert run("init --data rows.csv --single-rows --epsilon 1")[0] == 2


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("init", ["--data", "--id-column (or --single-rows)", "--epsilon"]),
        ("init --data rows.csv --epsilon 1", ["--id-column (or --single-rows)"]),
        ("init --data rows.csv --single-rows --json", ["--epsilon"]),
    ],
)
def test_where_nobody_can_be_asked_each_missing_option_is_named(line, missing, folder, run):
    code, out, err = run(line)
    assert (code, out) == (2, "")
    said = " ".join(err.split())
    for option in ("--data", "--id-column (or --single-rows)", "--epsilon"):
        assert (option in said) == (option in missing)
    assert [path.name for path in folder.iterdir()] == ["rows.csv"]


def test_at_a_terminal_what_is_left_open_is_asked_for(folder, run, monkeypatch):
    answers = {"The table": "rows.csv", "The column": "pid", "The most rows": "3", "Epsilon": "2", "Delta": "1e-7",
               "Purposes": "research, teaching", "Whose approval": ""}  # fmt: skip
    asked = []

    def prompt(question, *, type, default, err):
        asked.append(question)
        assert err
        return type(next(answer for begins, answer in answers.items() if question.startswith(begins)))

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "prompt", prompt)
    assert run("init one")[0] == 0
    assert len(asked) == len(answers)
    account = dpsynth.Ledger.open(folder / "one" / "rows.ledger")
    assert (account.unit, account.budget) == (dpsynth.PrivacyUnit("pid", 3), dpsynth.Budget(2, 1e-7))
    assert list(account.policy.purposes) == ["research", "teaching"]
    asked.clear()
    assert run("init two --data rows.csv --single-rows --epsilon 1 --delta 1e-6 --purpose a --approval b")[0] == 0
    assert asked == []


@pytest.mark.parametrize("name", ["dpsynth.toml", "schema.yaml", "rows.ledger", "audit-policy.yaml"])
def test_what_is_there_is_never_replaced(name, folder, run):
    (folder / "study").mkdir()
    (folder / "study" / name).write_text("kept")
    code, out, err = run(LINE)
    assert (code, out, f"study/{name} exists already" in " ".join(err.split())) == (2, "", True)
    assert [path.name for path in (folder / "study").iterdir()] == [name]
    assert (folder / "study" / name).read_text() == "kept"


@pytest.mark.parametrize("name", ["releases", "internal"])
def test_a_file_where_a_folder_belongs_is_named_before_anything_is_made(name, folder, run):
    (folder / "study").mkdir()
    (folder / "study" / name).write_text("kept")
    code, out, err = run(LINE)
    assert (code, out, f"study/{name} is no folder" in " ".join(err.split())) == (2, "", True)
    assert [path.name for path in (folder / "study").iterdir()] == [name]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (LINE.replace("pid", "nobody"), "lacks 'nobody'"),
        (f"{LINE} --single-rows", "exclude each other"),
        (LINE.replace("--epsilon 3", "--epsilon 0"), "epsilon"),
        (f"{LINE} --purpose research=5", "above the 3 of all purposes"),
        (LINE.replace("rows.csv", "gone.csv"), "does not exist"),
    ],
)
def test_a_mistake_leaves_nothing(line, word, folder, run):
    code, out, err = run(line)
    assert (code, out, word in " ".join(err.split())) == (2, "", True)
    assert [path.name for path in folder.iterdir()] == ["rows.csv"]


def test_a_place_may_begin_with_the_home_folder_and_have_any_characters(folder):
    places = {"ledger": "~/a.ledger", "schema": 'sch"ema\\é.yaml'}
    (folder / "study").mkdir()
    write_project(folder, places)
    assert place_of("ledger") == folder / "a.ledger"
    assert find_project().places["schema"] == folder / places["schema"]


def test_a_folder_that_cannot_be_written_is_refused(folder, run):
    (folder / "file").write_text("")
    code, _, err = run(LINE.replace("study", "file/study"))
    assert (code, "is no folder" in " ".join(err.split())) == (2, True)
    assert stat.S_ISREG((folder / "file").stat().st_mode)


def test_the_answer_for_a_program_has_each_place(folder, run):
    found = json.loads(run(f"{LINE} --json")[1])
    assert found == {
        "folder": "study",
        "project": "study/dpsynth.toml",
        "ledger": "study/rows.ledger",
        "schema": "study/schema.yaml",
        "policy": "study/audit-policy.yaml",
    }
