"""`dpsynth plan`: what a fit would spend and how good it could be, before any private record is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dpsynth.cli.common import Json, SchemaFile, from_project, load_schema, out, print_json, say
from dpsynth.cli.programs import Claim, Command, Environment, Settings, Target, mechanism_settings, program_settings

_PROGRAM = ("environment", "command", "claim")
_KNOWN = {"schema", "mechanism", "epsilon", "delta", "rows", "target", "settings", *_PROGRAM}
_NEEDED = ("schema", "epsilon", "delta", "rows")


def plan(
    job: Annotated[
        Path | None, typer.Argument(help="A .yaml file of the same options, as 'rows: 5000'; options win over it.")
    ] = None,
    schema: SchemaFile = None,
    epsilon: Annotated[float | None, typer.Option(help="The privacy budget's epsilon.")] = None,
    delta: Annotated[float | None, typer.Option(help="The privacy budget's delta.")] = None,
    rows: Annotated[int | None, typer.Option(help="About how many rows there are: a public guess.")] = None,
    mechanism: Annotated[str | None, typer.Option(help="As of fit.")] = None,
    target: Target = None,
    settings: Settings = None,
    environment: Environment = None,
    command: Command = None,
    claim: Claim = None,
    as_json: Json = False,
) -> None:
    """Say what a fit would spend, and how noisy its answers would be. Opens no data, charges nothing."""
    from dpsynth.synthesizers.table import Synthesizer

    stated = _job(job) if job is not None else {}
    given = {
        "schema": schema,
        "epsilon": epsilon,
        "delta": delta,
        "rows": rows,
        "mechanism": mechanism,
        "target": target,
        "environment": environment,
        "command": command,
        "claim": claim,
    }
    facts = {**stated, **{name: value for name, value in given.items() if value is not None}}
    if "schema" not in facts and (found := from_project(schema=None)["schema"]) is not None:
        facts["schema"] = found
    if lacking := [name for name in _NEEDED if name not in facts]:
        options = " ".join(f"--{name}" for name in lacking)
        raise ValueError(f"a plan needs {', '.join(lacking)}: give {options}, or the fields of a job.yaml")
    chosen = facts.get("settings", {}) | mechanism_settings(facts.get("target"), settings)
    chosen |= program_settings(**{name: facts[name] for name in _PROGRAM if name in facts})
    made = Synthesizer(
        load_schema(Path(facts["schema"])),
        facts.get("mechanism", "auto"),
        epsilon=facts["epsilon"],
        delta=facts["delta"],
        **chosen,
    ).plan(facts["rows"])
    if as_json:
        print_json(made.record())
        return
    first, second, *others = made.summary().splitlines()
    say(first)
    say(second)
    table = Table("what is asked", "charges", "noise on a count (std. dev., rows)")
    for cells in made.table():
        table.add_row(*cells)
    out.print(table)
    for line in others[len(made.queries) :]:
        say(line)


def _job(path: Path) -> dict[str, Any]:
    """What the file states; the schema's path is relative to it."""
    from dpsynth.base.mappings import read_mapping

    stated = read_mapping(path)
    if unknown := sorted(set(stated) - _KNOWN):
        raise ValueError(f"{path} has the fields {unknown}, which no plan knows: use {sorted(_KNOWN)}")
    if not isinstance(stated.get("settings", {}), dict):
        raise ValueError(f"{path} must state settings as NAME: VALUE pairs, got {stated['settings']!r}")
    if "schema" in stated:
        stated["schema"] = path.parent / str(stated["schema"])
    return stated
