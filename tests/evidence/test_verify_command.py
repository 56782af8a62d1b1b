"""`dpsynth verify` names each check, and its exit code says what came of them."""

from __future__ import annotations

import json
import re
import sys

import pytest

from dpsynth.cli import main
from dpsynth.evidence import verify
from dpsynth.evidence.bundle import samples, signatures
from dpsynth.training.event import DpSgd
from tests.evidence.test_verify import issue
from tests.structure.source import ROOT


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs `dpsynth verify`; gives the exit code, what went to stdout, and what went to stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["dpsynth", "verify", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return left.value.code or 0, streams.out, streams.err

    return call


def forged(folder):
    file = issue().save(folder) / "certificate.json"
    record = json.loads(file.read_text())
    record["claim"]["epsilon"] = 0.1
    file.write_text(json.dumps(record))
    return folder


ALL = (*verify.CHECKS, *signatures.CHECKS)


def test_each_check_is_named_passed_or_failed(run, tmp_path):
    code, out, _ = run(issue().save(tmp_path))
    assert code == 0
    assert [line.split() for line in out.splitlines()[: len(ALL)]] == [["ok", check.__name__] for check in ALL]
    assert "agrees with the ledger lines" in out
    code, out, _ = run(forged(tmp_path))
    lines = {line.split()[1]: line for line in out.splitlines()}
    assert code == 1
    assert lines.pop("claim") == "FAULT  claim         what it claims is not the budget of its run"
    assert "certificate.json" in lines.pop("files")
    assert all(line.startswith("ok ") for line in lines.values())


def test_the_page_on_the_command_says_what_each_check_finds():
    said = re.findall(r"^\| `(\w+)` \| (.*) \|$", (ROOT / "docs" / "verify.md").read_text("utf-8"), re.MULTILINE)
    assert said == [
        (c.__name__, " ".join(str(c.__doc__).split()).rstrip("."))
        for c in (*samples.OWN, *signatures.CHECKS, *signatures.SIGNED, *verify.CHECKS)
    ]


def test_the_same_for_a_program(run, tmp_path):
    code, out, _ = run(issue().save(tmp_path), "--json")
    assert (code, json.loads(out)["holds"], json.loads(out)["faults"]) == (0, True, [])
    code, out, _ = run(forged(tmp_path), "--json")
    found = json.loads(out)
    fault = "what it claims is not the budget of its run"
    assert (code, found["holds"], found["faults"][0], len(found["faults"])) == (1, False, fault, 2)
    assert [each["check"] for each in found["checks"]] == [check.__name__ for check in ALL]
    assert {"check": "claim", "fault": fault, "undecided": None} in found["checks"]


def test_what_is_left_undecided_is_neither_passed_nor_failed(run, tmp_path):
    code, out, err = run(issue([DpSgd(0.01, 3.0, 1)]).save(tmp_path))
    assert code == 3
    assert "open   spent         a training has too few steps for its cost to be recomputed here" in out
    assert "FAULT" not in out
    assert "agrees with the ledger lines" not in out
    assert "too few steps" in err


def test_what_is_no_certificate_is_one_sentence(run, tmp_path):
    code, out, err = run(tmp_path)
    assert (code, out) == (2, "")
    assert "cannot be read as a certificate" in err
