"""`dpsynth init`: a project, with its file, schema draft, ledger, policy and folders."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dpsynth.base.numbers import positive
from dpsynth.base.places import new_file, new_folder
from dpsynth.base.project import NAME, write_project
from dpsynth.base.text import written
from dpsynth.cli.common import Json, print_json, say
from dpsynth.cli.ledger import policy_of, refuse_unmeetable

if TYPE_CHECKING:
    from dpsynth.kernel.unit import PrivacyUnit

_SCHEMA = "schema.yaml"
_POLICY = "audit-policy.yaml"
_FOLDERS = {
    "releases": "what may be published: dpsynth release -o releases/NAME",
    "internal": "what compares a release with real rows: pages of evaluate and audit",
}
_REMEDY = "give another folder, or remove it"

Folder = Annotated[Path, typer.Argument(help="The project's folder; it may exist.")]
Table = Annotated[
    Path | None, typer.Option(help="The table, such as .csv: its column names are read.")
]
IdColumn = Annotated[
    list[str] | None,
    typer.Option(help="The column that says whose record a row is; repeat for more."),
]
SingleRows = Annotated[
    bool, typer.Option("--single-rows", help="There is no such column: protect single rows.")
]
MaxRecords = Annotated[
    int | None, typer.Option(help="The most rows that are used of one person, or other unit.")
]
Epsilon = Annotated[float | None, typer.Option(help="What all fits together may spend.")]
Delta = Annotated[float | None, typer.Option(help="The delta at which epsilon is counted.")]
Purposes = Annotated[
    list[str] | None,
    typer.Option("--purpose", help="NAME or NAME=EPSILON: what the data may be used for."),
]
Approvals = Annotated[
    list[str] | None,
    typer.Option("--approval", help="Somebody whose approval every fit must quote."),
]


@dataclass(frozen=True)
class Answers:
    """What a project is made of."""

    data: Path
    unit: PrivacyUnit
    epsilon: float
    delta: float
    purposes: list[str]
    approvals: list[str]


def init(
    folder: Folder = Path(),
    data: Table = None,
    id_column: IdColumn = None,
    single_rows: SingleRows = False,
    max_records: MaxRecords = None,
    epsilon: Epsilon = None,
    delta: Delta = None,
    purpose: Purposes = None,
    approval: Approvals = None,
    as_json: Json = False,
) -> None:
    """Set up a project: dpsynth.toml, a draft of the schema, a ledger, an audit policy, folders.

    It asks for what was not given, where stdin is a terminal. No row is read.
    """
    if id_column and single_rows:
        raise ValueError("--id-column and --single-rows exclude each other: give one of the two")
    ask = sys.stdin.isatty() and not as_json
    if not ask:
        _refuse_gaps(data, id_column, single_rows, epsilon)
    answers = _answers(
        ask, data, id_column, single_rows, max_records, epsilon, delta, purpose, approval
    )
    made = _make(folder, answers)
    if as_json:
        print_json({"folder": str(folder), **{name: str(path) for name, path in made.items()}})
        return
    for line in _next_steps(folder, answers, made):
        say(line)


def _refuse_gaps(
    data: Path | None, id_column: list[str] | None, single_rows: bool, epsilon: float | None
) -> None:
    """ValueError, where nobody can be asked, that names each option that is missing."""
    given = {
        "--data": data is not None,
        "--id-column (or --single-rows)": bool(id_column) or single_rows,
        "--epsilon": epsilon is not None,
    }
    if missing := [option for option, there in given.items() if not there]:
        raise ValueError(
            f"a project needs {', '.join(missing)}, and stdin is no terminal where that could be"
            " asked: give these options"
        )


def _answers(
    ask: bool,
    data: Path | None,
    id_column: list[str] | None,
    single_rows: bool,
    max_records: int | None,
    epsilon: float | None,
    delta: float | None,
    purposes: list[str] | None,
    approvals: list[str] | None,
) -> Answers:
    """The options, and the answers of a person to what they leave open."""
    from dpsynth.kernel.unit import PrivacyUnit

    def of(given: Any, question: str, kind: Any, default: Any) -> Any:
        if given is not None or not ask:
            return default if given is None else given
        return typer.prompt(question, type=kind, default=default, err=True)

    table = of(data, "The table (such as .csv or .parquet)", Path, None)
    if not id_column and not single_rows:
        named = of(None, "The column that says whose record a row is (empty: none)", str, "")
        id_column = [named] if named else None
    most = max_records or 1
    if id_column:
        of_each = PrivacyUnit(id_column).name.strip("'")
        most = of(max_records, f"The most rows that are used of each {of_each}", int, 1)
    epsilon = of(epsilon, "Epsilon that all fits together may spend", float, None)
    delta = of(delta, "Delta, far below one in the number of rows", float, 1e-6)
    named = of(purposes, "Purposes that are allowed, by commas (empty: any)", str, "")
    asked = of(approvals, "Whose approval every fit needs, by commas (empty: nobody's)", str, "")
    return Answers(
        table,
        PrivacyUnit(id_column or None, most),
        float(epsilon),
        delta,
        _listed(named),
        _listed(asked),
    )


def _listed(given: str | list[str]) -> list[str]:
    names = given.split(",") if isinstance(given, str) else given
    return [name.strip() for name in names if name.strip()]


def _make(folder: Path, answers: Answers) -> dict[str, Path]:
    """Writes the project; ValueError, before anything is written, for a place that is taken."""
    from dpsynth.auditing.release.audit_policy import AuditPolicy
    from dpsynth.data.engines.files import open_source
    from dpsynth.data.tables.codec import check_owner
    from dpsynth.kernel.budget import Budget
    from dpsynth.ledger.ledger import Ledger
    from dpsynth.schema.table import Schema

    name = answers.data.stem
    source = open_source(answers.data)
    check_owner(source.names, answers.unit)
    draft = Schema.draft(source.without_rows(), answers.unit, source.form)
    budget = Budget(positive("epsilon", answers.epsilon), answers.delta)
    policy = policy_of(budget, answers.purposes, answers.approvals, None, False)
    refuse_unmeetable(policy, budget, answers.unit)
    places = {"ledger": f"{name}.ledger", "schema": _SCHEMA, "policy": _POLICY}
    new_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for file in (NAME, *places.values()):
        new_file(folder / file, _REMEDY)
    for each in _FOLDERS:
        new_folder(folder / each)
    made = {kind: folder / file for kind, file in places.items()}
    draft.save(made["schema"])
    AuditPolicy().save(made["policy"])
    Ledger.create(made["ledger"], budget, dataset=name, unit=answers.unit, policy=policy)
    for each in _FOLDERS:
        (folder / each).mkdir(exist_ok=True)
    (folder / "internal" / ".gitignore").write_text("*\n", encoding="utf-8")
    return {"project": write_project(folder, places), **made}


def _next_steps(folder: Path, answers: Answers, made: dict[str, Path]) -> list[str]:
    data = answers.data.absolute()
    with contextlib.suppress(ValueError):  # there is no way from one drive to another
        data = Path(os.path.relpath(data, folder))
    return [
        f"{made['project']}: names the ledger, the schema and the audit policy",
        f"{made['ledger']}: epsilon {answers.epsilon:g} at delta {written(answers.delta)} for"
        f" {answers.unit.describe()}",
        f"{made['policy']}: what an audit tolerates, to be agreed on and signed",
        *(f"{folder / name}: {what}" for name, what in _FOLDERS.items()),
        f"{made['schema']}: replace every TODO with a public fact that you know without the rows",
        "Next:",
        *([] if folder.resolve() == Path.cwd() else [f"  cd {folder}"]),
        f"  dpsynth schema check {_SCHEMA} {data}    # PRIVATE",
        f"  dpsynth release {data} --epsilon 1 -o releases/first",
    ]
