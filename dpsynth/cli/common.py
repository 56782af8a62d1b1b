"""What the commands share: the consoles, the types of their arguments, files refused before anything is spent."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema.table import Schema

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

Data = Annotated[Path, typer.Argument(help="A .csv or .parquet file.", metavar="DATA")]
SchemaFile = Annotated[Path, typer.Option("--schema", "-s", help="The schema, .yaml or .json.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def fail(error: BaseException, code: int) -> NoReturn:
    err.print(f"dpsynth: {error}", style="red", highlight=False, markup=False)
    sys.exit(code)


def say(line: str) -> None:
    """A line of result, as it is: no markup, no colours."""
    out.print(line, highlight=False, markup=False)


def load_schema(path: Path) -> Schema:
    from dpsynth.schema.table import Schema

    return Schema.load(path)


def print_json(record: dict[str, Any]) -> None:
    typer.echo(json.dumps(record, indent=2, default=str))


@contextlib.contextmanager
def following(what: str) -> Iterator[None]:
    """A spinner on stderr while it lasts, and lines of what mechanisms log of their progress."""
    handler, log = logging.Handler(), logging.getLogger("dpsynth")
    before = log.level
    handler.emit = lambda record: err.print(record.getMessage(), highlight=False, markup=False)  # type: ignore[method-assign]
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with err.status(what):
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def new_file(path: Path, remedy: str = "remove it, or choose another name with --output") -> None:
    """Refuses early what could not be written after the budget is spent. remedy: for a file that is there."""
    if path.exists():
        raise ValueError(f"{path} exists already: {remedy}")
    if not path.parent.is_dir():
        raise ValueError(f"the directory {path.parent} does not exist: make it first")
    try:
        path.touch()
        path.unlink()
    except OSError:
        raise ValueError(f"{path} cannot be written: choose another place") from None


def table_file(path: Path) -> None:
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{path} must end in .csv or .parquet")
    new_file(path)


def write_table(rows: pd.DataFrame, path: Path) -> None:
    if path.suffix.lower() == ".csv":
        rows.to_csv(path, index=False)
    else:
        rows.to_parquet(path, index=False)


def named(option: str, given: list[str] | None, example: str, *, default: str | None = None) -> dict[str, str]:
    """NAME=TEXT options as a mapping; a NAME alone gets the default, where there is one."""
    found = {}
    for each in given or ():
        name, equals, text = each.partition("=")
        if not name or (not equals and default is None):
            raise ValueError(f"{option} is written {example}, got {each!r}")
        found[name] = text if equals else str(default)
    return found
