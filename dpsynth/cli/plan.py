"""`dpsynth plan`: what a fit would spend and how good it could be, before any row is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from dpsynth.cli.common import (
    USUAL_DELTA,
    Json,
    SchemaFile,
    Target,
    from_project,
    load_schema,
    out,
    print_json,
    row_count,
    say,
)
from dpsynth.cli.pages import Page, write_page
from dpsynth.cli.programs import (
    Claim,
    Command,
    Environment,
    Settings,
    mechanism_settings,
    program_settings,
)

if TYPE_CHECKING:
    from dpsynth.synthesizers.planned import Plan

_PROGRAM = ("environment", "command", "claim")
_OTHERS = (
    *("mechanism", "epsilon", "delta", "rows", "target", "settings", "ledger"),
    "holdback",
)
_KNOWN = {"schema", *_OTHERS, *_PROGRAM}
_NEEDED = ("schema", "epsilon", "rows")

JobFile = Annotated[
    Path | None,
    typer.Argument(help="A .yaml with the same facts as the options; an option overrides it."),
]
MaybeEpsilon = Annotated[float | None, typer.Option(help="The privacy budget's epsilon.")]
MaybeDelta = Annotated[
    float | None, typer.Option(help="The privacy budget's delta; by default 0.000001.")
]
Rows = Annotated[
    int | None,
    typer.Option(
        help="About how many rows there are, also as 1e9: a guess that is no secret.",
        parser=row_count,
        metavar="N",
    ),
]
Account = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        help="The account that would pay; by default the project's, or one of this fit alone.",
    ),
]
MaybeHoldback = Annotated[
    float | None, typer.Option(help="The part of the budget that is held back, as for fit.")
]
Mechanism = Annotated[str | None, typer.Option(help="The mechanism, as for fit.")]


def plan(
    job: JobFile = None,
    schema: SchemaFile = None,
    epsilon: MaybeEpsilon = None,
    delta: MaybeDelta = None,
    rows: Rows = None,
    mechanism: Mechanism = None,
    target: Target = None,
    settings: Settings = None,
    environment: Environment = None,
    command: Command = None,
    claim: Claim = None,
    ledger: Account = None,
    holdback: MaybeHoldback = None,
    html: Page = None,
    as_json: Json = False,
) -> None:
    """Say what a fit would spend, and how noisy its answers would be.

    Opens no data, costs nothing.
    """
    options = {
        "schema": schema,
        "epsilon": epsilon,
        "delta": delta,
        "rows": rows,
        "mechanism": mechanism,
        "target": target,
        "environment": environment,
        "command": command,
        "claim": claim,
        "ledger": ledger,
        "holdback": holdback,
    }
    stated = {} if job is None else _job(job)
    made = _plan(_facts(stated, options), settings)
    if html is not None:
        write_page(html, made.to_html())
    if as_json:
        print_json(made.record())
    else:
        _show(made)
        if html is not None:
            say(f"{html}: the same as a page")


def _facts(stated: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """What is planned: from the options, else the job's file, else the project's schema."""
    given = {name: value for name, value in options.items() if value is not None}
    facts = {"delta": USUAL_DELTA, **stated, **given}
    if "schema" not in facts:
        found = from_project(schema=None)["schema"]
        if found is not None:
            facts["schema"] = found
    if lacking := [name for name in _NEEDED if name not in facts]:
        wanted = " ".join(f"--{name}" for name in lacking)
        raise ValueError(
            f"a plan needs {', '.join(lacking)}: give {wanted}, or the fields of a job.yaml"
        )
    return facts


def _plan(facts: dict[str, Any], settings: list[str] | None) -> Plan:
    from dpsynth.synthesizers.table import Synthesizer

    mechanism = facts.get("mechanism", "auto")
    stated = mechanism_settings(mechanism, facts.get("target"), settings)
    chosen = facts.get("settings", {}) | stated
    chosen |= program_settings(**{name: facts[name] for name in _PROGRAM if name in facts})
    synthesizer = Synthesizer(
        load_schema(Path(facts["schema"])),
        mechanism,
        epsilon=facts["epsilon"],
        delta=facts["delta"],
        holdback=facts.get("holdback", 0.0),
        **({"ledger": facts["ledger"]} if "ledger" in facts else {}),
        **chosen,
    )
    return synthesizer.plan(facts["rows"])


def _show(made: Plan) -> None:
    """The summary, with its lines on queries and on means laid out as tables."""
    shown = made.summary(tables=False).splitlines()
    for line in shown[:2]:
        say(line)
    _table(made.table(), "what is measured", "charges", "noise on a count (std. dev., rows)")
    means = [(mean.column, *mean.cells()) for mean in made.means]
    if means:
        _table(means, "mean of", "noise (std. dev.)", "of its range", "if a thin end is lost")
        say("if a thin end is lost: how much further the mean may move where few rows lie there")
    for line in shown[2:]:
        say(line)


def _table(rows: Sequence[Sequence[str]], *heads: str) -> None:
    table = Table(*(Column(head, overflow="fold") for head in heads))
    for cells in rows:
        table.add_row(*map(escape, cells))
    out.print(table)


def _job(path: Path) -> dict[str, Any]:
    """What the file states; the schema's path is relative to it."""
    from dpsynth.base.mappings import read_mapping

    stated = read_mapping(path)
    if unknown := sorted(set(stated) - _KNOWN):
        raise ValueError(
            f"{path} has the fields {unknown}, which a plan does not know: use {sorted(_KNOWN)}"
        )
    if not isinstance(stated.get("settings", {}), dict):
        raise ValueError(
            f"{path} must state settings as NAME: VALUE pairs, got {stated['settings']!r}"
        )
    for place in {"schema", "ledger"} & set(stated):
        stated[place] = path.parent / str(stated[place])
    return stated
