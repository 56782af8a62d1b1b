"""Fills in the page of commands when the site is built: every command of the parser, with its help and its options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from dpsynth.cli import app

MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by mkdocs for each page before it is rendered."""
    if page.file.src_uri != "commands.md":
        return markdown
    if MARK not in markdown:
        raise ValueError(f"docs/commands.md has no line {MARK}, where the commands are to stand")
    return markdown.replace(MARK, "\n\n".join(described(get_command(app), "dpsynth")))


def described(command: Any, name: str) -> Iterator[str]:
    """A command and those below it, as Markdown."""
    below = getattr(command, "commands", {})
    if name != "dpsynth":
        yield f"{'##' if name.count(' ') == 1 else '###'} `{name}`"
        yield _paragraphs(command.help or "")
    if not below:
        arguments = [written(each) for each in command.params if _is_argument(each)]
        yield f"```text\n{' '.join([name, '[OPTIONS]', *arguments])}\n```"
        yield "\n".join(_table(command))
    for each in sorted(below):
        yield from described(below[each], f"{name} {each}")


def written(parameter: Any) -> str:
    """How an argument or an option is written: `DATA`, `--output, -o`."""
    if _is_argument(parameter):
        return str(parameter.metavar or parameter.name.upper())
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def _table(command: Any) -> Iterator[str]:
    yield "| argument or option | |"
    yield "|---|---|"
    for each in command.params:
        required = " Required." if each.required and not _is_argument(each) else ""
        yield f"| `{written(each)}` | {_cell(each.help or '')}{required}{_default(each)} |"


def _default(parameter: Any) -> str:
    value = getattr(parameter.default, "value", parameter.default)
    plain = isinstance(value, str | int | float | Path) and not isinstance(value, bool) and value != ""
    return f" Default: `{value}`." if plain and not parameter.required else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("[", "\\[").replace("<", "&lt;")


def _paragraphs(text: str) -> str:
    """Help as it is written, without typer's marks."""
    return text.replace("\b", "").strip()


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")
