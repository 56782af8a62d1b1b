"""Laws of every command: each has --json and -h, prints one JSON object where asked, and ends in a known exit code."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer

import dpsynth
from dpsynth import cli
from dpsynth.cli.exits import Exit
from tests.structure.source import ROOT

SCHEMA = dpsynth.Schema(
    {"age": dpsynth.Numeric(0, 120, integer=True), "sex": dpsynth.Categorical(["f", "m"])},
    unit=dpsynth.PrivacyUnit("pid", 2),
)
BUDGET = "--epsilon 1 --delta 1e-6"
IMAGES = "--classes 2 --shape 4x4 --epsilon 3 --delta 1e-5"
JOB = """dpsynth_job: 1
data: rows.csv
schema: schema.yaml
ledger: job.ledger
output: made
fit: {epsilon: 1, mechanism: independent}
sample: {rows: 50}
"""
EXAMPLES = {
    "init": "init project --data rows.csv --id-column pid --epsilon 3",
    "split": "split rows.csv -s schema.yaml -o train.csv holdout.csv",
    "unit": "unit rows.csv -s schema.yaml --epsilon 0.5 --ledger b.ledger",
    "release": "release rows.csv -s schema.yaml --epsilon 1 --mechanism independent -n 50 -o release",
    "fit": f"fit rows.csv -s schema.yaml {BUDGET} --mechanism independent -o other.dpsynth",
    "sample": """sample release/model.dpsynth -n 30 --where "sex == 'f'" -o release/women.csv""",
    "merge": "merge release/model.dpsynth other.dpsynth --counts add -o merged.dpsynth --report merged",
    "answer": "answer release/model.dpsynth 'count where age >= 65'",
    "measured": "measured release/model.dpsynth -o release",
    "validate": "validate release/model.dpsynth rows.csv -q 'mean(age)' --within 100 --epsilon 0.3 --ledger b.ledger",
    "mix": "mix train.csv release/synthetic.csv -s schema.yaml --share 0.05 -o mixed.csv",
    "impute": "impute release/model.dpsynth train.csv --seed 1 -o filled.csv",
    "evaluate": "evaluate release/synthetic.csv train.csv -s schema.yaml -o quality",
    "quality": "quality release/model.dpsynth rows.csv --epsilon 0.1 --ledger b.ledger -o release",
    "audit": "audit strangers.csv --train train.csv --holdout holdout.csv -s schema.yaml --seed 1 -o audit",
    "demo": "demo --out demo",
    "run": "run job.yaml",
    "plan": f"plan -s schema.yaml {BUDGET} --rows 400",
    "verify": "verify release --redraw",
    "certificate schema": "certificate schema",
    "certificate map": "certificate map release --to nist-800-226",
    "certificate card": "certificate card release",
    "keys new": "keys new office.key",
    "keys show": "keys show office.pub",
    "sign": "sign release --key office.key --signer 'data office'",
    "schema draft": "schema draft rows.csv -o draft.yaml",
    "schema import": "schema import dictionary.csv -o imported.yaml",
    "schema check": "schema check schema.yaml rows.csv",
    "images fit": f"images fit scans.npz {IMAGES} -o images.dpsynth",
    "images plan": f"images plan {IMAGES} --rows 200",
    "images sample": "images sample images.dpsynth -n 20 -o images/out.npz --sheet images/out.png",
    "images evaluate": "images evaluate images/out.npz scans.npz -o image-quality",
    "ledger create": f"ledger create a.ledger -s schema.yaml {BUDGET}",
    "ledger policy": "ledger policy a.ledger --purpose research",
    "ledger show": "ledger show a.ledger",
    "ledger verify": "ledger verify a.ledger",
    "ledger export": "ledger export a.ledger a.jsonl",
    "ledger import": "ledger import a.jsonl c.ledger",
    "ledger link": "ledger link a.ledger b.ledger",
}
"""One line for each command; those above leave what those below need."""


def commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command and group of the parser by its name, "" the program itself."""
    yield name, command
    for below, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{name} {below}".strip())


TREE = dict(commands(typer.main.get_command(cli.app)))
LEAVES = {name: command for name, command in TREE.items() if not hasattr(command, "commands")}


def call(line: str, capsys, monkeypatch) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["dpsynth", *shlex.split(line)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    streams = capsys.readouterr()
    return left.value.code or 0, streams.out, streams.err


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A working folder that all examples share, in their order."""
    place = tmp_path_factory.mktemp("commands")
    rng = np.random.default_rng(0)
    people = rng.integers(0, 300, 600)
    rows = pd.DataFrame({"pid": people, "age": rng.integers(20, 90, 600), "sex": rng.choice(["f", "m"], 600)})
    rows.to_csv(place / "rows.csv", index=False)
    # what the noise of a fit makes of these few rows is now and then no PASS: the audit has rows without noise
    strangers = pd.DataFrame({"age": rng.integers(20, 90, 300), "sex": rng.choice(["f", "m"], 300)})
    strangers.to_csv(place / "strangers.csv", index=False)
    SCHEMA.save(place / "schema.yaml")
    (place / "dictionary.csv").write_text("name,type,low,high,labels\nage,integer,0,120,\nsex,,,,f|m\n")
    np.savez(
        place / "scans.npz", images=rng.integers(0, 256, (200, 4, 4), dtype=np.uint8), labels=rng.integers(0, 2, 200)
    )
    (place / "images").mkdir()
    (place / "job.yaml").write_text(JOB)
    dpsynth.Ledger.create(place / "b.ledger", dpsynth.Budget(1, 1e-6), dataset="b", unit=SCHEMA.unit)
    return place


def test_every_command_has_an_example():
    assert set(EXAMPLES) == set(LEAVES)
    assert {name for name, line in EXAMPLES.items() if not line.startswith(name)} == set()


@pytest.fixture(scope="module")
def said(folder) -> dict[str, tuple[int, str, str]]:
    """What each example gives."""
    return {}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_command_prints_one_json_object_where_asked(name, folder, said, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    code, out, err = call(f"{EXAMPLES[name]} --json", capsys, monkeypatch)
    assert code == (3 if name == "audit" else 0), err  # an audit of so few rows decides nothing
    assert isinstance(strict(out), dict)
    assert not out.startswith("[")


def strict(text: str) -> Any:
    """What a reader of JSON finds who knows no NaN."""

    def never(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=never)


@pytest.mark.parametrize("name", TREE)
@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_every_command_and_group_explains_itself(name, asked, capsys, monkeypatch):
    code, out, err = call(f"{name} {asked}", capsys, monkeypatch)
    assert (code, err) == (0, "")
    assert "Usage: dpsynth" in out


@pytest.mark.parametrize("name", LEAVES)
def test_a_wrong_option_is_bad_usage_with_nothing_on_stdout(name, capsys, monkeypatch):
    code, out, err = call(f"{name} --no-such-option --json", capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert "no-such-option" in err


def test_the_exit_codes_are_those_of_the_readme_and_of_the_page_on_errors():
    words = {0: "done", 1: "a check failed", 2: "bad input or usage", 3: "inconclusive", 4: "budget exceeded"}
    assert {code.value for code in Exit} == set(words)
    help_text = " ".join((TREE[""].help or "").split())
    table = (ROOT / "docs" / "errors.md").read_text()
    for code, word in words.items():
        assert f"{code} {word}" in help_text
        assert f"| {code} | {word}" in table
