"""Every exception of ours derives from DPSynthError, and docs/errors.md has its true facts and its exit code."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
import typer

import dpsynth
from dpsynth import cli
from dpsynth.cli.exits import CODES, VERDICTS, exit_code
from dpsynth.ledger.ledger import Ledger
from tests.structure.source import PACKAGE, ROOT, plant, sources

EXCEPTIONAL = ("Error", "Exception", "Warning", "Interrupt", "Exit", "ExceptionGroup")
NO_ERRORS = {"CautionWarning", "NewLedgerWarning", "NoLedgerWarning", "Undecided"}
"""Warnings; and what the verifier raises, which imports nothing of ours."""


@cache
def exceptions(package: Path) -> dict[str, str]:
    """Every exception class that a file of the package defines, anywhere in it, with its module."""
    files = sources(package)
    classes = [(node, source.name) for source in files for node in source.nodes if isinstance(node, ast.ClassDef)]
    found: dict[str, str] = {}
    while True:
        more = {node.name: name for node, name in classes if any(_raised(base, found) for base in node.bases)}
        if more == found:
            return found
        found = more


def _raised(base: ast.expr, found: dict[str, str]) -> bool:
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    return name.endswith(EXCEPTIONAL) or name in found


@cache
def subclasses() -> dict[str, type[dpsynth.DPSynthError]]:
    """Every class below DPSynthError, by name, whichever file defines it."""
    for module in exceptions(PACKAGE).values():
        importlib.import_module(module)
    pending, found = [dpsynth.DPSynthError], {}
    while pending:
        for kind in pending.pop().__subclasses__():
            if kind.__module__.startswith("dpsynth."):
                found[kind.__name__] = kind
                pending.append(kind)
    return found


def table() -> dict[str, tuple[str, str, str, str]]:
    """The rows of the page, by the name of the exception."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+Error)` \| (.+) \| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert len(rows) == len({name for name, *_ in rows})
    return {name: (bases, codes, when, remedy) for name, bases, codes, when, remedy in rows}


def test_every_exception_of_ours_derives_from_the_one_base_and_has_a_name_in_error() -> None:
    found, ours = exceptions(PACKAGE), subclasses()
    assert set(found) - {"DPSynthError"} == set(ours) | NO_ERRORS
    assert all(name.endswith("Error") for name in ours)
    assert not any(
        issubclass(getattr(importlib.import_module(found[name]), name), dpsynth.DPSynthError) for name in NO_ERRORS
    )


@pytest.mark.parametrize(
    "code",
    [
        "class Odd(ValueError): ...",
        "import zlib\nclass Odd(zlib.error, RuntimeError): ...",
        "class Box:\n    class Odd(Exception): ...",
        "from dpsynth.a import First\nclass Odd(First): ...",
        "def late():\n    class Odd(UserWarning): ...",
    ],
)
def test_a_planted_exception_is_found(tmp_path: Path, code: str) -> None:
    files = {"a.py": "class First(KeyError): ...\nclass Plain: ...", "z.py": code}
    assert set(exceptions(plant(tmp_path, files))) == {"First", "Odd"}


def test_every_error_is_a_name_of_the_package_and_also_a_built_in_exception() -> None:
    for name, kind in subclasses().items():
        assert name in dpsynth.__all__
        assert getattr(dpsynth, name) is kind
        assert kind.__bases__[0] is dpsynth.DPSynthError
        assert all(base.__module__ == "builtins" and base is not Exception for base in kind.__bases__[1:])
        assert len(kind.__bases__) > 1


def test_the_table_has_every_error_with_its_classes_and_its_own_words() -> None:
    facts = {
        name: (", ".join(base.__name__ for base in kind.__bases__[1:]), " ".join((kind.__doc__ or "").split()))
        for name, kind in subclasses().items()
    }
    assert {name: (bases, when) for name, (bases, _, when, _) in table().items()} == facts


def test_the_shorter_name_is_the_same_class() -> None:
    assert dpsynth.BudgetExceeded is dpsynth.BudgetExceededError
    others = {name for name in dpsynth.__all__ if name != getattr(getattr(dpsynth, name), "__name__", name)}
    assert others == {"BudgetExceeded"}


def codes(name: str) -> dict[str, int]:
    """The exit codes that the table gives an exception: of any command, "", and of those that have their own."""
    anywhere, *own = table()[name][1].split("; ")
    found = {command.strip("`"): int(code) for command, _, code in (each.partition(": ") for each in own)}
    return {"": int(anywhere), **found}


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit code of the command line where its command raises this."""

    def run(error: BaseException) -> object:
        app = typer.Typer(pretty_exceptions_enable=False)

        @app.command()
        def planted() -> None:
            raise error

        monkeypatch.setattr(cli, "app", app)
        monkeypatch.setattr(sys, "argv", ["dpsynth"])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code

    return run


@pytest.mark.parametrize("name", sorted(table()))
def test_the_command_line_ends_with_the_code_that_the_table_gives(name: str, ends, capsys) -> None:
    kind = subclasses()[name]
    error = kind.__new__(kind, "what was given, wanted, and the remedy")
    assert ends(error) == codes(name)[""]
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("", "dpsynth: what was given, wanted, and the remedy\n")
    own = {command: int(code) for (command, raised), code in VERDICTS.items() if raised is kind}
    assert {"": int(exit_code(error)), **own} == codes(name)


@pytest.mark.parametrize("kind", [kind for kind in CODES if kind.__module__ == "builtins"])
def test_built_in_exceptions_that_a_user_can_mend_are_bad_input(kind: type[Exception], ends) -> None:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert kind.__name__ in re.search(r"^\| 2 \|.*$", text, re.MULTILINE).group()
    assert ends(kind("a sentence")) == 2


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, TypeError])
def test_a_fault_of_ours_keeps_its_traceback(kind: type[Exception], ends) -> None:
    with pytest.raises(kind):
        ends(kind("a fault"))


@pytest.mark.parametrize(("command", "code"), [("verify", 1), ("show", 2)])
def test_a_damaged_ledger_fails_the_gate_that_asks_for_it_and_is_bad_input_elsewhere(
    command: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(path: Path) -> NoReturn:
        raise dpsynth.LedgerCorruptError("damaged")

    monkeypatch.setattr(Ledger, "open", damaged)
    monkeypatch.setattr(sys, "argv", ["dpsynth", "ledger", command, "a.ledger"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == code == codes("LedgerCorruptError")["ledger verify" if command == "verify" else ""]
