"""What the commands share: the consoles, their options, and how results are written."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from dpsynth.base.credentials import without_credentials
from dpsynth.base.places import new_file
from dpsynth.base.project import find_project
from dpsynth.base.text import printable

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema.table import Schema
    from dpsynth.synthesizers.drawing import Drawn

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


def path_or_address(text: str) -> Path | str:
    """A path, or an address as it is."""
    return text if "://" in text else Path(text)


Data = Annotated[
    Any,
    typer.Argument(
        help="A table: .csv, .parquet, .feather, .jsonl, .xlsx, .sav, .dta, .sas7bdat or .xpt; a"
        " folder or a pattern of Parquet, CSV or Arrow files, also as s3:// or gs://; a"
        " Delta or Iceberg table, or one of Spark; or a database, such as"
        " postgresql://host/clinic?table=visits.",
        metavar="DATA",
        parser=path_or_address,
    ),
]
Real = Annotated[
    Any,
    typer.Argument(help="Real rows: a table of any kind that a fit takes.", parser=path_or_address),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option(
        "--schema",
        "-s",
        help="The schema, .yaml or .json; by default the file named in dpsynth.toml.",
    ),
]
Epsilon = Annotated[float, typer.Option(help="The privacy budget's epsilon.")]
USUAL_DELTA = 1e-6
"""What `release` and `plan` take where no delta is given."""

Delta = Annotated[float, typer.Option(help="The privacy budget's delta.")]
ModelFile = Annotated[
    Path, typer.Option("--output", "-o", help="The file that the model is written to.")
]
LedgerFile = Annotated[
    Path | None,
    typer.Option(
        help="The data set's account; by default the file named in dpsynth.toml. Made if it is not"
        " there."
    ),
]
ExistingLedger = Annotated[
    Path | None,
    typer.Option(
        help="The data set's account, which must exist; by default the file named in dpsynth.toml."
    ),
]
Purpose = Annotated[
    str,
    typer.Option(help="What the release is for: recorded in the ledger, checked by its policy."),
]
Approvals = Annotated[
    list[str] | None,
    typer.Option(
        help="WHO=WHERE, such as board=case-17: who approved the fit, and where it is recorded."
    ),
]
Holdback = Annotated[
    float,
    typer.Option(
        help="A part of the budget, such as 0.05, that measures how far the finished model is off,"
        " for the certificate."
    ),
]
CertificateFolder = Annotated[
    Path | None, typer.Option(help="A folder for certificate.json and .html.")
]
Synthetic = Annotated[Path, typer.Argument(help="Synthetic rows, such as .csv.")]
Target = Annotated[
    str | None,
    typer.Option(help="A column to be predicted from the others later: the fit favours it."),
]
PageFolder = Annotated[Path, typer.Option("--output", "-o", help="A folder for the page.")]
Seed = Annotated[int | None, typer.Option(help="For a sample that can be repeated.")]
IdColumn = Annotated[
    list[str] | None,
    typer.Option(
        help="The column that says whose record a row is; without one, each row is protected alone."
        " Repeat it for further columns: rows that agree in all of them are one unit. month(visit)"
        " is the month of a date."
    ),
]
MaxRecords = Annotated[
    int, typer.Option(help="The most rows that are used of one person, or other unit.")
]


def _whole(number: Decimal) -> int:
    if number != number.to_integral_value():
        raise ValueError
    return int(number)


def row_count(text: str) -> int:
    """A number of rows, also as 1e9."""
    try:
        return int(text) if text.isdecimal() else _whole(Decimal(text))
    except (ArithmeticError, ValueError):
        raise typer.BadParameter(
            f"a number of rows must be whole, got {text!r}: write it as 250000 or 2.5e5"
        ) from None


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def fail(error: BaseException, code: int) -> NoReturn:
    """Ends the command with the exception's sentence.

    Where the operating system refuses a file, its words are made into one. An address that was
    given in the place of a file may hold a password, and is not repeated.
    """
    sentence = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        sentence = f"{error.filename}: {error.strerror}: give another path"
    sentence = str(printable(without_credentials(sentence)))
    err.print(f"dpsynth: {sentence}", style="red", highlight=False, markup=False)
    sys.exit(code)


def say(line: str) -> None:
    """A line of result, as it is: no markup, no colours."""
    out.print(line, highlight=False, markup=False)


def from_project(**given: Path | None) -> dict[str, Path | None]:
    """The options that were given, and for the others what the project file names.

    A line on stderr says which of them came from that file.
    """
    project = find_project() if None in given.values() else None
    if project is None:
        return given
    missing = [name for name, path in given.items() if path is None]
    found = {name: project.places[name] for name in missing if name in project.places}
    if found:
        options = ", ".join(f"{name} {path}" for name, path in found.items())
        err.print(f"from {project.file}: {options}", highlight=False, markup=False)
    return {**given, **found}


def account_of_look(ledger: Path | None) -> Path:
    """The account of a look that is no fit; ValueError where none is named, as it would be new."""
    if ledger is None:
        raise ValueError(
            "no ledger was given, and this spends: name the account of the data with --ledger"
        )
    return ledger


def load_schema(path: Path | None) -> Schema:
    from dpsynth.schema.table import Schema

    if path is None:
        raise ValueError("no schema was given: name one with --schema, or in dpsynth.toml")
    return Schema.load(path)


def print_json(record: dict[str, Any]) -> None:
    typer.echo(json.dumps(record, indent=2, default=str))


def output_file(path: Path, *suffixes: str) -> None:
    """A new file with one of these endings."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{path} must end in {' or '.join(suffixes)}: choose another name")
    new_file(path)


