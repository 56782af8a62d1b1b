"""What the commands share: the consoles, the types of their arguments, and how their results are written."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from dpsynth.base.places import keep_apart, new_file, new_folder, old_file
from dpsynth.base.project import find_project

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema.table import Schema
    from dpsynth.synthesizers.base import BaseSynthesizer

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

Data = Annotated[Path, typer.Argument(help="A .csv or .parquet file.", metavar="DATA")]
SchemaFile = Annotated[
    Path | None, typer.Option("--schema", "-s", help="The schema, .yaml or .json; by default that of dpsynth.toml.")
]
Epsilon = Annotated[float, typer.Option(help="The privacy budget's epsilon.")]
Delta = Annotated[float, typer.Option(help="The privacy budget's delta.")]
ModelFile = Annotated[Path, typer.Option("--output", "-o", help="Where the model goes.")]
LedgerFile = Annotated[
    Path | None,
    typer.Option(help="The data set's account, by default that of dpsynth.toml; made if it does not exist."),
]
Purpose = Annotated[str, typer.Option(help="What it is for, for the ledger and its policy.")]
Approvals = Annotated[list[str] | None, typer.Option(help="WHO=WHERE: who approved it, and where.")]
CertificateFolder = Annotated[Path | None, typer.Option(help="A folder for certificate.json and .html.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def fail(error: BaseException, code: int) -> NoReturn:
    """Ends the command with the exception's sentence; one is made of what the operating system says of a file."""
    sentence = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        sentence = f"{error.filename}: {error.strerror}: give another path"
    err.print(f"dpsynth: {sentence}", style="red", highlight=False, markup=False)
    sys.exit(code)


def say(line: str) -> None:
    """A line of result, as it is: no markup, no colours."""
    out.print(line, highlight=False, markup=False)


def from_project(**given: Path | None) -> dict[str, Path | None]:
    """The options that were given, and of the others what the project file names, which a line on stderr then tells."""
    project = find_project() if None in given.values() else None
    if project is None:
        return given
    found = {name: project.places[name] for name, path in given.items() if path is None and name in project.places}
    if found:
        options = ", ".join(f"{name} {path}" for name, path in found.items())
        err.print(f"from {project.file}: {options}", highlight=False, markup=False)
    return {**given, **found}


def load_schema(path: Path | None) -> Schema:
    from dpsynth.schema.table import Schema

    if path is None:
        raise ValueError("no schema was named: give it by --schema, or name one in dpsynth.toml")
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


def job_of(ledger: Path | None, purpose: str, approval: list[str] | None) -> dict[str, Any]:
    """What a fit says of itself, as a synthesizer takes it."""
    if ledger is None:
        err.print("no --ledger: nothing remembers what this fit spends beside others of the same data", highlight=False)
    else:
        ledger = ledger.absolute()  # where it lies is said on stderr when it is new
    return {"ledger": ledger, "purpose": purpose, "approvals": named("--approval", approval, "board=case-17")}


def fit_and_keep(
    synthesizer: BaseSynthesizer[Any],
    fit: Callable[[], object],
    *,
    output: Path,
    certificate: Path | None,
    as_json: bool,
    checkpoint: Path | None = None,
) -> None:
    """Fits, writes the model and the certificate, and says what was promised. Refuses first what could not be written:
    after a fit the budget is spent, whether or not its release can be kept.
    """
    _refuse_places(output, certificate, checkpoint, synthesizer.ledger)
    start = time.perf_counter()
    with following("fitting"):
        fit()
    if certificate is not None:
        synthesizer.certificate.save(certificate)  # first: it answers for a budget that is spent, model or not
    synthesizer.save(output)
    if as_json:
        print_json(synthesizer.certificate.record)
        return
    say(synthesizer.certificate.summary())
    say(f"{output}: fitted in {time.perf_counter() - start:.1f} s")


def _refuse_places(output: Path, certificate: Path | None, checkpoint: Path | None, ledger: Any) -> None:
    """ValueError, in one sentence, for a place where something could not be written after the budget is spent."""
    new_file(output)
    files = {"the model": output, "the ledger": ledger, "the checkpoint": checkpoint}
    if checkpoint is not None:
        new_folder(checkpoint.parent)
    if certificate is not None:
        new_folder(certificate)
        for name in ("certificate.json", "certificate.html"):
            old_file(certificate / name)
            files[name] = certificate / name
    keep_apart(files)


def output_file(path: Path, *suffixes: str) -> None:
    """A new file with one of these endings."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{path} must end in {' or '.join(suffixes)}")
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
