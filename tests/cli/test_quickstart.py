"""The commands of docs/quickstart.md, one after another in one folder, do what the page says."""

from __future__ import annotations

import re
import shlex
import sys

import pytest

from tests.repeatable import repeatable
from tests.structure.pages import commands, fenced
from tests.structure.source import ROOT

PAGE = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
MAY_END_WITH = {"audit": {0, 3}}
"""Too few rows to say is an honest end of an audit."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder before the first command: the file of stays, and the schema that a person fills in."""
    folder = tmp_path_factory.mktemp("quickstart")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(ROOT / "examples"))
        import hospital_stays

        hospital_stays.stays(6000, seed=1).to_csv("stays.csv", index=False)
    (folder / "filled.yaml").write_text(*fenced(PAGE, "yaml"), encoding="utf-8")
    return folder


def test_the_example_makes_the_stays_of_the_page():
    code = (ROOT / "examples" / "hospital_stays.py").read_text(encoding="utf-8")
    assert 'stays(6000, seed=1).to_csv(folder / "stays.csv"' in code
    assert "python examples/hospital_stays.py made && cp made/stays.csv stays.csv" in PAGE


def test_the_commands_of_the_page_run_in_their_order(folder, monkeypatch, capsys):
    from dpsynth.cli import main

    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    said = {}
    for line in commands(PAGE):  # with one noise: by their own rate, audits say FAIL of one release in twenty
        words = shlex.split(line)
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as end, repeatable(f"quickstart: {line}"):
            main()
        streams = capsys.readouterr()
        assert (end.value.code or 0) in MAY_END_WITH.get(words[1], {0}), f"{line}\n{streams.out}{streams.err}"
        said[line] = streams.out
        if words[1:3] == ["schema", "draft"]:
            assert "TODO" in (folder / "schema.yaml").read_text(encoding="utf-8")
            (folder / "schema.yaml").write_text((folder / "filled.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        if words[1:3] == ["ledger", "create"]:
            (folder / "dpsynth.toml").write_text(*fenced(PAGE, "toml"), encoding="utf-8")
    shown = next(text for line, text in said.items() if "ledger show" in line)
    assert re.search(r"spent epsilon 1 of 3\b", shown)


def test_the_page_shows_each_step_of_a_release():
    names = [" ".join(shlex.split(line)[1:3]) for line in commands(PAGE)]
    for step in ("schema draft", "schema check", "ledger create", "plan --rows", "release train.csv", "verify release"):
        assert step in names
