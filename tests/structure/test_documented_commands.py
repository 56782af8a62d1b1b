"""Every command on a page is one that the parser takes: its name, its options, its arguments, and none is missing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from dpsynth.cli import app
from tests.structure.pages import commands, pages
from tests.structure.source import ROOT

PARSER: Any = get_command(app)
ADDITIONS = {"...", "[OPTIONS]"}
"""Words by which a page says that something follows."""


def fault(line: str) -> str | None:
    """What the parser would refuse of a command line; it opens no file."""
    command, words = PARSER, shlex.split(line)[1:]
    while hasattr(command, "commands"):
        if not words or words[0].startswith("-"):
            return None if {*words} <= {"--help", "-h", "--version"} and words else "it names no command"
        if words[0] not in command.commands:
            return f"{words[0]} is no command"
        command, words = command.commands[words[0]], words[1:]
    if ADDITIONS & {*words}:
        return None
    context = command.context_class(command, info_name=line)
    parser = command.make_parser(context)
    try:
        given, rest, _ = parser.parse_args(list(words))
    except Exception as error:
        return getattr(error, "message", str(error))
    missing = [p.name for p in command.params if p.required and not isinstance(given.get(p.name), str | list | tuple)]
    return f"left over: {rest}" if rest else f"missing: {missing}" if missing and "--help" not in words else None


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_parser_takes_every_command_of_a_page(page: Path) -> None:
    found = {line: why for line in commands(page.read_text(encoding="utf-8")) if (why := fault(line)) is not None}
    assert found == {}


def test_the_pages_have_commands() -> None:
    lines = [line for page in pages() for line in commands(page.read_text(encoding="utf-8"))]
    assert len(lines) >= 25


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("dpsynth fitt x.csv", "fitt is no command"),
        ("dpsynth ledger", "it names no command"),
        ("dpsynth fit x.csv --epsilom 1", "No such option"),
        ("dpsynth fit x.csv -o m.dpsynth --delta 1e-6", "missing: ['epsilon']"),
        ("dpsynth fit -o m.dpsynth --delta 1e-6 --epsilon 1", "missing"),
        ("dpsynth ledger show a.ledger b.ledger", "left over: ['b.ledger']"),
    ],
)
def test_a_command_that_the_parser_would_refuse_is_seen(line: str, why: str) -> None:
    assert why in str(fault(line))