def say_drawn(drawn: Drawn, what: str, as_json: bool) -> None:
    """What was drawn, and the head of the manifest that lists it. what: rows or images."""
    if as_json:
        facts: dict[str, Any] = {"output": str(drawn.path), what: drawn.count, "seed": drawn.seed}
        if drawn.coverage is not None:
            facts["coverage"] = json.loads(drawn.coverage.to_json(orient="records"))
        print_json({**facts, **parity_facts(drawn.parity), "manifest_head": drawn.head})
        return
    if drawn.coverage is not None:
        say(drawn.coverage.round(2).to_string(index=False))
    say_parity(drawn.parity)
    say(f"{drawn.path}: {drawn.count:,} synthetic {what}, seed {drawn.seed}")
    say(f"{drawn.path.parent / 'manifest.json'}: head {drawn.head}")


def parity_facts(changes: pd.DataFrame | None) -> dict[str, Any]:
    """What parity changed, and its cost, for JSON."""
    if changes is None:
        return {}
    rows = json.loads(changes.to_json(orient="records"))
    return {"parity": rows, "parity_cost": changes.attrs}


def say_parity(changes: pd.DataFrame | None) -> None:
    """What parity changed, and its cost, for people."""
    if changes is None:
        return
    say(changes.round(3).to_string(index=False))
    cost = changes.attrs
    say(
        f"largest gap between groups: {cost['gap_before']:.3f} before, {cost['gap_after']:.3f}"
        f" after; {cost['rows_changed']:.1%} of the rows have another outcome"
    )


def shares_of(given: list[str] | None) -> dict[str, Any] | None:
    """--balance options as a mapping: one share of a column, or one for each of some values."""
    if not given:
        return None
    found: dict[str, Any] = {}
    for name, text in named("--balance", given, "fraud=0.5").items():
        parts = [part.rpartition(":") for part in text.split(",")]
        try:
            alone = len(parts) == 1 and not parts[0][1]
            pairs = {value.strip(): float(share) for value, colon, share in parts if colon or alone}
            if len(pairs) < len(parts):
                raise ValueError
        except ValueError:
            raise ValueError(
                f"--balance must be written like fraud=0.5 or sex=f:0.5,m:0.5, got {name}={text!r}"
            ) from None
        found[name] = pairs[""] if alone else pairs
    return found


def parity_asked(text: str | None, gap: float) -> dict[str, Any] | None:
    """--parity as a mapping: OUTCOME=GROUP, with several groups, and what is given after a |."""
    if text is None:
        if gap:
            raise ValueError("--parity-gap was given without --parity: name the outcome by it")
        return None
    outcome, equals, rest = text.partition("=")
    between, _, given = rest.partition("|")
    columns = [[n.strip() for n in part.split(",") if n.strip()] for part in (between, given)]
    if not outcome.strip() or not equals or not columns[0]:
        raise ValueError(
            f"--parity must be written like approved=sex, or approved=sex,race|grade, got {text!r}"
        )
    return {outcome.strip(): {"between": columns[0], "given": columns[1], "gap": gap}}


def named(
    option: str, given: list[str] | None, example: str, *, default: str | None = None
) -> dict[str, str]:
    """NAME=TEXT options as a mapping; a NAME alone gets the default, if there is one."""
    found = {}
    for each in given or ():
        name, equals, text = each.partition("=")
        if not name or (not equals and default is None):
            raise ValueError(f"{option} must be written like {example}, got {each!r}")
        found[name] = text if equals else str(default)
    return found
